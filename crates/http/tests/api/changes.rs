//! `GET /api/changes`.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_model::{KeyType, Role, Workspace};
use tigertrust_testkit::{TestServer, on_both_engines, send};
use tokio::time::timeout;

on_both_engines!(
    every_change_is_told_in_order_and_can_be_resumed,
    a_workspace_s_key_hears_of_its_own_workspace_alone,
    numbers_that_are_gone_or_never_were_reset,
    a_quiet_feed_gives_signs_of_life_and_moves_on,
    a_follower_whose_key_is_revoked_is_cut_off,
    a_server_that_stops_ends_its_streams,
    s19_who_is_no_member_any_more_hears_nothing_more,
    a_malformed_number_is_refused,
    another_server_s_changes_are_told_too,
);

/// Reads events as a client does.
struct Events {
    response: Response,
    buffer: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: u64,
    name: String,
    data: Value,
}

impl Events {
    async fn follow(server: &TestServer, key: &IssuedKey, last: Option<u64>) -> Self {
        let mut request = server
            .request(Method::GET, "/api/changes")
            .bearer_auth(key.secret.reveal());
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next block of lines; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                return Some(block);
            }
            let chunk = timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = chunk.expect("the stream goes on").ok().flatten()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, past the signs of life.
    async fn next(&mut self) -> Event {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let field = |name: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(name));
                found.map(|value| value.trim().to_owned())
            };
            if let Some(name) = field("event:") {
                return Event {
                    id: field("id:").unwrap().parse().unwrap(),
                    name,
                    data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
                };
            }
        }
    }
}

fn event(id: u64, name: &str, entity: impl ToString, workspace: Option<&Workspace>) -> Event {
    let workspace = workspace.map(|workspace| workspace.id.to_string());
    Event {
        id,
        name: name.to_owned(),
        data: json!({"id": entity.to_string(), "workspaceId": workspace}),
    }
}

async fn instance(server: &TestServer) -> IssuedKey {
    server
        .issue(KeyType::Agent, &["keys:verify"], ReachRequest::Instance)
        .await
}

async fn every_change_is_told_in_order_and_can_be_resumed(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let jo = server.member(&home, Role::Member).await;
    let follower = instance(&server).await;
    let mut events = Events::follow(&server, &follower, Some(0)).await;
    assert_eq!(events.block().await.unwrap(), "id: 0\n: following");
    assert_eq!(events.next().await, event(1, "user", server.owner, Some(&home)));
    assert_eq!(events.next().await, event(2, "user", jo, Some(&home)));
    let path = format!("/api/keys/{}", key.key.id);
    server.patch(&path, &admin, &json!({"name": "y"})).await;
    assert_eq!(events.next().await, event(3, "key", key.key.id, Some(&home)));
    server
        .workspaces
        .set_plan(home.id, "pro".parse().unwrap())
        .await
        .unwrap();
    server.post(&format!("{path}/revoke"), &admin, &json!({})).await;
    assert_eq!(events.next().await, event(4, "workspace", home.id, Some(&home)));
    assert_eq!(events.next().await, event(5, "key", key.key.id, Some(&home)));
    drop(events);

    let mut resumed = Events::follow(&server, &follower, Some(3)).await;
    assert_eq!(resumed.next().await, event(4, "workspace", home.id, Some(&home)));
    assert_eq!(resumed.next().await, event(5, "key", key.key.id, Some(&home)));
    // Without a number it begins now.
    let mut fresh = Events::follow(&server, &follower, None).await;
    assert_eq!(fresh.block().await.unwrap(), "id: 5\n: following");
    server.set_role(&home, jo, Some(Role::Admin)).await;
    assert_eq!(fresh.next().await, event(6, "user", jo, Some(&home)));
}

async fn a_workspace_s_key_hears_of_its_own_workspace_alone(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let (ours, theirs) = (server.admin(&home).await, server.admin(&other).await);
    let outsider = instance(&server).await;
    let edit = async |caller: &IssuedKey, key: &IssuedKey, workspace: &Workspace| {
        let path = format!("/api/keys/{}", key.key.id);
        let request = server
            .request(Method::PATCH, &path)
            .bearer_auth(caller.secret.reveal());
        let request = request.header("X-Workspace-ID", workspace.id.to_string());
        assert_eq!(send(request.json(&json!({"name": "y"}))).await.status, 200);
    };
    let mut events = Events::follow(&server, &ours, None).await;
    edit(&theirs, &theirs, &other).await;
    server
        .workspaces
        .set_plan(other.id, "pro".parse().unwrap())
        .await
        .unwrap();
    server
        .keys
        .revoke(&tigertrust_accounts::Actor::operator(), outsider.key.id, None)
        .await
        .unwrap();
    edit(&ours, &ours, &home).await;
    assert_eq!(events.next().await, event(6, "key", ours.key.id, Some(&home)));
    // An instance key that names a workspace hears of that one alone.
    let platform = instance(&server).await;
    let request = server
        .request(Method::GET, "/api/changes")
        .bearer_auth(platform.secret.reveal());
    let request = request
        .header("X-Workspace-ID", other.id.to_string())
        .header("Last-Event-ID", "2");
    let mut named = Events {
        response: request.send().await.unwrap(),
        buffer: String::new(),
    };
    assert_eq!(named.next().await, event(3, "key", theirs.key.id, Some(&other)));
    assert_eq!(named.next().await, event(4, "workspace", other.id, Some(&other)));
}

