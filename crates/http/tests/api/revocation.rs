//! `security.md` 23: what one node or the command line changes, every node refuses.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tigertrust_accounts::Actor;
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, eventually, on_both_engines, send};

on_both_engines!(
    s23_the_node_that_revokes_refuses_at_once,
    s23_another_node_refuses_soon_after,
    s23_what_the_command_line_revokes_is_refused_soon_after,
    a_plan_change_is_seen_soon_after,
    a_server_whose_feed_is_silent_asks_the_database,
);

async fn status(server: &TestServer, key: &str) -> u16 {
    send(server.request(Method::GET, "/api/auth/check").bearer_auth(key))
        .await
        .status
        .as_u16()
}

async fn s23_the_node_that_revokes_refuses_at_once(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for _ in 0..20 {
        let key = server.key(&home, KeyType::Agent, &[]).await;
        assert_eq!(status(&server, key.secret.reveal()).await, 200);
        let revoke = format!("/api/keys/{}/revoke", key.key.id);
        assert_eq!(server.post(&revoke, &admin, &json!({})).await.status, 200);
        assert_eq!(status(&server, key.secret.reveal()).await, 401);
    }
}

async fn s23_another_node_refuses_soon_after(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let other = server.second().await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    eventually(200, async || status(&other, key.secret.reveal()).await).await;
    for active in [false, true, false] {
        server.patch(&path, &admin, &json!({"active": active})).await;
        eventually(if active { 200 } else { 401 }, async || {
            status(&other, key.secret.reveal()).await
        })
        .await;
    }
    server
        .patch(
            &path,
            &admin,
            &json!({"active": true, "scopes": ["certificates:read"]}),
        )
        .await;
    let scoped = async || {
        let request = other.request(Method::GET, "/api/auth/check?scope=certificates:read");
        send(request.bearer_auth(key.secret.reveal()))
            .await
            .status
            .as_u16()
    };
    eventually(200, scoped).await;
    server.post(&format!("{path}/revoke"), &admin, &json!({})).await;
    eventually(401, async || status(&other, key.secret.reveal()).await).await;
}

/// The command line works on the same database through flows of its own, in a process that serves nothing.
async fn s23_what_the_command_line_revokes_is_refused_soon_after(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    assert_eq!(status(&server, key.secret.reveal()).await, 200);
    let elsewhere = server.second().await;
    elsewhere
        .keys
        .revoke(&Actor::operator(), key.key.id, Some("leaked".to_owned()))
        .await
        .unwrap();
    eventually(401, async || status(&server, key.secret.reveal()).await).await;
}

async fn a_plan_change_is_seen_soon_after(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let plan = async || {
        server.get("/api/auth/me", &key).await.body["workspace"]["plan"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(plan().await, "free");
    let elsewhere = server.second().await;
    elsewhere
        .workspaces
        .set_plan(home.id, "pro".parse().unwrap())
        .await
        .unwrap();
    eventually("pro".to_owned(), plan).await;
}

async fn a_server_whose_feed_is_silent_asks_the_database(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    assert_eq!(status(&server, key.secret.reveal()).await, 200);
    server
        .clock
        .advance(tigertrust_testkit::MAX_STALENESS + Duration::from_millis(1));
    assert_eq!(status(&server, key.secret.reveal()).await, 200);
    let ready = async || send(server.request(Method::GET, "/readyz")).await.status.as_u16();
    eventually(200, ready).await;
}
