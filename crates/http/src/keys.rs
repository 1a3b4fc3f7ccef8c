//! `/api/keys`.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{FlowError, Violation};
use tigertrust_credentials::{AuthError, Need, Verification};
use tigertrust_model::{KeyId, KeyTypes, Scope};
use tigertrust_wire::{
    CreateKey, IssuedKey, Key, KeyVerdict, Page, Problem, RevokeKey, UpdateKey, VerifyKey,
};

use crate::{
    App,
    body::Body,
    error::ApiError,
    permit::Admitted,
    query::{self, PageQuery},
};

/// Creates a key and shows its secret, once.
#[utoipa::path(
    post, path = "/api/keys", tag = "keys", operation_id = "createKey", request_body = CreateKey,
    responses((status = 201, description = "The key with its secret", body = IssuedKey)),
)]
pub(crate) async fn create(
    caller: Admitted,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let new = body.json::<CreateKey>().await?.into();
    let issued = app.keys.create(&caller.actor(), new).await?;
    tracing::info!(key = %issued.key.id, by = %issued.key.created_by, "key created");
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/api/keys/{}", issued.key.id)))
        .json(IssuedKey::new(&issued.key, &issued.secret, app.clock.now())))
}

/// Lists the workspace's keys, newest first.
#[utoipa::path(
    get, path = "/api/keys", tag = "keys", operation_id = "listKeys", params(PageQuery),
    responses((status = 200, description = "A page of keys", body = Page<Key>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (page, limit) = query::parse::<PageQuery>(&request)?.page::<KeyId>()?;
    let keys = app.keys.list(&caller.actor(), None, page).await?;
    let now = app.clock.now();
    Ok(HttpResponse::Ok().json(Page::of(
        keys,
        limit,
        |key| key.id.to_string(),
        |key| Key::new(key, now),
    )))
}

/// Shows a key.
#[utoipa::path(
    get, path = "/api/keys/{id}", tag = "keys", operation_id = "getKey",
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The key", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let key = app.keys.get(&caller.actor(), parse_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Edits a key; what is absent from the body stays as it is.
#[utoipa::path(
    patch, path = "/api/keys/{id}", tag = "keys", operation_id = "updateKey", request_body = UpdateKey,
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The key as it is now", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key is revoked, which is final", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let changes = body.json::<UpdateKey>().await?.into();
    let key = app.keys.edit(&caller.actor(), id, changes).await?;
    tracing::info!(key = %key.id, by = %caller.key().key.id, "key edited");
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Revokes a key for good. This node refuses it before this answer, every other within a second. Revoking it again
/// changes nothing.
#[utoipa::path(
    post, path = "/api/keys/{id}/revoke", tag = "keys", operation_id = "revokeKey",
    request_body = Option<RevokeKey>,
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The revoked key", body = Key),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = parse_id(&id)?;
    let reason = body.json_or_default::<RevokeKey>().await?.reason;
    let key = app.keys.revoke(&caller.actor(), id, reason).await?;
    tracing::info!(key = %key.id, by = %caller.key().key.id, "key revoked");
    Ok(HttpResponse::Ok().json(Key::new(&key, app.clock.now())))
}

/// Says what a key is worth that somebody presented to the caller, with the reason where it is refused. A workspace's key
/// learns only of the keys of its workspace.
#[utoipa::path(
    post, path = "/api/keys/verify", tag = "keys", operation_id = "verifyKey", request_body = VerifyKey,
    responses((status = 200, description = "What the key is worth", body = KeyVerdict)),
)]
pub(crate) async fn verify(
    caller: Admitted,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let asked = body.json::<VerifyKey>().await?;
    let mut need = Need::any_caller();
    if let Some(kind) = asked.r#type {
        need.types = KeyTypes::only(kind.into());
    }
    need.scope = asked
        .scope
        .as_deref()
        .map(|text| known_scope(&app, text))
        .transpose()?;
    let verification = Verification {
        key: &asked.key,
        need,
        workspace: asked.workspace_id.as_deref(),
        home: caller.workspace().map(|workspace| workspace.id),
    };
    let verdict = app
        .admission
        .verify(&verification)
        .await
        .map_err(AuthError::Unavailable)?;
    Ok(HttpResponse::Ok().json(KeyVerdict::from(&verdict)))
}

/// A scope that exists: a mistyped one must be noticed, and not refuse every key.
fn known_scope(app: &App, text: &str) -> Result<Scope, ApiError> {
    let scope = text
        .parse::<Scope>()
        .ok()
        .filter(|scope| app.catalog.knows(scope));
    scope.ok_or_else(|| FlowError::Invalid(vec![Violation::new("/scope", "no such scope")]).into())
}

/// An id that is none names nothing.
fn parse_id(text: &str) -> Result<KeyId, ApiError> {
    text.parse().map_err(|_| FlowError::NotFound.into())
}
