//! A database that is moved from or to.

use async_trait::async_trait;
use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
use tigertrust_credentials::ports::StoreError;

use super::{Connection, file::DatabaseFile};
use crate::{
    DatabaseUrl, OpenError,
    moving::{MoveError, Place, Side, Statements},
    url::Engine,
};

/// The file for this connection alone, until it ends: it fails while anybody else has it open, and nobody else can open it then. The
/// mode has to be set before the file is first looked at.
const ALONE: &str = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; \
     PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; BEGIN EXCLUSIVE; COMMIT";

pub(crate) struct Database(Connection);

impl Database {
    /// Opens the file, where nobody else has it open.
    pub(crate) async fn open(url: &DatabaseUrl, place: Place) -> Result<Self, MoveError> {
        let file = DatabaseFile::of(url);
        file.ensure_there().map_err(|error| match error {
            OpenError::NoFile { path } if place == Place::Source => MoveError::NoSource(path),
            other => MoveError::Unusable(place, other),
        })?;
        let unreachable = |error: &dyn std::fmt::Display| {
            MoveError::Unreachable(place, StoreError::unavailable(error.to_string()))
        };
        let connection = Connection::establish(&file.uri()).await;
        let mut connection = connection.map_err(|error| unreachable(&error))?;
        match connection.batch_execute(ALONE).await {
            Ok(()) => Ok(Self(connection)),
            Err(error) if error.to_string().contains("locked") => Err(MoveError::InUse(place)),
            Err(error) => Err(unreachable(&error)),
        }
    }
}

#[async_trait]
impl Side for Database {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    async fn hold(&mut self, _: &str) -> Result<(), StoreError> {
        // It is held since it was opened.
        Ok(())
    }

    async fn release(&mut self) -> Result<(), StoreError> {
        // Each statement lasts by itself, and the file stays this connection's until it ends.
        Ok(())
    }

    async fn settle(&mut self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn connection(&mut self) -> &mut dyn Statements {
        &mut self.0
    }
}
