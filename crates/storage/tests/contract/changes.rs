//! Changes: their numbers, and who hears of them.

use std::time::Duration;

use tigertrust_accounts::ports::KeyView;
use tigertrust_model::{Act, ApiKey, Change, Entity, KeyReach, Timestamp};
use tigertrust_testkit::Engine;

use crate::support::{Heard, NOW, World, key, key_change, on_both_engines};

on_both_engines!(
    numbers_are_gap_free_and_in_the_order_of_the_commits,
    another_node_hears_of_every_kind_of_change,
    a_feed_starts_with_a_reset_and_from_the_present,
    a_feed_that_is_dropped_is_silent,
    a_feed_that_is_far_behind_reads_page_after_page,
    a_gap_that_was_pruned_resets,
    a_log_that_was_emptied_resets,
    an_older_copy_of_the_database_resets,
    a_change_of_an_unknown_kind_resets,
    pruning_removes_what_is_old_in_batches_and_keeps_the_newest,
);

pub(crate) async fn touch(world: &World, key: &ApiKey) {
    let keys = world.node.storage.keys();
    keys.edit_key(
        Act::of_operator(),
        KeyView::Everything,
        key.id,
        Box::new(|_| Ok(())),
    )
    .await
    .unwrap();
}

async fn numbers_are_gap_free_and_in_the_order_of_the_commits(engine: Engine) {
    const EDITS: u64 = 50;
    let mut world = World::new(engine).await;
    let second = world.second();
    let mut follower = world.second();
    let _feed = follower.storage.follow();
    assert_eq!(follower.catches_up().await, [Heard::Reset]);
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(world.store(key(KeyReach::Instance)).await.0);
    }
    let edits: Vec<_> = (0..EDITS)
        .map(|number| {
            let node = if number % 2 == 0 { &world.node } else { &second };
            let store = node.storage.keys();
            let id = keys[usize::try_from(number % 5).unwrap()].id;
            tokio::spawn(async move {
                store
                    .edit_key(Act::of_operator(), KeyView::Everything, id, Box::new(|_| Ok(())))
                    .await
                    .unwrap();
            })
        })
        .collect();
    // The feed looks while the edits are under way: were a number visible before a smaller one, it would see a gap.
    let mut heard = Vec::new();
    while heard.len() < usize::try_from(EDITS).unwrap() {
        match follower.hears().await {
            Heard::Applied(changes) => heard.extend(changes),
            other => panic!("{other:?} after {heard:?}"),
        }
    }
    for edit in edits {
        edit.await.unwrap();
    }
    let numbers: Vec<u64> = heard.iter().map(|change| change.seq).collect();
    assert_eq!(numbers, (1..=EDITS).collect::<Vec<_>>());
    for key in &keys {
        let of_key = heard.iter().filter(|change| change.entity == Entity::Key(key.id));
        assert_eq!(of_key.count(), 10);
    }
    // Each node was told of its own, and only of them.
    assert_eq!(world.node.has_heard().len(), 25);
}

async fn another_node_hears_of_every_kind_of_change(engine: Engine) {
    let world = World::new(engine).await;
    let mut other = world.second();
    let _feed = other.storage.follow();
    assert_eq!(other.catches_up().await, [Heard::Reset]);
    let home = world.workspace("home").await;
    let Heard::Applied(changes) = other.hears().await else {
        panic!("a change is expected")
    };
    assert!(
        matches!(
            changes[..],
            [Change {
                seq: 1,
                entity: Entity::User(_),
                ..
            }]
        ),
        "{changes:?}"
    );
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    touch(&world, &key).await;
    assert_eq!(other.hears().await, key_change(2, &key));
    world
        .edit(home.id, |workspace| workspace.plan = "pro".parse().unwrap())
        .await
        .unwrap();
    let change = Change {
        seq: 3,
        entity: Entity::Workspace(home.id),
        workspace: Some(home.id),
    };
    assert_eq!(other.hears().await, Heard::Applied(vec![change]));
}

async fn a_feed_starts_with_a_reset_and_from_the_present(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    touch(&world, &key).await;
    let mut other = world.second();
    assert_eq!(other.has_heard(), []);
    let _feed = other.storage.follow();
    assert_eq!(other.catches_up().await, [Heard::Reset]);
    touch(&world, &key).await;
    assert_eq!(other.hears().await, key_change(2, &key));
}

async fn a_feed_that_is_dropped_is_silent(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let mut other = world.second();
    let feed = other.storage.follow();
    other.catches_up().await;
    drop(feed);
    other.storage.close().await;
    touch(&world, &key).await;
    assert_eq!(other.has_heard(), []);
}

