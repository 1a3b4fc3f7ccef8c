//! What passkeys need of storage.

use std::fmt;

use async_trait::async_trait;
use tigertrust_credentials::{RecoveryCodeDigest, Sealed, TokenDigest, ports::StoreError};
use tigertrust_model::{Act, PasskeyId, Session, SessionId, Timestamp, UserId};

use super::{
    ceremony::{ChallengeDigest, Passkey, PasskeyUse},
    ports::{Account, FactorAdded, NewSession},
};
use crate::{FlowError, to_hex};

/// How many passkeys a person may have.
pub const MAX_PASSKEYS: usize = 20;

/// What a challenge may be answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeSubject {
    /// To add a passkey, in this session.
    Registration(SessionId),
    /// To say who one is.
    Login,
    /// To complete the login that waits under this token.
    SecondFactor(TokenDigest),
}

/// As it is stored.
impl fmt::Display for ChallengeSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registration(session) => write!(f, "registration:{session}"),
            Self::Login => f.write_str("login"),
            Self::SecondFactor(token) => write!(f, "second-factor:{}", to_hex(token.as_bytes())),
        }
    }
}

/// A challenge that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyChallenge {
    /// What it may be answered for, as text.
    pub subject: String,
    /// What finishing the ceremony needs: it holds the challenge.
    pub state: Sealed,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// Passkeys.
#[async_trait]
pub trait PasskeyStore: Send + Sync {
    /// Keeps a challenge until it is answered.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep_challenge(
        &self,
        challenge: ChallengeDigest,
        waiting: PasskeyChallenge,
    ) -> Result<(), StoreError>;

    /// Takes a challenge away and returns it, to one caller alone.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn take_challenge(
        &self,
        challenge: ChallengeDigest,
    ) -> Result<Option<PasskeyChallenge>, StoreError>;

    /// The account whose passkey has the credential id, and whether `device` is one of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn account_by_credential(
        &self,
        credential_id: &[u8],
        device: Option<TokenDigest>,
    ) -> Result<Option<Account>, StoreError>;

    /// Begins a session by a passkey alone, if the account is not disabled, and the passkey is as it was when its signature
    /// was checked. Returns whether it has begun.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn begin_session_by_passkey(&self, new: NewSession, used: PasskeyUse) -> Result<bool, StoreError>;

    /// Adds a passkey; the session goes on under another token. Where it is the first second factor, the account is given
    /// the recovery codes. `None` if the account is disabled or the session has ended.
    ///
    /// # Errors
    /// [`Conflict::TooManyPasskeys`](crate::Conflict::TooManyPasskeys),
    /// [`Conflict::PasskeyKnown`](crate::Conflict::PasskeyKnown), and [`FlowError::Store`].
    async fn add_passkey(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        passkey: Passkey,
        recovery_codes: Vec<RecoveryCodeDigest>,
    ) -> Result<Option<FactorAdded>, FlowError>;

    /// Gives a passkey of the person another name. `None` if the person has no such passkey.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rename_passkey(
        &self,
        user: UserId,
        passkey: PasskeyId,
        name: String,
    ) -> Result<Option<Passkey>, StoreError>;

    /// Takes a passkey away; the session goes on under another token. With the last second factor go the recovery codes.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the person has no such passkey or the session has ended, and [`FlowError::Store`].
    async fn remove_passkey(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        passkey: PasskeyId,
    ) -> Result<(), FlowError>;
}
