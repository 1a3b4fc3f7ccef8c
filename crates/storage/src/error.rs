//! Why something did not happen.

use std::io;

use diesel::QueryResult;
use tigertrust_credentials::ports::StoreError;

/// Why a storage cannot be opened. That the database is not reachable at the moment is none of the reasons.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine was left out when this program was built.
    #[error("this program was built without {0}")]
    NotBuiltIn(&'static str),
    /// There is no SQLite file, and none was to be made.
    #[error("there is no database at {path}; running the migrations (`tigertrust migrate run`) makes it")]
    NoFile {
        /// The path.
        path: String,
    },
    /// The SQLite file cannot be made or used.
    #[error("the database at {path} cannot be used: {source}")]
    File {
        /// The path.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A pool without connections would wait for ever.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
}

/// Turns what diesel says into what the ports say.
pub(crate) trait OrUnavailable<T> {
    fn or_unavailable(self) -> Result<T, StoreError>;
}

impl<T> OrUnavailable<T> for QueryResult<T> {
    fn or_unavailable(self) -> Result<T, StoreError> {
        self.map_err(StoreError::unavailable)
    }
}

/// Something took longer than it may.
#[cfg(feature = "postgres")]
pub(crate) fn too_slow(limit: std::time::Duration) -> StoreError {
    StoreError::unavailable(format!("no answer within {limit:?}"))
}