async fn numbers_that_are_gone_or_never_were_reset(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let path = format!("/api/keys/{}", admin.key.id);
    for _ in 0..4 {
        server.patch(&path, &admin, &json!({"name": "y"})).await;
    }
    // A server that has just begun has no numbers of its own from before.
    let second = server.second().await;
    use tigertrust_model::Clock as _;
    server
        .storage
        .prune_changes(server.clock.now().saturating_add(Duration::from_secs(1)), 100)
        .await
        .unwrap();
    let follower = instance(&server).await;
    let reset = |id| Event {
        id,
        name: "reset".to_owned(),
        data: json!({}),
    };
    for (server, last) in [(&second, 1), (&second, 99), (&server, 99)] {
        tigertrust_testkit::eventually(true, async || server.recent.head().borrow().is_some()).await;
        let mut events = Events::follow(server, &follower, Some(last)).await;
        assert_eq!(events.next().await, reset(5), "{last}");
    }
}

async fn a_quiet_feed_gives_signs_of_life_and_moves_on(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let (ours, theirs) = (server.admin(&home).await, server.admin(&other).await);
    let mut events = Events::follow(&server, &ours, None).await;
    assert_eq!(events.block().await.unwrap(), "id: 2\n: following");
    assert_eq!(events.block().await.unwrap(), "id: 2\n:");
    // What is another's is passed over, so that resuming never starts from what has long been taken away.
    let path = format!("/api/keys/{}", theirs.key.id);
    server.patch(&path, &theirs, &json!({"name": "y"})).await;
    tigertrust_testkit::eventually(true, async || events.block().await.unwrap() == "id: 3\n:").await;
}

async fn a_follower_whose_key_is_revoked_is_cut_off(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, follower) = (server.admin(&home).await, server.admin(&home).await);
    let mut events = Events::follow(&server, &follower, None).await;
    events.block().await.unwrap();
    let path = format!("/api/keys/{}/revoke", follower.key.id);
    assert_eq!(server.post(&path, &admin, &json!({})).await.status, 200);
    while let Some(block) = events.block().await {
        assert!(!block.contains("event:"), "{block}");
    }
}

async fn a_server_that_stops_ends_its_streams(server: TestServer) {
    let follower = instance(&server).await;
    let mut events = Events::follow(&server, &follower, None).await;
    events.block().await.unwrap();
    server.recent.close();
    while events.block().await.is_some() {}
}

async fn s19_who_is_no_member_any_more_hears_nothing_more(server: TestServer) {
    let (left, other) = (server.workspace("Left").await, server.workspace("Other").await);
    let jo = server.member(&left, Role::Admin).await;
    // The workspace that was joined first is the one to act in by default.
    server.clock.advance(Duration::from_secs(1));
    server.set_role(&other, jo, Some(Role::Admin)).await;
    let browser = crate::people::Browser::signed_in(&server, jo).await;
    let cookie = format!("connect.sid={}", browser.session.unwrap());
    let request = server
        .request(Method::GET, "/api/changes")
        .header("Cookie", cookie);
    let mut events = Events {
        response: request.send().await.unwrap(),
        buffer: String::new(),
    };
    assert_eq!(events.response.status(), 200);
    events.block().await.unwrap();
    server.set_role(&left, jo, None).await;
    while let Some(block) = events.block().await {
        assert!(!block.contains("event:"), "{block}");
    }
}

async fn a_malformed_number_is_refused(server: TestServer) {
    let follower = instance(&server).await;
    for last in ["x", "-1", "1.5", "99999999999999999999999"] {
        let request = server
            .request(Method::GET, "/api/changes")
            .bearer_auth(follower.secret.reveal());
        let refused = send(request.header("Last-Event-ID", last)).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{last}");
        assert_eq!(refused.pointers(), ["/Last-Event-ID"]);
    }
}

async fn another_server_s_changes_are_told_too(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let second = server.second().await;
    tigertrust_testkit::eventually(true, async || second.recent.head().borrow().is_some()).await;
    let mut events = Events::follow(&second, &admin, None).await;
    events.block().await.unwrap();
    let path = format!("/api/keys/{}", admin.key.id);
    server.patch(&path, &admin, &json!({"name": "y"})).await;
    assert_eq!(events.next().await, event(2, "key", admin.key.id, Some(&home)));
}
