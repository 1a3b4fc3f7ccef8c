//! PostgreSQL, and what is done there in a way of its own.

mod dial;
pub(crate) mod migrations;
#[cfg(feature = "sqlite")]
pub(crate) mod moving;
#[path = "queries/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "one text, two engines")]
mod queries;
mod schema;

use std::{pin::pin, sync::Arc, time::Duration};

use diesel::{
    ConnectionError, ConnectionResult, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    upsert::excluded,
};
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
    methods::ExecuteDsl, pooled_connection::RecyclingMethod,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use tigertrust_credentials::ports::StoreError;
use tokio::time::timeout;

pub(crate) use self::queries::Store;
use self::queries::{Access, CountRow, Pool, UseRow};
use crate::{
    error::{OrUnavailable, too_slow},
    options::Options,
    storage::Connections,
    types::StoredId,
    url::DatabaseUrl,
};

pub(crate) type Connection = AsyncPgConnection;

/// What the semantic conventions of OpenTelemetry call the engine.
pub(crate) const DATABASE_SYSTEM: &str = "postgresql";

/// Where `changes` are announced.
const CHANNEL: &str = "tigertrust_changes";
/// How often the feed looks by itself, should an announcement get lost.
const POLL: Duration = Duration::from_millis(500);
/// How long the feed waits for any one answer.
const FEED_PATIENCE: Duration = Duration::from_secs(2);
/// What a unit of work may take beyond its slowest statement and a lock.
const SLACK: Duration = Duration::from_secs(1);
const MIGRATIONS_TABLE_IS_THERE: &str =
    "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS there";
/// The id of the key that a value is sealed under: `x1.e1.…` has `e1`.
const SEALED_UNDER: &str = "split_part({}, '.', 2)";

/// What an operator may want to know, each by a statement with one value.
const FACTS: &[(&str, &str)] = &[
    ("version", "SELECT current_setting('server_version') AS value"),
    (
        "synchronous_commit",
        "SELECT current_setting('synchronous_commit') AS value",
    ),
    ("fsync", "SELECT current_setting('fsync') AS value"),
    ("in_recovery", "SELECT pg_is_in_recovery()::text AS value"),
    (
        "now",
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS value",
    ),
];

/// What only a database that takes writes can do, and leaves nothing behind.
const WRITES: &str = "SELECT txid_current()";

/// Where the database is and how to use it.
pub(crate) struct Settings {
    url: DatabaseUrl,
    options: Options,
}

impl Settings {
    pub(crate) fn new(url: &DatabaseUrl, options: Options) -> Self {
        Self {
            url: url.clone(),
            options,
        }
    }
}

struct Pools(Pool);

impl Pools {
    fn new(settings: &Arc<Settings>) -> Self {
        Self(Pool::new(settings, Access::Write, settings.options.pool_size))
    }

    const fn readers(&self) -> &Pool {
        &self.0
    }

    const fn writers(&self) -> &Pool {
        &self.0
    }

    fn connections(&self) -> Connections {
        self.0.connections()
    }
}

/// A new connection with the deadlines of the options, and with the isolation on which the row locks rely: whoever has
/// waited for one must see what the one before has done. Bounded as a whole: a server may take the connection and say
/// nothing.
async fn connect(settings: &Settings, _: Access) -> ConnectionResult<Connection> {
    let connecting = async {
        let mut connection = dial::dial(&settings.url).await?;
        connection
            .batch_execute(&session(&settings.options))
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    };
    let limit = settings.options.acquire_timeout;
    timeout(limit, connecting)
        .await
        .unwrap_or_else(|_| Err(ConnectionError::BadConnection(too_slow(limit).to_string())))
}

fn session(options: &Options) -> String {
    // Zero would be no deadline at all.
    let millis = |duration: Duration| duration.as_millis().clamp(1, 2_000_000_000);
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET default_transaction_isolation = 'read committed'",
        millis(options.statement_timeout),
        millis(options.lock_timeout),
        millis(options.statement_timeout.saturating_mul(2)),
    )
}

