//! The extractor of a [`Permit`]: a handler that takes one cannot be reached without it.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderValue, USER_AGENT},
    web,
};
use tigertrust_accounts::{Actor, FlowError};
use tigertrust_credentials::{AuthError, HeaderValues, Need, Permit, Presented};
use tigertrust_model::KeyTypes;
use tigertrust_wire::Problem;

use crate::{
    App,
    error::ApiError,
    routes::{Exception, MethodNeed, Needs},
};

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
    let mut presented = presented(app, request);
    let path = request.match_info();
    // The path says where, and needs no header beside it. Should there be one that says otherwise, no flow acts upon it.
    let is_named = own.is_in_workspace && matches!(presented.workspace, HeaderValues::Absent);
    if is_named && let Some(id) = path.get("id") {
        presented.workspace = HeaderValues::One(id.as_bytes());
    }
    let admitted = app.admission.admit(&presented, &own.need).await;
    let permit = match (admitted, own.exception) {
        (Err(refusal @ (AuthError::WrongType { .. } | AuthError::MissingScope(_))), Exception::Itself) => {
            let permit = admit_anybody(app, &presented, own).await?;
            let is_itself = path.get("id") == Some(permit.key().key.id.to_string().as_str());
            is_itself.then_some(permit).ok_or(refusal)
        }
        (Err(refusal @ AuthError::MissingScope(_)), Exception::Oneself) => {
            let permit = admit_anybody(app, &presented, own).await?;
            let key = &permit.key().key;
            let person = key.owner.map(|owner| owner.to_string());
            let may_leave = person
                .as_deref()
                .is_some_and(|person| path.get("userId") == Some(person))
                && own.need.types.contains(key.kind)
                && own
                    .need
                    .scope
                    .as_ref()
                    .is_some_and(|scope| key.scopes.grants(scope));
            may_leave.then_some(permit).ok_or(refusal)
        }
        (admitted, _) => admitted,
    };
    match permit {
        Ok(permit) => Ok(Arc::new(permit)),
        // What the path names and the caller does not act in is not there.
        Err(AuthError::WorkspaceAccessDenied) if is_named => Err(FlowError::NotFound.into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Admits a caller of any type and scope to where the need says.
async fn admit_anybody(app: &App, presented: &Presented<'_>, own: &MethodNeed) -> Result<Permit, AuthError> {
    let any = Need {
        types: KeyTypes::ANY,
        scope: None,
        ..own.need.clone()
    };
    app.admission.admit(presented, &any).await
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
