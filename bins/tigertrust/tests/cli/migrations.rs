//! Upgrades: from every earlier schema, and by several programs at once.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::Text,
};
use serde_json::Value;
use tigertrust_testkit::{Engine, ThrowawayDatabase};

use crate::{
    people::{login, me},
    program::{Folder, in_a_folder_for_each_engine},
};

in_a_folder_for_each_engine!(
    every_earlier_schema_is_upgraded_with_its_data,
    programs_that_migrate_at_once_migrate_once,
    servers_that_migrate_at_once_all_come_up,
    a_plan_is_shown_and_nothing_runs,
    a_server_that_is_older_restarts_where_a_newer_one_has_only_added,
);

/// What diesel remembers migrations in.
const REMEMBERED: &str = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
     run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// The folders of an engine's migrations, oldest first.
fn folders(engine: Engine) -> Vec<PathBuf> {
    let name = match engine {
        Engine::Postgres => "postgres",
        Engine::Sqlite => "sqlite",
    };
    let all = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(name);
    let mut folders: Vec<_> = fs::read_dir(all)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort_unstable();
    folders
}

/// What brings an empty database to the schema after those migrations.
fn schema_after(folders: &[PathBuf]) -> String {
    let mut sql = format!("{REMEMBERED};\n");
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let version = name.split('_').next().unwrap().replace('-', "");
        sql.push_str(&fs::read_to_string(folder.join("up.sql")).unwrap());
        sql.push_str(&format!(
            ";\nINSERT INTO __diesel_schema_migrations (version) VALUES ('{version}');\n"
        ));
    }
    sql
}

/// A database with an earlier schema, and with as much of another's data as fits into it.
trait Place {
    /// Empties the place of the database and fills it anew.
    fn fill(&self, schema: &str);
}

#[derive(QueryableByName)]
struct Columns {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    columns: String,
}

/// A file beside which lies the one with the data.
struct File {
    path: PathBuf,
    data: PathBuf,
}

impl File {
    fn new(folder: &Folder) -> Self {
        let path = folder.path().join("tigertrust-data/tigertrust.db");
        let data = folder.path().join("data.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection
            .batch_execute(&format!("VACUUM INTO '{}'", data.display()))
            .unwrap();
        Self { path, data }
    }
}

impl Place for File {
    fn fill(&self, schema: &str) {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(format!("{}{suffix}", self.path.display())));
        }
        let mut connection = SqliteConnection::establish(self.path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA foreign_keys = OFF").unwrap();
        connection.batch_execute(schema).unwrap();
        let tables: Vec<Columns> = diesel::sql_query(
            "SELECT m.name AS \"table\", group_concat('\"' || c.name || '\"') AS columns \
             FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
             WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' GROUP BY m.name",
        )
        .load(&mut connection)
        .unwrap();
        let attach = format!("ATTACH '{}' AS data", self.data.display());
        connection.batch_execute(&attach).unwrap();
        for Columns { table, columns } in tables {
            connection
                .batch_execute(&format!(
                    "DELETE FROM main.{table}; INSERT INTO main.{table} ({columns}) SELECT {columns} FROM data.{table}"
                ))
                .unwrap();
        }
    }
}

/// A database on the server, and the one with the data.
struct Database {
    url: String,
    data: ThrowawayDatabase,
}

