//! Credentials that are no good, counted by the network that they come from.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tigertrust_credentials::rate_limit::{Limits, Quota};
use tigertrust_model::{KeyType, Role};
use tigertrust_testkit::{Answer, TestServer, on_both_engines, send};

use crate::{people::Browser, rate_limits::check};

on_both_engines!(
    failed_credentials_of_a_network_are_bounded_and_good_ones_behind_it_are_not_kept_out,
    failed_sessions_count_like_failed_keys,
    what_is_malformed_or_misses_is_no_failed_credential,
);

/// Well-formed keys that nobody has: those of another server's workspace.
async fn strangers(server: &TestServer, count: usize) -> Vec<String> {
    let home = server.workspace("Elsewhere").await;
    let admin = server.admin(&home).await;
    let mut strangers = Vec::new();
    for _ in 0..count {
        let key = server.key(&home, KeyType::Agent, &[]).await;
        let id = key.key.id;
        server
            .post(&format!("/api/keys/{id}/revoke"), &admin, &json!({}))
            .await;
        strangers.push(key.secret.reveal().to_owned());
    }
    strangers
}

/// As a client of that address would come through the proxy.
async fn from(server: &TestServer, address: &str, key: &str) -> Answer {
    let request = server
        .request(Method::GET, "/api/auth/check")
        .header("x-agent-api-key", key);
    send(request.header("x-forwarded-for", address)).await
}

async fn failed_credentials_of_a_network_are_bounded_and_good_ones_behind_it_are_not_kept_out(
    server: TestServer,
) {
    let strangers = strangers(&server, 8).await;
    let home = server.workspace("Home").await;
    let (known, new) = (
        server.key(&home, KeyType::Agent, &[]).await,
        server.key(&home, KeyType::Agent, &[]).await,
    );
    let server = server
        .limited(Limits {
            failures: Quota::per_minute(5),
            ..Limits::default()
        })
        .await;
    let (attacker, bystander) = ("198.51.100.7", "203.0.113.9");
    assert_eq!(from(&server, attacker, known.secret.reveal()).await.status, 200);
    let at_once = join_all(strangers.iter().map(|key| from(&server, attacker, key))).await;
    let told = at_once
        .iter()
        .filter(|answer| answer.problem() == (401, "KEY_REVOKED"))
        .count();
    let refused: Vec<&Answer> = at_once
        .iter()
        .filter(|answer| answer.problem() == (429, "RATE_LIMITED"))
        .collect();
    assert_eq!((told, refused.len()), (5, 3));
    assert_eq!(refused[0].body["violatedPolicies"], json!(["failures"]));
    assert_eq!(refused[0].header("retry-after"), "60");
    // Good keys behind the same address get in, whether they are remembered or not.
    assert_eq!(from(&server, attacker, known.secret.reveal()).await.status, 200);
    assert_eq!(from(&server, attacker, new.secret.reveal()).await.status, 200);
    // Another network is not concerned.
    assert_eq!(
        from(
            &server,
            bystander,
            "ak_00000000000000000000000000000000000000000002PL60u"
        )
        .await
        .status,
        401
    );
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(
        from(
            &server,
            attacker,
            "ak_00000000000000000000000000000000000000000002PL60u"
        )
        .await
        .status,
        401
    );
}

async fn failed_sessions_count_like_failed_keys(server: TestServer) {
    let home = server.workspace("Home").await;
    let jo = server.member(&home, Role::Member).await;
    let (mut good, mut leaver) = (
        Browser::signed_in(&server, jo).await,
        Browser::signed_in(&server, jo).await,
    );
    let mut ended = leaver.clone();
    assert_eq!(
        leaver.post(&server, "/api/auth/logout", &json!({})).await.status,
        204
    );
    let server = server
        .limited(Limits {
            failures: Quota::per_minute(2),
            ..Limits::default()
        })
        .await;
    for _ in 0..2 {
        assert_eq!(
            ended.get(&server, "/api/auth/me").await.problem(),
            (401, "UNAUTHORIZED")
        );
    }
    let refused = ended.get(&server, "/api/auth/me").await;
    assert_eq!(refused.body["violatedPolicies"], json!(["failures"]));
    assert_eq!(good.get(&server, "/api/auth/me").await.status, 200);
}

async fn what_is_malformed_or_misses_is_no_failed_credential(server: TestServer) {
    let home = server.workspace("Home").await;
    let key = server.key(&home, KeyType::Public, &[]).await;
    let server = server
        .limited(Limits {
            failures: Quota::per_minute(1),
            ..Limits::default()
        })
        .await;
    for _ in 0..5 {
        assert_eq!(
            check(&server, "ak_nonsense").await.problem(),
            (401, "UNAUTHORIZED")
        );
        assert_eq!(
            send(server.request(Method::GET, "/api/auth/check")).await.status,
            401
        );
        assert_eq!(server.get("/api/keys", &key).await.status, 403);
    }
    assert_eq!(
        check(&server, "ak_00000000000000000000000000000000000000000002PL60u")
            .await
            .status,
        401
    );
    assert_eq!(
        check(&server, "ak_00000000000000000000000000000000000000000002PL60u")
            .await
            .status,
        429
    );
}
