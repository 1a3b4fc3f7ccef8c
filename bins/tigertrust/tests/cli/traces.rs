//! Traces, as a collector of OpenTelemetry gets them.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::Method;
use serde_json::json;
use tigertrust_testkit::{Engine, Receiver, eventually};

use crate::{
    collector::{Collector, attribute, hex},
    program::{Folder, Served, in_a_folder_for_each_engine},
};

in_a_folder_for_each_engine!(
    a_request_is_a_span_in_the_trace_of_its_caller,
    what_happens_within_a_request_is_a_span_below_it,
    what_fails_is_marked,
    a_webhook_carries_the_trace_that_it_belongs_to,
    a_provider_is_asked_within_the_trace_of_the_request,
    no_secret_is_in_what_is_sent,
    without_the_setting_nothing_is_sent,
);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

/// A quickstart that sends its traces to the URL.
fn traced(folder: &Folder, url: &str, more: &[(&str, &str)]) -> Served {
    let environment = [("TIGERTRUST__TRACES__URL", url)];
    folder.quickstart_in(&[&environment, more].concat(), &[])
}

async fn get(served: &Served, path: &str, headers: &[(&str, &str)]) -> u16 {
    let key = served.text("agentKey");
    let request = served.request(Method::GET, path).bearer_auth(key);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().status().as_u16()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    let names = || spans.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    found.unwrap_or_else(|| panic!("{name} is not among {:?}", names()))
}

