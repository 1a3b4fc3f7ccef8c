//! The span of a request, for traces of OpenTelemetry: named and filled by its semantic conventions for HTTP.

use actix_web::{
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use tracing::{Span, field};

use crate::{auth::check, metrics::known_method, permit::Caller};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What W3C Trace Context asks to be passed on at the least; strangers need no more.
const LONGEST_TRACESTATE: usize = 512;

/// How spans of [`tracing`] are tied to the traces of others (W3C Trace Context): what is behind them is no business of the HTTP API.
#[derive(Clone, Copy, Debug)]
pub struct TraceContext {
    /// Makes a span a child of what the headers `traceparent` and `tracestate` name: the first is well formed, the second may be
    /// anything, and empty.
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
    if let Some(traceparent) = the_one(request.headers(), &TRACEPARENT)
        && is_traceparent(traceparent.as_bytes())
    {
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

/// The value of a header that stands there once.
fn the_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next().filter(|value| value.len() <= LONGEST_TRACESTATE)?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Whether the text is `traceparent` as W3C Trace Context writes it: libraries take what merely looks like it.
fn is_traceparent(text: &[u8]) -> bool {
    const LENGTH: usize = 55;
    let Some((known, later)) = text.split_at_checked(LENGTH) else {
        return false;
    };
    let is_shaped = known.iter().enumerate().all(|(place, byte)| match place {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    // What later versions add stands behind another hyphen; ff is none.
    let is_whole = match known {
        [b'0', b'0', ..] => later.is_empty(),
        [b'f', b'f', ..] => false,
        _ => later.first().is_none_or(|byte| *byte == b'-'),
    };
    is_shaped && is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_taken_as_it_is_specified_alone() {
        for (text, is_one) in [
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", true),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", false),
            ("00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd-b7ad6b7169203331-01", false),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false),
            ("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", false),
            ("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false),
            ("", false),
        ] {
            assert_eq!(is_traceparent(text.as_bytes()), is_one, "{text}");
        }
    }
}
