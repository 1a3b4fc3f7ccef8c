//! The body of every error, as a snapshot. The two engines must not differ.

use insta::assert_json_snapshot;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tigertrust_testkit::{TestServer, on_both_engines, send};
use tigertrust_wire::Code;

use crate::people::Browser;

on_both_engines!(every_error_body_is_as_documented);

async fn every_error_body_is_as_documented(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let public = server
        .key(&home, tigertrust_model::KeyType::Public, &["certificates:read"])
        .await;
    let make = async |body: serde_json::Value| {
        let created = server.post("/api/keys", &admin, &body).await;
        (
            created.body["id"].as_str().unwrap().to_owned(),
            created.body["key"].as_str().unwrap().to_owned(),
        )
    };
    let (revoked_id, revoked) = make(json!({"name": "a", "type": "agent", "scopes": []})).await;
    server
        .post(&format!("/api/keys/{revoked_id}/revoke"), &admin, &json!({}))
        .await;
    let (_, expired) =
        make(json!({"name": "b", "type": "agent", "scopes": [], "expiresAt": "2027-01-15T08:00:01Z"})).await;
    let (inactive_id, inactive) = make(json!({"name": "c", "type": "agent", "scopes": []})).await;
    server
        .patch(
            &format!("/api/keys/{inactive_id}"),
            &admin,
            &json!({"active": false}),
        )
        .await;
    let jo = server.member(&home, tigertrust_model::Role::Member).await;
    let stale = Browser::signed_in(&server, jo).await;
    server.clock.advance(std::time::Duration::from_secs(10 * 60));
    for _ in 0..10 {
        Browser::default().login(&server, "nobody@example.com", "x").await;
    }
    let get = |path: &str, key: &str| {
        server
            .request(Method::GET, path)
            .header("X-Agent-API-Key", key.to_owned())
    };
    let admin = admin.secret.reveal();
    let post = |body: &str| {
        let request = server.request(Method::POST, "/api/keys").bearer_auth(admin);
        request
            .header("Content-Type", "application/json")
            .body(body.to_owned())
    };
    let foreign = "ws_00000000000000000000000000";
    let cases: Vec<(&str, RequestBuilder)> = vec![
        (
            "validation_of_fields",
            post(r#"{"name":"","type":"public","scopes":["x","keys:read"]}"#),
        ),
        (
            "validation_of_an_unknown_field",
            post(r#"{"name":"x","type":"agent","scopes":[],"color":"red"}"#),
        ),
        (
            "validation_of_a_word",
            post(r#"{"name":"x","type":"ak_secret","scopes":[]}"#),
        ),
        (
            "validation_of_a_type",
            post(r#"{"name":7,"type":"agent","scopes":[]}"#),
        ),
        ("validation_of_syntax", post("{")),
        ("validation_of_the_query", get("/api/keys?limit=999", admin)),
        (
            "validation_of_an_unknown_parameter",
            get("/api/keys?colour=red", admin),
        ),
        (
            "unauthorized_nothing_presented",
            server.request(Method::GET, "/api/auth/me"),
        ),
        ("unauthorized_malformed", get("/api/auth/me", "ak_short")),
        (
            "unauthorized_unknown",
            get(
                "/api/auth/me",
                "ak_00000000000000000000000000000000000000000002PL60u",
            ),
        ),
        ("unauthorized_deactivated", get("/api/auth/me", &inactive)),
        ("token_expired", get("/api/auth/me", &expired)),
        ("key_revoked", get("/api/auth/me", &revoked)),
        ("forbidden_type", get("/api/keys", public.secret.reveal())),
        (
            "forbidden_scope",
            get("/api/auth/check?scope=certificates:write", public.secret.reveal()),
        ),
        (
            "workspace_access_denied",
            get("/api/keys", admin).header("X-Workspace-ID", foreign),
        ),
        (
            "not_found_key",
            get("/api/keys/key_00000000000000000000000000", admin),
        ),
        ("not_found_route", get("/nowhere", admin)),
        (
            "method_not_allowed",
            server.request(Method::DELETE, "/api/keys").bearer_auth(admin),
        ),
        (
            "conflict",
            server
                .request(Method::PATCH, &format!("/api/keys/{revoked_id}"))
                .bearer_auth(admin)
                .json(&json!({})),
        ),
        ("payload_too_large", post(&" ".repeat(70_000))),
        (
            "unsupported_media_type",
            server
                .request(Method::POST, "/api/keys")
                .bearer_auth(admin)
                .body("name=x"),
        ),
        (
            "step_up_required",
            server
                .request(Method::POST, "/api/auth/2fa/totp")
                .header("Cookie", format!("connect.sid={}", stale.session.unwrap())),
        ),
        (
            "rate_limited",
            server
                .request(Method::POST, "/api/auth/login")
                .json(&json!({"email": "nobody@example.com", "password": "x"})),
        ),
    ];
    let mut seen = Vec::new();
    for (case, request) in cases {
        let answer = send(request).await;
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{case}"
        );
        assert_eq!(answer.body["status"], answer.status.as_u16(), "{case}");
        let code = Code::ALL.into_iter().find(|code| code.as_str() == answer.code());
        for name in code.unwrap().headers() {
            assert!(answer.headers.contains_key(*name), "{case}: {name}");
        }
        seen.push(answer.code().to_owned());
        assert_json_snapshot!(case, answer.body, {".requestId" => "[request id]"});
    }
    server.storage.close().await;
    let down = send(get("/api/keys", admin)).await;
    assert_eq!(down.header("retry-after"), "1");
    seen.push(down.code().to_owned());
    assert_json_snapshot!("service_unavailable", down.body, {".requestId" => "[request id]"});
    for code in Code::ALL {
        assert!(
            seen.iter().any(|seen| seen == code.as_str()),
            "{} is shown by no case",
            code.as_str()
        );
    }
}
