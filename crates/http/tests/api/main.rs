//! The HTTP contract, over real servers on both engines. Modules mirror the routes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod abuse;
mod audit;
mod changes;
mod check;
mod clock;
mod credentials;
mod demanded_factor;
mod erasure;
mod errors;
mod express;
mod factors;
mod failed_credentials;
mod filters;
mod headers;
mod hygiene;
mod idempotency;
mod imported_keys;
mod instance_keys;
mod invitations;
mod job_tokens;
mod keys;
mod last_use;
mod leaks;
mod login;
mod mail;
mod me;
mod members;
mod networks;
mod notices;
mod openapi;
mod own_limits;
mod pages;
mod passkey_login;
mod passkeys;
mod people;
mod personal;
mod profile;
mod rate_limits;
mod raw;
mod refusals;
mod revocation;
mod rotate;
mod scim;
mod sso;
mod sso_chromium;
mod sso_connections;
mod sso_domains;
mod sso_linking;
mod sso_presets;
mod sso_saml;
mod tokens;
mod trust_rules;
mod usage;
mod verify;
mod verify_limits;
mod webhooks;
mod workspaces;
