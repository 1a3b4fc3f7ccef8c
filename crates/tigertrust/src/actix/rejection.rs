//! What a caller reads who does not get what was asked for.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use tigertrust_accounts::FlowError;
use tigertrust_credentials::AuthError;
use tigertrust_wire::{Code, Problem, RateLimitHeaders, challenge, is_request_id, seconds};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A problem document (RFC 9457) on its way to the caller: the error of [`Permitted`](super::Permitted), and of handlers
/// that want theirs to look the same. Statuses, codes and bodies are those of the server.
///
/// `requestId` repeats the `X-Request-Id` of a request that does not get past its extractor; where there is none, and in
/// the problems of handlers, it is left out.
///
/// ```
/// use tigertrust::actix::{Code, Problem, Rejection};
///
/// let rejection = Rejection::from(Problem::new(Code::Conflict, "The invoice is paid already."));
/// assert_eq!(rejection.problem().status, 409);
/// ```
#[derive(Debug)]
pub struct Rejection {
    // Boxed, since most results hold no error.
    problem: Box<Problem>,
    challenge: Option<&'static str>,
    /// In seconds.
    retry_after: Option<u64>,
    /// How the caller's limits stand.
    limits: Option<Box<RateLimitHeaders>>,
    /// For the operator: what failed behind the 503 of a flow.
    cause: Option<String>,
}

impl Rejection {
    /// What the caller reads.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    pub(super) fn unavailable() -> Self {
        Problem::unavailable().into()
    }

    /// The same for a request, with its id.
    pub(super) fn of(mut self, request: &HttpRequest) -> Self {
        if let Some(id) = request_id(request) {
            id.clone_into(&mut self.problem.request_id);
        }
        self
    }

    /// The same for a caller whose limits were asked.
    pub(super) fn with_limits(mut self, limits: Option<RateLimitHeaders>) -> Self {
        self.limits = limits.map(Box::new);
        self
    }

    fn body(&self) -> serde_json::Result<Vec<u8>> {
        if !self.problem.request_id.is_empty() {
            return serde_json::to_vec(&self.problem);
        }
        let mut body = serde_json::to_value(&self.problem)?;
        if let Some(members) = body.as_object_mut() {
            members.remove("requestId");
        }
        serde_json::to_vec(&body)
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            challenge: None,
            retry_after: None,
            limits: None,
            cause: None,
        }
    }
}

impl From<AuthError> for Rejection {
    fn from(error: AuthError) -> Self {
        Self {
            challenge: challenge(&error),
            retry_after: match &error {
                AuthError::RateLimited { retry_after, .. } => retry_after.map(seconds),
                _ => None,
            },
            ..Problem::from(&error).into()
        }
    }
}

impl From<FlowError> for Rejection {
    fn from(error: FlowError) -> Self {
        let cause = match &error {
            FlowError::Store(cause) => Some(cause.to_string()),
            FlowError::Random(cause) => Some(cause.to_string()),
            _ => None,
        };
        Self {
            cause,
            ..Problem::from(&error).into()
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.detail)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Some(cause) = &self.cause {
            tracing::error!(%cause, "a request was answered 503");
        }
        let mut response = HttpResponse::build(self.status_code());
        response
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        let unavailable = (self.problem.code == Code::ServiceUnavailable).then_some(1);
        if let Some(seconds) = self.retry_after.or(unavailable) {
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        for header in self.limits.iter().flat_map(|limits| limits.iter()) {
            response.insert_header(header);
        }
        response.body(self.body().unwrap_or_default())
    }
}

/// The id that the client, or a proxy before us, gave the request, if it can stand in a log as it is.
fn request_id(request: &HttpRequest) -> Option<&str> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    is_request_id(id.as_bytes()).then_some(id)
}
