//! The extractor of a permit.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderName, USER_AGENT},
    web,
};
use tigertrust_credentials::{HeaderValues, Presented};

use super::{ClientAddress, Needs, REQUEST_ID, Rejection};
use crate::{Gate, admitted::Admitted};

pub use crate::permitted::Permitted;

const AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-workspace-id");

/// Admits the caller. The application must hold a `web::Data<TigerTrust>` or a `web::Data<Gate>`; without it nobody gets in.
///
/// Take it before the body, and the body in a form that is not read yet (`web::Payload`), if strangers are not to learn
/// what is wrong with theirs: actix-web reads all extractors of a handler at once.
impl<N: Needs> FromRequest for Permitted<N> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let request_id = request.headers().get(REQUEST_ID).map(|id| id.as_bytes());
            let Some(gate) = gate(&request) else {
                tracing::error!(
                    "the application holds no web::Data<TigerTrust> or web::Data<Gate>, so nobody gets in"
                );
                return Err(Rejection::unavailable().of(request_id));
            };
            let presented = presented(&request);
            let permit = gate.guard(&presented, N::need(), request_id).await?;
            let admitted = Admitted::new(permit, presented.client, gate);
            request.extensions_mut().insert(admitted.clone());
            Ok(Self::new(admitted))
        })
    }
}

fn gate(request: &HttpRequest) -> Option<Gate> {
    if let Some(gate) = request.app_data::<web::Data<Gate>>() {
        return Some(Gate::clone(gate));
    }
    #[cfg(feature = "storage")]
    if let Some(instance) = request.app_data::<web::Data<crate::TigerTrust>>() {
        return Some(instance.gate());
    }
    None
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
