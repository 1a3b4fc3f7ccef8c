//! `/api/workspaces/{id}/sso-connections`.

use actix_web::{HttpResponse, http::header, web};
use tigertrust_accounts::{FlowError, sso::Connection};
use tigertrust_model::{ConnectionId, WorkspaceId};
use tigertrust_wire::{
    CreateSsoConnection, Page, Problem, ScimToken, SsoConnection, TestReport, UpdateSsoConnection,
};

use super::mistake;
use crate::{App, body::Body, error::ApiError, permit::Admitted, respond::json, workspaces::parse_id};

/// Metadata travels in the body.
const MAX_BODY: usize = 400 * 1024;

fn shown(app: &App, connection: &Connection) -> Result<SsoConnection, ApiError> {
    let sso = app.sso()?;
    Ok(SsoConnection::new(
        connection,
        sso.public_url(),
        sso.return_address(connection),
    ))
}

fn ids(path: &(String, String)) -> Result<(WorkspaceId, ConnectionId), ApiError> {
    let connection = path.1.parse().map_err(|_| FlowError::NotFound)?;
    Ok((parse_id(&path.0)?, connection))
}

/// Lists the connections of a workspace with identity providers, newest first. There are at most 50.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/sso-connections", tag = "sso", operation_id = "listSsoConnections",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The connections", body = Page<SsoConnection>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let connections = app.sso()?.list(&caller.actor(), parse_id(&id)?).await?;
    let items = connections
        .iter()
        .map(|connection| shown(&app, connection))
        .collect::<Result<_, _>>()?;
    Ok(json(&Page::whole(items)))
}

/// Connects a workspace with an identity provider: by OpenID Connect (`oidc`) or SAML (`saml`). A person needs a fresh proof.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/sso-connections", tag = "sso", operation_id = "createSsoConnection",
    request_body = CreateSsoConnection,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 201, description = "The connection", body = SsoConnection),
        (status = 409, description = "There is a connection with this slug, or too many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server has no encryption key for the secret", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let body = body
        .larger_json::<CreateSsoConnection>(&mut caller, MAX_BODY)
        .await?;
    let new = body.read().map_err(mistake)?;
    let connection = app.sso()?.create(&caller.actor(), workspace, new).await?;
    let id = connection.id.to_string();
    tracing::info!(%workspace, connection = id, slug = connection.slug, by = %caller.name(), "connection made");
    let place = format!("/api/workspaces/{workspace}/sso-connections/{id}");
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, place))
        .json(shown(&app, &connection)?))
}

/// Shows a connection.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/sso-connections/{connectionId}", tag = "sso", operation_id = "getSsoConnection",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The connection", body = SsoConnection)),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let connection = app.sso()?.get(&caller.actor(), workspace, id).await?;
    Ok(json(&shown(&app, &connection)?))
}

/// Changes a connection; what is absent from the body stays. `oidc` and `saml` are taken as a whole, but for a client secret that is
/// absent; metadata is read anew. Switched off, its sessions end. A person needs a fresh proof.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}/sso-connections/{connectionId}", tag = "sso", operation_id = "updateSsoConnection",
    request_body = UpdateSsoConnection,
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 200, description = "The connection as it is now", body = SsoConnection),
        (status = 409, description = "A domain has to sign in by it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let body = body
        .larger_json::<UpdateSsoConnection>(&mut caller, MAX_BODY)
        .await?;
    let changes = body.read().map_err(mistake)?;
    let connection = app.sso()?.update(&caller.actor(), workspace, id, changes).await?;
    tracing::info!(%workspace, connection = %id, by = %caller.name(), "connection edited");
    Ok(json(&shown(&app, &connection)?))
}

/// Removes a connection, with the identities that were connected by it. The sessions that were begun by it end; accounts and memberships
/// stay. A person needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/sso-connections/{connectionId}", tag = "sso", operation_id = "deleteSsoConnection",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 204, description = "It is removed"),
        (status = 409, description = "A domain has to sign in by it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    app.sso()?.remove(&caller.actor(), workspace, id).await?;
    tracing::info!(%workspace, connection = %id, by = %caller.name(), "connection removed");
    Ok(HttpResponse::NoContent().finish())
}

/// Asks the provider, as far as that can be done without a person: whether it answers, and whether its certificates are about to end.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/sso-connections/{connectionId}/test", tag = "sso", operation_id = "testSsoConnection",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "What was found", body = TestReport)),
)]
pub(crate) async fn test(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let report = app.sso()?.probe(&caller.actor(), workspace, id).await?;
    Ok(json(&TestReport::from(report)))
}

/// Fetches a SAML provider's metadata anew from where it is published, as when it changes its certificates. A person needs a fresh proof.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/sso-connections/{connectionId}/refresh", tag = "sso", operation_id = "refreshSsoMetadata",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 200, description = "The connection as it is now", body = SsoConnection)),
)]
pub(crate) async fn refresh(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let connection = app
        .sso()?
        .refresh_metadata(&caller.actor(), workspace, id)
        .await?;
    tracing::info!(%workspace, connection = %id, by = %caller.name(), "metadata fetched anew");
    Ok(json(&shown(&app, &connection)?))
}

/// Makes a token by which the provider writes people (SCIM 2.0). It is shown once; an earlier one is dead. A person needs a fresh proof.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/sso-connections/{connectionId}/scim-token", tag = "sso", operation_id = "createScimToken",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 201, description = "The token", body = ScimToken)),
)]
pub(crate) async fn create_scim_token(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    let sso = app.sso()?;
    let token = sso.new_scim_token(&caller.actor(), workspace, id).await?;
    tracing::info!(%workspace, connection = %id, by = %caller.name(), "token for SCIM made");
    Ok(HttpResponse::Created().json(ScimToken::new(&token, sso.public_url())))
}

/// Takes that token away: the provider writes no one any more. A person needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/sso-connections/{connectionId}/scim-token", tag = "sso", operation_id = "deleteScimToken",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("connectionId" = String, Path, description = "The connection's id", example = "con_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses((status = 204, description = "It is dead")),
)]
pub(crate) async fn remove_scim_token(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (workspace, id) = ids(&path)?;
    app.sso()?
        .remove_scim_token(&caller.actor(), workspace, id)
        .await?;
    tracing::info!(%workspace, connection = %id, by = %caller.name(), "token for SCIM removed");
    Ok(HttpResponse::NoContent().finish())
}
