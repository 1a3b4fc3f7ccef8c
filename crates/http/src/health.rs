//! Whether the server lives, and whether it can serve.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use tigertrust_wire::{Code, Problem};
use utoipa::ToSchema;

use crate::{App, error::ApiError};

/// The state of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process answers at all. A failing database does not make it fail: a restart would not help.
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "live",
    responses((status = 200, description = "The process answers", body = Health)),
)]
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Whether the server may be sent requests: it has heard from its database within the staleness bound.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses(
        (status = 200, description = "Requests can be served", body = Health),
        (status = 503, description = "The database has been silent for too long", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.tracker.is_fresh() {
        return Ok(HttpResponse::Ok().json(Health { status: "ok" }));
    }
    Err(Problem::new(
        Code::ServiceUnavailable,
        "The database has been silent for too long.",
    )
    .into())
}
