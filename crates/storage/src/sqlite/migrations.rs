//! Migrations on SQLite.

use std::time::Duration;

use diesel::{
    QueryableByName, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_types,
    sqlite::Sqlite,
};
use diesel_async::AsyncConnection as _;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tigertrust_credentials::ports::StoreError;

use super::{Access, Connection, file::DatabaseFile, queries, set_up};
use crate::{
    DatabaseUrl,
    error::OrUnavailable,
    migrations::{self, Known, MigrationError, Work},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// How long to wait for other processes that write, a migration among them.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn known() -> Vec<Known> {
    migrations::known::<Sqlite>(&MIGRATIONS)
}

pub(crate) async fn applied(url: &DatabaseUrl) -> Result<Vec<String>, MigrationError> {
    let mut connection = connect(url, Access::Read).await?;
    Ok(queries::applied_migrations(&mut connection)
        .await
        .or_unavailable()?)
}

pub(crate) async fn migrate(url: &DatabaseUrl, work: Work) -> Result<Vec<String>, MigrationError> {
    let mut connection = connect(url, Access::Write).await?;
    let outcome = connection.spawn_blocking(move |connection| Ok(migrate_blocking(connection, work)));
    outcome.await.or_unavailable()?
}

/// An error inside the transaction; diesel wants its own to come through.
enum Failure {
    Query(diesel::result::Error),
    Migration(MigrationError),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

#[derive(QueryableByName)]
struct Violations {
    #[diesel(sql_type = sql_types::BigInt)]
    violations: i64,
}

/// All migrations in one transaction that has the write lock from the start: that is what a second process waits for.
fn migrate_blocking(connection: &mut SqliteConnection, work: Work) -> Result<Vec<String>, MigrationError> {
    // A table is changed by making it anew, which must not look like the loss of every row that refers to it. This cannot
    // be switched within a transaction; the check at the end stands in for it.
    connection
        .batch_execute("PRAGMA foreign_keys = OFF")
        .or_unavailable()?;
    let done = connection.immediate_transaction(|connection| {
        let done =
            migrations::carry_out::<Sqlite, _>(work, connection, MIGRATIONS).map_err(Failure::Migration)?;
        let broken: Violations =
            diesel::sql_query("SELECT count(*) AS violations FROM pragma_foreign_key_check")
                .get_result(connection)?;
        if broken.violations > 0 {
            let problem = format!("{} rows refer to rows that are not there", broken.violations);
            return Err(Failure::Migration(StoreError::unavailable(problem).into()));
        }
        Ok(done)
    });
    done.map_err(|failure| match failure {
        Failure::Query(error) => StoreError::unavailable(error).into(),
        Failure::Migration(error) => error,
    })
}

pub(crate) fn is_there(url: &DatabaseUrl) -> bool {
    DatabaseFile::of(url).ensure_there().is_ok()
}

pub(crate) fn create_if_missing(url: &DatabaseUrl) -> Result<bool, MigrationError> {
    Ok(DatabaseFile::of(url).create_if_missing()?)
}

async fn connect(url: &DatabaseUrl, access: Access) -> Result<Connection, MigrationError> {
    let file = DatabaseFile::of(url);
    file.ensure_there()?;
    let mut connection = Connection::establish(&file.uri())
        .await
        .map_err(StoreError::unavailable)?;
    set_up(&mut connection, PATIENCE, access).await.or_unavailable()?;
    Ok(connection)
}
