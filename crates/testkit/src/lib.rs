//! Fakes, fixtures and throwaway servers for the tests of TigerTrust.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod authenticator;
mod chromium;
mod clock;
pub mod database;
mod dns;
mod eventually;
pub mod faults;
mod gate;
mod job_issuer;
mod mail;
mod mailbox;
mod program;
pub mod protected;
mod provider;
mod proxy;
mod receiver;
mod records;
mod server;
mod signal;
mod tab;
mod valkey;

pub use authenticator::Authenticator;
pub use chromium::{Chromium, Walked};
pub use clock::TestClock;
pub use database::{Engine, ThrowawayDatabase, patient};
pub use dns::TestNameServer;
pub use eventually::eventually;
pub use gate::Gate;
pub use job_issuer::{JobAlgorithm, JobIssuer};
pub use mail::{ReceivedMail, TestMailServer};
pub use mailbox::Mailbox;
pub use provider::{ProviderBrowser, SamlForm, ThrowawayProvider};
pub use proxy::{ProxyKind, ThrowawayProxy, free_port};
pub use receiver::{ReceivedWebhook, Receiver};
pub use records::TestRecords;
pub use server::{Answer, IDLE_TIMEOUT, MAX_STALENESS, PASSWORD, TestServer, send};
pub use signal::signal;
pub use tab::{Tab, TabSettings};
pub use valkey::ThrowawayValkey;
