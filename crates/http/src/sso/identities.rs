//! `/api/auth/identities`: the identities of providers that an account is connected with.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tigertrust_accounts::{
    FlowError,
    sso::{BegunSso, OidcPreset, Protocol, SsoError, SsoRoute},
};
use tigertrust_wire::{ConnectIdentity, Identities, Identity, Problem, Redirect};

use super::sign_in::{note_sso_refusal, waiting_cookie};
use crate::{App, body::Body, error::ApiError, origin::origin, permit::Person, respond::json};

/// Lists the identities that the caller's account is connected with, newest first.
#[utoipa::path(
    get, path = "/api/auth/identities", tag = "sso", operation_id = "listIdentities",
    responses((status = 200, description = "The identities", body = Identities)),
)]
pub(crate) async fn list(person: Person, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let found = app.sso()?.identities(person.user().id).await?;
    let items = found.iter().map(Identity::from).collect();
    Ok(json(&Identities { items }))
}

/// Begins to connect the caller's account with an identity: the browser goes on to the provider's address, and comes back connected.
/// Needs a fresh proof.
#[utoipa::path(
    post, path = "/api/auth/identities", tag = "sso", operation_id = "connectIdentity", request_body = ConnectIdentity,
    responses(
        (status = 200, description = "Where to send the browser", body = Redirect),
        (status = 404, description = "There is no such way to sign in", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn connect(
    mut person: Person,
    request: HttpRequest,
    app: web::Data<App>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.json::<ConnectIdentity>(person.admitted()).await?;
    let begun = begin_to_connect(&person, &request, &app, &body.url, body.return_to.as_deref()).await?;
    let mut response = json(&Redirect {
        redirect_url: begun.redirect.clone(),
    });
    let cookie = waiting_cookie(&begun)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Begins to connect a person's account with an identity, given where signing in by the connection begins, and where to go on then.
///
/// # Errors
/// Those of [`begin_link`](tigertrust_accounts::sso::SsoFlows::begin_link), and 404 `NOT_FOUND` where nothing begins.
pub async fn begin_to_connect(
    person: &Person,
    request: &HttpRequest,
    app: &App,
    url: &str,
    return_to: Option<&str>,
) -> Result<BegunSso, ApiError> {
    let sso = app.sso()?;
    let path = url.strip_prefix(sso.public_url()).unwrap_or(url);
    let route = named(path).ok_or(SsoError::UnknownConnection)?;
    let begun = sso
        .begin_link(person, route, return_to, &origin(app, request))
        .await;
    Ok(begun.inspect_err(|error| note_sso_refusal(app, request, "identity not connected", error))?)
}

/// The connection whose path it is.
fn named(path: &str) -> Option<SsoRoute<'_>> {
    let rest = path.strip_prefix("/api/auth/")?;
    match rest.split_once('/') {
        Some(("oidc", slug)) => Some(SsoRoute::Named(Protocol::Oidc, slug)),
        Some(("saml", slug)) => Some(SsoRoute::Named(Protocol::Saml, slug)),
        Some(_) => None,
        None => OidcPreset::from_name(rest).map(SsoRoute::Preset),
    }
}

/// Disconnects an identity, and ends the sessions that were begun by it. Needs a fresh proof; the last way into an account stays.
#[utoipa::path(
    delete, path = "/api/auth/identities/{id}", tag = "sso", operation_id = "disconnectIdentity",
    params(("id" = String, Path, description = "The identity's id", example = "idn_01h2xcejqtf2nbrexx3vqjhp41")),
    responses(
        (status = 204, description = "It is disconnected"),
        (status = 409, description = "It is the only way into the account", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn disconnect(
    person: Person,
    app: web::Data<App>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = id.parse().map_err(|_| FlowError::NotFound)?;
    app.sso()?.disconnect(&person, id, &person.origin()).await?;
    tracing::info!(user = %person.user().id, identity = %id, "identity disconnected");
    Ok(HttpResponse::NoContent().finish())
}
