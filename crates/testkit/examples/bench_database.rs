//! Fills a scratch SQLite database for `scripts/bench`: copies the one key that is there, with a secret and an id of its
//! own for each copy, and the one workspace. The server must not run meanwhile.
//!
//! `bench_database DATABASE KEYRING KEYS WORKSPACES SHOWN`: prints the secrets of the first SHOWN copies, one a line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a tool for developers may stop at once"
)]

use std::{env, fmt::Write as _, fs, io::Write as _};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    sql_query, sql_types,
};
use tigertrust_credentials::{KeySecret, OsRandom, Pepper, SystemClock};
use tigertrust_model::{Clock as _, KeyId, KeyType, WorkspaceId};

/// Rows in one statement.
const BATCH: usize = 500;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [database, keyring, keys, workspaces, shown] = arguments.as_slice() else {
        panic!("bench_database DATABASE KEYRING KEYS WORKSPACES SHOWN");
    };
    let [keys, workspaces, shown] =
        [keys, workspaces, shown].map(|text| text.parse::<usize>().expect("a number"));
    let pepper = first_pepper(&fs::read_to_string(keyring).expect("the key ring"));
    let mut connection = SqliteConnection::establish(database).expect("the database");
    connection
        .batch_execute(
            "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA temp_store = MEMORY; BEGIN;
             CREATE TEMP TABLE homes (number INTEGER PRIMARY KEY, id BLOB NOT NULL);
             CREATE TEMP TABLE fresh (number INTEGER PRIMARY KEY, id BLOB NOT NULL, digest BLOB NOT NULL, start TEXT NOT NULL, last_four TEXT NOT NULL);",
        )
        .expect("tables for what is new");
    let clock = SystemClock::new();
    let homes = (0..workspaces).map(|_| {
        let id = WorkspaceId::new(clock.now(), &OsRandom).expect("an id");
        format!("X'{}'", hex(id.as_uuid().as_bytes()))
    });
    insert(&mut connection, "homes (id)", homes);

    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let fresh = (0..keys).map(|number| {
        let secret = KeySecret::generate(KeyType::Agent, &OsRandom).expect("a key");
        let id = KeyId::new(clock.now(), &OsRandom).expect("an id");
        if number < shown {
            writeln!(out, "{}", secret.reveal()).expect("somebody reads");
        }
        let display = secret.parsed().display();
        format!(
            "X'{}', X'{}', '{}', '{}'",
            hex(id.as_uuid().as_bytes()),
            hex(pepper.digest(&secret.parsed()).as_bytes()),
            display.start,
            display.last_four
        )
    });
    insert(&mut connection, "fresh (id, digest, start, last_four)", fresh);

    let of_a_key = |column: &str| match column {
        "id" | "key_id" => Some("fresh.id"),
        "digest" => Some("fresh.digest"),
        "home_workspace_id" => Some("homes.id"),
        "display_start" => Some("fresh.start"),
        "display_last_four" => Some("fresh.last_four"),
        _ => None,
    };
    let copies = "JOIN temp.fresh JOIN temp.homes ON homes.number = 1 + fresh.number % (SELECT count(*) FROM temp.homes)";
    copy(
        &mut connection,
        "workspaces",
        "JOIN temp.homes ORDER BY homes.id",
        |column| (column == "id").then_some("homes.id"),
    );
    copy(
        &mut connection,
        "api_keys",
        &format!("{copies} ORDER BY fresh.id"),
        of_a_key,
    );
    // In the order of the tree that they go into.
    copy(
        &mut connection,
        "api_key_secrets",
        &format!("{copies} ORDER BY fresh.digest"),
        of_a_key,
    );
    connection
        .batch_execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("all of it is stored");
}

/// Inserts rows, each the text of its values.
fn insert(connection: &mut SqliteConnection, into: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let batch: Vec<String> = rows.by_ref().take(BATCH).collect();
        let statement = format!("INSERT INTO temp.{into} VALUES ({})", batch.join("), ("));
        connection.batch_execute(&statement).expect("rows");
    }
}

/// Copies the one row of a table, in all its columns but those for which there is another value.
fn copy(
    connection: &mut SqliteConnection,
    table: &str,
    joined: &str,
    instead: impl Fn(&str) -> Option<&'static str>,
) {
    let columns: Vec<Column> = sql_query(format!("SELECT name FROM pragma_table_info('{table}')"))
        .load(connection)
        .expect("the columns");
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for Column { name } in &columns {
        names.push(name.as_str());
        values.push(instead(name).map_or_else(|| format!("original.{name}"), str::to_owned));
    }
    let (names, values) = (names.join(", "), values.join(", "));
    let original = format!("(SELECT * FROM {table} LIMIT 1) AS original");
    connection
        .batch_execute(&format!(
            "INSERT INTO {table} ({names}) SELECT {values} FROM {original} {joined}"
        ))
        .expect("copies");
}

/// The pepper of a key ring as `tigertrust secrets create` writes it.
fn first_pepper(keyring: &str) -> Pepper {
    let value = |field: &str| {
        keyring
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == field)
            .map(|(_, value)| value.trim().trim_matches('"'))
            .expect("a field of the pepper")
    };
    Pepper::new(value("id"), value("secret")).expect("a pepper")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}
