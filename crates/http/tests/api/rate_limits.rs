//! Limits of rates, as callers meet them.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_credentials::{
    OsRandom,
    rate_limit::{Limits, PlanLimits, Plans, Quota, Quotas},
};
use tigertrust_model::{Clock as _, KeyType, NodeId, Plan, Role};
use tigertrust_testkit::{Answer, TestServer, ThrowawayValkey, on_both_engines, send};

use crate::people::Browser;

on_both_engines!(
    calls_at_once_are_admitted_up_to_the_limit_and_no_further,
    answers_tell_how_the_limits_stand_and_refusals_when_to_come_again,
    every_answer_after_the_limits_were_asked_tells_how_they_stand,
    a_refused_call_spends_nothing,
    a_request_is_counted_once_however_often_its_caller_is_asked_for,
    the_hour_is_counted_beside_the_minute,
    another_plan_counts_at_once_and_what_was_spent_still_does,
    rotation_and_edits_give_nothing_back,
    a_key_over_its_limit_can_revoke_itself_and_do_nothing_else,
    forward_auth_folds_the_limit_for_proxies_that_know_only_refusals,
    plans_are_configuration_and_a_plan_in_shadow_mode_refuses_nobody,
    instance_keys_have_limits_of_their_own,
    a_session_has_a_limit_of_its_own,
    what_was_spent_outlives_a_server_that_is_stopped,
    two_servers_over_one_store_share_the_limit,
);

pub(crate) async fn check(server: &TestServer, key: &str) -> Answer {
    send(
        server
            .request(Method::GET, "/api/auth/check")
            .header("x-agent-api-key", key),
    )
    .await
}

pub(crate) async fn call(server: &TestServer, key: &IssuedKey) -> Answer {
    check(server, key.secret.reveal()).await
}

async fn statuses(server: &TestServer, key: &IssuedKey, count: usize) -> Vec<u16> {
    let answers = join_all((0..count).map(|_| call(server, key))).await;
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|other| **other == status).count()
}

/// A key of a workspace on plan Free, and a server with the shipped limits.
pub(crate) async fn limited(server: &TestServer) -> (TestServer, IssuedKey) {
    let home = server.workspace("Home").await;
    let key = server.admin(&home).await;
    (server.limited(Limits::default()).await, key)
}

async fn calls_at_once_are_admitted_up_to_the_limit_and_no_further(server: TestServer) {
    let (server, key) = limited(&server).await;
    let statuses = statuses(&server, &key, 160).await;
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (60, 100));
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(call(&server, &key).await.status, 200);
}

async fn answers_tell_how_the_limits_stand_and_refusals_when_to_come_again(server: TestServer) {
    let (server, key) = limited(&server).await;
    // 08:00:00 is the edge of a sixtieth.
    let first = call(&server, &key).await;
    assert_eq!(first.header("x-ratelimit-limit"), "60");
    assert_eq!(first.header("x-ratelimit-remaining"), "59");
    assert_eq!(first.header("x-ratelimit-reset"), "1800000060");
    assert_eq!(
        first.header("ratelimit-policy"),
        r#""minute";q=60;w=60, "hour";q=1000;w=3600"#
    );
    assert_eq!(
        first.header("ratelimit"),
        r#""minute";r=59;t=60, "hour";r=999;t=3600"#
    );
    assert_eq!(first.header("retry-after"), "");
    server.clock.advance(Duration::from_secs(10));
    for _ in 0..59 {
        assert_eq!(call(&server, &key).await.status, 200);
    }
    let refused = call(&server, &key).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert_eq!(refused.body["violatedPolicies"], json!(["minute"]));
    assert_eq!(refused.header("retry-after"), "50");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!(refused.header("x-ratelimit-reset"), "1800000070");
    assert_eq!(
        refused.header("ratelimit"),
        r#""minute";r=0;t=50, "hour";r=940;t=3590"#
    );
    assert_eq!(refused.header("www-authenticate"), "");
    server.clock.advance(Duration::from_millis(49_999));
    assert_eq!(call(&server, &key).await.status, 429);
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&server, &key).await.status, 200);
}