async fn a_feed_that_is_far_behind_reads_page_after_page(engine: Engine) {
    let world = World::new(engine).await;
    let mut other = world.second();
    let _feed = other.storage.follow();
    other.catches_up().await;
    let insert = |from: &str| {
        format!(
            "BEGIN; UPDATE change_head SET seq = 2500;
             INSERT INTO changes (seq, kind, entity_id, created_at) {from}; COMMIT"
        )
    };
    world
        .sql_by_engine(
            &insert(
                "SELECT seq, 'user', '00000000-0000-0000-0000-000000000001', now()
                 FROM generate_series(1, 2500) AS seq",
            ),
            &insert(
                "SELECT value, 'user', x'00000000000000000000000000000001', '2027-01-15 08:00:00.000000+00:00'
                 FROM (WITH RECURSIVE series (value) AS (
                     SELECT 1 UNION ALL SELECT value + 1 FROM series WHERE value < 2500
                 ) SELECT value FROM series)",
            ),
        )
        .await;
    let mut pages = Vec::new();
    while pages.iter().map(Vec::len).sum::<usize>() < 2500 {
        match other.hears().await {
            Heard::Applied(page) => pages.push(page),
            unexpected => panic!("{unexpected:?}"),
        }
    }
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1000, 1000, 500]);
    let numbers = pages.iter().flatten().map(|change| change.seq);
    assert!(numbers.eq(1..=2500));
}

/// Does to the log what `sql` says, which must move the head to 10 or leave it there, and expects a reset, after which the
/// feed goes on from there.
async fn resets(engine: Engine, head: u64, postgres: &str, sqlite: &str) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    touch(&world, &key).await;
    touch(&world, &key).await;
    let mut other = world.second();
    let _feed = other.storage.follow();
    assert_eq!(other.catches_up().await, [Heard::Reset]);
    world
        .sql_by_engine(
            &format!("BEGIN; {postgres}; COMMIT"),
            &format!("BEGIN; {sqlite}; COMMIT"),
        )
        .await;
    assert_eq!(other.hears().await, Heard::Reset);
    touch(&world, &key).await;
    assert_eq!(other.hears().await, key_change(head + 1, &key));
}

async fn a_gap_that_was_pruned_resets(engine: Engine) {
    let move_on = "UPDATE change_head SET seq = 10; UPDATE changes SET seq = 10 WHERE seq = 2; DELETE FROM changes WHERE seq = 1";
    resets(engine, 10, move_on, move_on).await;
}

async fn a_log_that_was_emptied_resets(engine: Engine) {
    let move_on = "UPDATE change_head SET seq = 10; DELETE FROM changes";
    resets(engine, 10, move_on, move_on).await;
}

async fn an_older_copy_of_the_database_resets(engine: Engine) {
    let go_back = "UPDATE change_head SET seq = 1; DELETE FROM changes WHERE seq = 2";
    resets(engine, 1, go_back, go_back).await;
}

async fn a_change_of_an_unknown_kind_resets(engine: Engine) {
    let insert = |id: &str, now: &str| {
        format!(
            "UPDATE change_head SET seq = 3; INSERT INTO changes (seq, kind, entity_id, created_at) VALUES (3, 'galaxy', {id}, {now})"
        )
    };
    let postgres = insert("'00000000-0000-0000-0000-000000000001'", "now()");
    let sqlite = insert(
        "x'00000000000000000000000000000001'",
        "'2027-01-15 08:00:00.000000+00:00'",
    );
    resets(
        engine,
        3,
        &format!("ALTER TABLE changes DROP CONSTRAINT changes_kind_check; {postgres}"),
        &format!("PRAGMA ignore_check_constraints = ON; {sqlite}"),
    )
    .await;
}

async fn pruning_removes_what_is_old_in_batches_and_keeps_the_newest(engine: Engine) {
    let world = World::new(engine).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let storage = &world.node.storage;
    let prune = async |older_than: Timestamp| storage.prune_changes(older_than, 3).await.unwrap();
    let later = NOW.saturating_add(Duration::from_secs(60));
    assert_eq!(prune(later).await, 0);
    for _ in 0..10 {
        touch(&world, &key).await;
    }
    assert_eq!(prune(NOW).await, 0, "what is just as old stays");
    // Two that are old, and after one that is young an old one again: the clocks of two nodes differ.
    world
        .sql_by_engine(
            "UPDATE changes SET created_at = '1999-01-01' WHERE seq IN (1, 2, 4)",
            "UPDATE changes SET created_at = '1999-01-01 00:00:00.000000+00:00' WHERE seq IN (1, 2, 4)",
        )
        .await;
    assert_eq!(prune(NOW).await, 2);
    assert_eq!(prune(later).await, 7);
    assert_eq!(prune(later).await, 0, "the newest stays");
}
