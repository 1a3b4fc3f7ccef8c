//! Where a request comes from, as sessions and the audit log keep it.

use actix_web::{HttpRequest, http::header};
use tigertrust_model::Origin;

use crate::{App, respond::REQUEST_ID};

/// The longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 200;

/// Where a request comes from.
pub(crate) fn origin(app: &App, request: &HttpRequest) -> Origin {
    let headers = request.headers();
    let user_agent = headers.get(header::USER_AGENT).map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.chars()
            .filter(|letter| !letter.is_control())
            .take(MAX_USER_AGENT)
            .collect()
    });
    // Ours stands there where the client gave none.
    let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    Origin {
        address: app.proxies.client(request.head()),
        user_agent,
        request_id: request_id.map(ToOwned::to_owned),
    }
}
