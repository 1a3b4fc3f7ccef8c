//! An instance moves from one engine to the other.

use std::{num::NonZeroUsize, time::Duration};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    sql_types::{Integer, Text},
};
use tigertrust_accounts::FlowError;
use tigertrust_credentials::{KeyDigest, ports::StoreError};
use tigertrust_model::{Act, Timestamp};
use tigertrust_storage::{
    DatabaseUrl, Options, SchemaState,
    backup::{self, BackupError},
    migrations::{self, MigrationError},
    moving::{self, BATCH, Compared, Conclusion, Move, MoveError, Place, Progress},
};
use tigertrust_testkit::{Engine, ThrowawayDatabase, patient};

use crate::support::{Node, World, on_both_engines, password, user};

on_both_engines!(
    a_move_that_was_stopped_goes_on_where_it_was,
    a_source_that_changed_is_refused_or_found_out,
    a_target_of_others_is_left_as_it_is,
    half_an_instance_is_not_worked_on,
    nobody_works_beside_a_move,
    a_source_with_another_schema_is_refused,
    what_is_not_known_is_not_moved,
    what_was_moved_is_not_worked_on_until_it_is_reopened,
    a_move_that_was_stopped_at_its_end_is_ended_by_the_same,
    a_source_that_takes_no_mark_is_moved_all_the_same,
);

const NOW: Timestamp = Timestamp::from_unix_micros(1_800_000_000_000_000);
const ONE: NonZeroUsize = NonZeroUsize::MIN;

fn other(engine: Engine) -> Engine {
    match engine {
        Engine::Postgres => Engine::Sqlite,
        Engine::Sqlite => Engine::Postgres,
    }
}

async fn begin(from: &ThrowawayDatabase, to: &ThrowawayDatabase) -> Result<Move, MoveError> {
    Move::begin(from.url(), to.url(), BATCH).await
}

fn ignore(_: Progress) {}

/// What is left when the server ends: whoever holds a connection is in the way.
async fn stopped(world: World) -> ThrowawayDatabase {
    let World { database, node } = world;
    node.storage.close().await;
    drop(node);
    database
}

/// An instance with a workspace, which no server runs over.
async fn instance(engine: Engine) -> ThrowawayDatabase {
    let world = World::new(engine).await;
    world.workspace("acme").await;
    stopped(world).await
}

/// Does something on a server of its own.
async fn work_on(url: &DatabaseUrl, email: &str, options: Options) -> Result<(), FlowError> {
    let node = Node::open(url, options);
    let accounts = node.storage.accounts();
    let done = accounts.insert_user(Act::of_operator(), user(email), password());
    let done = done.await.map(drop);
    node.storage.close().await;
    done
}

/// Moves all that is left, and compares.
async fn finish(mut moving: Move) -> Conclusion {
    while moving.step().await.unwrap().is_some() {}
    moving.conclude(&mut ignore).await.unwrap()
}

async fn moved(from: &ThrowawayDatabase, to: &ThrowawayDatabase) -> Vec<Compared> {
    let moved = finish(begin(from, to).await.unwrap()).await;
    let differing: Vec<_> = moved.tables.iter().filter(|table| !table.is_equal()).collect();
    assert!(differing.is_empty(), "{differing:?}");
    assert!(moved.unmarked.is_none(), "{:?}", moved.unmarked);
    moved.tables
}

async fn schema(url: &DatabaseUrl) -> SchemaState {
    let node = Node::open(url, patient());
    let state = node.storage.schema_state().await.unwrap();
    node.storage.close().await;
    state
}

/// A column, as SQLite tells it.
#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Integer)]
    must: i32,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn sqlite(database: &ThrowawayDatabase) -> SqliteConnection {
    let path = database.url().reveal().strip_prefix("sqlite://").unwrap();
    SqliteConnection::establish(path).unwrap()
}

fn columns(connection: &mut SqliteConnection) -> Vec<Column> {
    diesel::sql_query(
        "SELECT m.name AS \"table\", c.name AS \"column\", c.type AS kind, c.\"notnull\" AS must \
         FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY m.name, c.cid",
    )
    .load(connection)
    .unwrap()
}

