//! Copies of a SQLite database: made while others write, and put in its place. PostgreSQL has programs of its own for that.

use std::{
    io,
    path::{Path, PathBuf},
};

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;

#[cfg(feature = "postgres")]
use crate::postgres;
#[cfg(feature = "sqlite")]
use crate::sqlite;
use crate::{
    DatabaseUrl, OpenError,
    migrations::{self, MigrationError},
    url::Engine,
};

/// Why there is no copy, or why it is not put in place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is not a SQLite database.
    #[error("this is for SQLite: PostgreSQL is backed up and restored with its own programs")]
    NotSqlite,
    /// Nothing is overwritten.
    #[error("{} is there already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A log lies beside it, and what is in the log would be missing.
    #[error("{} has a write-ahead log beside it: it is a database in use, or was copied from one, and no backup", .0.display())]
    HasLog(PathBuf),
    /// It is something else.
    #[error("{} is no database of TigerTrust", .0.display())]
    NotOurs(PathBuf),
    /// It cannot be relied on.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        problem: String,
    },
    /// A newer program changed its schema.
    #[error("it is newer than this program: it has {}", .0.join(", "))]
    Newer(Vec<String>),
    /// It was made while an instance was being moved into the database.
    #[error(
        "it holds only a part of an instance, which was being moved there: run the same `tigertrust move` again first"
    )]
    HalfMoved,
    /// The operating system refused.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is no file, or the program was built without the engine.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database is in a state that no program works on.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The database cannot be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is in a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many bytes the file has.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The newest migration that it has seen, by version.
    pub schema: String,
    /// When the last act was done that it knows of: a change, or anything else that is logged.
    pub last_act_at: Option<Timestamp>,
    /// How many rows each table has, by name.
    pub tables: Vec<(String, u64)>,
}

/// Writes a copy of the database as it is at this moment into a new file. Others may go on writing meanwhile.
///
/// # Errors
/// [`BackupError`]; there is no file then.
pub async fn write(url: &DatabaseUrl, to: &Path) -> Result<Copied, BackupError> {
    match url.engine() {
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::backup::write(url, to).await,
        _ => Err(BackupError::NotSqlite),
    }
}

/// Puts a copy in the place of the database, where there must be none, and [marks](mark_restored) it.
///
/// # Errors
/// [`BackupError`]; nothing has changed then.
pub async fn restore(from: &Path, url: &DatabaseUrl, now: Timestamp) -> Result<Copied, BackupError> {
    match url.engine() {
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::backup::restore(from, url, now).await,
        _ => Err(BackupError::NotSqlite),
    }
}

/// Makes everybody notice that the database went back in time: the next change number is one that nobody can have heard of, so
/// that servers and clients drop what they remember. Returns the number.
///
/// # Errors
/// [`BackupError`], also for a database that a move has left in a state that no program works on.
pub async fn mark_restored(url: &DatabaseUrl, now: Timestamp) -> Result<u64, BackupError> {
    if let Some(mark) = migrations::mark(url).await? {
        return Err(MigrationError::from(mark).into());
    }
    Ok(leap(url, now).await?)
}

/// As [`mark_restored`], whatever state the database is in.
pub(crate) async fn leap(url: &DatabaseUrl, now: Timestamp) -> Result<u64, MigrationError> {
    match url.engine() {
        #[cfg(feature = "postgres")]
        Engine::Postgres => Ok(postgres::migrations::leap(url, now).await?),
        #[cfg(feature = "sqlite")]
        Engine::Sqlite => sqlite::backup::leap(url, now).await,
        #[allow(unreachable_patterns, reason = "every engine may be built in")]
        missing => Err(missing.not_built_in().into()),
    }
}
