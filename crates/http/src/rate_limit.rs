//! The headers that tell a caller how its limits stand.

use actix_web::{
    HttpMessage, HttpRequest,
    dev::ServiceResponse,
    http::header::{HeaderMap, HeaderName, HeaderValue},
    web::Bytes,
};
use tigertrust_credentials::{Refusal, rate_limit::Decision};
use tigertrust_model::Timestamp;
use tigertrust_wire::RateLimitHeaders;

// Names as text would be parsed for each request.
const NAMES: [HeaderName; 5] = {
    let [limit, remaining, reset, policy, standing] = RateLimitHeaders::NAMES;
    [
        HeaderName::from_static(limit),
        HeaderName::from_static(remaining),
        HeaderName::from_static(reset),
        HeaderName::from_static(policy),
        HeaderName::from_static(standing),
    ]
};

/// How the caller's limits stand, on its way from admission to the answer.
struct Standing(Decision);

/// Has the answer to the request, whatever it will be, tell how the limits stand of who was admitted or refused.
pub(crate) fn tell<P>(
    request: &HttpRequest,
    admitted: &Result<P, Refusal>,
    limits_of: impl FnOnce(&P) -> Option<&Decision>,
) {
    tell_limits(request, admitted.as_ref().map_or_else(Refusal::limits, limits_of));
}

/// Has the answer to the request, whatever it will be, tell how these limits stand.
pub(crate) fn tell_limits(request: &HttpRequest, limits: Option<&Decision>) {
    if let Some(limits) = limits {
        request.extensions_mut().insert(Standing(*limits));
    }
}

/// Whether whoever made the request is over a limit.
pub(crate) fn is_over(request: &HttpRequest) -> bool {
    let extensions = request.extensions();
    extensions
        .get::<Standing>()
        .is_some_and(|Standing(decision)| !decision.admitted)
}

/// How the limits of whoever made the request stand, if they were asked.
pub(crate) fn told(response: &ServiceResponse) -> Option<Decision> {
    let extensions = response.request().extensions();
    extensions.get::<Standing>().map(|Standing(decision)| *decision)
}

/// Adds the headers, which are not there yet.
pub(crate) fn add_to(headers: &mut HeaderMap, decision: &Decision, now: Timestamp) {
    let RateLimitHeaders { text, ends } = RateLimitHeaders::new(decision, now);
    let mut rest = Bytes::from(text.into_bytes());
    let mut start = 0;
    for (name, end) in NAMES.into_iter().zip(ends) {
        let value = rest.split_to(end.saturating_sub(start).min(rest.len()));
        start = end;
        // Digits, quotes and commas are what a header may hold.
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            headers.append(name, value);
        }
    }
}
