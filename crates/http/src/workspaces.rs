//! `/api/workspaces`.

use actix_web::{HttpRequest, HttpResponse, web};
use tigertrust_model::WorkspaceId;
use tigertrust_wire::{Page, Workspace};

use crate::{
    App,
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
