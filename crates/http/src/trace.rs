//! The span of a request, for traces of OpenTelemetry: named and filled by its semantic conventions for HTTP.

use actix_web::{
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use tracing::{Span, field};

use crate::{auth::check, permit::Caller};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What W3C Trace Context asks to be passed on at the least; strangers need no more.
const LONGEST_TRACESTATE: usize = 512;

/// How spans of [`tracing`] are tied to the traces of others (W3C Trace Context): what is behind them is no business of the HTTP API.
#[derive(Clone, Copy, Debug)]
pub struct TraceContext {
    /// Makes a span a child of what the headers `traceparent` and `tracestate` name; the first may be malformed, the second empty.
    pub join: fn(span: &Span, traceparent: &str, tracestate: &str),
    /// The current span as the header `traceparent` names it; `None` where it is in no trace.
    pub current: fn() -> Option<String>,
}

/// The span of a request. Its route stands there as a pattern; what else the path and the query hold does not.
pub(crate) fn span(context: &TraceContext, request: &ServiceRequest, id: &HeaderValue) -> Span {
    let method = known_method(request.method());
    let route = request.match_pattern();
    let name = match (&route, method) {
        (Some(route), Some(method)) => format!("{method} {route}"),
        (None, method) => method.unwrap_or("HTTP").to_owned(),
        (Some(route), None) => format!("HTTP {route}"),
    };
    let scheme = if request.app_config().secure() {
        "https"
    } else {
        "http"
    };
    let span = tracing::info_span!(
        parent: None,
        "request",
        "otel.name" = name,
        "otel.kind" = "server",
        "otel.status_code" = field::Empty,
        "http.request.method" = method.unwrap_or("_OTHER"),
        "http.route" = route,
        "http.response.status_code" = field::Empty,
        "url.scheme" = scheme,
        "error.type" = field::Empty,
        "user.id" = field::Empty,
        "tigertrust.request.id" = id.to_str().unwrap_or_default(),
        "tigertrust.key.id" = field::Empty,
        "tigertrust.workspace.id" = field::Empty,
    );
    if let Some(traceparent) = the_one(request.headers(), &TRACEPARENT) {
        let tracestate = the_one(request.headers(), &TRACESTATE).unwrap_or_default();
        (context.join)(&span, traceparent, tracestate);
    }
    span
}

/// Notes who was admitted, on the span of the request.
pub(crate) fn admitted(caller: &Caller) {
    let span = Span::current();
    let workspace = match caller {
        Caller::Key(permit) => {
            span.record("tigertrust.key.id", field::display(permit.key().key.id));
            permit.workspace()
        }
        Caller::Person(permit) => {
            span.record("user.id", field::display(permit.user().id));
            permit.workspace()
        }
    };
    if let Some(workspace) = workspace {
        span.record("tigertrust.workspace.id", field::display(workspace.id));
    }
}

/// Notes what was answered.
pub(crate) fn answered(span: &Span, response: &ServiceResponse) {
    let status = response.status();
    // A number with a sign, since OpenTelemetry knows no others.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
    // The busiest route asks nobody whether there are traces.
    for (name, field) in [
        (check::KEY_ID, "tigertrust.key.id"),
        (check::USER_ID, "user.id"),
        (check::WORKSPACE_ID, "tigertrust.workspace.id"),
    ] {
        if let Some(value) = response.headers().get(name)
            && let Ok(value) = value.to_str()
            && !value.is_empty()
        {
            span.record(field, value);
        }
    }
}

/// One of the methods that the conventions know; others could be any text.
fn known_method(method: &Method) -> Option<&str> {
    const KNOWN: [Method; 9] = [
        Method::CONNECT,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
        Method::TRACE,
    ];
    KNOWN.contains(method).then(|| method.as_str())
}

/// The value of a header that stands there once.
fn the_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next().filter(|value| value.len() <= LONGEST_TRACESTATE)?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}