async fn every_answer_after_the_limits_were_asked_tells_how_they_stand(server: TestServer) {
    let home = server.workspace("Home").await;
    let (agent, public) = (
        server.admin(&home).await,
        server.key(&home, KeyType::Public, &[]).await,
    );
    let revoked = server.key(&home, KeyType::Agent, &[]).await;
    let server = server.limited(Limits::default()).await;
    let bound = json!({ "allowedCidrs": ["203.0.113.0/24"] });
    let elsewhere = server.key(&home, KeyType::Agent, &[]).await;
    assert_eq!(
        server
            .patch(&format!("/api/keys/{}", elsewhere.key.id), &agent, &bound)
            .await
            .status,
        200
    );
    server
        .post(
            &format!("/api/keys/{}/revoke", revoked.key.id),
            &agent,
            &json!({}),
        )
        .await;
    let told = [
        ("a list", server.get("/api/keys", &agent).await, 200),
        (
            "nothing there",
            server
                .get("/api/keys/key_01h2xcejqtf2nbrexx3vqjhp41", &agent)
                .await,
            404,
        ),
        (
            "a body that is wrong",
            server.post("/api/keys", &agent, &json!({ "nonsense": 1 })).await,
            400,
        ),
        (
            "a query that is wrong",
            server.get("/api/keys?limit=x", &agent).await,
            400,
        ),
        ("the wrong type", server.get("/api/keys", &public).await, 403),
        ("another network", call(&server, &elsewhere).await, 403),
        (
            "a foreign workspace",
            server
                .get("/api/auth/check?workspace=ws_01h2xcejqtf2nbrexx3vqjhp41", &agent)
                .await,
            403,
        ),
    ];
    for (case, answer, status) in told {
        assert_eq!(answer.status.as_u16(), status, "{case}: {}", answer.body);
        assert_eq!(answer.header("x-ratelimit-limit"), "60", "{case}");
        assert!(answer.header("ratelimit").starts_with("\"minute\";r="), "{case}");
    }
    let untold = [
        (
            "no credential",
            send(server.request(Method::GET, "/api/auth/check")).await,
            401,
        ),
        ("a revoked key", call(&server, &revoked).await, 401),
        ("nobody", send(server.request(Method::GET, "/healthz")).await, 200),
    ];
    for (case, answer, status) in untold {
        assert_eq!(answer.status.as_u16(), status, "{case}");
        assert_eq!(answer.header("x-ratelimit-limit"), "", "{case}");
    }
}

async fn a_refused_call_spends_nothing(server: TestServer) {
    let (server, key) = limited(&server).await;
    for _ in 0..60 {
        call(&server, &key).await;
    }
    for _ in 0..200 {
        assert_eq!(call(&server, &key).await.status, 429);
    }
    server.clock.advance(Duration::from_secs(60));
    let admitted = call(&server, &key).await;
    assert_eq!(
        admitted.header("ratelimit"),
        r#""minute";r=59;t=60, "hour";r=939;t=3540"#
    );
    // What is refused later than by the limit has spent its cost.
    let foreign = server
        .get("/api/auth/check?workspace=ws_01h2xcejqtf2nbrexx3vqjhp41", &key)
        .await;
    assert_eq!(
        (foreign.status.as_u16(), foreign.header("x-ratelimit-remaining")),
        (403, "58")
    );
}

async fn a_request_is_counted_once_however_often_its_caller_is_asked_for(server: TestServer) {
    let (server, key) = limited(&server).await;
    // The caller is asked for again once the body is there.
    let body = json!({ "name": "x", "type": "agent", "scopes": [] });
    let created = server.post("/api/keys", &key, &body).await;
    assert_eq!(
        (created.status.as_u16(), created.header("x-ratelimit-remaining")),
        (201, "59")
    );
    // And here whether it is the key that the path names.
    let public = server
        .post(
            "/api/keys",
            &key,
            &json!({ "name": "p", "type": "public", "scopes": [] }),
        )
        .await;
    let (id, secret) = (
        public.body["id"].as_str().unwrap(),
        public.body["key"].as_str().unwrap(),
    );
    let revoke = server
        .request(Method::POST, &format!("/api/keys/{id}/revoke"))
        .bearer_auth(secret);
    let revoked = send(revoke).await;
    assert_eq!(
        (revoked.status.as_u16(), revoked.header("x-ratelimit-remaining")),
        (200, "59")
    );
}

async fn the_hour_is_counted_beside_the_minute(server: TestServer) {
    let (server, key) = limited(&server).await;
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += count(&statuses(&server, &key, 60).await, 200);
        server.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(admitted, 1_000);
    let refused = call(&server, &key).await;
    assert_eq!(refused.body["violatedPolicies"], json!(["hour"]));
    assert_eq!(refused.header("x-ratelimit-limit"), "1000");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    server.clock.advance(Duration::from_secs(wait));
    assert_eq!(call(&server, &key).await.status, 200);
}

