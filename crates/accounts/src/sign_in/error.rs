//! Why somebody is not signed in, or does not get what a signed-in person asked for.

use std::time::Duration;

use tigertrust_credentials::{HashingError, UnsealError, ports::StoreError};
use tigertrust_model::{PasskeyId, RandomError, Timestamp, UserId};

use super::ceremony::CeremonyError;
use crate::FlowError;

/// Why a proof was not accepted, or an act did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, wrong, disabled, spent: the same to whoever asks.
    #[error("the proof was not accepted")]
    Refused,
    /// The started login is past its time.
    #[error("the token is past its expiry")]
    Expired,
    /// A link in a mail is unknown, was used, or cannot be used any more.
    #[error("the link was not accepted")]
    LinkRefused,
    /// A link in a mail is past its time.
    #[error("the link is past its expiry")]
    LinkExpired,
    /// Too many proofs have failed.
    #[error("too many proofs have failed")]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// The act needs a proof that is fresh.
    #[error("a fresh proof is needed")]
    StepUpRequired,
    /// No key to seal secrets under is configured.
    #[error("the key ring holds no encryption key, so that no second factor can be kept")]
    NoEncryptionKey,
    /// The secret of an authenticator app cannot be read with the key ring.
    #[error("the secret of an authenticator app cannot be opened: {0}")]
    Sealed(UnsealError),
    /// An authenticator's answer is not right. To whoever asks it is as [`Refused`](Self::Refused).
    #[error("{0}")]
    PasskeyRefused(CeremonyError),
    /// A passkey has signed fewer times than it had. To whoever asks it is as [`Refused`](Self::Refused).
    #[error("the signature counter of {passkey} of {user} went back: the passkey may have been copied")]
    PasskeyCopied {
        /// The passkey.
        passkey: PasskeyId,
        /// Whose it is.
        user: UserId,
    },
    /// What is stored of a passkey, or of a ceremony, cannot be read.
    #[error("{0}")]
    PasskeyUnreadable(CeremonyError),
    /// What stood against it otherwise.
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl SignInError {
    pub(crate) fn throttled(until: Timestamp, now: Timestamp) -> Self {
        let micros = u64::try_from(until.unix_micros() - now.unix_micros());
        Self::Throttled {
            retry_after: Duration::from_micros(micros.unwrap_or(0)),
        }
    }
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Flow(error.into())
    }
}

impl From<CeremonyError> for SignInError {
    fn from(error: CeremonyError) -> Self {
        match error {
            CeremonyError::Unreadable(_) => Self::PasskeyUnreadable(error),
            _ => Self::PasskeyRefused(error),
        }
    }
}

impl From<RandomError> for SignInError {
    fn from(error: RandomError) -> Self {
        Self::Flow(error.into())
    }
}

impl From<HashingError> for SignInError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded | HashingError::Stopped => Self::Overloaded,
            HashingError::Random(error) => error.into(),
        }
    }
}
