//! The span of a request, and what its receiver is told of it.

use hyper::{
    Request,
    header::{HeaderName, HeaderValue},
};
use tracing::{Span, field};

use crate::OutboundError;

/// The current span as the header `traceparent` names it (W3C Trace Context); `None` where it is in no trace.
pub type Traceparent = fn() -> Option<String>;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The span of a request, whose receiver is told of it; none where there is no way to tell. Of `tracestate` nothing goes out: it
/// speaks of systems that are no business of the receiver.
pub(crate) fn begin(request: &mut Request<Vec<u8>>, traceparent: Option<Traceparent>) -> Span {
    let Some(traceparent) = traceparent else {
        return Span::none();
    };
    let uri = request.uri();
    let usual_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    // Where it leads, and no more: paths and queries may hold what opens a door.
    let span = tracing::info_span!(
        "request",
        "otel.name" = request.method().as_str(),
        "otel.kind" = "client",
        "otel.status_code" = field::Empty,
        "http.request.method" = request.method().as_str(),
        "http.response.status_code" = field::Empty,
        "server.address" = uri.host().unwrap_or_default(),
        // A number with a sign, since OpenTelemetry knows no others.
        "server.port" = i64::from(uri.port_u16().unwrap_or(usual_port)),
        "error.type" = field::Empty,
    );
    if let Some(Ok(name)) = span.in_scope(traceparent).map(HeaderValue::try_from) {
        request.headers_mut().insert(TRACEPARENT, name);
    }
    span
}

/// Notes what came of a request: the status of its answer, or why there is none.
pub(crate) fn end(span: &Span, answer: Result<u16, &OutboundError>) {
    match answer {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status));
            if status < 400 {
                return;
            }
            span.record("error.type", field::display(status));
        }
        Err(error) => {
            span.record("error.type", field::debug(error));
        }
    }
    span.record("otel.status_code", "ERROR");
}
