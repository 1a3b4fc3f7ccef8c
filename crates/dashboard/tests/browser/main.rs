//! The dashboard in a real browser, over real servers on both engines. Modules mirror the pages.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod audit;
mod common;
mod every_page;
mod hardening;
mod keys;
mod members;
mod profile;
mod refusals;
mod security;
mod sign_in;
mod sso;
mod trust_rules;
mod webhooks;
mod workspaces;