const TRUTHS: [&str; 8] = [
    "second_factor",
    "sso_confined",
    "sso_second_factor",
    "require_second_factor",
    "enabled",
    "enforced",
    "active",
    "slow",
];

/// A value that the column takes, unlike those of other rows. Ids are the same in all tables, so that what refers to a row finds one.
fn value(column: &Column, row: u8) -> String {
    let Column { table, column, .. } = column;
    let is_first = row == 1;
    let quoted = |text: &str| format!("'{text}'");
    match column.as_str() {
        "id" if ["change_head", "clock_mark"].contains(&table.as_str()) => "1".to_owned(),
        "role" | "join_role" => quoted("admin"),
        "type" => quoted("agent"),
        "state" if table == "api_keys" => quoted(if is_first { "revoked" } else { "active" }),
        "state" if table == "webhook_deliveries" => quoted(if is_first { "pending" } else { "dead" }),
        "granularity" => quoted("minute"),
        "kind" if table == "changes" => quoted("key"),
        "protocol" => quoted("oidc"),
        "leak_response" => quoted("notify"),
        "disabled_because" => quoted("asked"),
        "metadata" => quoted("{\"b\":1e308,  \"a\":\"ä\"}"),
        // In the very words that PostgreSQL has for them, so that they come back as they were.
        "scopes" | "allowed_cidrs" | "events" => quoted("[\"ä\", \"\\\"\", \"b\\\\c\"]"),
        "failures" => quoted("[1800000000123456, 1800000000123457]"),
        "settings" | "claims" => quoted("{\"a\": [null, true, 1.5], \"bb\": {}}"),
        name if TRUTHS.contains(&name) => u8::from(is_first).to_string(),
        name => text_bytes_or_number(name, table, row),
    }
}

fn text_bytes_or_number(column: &str, table: &str, row: u8) -> String {
    let times = [
        "bucket",
        "last_day",
        "latest",
        "failing_since",
        "previous_secret_until",
    ];
    if column.ends_with("_at") || times.contains(&column) {
        return format!("'2027-01-15 08:00:0{row}.00000{row}+00:00'");
    }
    let is_id = column == "id" || column == "salt" || column.ends_with("_id");
    let is_id = is_id && table != "sso_replays";
    let bytes = format!("{:02x}", 240 + row).repeat(if is_id { 16 } else { 32 });
    format!(
        "CASE kind WHEN 'BLOB' THEN x'{bytes}' WHEN 'INTEGER' THEN {row} ELSE '{column} ''{row}'' ä\n\\' END"
    )
}

