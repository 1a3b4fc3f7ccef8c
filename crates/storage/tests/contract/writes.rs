//! Writes whose caller goes away, and the end of a storage.

use std::{sync::mpsc, time::Duration};

use tigertrust_accounts::{
    FlowError,
    ports::{KeyEdit, KeyView},
};
use tigertrust_model::{Act, ApiKey, KeyReach};
use tigertrust_storage::Options;
use tigertrust_testkit::Engine;
use tokio::{sync::oneshot, time::timeout};

use crate::support::{Node, PATIENCE, World, key, key_change, on_both_engines, secret};

on_both_engines!(
    a_write_whose_caller_is_dropped_is_committed_and_told,
    closing_waits_for_a_write_and_takes_no_more,
    a_panic_in_an_edit_costs_neither_the_connection_nor_the_storage,
    where_all_connections_are_in_use_the_wait_is_bounded,
);

/// An edit that stands still inside its transaction.
struct Held {
    entered: oneshot::Receiver<()>,
    release: mpsc::Sender<()>,
}

fn held_edit() -> (KeyEdit, Held) {
    let (enter, entered) = oneshot::channel();
    let (release, released) = mpsc::channel();
    let edit = move |key: &mut ApiKey| {
        enter.send(()).unwrap();
        tokio::task::block_in_place(|| released.recv_timeout(PATIENCE)).unwrap();
        key.name = "edited".to_owned();
        Ok(())
    };
    (Box::new(edit), Held { entered, release })
}

async fn a_write_whose_caller_is_dropped_is_committed_and_told(engine: Engine) {
    let mut world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let (edit, held) = held_edit();
    let keys = world.node.storage.keys();
    let caller = tokio::spawn(async move {
        keys.edit_key(Act::of_operator(), KeyView::Everything, key.id, edit)
            .await
    });
    held.entered.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    held.release.send(()).unwrap();
    let id = key.id;
    assert_eq!(world.node.hears().await, key_change(1, &key));
    assert_eq!(world.get(id).await.unwrap().name, "edited");
}

async fn closing_waits_for_a_write_and_takes_no_more(engine: Engine) {
    let world = World::new(engine).await;
    let (stored, _) = world.store(key(KeyReach::Instance)).await;
    let node = world.second();
    let _feed = node.storage.follow();
    let lookups = node.storage.credentials();
    let (edit, held) = held_edit();
    let editor = node.storage.keys();
    let writing = tokio::spawn(async move {
        editor
            .edit_key(Act::of_operator(), KeyView::Everything, stored.id, edit)
            .await
    });
    held.entered.await.unwrap();
    let storage = node.storage;
    let mut closing = tokio::spawn(async move { storage.close().await });
    let refused = async {
        while let Ok(found) = lookups.find_key(&[]).await {
            assert_eq!(found, None);
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    assert!(
        timeout(Duration::ZERO, &mut closing).await.is_err(),
        "the write is not done"
    );
    held.release.send(()).unwrap();
    timeout(PATIENCE, closing).await.unwrap().unwrap();
    assert_eq!(writing.await.unwrap().unwrap().key.name, "edited");
}

async fn a_panic_in_an_edit_costs_neither_the_connection_nor_the_storage(engine: Engine) {
    let mut world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let keys = world.node.storage.keys();
    // More often than there are connections.
    for _ in 0..12 {
        let edit = |_: &mut ApiKey| panic!("this is part of the test");
        let failed = keys
            .edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(edit))
            .await;
        assert!(matches!(failed, Err(FlowError::Store(_))), "{failed:?}");
    }
    let done = keys
        .edit_key(
            Act::of_operator(),
            KeyView::Everything,
            key.id,
            Box::new(|_| Ok(())),
        )
        .await;
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(world.node.has_heard(), [key_change(1, &key)]);
}

async fn where_all_connections_are_in_use_the_wait_is_bounded(engine: Engine) {
    let world = World::new(engine).await;
    let (stored, _) = world.store(key(KeyReach::Instance)).await;
    let options = Options {
        pool_size: 1,
        acquire_timeout: Duration::from_millis(500),
        ..Options::default()
    };
    let node = Node::open(world.database.url(), options);
    let keys = node.storage.keys();
    // The connection is there before it is held, however long this machine takes to make one.
    let connecting = async {
        while keys
            .insert_key(Act::of_operator(), key(KeyReach::Instance), secret(), None)
            .await
            .is_err()
        {}
    };
    timeout(PATIENCE, connecting).await.unwrap();
    let (edit, held) = held_edit();
    let keys = node.storage.keys();
    let holder = tokio::spawn(async move {
        keys.edit_key(Act::of_operator(), KeyView::Everything, stored.id, edit)
            .await
    });
    held.entered.await.unwrap();
    let keys = node.storage.keys();
    let waiting = keys.insert_key(Act::of_operator(), key(KeyReach::Instance), secret(), None);
    let refused = timeout(PATIENCE / 2, waiting).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("all are in use"), "{refused}");
    held.release.send(()).unwrap();
    holder.await.unwrap().unwrap();
}
