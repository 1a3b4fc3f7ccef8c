//! `/api/auth/me`.

use actix_web::HttpResponse;
use tigertrust_wire::{KeyIdentity, PersonIdentity};
use utoipa::ToSchema;

use crate::{
    permit::{Admitted, Caller},
    respond::json,
};

/// Who calls: a key or a person, told apart by `type`.
#[derive(ToSchema)]
#[schema(as = Identity)]
#[serde(untagged)]
#[allow(
    dead_code,
    reason = "it stands in the document for the two answers that there are"
)]
enum Identity {
    #[schema(title = "ApiKey")]
    Key(KeyIdentity),
    #[schema(title = "User")]
    Person(PersonIdentity),
}

/// Shows who the caller is. Any valid credential will do.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, description = "The caller", body = Identity)),
)]
pub(crate) async fn show(caller: Admitted) -> HttpResponse {
    match caller.caller() {
        Caller::Key(permit) => json(&KeyIdentity::from(&**permit)),
        Caller::Person(permit) => json(&PersonIdentity::from(&**permit)),
    }
}
