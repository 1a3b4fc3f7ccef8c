//! The extractor of a [`Permit`]: a handler that takes one cannot be reached without it.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderValue, USER_AGENT},
    web,
};
use tigertrust_accounts::Actor;
use tigertrust_credentials::{AuthError, Need, Permit, Presented};
use tigertrust_model::KeyTypes;
use tigertrust_wire::Problem;

use crate::{App, error::ApiError, routes::Needs};

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
        self.permit = admit(&self.request).await?;
        Ok(())
    }
}

/// Admits the caller of a request to its route.
async fn admit(request: &HttpRequest) -> Result<Arc<Permit>, ApiError> {
    // A route without an application or a need of its own lets nobody in.
    let app = request
        .app_data::<web::Data<App>>()
        .ok_or_else(Problem::unavailable)?;
    let needs = request
        .app_data::<Needs>()
        .and_then(|needs| needs.of(request.method()));
    let own = needs.ok_or_else(Problem::unavailable)?;
    let presented = presented(app, request);
    let permit = match app.admission.admit(&presented, &own.need).await {
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
    let headers = request.headers();
    Presented {
        agent_api_key: headers
            .get_all("x-agent-api-key")
            .map(|value| value.as_bytes())
            .collect(),
        authorization: headers
            .get_all(AUTHORIZATION)
            .map(|value| value.as_bytes())
            .collect(),
        client: app.proxies.client(request),
        user_agent: headers.get(USER_AGENT).map(HeaderValue::as_bytes),
        workspace: headers
            .get_all("x-workspace-id")
            .map(|value| value.as_bytes())
            .collect(),
    }
}

impl FromRequest for Admitted {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            Ok(Self {
                permit: admit(&request).await?,
                request,
            })
        })
    }
}
