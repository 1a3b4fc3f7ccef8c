//! Migrations on PostgreSQL.

use std::time::Duration;

use diesel::{QueryableByName, pg::Pg, sql_types};
use diesel_async::{
    RunQueryDsl, SimpleAsyncConnection as _, async_connection_wrapper::AsyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;
use tokio::time::timeout;

use super::{Connection, dial::dial, queries};
use crate::{
    DatabaseUrl,
    error::{OrUnavailable, too_slow},
    identifier::quoted,
    migrations::{self, Known, MigrationError, Work},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Held while migrating. The number is the first eight letters of the product's name.
const LOCK: &str = "SELECT pg_advisory_lock(x'7469676572747275'::bigint)";

pub(crate) fn known() -> Vec<Known> {
    migrations::known::<Pg>(&MIGRATIONS)
}

pub(crate) async fn applied(url: &DatabaseUrl) -> Result<Vec<String>, MigrationError> {
    let mut connection = connect(url).await?;
    Ok(queries::applied_migrations(&mut connection)
        .await
        .or_unavailable()?)
}

pub(crate) async fn migrate(url: &DatabaseUrl, work: Work) -> Result<Vec<String>, MigrationError> {
    let connection = connect(url).await?;
    // On a thread that may block, and so on a runtime of either kind.
    let migrating = tokio::task::spawn_blocking(move || {
        let mut connection = AsyncConnectionWrapper::<Connection>::from(connection);
        // The lock ends with the connection.
        diesel::RunQueryDsl::execute(diesel::sql_query(LOCK), &mut connection).or_unavailable()?;
        migrations::carry_out::<Pg, _>(work, &mut connection, MIGRATIONS)
    });
    migrating.await.map_err(StoreError::unavailable)?
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = sql_types::Bool)]
    there: bool,
}

/// The name of the database if it is not there, and a connection that may make it.
async fn missing(url: &DatabaseUrl) -> Result<Option<(String, Connection)>, MigrationError> {
    // Where it exists, no other database has to be reachable.
    if connect(url).await.is_ok() {
        return Ok(None);
    }
    let Some((name, maintenance)) = url.maintenance() else {
        return Ok(None);
    };
    let mut connection = connect(&maintenance).await?;
    let exists = exists(&mut connection, &name).await?;
    Ok((!exists).then_some((name, connection)))
}

pub(crate) async fn is_there(url: &DatabaseUrl) -> Result<bool, MigrationError> {
    Ok(missing(url).await?.is_none())
}

pub(crate) async fn create_if_missing(url: &DatabaseUrl) -> Result<bool, MigrationError> {
    let Some((name, mut connection)) = missing(url).await? else {
        return Ok(false);
    };
    let created = connection
        .batch_execute(&format!("CREATE DATABASE {}", quoted(&name)))
        .await;
    match created {
        Ok(()) => Ok(true),
        // Another process was faster.
        Err(_) if exists(&mut connection, &name).await? => Ok(false),
        Err(error) => Err(MigrationError::NotCreated {
            name,
            problem: error.to_string(),
        }),
    }
}

async fn exists(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    let question = diesel::sql_query("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1) AS there");
    let answer: Answer = RunQueryDsl::get_result(question.bind::<sql_types::Text, _>(name), connection)
        .await
        .or_unavailable()?;
    Ok(answer.there)
}

pub(crate) async fn leap(url: &DatabaseUrl, now: Timestamp) -> Result<u64, StoreError> {
    queries::leap(&mut connect(url).await?, now).await
}

pub(super) async fn connect(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    match timeout(PATIENCE, dial(url)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(StoreError::unavailable(url.scrub(&error.to_string()))),
        Err(_) => Err(too_slow(PATIENCE)),
    }
}
