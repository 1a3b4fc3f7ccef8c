//! PostgreSQL and SQLite behind the ports of TigerTrust.
//!
//! [`Storage::open`] takes a [`DatabaseUrl`] and answers as [`CredentialStore`](tigertrust_credentials::ports::CredentialStore),
//! [`KeyStore`](tigertrust_accounts::ports::KeyStore) and [`AccountStore`](tigertrust_accounts::ports::AccountStore);
//! [`Storage::follow`] feeds a [`ChangeListener`](tigertrust_credentials::ports::ChangeListener). The schema is the
//! business of [`migrations`].
//!
//! The queries under `queries/` are written once and compiled once for each engine; the modules `postgres` and `sqlite`
//! hold what the engines do in ways of their own.

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("tigertrust-storage needs one of its features `postgres` and `sqlite`");

mod audit_counts;
pub mod backup;
mod error;
mod identifier;
pub mod migrations;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub mod moving;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sso_settings;
mod storage;
mod tasks;
mod types;
mod url;

pub use error::OpenError;
pub use options::Options;
pub use storage::{
    ClockMark, Connections, Dependent, FeedHandle, SchemaState, SealedSample, SecretUse, Storage,
    StorageParts,
};
pub use url::{DatabaseUrl, DatabaseUrlError};
