//! `/api/auth/me` for the people themselves: edited, exported, erased.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{FlowError, ProfileChanges, Violation};
use tigertrust_wire::{PersonExport, PersonIdentity, Problem, UpdateMe};

use crate::{
    App,
    body::Body,
    error::ApiError,
    origin::origin,
    page,
    permit::{Caller, Person},
    respond::json,
};

/// Changes what the caller says of itself: its name, and the workspace that requests act in where none is named. What is
/// absent from the body stays as it is.
#[utoipa::path(
    patch, path = "/api/auth/me", tag = "auth", operation_id = "updateMe", request_body = UpdateMe,
    responses((status = 200, description = "The caller as it is now", body = PersonIdentity)),
)]
pub(crate) async fn update(
    mut person: Person,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<UpdateMe>(person.admitted()).await?;
    let chosen = body
        .default_workspace_id
        .map(|id| id.map(|id| id.parse()).transpose());
    let no_such_workspace = |_| {
        let detail = "no such workspace, or not one of yours";
        FlowError::WorkspaceDenied(vec![Violation::new("/defaultWorkspaceId", detail)])
    };
    let changes = ProfileChanges {
        name: body.name,
        default_workspace: chosen.transpose().map_err(no_such_workspace)?,
    };
    app.profiles.edit(&person, changes, &person.origin()).await?;
    tracing::info!(user = %person.user().id, "profile edited");
    let admitted = person.admitted();
    admitted.renew().await?;
    match admitted.caller() {
        Caller::Person(permit) => Ok(json(&PersonIdentity::from(&**permit))),
        Caller::Key(_) => Err(Problem::unavailable().into()),
    }
}

/// Answers everything that is held on the caller. Needs a fresh proof.
#[utoipa::path(
    get, path = "/api/auth/me/export", tag = "auth", operation_id = "exportMe",
    responses((status = 200, description = "Everything but secrets", body = PersonExport)),
)]
pub(crate) async fn export(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    exported(&person, &app).await
}

/// Everything that is held on a person, as a file to keep.
///
/// # Errors
/// 403 `STEP_UP_REQUIRED`, and others.
pub async fn exported(person: &Person, app: &App) -> Result<HttpResponse, ApiError> {
    let _turn = app.exports.acquire().await;
    let held = app.profiles.export(person, &person.origin()).await?;
    tracing::info!(user = %person.user().id, "account exported");
    let export = PersonExport::new(&held, person.session().id, app.clock.now());
    let mut response = json(&export);
    let attachment = header::HeaderValue::from_static("attachment; filename=\"account.json\"");
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, attachment);
    Ok(response)
}

/// Erases the caller's account for good: its sessions end, its personal keys are revoked, and its name, addresses and factors
/// are gone. Its id stays, and names nobody. Needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/auth/me", tag = "auth", operation_id = "eraseMe",
    responses(
        (status = 204, description = "It is erased"),
        (status = 409, description = "The caller is the last owner of a workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn erase(
    person: Person,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse, ApiError> {
    app.profiles.erase(&person, &origin(&app, &request)).await?;
    tracing::info!(user = %person.user().id, "account erased");
    let mut response = HttpResponse::NoContent().finish();
    page::take_all_back(&app, &mut response);
    Ok(response)
}
