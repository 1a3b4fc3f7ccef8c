//! What is broken on purpose, and what clients see of it: nodes, their database, their store of limits, the ways between them.
//!
//! Each scenario starts its own servers, has clients change and check keys at every node, breaks something, mends it, and judges every answer
//! by what was acknowledged. `scripts/faults` runs them all; a test runs the short ones.
#![allow(clippy::disallowed_methods, reason = "it judges by the clock of its clients")]

mod cluster;
mod disk;
mod journal;
mod limits;
mod node;
mod scenarios;
mod site;
mod tally;
mod traffic;
mod verify;

use std::{path::Path, process::Command};

pub use tally::Figures;

use crate::eventually::until;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node is killed and started again.
    NodeKilled,
    /// PostgreSQL is killed and started again.
    PostgresRestarted,
    /// PostgreSQL is killed, and its replica promoted.
    ReplicaPromoted,
    /// Valkey or Redis is killed and started again.
    ValkeyKilled,
    /// A node is stopped in its tracks, and goes on.
    NodePaused,
    /// The connections of a node to its database are cut.
    ConnectionCut,
    /// What a node and its database say to each other is swallowed.
    ConnectionHeld,
    /// Whatever is said to the database takes long.
    DatabaseSlow,
    /// All connections of the pools wait for a lock.
    PoolExhausted,
    /// The disk of a node on SQLite is full.
    DiskFull,
    /// A migration is run and each node restarted.
    RollingUpgrade,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NodeKilled,
        Self::PostgresRestarted,
        Self::ReplicaPromoted,
        Self::ValkeyKilled,
        Self::NodePaused,
        Self::ConnectionCut,
        Self::ConnectionHeld,
        Self::DatabaseSlow,
        Self::PoolExhausted,
        Self::DiskFull,
        Self::RollingUpgrade,
    ];

    /// Those that a test runs.
    pub const SHORT: [Self; 4] = [
        Self::NodeKilled,
        Self::PostgresRestarted,
        Self::ValkeyKilled,
        Self::NodePaused,
    ];

    /// What it is called on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeKilled => "node-killed",
            Self::PostgresRestarted => "postgres-restarted",
            Self::ReplicaPromoted => "replica-promoted",
            Self::ValkeyKilled => "valkey-killed",
            Self::NodePaused => "node-paused",
            Self::ConnectionCut => "connection-cut",
            Self::ConnectionHeld => "connection-held",
            Self::DatabaseSlow => "database-slow",
            Self::PoolExhausted => "pool-exhausted",
            Self::DiskFull => "disk-full",
            Self::RollingUpgrade => "rolling-upgrade",
        }
    }

    /// Breaks it under the program at that path, and tells what came of it.
    ///
    /// # Errors
    /// Why this machine cannot do it.
    ///
    /// # Panics
    /// If something that is broken on purpose does not come back by itself, and if the servers cannot be started.
    pub async fn run(self, program: &Path) -> Result<Figures, String> {
        Ok(match self {
            Self::NodeKilled => scenarios::node_killed(program).await,
            Self::PostgresRestarted => scenarios::postgres_restarted(program).await,
            Self::ReplicaPromoted => scenarios::replica_promoted(program).await,
            Self::ValkeyKilled => scenarios::valkey_killed(program).await,
            Self::NodePaused => scenarios::node_paused(program).await,
            Self::ConnectionCut => scenarios::connection_cut(program).await,
            Self::ConnectionHeld => scenarios::connection_held(program).await,
            Self::DatabaseSlow => scenarios::database_slow(program).await,
            Self::PoolExhausted => scenarios::pool_exhausted(program).await,
            Self::DiskFull => return disk::disk_full(program).await,
            Self::RollingUpgrade => scenarios::rolling_upgrade(program).await,
        })
    }
}

/// The engines that the scenarios run on, as they say themselves.
#[must_use]
pub fn engines() -> String {
    let store = ["valkey-server", "redis-server"].iter().find_map(|program| {
        let output = Command::new(program).arg("--version").output().ok()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        Some(told.split(" sha=").next()?.trim().to_owned())
    });
    format!("{}; {}", cluster::Cluster::version(), store.unwrap_or_default())
}
