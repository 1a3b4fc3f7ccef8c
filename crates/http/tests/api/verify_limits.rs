//! What `POST /api/keys/verify` spends.

use serde_json::{Value, json};
use tigertrust_accounts::IssuedKey;
use tigertrust_credentials::rate_limit::{Limits, Quota};
use tigertrust_testkit::{Answer, TestServer, on_both_engines};

use crate::rate_limits::{call, check, limited};

on_both_engines!(
    verify_spends_the_quota_of_the_key_and_tells_how_it_stands,
    verify_with_a_cost_of_nothing_is_a_question,
    the_caller_of_verify_has_a_quota_of_its_own,
    the_cost_of_verify_is_checked,
);

async fn verify(server: &TestServer, caller: &IssuedKey, body: Value) -> Answer {
    server.post("/api/keys/verify", caller, &body).await
}

async fn verify_spends_the_quota_of_the_key_and_tells_how_it_stands(server: TestServer) {
    let (server, caller) = limited(&server).await;
    let created = server
        .post(
            "/api/keys",
            &caller,
            &json!({ "name": "x", "type": "agent", "scopes": [] }),
        )
        .await;
    let key = created.body["key"].as_str().unwrap();
    for remaining in [59, 58] {
        let verdict = verify(&server, &caller, json!({ "key": key })).await;
        assert_eq!(verdict.body["valid"], true);
        assert_eq!(
            verdict.body["rateLimits"],
            json!([
                { "policy": "minute", "limit": 60, "windowSeconds": 60, "remaining": remaining, "resetSeconds": 60 },
                { "policy": "hour", "limit": 1000, "windowSeconds": 3600, "remaining": remaining + 940, "resetSeconds": 3600 },
            ])
        );
    }
    let more = verify(&server, &caller, json!({ "key": key, "cost": 50 })).await;
    assert_eq!(
        (&more.body["valid"], &more.body["rateLimits"][0]["remaining"]),
        (&json!(true), &json!(8))
    );
    let refused = verify(&server, &caller, json!({ "key": key, "cost": 9 })).await;
    assert_eq!(refused.status, 200);
    assert_eq!(
        (&refused.body["valid"], &refused.body["code"]),
        (&json!(false), &json!("RATE_LIMITED"))
    );
    assert_eq!(refused.body["violatedPolicies"], json!(["minute"]));
    assert_eq!(refused.body["retryAfterSeconds"], 60);
    assert_eq!(refused.body["rateLimits"][0]["remaining"], 8);
    let never = verify(&server, &caller, json!({ "key": key, "cost": 61 })).await;
    assert_eq!(
        (&never.body["code"], &never.body["retryAfterSeconds"]),
        (&json!("RATE_LIMITED"), &Value::Null)
    );
    // The key's own calls count on.
    assert_eq!(check(&server, key).await.header("x-ratelimit-remaining"), "7");
    // A use that is refused later has spent its cost, and says so.
    let scope = verify(
        &server,
        &caller,
        json!({ "key": key, "scope": "certificates:read" }),
    )
    .await;
    assert_eq!(
        (&scope.body["code"], &scope.body["rateLimits"][0]["remaining"]),
        (&json!("FORBIDDEN"), &json!(6))
    );
}

async fn verify_with_a_cost_of_nothing_is_a_question(server: TestServer) {
    let (server, caller) = limited(&server).await;
    let created = server
        .post(
            "/api/keys",
            &caller,
            &json!({ "name": "x", "type": "agent", "scopes": [] }),
        )
        .await;
    let key = created.body["key"].as_str().unwrap();
    for _ in 0..3 {
        let verdict = verify(&server, &caller, json!({ "key": key, "cost": 0 })).await;
        assert_eq!(verdict.body["rateLimits"][0]["remaining"], 60);
        assert_eq!(verdict.body["rateLimits"][0]["resetSeconds"], 0);
    }
    for _ in 0..60 {
        check(&server, key).await;
    }
    let verdict = verify(&server, &caller, json!({ "key": key, "cost": 0 })).await;
    assert_eq!(
        (
            &verdict.body["valid"],
            &verdict.body["rateLimits"][0]["remaining"]
        ),
        (&json!(true), &json!(0))
    );
}

async fn the_caller_of_verify_has_a_quota_of_its_own(server: TestServer) {
    let home = server.workspace("Home").await;
    let caller = server.admin(&home).await;
    let server = server
        .limited(Limits {
            verify: Quota::per_minute(3),
            ..Limits::default()
        })
        .await;
    let body = json!({ "key": "nonsense" });
    let first = verify(&server, &caller, body.clone()).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), r#""minute";q=3;w=60"#);
    assert_eq!(first.header("x-ratelimit-remaining"), "2");
    // Other routes are counted apart.
    assert_eq!(call(&server, &caller).await.header("x-ratelimit-remaining"), "59");
    verify(&server, &caller, body.clone()).await;
    verify(&server, &caller, body.clone()).await;
    assert_eq!(
        verify(&server, &caller, body).await.problem(),
        (429, "RATE_LIMITED")
    );
    assert_eq!(call(&server, &caller).await.header("x-ratelimit-remaining"), "58");
}

async fn the_cost_of_verify_is_checked(server: TestServer) {
    let (server, caller) = limited(&server).await;
    for cost in [
        json!(-1),
        json!(50_000_001_u32),
        json!(1.5),
        json!("1"),
        json!(null),
        json!(4_294_967_296_u64),
    ] {
        let refused = verify(&server, &caller, json!({ "key": "nonsense", "cost": cost })).await;
        assert_eq!(refused.problem(), (400, "VALIDATION_ERROR"), "{cost}");
        assert_eq!(refused.pointers(), ["/cost"], "{cost}");
    }
}
