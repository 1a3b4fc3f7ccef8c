//! `/api/keys/{id}/trust-rules`.

use actix_web::{HttpResponse, http::header, web};
use tigertrust_accounts::FlowError;
use tigertrust_model::{KeyId, TrustRuleId};
use tigertrust_wire::{CreateTrustRule, Page, Problem, TrustRule};

use crate::{App, body::Body, error::ApiError, keys::parse_id, permit::Admitted, respond::json};

fn ids(path: &(String, String)) -> Result<(KeyId, TrustRuleId), ApiError> {
    let rule = path.1.parse().map_err(|_| FlowError::NotFound)?;
    Ok((parse_id(&path.0)?, rule))
}

/// Lists the trust rules of a key, newest first. There are at most 20.
#[utoipa::path(
    get, path = "/api/keys/{id}/trust-rules", tag = "tokens", operation_id = "listTrustRules",
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 200, description = "The rules", body = Page<TrustRule>),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = app.trust_rules.list(&caller.actor(), parse_id(&id)?).await?;
    Ok(json(&Page::whole(found.iter().map(TrustRule::from).collect())))
}

/// Gives a key a trust rule. Jobs that fulfil it may have a token of the key without the key, so the caller must hold all that the
/// key may do.
#[utoipa::path(
    post, path = "/api/keys/{id}/trust-rules", tag = "tokens", operation_id = "createTrustRule",
    request_body = CreateTrustRule,
    params(("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 201, description = "The rule", body = TrustRule),
        (status = 404, description = "No such key in this workspace", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The key is revoked, or has too many rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let key = parse_id(&id)?;
    let new = body.json::<CreateTrustRule>(&mut caller).await?.into();
    let rule = app.trust_rules.create(&caller.actor(), key, new).await?;
    tracing::info!(%key, rule = %rule.id, by = %caller.name(), "trust rule made");
    let place = format!("/api/keys/{key}/trust-rules/{}", rule.id);
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, place))
        .json(TrustRule::from(&rule)))
}

/// Shows a trust rule.
#[utoipa::path(
    get, path = "/api/keys/{id}/trust-rules/{ruleId}", tag = "tokens", operation_id = "getTrustRule",
    params(
        ("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41"),
        ("ruleId" = String, Path, description = "The rule's id", example = "tru_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 200, description = "The rule", body = TrustRule),
        (status = 404, description = "No such key in this workspace, or no such rule of it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (key, id) = ids(&path)?;
    let rule = app.trust_rules.get(&caller.actor(), key, id).await?;
    Ok(json(&TrustRule::from(&rule)))
}

/// Takes a trust rule from a key. Tokens that were given out by it are good until their time is over, or the key is revoked.
#[utoipa::path(
    delete, path = "/api/keys/{id}/trust-rules/{ruleId}", tag = "tokens", operation_id = "deleteTrustRule",
    params(
        ("id" = String, Path, description = "The key's id", example = "key_01h2xcejqtf2nbrexx3vqjhp41"),
        ("ruleId" = String, Path, description = "The rule's id", example = "tru_01h2xcejqtf2nbrexx3vqjhp41"),
    ),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "No such key in this workspace, or no such rule of it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (key, id) = ids(&path)?;
    app.trust_rules.delete(&caller.actor(), Some(key), id).await?;
    tracing::info!(%key, rule = %id, by = %caller.name(), "trust rule removed");
    Ok(HttpResponse::NoContent().finish())
}