async fn a_request_is_a_span_in_the_trace_of_its_caller(folder: Folder) {
    let collector = Collector::start();
    // What the log leaves out is recorded all the same.
    let settings = [
        ("TIGERTRUST__LOG__FILTER", "error"),
        (
            "TIGERTRUST__TRACES__HEADERS",
            "authorization=Bearer tiger, x-team=cats",
        ),
    ];
    let served = traced(&folder, &collector.url(), &settings);
    let parent = traceparent("01");
    let state = ("tracestate", "congo=t61rcWkgMzE");
    assert_eq!(
        get(&served, "/api/auth/check", &[("traceparent", &parent), state]).await,
        200
    );
    let me: serde_json::Value = served
        .request(Method::GET, "/api/auth/me")
        .bearer_auth(served.text("agentKey"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = me["keyId"].as_str().unwrap_or_else(|| panic!("{me}")).to_owned();
    let of_key = format!("/api/keys/{key}?include=everything");
    let malformed = [("traceparent", "00-0af7651916cd43dd-b7ad6b7169203331-01")];
    get(&served, &of_key, &malformed).await;
    let request_id = [("x-request-id", "req-of-a-test")];
    assert_eq!(get(&served, "/api/nothing/there", &request_id).await, 404);
    let workspace = served.text("workspaceId").to_owned();
    assert_eq!(served.stop(), "");

    let spans = collector.spans();
    let check = named(&spans, "GET /api/auth/check");
    assert_eq!(
        (hex(&check.trace_id), hex(&check.parent_span_id)),
        (TRACE.to_owned(), CALLER.to_owned())
    );
    assert_eq!((check.kind, check.trace_state.as_str()), (2, "congo=t61rcWkgMzE"));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/auth/check"),
        ("http.response.status_code", "200 as a number"),
        ("url.scheme", "http"),
        ("tigertrust.key.id", &key),
        ("tigertrust.workspace.id", &workspace),
    ] {
        assert_eq!(
            attribute(&check.attributes, name).as_deref(),
            Some(value),
            "{check:?}"
        );
    }
    let own = named(&spans, "GET /api/keys/{id}");
    assert!(
        hex(&own.trace_id) != TRACE && own.parent_span_id.is_empty(),
        "{own:?}"
    );
    assert_eq!(attribute(&own.attributes, "tigertrust.key.id"), Some(key.clone()));
    assert_eq!(
        attribute(&own.attributes, "tigertrust.workspace.id"),
        Some(workspace)
    );
    assert!(!format!("{:?}", own.attributes).contains("everything"));
    let lost = named(&spans, "GET");
    assert_eq!(
        attribute(&lost.attributes, "http.response.status_code").as_deref(),
        Some("404 as a number")
    );
    assert_eq!(attribute(&lost.attributes, "http.route"), None);
    assert_eq!(
        attribute(&lost.attributes, "tigertrust.request.id").as_deref(),
        Some("req-of-a-test")
    );
    // What was not asked for, such as a poll of the database, is no trace of its own.
    let roots = spans.iter().filter(|span| span.parent_span_id.is_empty());
    assert!(
        roots.clone().all(|span| span.kind == 2),
        "{:?}",
        roots.collect::<Vec<_>>()
    );

    let resource = collector.resource();
    let of_resource = |name| attribute(&resource, name).unwrap();
    assert_eq!(of_resource("service.name"), "tigertrust");
    assert_eq!(of_resource("service.version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(of_resource("service.instance.id").len(), 32);
    for request in collector.received() {
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.header("content-type"), "application/x-protobuf");
        assert_eq!(request.header("authorization"), "Bearer tiger");
        assert_eq!(request.header("x-team"), "cats");
    }
}

async fn what_happens_within_a_request_is_a_span_below_it(folder: Folder) {
    let collector = Collector::start();
    let served = traced(&folder, &collector.url(), &[]);
    let parent = traceparent("01");
    assert_eq!(
        get(&served, "/api/auth/check", &[("traceparent", &parent)]).await,
        200
    );
    let login = served.request(Method::POST, "/api/auth/login");
    let login = login.json(&json!({"email": served.text("email"), "password": served.text("password")}));
    assert_eq!(login.send().await.unwrap().status(), 200);
    served.stop();

    let spans = collector.spans();
    let below = |parent: &Span, name: &str| {
        let found = spans
            .iter()
            .find(|span| span.parent_span_id == parent.span_id && span.name == name);
        let found = found.unwrap_or_else(|| panic!("no {name} below {}: {spans:?}", parent.name));
        assert_eq!(found.trace_id, parent.trace_id);
        found
    };
    let look_up = below(named(&spans, "GET /api/auth/check"), "look up key");
    let read = below(look_up, "database read");
    let system = attribute(&read.attributes, "db.system.name").unwrap();
    assert!(["postgresql", "sqlite"].contains(&system.as_str()), "{system}");
    let login = named(&spans, "POST /api/auth/login");
    below(login, "verify password");
    below(login, "database write");
}

async fn what_fails_is_marked(folder: Folder) {
    let collector = Collector::start();
    let served = traced(&folder, &collector.url(), &[]);
    folder.sql("ALTER TABLE api_key_secrets RENAME TO gone");
    assert_eq!(get(&served, "/api/auth/check", &[]).await, 503);
    served.stop();
    let spans = collector.spans();
    let check = named(&spans, "GET /api/auth/check");
    assert_eq!(attribute(&check.attributes, "error.type").as_deref(), Some("503"));
    assert_eq!(check.status.as_ref().unwrap().code, 2);
}

async fn a_webhook_carries_the_trace_that_it_belongs_to(folder: Folder) {
    let collector = Collector::start();
    let private = [("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true")];
    let served = traced(&folder, &collector.url(), &private);
    let receiver = Receiver::start();
    send_webhook(&folder, &receiver).await;
    served.stop();

    let spans = collector.spans();
    let (delivery, post) = (named(&spans, "deliver webhook"), named(&spans, "POST"));
    assert_eq!((&post.parent_span_id, post.kind), (&delivery.span_id, 3));
    let carried = receiver.received().remove(0).traceparent.unwrap();
    assert_eq!(
        carried,
        format!("00-{}-{}-01", hex(&post.trace_id), hex(&post.span_id))
    );
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "204 as a number"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(
            attribute(&post.attributes, name).as_deref(),
            Some(value),
            "{post:?}"
        );
    }
    assert!(!format!("{:?}", post.attributes).contains("/hook"));
}

/// Has a webhook sent to `/hook` of the receiver, and waits until it is there and noted.
async fn send_webhook(folder: &Folder, receiver: &Receiver) {
    let mut add = folder.command(&["webhook", "add", &receiver.url("/hook"), "--output", "json"]);
    let added = add
        .env("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true")
        .output()
        .unwrap();
    let added: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
    let id = added["id"].as_str().unwrap();
    folder.json(&["webhook", "test", id]);
    eventually(1, async || receiver.received().len()).await;
    let state = async || folder.json(&["webhook", "deliveries", id])["items"][0]["state"].clone();
    eventually(json!("delivered"), state).await;
}

async fn a_provider_is_asked_within_the_trace_of_the_request(folder: Folder) {
    let collector = Collector::start();
    let provider = Receiver::start();
    let issuer = provider.url("/acme");
    let settings = [
        ("TIGERTRUST__SSO__ALLOW_PRIVATE_ADDRESSES", "true"),
        ("TIGERTRUST__SSO__OIDC__ACME__ISSUER", issuer.as_str()),
        ("TIGERTRUST__SSO__OIDC__ACME__CLIENT_ID", "tigertrust"),
    ];
    let served = traced(&folder, &collector.url(), &settings);
    let (parent, state) = (traceparent("01"), ("tracestate", "congo=CANARYstate"));
    // It says nothing of itself, and so nobody can sign in; but it was asked.
    get(&served, "/api/auth/oidc/acme", &[("traceparent", &parent), state]).await;
    served.stop();

    let asked = provider.received().remove(0);
    assert_eq!(asked.path, "/acme/.well-known/openid-configuration");
    let spans = collector.spans();
    let begin = named(&spans, "GET /api/auth/oidc/{slug}");
    let within = |span: &&Span| span.kind == 3 && attribute(&span.attributes, "server.address").is_some();
    let request = spans.iter().find(within).unwrap();
    assert_eq!(
        (hex(&request.trace_id), &request.parent_span_id),
        (TRACE.to_owned(), &begin.span_id)
    );
    let carried = format!("00-{TRACE}-{}-01", hex(&request.span_id));
    assert_eq!(asked.traceparent, Some(carried));
}

async fn no_secret_is_in_what_is_sent(folder: Folder) {
    let collector = Collector::start();
    let headers = [(
        "TIGERTRUST__TRACES__HEADERS",
        "authorization=Bearer CANARYcollector",
    )];
    let served = traced(&folder, &collector.url(), &headers);
    let mut secrets: Vec<String> = ["password", "agentKey", "publicKey"]
        .iter()
        .map(|field| served.text(field).to_owned())
        .collect();
    let login = served.request(Method::POST, "/api/auth/login?password=CANARYquery");
    let login = login.json(&json!({"email": served.text("email"), "password": served.text("password")}));
    let answer = login.send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let (_, session) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    let cookie = format!("connect.sid={session}");
    secrets.push(session.to_owned());
    let key = served.text("agentKey").to_owned();
    for path in [
        "/api/auth/me",
        "/api/auth/me?token=CANARYquery",
        "/CANARYpath",
        "/api/keys/CANARYpath",
        "/api/auth/check?scope=CANARYquery",
    ] {
        get(&served, path, &[("user-agent", "CANARYagent")]).await;
        let request = served.request(Method::GET, path).header("cookie", &cookie);
        request.send().await.unwrap();
        let request = served.request(Method::GET, path).header("x-agent-api-key", &key);
        request.send().await.unwrap();
    }
    // A method may be any text.
    let odd = Method::from_bytes(b"CANARYMETHOD").unwrap();
    served.request(odd, "/api/auth/check").send().await.unwrap();
    secrets.push("CANARY".to_owned());
    let log = served.stop();
    assert!(!log.contains("CANARY"), "{log}");

    let spans = collector.spans();
    assert!(spans.len() > 15, "{spans:?}");
    named(&spans, "HTTP /api/auth/check");
    for request in collector.received() {
        for secret in &secrets {
            let secret = secret.as_bytes();
            let found = request.body.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{spans:?}");
        }
    }
}

async fn without_the_setting_nothing_is_sent(folder: Folder) {
    let collector = Collector::start();
    let url = collector.url();
    let environment = [
        // What other programs go by is no setting of this one.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("TIGERTRUST__WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true"),
        ("TIGERTRUST__LOG__FILTER", "debug"),
    ];
    let served = folder.quickstart_in(&environment, &[]);
    let parent = traceparent("01");
    assert_eq!(
        get(&served, "/api/auth/check", &[("traceparent", &parent)]).await,
        200
    );
    let receiver = Receiver::start();
    send_webhook(&folder, &receiver).await;
    let log = served.stop();
    assert!(collector.received().is_empty());
    assert_eq!(receiver.received().remove(0).traceparent, None);
    for span in ["sending traces", "look up key", "deliver webhook"] {
        assert!(!log.contains(span), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_has_its_request_recorded_only_where_callers_are_followed() {
    for (sample, follow, flags, is_recorded) in [
        ("0", "false", "01", false),
        ("0", "true", "01", true),
        ("1", "false", "00", true),
        ("1", "true", "00", false),
    ] {
        let folder = Folder::new(Engine::Sqlite).await;
        let collector = Collector::start();
        let settings = [
            ("TIGERTRUST__TRACES__SAMPLE", sample),
            ("TIGERTRUST__TRACES__FOLLOW_CALLERS", follow),
        ];
        let served = traced(&folder, &collector.url(), &settings);
        get(
            &served,
            "/api/auth/check",
            &[("traceparent", &traceparent(flags))],
        )
        .await;
        served.stop();
        let spans = collector.spans();
        let is_there = spans.iter().any(|span| span.name == "GET /api/auth/check");
        assert_eq!(is_there, is_recorded, "{sample} {follow} {flags}");
    }
}

/// Stops a server, and fails if that takes long.
async fn stop_soon(served: Served) -> String {
    let stopping = tokio::task::spawn_blocking(|| served.stop());
    let stopped = tokio::time::timeout(Duration::from_secs(20), stopping).await;
    stopped.expect("the server stops").unwrap()
}

/// Sends its spans at once, so that there are many tries.
const EAGERLY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_is_named_once_and_holds_nobody_up() {
    let folder = Folder::new(Engine::Sqlite).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let served = traced(&folder, &url, &[EAGERLY]);
    for _ in 0..50 {
        assert_eq!(get(&served, "/api/auth/check", &[]).await, 200);
    }
    let log = stop_soon(served).await;
    assert_eq!(log.matches("the collector takes no traces").count(), 1, "{log}");
    assert!(log.contains("cannot be reached"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_silent_holds_nobody_up() {
    let folder = Folder::new(Engine::Sqlite).await;
    // Who connects is let in, and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    // More spans than there is room for.
    let settings = [EAGERLY, ("OTEL_BSP_MAX_QUEUE_SIZE", "16")];
    let served = traced(&folder, &url, &settings);
    for _ in 0..50 {
        assert_eq!(get(&served, "/api/auth/check", &[]).await, 200);
    }
    stop_soon(served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_back_gets_what_comes_then() {
    let folder = Folder::new(Engine::Sqlite).await;
    let collector = Collector::start();
    collector.answer(&[503, 400]);
    let mut served = traced(&folder, &collector.url(), &[EAGERLY]);
    get(&served, "/api/auth/check", &[]).await;
    let away = served.logged("the collector takes no traces");
    assert!(away.contains("503"), "{away}");
    eventually(2, async || collector.received().len()).await;
    get(&served, "/api/auth/me", &[]).await;
    served.logged("the collector takes traces again");
    served.stop();
    named(&collector.spans(), "GET /api/auth/me");
}
