//! The extractor of a permit.

use std::{fmt, future::Future, marker::PhantomData, net::IpAddr, ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderName, USER_AGENT},
    web,
};
use tigertrust_accounts::Actor;
use tigertrust_credentials::{AuthError, HeaderValues, Permit, Presented};
use tigertrust_model::{Origin, Workspace};
use tigertrust_wire::RateLimitHeaders;

use super::{ClientAddress, Needs, Rejection};
use crate::TigerTrust;

const AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");

/// A caller that was admitted to a route that needs `N`. The application must hold a `web::Data<TigerTrust>`; without it
/// nobody gets in.
///
/// Take it before the body, and the body in a form that is not read yet (`web::Payload`), if strangers are not to learn
/// what is wrong with theirs: actix-web reads all extractors of a handler at once.
pub struct Permitted<N> {
    permit: Arc<Permit>,
    client: Option<IpAddr>,
    need: PhantomData<fn() -> N>,
}

impl<N> Permitted<N> {
    /// The workspace that the request acts in.
    ///
    /// # Errors
    /// A 400 for an instance key that named none, on a route that needs none ([`WorkspaceNeed::Optional`]); never
    /// elsewhere.
    ///
    /// [`WorkspaceNeed::Optional`]: crate::WorkspaceNeed::Optional
    pub fn in_workspace(&self) -> Result<&Workspace, Rejection> {
        self.permit
            .workspace()
            .ok_or_else(|| AuthError::WorkspaceMissing.into())
    }

    /// How the caller's limits stand, as headers for the answer: what the server's own API tells on each. None where they were
    /// not asked.
    ///
    /// ```
    /// use actix_web::{HttpResponse, web};
    /// use tigertrust::{TigerTrust, actix::{Needs, Permitted}};
    ///
    /// async fn list<N: Needs>(caller: Permitted<N>, auth: web::Data<TigerTrust>) -> HttpResponse {
    ///     let mut answer = HttpResponse::Ok();
    ///     for header in caller.limit_headers(&auth).iter().flat_map(|headers| headers.iter()) {
    ///         answer.insert_header(header);
    ///     }
    ///     answer.json(["…"])
    /// }
    /// ```
    #[must_use]
    pub fn limit_headers(&self, auth: &TigerTrust) -> Option<RateLimitHeaders> {
        let limits = self.permit.limits()?;
        Some(RateLimitHeaders::new(limits, auth.clock().now()))
    }

    /// The caller as flows know it: [`KeyFlows`](crate::KeyFlows) then allow what the key allows.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let from = Origin {
            address: self.client,
            ..Origin::default()
        };
        Actor::key(Arc::clone(&self.permit), from)
    }
}

impl<N> Deref for Permitted<N> {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.permit
    }
}

impl<N> Clone for Permitted<N> {
    fn clone(&self) -> Self {
        Self {
            permit: Arc::clone(&self.permit),
            client: self.client,
            need: PhantomData,
        }
    }
}

impl<N> fmt::Debug for Permitted<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permitted").field(&self.permit).finish()
    }
}

impl<N: Needs> FromRequest for Permitted<N> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(auth) = request.app_data::<web::Data<TigerTrust>>() else {
                tracing::error!("the application holds no web::Data<TigerTrust>, so nobody gets in");
                return Err(Rejection::unavailable().of(&request));
            };
            let need = N::need();
            let presented = presented(&request);
            match auth.admit(&presented, need).await {
                Ok(permit) => Ok(Self {
                    permit: Arc::new(permit),
                    client: presented.client,
                    need: PhantomData,
                }),
                Err(refusal) => {
                    explain(auth, &refusal.why);
                    let limits = refusal
                        .limits()
                        .map(|limits| RateLimitHeaders::new(limits, auth.clock().now()));
                    Err(Rejection::from(refusal.why).of(&request).with_limits(limits))
                }
            }
        })
    }
}

/// What the request presents.
fn presented(request: &HttpRequest) -> Presented<'_> {
    Presented {
        user_agent: request.headers().get(USER_AGENT).map(|value| value.as_bytes()),
        agent_api_key: values(request, &AGENT_API_KEY),
        authorization: values(request, &AUTHORIZATION),
        workspace: values(request, &WORKSPACE_ID),
        client: ClientAddress::of(request),
    }
}

fn values<'a>(request: &'a HttpRequest, name: &HeaderName) -> HeaderValues<'a> {
    request
        .headers()
        .get_all(name)
        .map(|value| value.as_bytes())
        .collect()
}

/// Tells the operator what is no fault of the caller's.
fn explain(auth: &TigerTrust, error: &AuthError) {
    match error {
        AuthError::Unavailable(error) => auth.report_outage(error),
        AuthError::MissingScope(scope) if !auth.catalog().knows(scope) => {
            tracing::error!(%scope, "a route needs a scope that the catalogue does not know, so no key can hold it");
        }
        _ => {}
    }
}
