//! Single sign-on: signing in by a provider, and who the providers are.

pub(crate) mod connections;
pub(crate) mod domains;
pub(crate) mod identities;
pub(crate) mod scim;
pub(crate) mod sign_in;

use actix_web::HttpRequest;
use tigertrust_accounts::sso::{OidcPreset, Protocol, SsoError, SsoFlows, SsoRoute};
use tigertrust_wire::{Code, FieldProblem, Problem, ProviderMistake};

use crate::{App, error::ApiError};

impl App {
    /// Single sign-on, where this server has it.
    ///
    /// # Errors
    /// 404 `NOT_FOUND`.
    pub fn sso(&self) -> Result<&SsoFlows, ApiError> {
        let missing = || Problem::new(Code::NotFound, "This server has no single sign-on.");
        self.sso.as_ref().ok_or_else(|| missing().into())
    }
}

/// The connection that the request's path names.
fn route(request: &HttpRequest) -> Result<SsoRoute<'_>, ApiError> {
    let mut parts = request.path().split('/').skip(3);
    let route = match (parts.next(), request.match_info().get("slug")) {
        (Some("oidc"), Some(slug)) => Some(SsoRoute::Named(Protocol::Oidc, slug)),
        (Some("saml"), Some(slug)) => Some(SsoRoute::Named(Protocol::Saml, slug)),
        (Some(name), None) => OidcPreset::from_name(name).map(SsoRoute::Preset),
        _ => None,
    };
    route.ok_or_else(|| SsoError::UnknownConnection.into())
}

/// Where a body makes no sense.
#[must_use]
pub fn mistake((pointer, detail): ProviderMistake) -> ApiError {
    Problem::new(
        Code::ValidationError,
        "The request is not valid; errors says where.",
    )
    .with_errors(vec![FieldProblem {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    }])
    .into()
}
