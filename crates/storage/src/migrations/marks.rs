//! What stands among the versions of a database that no program may work on. To a program that knows nothing of it, it is a migration
//! of a newer one that does not let it work.

use super::MigrationError;
use crate::storage::SchemaState;

/// What a move leaves in its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// An instance is being moved into the database, and not all of it is there.
    UnfinishedMove,
    /// The instance in the database was moved into another one, which is served in its place.
    MovedAway,
}

impl Mark {
    /// What stands among the versions.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::UnfinishedMove => "unfinished_move",
            Self::MovedAway => "moved_away",
        }
    }

    /// Whether these versions are those of a database that bears it.
    pub(crate) fn is_among(self, versions: &[String]) -> bool {
        versions.iter().any(|version| version == self.version())
    }

    /// What a database bears that has these versions. Half an instance is the worse of two.
    pub(crate) fn among(versions: &[String]) -> Option<Self> {
        [Self::UnfinishedMove, Self::MovedAway]
            .into_iter()
            .find(|mark| mark.is_among(versions))
    }

    /// Whether a version is none of a migration.
    pub(crate) fn is_one(version: &str) -> bool {
        [Self::UnfinishedMove, Self::MovedAway]
            .iter()
            .any(|mark| mark.version() == version)
    }
}

impl From<Mark> for SchemaState {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::UnfinishedMove => Self::HalfMoved,
            Mark::MovedAway => Self::MovedAway,
        }
    }
}

impl From<Mark> for MigrationError {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::UnfinishedMove => Self::HalfMoved,
            Mark::MovedAway => Self::MovedAway,
        }
    }
}
