//! What every response bears: the request's id, the security headers, and the body of a problem.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use tigertrust_wire::{Problem, is_request_id};

use crate::{App, error::Cause};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes request ids: random for the server, counted for the request.
#[derive(Debug)]
pub(crate) struct RequestIds {
    instance: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) const fn new(instance: [u8; 8]) -> Self {
        Self {
            instance: u64::from_be_bytes(instance),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> HeaderValue {
        let id = format!(
            "req_{:016x}{:08x}",
            self.instance,
            self.next.fetch_add(1, Ordering::Relaxed)
        );
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("req_"))
    }
}

/// Wraps every request.
pub(crate) async fn respond<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let app = request.app_data::<web::Data<App>>().cloned();
    let id = request_id(request.headers())
        .or_else(|| app.as_ref().map(|app| app.request_ids.next()))
        .unwrap_or(HeaderValue::from_static("req_"));
    let mut response = next.call(request).await?;
    let problem = response.response_mut().extensions_mut().remove::<Problem>();
    let mut response = match problem {
        None => response.map_into_left_body(),
        Some(mut problem) => {
            if let (Some(app), Some(cause)) = (&app, response.response().extensions().get::<Cause>()) {
                app.outages.report(cause);
            }
            conceal(&mut problem);
            problem.request_id = id.to_str().unwrap_or_default().to_owned();
            response.map_body(|head, _| {
                head.headers_mut().insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/problem+json"),
                );
                EitherBody::right(BoxBody::new(serde_json::to_vec(&problem).unwrap_or_default()))
            })
        }
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    secure(headers);
    Ok(response)
}

/// The id that the client, or a proxy before us, gave the request, if it can stand in a log as it is.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers
        .get(REQUEST_ID)
        .filter(|value| is_request_id(value.as_bytes()))
        .cloned()
}

/// Headers that close doors in browsers; a handler that needs one open has set its own.
fn secure(headers: &mut HeaderMap) {
    let defaults = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in defaults {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Takes keys out of a problem: what a client put in the wrong place must not be shown or logged by whoever gets it.
fn conceal(problem: &mut Problem) {
    let texts = problem
        .errors
        .iter_mut()
        .flat_map(|error| [&mut error.pointer, &mut error.detail]);
    for text in texts.chain([&mut problem.detail]) {
        if text.contains("ak_") || text.contains("ck_") {
            *text = without_keys(text);
        }
    }
}

fn without_keys(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|letter| !is_word(letter)).unwrap_or(from.len()));
        clean.push_str(before);
        let secret = word.len() > 12 && (word.contains("ak_") || word.contains("ck_"));
        clean.push_str(if secret { "[a key]" } else { word });
        rest = after;
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_problem_is_concealed() {
        let key = "ak_00000000000000000000000000000000000000000002PL60u";
        assert_eq!(
            without_keys(&format!("unknown field `{key}`, é")),
            "unknown field `[a key]`, é"
        );
        assert_eq!(without_keys(&format!("/x{key}/{key}")), "/[a key]/[a key]");
        assert_eq!(
            without_keys("Send ak_… as X-Agent-API-Key"),
            "Send ak_… as X-Agent-API-Key"
        );
    }
}
