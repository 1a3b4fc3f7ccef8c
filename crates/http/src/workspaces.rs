//! `/api/workspaces`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{FlowError, NewWorkspace, Violation, WorkspaceChanges};
use tigertrust_model::{Plan, WorkspaceId};
use tigertrust_wire::{CreateWorkspace, Page, UpdateWorkspace, Workspace};

use crate::{
    App,
    body::Body,
    error::ApiError,
    permit::Admitted,
    query::{self, PageQuery},
};

/// Lists the caller's workspaces: those that a key names, its home first; all of them, newest first, for an instance
/// key.
#[utoipa::path(
    get, path = "/api/workspaces", tag = "workspaces", operation_id = "listWorkspaces", params(PageQuery),
    responses((status = 200, description = "A page of workspaces", body = Page<Workspace>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (page, limit) = query::parse::<PageQuery>(&request)?.page::<WorkspaceId>()?;
    let workspaces = app.workspaces.list(&caller.actor(), page).await?;
    Ok(HttpResponse::Ok().json(Page::of(
        workspaces,
        limit,
        |known| known.id.to_string(),
        |known| Workspace::from(known),
    )))
}

/// Makes a workspace on plan Free: with a personal key for its owner, with an instance key for the user whom `owner` names.
#[utoipa::path(
    post, path = "/api/workspaces", tag = "workspaces", operation_id = "createWorkspace",
    request_body = CreateWorkspace,
    responses((status = 201, description = "The workspace", body = Workspace)),
)]
pub(crate) async fn create(
    mut caller: Admitted,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<CreateWorkspace>(&mut caller).await?;
    let owner = body.owner.map(|text| text.parse()).transpose();
    let new = NewWorkspace {
        name: body.name,
        plan: None,
        // What names nobody and who is not there are the same.
        owner: owner.map_err(|_| invalid("/owner", "no such user"))?,
    };
    let workspace = app.workspaces.create_as(&caller.actor(), new).await?;
    tracing::info!(workspace = %workspace.id, by = %caller.name(), "workspace created");
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/workspaces/{}", workspace.id)))
        .json(Workspace::from(&workspace)))
}

/// Shows a workspace.
#[utoipa::path(
    get, path = "/api/workspaces/{id}", tag = "workspaces", operation_id = "getWorkspace",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The workspace", body = Workspace)),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let workspace = app.workspaces.get(&caller.actor(), parse_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(Workspace::from(&workspace)))
}

/// Changes a workspace's name, whether it demands a second factor of its members, or, with an instance key, its plan; what is
/// absent from the body stays as it is.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}", tag = "workspaces", operation_id = "updateWorkspace",
    request_body = UpdateWorkspace,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The workspace as it is now", body = Workspace)),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let body = body.json::<UpdateWorkspace>(&mut caller).await?;
    let plan = body.plan.map(|text| text.parse::<Plan>()).transpose();
    let changes = WorkspaceChanges {
        name: body.name,
        plan: plan.map_err(|error| invalid("/plan", error.to_string()))?,
        requires_second_factor: body.require_second_factor,
        leak_response: body.leak_response.map(|response| response.map(Into::into)),
    };
    let workspace = app.workspaces.edit(&caller.actor(), id, changes).await?;
    tracing::info!(workspace = %id, by = %caller.name(), "workspace edited");
    Ok(HttpResponse::Ok().json(Workspace::from(&workspace)))
}

/// Deletes a workspace for good: its keys are refused, by this node before this answer, by every other within a second.
/// Only an owner, by a personal key, and instance keys may do it.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}", tag = "workspaces", operation_id = "deleteWorkspace",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 204, description = "The workspace is deleted")),
)]
pub(crate) async fn delete(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    app.workspaces.delete(&caller.actor(), id).await?;
    tracing::info!(workspace = %id, by = %caller.name(), "workspace deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// An id that is none names nothing.
pub(crate) fn parse_id(text: &str) -> Result<WorkspaceId, ApiError> {
    text.parse().map_err(|_| FlowError::NotFound.into())
}

pub(crate) fn invalid(pointer: &str, detail: impl Into<String>) -> FlowError {
    FlowError::Invalid(vec![Violation::new(pointer, detail)])
}
