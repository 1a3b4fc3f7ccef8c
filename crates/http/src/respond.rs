//! What every response bears: the request's id, the security headers, and the body of a problem.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    Error, HttpResponse,
    body::BoxBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use serde::Serialize;
use tigertrust_credentials::KeyFormats;
use tigertrust_wire::{Problem, is_request_id};
use tracing::Span;

use crate::{
    App,
    error::{Cause, OnPage},
    metrics::is_busiest,
    rate_limit, refused, trace,
};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const HEX: [u8; 16] = *b"0123456789abcdef";
/// `req_`, 16 digits of the server and 8 of the request.
const ID_LENGTH: usize = 28;

/// Makes request ids: random for the server, counted for the request.
#[derive(Debug)]
pub(crate) struct RequestIds {
    instance: u64,
    /// The id of no request: its count is 0.
    zero: [u8; ID_LENGTH],
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(instance: [u8; 8]) -> Self {
        let instance = u64::from_be_bytes(instance);
        let mut zero = [b'0'; ID_LENGTH];
        for (place, byte) in zero.iter_mut().zip(format!("req_{instance:016x}").bytes()) {
            *place = byte;
        }
        Self {
            instance,
            zero,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn next(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let (mut id, mut rest) = (self.zero, count);
        // What `{count:08x}` writes, at a fraction of its cost.
        for place in id.iter_mut().rev().take(8) {
            let digit = usize::try_from(rest & 15).unwrap_or_default();
            *place = HEX.get(digit).copied().unwrap_or(b'0');
            rest >>= 4;
        }
        let id = if rest == 0 {
            HeaderValue::from_bytes(&id)
        } else {
            HeaderValue::from_str(&format!("req_{:016x}{count:x}", self.instance))
        };
        id.unwrap_or(HeaderValue::from_static("req_"))
    }
}

/// Wraps every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Respond;

/// [`Respond`] around what answers the requests.
pub(crate) struct Responding<S> {
    service: S,
}

/// An answer under way, what made it, and the id of its request.
pub(crate) struct Answering<F> {
    answer: F,
    app: Option<web::Data<App>>,
    id: HeaderValue,
    /// When the request came in, on the monotonic clock.
    since: Duration,
    /// None where nobody asked for traces.
    span: Option<Span>,
}

impl<S> Transform<S, ServiceRequest> for Respond
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = Responding<S>;
    type InitError = ();
    type Future = Ready<Result<Responding<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Responding { service }))
    }
}

impl<S> Service<ServiceRequest> for Responding<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Answering<S::Future>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        // Looked up once: on the way back it is wanted again.
        let app = request.app_data::<web::Data<App>>().cloned();
        let since = app.as_ref().map_or(Duration::ZERO, |app| app.clock.monotonic());
        let given = with_formats(app.as_ref().map(|app| app.get_ref()), |formats| {
            request_id(request.headers(), formats)
        });
        let id = given.unwrap_or_else(|| {
            let id = app.as_ref().map(|app| app.request_ids.next());
            let id = id.unwrap_or(HeaderValue::from_static("req_"));
            // For the audit log, into which the busiest routes write nothing. One that was not taken over must not get there either.
            if !is_busiest(request.path()) || request.headers().contains_key(REQUEST_ID) {
                request.headers_mut().insert(REQUEST_ID, id.clone());
            }
            id
        });
        let traces = app.as_ref().and_then(|app| app.traces.as_ref());
        let span = traces.map(|traces| trace::span(traces, &request, &id));
        let answer = match &span {
            None => self.service.call(request),
            Some(span) => span.in_scope(|| self.service.call(request)),
        };
        Answering {
            answer,
            app,
            id,
            since,
            span,
        }
    }
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            answer,
            app,
            id,
            since,
            span,
        } = self.get_mut();
        let span = span.as_ref();
        let _entered = span.map(Span::enter);
        Pin::new(answer).poll(context).map_ok(|response| {
            // A clone of the id would cost an allocation.
            let id = std::mem::replace(id, HeaderValue::from_static(""));
            let app = app.as_ref().map(|app| app.get_ref());
            if let Some(app) = app {
                let took = app.clock.monotonic().saturating_sub(*since);
                app.metrics.answered(response.request(), response.status(), took);
            }
            let response = respond(response, app, id);
            if let Some(span) = span {
                trace::answered(span, &response);
            }
            response
        })
    }
}

fn respond(mut response: ServiceResponse, app: Option<&App>, id: HeaderValue) -> ServiceResponse {
    let problem = response.response_mut().extensions_mut().remove::<Problem>();
    let response = match problem {
        None => response,
        Some(mut problem) => {
            if let Some(app) = app {
                app.metrics.refused(problem.code);
                refused::note(app, &response, &problem);
            }
            if let (Some(app), Some(cause)) = (app, response.response().extensions().get::<Cause>()) {
                app.outages.report(cause);
            }
            if response.response().extensions().contains::<OnPage>() {
                return finish(response, app, id);
            }
            with_formats(app, |formats| conceal(&mut problem, formats));
            problem.request_id = id.to_str().unwrap_or_default().to_owned();
            response.map_body(|head, _| {
                head.headers_mut().insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/problem+json"),
                );
                BoxBody::new(serde_json::to_vec(&problem).unwrap_or_default())
            })
        }
    };
    finish(response, app, id)
}

