//! Why a flow did not happen.

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{RandomError, StateError, WorkspaceId};

/// One thing that is wrong with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, as a JSON pointer into the request body (RFC 6901).
    pub pointer: String,
    /// What is wrong and what is allowed, in a sentence for the caller.
    pub detail: String,
}

impl Violation {
    /// A violation at a pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// What stands against a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Revocation is final.
    #[error("the key is revoked, which is final")]
    KeyRevoked,
    /// An account has one authenticator app.
    #[error("there is an authenticator app already: remove it first")]
    FactorEnrolled,
    /// A code confirms an app whose secret was asked for.
    #[error("no authenticator app waits to be confirmed: ask for its secret first, POST /api/auth/2fa/totp")]
    NothingToConfirm,
    /// There is a limit.
    #[error("there are 20 passkeys already: remove one first")]
    TooManyPasskeys,
    /// A credential belongs to one account, and is added to it once.
    #[error("this passkey was added before")]
    PasskeyKnown,
    /// Recovery codes are of use beside a second factor alone.
    #[error("there is no second factor")]
    NoFactor,
    /// A workspace always has an owner.
    #[error("the workspace would be left without an owner")]
    LastOwner,
    /// Who is a member is given another role, not added.
    #[error("the person is a member of the workspace already")]
    AlreadyMember,
    /// An idempotency key names one request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// A workspace has so many open invitations at the most, and whoever invites has sent so many.
    #[error(
        "the workspace, or whoever invites, has as many open invitations as there may be: revoke some first"
    )]
    TooManyInvitations,
    /// E-mail addresses are unique.
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    /// Slugs of connections are unique over the whole server.
    #[error("there is a connection with this slug: choose another one")]
    SlugTaken,
    /// There is a limit.
    #[error("the workspace has as many connections as there may be: remove one first")]
    TooManyConnections,
    /// There is a limit.
    #[error("the workspace has as many domains as there may be: remove one first")]
    TooManyDomains,
    /// A domain belongs to one workspace.
    #[error("another workspace has proved that the domain is its own")]
    DomainTaken,
    /// Nothing goes by a claim.
    #[error("the domain is not verified yet")]
    DomainNotVerified,
    /// Its people would be locked out.
    #[error("a domain has to sign in by this connection: end that first")]
    ConnectionEnforced,
    /// There is a limit.
    #[error("the workspace has as many webhooks as there may be: remove one first")]
    TooManyWebhooks,
    /// Nothing is sent to a webhook that is disabled.
    #[error("the webhook is disabled: enable it first")]
    WebhookDisabled,
    /// There is a limit.
    #[error("the key has as many trust rules as there may be: remove one first")]
    TooManyTrustRules,
    /// An identity belongs to one account.
    #[error("this identity is connected with another account")]
    IdentityTaken,
    /// Nobody must lock itself out.
    #[error("it is the only way into the account: set a password or add a passkey first")]
    LastWayIn,
}

/// Why a flow did not happen; nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FlowError {
    /// What was asked for is malformed or makes no sense.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// The caller may not ask for it.
    #[error("the caller may not do this")]
    Forbidden(Vec<Violation>),
    /// A named workspace does not exist or is not the caller's: the same answer.
    #[error("a workspace is not accessible")]
    WorkspaceDenied(Vec<Violation>),
    /// There is no such thing, or not for this caller.
    #[error("not found")]
    NotFound,
    /// The present state stands against it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Nobody else owns these workspaces, which cannot be without an owner.
    #[error("the person is the last owner of a workspace")]
    OwnsAlone(Vec<WorkspaceId>),
    /// Storage failed; after a write the outcome is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes were to be had.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl FlowError {
    /// One thing is malformed or makes no sense.
    pub(crate) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(pointer, detail)])
    }

    /// One thing is not the caller's to ask for.
    pub(crate) fn forbidden(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Forbidden(vec![Violation::new(pointer, detail)])
    }
}

impl From<StateError> for FlowError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Revoked => Self::Conflict(Conflict::KeyRevoked),
        }
    }
}
