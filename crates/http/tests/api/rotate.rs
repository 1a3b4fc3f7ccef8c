//! `POST /api/keys/{id}/rotate`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_model::KeyType;
use tigertrust_testkit::{TestServer, on_both_engines, send};

on_both_engines!(
    the_old_secret_goes_on_until_the_overlap_ends,
    without_an_overlap_the_old_secret_ends_at_once,
    a_second_rotation_does_not_prolong_the_first_secret,
    whoever_rotates_must_hold_what_the_key_may_do,
    what_cannot_be_rotated_is_refused,
    rotations_at_once_leave_one_secret_that_does_not_end,
);

async fn check(server: &TestServer, secret: &str) -> (u16, String) {
    let answer = send(server.request(Method::GET, "/api/auth/check").bearer_auth(secret)).await;
    (answer.status.as_u16(), answer.code().to_owned())
}

async fn rotate(server: &TestServer, by: &IssuedKey, key: &IssuedKey, overlap: u64) -> Value {
    let path = format!("/api/keys/{}/rotate", key.key.id);
    let rotated = server.post(&path, by, &json!({"overlapSeconds": overlap})).await;
    assert_eq!(rotated.status, 200, "{:?}", rotated.body);
    rotated.body
}

const GOOD: (u16, &str) = (200, "");
const REVOKED: (u16, &str) = (401, "KEY_REVOKED");

fn is(answer: &(u16, String), expected: (u16, &str)) -> bool {
    (answer.0, answer.1.as_str()) == expected
}

async fn the_old_secret_goes_on_until_the_overlap_ends(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let old = key.secret.reveal();
    assert!(is(&check(&server, old).await, GOOD));
    let rotated = rotate(&server, &admin, &key, 60).await;
    let new = rotated["key"].as_str().unwrap();
    assert_eq!(rotated["id"], key.key.id.to_string());
    assert_eq!(
        (&rotated["start"], &rotated["lastFour"]),
        (&json!(new[..8]), &json!(new[48..]))
    );
    let secrets = rotated["secrets"].as_array().unwrap();
    assert_eq!(secrets.len(), 2);
    assert_eq!(
        (&secrets[0]["start"], &secrets[0]["endsAt"]),
        (&json!(new[..8]), &Value::Null)
    );
    assert_eq!(
        (&secrets[1]["start"], &secrets[1]["endsAt"]),
        (&json!(old[..8]), &json!("2027-01-15T08:01:00Z"))
    );
    server.clock.advance(Duration::from_secs(59));
    assert!(is(&check(&server, old).await, GOOD) && is(&check(&server, new).await, GOOD));
    server.clock.advance(Duration::from_secs(1));
    assert!(is(&check(&server, old).await, REVOKED) && is(&check(&server, new).await, GOOD));
    let shown = server.get(&format!("/api/keys/{}", key.key.id), &admin).await;
    assert_eq!(shown.body["secrets"], rotated["secrets"]);
    assert!(!shown.body.to_string().contains(new));
}

async fn without_an_overlap_the_old_secret_ends_at_once(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    assert!(is(&check(&server, key.secret.reveal()).await, GOOD));
    let request = server.request(Method::POST, &format!("/api/keys/{}/rotate", key.key.id));
    let rotated = send(request.bearer_auth(admin.secret.reveal())).await;
    assert_eq!(rotated.status, 200);
    assert!(is(&check(&server, key.secret.reveal()).await, REVOKED));
    let new = rotated.body["key"].as_str().unwrap();
    assert!(new.starts_with("ck_") && is(&check(&server, new).await, GOOD));
    server
        .post(&format!("/api/keys/{}/revoke", key.key.id), &admin, &json!({}))
        .await;
    assert!(is(&check(&server, new).await, REVOKED));
}

async fn a_second_rotation_does_not_prolong_the_first_secret(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let second = rotate(&server, &admin, &key, 10).await;
    let third = rotate(&server, &admin, &key, 3600).await;
    server.clock.advance(Duration::from_secs(10));
    assert!(is(&check(&server, key.secret.reveal()).await, REVOKED));
    for current in [&second, &third] {
        assert!(is(&check(&server, current["key"].as_str().unwrap()).await, GOOD));
    }
    server.clock.advance(Duration::from_secs(3590));
    assert!(is(
        &check(&server, second["key"].as_str().unwrap()).await,
        REVOKED
    ));
    assert!(is(&check(&server, third["key"].as_str().unwrap()).await, GOOD));
}

async fn whoever_rotates_must_hold_what_the_key_may_do(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let writer = server.key(&home, KeyType::Agent, &["keys:write"]).await;
    let strong = server.key(&home, KeyType::Agent, &["audit:read"]).await;
    let reach = ReachRequest::Workspace {
        home: home.id,
        others: vec![other.id.to_string()],
    };
    let wide = server.issue(KeyType::Agent, &[], reach).await;
    let path = |key: &IssuedKey| format!("/api/keys/{}/rotate", key.key.id);
    assert_eq!(
        server.post(&path(&strong), &writer, &json!({})).await.problem(),
        (403, "FORBIDDEN")
    );
    assert_eq!(
        server.post(&path(&wide), &writer, &json!({})).await.problem(),
        (403, "WORKSPACE_ACCESS_DENIED")
    );
    for key in [&strong, &wide] {
        assert!(is(&check(&server, key.secret.reveal()).await, GOOD));
    }
    assert_eq!(
        server
            .post(&path(&writer), &writer, &json!({"overlapSeconds": 5}))
            .await
            .status,
        200
    );
}

async fn what_cannot_be_rotated_is_refused(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}/rotate", key.key.id);
    for (body, pointer) in [
        (json!({"overlapSeconds": -1}), "/overlapSeconds"),
        (json!({"overlapSeconds": 2_592_001}), "/overlapSeconds"),
        (json!({"overlapSeconds": "60"}), "/overlapSeconds"),
        (json!({"overlap": 60}), "/overlap"),
    ] {
        let refused = server.post(&path, &admin, &body).await;
        assert_eq!(
            (refused.problem(), refused.pointers()),
            ((400, "VALIDATION_ERROR"), vec![pointer]),
            "{body}"
        );
    }
    server
        .post(&format!("/api/keys/{}/revoke", key.key.id), &admin, &json!({}))
        .await;
    assert_eq!(
        server.post(&path, &admin, &json!({})).await.problem(),
        (409, "CONFLICT")
    );
    let unknown = "/api/keys/key_00000000000000000000000000/rotate";
    assert_eq!(
        server.post(unknown, &admin, &json!({})).await.problem(),
        (404, "NOT_FOUND")
    );
}

async fn rotations_at_once_leave_one_secret_that_does_not_end(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}/rotate", key.key.id);
    let requests = (0..8).map(|_| {
        let request = server
            .request(Method::POST, &path)
            .bearer_auth(admin.secret.reveal())
            .json(&json!({}));
        tokio::spawn(send(request))
    });
    let mut rotated = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        rotated.push(request.await.unwrap());
    }
    let mut good = 0;
    for answer in rotated {
        assert_eq!(answer.status, 200);
        good += u32::from(is(
            &check(&server, answer.body["key"].as_str().unwrap()).await,
            GOOD,
        ));
    }
    assert_eq!(good, 1);
    let shown = server.get(&format!("/api/keys/{}", key.key.id), &admin).await;
    let secrets = shown.body["secrets"].as_array().unwrap();
    assert_eq!(
        (
            secrets.len(),
            secrets.iter().filter(|secret| secret["endsAt"].is_null()).count()
        ),
        (9, 1)
    );
}
