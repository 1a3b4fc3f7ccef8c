//! What a request looks up.

use tigertrust_credentials::KeyDigest;
use tigertrust_model::{KeyReach, WorkspaceId};
use tigertrust_testkit::Engine;

use crate::support::{NOW, World, hex, key, key_at, on_both_engines, secret};

const NOW_TEXT: &str = "'2027-01-15 08:00:00.000000+00:00'";

on_both_engines!(
    a_key_is_found_by_any_of_the_digests,
    the_workspaces_come_with_the_key_its_home_first_and_deleted_ones_too,
    when_a_secret_ends_comes_with_the_key,
    a_workspace_is_found_deleted_or_not,
);

async fn a_key_is_found_by_any_of_the_digests(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (key, stored) = world.store(key_at(&home)).await;
    world.store(key_at(&home)).await;
    let store = world.node.storage.credentials();
    let unknown = || secret().digest;
    for digests in [
        vec![stored],
        vec![unknown(), stored],
        vec![stored, unknown(), unknown()],
    ] {
        let record = store.find_key(&digests).await.unwrap().unwrap();
        assert_eq!(record.key, key);
    }
    for digests in [vec![], vec![unknown()], vec![unknown(), unknown()]] {
        assert_eq!(store.find_key(&digests).await.unwrap(), None);
    }
    // The same secret under two peppers is still one key.
    let again = KeyDigest::from_bytes([7; 32]);
    let (postgres, sqlite) = hex(key.id.as_uuid());
    let insert = |digest: &str, id: &str| {
        format!(
            "INSERT INTO api_key_secrets
                 (digest, key_id, pepper_id, format, created_at, display_start, display_last_four)
             VALUES ({digest}, {id}, 'p0', 'v1', {NOW_TEXT}, 'ak_01234', 'wxyz')"
        )
    };
    let digits = "07".repeat(32);
    world
        .sql_by_engine(
            &insert(&format!("'\\x{digits}'"), &postgres),
            &insert(&format!("x'{digits}'"), &sqlite),
        )
        .await;
    let record = store.find_key(&[again, stored]).await.unwrap().unwrap();
    assert_eq!(record.key, key);
    assert_eq!(record.workspaces, [home]);
}

async fn the_workspaces_come_with_the_key_its_home_first_and_deleted_ones_too(engine: Engine) {
    let world = World::new(engine).await;
    let mut home = world.workspace("home").await;
    let mut others = [
        world.workspace("a").await,
        world.workspace("b").await,
        world.workspace("c").await,
    ];
    others.sort_unstable_by_key(|workspace| workspace.id);
    let (_, digest) = world
        .store(key(KeyReach::workspaces(
            home.id,
            others.each_ref().map(|other| other.id),
        )))
        .await;
    let (_, instance) = world.store(key(KeyReach::Instance)).await;
    for deleted in [&mut home, &mut others[1]] {
        let (postgres, sqlite) = hex(deleted.id.as_uuid());
        let delete = |id: &str| format!("UPDATE workspaces SET deleted_at = {NOW_TEXT} WHERE id = {id}");
        world.sql_by_engine(&delete(&postgres), &delete(&sqlite)).await;
        deleted.deleted_at = Some(NOW);
    }
    let store = world.node.storage.credentials();
    let record = store.find_key(&[digest]).await.unwrap().unwrap();
    assert_eq!(record.home(), Some(&home));
    assert_eq!(record.workspaces[1..], others);
    let record = store.find_key(&[instance]).await.unwrap().unwrap();
    assert_eq!(record.workspaces, []);
}

async fn when_a_secret_ends_comes_with_the_key(engine: Engine) {
    let world = World::new(engine).await;
    let (_, digest) = world.store(key(KeyReach::Instance)).await;
    world
        .sql(&format!("UPDATE api_key_secrets SET ends_at = {NOW_TEXT}"))
        .await;
    let record = world
        .node
        .storage
        .credentials()
        .find_key(&[digest])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.secret_ends_at, Some(NOW));
}

async fn a_workspace_is_found_deleted_or_not(engine: Engine) {
    let world = World::new(engine).await;
    let mut home = world.workspace("home").await;
    let store = world.node.storage.credentials();
    assert_eq!(store.find_workspace(home.id).await.unwrap(), Some(home.clone()));
    let unknown = WorkspaceId::from_uuid(uuid::Uuid::nil());
    assert_eq!(store.find_workspace(unknown).await.unwrap(), None);
    world
        .sql(&format!("UPDATE workspaces SET deleted_at = {NOW_TEXT}"))
        .await;
    home.deleted_at = Some(NOW);
    assert_eq!(store.find_workspace(home.id).await.unwrap(), Some(home));
}
