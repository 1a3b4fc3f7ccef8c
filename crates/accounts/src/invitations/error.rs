//! Why an invitation did not come about, or was not accepted.

use tigertrust_credentials::{HashingError, ports::StoreError};
use tigertrust_model::RandomError;

use crate::{FlowError, SignInError};

/// Why an invitation did not come about, or was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvitationError {
    /// No token of ours, spent, revoked, replaced by another, or of a deleted workspace: the same to whoever asks.
    #[error("the invitation is unknown")]
    Unknown,
    /// It is past its seven days.
    #[error("the invitation is past its expiry")]
    Expired,
    /// The address has an account, and nobody is signed in.
    #[error("the address has an account that is not signed in")]
    SignInFirst,
    /// Another person is signed in than the one who is invited.
    #[error("the invitation is for another address")]
    ForAnother,
    /// Whoever invited has lost the right to since.
    #[error("whoever invited may not any more")]
    InviterLostRight,
    /// No mail is sent, so that nobody would learn of it.
    #[error("no mail is configured")]
    NoMail,
    /// What stood against it otherwise.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<FlowError> for InvitationError {
    fn from(error: FlowError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<StoreError> for InvitationError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<RandomError> for InvitationError {
    fn from(error: RandomError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<HashingError> for InvitationError {
    fn from(error: HashingError) -> Self {
        Self::SignIn(error.into())
    }
}
