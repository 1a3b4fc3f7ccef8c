//! When a secret was last used.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    the_last_use_is_shown_with_address_and_user_agent,
    a_refused_request_is_no_use,
    which_secret_is_still_used_is_visible,
    a_used_key_is_not_found_among_the_unused,
);

async fn use_it(server: &TestServer, key: &str, agent: &str) -> u16 {
    let request = server
        .request(Method::GET, "/api/auth/check")
        .bearer_auth(key)
        .header("User-Agent", agent);
    send(request.header("X-Forwarded-For", "198.51.100.7"))
        .await
        .status
        .as_u16()
}

async fn the_last_use_is_shown_with_address_and_user_agent(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    for (seconds, agent) in [(1, "curl/8.1"), (1, "python/3")] {
        server.clock.advance(Duration::from_secs(seconds));
        assert_eq!(use_it(&server, key.secret.reveal(), agent).await, 200);
    }
    assert_eq!(server.get(&path, &admin).await.body["lastUsedAt"], Value::Null);
    server.flush_uses().await;
    let shown = server.get(&path, &admin).await.body;
    assert_eq!(shown["lastUsedAt"], "2027-01-15T08:00:02Z");
    let secret = &shown["secrets"][0];
    assert_eq!(secret["lastUsedAt"], "2027-01-15T08:00:02Z");
    assert_eq!(
        (&secret["lastUsedAddress"], &secret["lastUsedUserAgent"]),
        (&json!("198.51.100.7"), &json!("python/3"))
    );
}

async fn a_refused_request_is_no_use(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    assert_eq!(server.get("/api/keys", &key).await.status, 403);
    server.flush_uses().await;
    let shown = server.get(&format!("/api/keys/{}", key.key.id), &admin).await;
    assert_eq!(shown.body["lastUsedAt"], Value::Null);
}

async fn which_secret_is_still_used_is_visible(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    server
        .post(
            &format!("{path}/rotate"),
            &admin,
            &json!({"overlapSeconds": 3600}),
        )
        .await;
    assert_eq!(use_it(&server, key.secret.reveal(), "old").await, 200);
    server.flush_uses().await;
    let shown = server.get(&path, &admin).await.body;
    assert_eq!(shown["secrets"][0]["lastUsedAt"], Value::Null);
    assert_eq!(shown["secrets"][1]["lastUsedUserAgent"], "old");
}

async fn a_used_key_is_not_found_among_the_unused(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(use_it(&server, key.secret.reveal(), "x").await, 200);
    server.flush_uses().await;
    let unused = async |since: &str| {
        let listed = server
            .get(&format!("/api/keys?unusedSince={since}"), &admin)
            .await;
        let items = listed.body["items"].as_array().unwrap().clone();
        items.iter().any(|item| item["id"] == key.key.id.to_string())
    };
    assert!(!unused("2027-01-15T08:01:00Z").await);
    assert!(unused("2027-01-15T08:01:01Z").await);
}