/// Adds what every answer bears.
fn finish(mut response: ServiceResponse, app: Option<&App>, id: HeaderValue) -> ServiceResponse {
    let limits = rate_limit::told(&response);
    let headers = response.headers_mut();
    if let (Some(limits), Some(app)) = (limits, app) {
        rate_limit::add_to(headers, &limits, app.clock.now());
    }
    headers.insert(REQUEST_ID, id);
    secure(headers);
    response
}

/// Adds what every answer bears where none of it is there yet, which costs less than to look.
pub(crate) fn append_common(headers: &mut HeaderMap, id: HeaderValue) {
    headers.append(REQUEST_ID, id);
    for (name, value) in SECURE {
        headers.append(name, value);
    }
}

/// An answer in JSON: what [`HttpResponseBuilder::json`](actix_web::HttpResponseBuilder::json) makes, in one allocation.
pub(crate) fn json(value: &impl Serialize) -> HttpResponse {
    json_text(json_bytes(value).map(Bytes::from))
}

/// A value in JSON; `None` for one that cannot be written.
fn json_bytes(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, value).ok()?;
    Some(bytes)
}

/// An answer out of JSON that is written already; `None` for a value that could not be written.
pub(crate) fn json_text(text: Option<Bytes>) -> HttpResponse {
    let Some(text) = text else {
        return HttpResponse::InternalServerError().finish();
    };
    let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(text));
    response
        .headers_mut()
        .append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The id that the client, or a proxy before us, gave the request, if it can stand in a log as it is: it is kept for good there, so that
/// no key may be in it.
pub(crate) fn request_id(headers: &HeaderMap, formats: &KeyFormats) -> Option<HeaderValue> {
    let can_stand = |value: &&HeaderValue| {
        is_request_id(value.as_bytes()) && value.to_str().is_ok_and(|id| !formats.holds_credential(id))
    };
    headers.get(REQUEST_ID).filter(can_stand).cloned()
}

/// Headers that close doors in browsers. Constants, since a value made of text is checked letter by letter.
const SECURE: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
];

/// A handler that needs a door open has set its own header.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURE {
        if !headers.contains_key(&name) {
            headers.append(name, value);
        }
    }
}

/// Does something by the formats that keys have here; where it is not known what is served, by our own.
fn with_formats<T>(app: Option<&App>, act: impl FnOnce(&KeyFormats) -> T) -> T {
    match app {
        Some(app) => act(app.admission.formats()),
        None => act(&KeyFormats::default()),
    }
}

/// Takes keys out of a problem: what a client put in the wrong place must not be shown or logged by whoever gets it.
pub(crate) fn conceal(problem: &mut Problem, formats: &KeyFormats) {
    let texts = problem
        .errors
        .iter_mut()
        .flat_map(|error| [&mut error.pointer, &mut error.detail]);
    for text in texts.chain([&mut problem.detail]) {
        if let Some(clean) = formats.without_keys(text) {
            *text = clean;
        }
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::{KeyFormat, KeyLength};
    use tigertrust_model::KeyType;

    use super::*;

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let ids = RequestIds::new([0, 0, 0, 0, 0, 0, 7, 255]);
        assert_eq!(ids.next(), "req_00000000000007ff00000001");
        ids.next.store(0xffff_ffff, Ordering::Relaxed);
        assert_eq!(ids.next(), "req_00000000000007ffffffffff");
        assert_eq!(ids.next(), "req_00000000000007ff100000000");
    }

    #[test]
    fn a_key_in_a_problem_is_concealed() {
        let key = "ak_00000000000000000000000000000000000000000002PL60u";
        let length = KeyLength { min: 28, max: 40 };
        let live = KeyFormat::imported("live", "sk_live_", KeyType::Agent, length);
        let formats = KeyFormats::new(vec![live]).unwrap();
        let clean = |text: &str| formats.without_keys(text);
        assert_eq!(
            clean(&format!("é: unknown field `{key}`, é")).as_deref(),
            Some("é: unknown field `[a key]`, é")
        );
        assert_eq!(
            clean(&format!("/x{key}/{key}/a")).as_deref(),
            Some("/[a key]/[a key]/a")
        );
        let imported = format!("`sk_live_{}`", "a-b".repeat(9));
        assert_eq!(clean(&imported).as_deref(), Some("`[a key]`"));
        assert_eq!(KeyFormats::default().without_keys(&imported), None);
        for text in ["Send ak_… as X-Agent-API-Key", "Send sk_live_… as such", ""] {
            assert_eq!(clean(text), None);
        }
    }
}
