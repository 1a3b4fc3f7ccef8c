//! `POST /api/keys/report-leak`.

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_model::KeyType;
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

on_both_engines!(
    a_leaked_agent_key_is_revoked_and_a_public_key_is_marked,
    the_answer_tells_nothing_of_the_key,
    what_is_no_report_is_refused,
    a_report_on_an_old_secret_counts_while_it_is_accepted,
    a_rotation_ends_the_mark_and_the_next_secret_may_be_reported_again,
    a_workspace_says_what_happens_to_its_agent_keys,
);

async fn report(server: &TestServer, key: &str) -> Answer {
    let request = server.request(Method::POST, "/api/keys/report-leak");
    send(request.json(&json!({"key": key}))).await
}

async fn a_leaked_agent_key_is_revoked_and_a_public_key_is_marked(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let agent = server.key(&home, KeyType::Agent, &[]).await;
    let public = server.key(&home, KeyType::Public, &[]).await;
    for key in [&agent, &public] {
        assert_eq!(server.get("/api/auth/me", key).await.status, 200);
        for _ in 0..2 {
            assert_eq!(report(&server, key.secret.reveal()).await.status, 202);
        }
    }
    assert_eq!(
        server.get("/api/auth/me", &agent).await.problem(),
        (401, "KEY_REVOKED")
    );
    assert_eq!(server.get("/api/auth/me", &public).await.status, 200);
    let show = async |id: String| server.get(&format!("/api/keys/{id}"), &admin).await.body;
    let agent = show(agent.key.id.to_string()).await;
    assert_eq!(
        (&agent["state"], &agent["revocationReason"]),
        (&json!("revoked"), &json!("reported as leaked"))
    );
    assert_eq!(agent["leakReportedAt"], "2027-01-15T08:00:00Z");
    let public = show(public.key.id.to_string()).await;
    assert_eq!(
        (&public["state"], &public["leakReportedAt"]),
        (&json!("active"), &json!("2027-01-15T08:00:00Z"))
    );
}

async fn a_workspace_says_what_happens_to_its_agent_keys(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let path = format!("/api/workspaces/{}", home.id);
    let choose = async |response: Value| {
        let changed = server
            .patch(&path, &admin, &json!({"leakResponse": response}))
            .await;
        assert_eq!(changed.body["leakResponse"], response, "{changed:?}");
    };
    let reported = async |kind: KeyType| {
        let key = server.key(&home, kind, &[]).await;
        assert_eq!(report(&server, key.secret.reveal()).await.status, 202);
        let shown = server
            .get(&format!("/api/keys/{}", key.key.id), &admin)
            .await
            .body;
        assert_eq!(shown["leakReportedAt"], "2027-01-15T08:00:00Z");
        shown["state"].as_str().unwrap().to_owned()
    };
    choose(json!("notify")).await;
    assert_eq!(reported(KeyType::Agent).await, "active");
    choose(json!("revoke")).await;
    assert_eq!(reported(KeyType::Agent).await, "revoked");
    // Whoever looks into a client must not be able to end what is meant to be there.
    assert_eq!(reported(KeyType::Public).await, "active");
    choose(Value::Null).await;
    assert_eq!(reported(KeyType::Agent).await, "revoked");
    let wrong = server
        .patch(&path, &admin, &json!({"leakResponse": "shrug"}))
        .await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let log = server.get("/api/audit/events?action=key.leaked", &admin).await;
    assert_eq!(log.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(log.body["items"][0]["actor"]["type"], "anonymous");
}

async fn the_answer_tells_nothing_of_the_key(server: TestServer) {
    let home = server.workspace("Home").await;
    let known = server.key(&home, KeyType::Agent, &[]).await;
    let mut answers = Vec::new();
    for key in [
        known.secret.reveal(),
        "ak_00000000000000000000000000000000000000000002PL60u",
        "nonsense",
        "",
    ] {
        let mut answer = report(&server, key).await;
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        answers.push((answer.status, answer.headers, answer.body));
    }
    assert_eq!((answers[0].0.as_u16(), &answers[0].2), (202, &Value::Null));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

async fn what_is_no_report_is_refused(server: TestServer) {
    let request = || server.request(Method::POST, "/api/keys/report-leak");
    let refused = send(request().json(&json!({"keys": []}))).await;
    assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"));
    let refused = send(request().body("key=x")).await;
    assert_eq!(refused.problem(), (415, "UNSUPPORTED_MEDIA_TYPE"));
    let refused = send(request().json(&json!({"key": "x".repeat(70_000)}))).await;
    assert_eq!(refused.problem(), (413, "PAYLOAD_TOO_LARGE"));
}

async fn a_report_on_an_old_secret_counts_while_it_is_accepted(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    let rotated = server
        .post(&format!("{path}/rotate"), &admin, &json!({"overlapSeconds": 60}))
        .await;
    assert_eq!(rotated.status, 200);
    let state = async || {
        server.get(&path, &admin).await.body["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    server.clock.advance(std::time::Duration::from_secs(60));
    report(&server, key.secret.reveal()).await;
    assert_eq!(state().await, "active", "a secret that has ended harms nobody");
    report(&server, rotated.body["key"].as_str().unwrap()).await;
    assert_eq!(state().await, "revoked");
}

async fn a_rotation_ends_the_mark_and_the_next_secret_may_be_reported_again(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    let reported = async || server.get(&path, &admin).await.body["leakReportedAt"] != Value::Null;
    report(&server, key.secret.reveal()).await;
    assert!(reported().await);
    let rotated = server.post(&format!("{path}/rotate"), &admin, &json!({})).await;
    assert!(!reported().await);
    report(&server, key.secret.reveal()).await;
    assert!(!reported().await, "the old secret is worth nothing any more");
    report(&server, rotated.body["key"].as_str().unwrap()).await;
    assert!(reported().await);
}
