//! The one error of authentication and authorisation.

use std::time::Duration;

use tigertrust_model::{KeyTypes, Outcome, Scope};

use crate::ports::StoreError;

/// Why a caller is nobody: for logs and tests. A client is told no more than whether it presented anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unauthorized {
    /// Nothing that could be a credential of ours.
    #[error("no credential was presented")]
    NotPresented,
    /// Something that cannot be a credential: malformed, repeated, or two that differ.
    #[error("the credential is malformed, repeated, or one of two that differ")]
    Malformed,
    /// A key or a token in `Authorization`, without the scheme before it.
    #[error("there is a key or a token in Authorization, and no scheme before it")]
    WithoutScheme,
    /// A token in the header for keys.
    #[error("there is a token in the header for keys")]
    TokenInKeyHeader,
    /// Well formed and not known.
    #[error("the key is unknown")]
    Unknown,
    /// A token that we have not signed, or not with a key that we still have.
    #[error("the token's signature or what it says is wrong")]
    TokenInvalid,
    /// The key is switched off.
    #[error("the key is deactivated")]
    Deactivated,
    /// The key's home workspace is deleted.
    #[error("the key's workspace is deleted")]
    WorkspaceDeleted,
    /// A session that nobody has, or that was ended, or whose person is disabled.
    #[error("the session is unknown or has ended")]
    SessionUnknown,
    /// The owner of a personal key is disabled, or no member of its home any more.
    #[error("the key's owner is disabled or no member any more")]
    OwnerGone,
}

/// Why a caller does not get in, in the order of the checks.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthError {
    /// The caller is nobody that is known.
    #[error("{0}")]
    Unauthorized(Unauthorized),
    /// The key is revoked, or the secret was replaced and its overlap is over.
    #[error("the key is revoked")]
    KeyRevoked,
    /// The key is past its expiry.
    #[error("the key is expired")]
    TokenExpired,
    /// The session is past its life, or was not used for too long.
    #[error("the session is over")]
    SessionOver,
    /// The caller, or the network that it is in, has done too much already.
    #[error("the rate limit is reached")]
    RateLimited {
        /// When to come again; none for what costs more than there ever is.
        retry_after: Option<Duration>,
        /// Which limits were reached: `minute`, `hour` or `failures`.
        policies: &'static [&'static str],
    },
    /// The key may not be used from the client's address.
    #[error("the key may not be used from this address")]
    AddressNotAllowed,
    /// Keys of this type may not call here.
    #[error("the key is of the wrong type")]
    WrongType {
        /// The types that may.
        allowed: KeyTypes,
    },
    /// The named workspace does not exist, is malformed, or is not the caller's.
    #[error("the workspace is not accessible")]
    WorkspaceAccessDenied,
    /// The person is a member of no workspace, and named none.
    #[error("the person is a member of no workspace")]
    NoMembership,
    /// An instance key named no workspace where one is needed.
    #[error("no workspace was named")]
    WorkspaceMissing,
    /// The caller lacks the scope.
    #[error("the scope {0} is missing")]
    MissingScope(Scope),
    /// The workspace demands a second factor, which the session has not proved, or the owner of the key has not enrolled.
    #[error("the workspace demands a second factor")]
    SecondFactorMissing,
    /// The session reaches one workspace alone, and the act reaches beyond it.
    #[error("the session is confined to one workspace")]
    SessionConfined,
    /// A token was presented where something of TigerTrust's own would be changed: what is made so would outlast it.
    #[error("a token changes nothing here")]
    TokenChangesNothing,
    /// The role of whoever is signed in does not permit it.
    #[error("the role does not permit {0}")]
    RoleForbids(Scope),
    /// Storage did not answer, so that nobody gets in.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

impl AuthError {
    /// What a call is counted as that ends so; `None` where nothing was decided about its key.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        Some(match self {
            Self::Unauthorized(_) => Outcome::Unauthorized,
            Self::KeyRevoked => Outcome::KeyRevoked,
            Self::TokenExpired | Self::SessionOver => Outcome::TokenExpired,
            Self::RateLimited { .. } => Outcome::RateLimited,
            Self::AddressNotAllowed
            | Self::WrongType { .. }
            | Self::MissingScope(_)
            | Self::SecondFactorMissing
            | Self::SessionConfined
            | Self::TokenChangesNothing
            | Self::RoleForbids(_) => Outcome::Forbidden,
            Self::WorkspaceAccessDenied | Self::NoMembership => Outcome::WorkspaceAccessDenied,
            Self::WorkspaceMissing => Outcome::ValidationError,
            Self::Unavailable(_) => return None,
        })
    }
}
