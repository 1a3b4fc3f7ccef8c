//! What an attack on the dashboard found, over HTTP.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tigertrust_model::{KeyType, Role, Workspace};
use tigertrust_testkit::{Engine, PASSWORD, TestServer, send};

/// An owner who is signed in, as a browser without scripts.
struct Owner {
    server: TestServer,
    workspace: Workspace,
    cookie: String,
}

impl Owner {
    async fn signed_in() -> Self {
        let server =
            TestServer::with_pages(Engine::Sqlite, tigertrust_dashboard::pages(), |_| Vec::new()).await;
        let workspace = server.workspace("Acme").await;
        let user = server.member(&workspace, Role::Owner).await;
        let login = json!({"email": server.email(user).await, "password": PASSWORD});
        let answer = send(server.request(Method::POST, "/api/auth/login").json(&login)).await;
        let cookies = answer.headers.get_all("set-cookie").iter();
        let cookie = cookies
            .filter_map(|value| value.to_str().unwrap().split(';').next())
            .find(|pair| pair.starts_with("connect.sid="))
            .unwrap()
            .to_owned();
        Self {
            server,
            workspace,
            cookie,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("/w/{}{path}", self.workspace.id)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = self
            .server
            .request(Method::GET, path)
            .header("Cookie", &self.cookie);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Sends a form as the page at the path would.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let (_, page) = self.get(&self.at("/keys")).await;
        let (_, rest) = page.split_once(r#"name="_token" value=""#).unwrap();
        let token = rest.split('"').next().unwrap();
        let mut form = fields.to_vec();
        form.push(("_token", token));
        let request = self
            .server
            .request(Method::POST, path)
            .header("Cookie", &self.cookie);
        let response = request.form(&form).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_typed_stands_on_no_page() {
    let owner = Owner::signed_in().await;
    owner.server.clock.advance(Duration::from_secs(11 * 60));
    let form = [
        ("kind", "oidc"),
        ("name", "Acme"),
        ("slug", "acme"),
        ("oidc/issuer", "https://idp.example"),
        ("oidc/clientId", "tigertrust"),
        ("oidc/clientSecret", "canary-of-a-client"),
    ];
    let (status, page) = owner.post(&owner.at("/sso/new/provider"), &form).await;
    assert_eq!(status, 200);
    assert!(page.contains("Confirm that it is you"), "{page}");
    assert!(
        page.contains("https://idp.example") && !page.contains("canary"),
        "{page}"
    );
    // So the proof is asked for before such a form is shown.
    let (status, _) = owner
        .get(&owner.at("/sso/new/provider?kind=oidc&name=Acme&slug=acme"))
        .await;
    assert_eq!(status, 303);
    let change = [
        ("currentPassword", "canary-1"),
        ("newPassword", "canary-2"),
        ("_password", "canary-3"),
    ];
    let (status, page) = owner.post("/account/security/password", &change).await;
    assert_eq!(status, 401);
    assert!(!page.contains("canary"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_the_wrong_place_is_not_repeated() {
    let owner = Owner::signed_in().await;
    let issued = owner
        .server
        .key(&owner.workspace, KeyType::Agent, &["certificates:read"])
        .await;
    let key = issued.secret.reveal();
    let form = [("name", "x"), ("type", key), ("expires", "30")];
    let (status, page) = owner.post(&owner.at("/keys/new"), &form).await;
    assert_eq!(status, 400);
    assert!(!page.contains(key), "{page}");
    // Nor does it stay in the address of a search.
    let request = owner
        .server
        .request(Method::GET, &owner.at(&format!("/keys?q={key}")));
    let response = request.header("Cookie", &owner.cookie).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap();
    assert!(
        location.ends_with(&format!("/keys?q={}", &key[..8])),
        "{location}"
    );
    let (_, found) = owner.get(location).await;
    assert!(found.contains(&issued.key.id.to_string()), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_malformed_changes_nothing() {
    let owner = Owner::signed_in().await;
    let issued = owner
        .server
        .key(&owner.workspace, KeyType::Agent, &["certificates:read"])
        .await;
    let path = owner.at(&format!("/keys/{}/rotate", issued.key.id));
    for overlap in ["1 day", "", "-1", "1e3"] {
        let (status, _) = owner.post(&path, &[("overlapSeconds", overlap)]).await;
        assert_eq!(status, 400, "{overlap:?}");
    }
    let check = owner.server.request(Method::GET, "/api/auth/check");
    let answer = send(check.header("X-Agent-API-Key", issued.secret.reveal())).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_are_small_and_cost_little() {
    let owner = Owner::signed_in().await;
    let large = "x".repeat(70 * 1024);
    let (status, _) = owner.post(&owner.at("/keys/new"), &[("name", &large)]).await;
    assert_eq!(status, 413);
    let sign_in = owner.server.request(Method::POST, "/sign-in");
    let sign_in = sign_in
        .header("Origin", owner.server.base_url())
        .form(&[("password", &large)]);
    assert_eq!(sign_in.send().await.unwrap().status(), 413);
    // A document is pasted into this one.
    let (status, _) = owner
        .post(&owner.at("/sso/new/provider"), &[("saml/metadata", &large)])
        .await;
    assert_ne!(status, 413);

    let (_, page) = owner.get(&owner.at("/audit/verify")).await;
    let (_, rest) = page.split_once("{&quot;chain&quot;").unwrap();
    let checkpoint =
        format!("{{&quot;chain&quot;{}", rest.split('<').next().unwrap()).replace("&quot;", "\"");
    let (status, page) = owner
        .post(&owner.at("/audit/verify"), &[("checkpoints", &checkpoint)])
        .await;
    assert_eq!(status, 200, "{page}");
    let many = vec![checkpoint; 51].join("\n");
    let (status, page) = owner
        .post(&owner.at("/audit/verify"), &[("checkpoints", &many)])
        .await;
    assert_eq!(status, 400);
    assert!(page.contains("50 at the most"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_have_nothing_done_in_somebody_s_name() {
    let owner = Owner::signed_in().await;
    let from = |site: &'static str, mode: &'static str, path: &str| {
        let request = owner
            .server
            .request(Method::GET, path)
            .header("Cookie", &owner.cookie);
        request
            .header("Sec-Fetch-Site", site)
            .header("Sec-Fetch-Mode", mode)
            .send()
    };
    for (path, page) in [
        (owner.at("/audit/export?format=csv"), owner.at("/audit")),
        (
            "/account/export/account.json".to_owned(),
            "/account/export".to_owned(),
        ),
    ] {
        let answer = from("same-site", "no-cors", &path).await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        let answer = from("same-site", "navigate", &path).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (303, &page.parse().unwrap())
        );
        let answer = from("none", "navigate", &path).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let answer = from("none", "navigate", &owner.at("/keys")).await.unwrap();
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        assert_eq!(answer.headers()[name], "same-origin");
    }
    assert_eq!(answer.headers()["cache-control"], "no-store");
}
