//! A layer that lets in whoever holds a key for what a route needs: for axum, tonic and whatever else is made of services of
//! [tower](https://docs.rs/tower-service).
//!
//! [`AuthLayer`] says what is needed of the requests that pass it, and [`Admitted`] is among the extensions of those that do:
//!
//! ```
//! use tigertrust::{
//!     Gate, Need,
//!     tower::{Admitted, AuthLayer},
//! };
//!
//! fn layer(auth: impl Into<Gate>) -> Result<AuthLayer, Box<dyn std::error::Error>> {
//!     let need = Need {
//!         scope: Some("invoices:read".parse()?),
//!         ..Need::any_caller()
//!     };
//!     Ok(AuthLayer::requiring(auth, need))
//! }
//!
//! fn handle<B>(request: &http::Request<B>) -> Option<String> {
//!     let caller = request.extensions().get::<Admitted>()?;
//!     Some(format!("the invoices of {}", caller.workspace()?.id))
//! }
//! ```
//!
//! Keys are taken from `X-Agent-API-Key` and `Authorization: Bearer`, the workspace from `X-Workspace-ID`, as the server does it. Who is
//! refused reads the same problem document (RFC 9457). Who calls with `Content-Type: application/grpc` reads an answer of gRPC instead,
//! without a body: `grpc-status` is 16 (UNAUTHENTICATED), 7 (PERMISSION_DENIED), 8 (RESOURCE_EXHAUSTED), 14 (UNAVAILABLE) or 3
//! (INVALID_ARGUMENT), `grpc-message` is the problem's `detail`, and the other headers are metadata. Answers to those who were let in tell how
//! their limits stand, and repeat the `X-Request-Id` of the request.
//!
//! # axum
//!
//! With the feature `axum` a handler that takes a [`Permitted`] cannot be reached without a key that fulfils what the handler needs. The
//! layer lets the extractors decide:
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use tigertrust::{
//!     Gate, needs,
//!     tower::{AuthLayer, Permitted, Rejection},
//! };
//!
//! needs! {
//!     /// May read the invoices of a workspace.
//!     struct ReadInvoices { scope: "invoices:read" }
//! }
//!
//! async fn invoices(caller: Permitted<ReadInvoices>) -> Result<String, Rejection> {
//!     Ok(format!("the invoices of {}", caller.in_workspace()?.id))
//! }
//!
//! fn app(auth: impl Into<Gate>) -> Router {
//!     Router::new()
//!         .route("/invoices", get(invoices))
//!         .layer(AuthLayer::for_extractors(auth))
//! }
//! ```

mod answer;
mod body;
mod client_address;
mod layer;
#[cfg(feature = "axum")]
mod permitted;
mod request;

pub use body::AnswerBody;
pub use client_address::ClientAddress;
pub use layer::{Auth, AuthLayer};
pub use tigertrust_wire::{Code, FieldProblem, Problem, RateLimitHeaders, TrustedProxies};

#[cfg(feature = "axum")]
pub use crate::permitted::Permitted;
pub use crate::{Admitted, Needs, Rejection};
