//! Errors as they travel (RFC 9457), and the only table from an error to a status.

use serde::Serialize;
use tigertrust_accounts::{
    FlowError, InvitationError, SignInError, Violation,
    sso::{ArrivalRefusal, ProviderError, SsoError},
    webhooks::WebhookError,
};
use tigertrust_credentials::{AuthError, Unauthorized};
use utoipa::ToSchema;

use crate::code::Code;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Where, as a JSON pointer into the body (RFC 6901), or `/` and the name of a query parameter or header.
    #[schema(examples("/scopes/0"))]
    pub pointer: String,
    /// What is wrong and what is allowed.
    pub detail: String,
}

impl From<&Violation> for FieldProblem {
    fn from(violation: &Violation) -> Self {
        Self {
            pointer: violation.pointer.clone(),
            detail: violation.detail.clone(),
        }
    }
}

/// Why a request was not served (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Always `about:blank`: the code says which problem it is.
    pub r#type: &'static str,
    /// The phrase of the status.
    pub title: &'static str,
    /// The status.
    #[schema(examples(401))]
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// What happened, for programs.
    pub code: Code,
    /// The request, as logs name it.
    pub request_id: String,
    /// What is wrong with the request, one entry a place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Which limits were reached, for `RATE_LIMITED`: `minute` and `hour` are the caller's, `failures` are of its network.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Option<Vec<String>>, examples(json!(["minute"])))]
    pub violated_policies: &'static [&'static str],
}

impl Problem {
    /// A problem of the code; the request's id is filled in when the answer leaves.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let (status, title) = code.status();
        Self {
            r#type: "about:blank",
            title,
            status,
            detail: detail.into(),
            code,
            request_id: String::new(),
            errors: Vec::new(),
            violated_policies: &[],
        }
    }

    /// The same with places.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    fn with_violations(self, violations: &[Violation]) -> Self {
        self.with_errors(violations.iter().map(Into::into).collect())
    }

    /// A part that the answer needs is down.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            Code::ServiceUnavailable,
            "A part that this answer needs is not available. Try again shortly.",
        )
    }
}

impl From<&AuthError> for Problem {
    fn from(error: &AuthError) -> Self {
        match error {
            AuthError::Unauthorized(Unauthorized::NotPresented) => Self::new(
                Code::Unauthorized,
                "No credential was presented. Send an API key as X-Agent-API-Key or as Authorization: Bearer, or sign in.",
            ),
            AuthError::Unauthorized(Unauthorized::Malformed) => Self::new(
                Code::Unauthorized,
                "The credential is malformed or cut short, or more than one was presented: send one key, or one session's cookie.",
            ),
            AuthError::Unauthorized(Unauthorized::WithoutScheme) => Self::new(
                Code::Unauthorized,
                "Authorization holds a key or a token without the word Bearer before it: send Authorization: Bearer KEY.",
            ),
            AuthError::Unauthorized(Unauthorized::TokenInKeyHeader) => Self::new(
                Code::Unauthorized,
                "X-Agent-API-Key takes API keys alone: send a token as Authorization: Bearer TOKEN.",
            ),
            AuthError::Unauthorized(Unauthorized::SessionUnknown) => Self::new(
                Code::Unauthorized,
                "The session is unknown or has ended: sign in again.",
            ),
            AuthError::SessionOver => Self::new(Code::TokenExpired, "The session is over: sign in again."),
            AuthError::NoMembership => Self::new(
                Code::WorkspaceAccessDenied,
                "You are a member of no workspace: make one with POST /api/workspaces, or ask to be added to one.",
            ),
            // Whether a key exists is told to nobody who does not hold a usable one.
            AuthError::Unauthorized(
                Unauthorized::Unknown
                | Unauthorized::Deactivated
                | Unauthorized::WorkspaceDeleted
                | Unauthorized::OwnerGone,
            ) => Self::new(Code::Unauthorized, "The API key is unknown or not active."),
            AuthError::Unauthorized(Unauthorized::TokenInvalid) => Self::new(
                Code::Unauthorized,
                "The token was not issued by this server, or has been tampered with.",
            ),
            AuthError::KeyRevoked => Self::new(Code::KeyRevoked, "The API key is revoked."),
            AuthError::TokenExpired => Self::new(
                Code::TokenExpired,
                "The API key, or the token of it, is past its expiry.",
            ),
            AuthError::RateLimited { policies, .. } if *policies == ["failures"] => Self {
                violated_policies: &["failures"],
                ..Self::new(
                    Code::RateLimited,
                    "Too many credentials from your network were refused. Try again after the time in Retry-After.",
                )
            },
            AuthError::RateLimited { policies, .. } => Self {
                violated_policies: policies,
                ..Self::new(
                    Code::RateLimited,
                    "The rate limit is reached. Try again after the time in Retry-After.",
                )
            },
            AuthError::AddressNotAllowed => {
                Self::new(Code::Forbidden, "The API key may not be used from this address.")
            }
            AuthError::WrongType { allowed } => {
                let names: Vec<&str> = allowed.iter().map(|kind| kind.as_str()).collect();
                Self::new(
                    Code::Forbidden,
                    format!("This needs an API key of type {}.", names.join(" or ")),
                )
            }
            AuthError::WorkspaceAccessDenied => Self::new(
                Code::WorkspaceAccessDenied,
                "The workspace in X-Workspace-ID does not exist or is not one of the caller's.",
            ),
            AuthError::WorkspaceMissing => Self::new(
                Code::ValidationError,
                "An instance key has no workspace of its own: name one in X-Workspace-ID.",
            ),
            AuthError::MissingScope(scope) => {
                Self::new(Code::Forbidden, format!("This needs the scope {scope}."))
            }
            AuthError::RoleForbids(scope) => Self::new(
                Code::Forbidden,
                format!("This needs {scope}, which your role in the workspace does not permit."),
            ),
            // Not STEP_UP_REQUIRED: a fresh proof is of no help to who has no second factor to prove.
            AuthError::SecondFactorMissing => Self::new(
                Code::Forbidden,
                "The workspace demands a second factor of its members. Add one under /api/auth/2fa or /api/auth/passkeys, or prove yours with POST /api/auth/step-up; for a personal key its owner must have one. Other workspaces are not concerned.",
            ),
            AuthError::TokenChangesNothing => Self::new(
                Code::Forbidden,
                "A short-lived token changes nothing here, since that would outlast it: use the key itself.",
            ),
            AuthError::SessionConfined => Self::new(
                Code::Forbidden,
                "This session was begun by a workspace's identity provider and reaches that workspace alone: sign in with what is your own.",
            ),
            AuthError::Unavailable(_) => Self::unavailable(),
        }
    }
}

