//! Passkeys of a person: added, named, removed.

use std::time::Duration;

use tigertrust_credentials::{EncryptionRing, PersonPermit, RecoveryCode, SealedPlace, Token, TokenKind};
use tigertrust_model::{PasskeyId, Timestamp};
use zeroize::Zeroizing;

use super::{
    Budgets, From, RecoveryCodes, RenewedSession, SignInError, SignInFlows, SignInParts,
    ceremony::{Ceremony, CeremonyError, CeremonyKind, ChallengeDigest, Passkey},
    passkey_ports::{ChallengeSubject, MAX_PASSKEYS, PasskeyChallenge},
    ports::FactorAdded,
};
use crate::{Conflict, FlowError, Notice, actor::act_of, validation::Validation};

/// How long an authenticator may take.
const CHALLENGE_LIVES: Duration = Duration::from_secs(5 * 60);
/// What a passkey is called that nobody gives a name.
const NAMELESS: &str = "Passkey";
const MAX_NAME: usize = 100;
/// What people are told that was added to their account, or removed.
const PASSKEY: &str = "a passkey";

/// A passkey that was added.
pub struct AddedPasskey {
    /// The passkey.
    pub passkey: Passkey,
    /// The recovery codes, shown once; none where there were some already.
    pub recovery_codes: RecoveryCodes,
    /// The session goes on under another token.
    pub session: RenewedSession,
}

impl SignInFlows {
    /// The passkeys of a person, oldest first.
    ///
    /// # Errors
    /// [`FlowError`].
    pub async fn passkeys(&self, person: &PersonPermit) -> Result<Vec<Passkey>, FlowError> {
        let account = self.0.store.account(person.user().id, None).await?;
        Ok(account.ok_or(FlowError::NotFound)?.factors.passkeys)
    }

    /// Begins to add a passkey, and returns what the browser is asked, in JSON.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`Conflict::TooManyPasskeys`], [`SignInError::NoEncryptionKey`], and others.
    pub async fn start_passkey(&self, person: &PersonPermit, from: &From) -> Result<String, SignInError> {
        self.ensure_fresh(person)?;
        // Each of these leaves a row.
        let budgets = Budgets::of_starts(from.origin.address);
        self.spend(&budgets, self.0.clock.now()).await?;
        let passkeys = self.passkeys(person).await?;
        if passkeys.len() >= MAX_PASSKEYS {
            return Err(FlowError::Conflict(Conflict::TooManyPasskeys).into());
        }
        let ceremony = self
            .0
            .relying_party
            .begin_registration(person.user(), &passkeys)?;
        self.keep(ceremony, ChallengeSubject::Registration(person.session().id))
            .await
    }

    /// Adds the passkey that an authenticator has made.
    ///
    /// # Errors
    /// [`SignInError::PasskeyRefused`], [`SignInError::StepUpRequired`], [`Conflict::TooManyPasskeys`],
    /// [`Conflict::PasskeyKnown`], and others.
    pub async fn add_passkey(
        &self,
        person: &PersonPermit,
        name: Option<&str>,
        answer: &[u8],
        from: &From,
    ) -> Result<AddedPasskey, SignInError> {
        self.ensure_fresh(person)?;
        let name = name.unwrap_or(NAMELESS);
        ensure_name(name)?;
        let SignInParts {
            clock,
            random,
            relying_party,
            passkeys,
            ..
        } = &self.0;
        let now = clock.now();
        let unchecked = relying_party
            .read(CeremonyKind::Registration, answer)
            .map_err(malformed("/credential"))?;
        let subject = ChallengeSubject::Registration(person.session().id);
        let state = self.take(unchecked.challenge, subject, now).await?;
        let passkey = Passkey {
            id: PasskeyId::new(now, &**random)?,
            user: person.user().id,
            name: name.to_owned(),
            created_at: now,
            last_used_at: None,
            credential: relying_party.finish_registration(&state, answer)?,
        };
        let codes = RecoveryCode::generate_set(&**random)?;
        let digests = codes.iter().map(RecoveryCode::digest).collect();
        let token = Token::generate(TokenKind::Session, &**random)?;
        let added = passkeys
            .add_passkey(
                act_of(person, &from.origin),
                person.session(),
                token.digest(),
                passkey.clone(),
                digests,
            )
            .await?;
        let shown = match added.ok_or(SignInError::Refused)? {
            FactorAdded::First => codes.iter().map(RecoveryCode::reveal).collect(),
            FactorAdded::Another => Vec::new(),
        };
        let (factor, by) = (PASSKEY.to_owned(), self.circumstances(&from.origin));
        self.tell(&person.user().email, Notice::FactorAdded { factor, by });
        Ok(AddedPasskey {
            passkey,
            recovery_codes: RecoveryCodes(shown),
            session: RenewedSession(token),
        })
    }

