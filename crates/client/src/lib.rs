//! Checks API keys with a [TigerTrust](https://docs.rs/tigertrust) server, for Rust services that do not embed it: the client asks
//! `POST /api/keys/verify`, remembers the answers, and follows `GET /api/changes`, so that it forgets an answer when something
//! has changed. A revoked key is refused within a second.
//!
//! The chapter "Clients" of the handbook says exactly what a client does, in any language. This page says how to use this one.
//!
//! # Asking
//!
//! A [`Client`] needs the address of the server and a key of the service's own, an agent key with `keys:verify`. Both come from the
//! environment, as `TIGERTRUST_URL` and `TIGERTRUST_API_KEY`, or from the [builder](Client::builder). It runs on tokio. One
//! for each process is enough: clones are the same client.
//!
//! ```no_run
//! use tigertrust_client::{Client, PresentedKey, Question, Verdict};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?;
//! client.start();
//!
//! let key = PresentedKey::new("ak_00000000000000000000000000000000000000000002PL60u");
//! let question = Question {
//!     scope: Some("certificates:read"),
//!     client_address: Some("192.0.2.7".parse()?),
//!     ..Question::default()
//! };
//! match client.verify(&key, &question).await {
//!     Ok(Verdict::Valid(verdict)) => println!("{} may read in {:?}", verdict.name, verdict.workspace_id),
//!     Ok(Verdict::Refused(verdict)) => println!("refused with {}: {}", verdict.code, verdict.detail),
//!     Err(error) => println!("nobody can say; try again in {:?}: {error}", error.retry_after()),
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Let a client in for [`Verdict::Valid`] alone. [`NotAvailable`] is never a pass.
//!
//! # Settings
//!
//! All have a default. What is not allowed is an error of [`build`](ClientBuilder::build).
//!
//! ```
//! use std::time::Duration;
//!
//! use tigertrust_client::{Client, Tokens};
//!
//! let client = Client::builder()
//!     .url("https://auth.example.com")
//!     // Better left to the environment than written into code.
//!     .api_key("ak_00000000000000000000000000000000000000000002PL60u")
//!     .deadline(Duration::from_secs(2))
//!     .staleness(Duration::from_secs(3))
//!     .settle(Duration::from_secs(1))
//!     .cache_size(10_000)
//!     .lease(10)
//!     .life(Duration::from_secs(60))
//!     .tokens(Tokens::Offline)
//!     .key_prefixes(["sk_live_"])
//!     .on_state(|state, why| println!("{state}: {why}"))
//!     .build();
//! # // Where the platform trusts no certificate there is no client that could use https.
//! # assert!(client.is_ok() || client.is_err_and(|error| error == tigertrust_client::BuildError::Tls));
//! ```
//!
//! [`Client::state`] says where a client stands with the feed. Remembered verdicts are used in [`State::Following`] alone; in every
//! other state but [`State::Closed`] the server is asked each time.
//!
//! # Tokens
//!
//! [`Client::verify`] takes short-lived tokens wherever it takes keys, as a [`PresentedKey`] too. The client verifies them itself,
//! without a call, as long as it knows all that has changed since a token was issued; otherwise it asks the server. Such a use counts
//! nowhere: set [`Tokens::Online`] where limits are to hold for tokens too. Where the service reaches the server under another address
//! than its `public_url`, say so with [`issuer`](ClientBuilder::issuer) or `TIGERTRUST_ISSUER`: otherwise every token is asked about.
//!
//! The feature `tokens`, on by default, brings what the signature is checked with. Without it the server is asked about each token.
//!
//! # Middleware
//!
//! | feature | module | for |
//! |---|---|---|
//! | `actix` | `actix` | actix-web |
//! | `tower` | `tower` | axum, tonic, and every other service of HTTP requests |
//!
//! They read the key from `X-Agent-API-Key` or `Authorization: Bearer` and the workspace from `X-Workspace-ID` as the server does,
//! give handlers a [`Verified`](guard::Verified), and answer everybody else with the server's problem documents (RFC 9457), or by
//! the rules of gRPC. Neither is on by default. For other frameworks there is [`guard`].
//!
//! # Secrets
//!
//! [`PresentedKey`] and [`ServiceKey`] show nothing in `Debug`, and are overwritten when they are dropped. Neither key is in an
//! error or a log line. Use plain HTTP on a loopback address or a network that you trust alone: both keys travel in each call.
//!
//! Certificates are checked by rustls against what the platform trusts; on Linux `SSL_CERT_FILE` names another list. Redirects are not
//! followed, and proxies that the environment names are not used.
//!
//! # In tests
//!
//! [`ClientBuilder::clock`] and [`ClientBuilder::random`] take the place of the machine's time and randomness, so that a test can let
//! a verdict grow old without waiting.

#[cfg(feature = "actix")]
pub mod actix;
pub mod guard;
#[cfg(feature = "tower")]
pub mod tower;

mod accounts;
mod api;
mod asker;
mod backoff;
mod changes;
mod client;
mod core;
mod error;
mod event_stream;
mod feed;
mod key_format;
mod lock;
mod lru;
mod presented;
mod question;
mod reach;
mod refusal;
mod secret;
mod settings;
mod state;
mod system;
mod token_format;
#[cfg(feature = "tokens")]
mod tokens;
mod troubles;
mod verdict;

pub use client::Client;
pub use error::{BuildError, NotAvailable, Reason};
pub use question::Question;
pub use secret::{PresentedKey, ServiceKey};
pub use settings::{Change, ClientBuilder, Tokens};
pub use state::State;
pub use system::{OsRandom, SystemClock};
pub use tigertrust_model::{
    Clock, Entity, KeyId, KeyType, RandomError, RandomSource, Timestamp, UserId, WorkspaceId,
};
pub use verdict::{Code, RateLimit, RefusedVerdict, ValidVerdict, Verdict};
