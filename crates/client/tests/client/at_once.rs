//! Many calls at once, and calls that a change overtakes.

use std::time::Duration;

use serde_json::json;
use tigertrust_client::{Client, Entity, NotAvailable, Question, Reason, Verdict};
use tigertrust_testkit::{TestServer, on_both_engines};
use tokio::task::JoinHandle;

use crate::support::{Key, World, eventually};

on_both_engines!(
    calls_with_the_same_question_make_one,
    they_share_no_more_uses_than_were_counted,
    they_share_a_refusal,
    each_is_counted_where_nothing_is_remembered,
    no_more_are_let_in_than_the_limit_has,
    each_waits_no_longer_than_its_own_deadline,
    they_go_on_when_the_one_who_asked_first_gives_up,
    a_look_up_that_a_change_has_overtaken_is_not_served,
    a_refusal_that_names_no_key_is_overtaken_by_a_reset_alone,
    nothing_is_available_where_changes_overtake_every_look_up,
    an_answer_asked_for_within_a_second_of_a_change_is_not_remembered,
);

type Asking = JoinHandle<Result<Verdict, NotAvailable>>;

fn ask(client: &Client, key: &Key) -> Asking {
    let (client, key) = (client.clone(), key.presented());
    tokio::spawn(async move { client.verify(&key, &Question::default()).await })
}

async fn at_once(world: &World<'_>, key: &Key, count: usize) -> Vec<Result<Verdict, NotAvailable>> {
    let asking: Vec<Asking> = (0..count).map(|_| ask(&world.client, key)).collect();
    let mut outcomes = Vec::new();
    for one in asking {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

fn count_valid(outcomes: &[Result<Verdict, NotAvailable>]) -> usize {
    outcomes
        .iter()
        .filter(|outcome| outcome.as_ref().unwrap().is_valid())
        .count()
}

async fn calls_with_the_same_question_make_one(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    assert_eq!(count_valid(&at_once(&world, &key, 10).await), 10);
    assert_eq!(world.proxy.costs(), [10]);
}

async fn they_share_no_more_uses_than_were_counted(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    assert_eq!(count_valid(&at_once(&world, &key, 25).await), 25);
    assert_eq!(world.proxy.costs(), [10, 10, 10]);
}

async fn they_share_a_refusal(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.revoke(&key).await;
    world.proxy.hold_answers();
    let asking: Vec<Asking> = (0..25).map(|_| ask(&world.client, &key)).collect();
    eventually("the server has answered", || world.proxy.held_answers() == 1).await;
    world.proxy.release_answers();
    for one in asking {
        let verdict = one.await.unwrap().unwrap();
        assert_eq!(verdict.refused().unwrap().code.as_str(), "KEY_REVOKED");
    }
    assert!(world.proxy.verifies() < 25);
}

async fn each_is_counted_where_nothing_is_remembered(server: TestServer) {
    let world = World::client(&server, |builder| builder.lease(1)).await;
    let key = world.key_with(json!({"limits": {"minute": 20}})).await;
    assert_eq!(count_valid(&at_once(&world, &key, 25).await), 20);
    assert_eq!(world.proxy.verifies(), 25);
}

async fn no_more_are_let_in_than_the_limit_has(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key_with(json!({"limits": {"minute": 47}})).await;
    assert_eq!(count_valid(&at_once(&world, &key, 100).await), 47);
}

async fn each_waits_no_longer_than_its_own_deadline(server: TestServer) {
    let world = World::follower(&server, |builder| builder.deadline(Duration::from_millis(300))).await;
    let key = world.key().await;
    world.proxy.hold_answers();
    for outcome in at_once(&world, &key, 5).await {
        assert_eq!(outcome.unwrap_err().reason(), Reason::Deadline);
    }
}

async fn they_go_on_when_the_one_who_asked_first_gives_up(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.proxy.hold_answers();
    let first = ask(&world.client, &key);
    eventually("the server has answered", || world.proxy.held_answers() == 1).await;
    let second = ask(&world.client, &key);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    world.proxy.release_answers();
    assert!(second.await.unwrap().unwrap().is_valid());
    assert_eq!(world.proxy.costs(), [10]);
}

async fn a_look_up_that_a_change_has_overtaken_is_not_served(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.proxy.hold_answers();
    let asked = ask(&world.client, &key);
    eventually("the server has answered", || world.proxy.held_answers() == 1).await;
    world.revoke(&key).await;
    world.hears_of(Entity::Key(key.id)).await;
    world.proxy.release_answers();
    let verdict = asked.await.unwrap().unwrap();
    assert_eq!(verdict.refused().unwrap().code.as_str(), "KEY_REVOKED");
    assert_eq!(world.proxy.verifies(), 2);
}

async fn a_refusal_that_names_no_key_is_overtaken_by_a_reset_alone(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let (other, unknown) = (
        world.key().await,
        "ak_00000000000000000000000000000000000000000002PL60u",
    );
    let unknown = Key {
        id: other.id,
        text: unknown.to_owned(),
    };
    world.proxy.hold_answers();
    let asked = ask(&world.client, &unknown);
    eventually("the server has answered", || world.proxy.held_answers() == 1).await;
    world.edit_and_hear(&other, "another name").await;
    world.proxy.release_answers();
    assert!(!asked.await.unwrap().unwrap().is_valid());
    assert_eq!(world.proxy.verifies(), 1);
}

async fn nothing_is_available_where_changes_overtake_every_look_up(server: TestServer) {
    let world = World::follower(&server, |builder| builder).await;
    let key = world.key().await;
    world.proxy.hold_answers();
    let asked = ask(&world.client, &key);
    for calls in 1..=3 {
        eventually("the server has answered", || {
            world.proxy.verifies() == calls && world.proxy.held_answers() == 1
        })
        .await;
        world.edit_and_hear(&key, &format!("name {calls}")).await;
        world.proxy.release_held_answers();
    }
    assert_eq!(asked.await.unwrap().unwrap_err().reason(), Reason::Changing);
    // What is asked again was paid for.
    assert_eq!(world.proxy.costs(), [10, 0, 0]);
}

async fn an_answer_asked_for_within_a_second_of_a_change_is_not_remembered(server: TestServer) {
    // Time passes meanwhile, so the time to settle is one that no machine is too slow for.
    let settle = Duration::from_secs(600);
    let world = World::client(&server, |builder| builder.settle(settle).staleness(settle * 4)).await;
    world.client.start();
    eventually("the feed has begun", || world.proxy.feeds().len() == 1).await;
    let key = world.key().await;
    eventually("the feed is heard", || {
        world.client.state() == tigertrust_client::State::CatchingUp
    })
    .await;
    // Followed without a number before, it takes the time to settle.
    tokio::time::timeout(Duration::from_secs(30), async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            world.clock.jump(settle / 8);
            if world.client.state() == tigertrust_client::State::Following {
                break;
            }
        }
    })
    .await
    .unwrap();
    world.edit_and_hear(&key, "another name").await;
    assert!(!world.is_remembered(&key).await);
    assert!(!world.is_remembered(&key).await);
    world.clock.jump(settle + Duration::from_millis(1));
    assert!(!world.is_remembered(&key).await);
    assert!(world.is_remembered(&key).await);
}
