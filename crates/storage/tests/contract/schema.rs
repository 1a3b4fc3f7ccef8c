//! Migrations, and what a storage says of a schema.

use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use tigertrust_storage::{
    Options, SchemaState,
    migrations::{self, MigrationError, MigrationKind},
};
use tigertrust_testkit::{Engine, ThrowawayDatabase};

use crate::support::{Node, World, on_both_engines};

on_both_engines!(
    migrations_run_once_and_can_be_reverted,
    two_that_migrate_at_once_migrate_once,
    a_newer_database_is_left_alone,
    a_database_to_which_a_newer_program_has_only_added_is_worked_on,
    a_plan_says_what_would_run_and_changes_nothing,
    a_database_is_made_once_even_in_a_race,
);

async fn unmigrated(engine: Engine) -> ThrowawayDatabase {
    let database = ThrowawayDatabase::unmade(engine).await;
    assert!(
        migrations::create_database_if_missing(database.url())
            .await
            .unwrap()
    );
    database
}

async fn migrations_run_once_and_can_be_reverted(engine: Engine) {
    let database = unmigrated(engine).await;
    let url = database.url();
    let node = Node::open(url, Options::default());
    let pending = migrations::status(url).await.unwrap();
    assert!(!pending.is_empty());
    assert!(pending.iter().all(|(_, applied)| !applied));
    let names: Vec<String> = pending.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names[0], "2026-11-24-000001_initial");
    assert_eq!(
        node.storage.schema_state().await.unwrap(),
        SchemaState::Pending(names.clone())
    );
    assert_eq!(migrations::revert_last(url).await.unwrap(), None);

    assert_eq!(migrations::run(url).await.unwrap(), names);
    assert_eq!(node.storage.schema_state().await.unwrap(), SchemaState::Current);
    assert!(
        migrations::status(url)
            .await
            .unwrap()
            .iter()
            .all(|(_, applied)| *applied)
    );
    assert_eq!(migrations::run(url).await.unwrap(), Vec::<String>::new());

    for name in names.iter().rev() {
        assert_eq!(migrations::revert_last(url).await.unwrap().as_ref(), Some(name));
    }
    assert_eq!(migrations::revert_last(url).await.unwrap(), None);
    assert_eq!(
        node.storage.schema_state().await.unwrap(),
        SchemaState::Pending(names.clone())
    );
    // Nothing is left that would be in the way.
    assert_eq!(migrations::run(url).await.unwrap(), names);
}

async fn two_that_migrate_at_once_migrate_once(engine: Engine) {
    let database = unmigrated(engine).await;
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let url = database.url().clone();
            tokio::spawn(async move { migrations::run(&url).await.unwrap() })
        })
        .collect();
    let mut ran = 0;
    for one in racing {
        ran += usize::from(!one.await.unwrap().is_empty());
    }
    assert_eq!(ran, 1);
}

async fn a_newer_database_is_left_alone(engine: Engine) {
    let world = World::new(engine).await;
    world
        .sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')")
        .await;
    let unknown = vec!["29990101000001".to_owned()];
    let state = world.node.storage.schema_state().await.unwrap();
    assert_eq!(state, SchemaState::Newer(unknown.clone()));
    let url = world.database.url();
    for refused in [
        migrations::run(url).await.err(),
        migrations::revert_last(url).await.err(),
    ] {
        let Some(MigrationError::Newer(named)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(named, unknown);
    }
    let status = migrations::status(url).await.unwrap();
    assert_eq!(status.last(), Some(&("29990101000001".to_owned(), true)));
}

async fn a_database_to_which_a_newer_program_has_only_added_is_worked_on(engine: Engine) {
    let world = World::new(engine).await;
    let url = world.database.url();
    let has_run =
        |version: &str| format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
    world.sql(&has_run("29990101000001expand")).await;
    world
        .sql("CREATE TABLE of_the_future (id integer NOT NULL)")
        .await;
    world
        .sql("ALTER TABLE users ADD COLUMN of_the_future integer NOT NULL DEFAULT 1")
        .await;
    let added = vec!["29990101000001expand".to_owned()];
    let state = world.node.storage.schema_state().await.unwrap();
    assert_eq!(state, SchemaState::Expanded(added.clone()));
    // `serve --migrate` of the older program comes up, and goes on writing.
    assert_eq!(migrations::run(url).await.unwrap(), Vec::<String>::new());
    world.user("jo@example.com").await;
    let plan = migrations::plan(url).await.unwrap();
    assert_eq!((plan.migrations, plan.newer), (Vec::new(), added.clone()));
    // It must not undo what it does not know, nor what lies under that.
    let Some(MigrationError::Newer(named)) = migrations::revert_last(url).await.err() else {
        panic!("reverted")
    };
    assert_eq!(named, added);

    // One that takes away is enough.
    world.sql(&has_run("29990101000002contract")).await;
    let both = vec![added[0].clone(), "29990101000002contract".to_owned()];
    let state = world.node.storage.schema_state().await.unwrap();
    assert_eq!(state, SchemaState::Newer(both));
    assert!(matches!(
        migrations::run(url).await,
        Err(MigrationError::Newer(_))
    ));
    assert!(matches!(
        migrations::plan(url).await,
        Err(MigrationError::Newer(_))
    ));
}

async fn a_plan_says_what_would_run_and_changes_nothing(engine: Engine) {
    let database = ThrowawayDatabase::unmade(engine).await;
    let url = database.url();
    let plan = migrations::plan(url).await.unwrap();
    assert!(plan.makes_database && plan.newer.is_empty());
    // It was not made by asking.
    assert_eq!(migrations::plan(url).await.unwrap(), plan);
    let [first, ..] = plan.migrations.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(
        (first.name.as_str(), first.kind),
        ("2026-11-24-000001_initial", MigrationKind::Expand)
    );
    assert!(
        plan.migrations
            .iter()
            .all(|one| one.sql.contains("CREATE") || one.sql.contains("ALTER"))
    );
    assert!(migrations::create_database_if_missing(url).await.unwrap());
    assert!(!migrations::plan(url).await.unwrap().makes_database);
    let names: Vec<String> = plan.migrations.into_iter().map(|one| one.name).collect();
    assert_eq!(migrations::run(url).await.unwrap(), names);
    migrations::revert_last(url).await.unwrap();
    let left = migrations::plan(url).await.unwrap().migrations;
    assert_eq!(
        left.iter().map(|one| &one.name).collect::<Vec<_>>(),
        [names.last().unwrap()]
    );
}

async fn a_database_is_made_once_even_in_a_race(engine: Engine) {
    let database = ThrowawayDatabase::unmade(engine).await;
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let url = database.url().clone();
            tokio::spawn(async move { migrations::create_database_if_missing(&url).await.unwrap() })
        })
        .collect();
    let mut made = 0;
    for one in racing {
        made += usize::from(one.await.unwrap());
    }
    assert_eq!(made, 1);
    migrations::run(database.url()).await.unwrap();
}

/// The state of a schema may be asked by a role that may not make tables.
#[tokio::test]
async fn looking_at_a_schema_changes_nothing_and_needs_no_runtime_of_several_threads() {
    let database = unmigrated(Engine::Postgres).await;
    migrations::status(database.url()).await.unwrap();
    let mut connection = AsyncPgConnection::establish(database.url().reveal())
        .await
        .unwrap();
    let tables = diesel::sql_query("SELECT FROM pg_tables WHERE schemaname = 'public'");
    let tables = diesel_async::RunQueryDsl::execute(tables, &mut connection)
        .await
        .unwrap();
    assert_eq!(tables, 0);
    migrations::run(database.url()).await.unwrap();
}
