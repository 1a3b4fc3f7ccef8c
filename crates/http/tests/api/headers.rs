//! What every response bears.

use reqwest::Method;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    s31_every_answer_bears_the_security_headers,
    every_answer_bears_a_request_id,
    health_is_open
);

const PATHS: [&str; 7] = [
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/api/auth/me",
    "/api/auth/check",
    "/nowhere",
    "/api/keys",
];

async fn s31_every_answer_bears_the_security_headers(server: TestServer) {
    for path in PATHS {
        let answer = send(server.request(Method::GET, path)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(
            answer
                .header("strict-transport-security")
                .starts_with("max-age=31536000"),
            "{path}"
        );
        assert!(
            answer
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
    }
}

async fn every_answer_bears_a_request_id(server: TestServer) {
    let mut seen = std::collections::HashSet::new();
    for path in PATHS {
        let answer = send(server.request(Method::GET, path)).await;
        let id = answer.header("x-request-id").to_owned();
        assert!(id.starts_with("req_"), "{path}: {id}");
        if answer.status.is_client_error() {
            assert_eq!(answer.body["requestId"], id.as_str(), "{path}");
        }
        assert!(seen.insert(id));
    }
    for (given, taken) in [
        ("abc-123_x.y", true),
        ("", false),
        ("a b", false),
        ("x\"y", false),
        (&"a".repeat(65), false),
    ] {
        let answer = send(
            server
                .request(Method::GET, "/healthz")
                .header("X-Request-Id", given),
        )
        .await;
        assert_eq!(answer.header("x-request-id") == given, taken, "{given:?}");
    }
}

async fn health_is_open(server: TestServer) {
    for path in ["/healthz", "/readyz"] {
        tigertrust_testkit::eventually(200, async || {
            send(server.request(Method::GET, path)).await.status.as_u16()
        })
        .await;
        assert_eq!(send(server.request(Method::HEAD, path)).await.status, 200);
        assert_eq!(
            send(server.request(Method::POST, path)).await.problem(),
            (405, "METHOD_NOT_ALLOWED")
        );
    }
}
