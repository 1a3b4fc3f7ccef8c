//! A database that is moved from or to.

use std::time::Duration;

use async_trait::async_trait;
use tigertrust_credentials::ports::StoreError;
use tokio::time::sleep;

use super::{Connection, migrations};
use crate::{
    DatabaseUrl,
    moving::{MoveError, Place, Side, Statements},
    url::Engine,
};

/// Nothing here is as short as a request, and nobody may end it for that.
const SESSION: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '60s'; \
     SET default_transaction_isolation = 'read committed'";
/// Who else is connected, under whatever role: whoever serves the database is all the time. A plain role is told of others' sessions
/// little more than whose they are; PostgreSQL's own processes are nobody's.
const OTHERS: &str = "SELECT CAST(count(*) AS TEXT) AS value FROM pg_stat_activity \
     WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()";
/// How often to look again, and how long to wait in between: who has just left may be listed for a moment.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Database(Connection);

impl Database {
    /// Connects, where nobody else is.
    pub(crate) async fn open(url: &DatabaseUrl, place: Place) -> Result<Self, MoveError> {
        let connection = migrations::connect(url).await;
        let mut connection = connection.map_err(|error| MoveError::Unreachable(place, error))?;
        connection.batch(SESSION).await?;
        for _ in 0..LOOKS {
            if connection.texts(OTHERS, &[]).await? == ["0"] {
                return Ok(Self(connection));
            }
            sleep(PAUSE).await;
        }
        Err(MoveError::InUse(place))
    }
}

#[async_trait]
impl Side for Database {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    async fn hold(&mut self, tables: &str) -> Result<(), StoreError> {
        // Others may read. The lock ends with the connection.
        let hold = format!("BEGIN; LOCK TABLE {tables} IN SHARE MODE");
        self.0.batch(&hold).await
    }

    async fn release(&mut self) -> Result<(), StoreError> {
        self.0.batch("COMMIT").await
    }

    async fn settle(&mut self, tables: &str) -> Result<(), StoreError> {
        // The planner would otherwise know nothing of the rows until it comes by.
        self.0.batch(&format!("ANALYZE {tables}")).await
    }

    fn connection(&mut self) -> &mut dyn Statements {
        &mut self.0
    }
}
