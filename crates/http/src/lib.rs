//! The actix-web adapter: extractors, middleware, and one file a resource.
//!
//! [`configure`] mounts every route of the HTTP contract on an actix-web application that holds an [`App`];
//! [`serve`] runs one with the limits that a server on the open network needs. Routes, and what each needs of its
//! caller, stand in one table, [`operations`]: the extractor enforces it, OpenAPI shows it, the refusal tests walk it.

mod access;
mod app;
mod audit;
mod auth;
mod body;
mod changes;
mod client_address;
mod cookies;
mod error;
mod express;
mod followers;
mod health;
mod hygiene;
mod invitations;
mod keys;
mod members;
mod metrics;
mod mount;
mod openapi;
mod origin;
pub mod page;
mod pages;
mod permit;
mod query;
mod rate_limit;
mod refused;
mod respond;
mod routes;
mod same_site;
mod sent_forms;
mod server;
mod sso;
mod tokens;
mod trace;
mod trust_rules;
mod usage;
mod verifications;
mod webhooks;
mod workspaces;

pub use access::Access;
pub use app::{App, AppSettings, Parts, SsoSettings, TokenSettings};
pub use client_address::TrustedProxies;
pub use error::ApiError;
pub use metrics::{Labels, Metrics, serve_metrics};
pub use mount::{configure, configure_with};
pub use openapi::document as openapi_document;
pub use permit::Person;
pub use routes::{Operation, operations};
pub use server::{Listener, ServerSettings, serve};
pub use trace::TraceContext;
