//! A database that is moved from or to.

use std::time::Duration;

use async_trait::async_trait;
use diesel_async::SimpleAsyncConnection as _;
use tigertrust_credentials::ports::StoreError;
use tokio::time::sleep;

use super::{Connection, migrations, queries::statements};
use crate::{
    DatabaseUrl,
    error::OrUnavailable as _,
    moving::{MoveError, Place, Side},
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
        let mut connection = migrations::connect(url).await?;
        connection.batch_execute(SESSION).await.or_unavailable()?;
        for _ in 0..LOOKS {
            let others = statements::texts(&mut connection, OTHERS, &[]).await;
            if others.or_unavailable()? == ["0"] {
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
        self.0.batch_execute(&hold).await.or_unavailable()
    }

    async fn settle(&mut self, tables: &str) -> Result<(), StoreError> {
        // The planner would otherwise know nothing of the rows until it comes by.
        self.0
            .batch_execute(&format!("ANALYZE {tables}"))
            .await
            .or_unavailable()
    }

    async fn texts(&mut self, statement: &str, parameters: &[&str]) -> Result<Vec<String>, StoreError> {
        let answers = statements::texts(&mut self.0, statement, parameters).await;
        answers.or_unavailable()
    }

    async fn execute(&mut self, statement: &str, parameters: &[&str]) -> Result<usize, StoreError> {
        let done = statements::execute(&mut self.0, statement, parameters).await;
        done.or_unavailable()
    }

    async fn batch(&mut self, statements: &str) -> Result<(), StoreError> {
        self.0.batch_execute(statements).await.or_unavailable()
    }
}
