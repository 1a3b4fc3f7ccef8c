//! From what went wrong to a response.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use tigertrust_accounts::{
    FlowError, InvitationError, SignInError, sso::SsoError, trust_rules::ExchangeError,
    webhooks::WebhookError,
};
use tigertrust_credentials::{AuthError, KeyFormats, Refusal};
use tigertrust_wire::{Code, NOT_SIGNED_IN, Problem, challenge, seconds};

use crate::respond::conceal;

/// Why a handler has no other answer. The status is the wire's to know; here it only becomes a response.
#[derive(Debug)]
pub struct ApiError {
    // Boxed, since most results hold no error.
    problem: Box<Problem>,
    /// For the operator: what failed behind a 503.
    cause: Option<Cause>,
    challenge: Option<&'static str>,
    /// In seconds.
    retry_after: Option<u64>,
}

/// The problem is in the body already, for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnPage;

/// What failed behind a 503, on its way to the log.
#[derive(Clone, Debug)]
pub(crate) struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ApiError {
    pub(crate) const fn code(&self) -> Code {
        self.problem.code
    }

    /// What happened, for people.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What happened, for people who read it on a page: a key that was put in a wrong place is not repeated.
    #[must_use]
    pub fn told(&self) -> Problem {
        let mut problem = Problem::clone(&self.problem);
        conceal(&mut problem, &KeyFormats::default());
        // No person sees a header.
        if let (Code::RateLimited, Some(seconds)) = (problem.code, self.retry_after) {
            problem.detail = match seconds.div_ceil(60) {
                0 | 1 => "Too many attempts. Try again in a minute.".to_owned(),
                minutes => format!("Too many attempts. Try again in {minutes} minutes."),
            };
        }
        problem
    }

    /// Says it on a page, which is answered with the error's status. It is counted and logged as any other.
    #[must_use]
    pub fn on_page(&self, html: String) -> HttpResponse {
        let mut response = self.error_response();
        response.extensions_mut().insert(OnPage);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        response.set_body(BoxBody::new(html))
    }

    /// As it stands, but with another status: for reverse proxies that pass on only some.
    pub(crate) fn response_as(&self, status: StatusCode) -> HttpResponse {
        let mut response = self.error_response();
        *response.status_mut() = status;
        response
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            cause: None,
            challenge: None,
            retry_after: None,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        refusal.why.into()
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let cause = match &error {
            AuthError::Unavailable(cause) => Some(Cause(cause.to_string())),
            _ => None,
        };
        Self {
            problem: Box::new(Problem::from(&error)),
            cause,
            challenge: challenge(&error),
            retry_after: match &error {
                AuthError::RateLimited { retry_after, .. } => retry_after.map(seconds),
                _ => None,
            },
        }
    }
}

impl From<FlowError> for ApiError {
    fn from(error: FlowError) -> Self {
        let cause = match &error {
            FlowError::Store(cause) => Some(Cause(cause.to_string())),
            FlowError::Random(cause) => Some(Cause(cause.to_string())),
            _ => None,
        };
        Self {
            problem: Box::new(Problem::from(&error)),
            cause,
            challenge: None,
            retry_after: None,
        }
    }
}

impl From<SsoError> for ApiError {
    fn from(error: SsoError) -> Self {
        if let SsoError::SignIn(error) = error {
            return error.into();
        }
        let problem = Box::new(Problem::from(&error));
        let cause = (problem.code == Code::ServiceUnavailable).then(|| Cause(error.to_string()));
        let challenge = (problem.code == Code::Unauthorized).then_some(NOT_SIGNED_IN);
        Self {
            problem,
            cause,
            challenge,
            retry_after: None,
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Flow(error) => error.into(),
            WebhookError::NoEncryptionKey => Self {
                cause: Some(Cause(error.to_string())),
                ..Problem::from(&error).into()
            },
        }
    }
}

/// How long an issuer that did not answer is left alone, in seconds.
const ISSUER_PAUSE: u64 = 10;

impl From<ExchangeError> for ApiError {
    fn from(error: ExchangeError) -> Self {
        let problem = Problem::from(&error);
        match error {
            ExchangeError::Refused(_) => Self {
                challenge: Some(NOT_SIGNED_IN),
                ..problem.into()
            },
            ExchangeError::IssuerUnavailable(_) => Self {
                // What fails is another's: the log of what this server lacks has no part in it.
                retry_after: Some(ISSUER_PAUSE),
                ..problem.into()
            },
            ExchangeError::NotSupported => problem.into(),
            ExchangeError::Store(cause) => Self {
                cause: Some(Cause(cause.to_string())),
                ..problem.into()
            },
        }
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        let problem = Box::new(Problem::from(&error));
        match error {
            SignInError::Flow(error) => error.into(),
            SignInError::Throttled { retry_after } => Self {
                problem,
                cause: None,
                challenge: None,
                // Rounded up: a second too early is refused again.
                retry_after: Some(retry_after.as_secs() + 1),
            },
            SignInError::NoEncryptionKey
            | SignInError::Sealed(_)
            | SignInError::PasskeyUnreadable(_)
            | SignInError::Overloaded => Self {
                problem,
                cause: Some(Cause(error.to_string())),
                challenge: None,
                retry_after: None,
            },
            SignInError::Refused
            | SignInError::Expired
            | SignInError::LinkRefused
            | SignInError::LinkExpired
            | SignInError::PasskeyRefused(_)
            | SignInError::PasskeyCopied { .. } => Self {
                problem,
                cause: None,
                challenge: Some(NOT_SIGNED_IN),
                retry_after: None,
            },
            SignInError::StepUpRequired => Self::from(*problem),
        }
    }
}

impl From<InvitationError> for ApiError {
    fn from(error: InvitationError) -> Self {
        let problem = Problem::from(&error);
        match error {
            InvitationError::SignIn(error) => error.into(),
            InvitationError::Unknown | InvitationError::Expired | InvitationError::SignInFirst => Self {
                challenge: Some(NOT_SIGNED_IN),
                ..problem.into()
            },
            InvitationError::ForAnother | InvitationError::InviterLostRight | InvitationError::NoMail => {
                problem.into()
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body is written where the request's id is known: see `respond.rs`.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        if let Some(challenge) = self.challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let retry_after = match self.problem.code {
            Code::ServiceUnavailable => Some(self.retry_after.unwrap_or(1)),
            _ => self.retry_after,
        };
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let mut extensions = response.extensions_mut();
        extensions.insert(Problem::clone(&self.problem));
        if let Some(cause) = &self.cause {
            extensions.insert(cause.clone());
        }
        drop(extensions);
        response
    }
}
