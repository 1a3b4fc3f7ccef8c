//! How to use the database.

use std::time::Duration;

/// How to use the database. What an engine does not know it leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections to PostgreSQL, at the most; the feed has one more. SQLite always has four that read and one that
    /// writes.
    pub pool_size: u32,
    /// How long to wait for a free connection, or for a new one to PostgreSQL to come up.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on one statement.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock; on SQLite, for the writer of another process.
    pub lock_timeout: Duration,
    /// Whether to make an empty SQLite file, for the owner's eyes only, where there is none. Otherwise that is an error,
    /// since a mistyped path must not look like a new instance.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pool_size: 10,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(2),
            create: false,
        }
    }
}
