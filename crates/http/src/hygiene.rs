//! `/api/keys/hygiene`.

use actix_web::{HttpRequest, HttpResponse, web};
use tigertrust_model::KeyId;
use tigertrust_wire::{KeyFinding, Page};

use crate::{App, error::ApiError, permit::Admitted, query};

/// Looks for keys that are unused, about to expire, old, or allowed more than they are used for, among those that are active. A page
/// looks at `limit` keys, the newest first, and shows what it found: it may be empty and not be the last.
#[utoipa::path(
    get, path = "/api/keys/hygiene", tag = "keys", operation_id = "getKeyHygiene", params(query::PageQuery),
    responses((status = 200, description = "What was found", body = Page<KeyFinding>)),
)]
pub(crate) async fn report(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (page, _) = query::parse::<query::PageQuery>(&request)?.page::<KeyId>()?;
    let report = app.hygiene.report(&caller.actor(), None, page).await?;
    Ok(HttpResponse::Ok().json(Page::<KeyFinding>::from(&report)))
}
