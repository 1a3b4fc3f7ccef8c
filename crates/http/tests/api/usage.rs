//! How often keys were used: `/api/usage` and `/api/keys/{id}/usage`.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_credentials::rate_limit::Limits;
use tigertrust_model::{Clock as _, Granularity, KeyType, Role};
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

use crate::{people::Browser, rate_limits::call};

on_both_engines!(
    a_call_is_counted_in_its_minute_its_hour_and_its_day,
    calls_at_once_are_counted_exactly,
    a_refusal_is_counted_under_its_code,
    a_refusal_over_the_limit_is_counted,
    a_verdict_counts_for_the_key_that_was_verified,
    two_servers_add_up,
    a_changed_or_rotated_key_goes_on_counting,
    the_busiest_keys_come_first,
    a_key_shows_its_own_workspace_s_usage_alone,
    who_sees_only_own_keys_sees_only_their_usage,
    what_makes_no_sense_is_refused,
    old_counts_are_removed,
    nothing_is_written_by_a_request,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn usage(server: &TestServer, admin: &IssuedKey, key: &IssuedKey, query: &str) -> Value {
    server.flush_usage().await;
    let answer = server
        .get(&format!("/api/keys/{}/usage{query}", key.key.id), admin)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The buckets in which there is something.
fn filled(usage: &Value) -> Vec<(&str, &Value)> {
    let buckets = usage["buckets"].as_array().unwrap().iter();
    buckets
        .filter(|bucket| bucket["total"] != 0)
        .map(|bucket| (bucket["start"].as_str().unwrap(), &bucket["outcomes"]))
        .collect()
}

async fn a_call_is_counted_in_its_minute_its_hour_and_its_day(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    // From 08:00 on, three minutes in each of which there is a call more, and then the next hour.
    for calls in 1..=3 {
        for _ in 0..calls {
            assert_eq!(call(&server, &key).await.status, 200);
        }
        server.clock.advance(MINUTE);
    }
    server.clock.advance(57 * MINUTE);
    call(&server, &key).await;
    let hours = usage(&server, &admin, &key, "").await;
    assert_eq!(hours["granularity"], "hour");
    assert_eq!(hours["from"], "2027-01-14T09:00:00Z");
    assert_eq!(hours["to"], "2027-01-15T10:00:00Z");
    assert_eq!(hours["buckets"].as_array().unwrap().len(), 25);
    assert_eq!(
        (&hours["total"], &hours["outcomes"]),
        (&json!(7), &json!({"VALID": 7}))
    );
    assert_eq!(
        filled(&hours),
        [
            ("2027-01-15T08:00:00Z", &json!({"VALID": 6})),
            ("2027-01-15T09:00:00Z", &json!({"VALID": 1})),
        ]
    );
    let minutes = usage(
        &server,
        &admin,
        &key,
        "?granularity=minute&from=2027-01-15T08:00:30Z&to=2027-01-15T08:02:00Z",
    )
    .await;
    assert_eq!(minutes["buckets"].as_array().unwrap().len(), 2);
    assert_eq!(
        filled(&minutes),
        [
            ("2027-01-15T08:00:00Z", &json!({"VALID": 1})),
            ("2027-01-15T08:01:00Z", &json!({"VALID": 2})),
        ]
    );
    let days = usage(&server, &admin, &key, "?granularity=day").await;
    assert_eq!(filled(&days), [("2027-01-15T00:00:00Z", &json!({"VALID": 7}))]);
    assert_eq!(days["keptSince"], "2025-12-12T00:00:00Z");
}

async fn calls_at_once_are_counted_exactly(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    for _ in 0..4 {
        let calls = join_all((0..100).map(|_| call(&server, &key)));
        let (answers, ()) = futures_util::future::join(calls, server.flush_usage()).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        server.clock.advance(Duration::from_secs(20));
    }
    let counted = usage(&server, &admin, &key, "?granularity=minute").await;
    assert_eq!(counted["outcomes"], json!({"VALID": 400}));
    assert_eq!(
        filled(&counted),
        [
            ("2027-01-15T08:00:00Z", &json!({"VALID": 300})),
            ("2027-01-15T08:01:00Z", &json!({"VALID": 100})),
        ]
    );
}

async fn a_refusal_is_counted_under_its_code(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    let as_key = async |path: &str, workspace: &str| -> Answer {
        let request = server.request(Method::GET, path).bearer_auth(key.secret.reveal());
        send(request.header("X-Workspace-ID", workspace)).await
    };
    let own = home.id.to_string();
    assert_eq!(as_key("/api/auth/me", &own).await.status, 200);
    assert_eq!(as_key("/api/keys", &own).await.code(), "FORBIDDEN");
    assert_eq!(
        as_key("/api/auth/me", "nonsense").await.code(),
        "WORKSPACE_ACCESS_DENIED"
    );
    server.patch(&path, &admin, &json!({"active": false})).await;
    assert_eq!(as_key("/api/auth/me", &own).await.code(), "UNAUTHORIZED");
    let body = json!({"active": true, "expiresAt": "2027-01-15T08:00:01Z"});
    server.patch(&path, &admin, &body).await;
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(as_key("/api/auth/me", &own).await.code(), "TOKEN_EXPIRED");
    server.post(&format!("{path}/revoke"), &admin, &json!({})).await;
    for _ in 0..3 {
        assert_eq!(as_key("/api/auth/me", &own).await.code(), "KEY_REVOKED");
    }
    let counted = usage(&server, &admin, &key, "").await;
    assert_eq!(
        counted["outcomes"],
        json!({
            "VALID": 1,
            "FORBIDDEN": 1,
            "WORKSPACE_ACCESS_DENIED": 1,
            "UNAUTHORIZED": 1,
            "TOKEN_EXPIRED": 1,
            "KEY_REVOKED": 3,
        })
    );
    // Whoever tries what nobody knows uses no key.
    let unknown = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
    send(server.request(Method::GET, "/api/auth/me").bearer_auth(unknown)).await;
    server.flush_usage().await;
    let all = server.get("/api/usage?groupBy=key", &admin).await;
    assert_eq!(all.body["keys"].as_array().unwrap().len(), 2);
}

async fn a_refusal_over_the_limit_is_counted(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let limited = server.limited(Limits::default()).await;
    join_all((0..75).map(|_| call(&limited, &key))).await;
    limited.flush_usage().await;
    let counted = usage(&server, &admin, &key, "").await;
    assert_eq!(counted["outcomes"], json!({"VALID": 60, "RATE_LIMITED": 15}));
}

async fn a_verdict_counts_for_the_key_that_was_verified(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &["certificates:read"]).await;
    let elsewhere = server.key(&foreign, KeyType::Agent, &[]).await;
    let verify = async |key: &IssuedKey, more: Value| {
        let mut body = json!({"key": key.secret.reveal()});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = server.post("/api/keys/verify", &admin, &body).await;
        answer.body["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        verify(&key, json!({"scope": "certificates:read", "cost": 5})).await,
        "VALID"
    );
    assert_eq!(
        verify(&key, json!({"scope": "certificates:write"})).await,
        "FORBIDDEN"
    );
    // An explanation is no use.
    assert_eq!(verify(&key, json!({"cost": 0})).await, "VALID");
    // Nor is it one of a key that the asker must not know of.
    assert_eq!(verify(&elsewhere, json!({})).await, "UNAUTHORIZED");
    let counted = usage(&server, &admin, &key, "").await;
    assert_eq!(counted["outcomes"], json!({"VALID": 1, "FORBIDDEN": 1}));
    let own = usage(&server, &admin, &admin, "").await;
    assert!(own["outcomes"]["VALID"].as_u64().unwrap() >= 4);
    let of_foreign = server.key(&foreign, KeyType::Agent, &["usage:read"]).await;
    let counted = usage(&server, &of_foreign, &elsewhere, "").await;
    assert_eq!(counted["total"], 0);
}

async fn two_servers_add_up(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let second = server.second().await;
    for _ in 0..5 {
        call(&server, &key).await;
        call(&second, &key).await;
        call(&second, &key).await;
        futures_util::future::join(server.flush_usage(), second.flush_usage()).await;
    }
    for node in [&server, &second] {
        let counted = usage(node, &admin, &key, "?granularity=minute").await;
        assert_eq!(
            filled(&counted),
            [("2027-01-15T08:00:00Z", &json!({"VALID": 15}))]
        );
    }
}

async fn a_changed_or_rotated_key_goes_on_counting(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let path = format!("/api/keys/{}", key.key.id);
    call(&server, &key).await;
    server.patch(&path, &admin, &json!({"name": "another"})).await;
    call(&server, &key).await;
    let rotated = server
        .post(&format!("{path}/rotate"), &admin, &json!({"overlapSeconds": 60}))
        .await;
    let second = rotated.body["key"].as_str().unwrap().to_owned();
    call(&server, &key).await;
    crate::rate_limits::check(&server, &second).await;
    let counted = usage(&server, &admin, &key, "").await;
    assert_eq!(counted["outcomes"], json!({"VALID": 4}));
}

async fn the_busiest_keys_come_first(server: TestServer) {
    let home = server.workspace("Home").await;
    let reader = server.key(&home, KeyType::Agent, &["usage:read"]).await;
    let mut keys = Vec::new();
    for calls in [2, 5, 3] {
        let key = server.key(&home, KeyType::Agent, &[]).await;
        for _ in 0..calls {
            call(&server, &key).await;
        }
        keys.push(key.key.id.to_string());
    }
    server.flush_usage().await;
    let shown = server.get("/api/usage?groupBy=key&limit=2", &reader).await.body;
    let busiest: Vec<_> = shown["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["keyId"].as_str().unwrap(), key["total"].as_u64().unwrap()))
        .collect();
    assert_eq!(busiest, [(keys[1].as_str(), 5), (keys[2].as_str(), 3)]);
    assert_eq!(shown["keys"][0]["name"], "a key");
    assert_eq!(shown["keys"][0]["outcomes"], json!({"VALID": 5}));
    assert_eq!(shown["total"], 10);
    assert_eq!(shown["buckets"], Value::Null);
    // The reader has called once since.
    server.flush_usage().await;
    let all = server.get("/api/usage", &reader).await.body;
    assert_eq!(
        (&all["total"], all["buckets"].as_array().unwrap().len()),
        (&json!(11), 25)
    );
}

async fn a_key_shows_its_own_workspace_s_usage_alone(server: TestServer) {
    let (home, foreign) = (server.workspace("Home").await, server.workspace("Foreign").await);
    let reader = server.key(&home, KeyType::Agent, &["usage:read"]).await;
    let elsewhere = server.key(&foreign, KeyType::Agent, &[]).await;
    let instance = server
        .issue(KeyType::Agent, &["usage:read"], ReachRequest::Instance)
        .await;
    call(&server, &elsewhere).await;
    server.flush_usage().await;
    assert_eq!(server.get("/api/usage", &reader).await.body["total"], 0);
    for id in [
        elsewhere.key.id.to_string(),
        instance.key.id.to_string(),
        "nonsense".to_owned(),
    ] {
        let refused = server.get(&format!("/api/keys/{id}/usage"), &reader).await;
        assert_eq!(refused.problem(), (404, "NOT_FOUND"), "{id}");
    }
    // An instance key sees the workspace that it names, and has none of its own.
    let unnamed = server.get("/api/usage", &instance).await;
    assert_eq!(unnamed.problem(), (400, "VALIDATION_ERROR"));
    let named = server
        .request(Method::GET, "/api/usage")
        .header("X-Agent-API-Key", instance.secret.reveal())
        .header("X-Workspace-ID", foreign.id.to_string());
    assert_eq!(send(named).await.body["total"], 1);
}

async fn who_sees_only_own_keys_sees_only_their_usage(server: TestServer) {
    let home = server.workspace("Home").await;
    let (jo, kim) = (
        server.member(&home, Role::Member).await,
        server.member(&home, Role::Admin).await,
    );
    let own = server.personal(&home, jo, &[]).await;
    let other = server.key(&home, KeyType::Agent, &[]).await;
    call(&server, &own).await;
    call(&server, &other).await;
    call(&server, &other).await;
    server.flush_usage().await;
    for (person, total, of_other) in [(jo, 1, 404), (kim, 3, 200)] {
        let mut browser = Browser::signed_in(&server, person).await;
        let all = browser.get(&server, "/api/usage").await.body;
        assert_eq!(all["total"], total, "{all}");
        let by_key = browser.get(&server, "/api/usage?groupBy=key").await.body;
        assert_eq!(by_key["total"], total, "{by_key}");
        for (key, status) in [(&own, 200), (&other, of_other)] {
            let path = format!("/api/keys/{}/usage", key.key.id);
            assert_eq!(browser.get(&server, &path).await.status, status);
        }
    }
}

async fn what_makes_no_sense_is_refused(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    for (query, pointer) in [
        ("from=yesterday", "/from"),
        ("to=2027-02-30T00:00:00Z", "/to"),
        ("granularity=week", "/granularity"),
        ("groupBy=name", "/groupBy"),
        ("groupBy=key&limit=0", "/limit"),
        ("limit=5", "/limit"),
        ("from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z", "/from"),
        ("from=2027-01-01T00:00:00Z&granularity=minute", "/from"),
    ] {
        let refused = server.get(&format!("/api/usage?{query}"), &admin).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{query}");
        assert_eq!(refused.pointers(), [pointer], "{query}");
    }
    let refused = server.get("/api/usage?from=2027-01-01T00:00:00Z&granularity=minute", &admin);
    let detail = refused.await.body["errors"][0]["detail"].clone();
    assert!(detail.as_str().unwrap().contains("granularity=hour"), "{detail}");
    let unknown = server.get("/api/usage?groupby=key", &admin).await;
    assert_eq!(unknown.problem(), (400, "VALIDATION_ERROR"));
}

async fn old_counts_are_removed(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    for _ in 0..5 {
        call(&server, &key).await;
        server.clock.advance(MINUTE);
    }
    server.flush_usage().await;
    let until = server.clock.now().saturating_sub(2 * MINUTE);
    // A batch may be smaller than what there is to remove.
    let removed = server.storage.prune_usage(Granularity::Minute, until, 1).await;
    assert_eq!(removed.unwrap(), 3);
    let minutes = usage(&server, &admin, &key, "?granularity=minute").await;
    assert_eq!(
        filled(&minutes),
        [
            ("2027-01-15T08:03:00Z", &json!({"VALID": 1})),
            ("2027-01-15T08:04:00Z", &json!({"VALID": 1})),
        ]
    );
    // Hours and days are kept for themselves.
    assert_eq!(usage(&server, &admin, &key, "").await["total"], 5);
    let later = until.saturating_add(Duration::from_secs(24 * 60 * 60));
    for granularity in [Granularity::Hour, Granularity::Day] {
        assert!(server.storage.prune_usage(granularity, later, 100).await.unwrap() > 0);
    }
    assert_eq!(usage(&server, &admin, &key, "").await["total"], 0);
}

async fn nothing_is_written_by_a_request(server: TestServer) {
    let home = server.workspace("Home").await;
    let admin = server.admin(&home).await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    call(&server, &key).await;
    let path = format!("/api/keys/{}/usage", key.key.id);
    assert_eq!(server.get(&path, &admin).await.body["total"], 0);
    server.flush_usage().await;
    assert_eq!(server.get(&path, &admin).await.body["total"], 1);
}
