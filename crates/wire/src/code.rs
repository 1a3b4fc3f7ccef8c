//! The codes that clients switch on, each with its status and what there is to say of it.

use serde::Serialize;
use utoipa::ToSchema;

/// An enum of which the program can tell what its documentation says.
macro_rules! documented {
    (
        $(#[$of_type:meta])*
        pub enum $name:ident {
            $($(#[doc = $line:literal])+ $variant:ident,)+
        }
    ) => {
        $(#[$of_type])*
        pub enum $name {
            $($(#[doc = $line])+ $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

            /// What it means: the documentation of the variant, line by line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($line, "\n"),+),)+
                }
            }
        }
    };
}

documented! {
    /// What clients switch on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    pub enum Code {
        /// Something in the request is not as it must be; `errors` says where. The body, the query string or a header is
        /// malformed, the body did not come within 10 seconds, or an instance key named no workspace where one is needed.
        ValidationError,
        /// Nobody is known to call, or the proof of it is no good: no credential, a malformed one, or more than one; a key
        /// that is unknown or not active, that belongs to a deleted workspace, or whose owner is disabled or no member any
        /// more; a session that is unknown or was ended; an address, password, code or passkey that is not right; a login
        /// token, challenge, link or invitation that is unknown, spent or revoked; a sign-in by an identity provider that was
        /// not accepted.
        Unauthorized,
        /// What was presented was good, and is past its end: a key past its `expiresAt`, a session past its life or its idle
        /// timeout, a step of a login past its 5 minutes, a link in a mail past its 30, an invitation past its seven days.
        TokenExpired,
        /// The key is revoked, or was rotated and this secret of it has ended, or was the personal key of somebody who is no
        /// member of its home any more.
        KeyRevoked,
        /// The caller is known, and may not do this: the key's networks, type or scopes do not allow it, or the person's role;
        /// the workspace demands a second factor; only people, or only keys, may call; the session reaches one workspace
        /// alone; another site's page would change something with a session; or an identity provider vouches for somebody who
        /// may not come in here. Where a scope is missing, `WWW-Authenticate` says `insufficient_scope`.
        Forbidden,
        /// A named workspace does not exist, is malformed, or is not one of the caller's: the same answer to all three.
        WorkspaceAccessDenied,
        /// A fresh proof of who the person is must come first.
        StepUpRequired,
        /// No such route, or nothing under this id that the caller can see.
        NotFound,
        /// The route knows other methods.
        MethodNotAllowed,
        /// The present state stands against it: it would be there twice, there are as many as there may be, something that is
        /// final would change, a workspace would be left without an owner, or the `Idempotency-Key` named another request
        /// within the last 24 hours.
        Conflict,
        /// The body is larger than the route takes: 65,536 bytes for most.
        PayloadTooLarge,
        /// The body is not of the type that the route takes: `application/json` for most.
        UnsupportedMediaType,
        /// The key or session has called too often, its network has presented too many credentials that are no good, or too
        /// many proofs, links, invitations or sign-ins were tried. `violatedPolicies` tells the first two apart: `minute` and
        /// `hour` are the caller's own limits, `failures` its network's; it is absent for all else.
        RateLimited,
        /// A part that the answer needs is down, mostly the database; or too much is being done at once; or the key ring lacks
        /// a secret that this needs; or an identity provider does not answer. It is never a pass.
        ServiceUnavailable,
    }
}

impl Code {
    /// What a client should do about it, for those who write one.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ValidationError => "Mend the request where `errors` points.",
            Self::Unauthorized => {
                "Present another credential, or sign in again. With the same one the answer stays the same."
            }
            Self::TokenExpired => "Sign in again, begin the step again, or get another key or link.",
            Self::KeyRevoked => "Stop using this key: that is final. Get another one.",
            Self::Forbidden => {
                "Ask somebody who may give the right, or use another key. `detail` says what is missing."
            }
            Self::WorkspaceAccessDenied => {
                "Name another workspace in `X-Workspace-ID` or in the place that `errors` points to."
            }
            Self::StepUpRequired => {
                "Ask the person for a proof, send it to `POST /api/auth/step-up`, and repeat the request."
            }
            Self::NotFound => {
                "Check the path and the id, and whether the caller acts in the right workspace."
            }
            Self::MethodNotAllowed => "Use one of the methods in `Allow`.",
            Self::Conflict => "Look at how things stand, and do what `detail` says first.",
            Self::PayloadTooLarge => "Send less, in several requests if need be.",
            Self::UnsupportedMediaType => "Send JSON with `Content-Type: application/json`.",
            Self::RateLimited => {
                "Wait for the seconds in `Retry-After`. Attempts before that are refused as well, and prolong nothing."
            }
            Self::ServiceUnavailable => {
                "Try again after `Retry-After`, with growing pauses. After a request that changes something the outcome is unknown: look before you repeat it, unless it can be repeated safely."
            }
        }
    }

    /// Whether the same request may succeed if it is sent again.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::StepUpRequired => Retry::AfterProof,
            Self::RateLimited | Self::ServiceUnavailable => Retry::Later,
            _ => Retry::No,
        }
    }

    /// The headers that come along with every answer of the code.
    #[must_use]
    pub const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Unauthorized | Self::TokenExpired | Self::KeyRevoked => &["WWW-Authenticate"],
            Self::MethodNotAllowed => &["Allow"],
            Self::RateLimited | Self::ServiceUnavailable => &["Retry-After"],
            _ => &[],
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "VALIDATION_ERROR",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::KeyRevoked => "KEY_REVOKED",
            Self::Forbidden => "FORBIDDEN",
            Self::WorkspaceAccessDenied => "WORKSPACE_ACCESS_DENIED",
            Self::StepUpRequired => "STEP_UP_REQUIRED",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
        }
    }

    /// The status and its phrase (RFC 9110 §15).
    #[must_use]
    pub const fn status(self) -> (u16, &'static str) {
        match self {
            Self::ValidationError => (400, "Bad Request"),
            Self::Unauthorized | Self::TokenExpired | Self::KeyRevoked => (401, "Unauthorized"),
            Self::Forbidden | Self::WorkspaceAccessDenied | Self::StepUpRequired => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::Conflict => (409, "Conflict"),
            Self::PayloadTooLarge => (413, "Content Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::RateLimited => (429, "Too Many Requests"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
        }
    }

    /// The status code of gRPC, for services that speak it.
    #[must_use]
    pub const fn grpc_status(self) -> u8 {
        match self {
            // INVALID_ARGUMENT
            Self::ValidationError | Self::UnsupportedMediaType => 3,
            // NOT_FOUND
            Self::NotFound => 5,
            // PERMISSION_DENIED
            Self::Forbidden | Self::WorkspaceAccessDenied | Self::StepUpRequired => 7,
            // RESOURCE_EXHAUSTED
            Self::RateLimited | Self::PayloadTooLarge => 8,
            // FAILED_PRECONDITION
            Self::Conflict => 9,
            // UNIMPLEMENTED
            Self::MethodNotAllowed => 12,
            // UNAVAILABLE
            Self::ServiceUnavailable => 14,
            // UNAUTHENTICATED
            Self::Unauthorized | Self::TokenExpired | Self::KeyRevoked => 16,
        }
    }
}

/// Whether the same request may succeed if it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before something else has changed.
    No,
    /// Once a person has proved who it is.
    AfterProof,
    /// After the time in `Retry-After`.
    Later,
}
