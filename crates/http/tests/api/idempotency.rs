//! `Idempotency-Key` on `POST /api/keys`.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tigertrust_accounts::IssuedKey;
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

on_both_engines!(
    a_replay_answers_with_the_same_record_and_no_secret,
    another_body_under_the_same_name_is_a_conflict,
    a_request_that_was_refused_may_be_mended,
    names_are_the_caller_s_own_and_last_a_day,
    requests_at_the_same_time_make_one_key,
    a_malformed_name_is_refused,
);

fn body(name: &str) -> Value {
    json!({"name": name, "type": "agent", "scopes": [], "metadata": {"a": 1, "b": 2}})
}

async fn create(server: &TestServer, caller: &IssuedKey, name: &str, body: &Value) -> Answer {
    let request = server
        .request(Method::POST, "/api/keys")
        .bearer_auth(caller.secret.reveal());
    send(request.header("Idempotency-Key", name).json(body)).await
}

async fn count(server: &TestServer, caller: &IssuedKey) -> usize {
    server.get("/api/keys", caller).await.body["items"]
        .as_array()
        .unwrap()
        .len()
}

async fn a_replay_answers_with_the_same_record_and_no_secret(server: TestServer) {
    let admin = server.admin(&server.workspace("Home").await).await;
    let first = create(&server, &admin, "n-1", &body("x")).await;
    assert_eq!(first.status, 201);
    // The same content, written another way.
    let request = server
        .request(Method::POST, "/api/keys")
        .bearer_auth(admin.secret.reveal());
    let text = r#"{ "metadata": {"b":2, "a":1}, "scopes":[], "type":"agent","name":"x" }"#;
    let request = request
        .header("Idempotency-Key", "n-1")
        .header("Content-Type", "application/json");
    let replayed = send(request.body(text)).await;
    assert_eq!(replayed.status, 200);
    let mut expected = first.body.clone();
    expected.as_object_mut().unwrap().remove("key").unwrap();
    assert_eq!(replayed.body, expected);
    assert_eq!(count(&server, &admin).await, 2);
}

async fn another_body_under_the_same_name_is_a_conflict(server: TestServer) {
    let (home, other) = (server.workspace("Home").await, server.workspace("Other").await);
    let admin = server.admin(&home).await;
    assert_eq!(create(&server, &admin, "n-1", &body("x")).await.status, 201);
    let refused = create(&server, &admin, "n-1", &body("y")).await;
    assert_eq!(refused.problem(), (409, "CONFLICT"));
    // The workspace is a part of what is asked for.
    let instance = server
        .issue(
            tigertrust_model::KeyType::Agent,
            &["keys:*"],
            tigertrust_accounts::ReachRequest::Instance,
        )
        .await;
    let within = async |workspace: &str| {
        let request = server
            .request(Method::POST, "/api/keys")
            .bearer_auth(instance.secret.reveal());
        let request = request
            .header("Idempotency-Key", "n-1")
            .header("X-Workspace-ID", workspace);
        send(request.json(&body("x"))).await.status.as_u16()
    };
    assert_eq!(within(&home.id.to_string()).await, 201);
    assert_eq!(within(&other.id.to_string()).await, 409);
}

async fn a_request_that_was_refused_may_be_mended(server: TestServer) {
    let admin = server.admin(&server.workspace("Home").await).await;
    let refused = create(&server, &admin, "n-1", &body("")).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
    assert_eq!(create(&server, &admin, "n-1", &body("x")).await.status, 201);
}

async fn names_are_the_caller_s_own_and_last_a_day(server: TestServer) {
    let home = server.workspace("Home").await;
    let (admin, another) = (server.admin(&home).await, server.admin(&home).await);
    let mut new = body("x");
    new["expiresAt"] = json!("2027-01-15T09:00:00Z");
    assert_eq!(create(&server, &admin, "n-1", &new).await.status, 201);
    assert_eq!(create(&server, &another, "n-1", &new).await.status, 201);
    server.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    // What was in the future then is not any more: a replay is no new request.
    let replayed = create(&server, &admin, "n-1", &new).await;
    assert_eq!(
        (replayed.status.as_u16(), &replayed.body["state"]),
        (200, &json!("expired"))
    );
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(create(&server, &admin, "n-1", &body("y")).await.status, 201);
}

async fn requests_at_the_same_time_make_one_key(server: TestServer) {
    let admin = server.admin(&server.workspace("Home").await).await;
    let new = body("x");
    let answers = join_all((0..16).map(|_| create(&server, &admin, "n-1", &new))).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    for answer in &answers {
        assert!([200, 201].contains(&answer.status.as_u16()), "{answer:?}");
        assert_eq!(answer.body["id"], made[0].body["id"]);
        assert_eq!(answer.body.get("key").is_some(), answer.status == 201);
    }
    assert_eq!(count(&server, &admin).await, 2);
}

async fn a_malformed_name_is_refused(server: TestServer) {
    let admin = server.admin(&server.workspace("Home").await).await;
    for names in [vec![""], vec!["a b"], vec!["a", "b"]] {
        let mut headers = HeaderMap::new();
        for name in &names {
            headers.append("idempotency-key", name.parse().unwrap());
        }
        let request = server
            .request(Method::POST, "/api/keys")
            .bearer_auth(admin.secret.reveal());
        let refused = send(request.headers(headers).json(&body("x"))).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{names:?}");
        assert_eq!(refused.pointers(), ["/Idempotency-Key"]);
    }
    let long = "x".repeat(256);
    assert_eq!(create(&server, &admin, &long, &body("x")).await.problem().0, 400);
    assert_eq!(create(&server, &admin, &long[1..], &body("x")).await.status, 201);
}
