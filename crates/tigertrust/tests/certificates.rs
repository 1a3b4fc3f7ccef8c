//! The example, as it is run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../examples/certificates.rs"]
mod example;

use std::net::TcpListener;

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use reqwest::{Client, Method};
use serde_json::json;
use tempfile::TempDir;
use tigertrust::{Bootstrapped, KeyType, TigerTrust};
use tigertrust_testkit::{Answer, send};

const SAMPLE: &str = include_str!("../examples/sample.pem");
const ROUTE: &str = "/api/certificates";

struct Service {
    auth: TigerTrust,
    first: Bootstrapped,
    base: String,
    client: Client,
    handle: ServerHandle,
    _data: TempDir,
}

impl Service {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let auth = example::open(data.path()).await.unwrap();
        let first = example::first_keys(&auth).await.unwrap().unwrap();
        let (shared, certificates) = (
            web::Data::new(auth.clone()),
            web::Data::new(example::Certificates::default()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(certificates.clone())
                .configure(example::routes)
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            auth,
            first,
            base,
            client: Client::builder().no_proxy().build().unwrap(),
            handle,
            _data: data,
        }
    }

    fn agent(&self) -> &str {
        self.first.agent.secret.reveal()
    }

    async fn call(&self, method: Method, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .client
            .request(method, format!("{}{ROUTE}", self.base))
            .body(body);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        send(request).await
    }

    async fn list(&self, headers: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, headers, "").await
    }

    async fn store(&self, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.call(Method::POST, &[("X-Agent-API-Key", key)], body).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_stored_and_listed_in_each_way_to_send_a_key() {
    let service = Service::start().await;
    let stored = service.store(service.agent(), SAMPLE).await;
    let expected = json!({
        "subject": "C=DE, O=TigerTrust Examples, CN=certificates.example.com",
        "issuer": "C=DE, O=TigerTrust Examples, CN=certificates.example.com",
        "notBefore": "2026-11-24T11:41:18Z",
        "notAfter": "2126-10-31T11:41:18Z",
        "serial": "2DEBBF3E1A15AA43F8E89780790C93C3178B4157",
        "sha256Fingerprint": "C4C0695E2EB2D782D5D3C98348EA2BA5DB29751A9429AD273C1DF9021ECAD71D",
    });
    assert_eq!((stored.status.as_u16(), &stored.body), (201, &expected));

    let bearer = format!("Bearer {}", service.agent());
    let workspace = service.first.workspace.id.to_string();
    for headers in [
        vec![("X-Agent-API-Key", service.agent())],
        vec![("Authorization", bearer.as_str())],
        vec![
            ("X-Agent-API-Key", service.agent()),
            ("X-Workspace-ID", &workspace),
        ],
        vec![("X-Agent-API-Key", service.first.public.secret.reveal())],
    ] {
        let listed = service.list(&headers).await;
        assert_eq!(listed.status.as_u16(), 200);
        assert_eq!(listed.body, json!({ "items": [expected] }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_types_of_key_may_hold_either_scope() {
    let service = Service::start().await;
    let workspace = service.first.workspace.id;
    for kind in KeyType::ALL {
        let writer = service
            .auth
            .issue_key(workspace, kind, "writer", &["certificates:write"]);
        let writer = writer.await.unwrap();
        let key = writer.secret.reveal();
        assert_eq!(service.store(key, SAMPLE).await.status.as_u16(), 201);
        assert_eq!(
            service.list(&[("X-Agent-API-Key", key)]).await.problem(),
            (403, "FORBIDDEN")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_keys_without_the_scope_are_refused() {
    let service = Service::start().await;
    assert_eq!(service.list(&[]).await.problem(), (401, "UNAUTHORIZED"));
    let unknown = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
    assert_eq!(
        service.store(unknown, SAMPLE).await.problem(),
        (401, "UNAUTHORIZED")
    );
    let public = service.first.public.secret.reveal();
    assert_eq!(service.store(public, SAMPLE).await.problem(), (403, "FORBIDDEN"));
    // Whoever may not write learns nothing of what is wrong with the body.
    assert_eq!(
        service.store(public, "nonsense").await.problem(),
        (403, "FORBIDDEN")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_certificate_is_a_problem() {
    let service = Service::start().await;
    let key_pem = SAMPLE.replace("CERTIFICATE", "PRIVATE KEY");
    let twice = format!("{SAMPLE}{SAMPLE}");
    for body in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        &key_pem,
        &twice,
    ] {
        let refused = service.store(service.agent(), body.to_owned()).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{body}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
    }
    let large = service.store(service.agent(), "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(large.problem(), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_workspace_has_certificates_of_its_own() {
    let service = Service::start().await;
    service.store(service.agent(), SAMPLE).await;
    let acme =
        service
            .auth
            .workspaces()
            .create("Acme".to_owned(), "free".parse().unwrap(), service.first.user.id);
    let acme = acme.await.unwrap();
    let theirs = service
        .auth
        .issue_key(acme.id, KeyType::Agent, "theirs", &["certificates:*"])
        .await
        .unwrap();
    let key = ("X-Agent-API-Key", theirs.secret.reveal());
    assert_eq!(service.list(&[key]).await.body, json!({ "items": [] }));
    let foreign = service.first.workspace.id.to_string();
    let refused = service.list(&[key, ("X-Workspace-ID", &foreign)]).await;
    assert_eq!(refused.problem(), (403, "WORKSPACE_ACCESS_DENIED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_commands_name_the_keys_and_the_sample() {
    let service = Service::start().await;
    let commands = example::commands(&service.base, &service.first);
    let agent = service.agent();
    for line in [
        format!("BASE={}", service.base),
        format!(r#"curl -X GET "$BASE/api/certificates" -H "X-Agent-API-Key: {agent}""#),
        format!(r#"curl -X GET "$BASE/api/certificates" -H "Authorization: Bearer {agent}""#),
    ] {
        assert!(commands.lines().any(|printed| printed == line), "{line}");
    }
    let sample = commands
        .split('@')
        .nth(1)
        .and_then(|rest| rest.split('"').nth(1))
        .unwrap();
    assert_eq!(std::fs::read_to_string(sample).unwrap(), SAMPLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_outlive_a_restart_over_the_same_folder() {
    let data = tempfile::tempdir().unwrap();
    let auth = example::open(data.path()).await.unwrap();
    let first = example::first_keys(&auth).await.unwrap().unwrap();
    auth.close().await;
    let again = example::open(data.path()).await.unwrap();
    assert!(example::first_keys(&again).await.unwrap().is_none());
    let permit = again
        .admit_key(first.agent.secret.reveal(), &tigertrust::Need::any_caller())
        .await;
    assert!(permit.is_ok());
}
