//! How uses are counted.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tigertrust_client::{Question, Verdict};
use tigertrust_testkit::{TestServer, on_both_engines};

use crate::support::World;

on_both_engines!(
    a_lease_spends_the_limit_of_the_key,
    no_more_than_one_lease_is_counted_early,
    uses_in_hand_outlive_the_verdict,
    a_refusal_that_costs_takes_one_use,
    one_use_is_asked_for_where_the_feed_is_not_followed,
    what_is_in_hand_is_served_when_the_limit_is_spent,
);

async fn a_lease_spends_the_limit_of_the_key(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key_with(json!({"limits": {"minute": 25}})).await;
    for _ in 0..25 {
        world.valid(&key).await;
    }
    let verdict = world.verify(&key, &Question::default()).await.unwrap();
    let refused = verdict.refused().unwrap();
    assert_eq!(refused.code.as_str(), "RATE_LIMITED");
    assert_eq!(refused.violated_policies, ["minute"]);
    assert!(refused.retry_after_seconds.unwrap() > 0);
    // Two whole leases; then there is no room for a third, and each use is asked for.
    let costs = [[10, 10].as_slice(), &[10, 1].repeat(6)].concat();
    assert_eq!(world.proxy.costs(), costs);
}

async fn no_more_than_one_lease_is_counted_early(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key_with(json!({"limits": {"minute": 100}})).await;
    for uses in 1..=25 {
        world.valid(&key).await;
        let body = json!({"key": key.text, "cost": 0});
        let told = world.ask(Method::POST, "/api/keys/verify", &body).await;
        let spent = 100 - told.body["rateLimits"][0]["remaining"].as_u64().unwrap();
        assert!((uses..=uses + 9).contains(&spent), "{spent} of {uses}");
    }
}

async fn uses_in_hand_outlive_the_verdict(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.valid(&key).await;
    world.edit_and_hear(&key, "another name").await;
    world.valid(&key).await;
    world.valid(&key).await;
    // Within the time to settle nothing is remembered, and each use costs one.
    assert_eq!(world.proxy.costs(), [10, 1, 1]);
    world.settle();
    assert!(!world.is_remembered(&key).await);
    assert!(world.is_remembered(&key).await);
}

async fn a_refusal_that_costs_takes_one_use(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    let question = Question {
        scope: Some("certificates:write"),
        ..Question::default()
    };
    for _ in 0..3 {
        assert_eq!(world.code_for(&key, &question).await, "FORBIDDEN");
    }
    assert_eq!(world.proxy.costs(), [10, 1, 1]);
}

async fn one_use_is_asked_for_where_the_feed_is_not_followed(server: TestServer) {
    let world = World::client(&server, |builder| builder).await;
    world.proxy.cut_feed();
    let key = world.key().await;
    for _ in 0..3 {
        world.valid(&key).await;
    }
    assert_eq!(world.proxy.costs(), [1, 1, 1]);
}

async fn what_is_in_hand_is_served_when_the_limit_is_spent(server: TestServer) {
    let world = World::follower(&server, |builder| builder.life(Duration::from_secs(3_600))).await;
    let key = world.key_with(json!({"limits": {"minute": 10}})).await;
    world.valid(&key).await;
    world.edit_and_hear(&key, "another name").await;
    for _ in 0..9 {
        world.valid(&key).await;
    }
    let verdict = world.verify(&key, &Question::default()).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(_)));
    assert_eq!(world.code(&key).await, "RATE_LIMITED");
    assert_eq!(world.proxy.costs()[..3], [10, 1, 0]);
}
