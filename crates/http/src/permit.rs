//! The extractor of a [`Permit`]: a handler that takes one cannot be reached without it.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT},
    web,
};
use tigertrust_accounts::Actor;
use tigertrust_credentials::{AuthError, HeaderValues, Need, Permit, Presented};
use tigertrust_model::KeyTypes;
use tigertrust_wire::Problem;

use crate::{App, error::ApiError, routes::Needs};

// A name as text would be parsed for each request.
const AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");

/// A caller that was admitted to the route.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    permit: Arc<Permit>,
    request: HttpRequest,
}

impl Admitted {
    /// The caller as flows know it.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Caller(Arc::clone(&self.permit))
    }

    /// Asks for the caller again, after something that took its time.
    pub(crate) async fn renew(&mut self) -> Result<(), ApiError> {
        self.permit = admit(&self.request, Some(&self.permit)).await?;
        Ok(())
    }
}

/// Admits the caller of a request to its route, or does so again.
async fn admit(request: &HttpRequest, earlier: Option<&Permit>) -> Result<Arc<Permit>, ApiError> {
    // A route without an application or a need of its own lets nobody in.
    let app = request
        .app_data::<web::Data<App>>()
        .ok_or_else(Problem::unavailable)?;
    let needs = request
        .app_data::<Needs>()
        .and_then(|needs| needs.of(request.method()));
    let own = needs.ok_or_else(Problem::unavailable)?;
    let presented = presented(app, request);
    let admitted = match earlier {
        None => app.admission.admit(&presented, &own.need).await,
        Some(earlier) => app.admission.admit_again(earlier, &presented, &own.need).await,
    };
    let permit = match admitted {
        Err(refusal @ (AuthError::WrongType { .. } | AuthError::MissingScope(_))) if own.unless_itself => {
            let any = Need {
                types: KeyTypes::ANY,
                scope: None,
                ..own.need.clone()
            };
            let permit = app.admission.admit(&presented, &any).await?;
            let named = request.match_info().get("id");
            if named != Some(permit.key().key.id.to_string().as_str()) {
                return Err(refusal.into());
            }
            permit
        }
        admitted => admitted?,
    };
    Ok(Arc::new(permit))
}

impl Deref for Admitted {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.permit
    }
}

/// What the request presents.
pub(crate) fn presented<'a>(app: &App, request: &'a HttpRequest) -> Presented<'a> {
    Presented {
        agent_api_key: values(request, &AGENT_API_KEY),
        authorization: values(request, &AUTHORIZATION),
        client: app.proxies.client(request),
        user_agent: request.headers().get(&USER_AGENT).map(HeaderValue::as_bytes),
        workspace: values(request, &WORKSPACE_ID),
    }
}

fn values<'a>(request: &'a HttpRequest, name: &HeaderName) -> HeaderValues<'a> {
    request
        .headers()
        .get_all(name)
        .map(HeaderValue::as_bytes)
        .collect()
}

impl FromRequest for Admitted {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            Ok(Self {
                permit: admit(&request, None).await?,
                request,
            })
        })
    }
}