    /// Gives a passkey of the person another name.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::NotFound`], and [`FlowError::Store`].
    pub async fn rename_passkey(
        &self,
        person: &PersonPermit,
        id: PasskeyId,
        name: String,
    ) -> Result<Passkey, FlowError> {
        ensure_name(&name)?;
        let renamed = self.0.passkeys.rename_passkey(person.user().id, id, name).await?;
        renamed.ok_or(FlowError::NotFound)
    }

    /// Takes a passkey of the person away.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`FlowError::NotFound`], and others.
    pub async fn remove_passkey(
        &self,
        person: &PersonPermit,
        id: PasskeyId,
        from: &From,
    ) -> Result<RenewedSession, SignInError> {
        self.ensure_fresh(person)?;
        let token = Token::generate(TokenKind::Session, &*self.0.random)?;
        let passkeys = &self.0.passkeys;
        passkeys
            .remove_passkey(act_of(person, &from.origin), person.session(), token.digest(), id)
            .await?;
        let (factor, by) = (PASSKEY.to_owned(), self.circumstances(&from.origin));
        self.tell(&person.user().email, Notice::FactorRemoved { factor, by });
        Ok(RenewedSession(token))
    }

    /// Keeps the challenge of a ceremony that has begun, and returns what the browser is asked.
    pub(super) async fn keep(
        &self,
        ceremony: Ceremony,
        subject: ChallengeSubject,
    ) -> Result<String, SignInError> {
        let row = ceremony.challenge.to_string();
        let state = self
            .ring()?
            .seal(&ceremony.state, state_place(&row), &*self.0.random)?;
        let waiting = PasskeyChallenge {
            subject: subject.to_string(),
            state,
            expires_at: self.0.clock.now().saturating_add(CHALLENGE_LIVES),
        };
        self.0
            .passkeys
            .keep_challenge(ceremony.challenge, waiting)
            .await?;
        Ok(ceremony.options)
    }

    /// Takes a challenge, which is spent by that whatever comes of the answer. Returns what finishing the ceremony needs.
    pub(super) async fn take(
        &self,
        challenge: ChallengeDigest,
        subject: ChallengeSubject,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, SignInError> {
        let ring = self.ring()?;
        let waiting = self.0.passkeys.take_challenge(challenge).await?;
        let waiting = waiting
            .filter(|waiting| waiting.subject == subject.to_string())
            .ok_or(SignInError::Refused)?;
        if waiting.expires_at <= now {
            return Err(SignInError::Expired);
        }
        let row = challenge.to_string();
        ring.open(&waiting.state, state_place(&row))
            .map_err(SignInError::Sealed)
    }

    fn ring(&self) -> Result<&EncryptionRing, SignInError> {
        self.0.encryption.as_ref().ok_or(SignInError::NoEncryptionKey)
    }
}

/// Says of an answer that is none of a browser where it stood in the request.
pub(super) fn malformed(pointer: &'static str) -> impl FnOnce(CeremonyError) -> SignInError {
    move |error| match error {
        CeremonyError::Malformed(_) => FlowError::invalid(
            pointer,
            "must be what navigator.credentials answered, as its toJSON() writes it",
        )
        .into(),
        error => error.into(),
    }
}

/// Where the state of a ceremony is kept.
const fn state_place(challenge: &str) -> SealedPlace<'_> {
    SealedPlace {
        column: "passkey_challenges.state",
        row: challenge,
    }
}

fn ensure_name(name: &str) -> Result<(), FlowError> {
    let mut validation = Validation::default();
    validation.line("/name", name, MAX_NAME);
    validation.finish()
}
