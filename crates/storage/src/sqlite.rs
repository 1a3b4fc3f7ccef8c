//! SQLite, and what is done there in a way of its own.

pub(crate) mod backup;
mod batches;
mod file;
pub(crate) mod migrations;
#[cfg(feature = "postgres")]
pub(crate) mod moving;
#[path = "queries/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "one text, two engines")]
mod queries;
mod schema;

use std::{sync::Arc, time::Duration};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult, QueryableByName, SqliteConnection,
    connection::AnsiTransactionManager, query_dsl::methods::ExecuteDsl, sql_types,
};
use diesel_async::{
    AsyncConnection, RunQueryDsl, SimpleAsyncConnection, pooled_connection::RecyclingMethod,
    sync_connection_wrapper::SyncConnectionWrapper,
};
use futures_util::future::BoxFuture;
use tigertrust_credentials::ports::StoreError;
use tokio::time::{Interval, MissedTickBehavior, interval};

pub(crate) use self::queries::Store;
use self::{
    batches::{add_counts, note_uses},
    file::{DatabaseFile, FileId},
    queries::{Access, Pool},
};
use crate::{
    error::{OpenError, OrUnavailable},
    options::Options,
    storage::Connections,
    types::StoredId,
    url::DatabaseUrl,
};

pub(crate) type Connection = SyncConnectionWrapper<SqliteConnection>;

/// What the semantic conventions of OpenTelemetry call the engine.
pub(crate) const DATABASE_SYSTEM: &str = "sqlite";

/// Connections that read; more would only wait for the same disk.
const READERS: u32 = 4;
/// SQLite has one writer at a time. Waiting for it here is fair, waiting for it there is not.
const WRITERS: u32 = 1;
/// How often the feed asks whether the file has changed.
const POLL: Duration = Duration::from_millis(50);
/// How often to try again where SQLite answers "busy" without waiting.
const RETRY: Duration = Duration::from_millis(10);
const MIGRATIONS_TABLE_IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master \
     WHERE type = 'table' AND name = '__diesel_schema_migrations') AS there";
/// The id of the key that a value is sealed under: `x1.e1.…` has `e1`. No prefix of ours has another length.
const SEALED_UNDER: &str = "substr({}, 4, instr(substr({}, 4), '.') - 1)";

/// What an operator may want to know, each by a statement with one value.
const FACTS: &[(&str, &str)] = &[
    ("version", "SELECT sqlite_version() AS value"),
    (
        "journal_mode",
        "SELECT journal_mode AS value FROM pragma_journal_mode",
    ),
    (
        "synchronous",
        "SELECT CAST(synchronous AS TEXT) AS value FROM pragma_synchronous",
    ),
    ("now", "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now') AS value"),
];

/// What only a file that can be written takes, and leaves nothing behind once it is rolled back.
const WRITES: &str = "CREATE TABLE tigertrust_doctor (id INTEGER)";

/// Nothing is announced: the file is looked at.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn hears_itself(_: &Settings) -> Result<bool, StoreError> {
    Ok(true)
}

/// Where the database is and how to use it.
pub(crate) struct Settings {
    url: DatabaseUrl,
    options: Options,
    file: DatabaseFile,
    opened: FileId,
}

impl Settings {
    /// Makes sure that the file is there.
    pub(crate) fn new(url: &DatabaseUrl, options: Options) -> Result<Self, OpenError> {
        let file = DatabaseFile::of(url);
        if options.create {
            file.create_if_missing()?;
        }
        Ok(Self {
            url: url.clone(),
            options,
            opened: file.ensure_there()?,
            file,
        })
    }

    fn ensure_same_file(&self) -> Result<(), OpenError> {
        self.file.ensure_same(self.opened)
    }
}

struct Pools {
    readers: Pool,
    writer: Pool,
}

impl Pools {
    fn new(settings: &Arc<Settings>) -> Self {
        Self {
            readers: Pool::new(settings, Access::Read, READERS),
            writer: Pool::new(settings, Access::Write, WRITERS),
        }
    }

    const fn readers(&self) -> &Pool {
        &self.readers
    }

    const fn writers(&self) -> &Pool {
        &self.writer
    }

    fn connections(&self) -> Connections {
        let (readers, writer) = (self.readers.connections(), self.writer.connections());
        Connections {
            in_use: readers.in_use + writer.in_use,
            idle: readers.idle + writer.idle,
            waited: readers.waited + writer.waited,
            timed_out: readers.timed_out + writer.timed_out,
        }
    }
}

async fn connect(settings: &Settings, access: Access) -> ConnectionResult<Connection> {
    // SQLite would say no more than that it cannot open it.
    let same = settings.ensure_same_file();
    same.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    let mut connection = Connection::establish(&settings.file.uri()).await?;
    set_up(&mut connection, settings.options.lock_timeout, access)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

#[derive(QueryableByName)]
struct Mode {
    #[diesel(sql_type = sql_types::Text)]
    journal_mode: String,
}

/// Executes statements one after the other, without going to another thread for each.
async fn execute_all<S>(connection: &mut Connection, statements: Vec<S>) -> QueryResult<()>
where
    S: ExecuteDsl<SqliteConnection> + Send + 'static,
{
    let all = move |connection: &mut SqliteConnection| {
        statements
            .into_iter()
            .try_for_each(|statement| ExecuteDsl::execute(statement, connection).map(drop))
    };
    connection.spawn_blocking(all).await
}

async fn set_up(connection: &mut Connection, patience: Duration, access: Access) -> QueryResult<()> {
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON",
            patience.as_millis().min(2_000_000_000)
        ))
        .await?;
    use_write_ahead_log(connection, patience).await?;
    if access == Access::Read {
        connection.batch_execute("PRAGMA query_only = ON").await?;
    }
    Ok(())
}

