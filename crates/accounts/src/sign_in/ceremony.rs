//! The ceremonies of WebAuthn (Web Authentication, Level 3, §7), as far as the flows have to know them.

use std::fmt;

use sha2::{Digest, Sha256};
use tigertrust_model::{PasskeyId, Timestamp, User, UserId};
use zeroize::Zeroizing;

/// Who we are to authenticators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingPartySettings {
    /// The domain that passkeys are bound to, such as `example.com`. With another one, no passkey that exists can be used.
    pub id: String,
    /// The origins whose pages may use them, such as `https://login.example.com`: of the domain, or below it. With none it is
    /// `https://` and the domain; for `localhost` also `http://`, on every port.
    pub origins: Vec<String>,
}

impl Default for RelyingPartySettings {
    fn default() -> Self {
        Self {
            id: "localhost".to_owned(),
            origins: Vec::new(),
        }
    }
}

/// The digest of a challenge. Only this is stored in plain, and looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChallengeDigest([u8; 32]);

impl ChallengeDigest {
    /// Of the challenge's bytes.
    #[must_use]
    pub fn of(challenge: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(b"tigertrust/passkey-challenge/1\0")
            .chain_update(challenge);
        Self(digest.finalize().into())
    }

    /// The digest that a row holds.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChallengeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which ceremony it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeremonyKind {
    /// A passkey is added.
    Registration,
    /// A passkey says who somebody is: the authenticator verifies the person, and names the account.
    Login,
    /// A passkey of a known account is the second factor.
    SecondFactor,
}

/// A ceremony that has begun.
pub struct Ceremony {
    /// What its challenge digests to.
    pub challenge: ChallengeDigest,
    /// What finishing it needs.
    pub state: Zeroizing<Vec<u8>>,
    /// What the browser is asked, in JSON: `PublicKeyCredentialCreationOptionsJSON` or `…RequestOptionsJSON`.
    pub options: String,
}

/// What an answer says before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncheckedAnswer {
    /// The challenge that it answers.
    pub challenge: ChallengeDigest,
    /// The credential that it comes from.
    pub credential_id: Vec<u8>,
}

/// Whether a passkey lives on more than one device (WebAuthn §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// It never leaves its authenticator.
    NotEligible,
    /// It may be copied, and is not.
    Eligible,
    /// It is copied, say to the other devices of the person.
    Exists,
}

impl Backup {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::NotEligible, Self::Eligible, Self::Exists];

    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotEligible => "not-eligible",
            Self::Eligible => "eligible",
            Self::Exists => "exists",
        }
    }
}

/// The part of a passkey that is the relying party's to understand.
#[derive(Clone, PartialEq, Eq)]
pub struct PasskeyCredential {
    /// By what authenticators know it; unique over all accounts.
    pub credential_id: Vec<u8>,
    /// The public key, in the relying party's form.
    pub public_key: Vec<u8>,
    /// How the authenticator can be reached, in the relying party's form.
    pub transports: u8,
    /// How often it has signed; 0 for one that does not count.
    pub sign_count: u32,
    /// Whether it lives on more than one device.
    pub backup: Backup,
}

impl fmt::Debug for PasskeyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasskeyCredential")
            .field("sign_count", &self.sign_count)
            .field("backup", &self.backup)
            .finish_non_exhaustive()
    }
}

/// A passkey of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The record's id.
    pub id: PasskeyId,
    /// Whose it is.
    pub user: UserId,
    /// What the person calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// What signatures are checked with.
    pub credential: PasskeyCredential,
}

/// A passkey has signed, and the signature was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyUse {
    /// Which one.
    pub passkey: PasskeyId,
    /// How often it had signed by what the check knew: if that has changed since, somebody else used it.
    pub counted_before: u32,
    /// How often it has signed now.
    pub sign_count: u32,
    /// Whether it lives on more than one device now.
    pub backup: Backup,
    /// When.
    pub at: Timestamp,
}

/// Why a ceremony does not begin or end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// The answer is none of a browser.
    #[error("not what a browser answers: {0}")]
    Malformed(String),
    /// The answer is not right.
    #[error("the passkey's answer was not accepted: {0}")]
    Refused(String),
    /// The passkey has signed fewer times than it had: there are two of it.
    #[error("the signature counter of the passkey went back: it may have been copied")]
    CounterWentBack,
    /// What was stored cannot be read.
    #[error("what is stored of a passkey cannot be read: {0}")]
    Unreadable(String),
}

/// The relying party: it asks browsers, and checks what they answer. It keeps nothing.
pub trait RelyingParty: Send + Sync {
    /// Begins to add a passkey for the person, who has these already.
    ///
    /// # Errors
    /// [`CeremonyError::Unreadable`].
    fn begin_registration(&self, user: &User, known: &[Passkey]) -> Result<Ceremony, CeremonyError>;

    /// Begins a login by somebody who is not known yet.
    ///
    /// # Errors
    /// [`CeremonyError::Unreadable`].
    fn begin_login(&self) -> Result<Ceremony, CeremonyError>;

    /// Begins the second step of a login, or another proof, with one of these.
    ///
    /// # Errors
    /// [`CeremonyError::Unreadable`].
    fn begin_second_factor(&self, known: &[Passkey]) -> Result<Ceremony, CeremonyError>;

    /// Says what an answer in JSON is about.
    ///
    /// # Errors
    /// [`CeremonyError::Malformed`].
    fn read(&self, kind: CeremonyKind, answer: &[u8]) -> Result<UncheckedAnswer, CeremonyError>;

    /// Checks the answer of an authenticator that has made a passkey.
    ///
    /// # Errors
    /// [`CeremonyError`].
    fn finish_registration(&self, state: &[u8], answer: &[u8]) -> Result<PasskeyCredential, CeremonyError>;

    /// Checks the answer of an authenticator that has signed with the passkey, and returns the passkey as it is now.
    ///
    /// # Errors
    /// [`CeremonyError`].
    fn finish_assertion(
        &self,
        kind: CeremonyKind,
        state: &[u8],
        answer: &[u8],
        passkey: &Passkey,
    ) -> Result<PasskeyCredential, CeremonyError>;
}