/// Two rows in every table that can have two, in a file: one with a value in every column, one with as many nulls as there may be.
fn fill(database: &ThrowawayDatabase) {
    let mut connection = sqlite(database);
    let columns = columns(&mut connection);
    connection
        .batch_execute("PRAGMA foreign_keys = OFF; DELETE FROM change_head; DELETE FROM clock_mark; BEGIN")
        .unwrap();
    for of_table in columns.chunk_by(|left, right| left.table == right.table) {
        let table = &of_table[0].table;
        let rows: &[u8] = match table.as_str() {
            "change_head" | "clock_mark" => &[1],
            "nodes" => &[],
            _ => &[1, 2],
        };
        for row in rows {
            let values = of_table.iter().map(|column| {
                if *row == 2 && column.must == 0 {
                    return "NULL".to_owned();
                }
                let kind = format!("'{}'", column.kind);
                value(column, *row).replace("CASE kind", &format!("CASE {kind}"))
            });
            let values = values.collect::<Vec<_>>().join(", ");
            connection
                .batch_execute(&format!("INSERT INTO {table} VALUES ({values})"))
                .unwrap_or_else(|error| panic!("{table}: {error}: {values}"));
        }
    }
    connection.batch_execute("COMMIT").unwrap();
    let broken: Vec<Line> =
        diesel::sql_query("SELECT \"table\" || ' ' || parent AS line FROM pragma_foreign_key_check")
            .load(&mut connection)
            .unwrap();
    let broken: Vec<String> = broken.into_iter().map(|line| line.line).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// All that is in a file.
fn content(database: &ThrowawayDatabase) -> Vec<String> {
    let mut connection = sqlite(database);
    let columns = columns(&mut connection);
    let mut lines = Vec::new();
    for of_table in columns.chunk_by(|left, right| left.table == right.table) {
        let table = &of_table[0].table;
        let values = of_table
            .iter()
            .map(|column| format!("'{}=' || quote(\"{}\")", column.column, column.column));
        let values = values.collect::<Vec<_>>().join(" || ' ' || ");
        let all = format!("SELECT '{table}: ' || {values} AS line FROM {table} ORDER BY 1");
        let all: Vec<Line> = diesel::sql_query(all).load(&mut connection).unwrap();
        lines.extend(all.into_iter().map(|line| line.line));
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_moves_there_and_back() {
    let (first, between, last) = (
        ThrowawayDatabase::create(Engine::Sqlite).await,
        ThrowawayDatabase::unmade(Engine::Postgres).await,
        ThrowawayDatabase::unmade(Engine::Sqlite).await,
    );
    fill(&first);
    let there = moved(&first, &between).await;
    let has_rows = there.iter().filter(|table| table.target.rows > 0).count();
    assert_eq!(has_rows, there.len());
    assert_eq!(schema(between.url()).await, SchemaState::Current);
    let back = moved(&between, &last).await;
    assert_eq!(there, back);
    assert_eq!(content(&first), content(&last));
    // And it is not moved into what it has become.
    let again = begin(&first, &between).await.unwrap_err();
    assert!(matches!(again, MoveError::MovedAway), "{again}");
    moving::reopen(first.url(), NOW).await.unwrap();
    let again = begin(&first, &between).await.unwrap_err();
    assert!(matches!(again, MoveError::NotEmpty(_)), "{again}");
}

async fn a_move_that_was_stopped_goes_on_where_it_was(engine: Engine) {
    let world = World::new(engine).await;
    for name in ["a", "b", "c"] {
        world.workspace(name).await;
    }
    let from = stopped(world).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    let (from, to) = (from.url(), to.url());
    let mut done = 0;
    // In the middle of tables, and between them.
    loop {
        let mut moving = Move::begin(from, to, ONE).await.unwrap();
        assert_eq!(moving.done(), done);
        let mut is_over = false;
        for _ in 0..4 {
            match moving.step().await.unwrap() {
                Some(progress) => {
                    done += 1;
                    assert_eq!(progress.done, done);
                }
                None => is_over = true,
            }
        }
        if is_over {
            assert_eq!(done, moving.rows());
            break;
        }
    }
    // All is there, and it was not looked at yet.
    assert_eq!(schema(to).await, SchemaState::HalfMoved);
    let moved = finish(Move::begin(from, to, BATCH).await.unwrap()).await;
    assert!(moved.is_equal(), "{moved:?}");
    assert_eq!(schema(to).await, SchemaState::Current);

    // It is worked on: the log goes on where it ended, and so do the numbers of changes.
    work_on(to, "new@example.com", patient()).await.unwrap();
}

async fn a_source_that_changed_is_refused_or_found_out(engine: Engine) {
    let from = instance(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    let mut moving = begin(&from, &to).await.unwrap();
    while moving.step().await.unwrap().is_some() {}
    drop(moving);

    // By somebody who leaves no trace in the log, and whom only the comparison finds out.
    from.run("UPDATE users SET name = 'Mallory'");
    let compared = finish(begin(&from, &to).await.unwrap()).await.tables;
    let differing = compared.iter().filter(|table| !table.is_equal());
    let differing: Vec<&str> = differing.map(|table| table.table.as_str()).collect();
    assert_eq!(differing, ["users"]);
    assert_eq!(schema(to.url()).await, SchemaState::HalfMoved);

    // By a server.
    work_on(from.url(), "late@example.com", patient()).await.unwrap();
    let changed = begin(&from, &to).await.unwrap_err();
    assert!(matches!(changed, MoveError::OtherSource), "{changed}");
    // Another source does not go on with it either.
    let stranger = ThrowawayDatabase::create(engine).await;
    let refused = begin(&stranger, &to).await.unwrap_err();
    assert!(matches!(refused, MoveError::OtherSource), "{refused}");
}

async fn a_target_of_others_is_left_as_it_is(engine: Engine) {
    let from = ThrowawayDatabase::create(engine).await;
    // An instance, and an old one at that: it is not even migrated.
    let used = instance(other(engine)).await;
    migrations::revert_last(used.url()).await.unwrap();
    let refused = begin(&from, &used).await.unwrap_err();
    assert!(
        matches!(&refused, MoveError::NotEmpty(tables) if tables.contains(&"users".to_owned())),
        "{refused}"
    );
    assert!(matches!(schema(used.url()).await, SchemaState::Pending(_)));

    // Something else.
    let foreign = ThrowawayDatabase::unmade(other(engine)).await;
    migrations::create_database_if_missing(foreign.url())
        .await
        .unwrap();
    foreign.run("CREATE TABLE orders (id integer PRIMARY KEY)");
    let refused = begin(&from, &foreign).await.unwrap_err();
    assert!(
        matches!(&refused, MoveError::Foreign(tables) if tables == &["orders"]),
        "{refused}"
    );
    assert!(
        migrations::status(foreign.url())
            .await
            .unwrap()
            .iter()
            .all(|(_, applied)| !applied)
    );
    let same = Move::begin(from.url(), from.url(), BATCH).await.unwrap_err();
    assert!(matches!(same, MoveError::SameEngine), "{same}");
}

async fn half_an_instance_is_not_worked_on(engine: Engine) {
    let from = instance(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    let mut moving = begin(&from, &to).await.unwrap();
    moving.step().await.unwrap();
    drop(moving);
    assert_eq!(schema(to.url()).await, SchemaState::HalfMoved);
    for refused in [
        migrations::run(to.url()).await.map(|_| ()),
        migrations::plan(to.url()).await.map(|_| ()),
        migrations::revert_last(to.url()).await.map(|_| ()),
        migrations::status(to.url()).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(MigrationError::HalfMoved)), "{refused:?}");
    }
    let refused = backup::mark_restored(to.url(), NOW).await.unwrap_err();
    assert!(
        matches!(refused, BackupError::Migration(MigrationError::HalfMoved)),
        "{refused}"
    );
    if to.engine() == Engine::Sqlite {
        let copy = tempfile::tempdir().unwrap();
        let copy = copy.path().join("copy.db");
        let refused = backup::write(to.url(), &copy).await.unwrap_err();
        assert!(matches!(refused, BackupError::HalfMoved), "{refused}");
        assert!(!copy.exists());
    }
    let refused = moving::reopen(to.url(), NOW).await.unwrap_err();
    assert!(
        matches!(refused, MoveError::Migration(MigrationError::HalfMoved)),
        "{refused}"
    );
    let onward = ThrowawayDatabase::unmade(engine).await;
    let refused = begin(&to, &onward).await.unwrap_err();
    assert!(matches!(refused, MoveError::HalfMoved), "{refused}");
    // A server that could not look at its start lets nobody in later either.
    let node = Node::open(to.url(), patient());
    let store = node.storage.credentials();
    let digest = KeyDigest::from_bytes([7; 32]);
    assert!(matches!(
        store.find_key(&[digest]).await,
        Err(StoreError::Unavailable(_))
    ));
    node.storage.close().await;
}

async fn nobody_works_beside_a_move(engine: Engine) {
    let from = ThrowawayDatabase::create(engine).await;
    let to = ThrowawayDatabase::create(other(engine)).await;
    for (database, place) in [(&from, Place::Source), (&to, Place::Target)] {
        let node = Node::open(database.url(), patient());
        node.storage.ping().await.unwrap();
        let refused = begin(&from, &to).await.unwrap_err();
        assert!(
            matches!(refused, MoveError::InUse(used) if used == place),
            "{refused}"
        );
        node.storage.close().await;
        drop(node);
    }
    let moving = begin(&from, &to).await.unwrap();
    let refused = begin(&from, &to).await.unwrap_err();
    assert!(matches!(refused, MoveError::InUse(Place::Source)), "{refused}");
    let impatient = Options {
        acquire_timeout: Duration::from_millis(200),
        lock_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    work_on(from.url(), "jo@example.com", impatient)
        .await
        .unwrap_err();
    drop(moving);
    moved(&from, &to).await;
}

async fn a_source_with_another_schema_is_refused(engine: Engine) {
    let from = ThrowawayDatabase::create(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    // What a newer program has added would be lost.
    from.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001expand')");
    let ahead = begin(&from, &to).await.unwrap_err();
    assert!(matches!(ahead, MoveError::Ahead(Place::Source, _)), "{ahead}");
    from.run("DELETE FROM __diesel_schema_migrations WHERE version = '29990101000001expand'");
    migrations::revert_last(from.url()).await.unwrap();
    let behind = begin(&from, &to).await.unwrap_err();
    assert!(matches!(behind, MoveError::Behind(Place::Source, _)), "{behind}");
    assert!(behind.to_string().contains("`tigertrust migrate run`"));
}

/// Somebody who adds a table has to say in `moving/tables.rs` what becomes of it; a column that both engines have is moved.
async fn what_is_not_known_is_not_moved(engine: Engine) {
    let from = ThrowawayDatabase::create(engine).await;
    let to = ThrowawayDatabase::create(other(engine)).await;
    let unknown = |refused: MoveError| match refused {
        MoveError::Layout(what) => what,
        other => panic!("{other}"),
    };
    from.run("CREATE TABLE colours (id integer NOT NULL PRIMARY KEY)");
    assert_eq!(unknown(begin(&from, &to).await.unwrap_err()), "the table colours");
    from.run("DROP TABLE colours");
    from.run("ALTER TABLE users ADD COLUMN colour text");
    let column = "the column colour of the table users";
    assert_eq!(unknown(begin(&from, &to).await.unwrap_err()), column);
    // Of another kind.
    to.run("ALTER TABLE users ADD COLUMN colour integer");
    assert_eq!(unknown(begin(&from, &to).await.unwrap_err()), column);
    to.run("ALTER TABLE users DROP COLUMN colour");
    to.run("ALTER TABLE users ADD COLUMN colour text");
    moved(&from, &to).await;
}

async fn what_was_moved_is_not_worked_on_until_it_is_reopened(engine: Engine) {
    let from = instance(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    // Another one, which was given up halfway.
    let elsewhere = ThrowawayDatabase::unmade(other(engine)).await;
    let mut moving = begin(&from, &elsewhere).await.unwrap();
    moving.step().await.unwrap().unwrap();
    drop(moving);
    moved(&from, &to).await;
    assert_eq!(schema(from.url()).await, SchemaState::MovedAway);
    // It is not to be served beside the one that was moved to.
    let refused = begin(&from, &elsewhere).await.unwrap_err();
    assert!(matches!(refused, MoveError::MovedAway), "{refused}");
    assert_eq!(schema(elsewhere.url()).await, SchemaState::HalfMoved);
    for refused in [
        migrations::run(from.url()).await.map(|_| ()),
        migrations::plan(from.url()).await.map(|_| ()),
        migrations::revert_last(from.url()).await.map(|_| ()),
        migrations::status(from.url()).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(MigrationError::MovedAway)), "{refused:?}");
    }
    backup::mark_restored(from.url(), NOW).await.unwrap_err();
    // Neither by a server that could not look at its start.
    work_on(from.url(), "late@example.com", patient())
        .await
        .unwrap_err();
    // It is not moved once more either, and nothing is made for that.
    let onward = ThrowawayDatabase::unmade(other(engine)).await;
    let refused = begin(&from, &onward).await.unwrap_err();
    assert!(matches!(refused, MoveError::MovedAway), "{refused}");
    assert!(migrations::plan(onward.url()).await.unwrap().makes_database);

    let before = begin(&to, &from).await.unwrap_err();
    assert!(matches!(before, MoveError::NotEmpty(_)), "{before}");
    moving::reopen(from.url(), NOW).await.unwrap();
    assert_eq!(schema(from.url()).await, SchemaState::Current);
    work_on(from.url(), "late@example.com", patient()).await.unwrap();
    let again = moving::reopen(from.url(), NOW).await.unwrap_err();
    assert!(matches!(again, MoveError::NotMovedAway), "{again}");
}

async fn a_move_that_was_stopped_at_its_end_is_ended_by_the_same(engine: Engine) {
    let from = instance(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    let mut moving = begin(&from, &to).await.unwrap();
    while moving.step().await.unwrap().is_some() {}
    drop(moving);
    // As it is between the two marks: neither is worked on.
    to.run(
        "UPDATE tigertrust_move SET position = replace(position, '\"is_ready\":false', '\"is_ready\":true')",
    );
    from.run("INSERT INTO __diesel_schema_migrations (version) VALUES ('moved_away')");
    assert_eq!(schema(from.url()).await, SchemaState::MovedAway);
    assert_eq!(schema(to.url()).await, SchemaState::HalfMoved);
    moved(&from, &to).await;
    assert_eq!(schema(from.url()).await, SchemaState::MovedAway);
    assert_eq!(schema(to.url()).await, SchemaState::Current);
}

async fn a_source_that_takes_no_mark_is_moved_all_the_same(engine: Engine) {
    let from = instance(engine).await;
    let to = ThrowawayDatabase::unmade(other(engine)).await;
    from.run(match engine {
        Engine::Postgres => {
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$"
        }
        Engine::Sqlite => {
            "CREATE TRIGGER no_mark BEFORE INSERT ON __diesel_schema_migrations BEGIN SELECT RAISE(ABORT, 'read only'); END"
        }
    });
    let moved = finish(begin(&from, &to).await.unwrap()).await;
    assert!(moved.is_equal() && moved.unmarked.is_some(), "{moved:?}");
    assert_eq!(schema(to.url()).await, SchemaState::Current);
    assert_eq!(schema(from.url()).await, SchemaState::Current);
}

/// The same database under another role.
fn under(url: &DatabaseUrl, role: &str) -> DatabaseUrl {
    let (scheme, rest) = url.reveal().split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{role}@{host}/{path}").parse().unwrap()
}

/// A role that is no superuser is told little of the sessions of others, and enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_seen_under_a_plain_role_too() {
    let server = ThrowawayDatabase::create(Engine::Postgres).await;
    let database = ThrowawayDatabase::unmade(Engine::Postgres).await;
    let name = database.url().reveal().rsplit('/').next().unwrap();
    let name = name.split('?').next().unwrap();
    let (mover, guest) = (format!("{name}_mover"), format!("{name}_guest"));
    server.run(&format!("CREATE ROLE {mover} LOGIN CREATEDB"));
    server.run(&format!("CREATE ROLE {guest} LOGIN"));
    let own = under(database.url(), &mover);

    // Who may not make a database is told what to do.
    let refused = migrations::create_database_if_missing(&under(&own, &guest)).await;
    assert!(
        matches!(&refused, Err(MigrationError::NotCreated { name: missing, .. }) if missing == name),
        "{refused:?}"
    );
    migrations::create_database_if_missing(&own).await.unwrap();
    migrations::run(&own).await.unwrap();
    let to = ThrowawayDatabase::unmade(Engine::Sqlite).await;
    let node = Node::open(&under(&own, &guest), patient());
    node.storage.ping().await.unwrap();
    let refused = Move::begin(&own, to.url(), BATCH).await.unwrap_err();
    assert!(matches!(refused, MoveError::InUse(Place::Source)), "{refused}");
    node.storage.close().await;
    drop(node);
    let moved = finish(Move::begin(&own, to.url(), BATCH).await.unwrap()).await;
    assert!(moved.is_equal() && moved.unmarked.is_none(), "{moved:?}");

    drop(database);
    server.run(&format!("DROP ROLE {mover}"));
    server.run(&format!("DROP ROLE {guest}"));
}
