//! The whole HTTP API, for a server of your own: [`TigerTrust::app`](crate::TigerTrust::app) makes it over an instance,
//! [`configure`] mounts its routes on an actix-web application, [`serve`] is a server of nothing else.
//!
//! The mounted routes answer whatever no route before them did, so mount your own first:
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use tigertrust::{
//!     TigerTrust,
//!     server::{AppSettings, configure},
//! };
//!
//! # async fn run(auth: TigerTrust) -> Result<(), Box<dyn std::error::Error>> {
//! let api = web::Data::new(auth.app(AppSettings::default())?);
//! HttpServer::new(move || {
//!     App::new()
//!         .route("/", web::get().to(async || "hello"))
//!         .app_data(api.clone())
//!         .configure(configure)
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```

use std::io;

use tigertrust_model::RandomError;
use tigertrust_passkeys::SettingsError;

/// Why there is no [`App`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// There are no random bytes for the ids of requests.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The operating system gives no threads to hash passwords on.
    #[error("there are no threads to hash passwords on: {0}")]
    Threads(#[from] io::Error),
    /// Who we are to authenticators is not what browsers take.
    #[error("passkeys: {0}")]
    Passkeys(#[from] SettingsError),
}

pub use tigertrust_accounts::{LeakPolicy, LeakResponse, SessionSettings, passkeys::RelyingPartySettings};
pub use tigertrust_credentials::{EncryptionKey, EncryptionKeyError, EncryptionRing, HashingSettings};
pub use tigertrust_http::{
    Access, App, AppSettings, Operation, Parts, ServerSettings, TrustedProxies, configure, openapi_document,
    operations, serve,
};
