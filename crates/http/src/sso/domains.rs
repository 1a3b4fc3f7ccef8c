//! `/api/workspaces/{id}/domains`.

use actix_web::{HttpResponse, web};
use tigertrust_wire::{ClaimDomain, Domain, Page, Problem, UpdateDomain};

use super::mistake;
use crate::{App, body::Body, error::ApiError, permit::Admitted, respond::json, workspaces::parse_id};

/// Lists the domains that a workspace claims, in alphabetical order. There are at most 100.
#[utoipa::path(
    get, path = "/api/workspaces/{id}/domains", tag = "sso", operation_id = "listDomains",
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 200, description = "The domains", body = Page<Domain>)),
)]
pub(crate) async fn list(
    caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let domains = app.sso()?.list_domains(&caller.actor(), parse_id(&id)?).await?;
    Ok(json(&Page::whole(domains.iter().map(Domain::from).collect())))
}

/// Claims a domain. Nothing goes by it until a TXT record of the domain says what the answer names. One that is claimed already keeps
/// its challenge. A person needs a fresh proof.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/domains", tag = "sso", operation_id = "claimDomain", request_body = ClaimDomain,
    params(("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41")),
    responses((status = 201, description = "The domain, and what proves it", body = Domain)),
)]
pub(crate) async fn claim(
    mut caller: Admitted,
    app: web::Data<App>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&id)?;
    let body = body.json::<ClaimDomain>(&mut caller).await?;
    let actor = caller.actor();
    let domain = app.sso()?.claim_domain(&actor, workspace, &body.domain).await?;
    tracing::info!(%workspace, domain = domain.domain, by = %caller.name(), "domain claimed");
    Ok(HttpResponse::Created().json(Domain::from(&domain)))
}

/// Looks whether the domain's TXT record says that it is the workspace's. A person needs a fresh proof.
#[utoipa::path(
    post, path = "/api/workspaces/{id}/domains/{domain}/verify", tag = "sso", operation_id = "verifyDomain",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("domain" = String, Path, description = "The domain", example = "example.com"),
    ),
    responses(
        (status = 200, description = "It is verified", body = Domain),
        (status = 409, description = "The record does not say so, or the domain is another workspace's", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The domain name system does not answer", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn verify(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&path.0)?;
    let actor = caller.actor();
    let domain = app.sso()?.verify_domain(&actor, workspace, &path.1).await?;
    tracing::info!(%workspace, domain = domain.domain, by = %caller.name(), "domain verified");
    Ok(json(&Domain::from(&domain)))
}

/// Says where people of a verified domain sign in, and whether there alone; what is absent from the body stays. A person needs a fresh proof.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}/domains/{domain}", tag = "sso", operation_id = "updateDomain",
    request_body = UpdateDomain,
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("domain" = String, Path, description = "The domain", example = "example.com"),
    ),
    responses(
        (status = 200, description = "The domain as it is now", body = Domain),
        (status = 409, description = "It is not verified", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn update(
    mut caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&path.0)?;
    let body = body.json::<UpdateDomain>(&mut caller).await?;
    let changes = body.read().map_err(mistake)?;
    let actor = caller.actor();
    let updated = app.sso()?.update_domain(&actor, workspace, &path.1, changes);
    let domain = updated.await?;
    let enforced = domain.enforced.is_some();
    tracing::info!(%workspace, domain = domain.domain, enforced, by = %caller.name(), "domain edited");
    Ok(json(&Domain::from(&domain)))
}

/// Gives a domain up. Its people can sign in with what is their own again. A person needs a fresh proof.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}/domains/{domain}", tag = "sso", operation_id = "deleteDomain",
    params(
        ("id" = String, Path, description = "The workspace's id", example = "ws_01h2xcejqtf2nbrexx3vqjhp41"),
        ("domain" = String, Path, description = "The domain", example = "example.com"),
    ),
    responses((status = 204, description = "It is given up")),
)]
pub(crate) async fn remove(
    caller: Admitted,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let workspace = parse_id(&path.0)?;
    let (sso, domain) = (app.sso()?, path.1.as_str());
    sso.remove_domain(&caller.actor(), workspace, domain).await?;
    tracing::info!(%workspace, domain, by = %caller.name(), "domain given up");
    Ok(HttpResponse::NoContent().finish())
}
