//! What leaves: refusals, and the headers on answers of handlers.

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
};

use super::REQUEST_ID;
use crate::{
    admitted::Admitted,
    rejection::{PROBLEM_JSON, Rejection, readable},
};

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.tell_operator();
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        for (name, value) in self.headers() {
            response.insert_header((name, value.as_ref()));
        }
        response.body(self.body())
    }
}

/// A middleware that tells each caller who was let in how the limits stand, and repeats the `X-Request-Id` of the request:
/// `App::new().wrap(from_fn(tell_limits))`. Refusals do so without it.
///
/// ```
/// use actix_web::{App, middleware::from_fn};
/// use tigertrust::actix::tell_limits;
///
/// let app = App::new().wrap(from_fn(tell_limits));
/// ```
///
/// # Errors
/// Those of the service within.
pub async fn tell_limits(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let request = response.request();
    let id = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| readable(id.as_bytes()).is_some())
        .cloned();
    let limits = request
        .extensions()
        .get::<Admitted>()
        .and_then(Admitted::limit_headers);
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in limits.iter().flat_map(|limits| limits.iter()) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}
