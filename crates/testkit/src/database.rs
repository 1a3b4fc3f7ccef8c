//! Throwaway databases.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    path::Path,
    process::Command,
    time::Duration,
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use tempfile::TempDir;
use tigertrust_credentials::OsRandom;
use tigertrust_model::RandomSource;
use tigertrust_storage::{DatabaseUrl, Options, migrations};

/// The environment variable with the URL of a PostgreSQL database from which others may be made.
const SERVER: &str = "TIGERTRUST_TEST_POSTGRES";

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A server whose URL is in the environment.
    Postgres,
    /// A file.
    Sqlite,
}

/// How long a statement, a lock or a connection may take in a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The default options, but for a machine that has much else to do: only the tests of a deadline are to meet it.
#[must_use]
pub fn patient() -> Options {
    Options {
        acquire_timeout: PATIENCE,
        statement_timeout: PATIENCE,
        lock_timeout: PATIENCE,
        ..Options::default()
    }
}

/// A database of a test's own, gone when this is dropped.
pub struct ThrowawayDatabase {
    url: DatabaseUrl,
    place: Place,
}

enum Place {
    Postgres { server: String, name: String },
    Sqlite { folder: TempDir },
}

impl ThrowawayDatabase {
    /// A database with the present schema and no rows.
    pub async fn create(engine: Engine) -> Self {
        let database = Self::unmade(engine).await;
        match &database.place {
            Place::Postgres { server, name } => {
                let template = template_name();
                if copy(server, name, &template).is_err() {
                    make_template(server, &template).await;
                    copy(server, name, &template).expect("a copy of the template");
                }
            }
            Place::Sqlite { .. } => {
                migrations::create_database_if_missing(&database.url)
                    .await
                    .expect("a new file");
                migrations::run(&database.url).await.expect("the migrations run");
            }
        }
        database
    }

    /// The name of a database that does not exist yet. Whoever makes it need not take it away.
    #[allow(clippy::unused_async, reason = "the same to its callers as `create`")]
    pub async fn unmade(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => {
                let server =
                    env::var(SERVER).unwrap_or_else(|_| panic!("set {SERVER} or run ./scripts/test"));
                let name = format!("tigertrust_test_{}", random_name());
                Self {
                    url: on_server(&server, &name),
                    place: Place::Postgres { server, name },
                }
            }
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("tigertrust.db");
                Self {
                    url: format!("sqlite://{}", path.display()).parse().expect("a URL"),
                    place: Place::Sqlite { folder },
                }
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Everything that it holds, as text in which what was stored as text can be found.
    ///
    /// # Panics
    /// Where it cannot be read.
    #[must_use]
    pub fn dump(&self) -> String {
        match &self.place {
            Place::Postgres { .. } => {
                let query = "SELECT database_to_xml(true, false, '')";
                let output = Command::new("psql")
                    .args([self.url.reveal(), "-X", "-A", "-t", "-c", query])
                    .output()
                    .expect("psql runs");
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
            Place::Sqlite { folder } => {
                let files = fs::read_dir(folder.path()).expect("the folder");
                let contents = files.map(|file| fs::read(file.expect("a file").path()).expect("its content"));
                contents
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .collect()
            }
        }
    }

    /// Runs a statement past the program, as somebody does who has the database.
    ///
    /// # Panics
    /// Where it cannot be run.
    pub fn run(&self, statement: &str) {
        match &self.place {
            Place::Postgres { .. } => psql(self.url.reveal(), statement).expect("the statement runs"),
            Place::Sqlite { folder } => {
                let path = folder.path().join("tigertrust.db");
                let path = path.to_str().expect("a path in UTF-8");
                let mut connection = SqliteConnection::establish(path).expect("the file");
                let wait = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
                connection.batch_execute(&wait).expect("a setting");
                connection.batch_execute(statement).expect("the statement runs");
            }
        }
    }

    /// Which engine it is on.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.place {
            Place::Postgres { .. } => Engine::Postgres,
            Place::Sqlite { .. } => Engine::Sqlite,
        }
    }
}

impl Drop for ThrowawayDatabase {
    fn drop(&mut self) {
        if let Place::Postgres { server, name } = &self.place {
            // A test that fails must say why, and not that this failed too.
            let _ = psql(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// Makes a database with the present schema that others are copied from, which is faster than to migrate each. Whoever is
/// second to give it its name throws its own away, so that no lock is needed and nobody sees half of one.
async fn make_template(server: &str, template: &str) {
    let draft = format!("tigertrust_draft_{}", random_name());
    psql(server, &format!("CREATE DATABASE {draft}")).expect("a new database");
    migrations::run(&on_server(server, &draft))
        .await
        .expect("the migrations run");
    if psql(server, &format!("ALTER DATABASE {draft} RENAME TO {template}")).is_err() {
        psql(server, &format!("DROP DATABASE {draft} WITH (FORCE)")).expect("the draft goes");
    }
}

fn copy(server: &str, name: &str, template: &str) -> Result<(), String> {
    psql(server, &format!("CREATE DATABASE {name} TEMPLATE {template}"))
}

/// Named by the text of the migrations, so that a server that is kept for longer has one for each.
fn template_name() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the migrations")
        .map(|entry| entry.expect("a migration").path().join("up.sql"))
        .collect();
    files.sort_unstable();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.parent().and_then(Path::file_name).hash(&mut hasher);
        fs::read(&file).expect("a migration's text").hash(&mut hasher);
    }
    format!("tigertrust_template_{:016x}", hasher.finish())
}

/// The URL of another database on the server.
fn on_server(server: &str, name: &str) -> DatabaseUrl {
    let (address, query) = server.split_once('?').unwrap_or((server, ""));
    let (address, _) = address.rsplit_once('/').expect("a URL with a database");
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{address}/{name}{separator}{query}")
        .parse()
        .expect("a URL")
}

fn random_name() -> String {
    let mut bytes = [0; 8];
    OsRandom.fill(&mut bytes).expect("random bytes");
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// Runs one statement. A program of its own can do so in `drop` too, on whatever runtime.
fn psql(server: &str, statement: &str) -> Result<(), String> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
        .args(["--dbname", server, "--command", statement])
        .env("PGOPTIONS", "--client-min-messages=warning")
        .output()
        .expect("psql, which comes with PostgreSQL, can be run");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