impl From<&FlowError> for Problem {
    fn from(error: &FlowError) -> Self {
        match error {
            FlowError::Invalid(violations) => Self::new(
                Code::ValidationError,
                "The request is not valid; errors says where.",
            )
            .with_violations(violations),
            FlowError::Forbidden(violations) => {
                Self::new(Code::Forbidden, "The caller may not do this.").with_violations(violations)
            }
            FlowError::WorkspaceDenied(violations) => Self::new(
                Code::WorkspaceAccessDenied,
                "A named workspace does not exist or is not one of the caller's.",
            )
            .with_violations(violations),
            FlowError::NotFound => Self::new(Code::NotFound, "There is nothing here under this id."),
            FlowError::Conflict(conflict) => Self::new(Code::Conflict, sentence(&conflict.to_string())),
            FlowError::OwnsAlone(workspaces) => {
                let names: Vec<String> = workspaces.iter().map(ToString::to_string).collect();
                Self::new(
                    Code::Conflict,
                    format!(
                        "Nobody else owns {}: make somebody else an owner, or delete the workspace, first.",
                        names.join(", ")
                    ),
                )
            }
            FlowError::Store(_) | FlowError::Random(_) => Self::unavailable(),
        }
    }
}

impl From<&SignInError> for Problem {
    fn from(error: &SignInError) -> Self {
        match error {
            // One answer to whatever is wrong: who guesses learns nothing from it.
            SignInError::Refused | SignInError::PasskeyRefused(_) | SignInError::PasskeyCopied { .. } => {
                Self::new(
                    Code::Unauthorized,
                    "The address, password, code or passkey is not right, or the account cannot sign in this way.",
                )
            }
            SignInError::Expired => Self::new(
                Code::TokenExpired,
                "The five minutes for this step are over: begin again.",
            ),
            SignInError::LinkRefused => Self::new(
                Code::Unauthorized,
                "The link is not valid: it was used, was ended, or never was. Ask for another.",
            ),
            SignInError::LinkExpired => Self::new(
                Code::TokenExpired,
                "The link is past its thirty minutes: ask for another.",
            ),
            SignInError::Throttled { .. } => Self::new(
                Code::RateLimited,
                "Too many attempts. Try again after the time in Retry-After.",
            ),
            SignInError::Overloaded => Self::unavailable(),
            SignInError::StepUpRequired => Self::new(
                Code::StepUpRequired,
                "This needs a fresh proof of who you are: POST /api/auth/step-up.",
            ),
            SignInError::NoEncryptionKey | SignInError::Sealed(_) => Self::new(
                Code::ServiceUnavailable,
                "Second factors cannot be used: the server's key ring lacks the encryption key for them.",
            ),
            SignInError::PasskeyUnreadable(_) => Self::new(
                Code::ServiceUnavailable,
                "This passkey cannot be used: what the server keeps of it cannot be read.",
            ),
            SignInError::Flow(error) => error.into(),
        }
    }
}

