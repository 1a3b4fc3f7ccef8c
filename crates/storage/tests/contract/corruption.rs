//! Rows that hold what they must not are told of by table, column and row.

use tigertrust_accounts::ports::KeyView;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{KeyFilter, KeyReach};
use tigertrust_testkit::Engine;

use crate::support::{World, hex, key, on_both_engines, page};

on_both_engines!(
    a_key_s_row_that_cannot_be_read_is_told_of,
    a_workspace_s_row_that_cannot_be_read_is_told_of,
    a_person_s_row_that_cannot_be_read_is_told_of,
    an_instance_key_with_a_workspace_is_told_of,
);

/// Changes a column past the checks.
async fn spoil(world: &World, table: &str, postgres: &str, sqlite: &str) {
    let drop_checks = format!(
        "DO $$ DECLARE name text; BEGIN
             FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'c'
             LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', name); END LOOP;
         END $$"
    );
    world
        .sql_by_engine(
            &format!("{drop_checks}; UPDATE {table} SET {postgres}"),
            &format!("PRAGMA ignore_check_constraints = ON; UPDATE {table} SET {sqlite}"),
        )
        .await;
}

#[track_caller]
fn assert_corrupt<T: std::fmt::Debug>(
    answer: Result<T, StoreError>,
    expected: (&str, &str, &dyn std::fmt::Display),
) {
    let Err(StoreError::Corrupt { table, column, row }) = answer else {
        panic!("{answer:?} instead of {} {}", expected.0, expected.1)
    };
    assert_eq!(
        (table, column, row),
        (expected.0, expected.1, expected.2.to_string())
    );
}

async fn a_key_s_row_that_cannot_be_read_is_told_of(engine: Engine) {
    let world = World::new(engine).await;
    let both = |column, assignment: &'static str| (column, assignment, assignment);
    for (column, postgres, sqlite) in [
        both("type", "type = 'galaxy'"),
        both("state", "state = 'galaxy'"),
        both("state", "state = 'revoked'"),
        both("state", "revoked_at = created_at"),
        both("scopes", "scopes = '[1]'"),
        both("scopes", "scopes = '[\"not a scope\"]'"),
        both("scopes", "scopes = '{}'"),
        both("metadata", "metadata = '[]'"),
        both("created_by", "created_by = 'nobody'"),
        (
            "created_at",
            "created_at = 'infinity'",
            "created_at = 'yesterday'",
        ),
        (
            "updated_at",
            "updated_at = '12000-01-01'",
            "updated_at = '2027-01-15 08:00:00+00:00'",
        ),
        ("expires_at", "expires_at = '-infinity'", "expires_at = ''"),
    ] {
        let (key, digest) = world.store(key(KeyReach::Instance)).await;
        spoil(&world, "api_keys", postgres, sqlite).await;
        let storage = &world.node.storage;
        let expected = ("api_keys", column, &key.id as &dyn std::fmt::Display);
        assert_corrupt(storage.credentials().find_key(&[digest]).await, expected);
        assert_corrupt(
            storage.keys().get_key(KeyView::Everything, key.id).await,
            expected,
        );
        let keys = storage.keys();
        let list = keys
            .list_keys(KeyView::Everything, KeyFilter::default(), page(None, 10))
            .await;
        assert_corrupt(list, expected);
        world
            .sql("DELETE FROM api_key_secrets; DELETE FROM api_keys")
            .await;
    }
}

async fn a_workspace_s_row_that_cannot_be_read_is_told_of(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (_, digest) = world.store(key(KeyReach::workspaces(home.id, []))).await;
    spoil(&world, "workspaces", "plan = 'Not A Plan'", "plan = 'Not A Plan'").await;
    let storage = &world.node.storage;
    let expected = ("workspaces", "plan", &home.id as &dyn std::fmt::Display);
    assert_corrupt(storage.credentials().find_workspace(home.id).await, expected);
    assert_corrupt(storage.credentials().find_key(&[digest]).await, expected);
    assert_corrupt(storage.accounts().list_workspaces(page(None, 10)).await, expected);
}

async fn a_person_s_row_that_cannot_be_read_is_told_of(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.user("jo@example.com").await;
    spoil(&world, "users", "email = 'nonsense'", "email = 'nonsense'").await;
    let accounts = world.node.storage.accounts();
    let expected = ("users", "email", &user.id as &dyn std::fmt::Display);
    assert_corrupt(accounts.get_user(user.id).await, expected);
    assert_corrupt(accounts.find_user_by_email("jo@example.com").await, expected);
}

async fn an_instance_key_with_a_workspace_is_told_of(engine: Engine) {
    let world = World::new(engine).await;
    let home = world.workspace("home").await;
    let (key, digest) = world.store(key(KeyReach::Instance)).await;
    let (key_hex, home_hex) = (hex(key.id.as_uuid()), hex(home.id.as_uuid()));
    world
        .sql_by_engine(
            &format!(
                "INSERT INTO api_key_workspaces VALUES ({}, {})",
                key_hex.0, home_hex.0
            ),
            &format!(
                "INSERT INTO api_key_workspaces VALUES ({}, {})",
                key_hex.1, home_hex.1
            ),
        )
        .await;
    let expected = ("api_key_workspaces", "key_id", &key.id as &dyn std::fmt::Display);
    assert_corrupt(
        world.node.storage.credentials().find_key(&[digest]).await,
        expected,
    );
}
