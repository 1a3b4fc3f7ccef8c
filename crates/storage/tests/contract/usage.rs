//! How often keys were used.

use futures_util::future::join_all;
use tigertrust_accounts::{UsageRange, ports::KeyView};
use tigertrust_credentials::ports::{ScopeUse, UsageBatch, UsageCount};
use tigertrust_model::{Granularity, KeyId, Outcome, Scope, Timestamp, WorkspaceId};
use tigertrust_testkit::Engine;
use uuid::Uuid;

use crate::support::{NOW, World, on_both_engines};

on_both_engines!(
    nodes_that_add_to_the_same_rows_wait_for_nobody_for_ever_and_lose_nothing,
    a_batch_is_stored_as_a_whole_or_not_at_all,
    a_scope_keeps_its_latest_day,
    a_count_that_cannot_be_read_is_an_error_that_names_it,
);

fn key(number: u128) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(number))
}

fn home() -> WorkspaceId {
    WorkspaceId::from_uuid(Uuid::from_u128(7))
}

fn count(number: u128, minutes_ago: u64, calls: u64) -> UsageCount {
    UsageCount {
        key: key(number),
        home: Some(home()),
        outcome: Outcome::Valid,
        minute: NOW.saturating_sub(Granularity::Minute.length() * u32::try_from(minutes_ago).unwrap()),
        calls,
    }
}

fn last_day(granularity: Granularity) -> UsageRange {
    let from = NOW.saturating_sub(Granularity::Day.length());
    let to = NOW.saturating_add(Granularity::Minute.length());
    UsageRange {
        from: granularity.start_of(from),
        to: granularity.end_of(to),
        granularity,
    }
}

async fn total(world: &World, granularity: Granularity) -> u64 {
    let history = world.node.storage.usage_history();
    let view = KeyView::Workspace(home());
    let buckets = history.usage(view, None, last_day(granularity)).await.unwrap();
    buckets.iter().flat_map(|bucket| bucket.outcomes.values()).sum()
}

async fn nodes_that_add_to_the_same_rows_wait_for_nobody_for_ever_and_lose_nothing(engine: Engine) {
    const ROUNDS: u64 = 5;
    let world = World::new(engine).await;
    let nodes = [world.second(), world.second(), world.second()];
    for _ in 0..ROUNDS {
        // Each hands them over in an order of its own.
        let adding = nodes.iter().enumerate().map(|(node, other)| {
            let mut counts: Vec<_> = (0..200).map(|number| count(number, 1, 1)).collect();
            counts.rotate_left(node * 50);
            let batch = UsageBatch {
                counts,
                scopes: Vec::new(),
            };
            let store = other.storage.usage();
            async move { store.add_usage(batch).await }
        });
        for added in join_all(adding).await {
            added.unwrap();
        }
    }
    for granularity in Granularity::ALL {
        assert_eq!(
            total(&world, granularity).await,
            3 * 200 * ROUNDS,
            "{granularity}"
        );
    }
    let history = world.node.storage.usage_history();
    let own = history.usage(KeyView::Everything, Some(key(3)), last_day(Granularity::Minute));
    assert_eq!(own.await.unwrap()[0].outcomes[&Outcome::Valid], 3 * ROUNDS);
}

async fn a_batch_is_stored_as_a_whole_or_not_at_all(engine: Engine) {
    let world = World::new(engine).await;
    let usage = world.node.storage.usage();
    // Two minutes of one hour are one row of hours.
    let batch = |scope: &str| UsageBatch {
        counts: vec![count(1, 1, 2), count(1, 2, 3)],
        scopes: vec![ScopeUse {
            key: key(1),
            scope: scope.parse().unwrap(),
            day: Granularity::Day.start_of(NOW),
        }],
    };
    usage.add_usage(batch("a:read")).await.unwrap();
    assert_eq!(total(&world, Granularity::Minute).await, 5);
    world
        .sql_by_engine("DROP TABLE scope_uses", "DROP TABLE scope_uses")
        .await;
    assert!(usage.add_usage(batch("b:read")).await.is_err());
    for granularity in Granularity::ALL {
        assert_eq!(total(&world, granularity).await, 5, "{granularity}");
    }
}

async fn a_scope_keeps_its_latest_day(engine: Engine) {
    let world = World::new(engine).await;
    let storage = &world.node.storage;
    let day = |number: i64| Timestamp::from_unix_micros(number * 86_400_000_000);
    let scope: Scope = "a:read".parse().unwrap();
    for number in [20_000, 20_002, 20_001] {
        let scopes = vec![ScopeUse {
            key: key(1),
            scope: scope.clone(),
            day: day(number),
        }];
        let batch = UsageBatch {
            counts: Vec::new(),
            scopes,
        };
        storage.usage().add_usage(batch).await.unwrap();
    }
    let uses = async || {
        let history = storage.usage_history();
        history.scope_uses(vec![key(1), key(2)]).await.unwrap()
    };
    let known = uses().await;
    assert_eq!((known.len(), known[0].day), (1, day(20_002)));
    for (until, left) in [(20_002, 1), (20_003, 0)] {
        storage
            .prune_usage(Granularity::Day, day(until), 10)
            .await
            .unwrap();
        assert_eq!(uses().await.len(), left);
    }
}

async fn a_count_that_cannot_be_read_is_an_error_that_names_it(engine: Engine) {
    let world = World::new(engine).await;
    let batch = UsageBatch {
        counts: vec![count(1, 1, 1)],
        scopes: Vec::new(),
    };
    world.node.storage.usage().add_usage(batch).await.unwrap();
    let spoil = "UPDATE usage_counts SET outcome = 'NONSENSE'";
    world.sql_by_engine(spoil, spoil).await;
    let history = world.node.storage.usage_history();
    let read = history
        .usage(KeyView::Everything, None, last_day(Granularity::Hour))
        .await;
    let error = read.unwrap_err().to_string();
    assert!(
        error.contains("usage_counts") && error.contains("outcome"),
        "{error}"
    );
}
