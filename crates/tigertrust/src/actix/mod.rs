//! Guards for actix-web routes of your own: a handler that takes a [`Permitted`] cannot be reached without a key that
//! fulfils what the route needs. What that is has a name, which [`needs!`](crate::needs) gives it.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use tigertrust::{
//!     TigerTrust,
//!     actix::{Permitted, Rejection},
//!     needs,
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
//! # async fn run(auth: TigerTrust) -> std::io::Result<()> {
//! let auth = web::Data::new(auth);
//! HttpServer::new(move || {
//!     App::new()
//!         .app_data(auth.clone())
//!         .route("/invoices", web::get().to(invoices))
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await
//! # }
//! ```
//!
//! Keys are taken from `X-Agent-API-Key` and `Authorization: Bearer`, the workspace from `X-Workspace-ID`, as the server
//! does it, and who is refused reads the same problem document (RFC 9457).

mod answer;
mod client_address;
mod permitted;

use actix_web::http::header::HeaderName;

pub use answer::tell_limits;
pub use client_address::ClientAddress;
pub use permitted::Permitted;
pub use tigertrust_wire::{Code, FieldProblem, Problem, RateLimitHeaders, TrustedProxies};

pub use crate::{Admitted, Needs, Rejection};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
