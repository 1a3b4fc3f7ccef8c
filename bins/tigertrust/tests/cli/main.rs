//! The program as its users run it: real processes, real files, both engines.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

mod audit;
#[cfg(feature = "otlp")]
mod collector;
mod commands;
mod configuration;
mod documentation;
mod faults;
mod import;
mod kills;
mod limits;
mod listening;
mod mail;
mod members;
mod metrics;
mod people;
mod program;
mod quickstart;
mod rotation;
mod saml;
mod secrecy;
mod sso;
mod sso_settings;
#[cfg(feature = "otlp")]
mod traces;
mod trust_rules;
mod usage;
mod webhooks;