/// The mode stays with the file, so this does something once. Where two connections do it at once, SQLite tells one of
/// them that it is busy and does not wait.
async fn use_write_ahead_log(connection: &mut Connection, patience: Duration) -> QueryResult<()> {
    let mut left = patience;
    loop {
        let mode: QueryResult<Mode> = diesel::sql_query("PRAGMA journal_mode = WAL")
            .get_result(connection)
            .await;
        match mode {
            Ok(mode) if mode.journal_mode == "wal" => return Ok(()),
            Ok(mode) if left.is_zero() => {
                let problem = format!("the journal mode is {} and cannot be changed", mode.journal_mode);
                return Err(diesel::result::Error::QueryBuilderError(problem.into()));
            }
            Err(error) if left.is_zero() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
        left = left.saturating_sub(RETRY);
    }
}

/// A connection to a file that is no longer there would answer as if it were.
fn recycling(settings: &Settings) -> RecyclingMethod<Connection> {
    let (file, opened) = (settings.file.clone(), settings.opened);
    RecyclingMethod::CustomFunction(Box::new(move |_| {
        let same = file.ensure_same(opened);
        Box::pin(async move {
            same.map_err(|error| diesel::result::Error::QueryBuilderError(error.to_string().into()))
        })
    }))
}

/// A file needs no deadline beside `busy_timeout`, which every connection has.
async fn within_deadline<T, E, W>(_: &Settings, connection: &mut Connection, work: W) -> Result<T, E>
where
    E: From<StoreError>,
    W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>>,
{
    work(connection).await
}

/// How much a connection keeps of the file, as `PRAGMA cache_size` has it: SQLite's own number, in KiB below zero, and of pages above.
const PAGES_KEPT: i32 = -2000;
const PAGES_KEPT_IN_SCAN: i32 = 20;

/// Before a whole table is looked through: its pages are of no use to whoever comes next, and what once held them stays with the program.
async fn begin_scan(connection: &mut Connection) -> QueryResult<()> {
    keep_pages(connection, PAGES_KEPT_IN_SCAN).await
}

async fn end_scan(connection: &mut Connection) -> QueryResult<()> {
    keep_pages(connection, PAGES_KEPT).await
}

async fn keep_pages(connection: &mut Connection, count: i32) -> QueryResult<()> {
    connection
        .batch_execute(&format!("PRAGMA cache_size = {count}"))
        .await
}

/// Takes the write lock at once: a transaction that reads first and wants it later may be refused without waiting.
async fn begin_write(connection: &mut Connection) -> QueryResult<()> {
    connection
        .spawn_blocking(|connection| {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
        })
        .await
}

/// There is one writer.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn lock_imports(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// There is one writer, so that every row is locked.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn lock_key(_: &mut Connection, _: StoredId) -> QueryResult<()> {
    Ok(())
}

/// There is one writer, so that every row is locked.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn lock_session(_: &mut Connection, _: StoredId) -> QueryResult<()> {
    Ok(())
}

/// There is one writer, so that every row is locked.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn lock_workspace(_: &mut Connection, _: StoredId) -> QueryResult<()> {
    Ok(())
}

/// There is one writer, so that every table is locked.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn lock_accounts(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// What was deleted is overwritten in the file, and stands in the log until that is written into the file.
async fn forget_log(connection: &mut Connection) -> QueryResult<()> {
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").await
}

/// Other processes see it by themselves: they ask for the version of the data.
#[allow(clippy::unused_async, reason = "PostgreSQL has to ask")]
async fn announce(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

async fn bounded<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.await
}

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = sql_types::BigInt)]
    data_version: i64,
}

/// The feed's own connection: the version of the data tells one connection what the others have done.
struct Source {
    connection: Connection,
    file: DatabaseFile,
    opened: FileId,
    version: Option<i64>,
    ticks: Interval,
}

impl Source {
    async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let connection = connect(settings, Access::Read).await;
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            connection: connection.map_err(StoreError::unavailable)?,
            file: settings.file.clone(),
            opened: settings.opened,
            version: None,
            ticks,
        })
    }

    const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether somebody has written since the last time.
    async fn has_moved(&mut self) -> Result<bool, StoreError> {
        let same = self.file.ensure_same(self.opened);
        same.map_err(StoreError::unavailable)?;
        let answer: DataVersion = diesel::sql_query("PRAGMA data_version")
            .get_result(&mut self.connection)
            .await
            .or_unavailable()?;
        let moved = self.version != Some(answer.data_version);
        self.version = Some(answer.data_version);
        Ok(moved)
    }

    async fn wait(&mut self) -> Result<(), StoreError> {
        self.ticks.tick().await;
        Ok(())
    }
}