async fn another_plan_counts_at_once_and_what_was_spent_still_does(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let server = server.limited(Limits::default()).await;
    assert_eq!(count(&statuses(&server, &key, 70).await, 200), 60);
    server
        .workspaces
        .set_plan(home.id, "pro".parse().unwrap())
        .await
        .unwrap();
    let next = call(&server, &key).await;
    assert_eq!(
        (next.status.as_u16(), next.header("x-ratelimit-limit")),
        (200, "300")
    );
    assert_eq!(next.header("x-ratelimit-remaining"), "239");
    server.workspaces.set_plan(home.id, Plan::free()).await.unwrap();
    assert_eq!(call(&server, &key).await.status, 429);
}

async fn rotation_and_edits_give_nothing_back(server: TestServer) {
    let (server, admin) = limited(&server).await;
    let created = server
        .post(
            "/api/keys",
            &admin,
            &json!({ "name": "x", "type": "agent", "scopes": [] }),
        )
        .await;
    let (id, secret) = (
        created.body["id"].as_str().unwrap(),
        created.body["key"].as_str().unwrap(),
    );
    for _ in 0..30 {
        assert_eq!(check(&server, secret).await.status, 200);
    }
    server
        .patch(&format!("/api/keys/{id}"), &admin, &json!({ "name": "y" }))
        .await;
    assert_eq!(check(&server, secret).await.header("x-ratelimit-remaining"), "29");
    let rotated = server
        .post(
            &format!("/api/keys/{id}/rotate"),
            &admin,
            &json!({ "overlapSeconds": 3600 }),
        )
        .await;
    let next = rotated.body["key"].as_str().unwrap();
    assert_eq!(check(&server, next).await.header("x-ratelimit-remaining"), "28");
    assert_eq!(check(&server, secret).await.header("x-ratelimit-remaining"), "27");
}

/// A key that has spent its minute, and how often it was let in.
async fn spent(server: &TestServer) -> (IssuedKey, usize) {
    let home = server.workspace("Spent").await;
    let key = server.admin(&home).await;
    let admitted = count(&statuses(server, &key, 61).await, 200);
    (key, admitted)
}

async fn a_key_over_its_limit_can_revoke_itself_and_do_nothing_else(server: TestServer) {
    let (server, admin) = limited(&server).await;
    let other = server
        .post(
            "/api/keys",
            &admin,
            &json!({ "name": "x", "type": "agent", "scopes": [] }),
        )
        .await;
    let other = other.body["id"].as_str().unwrap();
    assert_eq!(count(&statuses(&server, &admin, 60).await, 429), 1);
    let revoke = |id: String| format!("/api/keys/{id}/revoke");
    let refused = server.post(&revoke(other.to_owned()), &admin, &json!({})).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert_eq!(server.get("/api/auth/me", &admin).await.status, 429);
    let own = server
        .post(&revoke(admin.key.id.to_string()), &admin, &json!({}))
        .await;
    assert_eq!(
        (own.status.as_u16(), &own.body["state"]),
        (200, &json!("revoked"))
    );
    assert_eq!(own.header("x-ratelimit-remaining"), "0");
    assert_eq!(call(&server, &admin).await.problem(), (401, "KEY_REVOKED"));
    // A body that is wrong, or too long a reason, makes no free call of it.
    let (next, admitted) = spent(&server).await;
    assert_eq!(admitted, 60);
    let path = revoke(next.key.id.to_string());
    let wrong = server
        .request(Method::POST, &path)
        .bearer_auth(next.secret.reveal());
    let wrong = send(wrong.header("content-type", "application/json").body("x")).await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.body["state"]),
        (200, &json!("revoked"))
    );
}

async fn forward_auth_folds_the_limit_for_proxies_that_know_only_refusals(server: TestServer) {
    let (server, key) = limited(&server).await;
    assert_eq!(count(&statuses(&server, &key, 60).await, 200), 60);
    let folded = server.get("/api/auth/check?denyAs=403", &key).await;
    assert_eq!(
        (folded.status, folded.code()),
        (StatusCode::FORBIDDEN, "RATE_LIMITED")
    );
    assert_eq!(folded.header("x-auth-code"), "RATE_LIMITED");
    assert_eq!(folded.header("retry-after"), "60");
    assert_eq!(folded.header("x-ratelimit-remaining"), "0");
}

