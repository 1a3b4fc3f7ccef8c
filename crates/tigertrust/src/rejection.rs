//! What a caller reads who does not get what was asked for: the same over every adapter, which only puts it into the types of its
//! framework.

use std::{borrow::Cow, fmt};

use tigertrust_accounts::FlowError;
use tigertrust_credentials::{AuthError, KeyFormats};
use tigertrust_wire::{Code, Problem, RateLimitHeaders, challenge, is_request_id, seconds};

/// A problem document (RFC 9457) on its way to the caller: the error of the extractors, and of handlers that want theirs to look the
/// same. Statuses, codes and bodies are those of the server.
///
/// `requestId` repeats the `X-Request-Id` of a request that does not get past its extractor; where there is none, and in
/// the problems of handlers, it is left out.
///
/// ```
/// # #[cfg(feature = "actix")]
/// use tigertrust::actix::{Code, Problem, Rejection};
/// # #[cfg(not(feature = "actix"))]
/// # use tigertrust::tower::{Code, Problem, Rejection};
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

    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn unavailable() -> Self {
        Problem::unavailable().into()
    }

    /// The same for a request, with the id that the client, or a proxy before us, gave it, if that can stand in a log as it is.
    pub(crate) fn of(mut self, request_id: Option<&[u8]>) -> Self {
        if let Some(id) = request_id.and_then(readable) {
            id.clone_into(&mut self.problem.request_id);
        }
        self
    }

    /// The same for a caller whose limits were asked.
    pub(crate) fn with_limits(mut self, limits: Option<RateLimitHeaders>) -> Self {
        self.limits = limits.map(Box::new);
        self
    }

    /// What goes before the body, for whatever the body is.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let unavailable = (self.problem.code == Code::ServiceUnavailable).then_some(1);
        let retry_after = self.retry_after.or(unavailable);
        let id = &self.problem.request_id;
        let limits = self.limits.iter().flat_map(|limits| limits.iter());
        [
            Some(("cache-control", Cow::Borrowed("no-store"))),
            self.challenge
                .map(|challenge| ("www-authenticate", Cow::Borrowed(challenge))),
            retry_after.map(|seconds| ("retry-after", Cow::Owned(seconds.to_string()))),
            (!id.is_empty()).then_some(("x-request-id", Cow::Borrowed(id.as_str()))),
        ]
        .into_iter()
        .flatten()
        .chain(limits.map(|(name, value)| (name, Cow::Borrowed(value))))
    }

    /// The problem in JSON: `application/problem+json`.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.json().unwrap_or_default()
    }

    fn json(&self) -> serde_json::Result<Vec<u8>> {
        if !self.problem.request_id.is_empty() {
            return serde_json::to_vec(&self.problem);
        }
        let mut body = serde_json::to_value(&self.problem)?;
        if let Some(members) = body.as_object_mut() {
            members.remove("requestId");
        }
        serde_json::to_vec(&body)
    }

    /// Tells the operator what failed behind a 503 of a flow, when the answer leaves.
    pub(crate) fn tell_operator(&self) {
        if let Some(cause) = &self.cause {
            tracing::error!(%cause, "a request was answered 503");
        }
    }
}

/// What every problem document is called.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The id of a request, if it can stand in logs and answers as it is.
pub(crate) fn readable(id: &[u8]) -> Option<&str> {
    let id = std::str::from_utf8(id)
        .ok()
        .filter(|id| is_request_id(id.as_bytes()))?;
    // It is kept for good there.
    (!KeyFormats::default().holds_credential(id)).then_some(id)
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

impl std::error::Error for Rejection {}
