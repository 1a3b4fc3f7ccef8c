//! The program as its users run it: real processes, real files, both engines.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod audit;
mod backup;
mod clock;
#[cfg(feature = "otlp")]
mod collector;
mod commands;
mod configuration;
mod doctor;
mod faults;
mod import;
mod json;
mod kills;
mod limits;
mod listening;
mod mail;
mod members;
mod metrics;
mod migrations;
mod moving;
mod nodes;
mod people;
mod program;
mod quickstart;
mod rotation;
mod saml;
mod secrecy;
mod shells;
mod sso;
mod sso_settings;
#[cfg(feature = "otlp")]
mod traces;
mod trust_rules;
mod usage;
mod webhooks;
