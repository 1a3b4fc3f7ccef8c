//! What the middlewares answer, in the parts that the suite does not ask about: the same for actix and axum.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tigertrust_testkit::{TestServer, on_both_engines};

use super::{actix, axum};
use crate::support::{Key, World};

on_both_engines!(
    nothing_presented_is_told_from_something_invalid,
    a_key_without_the_scope_is_told_what_is_missing,
    a_key_over_its_limit_is_told_which_and_for_how_long,
    nobody_is_let_in_while_nobody_can_say,
    a_request_by_grpc_is_answered_by_grpc,
);

const NOTHING: &str = r#"Bearer realm="tigertrust""#;
const INVALID: &str = r#"Bearer realm="tigertrust", error="invalid_token""#;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn assert_problem(&self, status: u16, title: &str, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.body["type"], "about:blank");
        assert_eq!(self.body["title"], title);
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["code"], code);
        assert!(self.body["detail"].as_str().unwrap().ends_with('.'));
    }
}

async fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = headers.iter().fold(client.get(url), |request, (name, value)| {
        request.header(*name, *value)
    });
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
    }
}

/// Asks both services for what needs `certificates:read`.
async fn each(world: &World<'_>, headers: &[(&str, &str)], look: impl Fn(&Answer)) {
    let (actix, axum) = (actix::serve(&world.client), axum::serve(&world.client).await);
    for url in [&actix.url, &axum.url] {
        look(&get(&format!("{url}/read"), headers).await);
    }
}

fn own(key: &Key) -> (&'static str, &str) {
    ("x-agent-api-key", &key.text)
}

async fn nothing_presented_is_told_from_something_invalid(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let key = world.key().await;
    let bearer = ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.");
    for headers in [&[][..], &[bearer]] {
        each(&world, headers, |answer| {
            answer.assert_problem(401, "Unauthorized", "UNAUTHORIZED");
            assert_eq!(answer.header("www-authenticate"), Some(NOTHING));
        })
        .await;
    }
    each(&world, &[("x-agent-api-key", &key.text[..51])], |answer| {
        answer.assert_problem(401, "Unauthorized", "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), Some(INVALID));
    })
    .await;
    assert_eq!(world.proxy.calls(), []);
    world.revoke(&key).await;
    each(&world, &[own(&key)], |answer| {
        answer.assert_problem(401, "Unauthorized", "KEY_REVOKED");
        assert_eq!(answer.header("www-authenticate"), Some(INVALID));
        assert_eq!(answer.header("ratelimit"), None);
    })
    .await;
}

async fn a_key_without_the_scope_is_told_what_is_missing(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let narrow = world.key_with(json!({"scopes": ["certificates:write"]})).await;
    let far = world.key_with(json!({"allowedCidrs": ["192.0.2.0/24"]})).await;
    each(&world, &[own(&narrow)], |answer| {
        answer.assert_problem(403, "Forbidden", "FORBIDDEN");
        let insufficient = r#"Bearer realm="tigertrust", error="insufficient_scope""#;
        assert_eq!(answer.header("www-authenticate"), Some(insufficient));
        let policy = answer.header("ratelimit-policy").unwrap();
        assert!(
            policy.starts_with("\"minute\";q=") && policy.contains(";w=60, \"hour\";q="),
            "{policy}"
        );
    })
    .await;
    each(&world, &[own(&far)], |answer| {
        answer.assert_problem(403, "Forbidden", "FORBIDDEN");
        assert_eq!(answer.header("www-authenticate"), None);
    })
    .await;
}

async fn a_key_over_its_limit_is_told_which_and_for_how_long(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let busy = world.key_with(json!({"limits": {"minute": 1}})).await;
    world.valid(&busy).await;
    each(&world, &[own(&busy)], |answer| {
        answer.assert_problem(429, "Too Many Requests", "RATE_LIMITED");
        assert_eq!(answer.body["violatedPolicies"], json!(["minute"]));
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
        assert!(
            answer
                .header("ratelimit")
                .unwrap()
                .starts_with("\"minute\";r=0;t=")
        );
    })
    .await;
}

async fn nobody_is_let_in_while_nobody_can_say(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let key = world.key().await;
    world.proxy.go_down();
    each(&world, &[own(&key)], |answer| {
        answer.assert_problem(503, "Service Unavailable", "SERVICE_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("1"));
    })
    .await;
}

async fn a_request_by_grpc_is_answered_by_grpc(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let busy = world.key_with(json!({"limits": {"minute": 1}})).await;
    world.valid(&busy).await;
    let service = axum::serve(&world.client).await;
    let url = format!("{}/read", service.url);
    for kind in ["application/grpc", "application/grpc+proto"] {
        let answer = get(&url, &[("content-type", kind), own(&busy)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("grpc-status"), Some("8"));
        assert!(
            answer
                .header("grpc-message")
                .unwrap()
                .starts_with("The rate limit of the key")
        );
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.body, Value::Null);
    }
    let answer = get(&url, &[("content-type", "application/grpc")]).await;
    assert_eq!(answer.header("grpc-status"), Some("16"));
    assert_eq!(answer.header("www-authenticate"), None);
}
