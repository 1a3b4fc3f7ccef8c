//! How an instance begins, on whose time and whose runtime it lives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod support;

use std::{sync::Arc, time::Duration};

use support::{Embedded, PEPPER, builder, verdict};
use tigertrust::{Actor, Clock, HeaderValues, Need, Outcome, Presented, TigerTrust, UsageRange};
use tigertrust_testkit::{Engine, TestClock, ThrowawayDatabase, eventually};

#[tokio::test]
async fn time_is_whatever_the_clock_says() {
    let database = ThrowawayDatabase::create(Engine::Sqlite).await;
    let clock = Arc::new(TestClock::default());
    let auth = builder(&database)
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .max_staleness(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    assert_eq!(auth.clock().now(), TestClock::START);
    eventually(true, async || auth.is_fresh()).await;
}

#[tokio::test]
async fn an_instance_that_is_only_opened_asks_the_database_until_it_is_started() {
    let database = ThrowawayDatabase::create(Engine::Sqlite).await;
    let auth = builder(&database).open().unwrap();
    assert!(!auth.is_fresh());
    let unknown = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
    assert_eq!(
        verdict(&auth, unknown, &Need::any_caller()).await,
        "the key is unknown"
    );
    auth.start();
    auth.start();
    eventually(true, async || auth.is_fresh()).await;
}

#[test]
fn an_instance_lives_on_the_runtime_that_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let building = TigerTrust::builder()
        .database(&format!("sqlite://{}/auth.db", folder.path().display()))
        .pepper("test", PEPPER)
        .runtime(runtime.handle().clone())
        .migrate(true)
        .build();
    let auth = other.block_on(building).unwrap();
    drop(other);
    runtime.block_on(async {
        eventually(true, async || auth.is_fresh()).await;
        auth.close().await;
    });
}

#[tokio::test]
async fn what_a_key_was_last_used_for_outlives_the_instance() {
    let embedded = Embedded::start(Engine::Sqlite).await;
    let Embedded { auth, first, .. } = &embedded;
    let presented = Presented {
        agent_api_key: HeaderValues::One(first.agent.secret.reveal().as_bytes()),
        client: Some([192, 0, 2, 1].into()),
        user_agent: Some(b"curl/8"),
        ..Presented::default()
    };
    auth.admit(&presented, &Need::any_caller()).await.unwrap();
    auth.close().await;

    let again = embedded.second().await;
    let details = again
        .keys()
        .get(&Actor::operator(), first.agent.key.id)
        .await
        .unwrap();
    let last_use = details
        .secrets
        .first()
        .and_then(|secret| secret.last_use.clone())
        .unwrap();
    assert_eq!(last_use.address, Some([192, 0, 2, 1].into()));
    assert_eq!(last_use.user_agent.as_deref(), Some("curl/8"));
}

#[tokio::test]
async fn time_does_not_go_back_over_a_restart() {
    let database = ThrowawayDatabase::create(Engine::Sqlite).await;
    let at_its_time = || {
        let clock = Arc::new(TestClock::default());
        (
            Arc::clone(&clock),
            builder(&database).clock(clock as Arc<dyn Clock>),
        )
    };
    let (clock, first) = at_its_time();
    let first = first.build().await.unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    let stopped_at = first.clock().now();
    first.close().await;
    // The clock of the machine is where it was when the first one was started.
    let (clock, second) = at_its_time();
    let second = second.build().await.unwrap();
    assert_eq!(second.clock().now(), stopped_at);
    assert_eq!(second.steady_clock().machine(), TestClock::START);
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        second.clock().now(),
        stopped_at.saturating_add(Duration::from_secs(60))
    );
}

#[tokio::test]
async fn how_often_a_key_was_used_outlives_the_instance_and_is_stored_by_itself() {
    let embedded = Embedded::start(Engine::Sqlite).await;
    let Embedded { auth, first, .. } = &embedded;
    let (key, secret) = (first.agent.key.id, first.agent.secret.reveal());
    let counted = async |instance: &TigerTrust| {
        let range = UsageRange::new(None, None, None, instance.clock().now()).unwrap();
        let usage = instance
            .usage()
            .of_key(&Actor::operator(), key, range)
            .await
            .unwrap();
        usage.outcomes.get(&Outcome::Valid).copied().unwrap_or_default()
    };
    for _ in 0..20 {
        auth.admit_key(secret, &Need::any_caller()).await.unwrap();
    }
    eventually(20, async || counted(auth).await).await;
    // These come just before the end, which waits for them.
    for _ in 0..7 {
        auth.admit_key(secret, &Need::any_caller()).await.unwrap();
    }
    auth.close().await;
    assert_eq!(counted(&embedded.second().await).await, 27);
}
