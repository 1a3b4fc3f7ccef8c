//! What signing in needs of storage.

use async_trait::async_trait;
use tigertrust_credentials::{
    PasswordHash, RecoveryCodeDigest, Sealed, TokenDigest, TotpStep, ports::StoreError,
};
use tigertrust_model::{Act, Session, SessionId, SsoSession, Timestamp, User, UserId};

use super::{
    budget::Budget,
    ceremony::{Passkey, PasskeyUse},
};
use crate::FlowError;

/// An authenticator app, added or about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpFactor {
    /// The secret that the app shares with the account.
    pub secret: Sealed,
    /// When the app was proved to have it; a factor that is not confirmed counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The last step whose code was accepted: none at or before it ever is again.
    pub last_step: Option<TotpStep>,
}

/// The second factors of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// The app.
    pub totp: Option<TotpFactor>,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// The recovery codes that are left.
    pub recovery_codes: Vec<RecoveryCodeDigest>,
}

/// What the second step of a login takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactorMethods {
    /// Codes of an app.
    pub totp: bool,
    /// Recovery codes.
    pub recovery_code: bool,
    /// A passkey.
    pub passkey: bool,
}

impl Factors {
    /// Whether signing in asks for a second factor.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.has_totp() || !self.passkeys.is_empty()
    }

    /// Whether there is an app, and it was confirmed.
    #[must_use]
    pub fn has_totp(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| totp.confirmed_at.is_some())
    }

    /// What the second step of a login takes.
    #[must_use]
    pub fn methods(&self) -> SecondFactorMethods {
        SecondFactorMethods {
            totp: self.has_totp(),
            recovery_code: !self.recovery_codes.is_empty(),
            passkey: !self.passkeys.is_empty(),
        }
    }
}

/// An account with what proves that it is somebody's.
#[derive(Clone, Debug)]
pub struct Account {
    /// The person.
    pub user: User,
    /// The password; none for somebody who has none.
    pub password: Option<PasswordHash>,
    /// The second factors.
    pub factors: Factors,
    /// Whether the device that was asked about is one on which the person signed in before.
    pub is_known_device: bool,
    /// Whether there is such a device at all.
    pub has_devices: bool,
    /// Whether the person's domain has to sign in with its provider: neither a password nor a passkey will do.
    pub sso_only: bool,
}

impl Account {
    /// Whether what the person has of its own, a password or a passkey, signs it in.
    pub(crate) fn takes_own_proofs(&self) -> bool {
        self.user.disabled_at.is_none() && !self.sso_only
    }
}

/// A code that was accepted, and is spent by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedCode {
    /// An app's.
    Totp(TotpStep),
    /// A recovery code.
    Recovery(RecoveryCodeDigest),
    /// No code: a passkey's signature, which was right.
    Passkey(PasskeyUse),
}

/// Whether a second factor that was added is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorAdded {
    /// There was none: the recovery codes came with it.
    First,
    /// There was another one, and recovery codes with it.
    Another,
}

/// Decides on a code inside the transaction that spends it; `None` refuses it.
pub type CodeCheck = Box<dyn FnOnce(&Factors) -> Option<AcceptedCode> + Send>;

/// A session to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// What its token digests to.
    pub token: TokenDigest,
    /// The device that the person signed in on, to be known from now on; none for one that is known.
    pub device: Option<TokenDigest>,
    /// The budgets that the completed sign-in clears.
    pub cleared: Vec<String>,
    /// What is given back of what was taken in advance, and when that was taken: the attempt did not fail.
    pub refunded: Option<(Vec<String>, Timestamp)>,
    /// The hash that the password was verified against: the session begins only if the account still has it.
    pub verified: Option<PasswordHash>,
    /// A hash of the same password at a higher cost.
    pub rehash: Option<PasswordHash>,
}

/// A login whose password was right, or which a provider has vouched for, and that waits for a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose it is.
    pub user: UserId,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// Whether it came from a device that is known: the digest of that device.
    pub device: Option<TokenDigest>,
    /// What the session is to know of the provider, if there is one.
    pub sso: Option<SsoSession>,
}

/// Which sessions of a person to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSessions {
    /// This one.
    One(SessionId),
    /// All but this one.
    AllBut(SessionId),
    /// Every one.
    All,
}

/// The session in which a password is changed: it goes on under another token, and what it was begun on stays known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// The session.
    pub id: SessionId,
    /// What its new token digests to.
    pub token: TokenDigest,
    /// The device, if it is one of the account's own.
    pub device: Option<TokenDigest>,
}

