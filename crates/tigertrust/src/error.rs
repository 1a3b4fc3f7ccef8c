//! Why there is no instance.

use std::time::Duration;

use tigertrust_credentials::PepperError;
#[cfg(feature = "storage")]
use tigertrust_credentials::{PasswordCostError, ports::StoreError};
#[cfg(feature = "storage")]
use tigertrust_model::RandomError;
use tigertrust_model::{CatalogError, ScopeError};
#[cfg(feature = "storage")]
use tigertrust_storage::{DatabaseUrlError, OpenError, migrations::MigrationError};

/// Why an instance could not be built. No message repeats a secret or a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The builder was not told of a database.
    #[cfg(feature = "storage")]
    #[error("there is no database: name one with Builder::database")]
    NoDatabase,
    /// What it was told is no URL of a database.
    #[cfg(feature = "storage")]
    #[error("the database's URL {0}")]
    Database(#[from] DatabaseUrlError),
    /// The builder was given no pepper.
    #[error("there is no pepper: keep a secret of generate_pepper and give it to the builder's pepper")]
    NoPepper,
    /// A pepper cannot be used, or two have one id.
    #[error("pepper {id:?} cannot be used: {why}")]
    Pepper {
        /// Its id.
        id: String,
        /// Why.
        why: PepperError,
    },
    /// A name is none of a scope.
    #[error("{name:?} {why}")]
    ScopeName {
        /// The name.
        name: String,
        /// What it must be.
        why: ScopeError,
    },
    /// A scope cannot be defined by an application.
    #[error("the scope {name} is {why}")]
    Scope {
        /// Its name.
        name: String,
        /// Why.
        why: CatalogError,
    },
    /// With no time at all nothing could ever be trusted.
    #[error("max_staleness must be more than zero, and not {0:?}")]
    Staleness(Duration),
    /// Hashes of passwords cannot be so much work, or so little.
    #[cfg(feature = "storage")]
    #[error("the cost of passwords {0}")]
    PasswordCost(#[from] PasswordCostError),
    /// There are no random bytes for the id of this process.
    #[cfg(feature = "storage")]
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The shared store of rate limits cannot be used.
    #[cfg(feature = "valkey")]
    #[error("the URL of the shared rate limits {0}")]
    Valkey(#[from] tigertrust_rate_limit::ValkeyError),
    /// There is no way to send webhooks.
    #[cfg(feature = "webhooks")]
    #[error(transparent)]
    Webhooks(#[from] tigertrust_notify::webhooks::WebhookHttpError),
    /// Connections live on a tokio runtime.
    #[error("there is no tokio runtime: build within one, or name one with the builder's runtime")]
    NoRuntime,
    /// The database cannot be opened.
    #[cfg(feature = "storage")]
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The schema could not be brought up to date.
    #[cfg(feature = "storage")]
    #[error("the schema could not be brought up to date: {0}")]
    Migration(#[from] MigrationError),
    /// Migrations that this program knows have not been run.
    #[cfg(feature = "storage")]
    #[error(
        "the database's schema is behind this program, it lacks {}: \
         build with migrate(true), or run `tigertrust migrate run`",
        .0.join(", ")
    )]
    SchemaBehind(Vec<String>),
    /// A newer program has migrated the database.
    #[cfg(feature = "storage")]
    #[error("the database's schema is ahead of this program, it has {}: build with the newer version", .0.join(", "))]
    SchemaAhead(Vec<String>),
    /// An instance was being moved into the database.
    #[cfg(feature = "storage")]
    #[error(
        "an instance was being moved into the database, and not all of it is there: run the same `tigertrust move` again"
    )]
    HalfMoved,
    /// The instance in the database was moved into another one.
    #[cfg(feature = "storage")]
    #[error(
        "the instance in this database was moved into another one: name that one, or run `tigertrust move --reopen` to stay with \
         this one"
    )]
    MovedAway,
    /// The database cannot be reached, or does not answer as it should.
    #[cfg(feature = "storage")]
    #[error(transparent)]
    Store(#[from] StoreError),
}
