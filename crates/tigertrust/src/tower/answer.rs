//! What leaves: refusals, over HTTP and over gRPC, and the headers on answers of services.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use tigertrust_wire::RateLimitHeaders;

use super::request::{REQUEST_ID, request_id};
use crate::rejection::{PROBLEM_JSON, Rejection, readable};

impl From<Rejection> for Response<Bytes> {
    /// The problem document.
    fn from(rejection: Rejection) -> Self {
        rejection.tell_operator();
        let mut response = Self::new(rejection.body().into());
        *response.status_mut() =
            StatusCode::from_u16(rejection.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        add(response.headers_mut(), CONTENT_TYPE, PROBLEM_JSON);
        add_all(response.headers_mut(), &rejection);
        response
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Rejection {
    fn into_response(self) -> axum_core::response::Response {
        Response::<Bytes>::from(self).map(axum_core::body::Body::from)
    }
}

/// The same for a caller who speaks gRPC: an answer of trailers only, which stand where headers do.
pub(super) fn over_grpc(rejection: &Rejection) -> Response<Bytes> {
    rejection.tell_operator();
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    add(headers, CONTENT_TYPE, "application/grpc");
    let status = rejection.problem().code.grpc_status().to_string();
    add(headers, HeaderName::from_static("grpc-status"), &status);
    let message = percent_encoded(&rejection.problem().detail);
    add(headers, HeaderName::from_static("grpc-message"), &message);
    add_all(headers, rejection);
    response
}

/// What the answer of a service tells beside its own: how the limits stand, and which request it is for.
pub(super) fn tell(headers: &mut HeaderMap, limits: Option<&RateLimitHeaders>, id: Option<HeaderValue>) {
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in limits.into_iter().flat_map(RateLimitHeaders::iter) {
        add(headers, HeaderName::from_static(name), value);
    }
}

/// The id of the request, for its answer.
pub(super) fn repeated_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = request_id(headers).and_then(readable)?;
    HeaderValue::from_str(id).ok()
}

fn add_all(headers: &mut HeaderMap, rejection: &Rejection) {
    for (name, value) in rejection.headers() {
        add(headers, HeaderName::from_static(name), &value);
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Whatever comes here is visible ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A message of gRPC as its header holds it: what is no printable ASCII, and the sign itself, as the bytes of UTF-8.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut encoded, byte| {
            if matches!(byte, b' '..=b'~') && byte != b'%' {
                encoded.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            encoded
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_grpc_is_printable_ascii() {
        assert_eq!(
            percent_encoded("This needs the scope a:b."),
            "This needs the scope a:b."
        );
        assert_eq!(percent_encoded("100 % – né\n"), "100 %25 %E2%80%93 n%C3%A9%0A");
    }
}
