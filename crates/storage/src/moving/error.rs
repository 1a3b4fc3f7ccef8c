//! Why an instance is not moved.

use std::fmt;

use tigertrust_credentials::ports::StoreError;

use crate::{OpenError, migrations::MigrationError};

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one that is moved from.
    Source,
    /// The one that is moved to.
    Target,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why an instance is not moved, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Each engine copies its own databases better.
    #[error(
        "source and target are of one engine: an instance moves from SQLite to PostgreSQL or back; a copy is made with a backup"
    )]
    SameEngine,
    /// Somebody else is connected.
    #[error("the {0} is in use: stop every server and every other program that has it open")]
    InUse(Place),
    /// Migrations, by name, have not been run.
    #[error("the schema of the {0} is behind this program, it lacks {names}: run `tigertrust migrate run` on it", names = .1.join(", "))]
    Behind(Place, Vec<String>),
    /// A newer program has run migrations, by version.
    #[error("the schema of the {0} is ahead of this program, it has {names}: use the newer program", names = .1.join(", "))]
    Ahead(Place, Vec<String>),
    /// The source is what another move left unfinished.
    #[error("the source is the target of a move that is not finished")]
    HalfMoved,
    /// The source is what another move, or this one, has moved already.
    #[error(
        "the source was moved into another database already, and goes on there: to move it once more, run \
         `tigertrust move --reopen` first"
    )]
    MovedAway,
    /// There is no mark to be taken away.
    #[error("the database bears no mark of a move: it can be served as it is")]
    NotMovedAway,
    /// There is no such file.
    #[error(
        "there is no database at {0} that could be moved: see where --from, database.url or --data point to"
    )]
    NoSource(String),
    /// The file cannot be used.
    #[error("the {0}: {1}")]
    Unusable(Place, OpenError),
    /// A database cannot be reached, or refused.
    #[error("the {0}: {1}")]
    Unreachable(Place, StoreError),
    /// The target is not ours alone.
    #[error("the target has tables that are none of TigerTrust: {}", .0.join(", "))]
    Foreign(Vec<String>),
    /// The target has data already, by table.
    #[error("the target is not empty: there are rows in {}", .0.join(", "))]
    NotEmpty(Vec<String>),
    /// The target has a part of something else.
    #[error(
        "what the target has of an unfinished move is not of this source, or the source has changed since: \
         to begin again, make the target anew, empty"
    )]
    OtherSource,
    /// There is something of which this program does not know how it is moved.
    #[error("{0} is not known to this program, or differs between the engines, so that it cannot be moved")]
    Layout(String),
    /// A row cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(String),
    /// The rows of a table cannot be read or stored.
    #[error("the table {table}: {source}")]
    Table {
        /// Which table.
        table: String,
        /// Why.
        source: StoreError,
    },
    /// The schema of the target cannot be made.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// A database cannot be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MoveError {
    pub(super) fn unreadable(error: serde_json::Error) -> Self {
        // What it says of the place says nothing of what stands there.
        Self::Unreadable(format!("a row ({error})"))
    }
}
