//! `GET /api/workspaces`.

use std::time::Duration;

use serde_json::json;
use tigertrust_accounts::ReachRequest;
use tigertrust_model::KeyType;
use tigertrust_testkit::{Answer, TestServer, on_both_engines};

on_both_engines!(
    a_key_sees_the_workspaces_that_it_names,
    an_instance_key_sees_all_in_pages
);

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

async fn a_key_sees_the_workspaces_that_it_names(server: TestServer) {
    let other = server.workspace("Other").await;
    let home = server.workspace("Home").await;
    server.workspace("Foreign").await;
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let key = server.issue(KeyType::Agent, &["workspace:read"], reach).await;
    let listed = server.get("/api/workspaces", &key).await;
    assert_eq!(names(&listed), ["Home", "Other"]);
    assert_eq!(
        listed.body["items"][0],
        json!({"id": home.id.to_string(), "name": "Home", "plan": "free", "createdAt": "2027-01-15T08:00:00Z"})
    );
    let first = server.get("/api/workspaces?limit=1", &key).await;
    assert_eq!(names(&first), ["Home"]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = server
        .get(&format!("/api/workspaces?limit=1&cursor={cursor}"), &key)
        .await;
    assert_eq!(
        (names(&second), second.body["nextCursor"].is_null()),
        (vec!["Other"], true)
    );
}

async fn an_instance_key_sees_all_in_pages(server: TestServer) {
    for name in ["A", "B", "C"] {
        server.clock.advance(Duration::from_millis(2));
        server.workspace(name).await;
    }
    let key = server
        .issue(KeyType::Agent, &["workspace:read"], ReachRequest::Instance)
        .await;
    let first = server.get("/api/workspaces?limit=2", &key).await;
    assert_eq!(names(&first), ["C", "B"]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = server
        .get(&format!("/api/workspaces?limit=2&cursor={cursor}"), &key)
        .await;
    assert_eq!(
        (names(&second), second.body["nextCursor"].is_null()),
        (vec!["A"], true)
    );
}
