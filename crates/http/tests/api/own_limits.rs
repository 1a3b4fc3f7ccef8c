//! Limits of a key's own.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_testkit::{TestServer, on_both_engines, send};

use crate::rate_limits::{check, limited};

on_both_engines!(
    own_limits_count_where_they_are_lower,
    own_limits_are_checked_and_kept,
    whoever_is_limited_limits_others,
);

async fn own_limits_count_where_they_are_lower(server: TestServer) {
    let (server, admin) = limited(&server).await;
    let body = json!({ "name": "x", "type": "agent", "scopes": [], "limits": { "minute": 2, "hour": 5000 } });
    let created = server.post("/api/keys", &admin, &body).await;
    assert_eq!(created.body["limits"], json!({ "minute": 2, "hour": 5000 }));
    let (id, secret) = (
        created.body["id"].as_str().unwrap(),
        created.body["key"].as_str().unwrap(),
    );
    let first = check(&server, secret).await;
    assert_eq!(
        first.header("ratelimit-policy"),
        r#""minute";q=2;w=60, "hour";q=1000;w=3600"#
    );
    assert_eq!(check(&server, secret).await.status, 200);
    assert_eq!(check(&server, secret).await.status, 429);
    let edited = server
        .patch(&format!("/api/keys/{id}"), &admin, &json!({ "limits": {} }))
        .await;
    assert_eq!(edited.body["limits"], json!({ "minute": null, "hour": null }));
    assert_eq!(check(&server, secret).await.header("x-ratelimit-remaining"), "57");
}

async fn own_limits_are_checked_and_kept(server: TestServer) {
    let (server, admin) = limited(&server).await;
    let with = |limits: Value| json!({ "name": "x", "type": "agent", "scopes": [], "limits": limits });
    for (limits, pointer) in [
        (json!({ "minute": 0 }), "/limits/minute"),
        (json!({ "hour": 50_000_001 }), "/limits/hour"),
        (json!({ "minute": -1 }), "/limits/minute"),
        (json!({ "day": 1 }), "/limits/day"),
        (json!(5), "/limits"),
        (json!([5, 6]), "/limits"),
        (json!([]), "/limits"),
    ] {
        let refused = server.post("/api/keys", &admin, &with(limits.clone())).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{limits}");
        assert_eq!(refused.pointers(), [pointer], "{limits}: {}", refused.body);
    }
    let created = server
        .post("/api/keys", &admin, &with(json!({ "hour": 10 })))
        .await;
    let path = format!("/api/keys/{}", created.body["id"].as_str().unwrap());
    let shown = server.get(&path, &admin).await;
    assert_eq!(shown.body["limits"], json!({ "minute": null, "hour": 10 }));
    let renamed = server.patch(&path, &admin, &json!({ "name": "y" })).await;
    assert_eq!(renamed.body["limits"], json!({ "minute": null, "hour": 10 }));
}

async fn whoever_is_limited_limits_others(server: TestServer) {
    let (server, admin) = limited(&server).await;
    let body = json!({
        "name": "limited", "type": "agent", "scopes": ["keys:read", "keys:write"], "limits": { "minute": 20 },
    });
    let created = server.post("/api/keys", &admin, &body).await;
    let (id, secret) = (
        created.body["id"].as_str().unwrap(),
        created.body["key"].as_str().unwrap(),
    );
    let ask = |method: Method, path: String, body: Value| {
        server.request(method, &path).bearer_auth(secret).json(&body)
    };
    let make = |limits: Value| {
        let body = json!({ "name": "x", "type": "agent", "scopes": [], "limits": limits });
        ask(Method::POST, "/api/keys".to_owned(), body)
    };
    assert_eq!(send(make(json!({ "minute": 20 }))).await.status, 201);
    for limits in [json!({}), json!({ "minute": 21 }), json!({ "hour": 3 })] {
        let refused = send(make(limits.clone())).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{limits}");
        assert_eq!(refused.pointers(), ["/limits/minute"], "{limits}");
    }
    let own = send(ask(
        Method::PATCH,
        format!("/api/keys/{id}"),
        json!({ "limits": {} }),
    ))
    .await;
    assert_eq!(own.problem(), (403, "FORBIDDEN"));
}
