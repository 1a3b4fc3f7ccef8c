//! Answers to requests that are not let in: problems of RFC 9457, or a status of gRPC.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::{Code, NotAvailable, RateLimit, RefusedVerdict};

const NOT_PRESENTED: &str = r#"Bearer realm="tigertrust""#;
const INVALID: &str = r#"Bearer realm="tigertrust", error="invalid_token""#;
const INSUFFICIENT: &str = r#"Bearer realm="tigertrust", error="insufficient_scope""#;
/// What a message of gRPC must not have in it as it is.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// What is said to a request that is not let in.
///
/// ```
/// use tigertrust_client::{Client, guard::Guard};
/// # struct Request;
/// # impl tigertrust_client::guard::Headers for Request {
/// #     fn values(&self, name: &'static str) -> Vec<&[u8]> { Vec::new() }
/// # }
/// # async fn answer(client: Client, request: Request) {
/// let guard = Guard::new(client);
/// if let Err(refusal) = guard.check(guard.read(&request), None).await {
///     let (status, body) = (refusal.status(), refusal.body());
///     for (name, value) in refusal.headers() {
///         // …
/// #       let _ = (status, &body, name, value);
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    code: Box<str>,
    detail: String,
    violated_policies: Option<Vec<String>>,
    /// How the request named itself.
    request_id: Option<String>,
    challenge: Option<&'static str>,
    /// How the limits stand, and when to try again: what an answer by gRPC has as well.
    limits: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    violated_policies: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Refusal {
    /// The status of HTTP.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers of an answer by HTTP.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
        ]
        .into_iter()
        .chain(self.challenge.map(|challenge| ("www-authenticate", challenge)))
        .chain(self.limits.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The body of an answer by HTTP.
    #[must_use]
    pub fn body(&self) -> String {
        let problem = Problem {
            r#type: "about:blank",
            title: title_of(self.status),
            status: self.status,
            detail: &self.detail,
            code: &self.code,
            violated_policies: self.violated_policies.as_deref(),
            request_id: self.request_id.as_deref(),
        };
        // Nothing in it can fail to be written.
        serde_json::to_string(&problem).unwrap_or_default()
    }

    /// The code of gRPC: `UNAUTHENTICATED`, `PERMISSION_DENIED`, `RESOURCE_EXHAUSTED` or `UNAVAILABLE`.
    #[must_use]
    pub const fn grpc_status(&self) -> u8 {
        match self.status {
            401 => 16,
            429 => 8,
            503 => 14,
            _ => 7,
        }
    }

    /// The message of gRPC, encoded for its header: the detail of the problem.
    #[must_use]
    pub fn grpc_message(&self) -> String {
        utf8_percent_encode(&self.detail, MESSAGE).to_string()
    }

    /// What an answer by gRPC has in its headers beside status and message.
    pub fn grpc_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.limits.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Nothing was presented. RFC 6750 §3: no error in the challenge then.
    pub(crate) fn nothing_presented() -> Self {
        let detail =
            "No credential was presented. Send an API key as X-Agent-API-Key or as Authorization: Bearer.";
        Self::new(&Code::Unauthorized, detail).challenging(NOT_PRESENTED)
    }

    pub(crate) fn malformed() -> Self {
        let detail =
            "The credential is malformed or cut short, or more than one was presented: send one key.";
        Self::new(&Code::Unauthorized, detail).challenging(INVALID)
    }

    pub(crate) fn no_workspace() -> Self {
        let detail = "The workspace in X-Workspace-ID does not exist or is not one of the caller's.";
        Self::new(&Code::WorkspaceAccessDenied, detail)
    }

    /// The key is refused, where a scope was asked for or none.
    pub(crate) fn of_verdict(verdict: &RefusedVerdict, scope: Option<&str>) -> Self {
        let code = &verdict.code;
        let is_limited = *code == Code::RateLimited;
        let mut refusal = Self::new(code, &verdict.detail);
        if is_limited {
            refusal.violated_policies = Some(verdict.violated_policies.clone());
        }
        if refusal.status == 401 {
            refusal.challenge = Some(INVALID);
        }
        let lacks_scope = scope.is_some_and(|scope| !grants(&verdict.scopes, scope));
        if *code == Code::Forbidden && lacks_scope {
            refusal.challenge = Some(INSUFFICIENT);
        }
        if let (true, Some(seconds)) = (is_limited, verdict.retry_after_seconds) {
            refusal.limits.push(("retry-after", seconds.to_string()));
        }
        if !verdict.rate_limits.is_empty() {
            refusal.add_rate_limits(&verdict.rate_limits);
        }
        refusal
    }

    /// Nobody can say what the key is worth.
    pub(crate) fn of_error(error: &NotAvailable) -> Self {
        let detail = "Keys cannot be checked at the moment. Try again shortly.";
        let seconds = error.retry_after().as_secs();
        let mut refusal = Self::problem(503, "SERVICE_UNAVAILABLE", detail);
        refusal.limits.push(("retry-after", seconds.to_string()));
        refusal
    }

    /// The same, with the name that the request gave itself.
    pub(crate) fn naming(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }

    fn new(code: &Code, detail: &str) -> Self {
        Self::problem(status_of(code), code.as_str(), detail)
    }

    fn problem(status: u16, code: &str, detail: &str) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.to_owned(),
            violated_policies: None,
            request_id: None,
            challenge: None,
            limits: Vec::new(),
        }
    }

    fn challenging(self, challenge: &'static str) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }

    /// draft-ietf-httpapi-ratelimit-headers.
    fn add_rate_limits(&mut self, windows: &[RateLimit]) {
        let (mut policy, mut standing) = (String::new(), String::new());
        for (index, window) in windows.iter().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            let name = &window.policy;
            let (limit, seconds) = (window.limit, window.window_seconds);
            let _ = write!(policy, "{between}\"{name}\";q={limit};w={seconds}");
            let (remaining, reset) = (window.remaining, window.reset_seconds);
            let _ = write!(standing, "{between}\"{name}\";r={remaining};t={reset}");
        }
        self.limits.push(("ratelimit-policy", policy));
        self.limits.push(("ratelimit", standing));
    }
}