/// A connection is asked whether it still works before it is handed out, so that a database which was restarted costs
/// nobody an error.
fn recycling(_: &Settings) -> RecyclingMethod<Connection> {
    RecyclingMethod::Verified
}

/// Ends work that the database's own deadlines fail to end, as when the server was stopped or the network swallows
/// everything. The connection has an answer outstanding then and must not be used again.
async fn within_deadline<T, E, W>(settings: &Settings, connection: &mut Connection, work: W) -> Result<T, E>
where
    E: From<StoreError>,
    W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>>,
{
    let limit = settings.options.statement_timeout + settings.options.lock_timeout + SLACK;
    let outcome = timeout(limit, work(connection)).await;
    outcome.unwrap_or_else(|_| {
        AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
        Err(too_slow(limit).into())
    })
}

/// Executes statements one after the other.
async fn execute_all<S>(connection: &mut Connection, statements: Vec<S>) -> QueryResult<()>
where
    S: ExecuteDsl<Connection> + Send,
{
    for statement in statements {
        ExecuteDsl::execute(statement, connection).await?;
    }
    Ok(())
}

/// Adds counts to those that are there: many in one statement, since each one is a way to the server and back. No two may be of the
/// same row.
async fn add_counts(connection: &mut Connection, counts: Vec<CountRow>) -> QueryResult<()> {
    use schema::usage_counts::{bucket, calls, granularity, key_id, outcome, table};

    /// A statement takes 65,535 values.
    const A_STATEMENT: usize = 5_000;
    for counts in counts.chunks(A_STATEMENT) {
        diesel::insert_into(table)
            .values(counts)
            .on_conflict((key_id, granularity, bucket, outcome))
            .do_update()
            .set(calls.eq(calls + excluded(calls)))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Notes when secrets were last used, where no later use is noted: all in one statement, since each one is a way to the server and back. The
/// rows are locked in one order on every node first: two that lock them in different orders wait for each other. A server may have
/// noted a use before it heard that the owner was erased, and bring it after.
async fn note_uses(connection: &mut Connection, uses: Vec<UseRow>) -> QueryResult<()> {
    use diesel::sql_types::{Array, Binary, Nullable, Text, Timestamptz};

    const NOTE_USES: &str = "\
        WITH used AS MATERIALIZED ( \
            SELECT * FROM unnest($1, $2, $3, $4) AS used (digest, at, address, user_agent) \
        ), locked AS MATERIALIZED ( \
            SELECT digest FROM api_key_secrets WHERE digest IN (SELECT digest FROM used) ORDER BY digest FOR UPDATE \
        ) \
        UPDATE api_key_secrets AS secret \
        SET last_used_at = used.at, last_used_address = used.address, last_used_user_agent = used.user_agent \
        FROM used JOIN locked USING (digest) \
        WHERE secret.digest = used.digest AND (secret.last_used_at IS NULL OR secret.last_used_at < used.at) \
        AND NOT EXISTS ( \
            SELECT 1 FROM api_keys JOIN users ON users.id = api_keys.owner_id \
            WHERE api_keys.id = secret.key_id AND users.erased_at IS NOT NULL \
        )";
    let (mut digests, mut times, mut addresses, mut agents) = (vec![], vec![], vec![], vec![]);
    for used in uses {
        digests.push(used.digest.to_vec());
        times.push(used.at);
        addresses.push(used.address);
        agents.push(used.user_agent);
    }
    diesel::sql_query(NOTE_USES)
        .bind::<Array<Binary>, _>(digests)
        .bind::<Array<Timestamptz>, _>(times)
        .bind::<Array<Nullable<Text>>, _>(addresses)
        .bind::<Array<Nullable<Text>>, _>(agents)
        .execute(connection)
        .await
        .map(drop)
}

async fn begin_write(connection: &mut Connection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction(connection).await
}

/// Makes other edits of the key wait until the transaction ends.
async fn lock_key(connection: &mut Connection, id: StoredId) -> QueryResult<()> {
    schema::api_keys::table
        .find(id)
        .select(schema::api_keys::id)
        .for_update()
        .get_result::<StoredId>(connection)
        .await
        .optional()
        .map(|_| ())
}

/// Makes the end of the session wait until the transaction ends.
async fn lock_session(connection: &mut Connection, id: StoredId) -> QueryResult<()> {
    schema::sessions::table
        .find(id)
        .select(schema::sessions::id)
        .for_update()
        .get_result::<StoredId>(connection)
        .await
        .optional()
        .map(|_| ())
}

/// Makes other changes of the workspace and its members wait until the transaction ends.
async fn lock_workspace(connection: &mut Connection, id: StoredId) -> QueryResult<()> {
    schema::workspaces::table
        .find(id)
        .select(schema::workspaces::id)
        .for_update()
        .get_result::<StoredId>(connection)
        .await
        .optional()
        .map(|_| ())
}

/// Makes other new accounts wait until the transaction ends, so that what it saw of them stays true.
async fn lock_accounts(connection: &mut Connection) -> QueryResult<()> {
    connection
        .batch_execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        .await
}

/// It is the server that keeps pages, and it knows what a scan is.
#[allow(clippy::unused_async, reason = "SQLite has to be told")]
async fn begin_scan(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

#[allow(clippy::unused_async, reason = "SQLite has to be told")]
async fn end_scan(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// Makes other imports of keys wait until the transaction ends, so that what it saw of their secrets stays true. Keys that are
/// made here need not wait: their digests are never those of imported ones.
async fn lock_imports(connection: &mut Connection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(7308339910637985380)")
        .execute(connection)
        .await
        .map(|_| ())
}

/// What was deleted goes with the next vacuum, and out of the log when that is used again: both are the server's to do.
#[allow(clippy::unused_async, reason = "SQLite has to be told")]
async fn forget_log(_: &mut Connection) -> QueryResult<()> {
    Ok(())
}

/// Wakes the feeds of the other nodes once the transaction is committed.
async fn announce(connection: &mut Connection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, '')")
        .bind::<diesel::sql_types::Text, _>(CHANNEL)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Whether an announcement arrives on a connection that listens, as the feed's does.
async fn hears_itself(settings: &Settings) -> Result<bool, StoreError> {
    const TRIAL: &str = "tigertrust_doctor";
    let connection = connect(settings, Access::Read).await;
    let mut connection =
        connection.map_err(|error| StoreError::unavailable(settings.url.scrub(&error.to_string())))?;
    bounded(async {
        for statement in ["LISTEN", "NOTIFY"] {
            let statement = format!("{statement} {TRIAL}");
            connection.batch_execute(&statement).await.or_unavailable()?;
        }
        Ok(())
    })
    .await?;
    let mut announcements = pin!(connection.notifications_stream());
    Ok(matches!(
        timeout(FEED_PATIENCE, announcements.next()).await,
        Ok(Some(Ok(_)))
    ))
}

/// Bounds one answer to the feed: it must notice that it is deaf before its silence is noticed.
async fn bounded<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(FEED_PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(too_slow(FEED_PATIENCE)))
}

/// The feed's own connection: it must not come through a pooler, since it listens.
struct Source(Connection);

impl Source {
    async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let connection = connect(settings, Access::Read).await;
        let mut connection =
            connection.map_err(|error| StoreError::unavailable(settings.url.scrub(&error.to_string())))?;
        bounded(async {
            connection
                .batch_execute(&format!("LISTEN {CHANNEL}"))
                .await
                .or_unavailable()
        })
        .await?;
        Ok(Self(connection))
    }

    const fn connection(&mut self) -> &mut Connection {
        &mut self.0
    }

    /// Whether something may have changed: always, since only the head tells.
    #[allow(clippy::unused_async, reason = "SQLite has to ask")]
    async fn has_moved(&mut self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Waits for an announcement, or until it is time to look anyway.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let mut announcements = pin!(self.0.notifications_stream());
        let Ok(mut next) = timeout(POLL, announcements.next()).await else {
            return Ok(());
        };
        // One look answers all that have come in.
        loop {
            match next {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(StoreError::unavailable(error)),
                None => return Err(StoreError::unavailable("the connection was closed")),
            }
            match announcements.next().now_or_never() {
                Some(another) => next = another,
                None => return Ok(()),
            }
        }
    }
}