/// Signing in.
#[async_trait]
pub trait SignInStore: Send + Sync {
    /// The account with the canonical address, and whether `device` is one of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn account_by_email(
        &self,
        canonical: &str,
        device: Option<TokenDigest>,
    ) -> Result<Option<Account>, StoreError>;

    /// The account of the person, and whether `device` is one of its own.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn account(&self, user: UserId, device: Option<TokenDigest>)
    -> Result<Option<Account>, StoreError>;

    /// Forgets the failures of an account, so that its person can sign in at once.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forgive(&self, act: Act, user: UserId) -> Result<(), StoreError>;

    /// Takes one failure in advance out of every budget, or out of none if one of them is used up: then it returns from
    /// when on it is not. Attempts at the same time wait for each other.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn spend(&self, budgets: Vec<Budget>, at: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Gives back what was taken out at that time for an attempt that did not fail.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn refund(&self, subjects: Vec<String>, at: Timestamp) -> Result<(), StoreError>;

    /// Begins a session of an account without a second factor, if the account is as it was when the password was verified:
    /// the same password, no factor, not disabled. Returns whether it has begun.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn begin_session(&self, new: NewSession) -> Result<bool, StoreError>;

    /// Stores a login that waits for its second factor, if the account still has the password that was verified; `rehash` takes
    /// the place of its hash. Returns whether it was stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn begin_challenge(
        &self,
        token: TokenDigest,
        challenge: Challenge,
        verified: PasswordHash,
        rehash: Option<PasswordHash>,
    ) -> Result<bool, StoreError>;

    /// The login that waits under the token, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_challenge(&self, token: TokenDigest) -> Result<Option<Challenge>, StoreError>;

    /// Lets `check` decide on a code for a login that waits. A code that is right is spent, the login is over, and the
    /// session begins; one that is wrong counts as a try, and after `max_tries` the login is over. Returns whether the
    /// session has begun. Answers at the same time wait for each other.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn answer_challenge(
        &self,
        token: TokenDigest,
        max_tries: u16,
        check: CodeCheck,
        new: NewSession,
    ) -> Result<bool, StoreError>;

    /// Notes a fresh proof of a session, which goes on under another token. With `check`, a code must be accepted for it
    /// first, and is spent. Returns whether it was noted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_proof(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        check: Option<CodeCheck>,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives the account another password, in place of `verified` if that is given. Every session ends but the one, which
    /// goes on under another token; so do logins that wait. Returns whether it was set: not if the password is another
    /// meanwhile, or the session has ended. Without a session to keep, devices are forgotten too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn set_password(
        &self,
        act: Act,
        user: UserId,
        password: PasswordHash,
        verified: Option<PasswordHash>,
        keep: Option<KeptSession>,
    ) -> Result<bool, StoreError>;

    /// Stores an app that is about to be added, in place of an earlier one that was not confirmed.
    ///
    /// # Errors
    /// [`Conflict::FactorEnrolled`](crate::Conflict::FactorEnrolled) if one is confirmed, and [`FlowError::Store`].
    async fn put_totp(&self, user: UserId, factor: TotpFactor) -> Result<(), FlowError>;

    /// Confirms the app with a code that `check` accepts; the session goes on under another token then. Where it is the first
    /// second factor, the account is given the recovery codes. `None` if the code was not accepted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn confirm_totp(
        &self,
        act: Act,
        session: &Session,
        token: TokenDigest,
        check: CodeCheck,
        recovery_codes: Vec<RecoveryCodeDigest>,
        at: Timestamp,
    ) -> Result<Option<FactorAdded>, StoreError>;

    /// Takes the app away, and with the last second factor the recovery codes. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove_totp(&self, act: Act, user: UserId) -> Result<bool, StoreError>;

    /// Takes the app, the passkeys and the recovery codes away. Returns whether there was an app or a passkey.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove_factors(&self, act: Act, user: UserId) -> Result<bool, StoreError>;

    /// Gives the account other recovery codes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn replace_recovery_codes(
        &self,
        act: Act,
        user: UserId,
        codes: Vec<RecoveryCodeDigest>,
    ) -> Result<(), StoreError>;

    /// The sessions of a person, newest first; those that are over are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_sessions(&self, user: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends sessions of a person, and returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn end_sessions(&self, act: Act, user: UserId, which: EndSessions) -> Result<u64, StoreError>;
}