fn psql(url: &str, arguments: &[&str]) -> String {
    let output = Command::new("psql")
        .args([url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn name_in(url: &str) -> &str {
    url.rsplit('/').next().unwrap().split('?').next().unwrap()
}

impl Database {
    async fn new(folder: &Folder) -> Self {
        let (url, data) = (
            folder.database_url(),
            ThrowawayDatabase::unmade(Engine::Postgres).await,
        );
        let copy = format!(
            "CREATE DATABASE {} TEMPLATE {}",
            name_in(data.url().reveal()),
            name_in(&url)
        );
        psql(&server(), &["-c", &copy]);
        Self { url, data }
    }
}

fn server() -> String {
    std::env::var("TIGERTRUST_TEST_POSTGRES").unwrap()
}

impl Place for Database {
    fn fill(&self, schema: &str) {
        let name = name_in(&self.url);
        psql(
            &server(),
            &[
                "-c",
                &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                "-c",
                &format!("CREATE DATABASE {name}"),
            ],
        );
        psql(&self.url, &["-c", schema]);
        let filled = psql(
            self.data.url().reveal(),
            &[
                "-c",
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
                 AND (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM ' || quote_ident(table_name), \
                 false, true, '')))[1]::text::int > 0",
            ],
        );
        let tables = psql(
            &self.url,
            &[
                "-c",
                "SELECT table_name || '|' || string_agg(quote_ident(column_name), ',') FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations' GROUP BY table_name",
            ],
        );
        for line in tables.lines() {
            let (table, columns) = line.split_once('|').unwrap();
            if !filled.lines().any(|name| name == table) {
                continue;
            }
            let rows = psql(
                self.data.url().reveal(),
                &["-c", &format!("COPY (SELECT {columns} FROM {table}) TO STDOUT")],
            );
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), rows).unwrap();
            let from = file.path().display();
            psql(
                &self.url,
                &[
                    "-c",
                    "SET session_replication_role = replica",
                    "-c",
                    &format!("DELETE FROM {table}"),
                    "-c",
                    &format!("\\copy {table} ({columns}) FROM '{from}'"),
                ],
            );
        }
    }
}

/// Which schema added sessions, and which the audit log.
const SESSIONS: usize = 3;
const AUDIT: usize = 10;

async fn every_earlier_schema_is_upgraded_with_its_data(folder: Folder) {
    let served = folder.quickstart(&[]);
    let key = served.text("agentKey").to_owned();
    let session = login(&served, served.text("password")).await.unwrap();
    let made = folder.json(&["key", "create", "--name", "gone"]);
    let revoked = made["key"].as_str().unwrap().to_owned();
    folder.json(&["key", "revoke", made["id"].as_str().unwrap()]);
    served.stop();
    let (engine, place): (_, Box<dyn Place>) = if folder.database_url().starts_with("sqlite") {
        (Engine::Sqlite, Box::new(File::new(&folder)))
    } else {
        (Engine::Postgres, Box::new(Database::new(&folder).await))
    };
    let folders = folders(engine);
    let events = |folder: &Folder| folder.json(&["audit", "verify"]);
    let whole = |verified: &Value| {
        let chains = verified["chains"].as_array().unwrap();
        chains.iter().all(|chain| chain["whole"] == true)
    };
    for earlier in 1..folders.len() {
        let (have, lack) = folders.split_at(earlier);
        place.fill(&schema_after(have));
        let ran = folder.json(&["migrate", "run"]);
        assert_eq!(ran.as_array().unwrap().len(), lack.len(), "{ran}");
        if earlier >= AUDIT {
            let verified = events(&folder);
            assert!(whole(&verified), "from {have:?}: {verified}");
        }
        let served = folder.quickstart(&[]);
        assert_eq!(served.check(&key).await, 200, "from {have:?}");
        assert_eq!(served.check(&revoked).await, 401, "from {have:?}");
        let signed_in = if earlier < SESSIONS { 401 } else { 200 };
        assert_eq!(me(&served, &session).await, signed_in, "from {have:?}");
        // And it is worked on.
        let new = folder.json(&["key", "create", "--name", "new"]);
        assert_eq!(served.check(new["key"].as_str().unwrap()).await, 200);
        // The log of a database that had none begins with the first act; people are the instance's business.
        folder.json(&["user", "create", "new@example.com"]);
        served.stop();
        assert!(whole(&events(&folder)), "from {have:?}");
    }
}

async fn programs_that_migrate_at_once_migrate_once(folder: Folder) {
    let racing: Vec<Child> = (0..4)
        .map(|_| {
            folder
                .command(&["migrate", "run", "--output", "json"])
                .env("TIGERTRUST__DATABASE__URL", folder.database_url())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let ran = racing.into_iter().map(|one| {
        let output = one.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let ran: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
        ran.len()
    });
    let mut ran: Vec<usize> = ran.collect();
    ran.sort_unstable();
    assert_eq!(ran, [0, 0, 0, folders(Engine::Sqlite).len()]);
}

async fn servers_that_migrate_at_once_all_come_up(folder: Folder) {
    assert!(folder.run(&["secrets", "create", "ring.toml"]).status.success());
    let mut servers: Vec<Child> = (0..3)
        .map(|_| {
            folder
                .command(&["serve", "--migrate", "--listen", "127.0.0.1:0"])
                .env("TIGERTRUST__DATABASE__URL", folder.database_url())
                .env("TIGERTRUST__KEYRING_FILE", "ring.toml")
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for server in &mut servers {
        // A server that ends instead has no such line.
        let mut log = BufReader::new(server.stderr.as_mut().unwrap()).lines();
        assert!(log.any(|line| line.unwrap().contains("serving")));
    }
    for mut server in servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
    let mut status = folder.command(&["migrate", "status", "--output", "json"]);
    let status = status.env("TIGERTRUST__DATABASE__URL", folder.database_url());
    let status: Value = serde_json::from_slice(&status.output().unwrap().stdout).unwrap();
    let status = status.as_array().unwrap();
    assert_eq!(status.len(), folders(Engine::Sqlite).len());
    assert!(status.iter().all(|one| one["applied"] == true));
}

async fn a_plan_is_shown_and_nothing_runs(folder: Folder) {
    let plan = |more: &[&str]| {
        let mut command = folder.command(&[&["migrate", "plan"], more].concat());
        let command = command.env("TIGERTRUST__DATABASE__URL", folder.database_url());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let shown: Value = serde_json::from_str(&plan(&["--output", "json"])).unwrap();
    assert_eq!(shown["createsDatabase"], true);
    assert_eq!(
        shown["migrations"][0],
        serde_json::json!({"name": "2026-11-24-000001_initial", "kind": "expand"})
    );
    let text = plan(&["--sql"]);
    assert!(
        text.contains("There is no database yet") && text.contains("CREATE TABLE users"),
        "{text}"
    );
    // Neither has made it.
    let again: Value = serde_json::from_str(&plan(&["--output", "json"])).unwrap();
    assert_eq!(again, shown);
    folder.quickstart(&[]).stop();
    assert_eq!(plan_of(&folder)["migrations"], serde_json::json!([]));
    folder.json(&["migrate", "revert", "--allow-data-loss"]);
    assert_eq!(plan_of(&folder)["migrations"].as_array().unwrap().len(), 1);
}

fn plan_of(folder: &Folder) -> Value {
    folder.json(&["migrate", "plan"])
}

async fn a_server_that_is_older_restarts_where_a_newer_one_has_only_added(folder: Folder) {
    let served = folder.quickstart(&[]);
    let key = served.text("agentKey").to_owned();
    // A newer program migrates while this one runs.
    folder.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001expand')");
    folder.sql("ALTER TABLE api_keys ADD COLUMN colour text");
    let made = folder.json(&["key", "create", "--name", "rolling"]);
    assert_eq!(served.check(made["key"].as_str().unwrap()).await, 200);
    served.stop();
    let mut served = folder.quickstart(&[]);
    assert_eq!(served.check(&key).await, 200);
    served.logged("serving");
    served.stop();
    folder.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000002contract')");
    let refused = folder.failure(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        refused.contains("ahead of this program by 2 migrations") && refused.contains("newer program"),
        "{refused}"
    );
    let refused = folder.failure(&["migrate", "run"]);
    assert!(refused.contains("newer than this program"), "{refused}");
}
