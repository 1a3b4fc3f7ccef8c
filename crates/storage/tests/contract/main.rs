//! The contract of the ports, on both engines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

mod support;

mod accounts;
mod audit;
mod changes;
mod corruption;
mod encryption;
mod faults;
mod invitations;
mod keys;
mod lookups;
mod mail_tokens;
mod members;
mod moving;
mod nodes;
mod passkeys;
mod races;
mod schema;
mod trust_rules;
mod usage;
mod webhooks;
mod workspaces;
mod writes;