/// The same as the server's own table: a test compares them.
const fn status_of(code: &Code) -> u16 {
    match code {
        Code::Unauthorized | Code::TokenExpired | Code::KeyRevoked => 401,
        Code::RateLimited => 429,
        // Of one that a later server knows it is sure that nobody is let in, and no more.
        Code::Forbidden | Code::WorkspaceAccessDenied | Code::Other(_) => 403,
    }
}

const fn title_of(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Forbidden",
    }
}

/// Whether one of the scopes is the one that was asked for, or all of its family.
pub(crate) fn grants(scopes: &[String], asked: &str) -> bool {
    let family = asked.split(':').next().unwrap_or_default();
    scopes
        .iter()
        .any(|scope| scope == asked || scope.strip_suffix(":*") == Some(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_titles_are_the_server_s() {
        let codes = [
            Code::Unauthorized,
            Code::TokenExpired,
            Code::KeyRevoked,
            Code::Forbidden,
            Code::WorkspaceAccessDenied,
            Code::RateLimited,
        ];
        for code in codes {
            let server = tigertrust_wire::Code::ALL
                .into_iter()
                .find(|other| other.as_str() == code.as_str());
            let status = status_of(&code);
            assert_eq!((status, title_of(status)), server.unwrap().status());
        }
        let unavailable = tigertrust_wire::Code::ServiceUnavailable;
        assert_eq!((503, title_of(503)), unavailable.status());
    }

    #[test]
    fn a_message_of_grpc_is_encoded() {
        let refusal = Refusal::new(&Code::Forbidden, "not 100 % – no\n");
        assert_eq!(refusal.grpc_message(), "not 100 %25 %E2%80%93 no%0A");
    }

    #[test]
    fn a_family_grants_its_scopes() {
        let scopes = ["certificates:*".to_owned(), "invoices:read".to_owned()];
        assert!(grants(&scopes, "certificates:write"));
        assert!(grants(&scopes, "invoices:read"));
        assert!(!grants(&scopes, "invoices:write"));
        assert!(!grants(&scopes, "certificates2:read"));
    }
}
