//! Which servers run, and what they say of themselves.

use std::time::Duration;

use tigertrust_credentials::{NodeNote, RunningRing};
use tigertrust_model::{NodeId, Timestamp};
use tigertrust_testkit::Engine;
use uuid::Uuid;

use crate::support::{NOW, World, on_both_engines};

on_both_engines!(
    a_server_is_known_with_its_secrets_until_it_is_silent_or_leaves,
    a_ring_that_cannot_be_read_says_nothing,
);

fn note(name: &str, peppers: &[&str]) -> NodeNote {
    NodeNote {
        name: Some(name.to_owned()),
        ring: RunningRing {
            peppers: peppers.iter().map(|id| (*id).to_owned()).collect(),
            encryption_keys: vec!["e1".to_owned()],
            signing_keys: Vec::new(),
        },
        ring_since: NOW,
    }
}

fn at(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

async fn a_server_is_known_with_its_secrets_until_it_is_silent_or_leaves(engine: Engine) {
    let world = World::new(engine).await;
    let store = world.node.storage.spends();
    let [one, two] = [1, 2].map(|number| NodeId::from_uuid(Uuid::from_u128(number)));
    let known = async |since| {
        let nodes = store.nodes(since).await.unwrap();
        let nodes = nodes.into_iter();
        nodes
            .map(|node| (node.id, node.seen_at, node.note))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        store.beat(one, note("one", &["p1"]), at(0), at(0)).await.unwrap(),
        1
    );
    let rotated = note("one", &["p2", "p1"]);
    assert_eq!(store.beat(one, rotated.clone(), at(2), at(0)).await.unwrap(), 1);
    assert_eq!(
        store.beat(two, note("two", &["p1"]), at(4), at(0)).await.unwrap(),
        2
    );
    assert_eq!(
        known(at(1)).await,
        [
            (one, at(2), Some(rotated)),
            (two, at(4), Some(note("two", &["p1"])))
        ]
    );
    assert_eq!(known(at(3)).await.len(), 1);
    assert_eq!(
        store
            .beat(two, note("two", &["p1"]), at(20), at(10))
            .await
            .unwrap(),
        1
    );
    // Whoever was seen in the future has gone, too.
    store
        .beat(one, note("one", &["p1"]), at(99), at(89))
        .await
        .unwrap();
    assert_eq!(
        store
            .beat(two, note("two", &["p1"]), at(20), at(10))
            .await
            .unwrap(),
        1
    );
    store.leave(two).await.unwrap();
    assert_eq!(known(at(0)).await, []);
}

async fn a_ring_that_cannot_be_read_says_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let store = world.node.storage.spends();
    let one = NodeId::from_uuid(Uuid::from_u128(1));
    store.beat(one, note("one", &["p1"]), at(0), at(0)).await.unwrap();
    // As a server of an older release has it.
    let older = "UPDATE nodes SET name = NULL, ring = NULL, ring_since = NULL";
    world.sql_by_engine(older, older).await;
    assert_eq!(store.nodes(at(0)).await.unwrap()[0].note, None);
    store.beat(one, note("one", &["p1"]), at(0), at(0)).await.unwrap();
    let spoil = "UPDATE nodes SET ring = '{\"peppers\": 1}'";
    world.sql_by_engine(spoil, spoil).await;
    assert_eq!(store.nodes(at(0)).await.unwrap()[0].note, None);
}