impl From<&InvitationError> for Problem {
    fn from(error: &InvitationError) -> Self {
        match error {
            InvitationError::Unknown => Self::new(
                Code::Unauthorized,
                "The invitation is unknown: it was accepted, revoked or renewed, or the link is cut short.",
            ),
            InvitationError::Expired => Self::new(
                Code::TokenExpired,
                "The invitation is past its seven days: ask for another one.",
            ),
            InvitationError::SignInFirst => Self::new(
                Code::Unauthorized,
                "The invited address has an account: sign in with it first.",
            ),
            InvitationError::ForAnother => Self::new(
                Code::Forbidden,
                "The invitation is for another address than the one that you are signed in with.",
            ),
            InvitationError::InviterLostRight => Self::new(
                Code::Forbidden,
                "Whoever invited may not do so any more: ask for another invitation.",
            ),
            InvitationError::NoMail => Self::new(
                Code::Conflict,
                "The server sends no mail, so that nobody would learn of the invitation: let the operator invite with `tigertrust member invite`, which shows the link.",
            ),
            InvitationError::SignIn(error) => error.into(),
        }
    }
}

impl From<&SsoError> for Problem {
    fn from(error: &SsoError) -> Self {
        match error {
            SsoError::UnknownConnection => {
                Self::new(Code::NotFound, "There is no such way to sign in, or it is switched off.")
            }
            SsoError::NothingWaits | SsoError::NotLetIn(ArrivalRefusal::Replayed) => Self::new(
                Code::Unauthorized,
                "The sign-in took too long, was completed before, or was begun in another browser: begin again.",
            ),
            SsoError::ProviderRefused(_) => {
                Self::new(Code::Unauthorized, "The identity provider did not sign you in.")
            }
            SsoError::Provider(ProviderError::Refused(_)) => Self::new(
                Code::Unauthorized,
                "What the identity provider answered was not accepted. Whoever runs this server finds the reason in its log.",
            ),
            SsoError::Provider(ProviderError::Settings(_)) => Self::new(
                Code::ServiceUnavailable,
                "This way to sign in is not set up right. Whoever runs this server finds the reason in its log.",
            ),
            SsoError::Provider(ProviderError::Unavailable(_)) => Self::new(
                Code::ServiceUnavailable,
                "The identity provider, or the domain name system, does not answer. Try again shortly.",
            ),
            SsoError::NotLetIn(ArrivalRefusal::NotConnected) => Self::new(
                Code::Forbidden,
                "No account is connected with this identity. If you have one, sign in with it and connect them; if not, ask to be invited.",
            ),
            SsoError::NotLetIn(ArrivalRefusal::NoMember) => Self::new(
                Code::Forbidden,
                "You are no member of the workspace, and none of your groups is let in.",
            ),
            SsoError::NotLetIn(ArrivalRefusal::Barred | ArrivalRefusal::Deactivated) => {
                Self::new(Code::Forbidden, "The account may not sign in.")
            }
            SsoError::ReturnTo => Self::new(Code::ValidationError, "The query string is not valid; errors says where.")
                .with_errors(vec![FieldProblem {
                    pointer: "/returnTo".to_owned(),
                    detail: "must be a path of this server, such as /settings, or an address of an origin that is configured"
                        .to_owned(),
                }]),
            SsoError::NoEncryptionKey | SsoError::Sealed => Self::new(
                Code::ServiceUnavailable,
                "The connection cannot be used: the server's key ring lacks the encryption key for its secret.",
            ),
            SsoError::SignIn(error) => error.into(),
        }
    }
}

impl From<&WebhookError> for Problem {
    fn from(error: &WebhookError) -> Self {
        match error {
            WebhookError::NoEncryptionKey => Self::new(
                Code::ServiceUnavailable,
                "There can be no webhooks: the server's key ring holds no encryption key for their secrets.",
            ),
            WebhookError::Flow(error) => error.into(),
        }
    }
}

/// What `WWW-Authenticate` says to a caller who does not get in (RFC 6750 §3); none where another credential would not
/// help.
#[must_use]
pub const fn challenge(error: &AuthError) -> Option<&'static str> {
    match error {
        // No error code for a request that lacks any authentication.
        AuthError::Unauthorized(Unauthorized::NotPresented) => Some(NOT_SIGNED_IN),
        AuthError::Unauthorized(_)
        | AuthError::KeyRevoked
        | AuthError::TokenExpired
        | AuthError::SessionOver => Some(r#"Bearer realm="tigertrust", error="invalid_token""#),
        AuthError::MissingScope(_) => Some(r#"Bearer realm="tigertrust", error="insufficient_scope""#),
        _ => None,
    }
}

/// What `WWW-Authenticate` says to somebody whose proof was not accepted.
pub const NOT_SIGNED_IN: &str = r#"Bearer realm="tigertrust""#;

/// The longest request id that is taken over from a client, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// Whether an id that a client, or a proxy before us, gave a request can stand in logs and answers as it is.
#[must_use]
pub fn is_request_id(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).chain(['.']).collect())
        .unwrap_or_default()
}
