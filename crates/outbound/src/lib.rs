//! One HTTP client to addresses that others have named: identity providers, receivers of webhooks.
//!
//! Whoever names an address would have this server speak to it, and so this is a door out of the network the server is in. One
//! client goes through it: by https alone, to addresses that are public alone, following no redirection, and reading only so much
//! for so long. What is let through beyond that is the operator's to say.

mod address;
mod client;
mod error;
mod trace;

pub use client::{OutboundHttp, OutboundSettings, PlainHttp};
pub use error::OutboundError;
pub use trace::Traceparent;
