//! Keys that are bound to networks, and where a request comes from.

use reqwest::Method;
use serde_json::json;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    a_bound_key_may_be_used_from_its_networks_alone,
    s8_only_a_trusted_proxy_tells_the_client_s_address,
    a_bound_key_is_verified_with_the_client_s_address,
);

async fn bound(server: &TestServer, networks: &[&str]) -> (tigertrust_accounts::IssuedKey, String, String) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let body = json!({"name": "x", "type": "agent", "scopes": [], "allowedCidrs": networks});
    let created = server.post("/api/keys", &admin, &body).await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    (
        admin,
        created.body["id"].as_str().unwrap().to_owned(),
        created.body["key"].as_str().unwrap().to_owned(),
    )
}

async fn a_bound_key_may_be_used_from_its_networks_alone(server: TestServer) {
    let (admin, id, key) = bound(&server, &["198.51.100.0/24"]).await;
    let check = async || send(server.request(Method::GET, "/api/auth/check").bearer_auth(&key)).await;
    assert_eq!(check().await.problem(), (403, "FORBIDDEN"));
    let path = format!("/api/keys/{id}");
    let edited = server
        .patch(&path, &admin, &json!({"allowedCidrs": ["127.0.0.0/8"]}))
        .await;
    assert_eq!(edited.body["allowedCidrs"], json!(["127.0.0.0/8"]));
    assert_eq!(check().await.status, 200);
    server
        .patch(&path, &admin, &json!({"allowedCidrs": ["198.51.100.0/24"]}))
        .await;
    assert_eq!(check().await.problem(), (403, "FORBIDDEN"));
    server.patch(&path, &admin, &json!({"allowedCidrs": []})).await;
    assert_eq!(check().await.status, 200);
}

/// The test's requests come from 127.0.0.1, which the server trusts as a proxy, and no other address.
async fn s8_only_a_trusted_proxy_tells_the_client_s_address(server: TestServer) {
    let (_, _, key) = bound(&server, &["198.51.100.0/24"]).await;
    for (forwarded, status) in [
        ("198.51.100.7", 200),
        ("203.0.113.9", 403),
        ("198.51.100.7, 203.0.113.9", 403),
        ("203.0.113.9, 198.51.100.7", 200),
        ("198.51.100.7, 127.0.0.1", 200),
        ("198.51.100.7, nonsense", 403),
        ("", 403),
    ] {
        let request = server.request(Method::GET, "/api/auth/check").bearer_auth(&key);
        let answer = send(request.header("X-Forwarded-For", forwarded)).await;
        assert_eq!(answer.status, status, "{forwarded}");
    }
    for name in ["Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP"] {
        let request = server.request(Method::GET, "/api/auth/check").bearer_auth(&key);
        let answer = send(request.header(name, "198.51.100.7")).await;
        assert_eq!(answer.status, 403, "{name}");
    }
}

async fn a_bound_key_is_verified_with_the_client_s_address(server: TestServer) {
    let (admin, _, key) = bound(&server, &["198.51.100.0/24"]).await;
    for (address, code) in [
        (Some("198.51.100.7"), "VALID"),
        (Some("::ffff:198.51.100.7"), "VALID"),
        (Some("203.0.113.9"), "FORBIDDEN"),
        (None, "FORBIDDEN"),
    ] {
        let mut asked = json!({"key": key});
        if let Some(address) = address {
            asked["clientAddress"] = json!(address);
        }
        assert_eq!(
            server.post("/api/keys/verify", &admin, &asked).await.code(),
            code,
            "{address:?}"
        );
    }
    let refused = server
        .post(
            "/api/keys/verify",
            &admin,
            &json!({"key": key, "clientAddress": "here"}),
        )
        .await;
    assert_eq!(
        (refused.problem(), refused.pointers()),
        ((400, "VALIDATION_ERROR"), vec!["/clientAddress"])
    );
}
