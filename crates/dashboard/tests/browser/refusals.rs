//! Every page refuses whom the API refuses: strangers, members of other workspaces, lower roles, keys, and forms that are none of the
//! session's.

use reqwest::{Method, RequestBuilder};
use tigertrust_model::{Role, UserId};
use tigertrust_testkit::{Engine, PASSWORD, TestServer};

/// What a page answers: its status, and where it leads.
async fn answer(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let location = response
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location.unwrap_or_default())
}

/// A session's cookie.
async fn session(server: &TestServer, user: UserId) -> String {
    let body = serde_json::json!({"email": server.email(user).await, "password": PASSWORD});
    let response = server
        .request(Method::POST, "/api/auth/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    let cookies = response.headers().get_all("set-cookie").iter();
    let cookie = cookies
        .map(|value| value.to_str().unwrap())
        .find(|value| value.starts_with("connect.sid="));
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

/// Every page of somebody who is signed in, with ids that name nothing but the workspace.
fn pages(workspace: &str) -> Vec<(Method, String, &'static str)> {
    let paths = tigertrust_dashboard::paths()
        .into_iter()
        .filter(|page| page.like.is_some());
    paths
        .map(|page| {
            let path = page.path.replace("{id}", workspace);
            let path = with_ids(&path);
            let method = page.method.as_str().parse().unwrap();
            (method, path, page.path)
        })
        .collect()
}

/// The path with an id in each place that is left.
fn with_ids(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "none" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_every_page() {
    let server = TestServer::with_pages(Engine::Sqlite, tigertrust_dashboard::pages(), |_| Vec::new()).await;
    let (own, other) = (server.workspace("Own").await, server.workspace("Other").await);
    let owner = session(&server, server.member(&own, Role::Owner).await).await;
    let stranger = session(&server, server.member(&other, Role::Owner).await).await;
    let viewer = session(&server, server.member(&own, Role::Viewer).await).await;
    let key = server.admin(&own).await;
    let pages = pages(&own.id.to_string());
    assert!(pages.len() > 20, "{pages:?}");
    for (method, path, pattern) in pages {
        let request = || {
            let request = server.request(method.clone(), &path);
            match method {
                Method::POST => request.form(&[("name", "x")]),
                _ => request,
            }
        };
        let (status, location) = answer(request()).await;
        assert!(
            status == 303 && location.starts_with("/sign-in"),
            "{method} {pattern}: {status} {location}"
        );

        // A page is for people, whatever a key may do over the API.
        let (status, _) = answer(request().header("X-Agent-API-Key", key.secret.reveal())).await;
        assert!(
            matches!(status, 403 | 404),
            "{method} {pattern} for a key: {status}"
        );

        if pattern.contains("{id}") {
            let (status, _) = answer(request().header("Cookie", &stranger)).await;
            assert_eq!(status, 404, "{method} {pattern} of another workspace");
        }
        if method == Method::POST {
            // Whoever may do it sends a form that is none of the session's.
            let (status, location) = answer(request().header("Cookie", &owner)).await;
            assert!(
                matches!(status, 403 | 404),
                "{method} {pattern} without a token: {status} {location}"
            );
            let elsewhere = request()
                .header("Cookie", &owner)
                .header("Origin", "https://evil.example");
            let (status, _) = answer(elsewhere).await;
            assert!(
                matches!(status, 403 | 404),
                "{method} {pattern} from another site: {status}"
            );
        }
        // What the API keeps from a viewer, the page does: it says 403 to what its role does not permit.
        let (status, _) = answer(request().header("Cookie", &viewer)).await;
        assert!(status < 500, "{method} {pattern} for a viewer: {status}");
        if ["/audit", "/webhooks", "/sso", "/keys/new"]
            .iter()
            .any(|part| path.contains(part))
        {
            assert_eq!(status, 403, "{method} {pattern} for a viewer");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_forms_of_nobody_that_come_from_nowhere() {
    let server = TestServer::with_pages(Engine::Sqlite, tigertrust_dashboard::pages(), |_| Vec::new()).await;
    let open = tigertrust_dashboard::paths().into_iter();
    for page in open.filter(|page| page.like.is_none() && page.method.as_str() == "POST") {
        let form = [("email", "a@example.com"), ("password", "x"), ("token", "x")];
        let request = || server.request(Method::POST, page.path).form(&form);
        assert_eq!(answer(request()).await.0, 403, "{} from nowhere", page.path);
        let elsewhere = request().header("Origin", "https://evil.example");
        assert_eq!(answer(elsewhere).await.0, 403, "{} from another site", page.path);
        let own = request().header("Origin", server.base_url());
        let (status, _) = answer(own).await;
        assert_ne!(status, 403, "{} from here", page.path);
    }
}