async fn plans_are_configuration_and_a_plan_in_shadow_mode_refuses_nobody(server: TestServer) {
    let (home, tried) = (server.workspace("Home").await, server.workspace("Tried").await);
    let (key, shadowed) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&tried, KeyType::Agent, &[]).await,
    );
    let quotas = Quotas::per_minute_and_hour(2, 1_000);
    let plans = Plans::default().with([
        ("tiny".parse().unwrap(), PlanLimits::from(quotas)),
        ("trial".parse().unwrap(), PlanLimits { quotas, shadow: true }),
    ]);
    let server = server
        .limited(Limits {
            plans,
            ..Limits::default()
        })
        .await;
    server
        .workspaces
        .set_plan(home.id, "tiny".parse().unwrap())
        .await
        .unwrap();
    server
        .workspaces
        .set_plan(tried.id, "trial".parse().unwrap())
        .await
        .unwrap();
    assert!(
        server
            .workspaces
            .set_plan(home.id, "huge".parse().unwrap())
            .await
            .is_err()
    );
    assert_eq!(count(&statuses(&server, &key, 5).await, 200), 2);
    assert_eq!(count(&statuses(&server, &shadowed, 5).await, 200), 5);
    assert_eq!(
        call(&server, &shadowed).await.header("x-ratelimit-remaining"),
        "0"
    );
    let counts = server.limits().limiter().counts();
    assert_eq!((counts.refused, counts.shadowed), (3, 4));
}

async fn instance_keys_have_limits_of_their_own(server: TestServer) {
    let key = server.issue(KeyType::Agent, &[], ReachRequest::Instance).await;
    let instance = Quotas::per_minute_and_hour(4, 100);
    let server = server
        .limited(Limits {
            instance,
            ..Limits::default()
        })
        .await;
    let statuses = statuses(&server, &key, 6).await;
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (4, 2));
}

async fn sessions_statuses(server: &TestServer, browser: &mut Browser, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(browser.get(server, "/api/auth/me").await.status.as_u16());
    }
    statuses
}

async fn a_session_has_a_limit_of_its_own(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let (mut one, mut other) = (
        Browser::signed_in(&server, jo).await,
        Browser::signed_in(&server, jo).await,
    );
    let server = server
        .limited(Limits {
            session: Quota::per_minute(3),
            ..Limits::default()
        })
        .await;
    for remaining in ["2", "1", "0"] {
        let answer = one.get(&server, "/api/auth/me").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-ratelimit-remaining")),
            (200, remaining)
        );
    }
    let refused = one.get(&server, "/api/auth/me").await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert_eq!(
        (refused.header("retry-after"), refused.header("ratelimit-policy")),
        ("60", r#""minute";q=3;w=60"#)
    );
    assert_eq!(other.get(&server, "/api/auth/me").await.status, 200);
    // A session that others keep busy can be ended all the same.
    let mut busy = other.clone();
    assert_eq!(count(&sessions_statuses(&server, &mut other, 5).await, 429), 3);
    assert_eq!(
        busy.post(&server, "/api/auth/logout", &json!({})).await.status,
        204
    );
    assert_eq!(
        other.get(&server, "/api/auth/me").await.problem(),
        (401, "UNAUTHORIZED")
    );
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(one.get(&server, "/api/auth/me").await.status, 200);
}

async fn what_was_spent_outlives_a_server_that_is_stopped(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let before = server.limited(Limits::default()).await;
    for _ in 0..50 {
        call(&before, &key).await;
    }
    let node = NodeId::new(before.clock.now(), &OsRandom).unwrap();
    let store = before.storage.spends();
    store
        .save_spends(node, before.limits().limiter().save())
        .await
        .unwrap();
    let after = server.limited(Limits::default()).await;
    for piece in after.storage.spends().take_spends().await.unwrap() {
        after.limits().limiter().restore(&piece).unwrap();
    }
    assert_eq!(call(&after, &key).await.header("x-ratelimit-remaining"), "9");
    assert!(after.storage.spends().take_spends().await.unwrap().is_empty());
}

async fn two_servers_over_one_store_share_the_limit(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Agent, &[]).await;
    let valkey = ThrowawayValkey::start();
    // A window that does not end before the test does: the store's time is real.
    let quotas = Quotas::from("60/1d".parse::<Quota>().unwrap());
    let limits = || Limits {
        plans: Plans::default().with([(Plan::free(), quotas.into())]),
        ..Limits::default()
    };
    let (one, other) = (
        server.sharing(limits(), &valkey).await,
        server.sharing(limits(), &valkey).await,
    );
    let (first, second) = tokio::join!(statuses(&one, &key, 80), statuses(&other, &key, 80));
    assert_eq!(count(&first, 200) + count(&second, 200), 60);
    assert_eq!(count(&first, 429) + count(&second, 429), 100);
}
