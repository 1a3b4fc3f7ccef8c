//! `/api/auth/me`.

use actix_web::HttpResponse;
use tigertrust_wire::KeyIdentity;

use crate::permit::Admitted;

/// Shows who the caller is. Any valid credential will do.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, description = "The caller", body = KeyIdentity)),
)]
pub(crate) async fn show(caller: Admitted) -> HttpResponse {
    HttpResponse::Ok().json(KeyIdentity::from(&*caller))
}
