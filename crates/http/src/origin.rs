//! Where a request comes from, as sessions and the audit log keep it.

use actix_web::{HttpRequest, http::header};
use tigertrust_credentials::MAX_USER_AGENT;
use tigertrust_model::Origin;

use crate::{App, respond::REQUEST_ID};

/// Where a request comes from.
pub(crate) fn origin(app: &App, request: &HttpRequest) -> Origin {
    let headers = request.headers();
    let formats = app.admission.formats();
    let user_agent = headers.get(header::USER_AGENT);
    let user_agent = user_agent.map(|agent| formats.shown(agent.as_bytes(), MAX_USER_AGENT));
    // Ours stands there where the client gave none.
    let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    Origin {
        address: app.proxies.client(request.head()),
        user_agent,
        request_id: request_id.map(ToOwned::to_owned),
    }
}
