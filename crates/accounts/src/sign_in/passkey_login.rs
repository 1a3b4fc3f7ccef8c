//! Passkeys as proofs: alone, as the second step of a login, and as a fresh proof.

use tigertrust_credentials::{PersonPermit, Token, TokenKind};
use tigertrust_model::Timestamp;

use super::{
    Attempt, BegunSession, From, MAX_TRIES, RenewedSession, SignInError, SignInFlows, SignInParts,
    budget::Budgets,
    by_provider,
    ceremony::{CeremonyError, CeremonyKind, Passkey, PasskeyUse, UncheckedAnswer},
    passkey_ports::ChallengeSubject,
    passkeys::malformed,
    ports::{AcceptedCode, Account, CodeCheck},
};
use crate::actor::act_of;

impl SignInFlows {
    /// Begins a login by a passkey, and returns what the browser is asked, in JSON. Without a token nobody is named, and
    /// nothing is told about any account; with that of a login that waits, the account's passkeys are named.
    ///
    /// # Errors
    /// [`SignInError::Refused`] and [`SignInError::Expired`] for the token, [`SignInError::Throttled`], and others.
    pub async fn start_passkey_login(&self, token: Option<&str>, from: &From) -> Result<String, SignInError> {
        let SignInParts {
            store,
            clock,
            relying_party,
            ..
        } = &self.0;
        let now = clock.now();
        // Each of these leaves a row, and anybody may ask for it.
        self.spend(&Budgets::of_starts(from.origin.address), now).await?;
        let Some(token) = token else {
            return self
                .keep(relying_party.begin_login()?, ChallengeSubject::Login)
                .await;
        };
        let (token, waiting) = self.waiting(token, now).await?;
        let account = store
            .account(waiting.user, None)
            .await?
            .ok_or(SignInError::Refused)?;
        let known = &account.factors.passkeys;
        if known.is_empty() {
            return Err(SignInError::Refused);
        }
        let ceremony = relying_party.begin_second_factor(known)?;
        self.keep(ceremony, ChallengeSubject::SecondFactor(token)).await
    }

    /// Signs a person in with a passkey alone: the authenticator has verified the person, so that it stands for the password
    /// and a second factor. What is wrong is told to nobody.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn login_by_passkey(&self, answer: &[u8], from: &From) -> Result<BegunSession, SignInError> {
        let mut attempt = Attempt::new("passkey", from.origin.clone());
        let done = self.try_passkey(answer, from, &mut attempt).await;
        self.logged(&attempt, done).await
    }

    async fn try_passkey(
        &self,
        answer: &[u8],
        from: &From,
        attempt: &mut Attempt,
    ) -> Result<BegunSession, SignInError> {
        let SignInParts {
            store,
            clock,
            passkeys,
            relying_party,
            ..
        } = &self.0;
        let unchecked = relying_party
            .read(CeremonyKind::Login, answer)
            .map_err(malformed("/credential"))?;
        let account = passkeys
            .account_by_credential(&unchecked.credential_id, from.device)
            .await?;
        attempt.user = account.as_ref().map(|account| account.user.id);
        let device = from
            .device
            .filter(|_| account.as_ref().is_some_and(|account| account.is_known_device));
        let budgets = Budgets::of_passkey(device, from.origin.address);
        let now = clock.now();
        self.spend(&budgets, now).await?;
        let state = match self.take(unchecked.challenge, ChallengeSubject::Login, now).await {
            Err(SignInError::Expired) => {
                // Nothing was tried.
                store.refund(budgets.subjects(), now).await?;
                return Err(SignInError::Expired);
            }
            state => state?,
        };
        let account = account
            .filter(Account::takes_own_proofs)
            .ok_or(SignInError::Refused)?;
        let known = &account.factors.passkeys;
        let used = self.check_assertion(CeremonyKind::Login, &state, answer, &unchecked, known, now)?;
        let user = account.user.id;
        // A completed sign-in clears the failures of the account, which this one did not draw upon.
        let cleared = Budgets::of(user, device, from.origin.address);
        let (begun, new) = self.prepare(user, true, device.is_some(), from.origin.clone(), &cleared, None)?;
        if !passkeys.begin_session_by_passkey(new, used).await? {
            return Err(SignInError::Refused);
        }
        // The session has begun: that one failure too many is counted is no reason to refuse it.
        let _ = store.refund(budgets.subjects(), now).await;
        self.tell_of_new_device(&account, &begun);
        Ok(begun)
    }

    /// Completes a login with a passkey.
    ///
    /// # Errors
    /// [`SignInError`]; a wrong answer is one of the five tries of the token.
    pub async fn verify_passkey(
        &self,
        token: &str,
        answer: &[u8],
        from: &From,
    ) -> Result<BegunSession, SignInError> {
        let mut attempt = Attempt::new("second-factor", from.origin.clone());
        let done = self.try_second_passkey(token, answer, from, &mut attempt).await;
        self.logged(&attempt, done).await
    }

    async fn try_second_passkey(
        &self,
        token: &str,
        answer: &[u8],
        from: &From,
        attempt: &mut Attempt,
    ) -> Result<BegunSession, SignInError> {
        let SignInParts {
            store,
            clock,
            relying_party,
            ..
        } = &self.0;
        let unchecked = relying_party
            .read(CeremonyKind::SecondFactor, answer)
            .map_err(malformed("/credential"))?;
        let now = clock.now();
        let (token, waiting) = self.waiting(token, now).await?;
        attempt.user = Some(waiting.user);
        let account = store
            .account(waiting.user, None)
            .await?
            .ok_or(SignInError::Refused)?;
        let budgets = Budgets::of(waiting.user, waiting.device, from.origin.address);
        self.spend(&budgets, now).await?;
        let (begun, new) = self.prepare(
            waiting.user,
            true,
            waiting.device.is_some(),
            from.origin.clone(),
            &budgets,
            None,
        )?;
        let (begun, new) = by_provider(waiting.sso, begun, new);
        let subject = ChallengeSubject::SecondFactor(token);
        let known = &account.factors.passkeys;
        let used = match self.take(unchecked.challenge, subject, now).await {
            Ok(state) => {
                self.check_assertion(CeremonyKind::SecondFactor, &state, answer, &unchecked, known, now)
            }
            Err(error) => Err(error),
        };
        // Also where the answer is wrong: it counts as a try.
        let check = accepting(used.as_ref().ok().copied());
        let answered = store.answer_challenge(token, MAX_TRIES, check, new).await?;
        used?;
        if !answered {
            return Err(SignInError::Refused);
        }
        let _ = store.refund(budgets.subjects(), now).await;
        self.tell_of_new_device(&account, &begun);
        Ok(begun)
    }

    /// Takes a passkey as a fresh proof. It answers a challenge for a login: with the person verified, so that neither the
    /// password nor a code is asked for beside it.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn step_up_by_passkey(
        &self,
        person: &PersonPermit,
        answer: &[u8],
        from: &From,
    ) -> Result<RenewedSession, SignInError> {
        let SignInParts {
            store,
            clock,
            random,
            relying_party,
            ..
        } = &self.0;
        let unchecked = relying_party
            .read(CeremonyKind::Login, answer)
            .map_err(malformed("/passkey"))?;
        let account = store
            .account(person.user().id, from.device)
            .await?
            .ok_or(SignInError::Refused)?;
        let now = clock.now();
        let budgets = from.budgets(&account);
        self.spend(&budgets, now).await?;
        let state = self
            .take(unchecked.challenge, ChallengeSubject::Login, now)
            .await?;
        let known = &account.factors.passkeys;
        let used = self.check_assertion(CeremonyKind::Login, &state, answer, &unchecked, known, now)?;
        let token = Token::generate(TokenKind::Session, &**random)?;
        let check = accepting(Some(used));
        if !store
            .note_proof(
                act_of(person, &from.origin),
                person.session(),
                token.digest(),
                Some(check),
                now,
            )
            .await?
        {
            return Err(SignInError::Refused);
        }
        let _ = store.refund(budgets.subjects(), now).await;
        Ok(RenewedSession(token))
    }

    /// Checks a signature, which has to be of one of the passkeys.
    fn check_assertion(
        &self,
        kind: CeremonyKind,
        state: &[u8],
        answer: &[u8],
        unchecked: &UncheckedAnswer,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<PasskeyUse, SignInError> {
        let passkey = known
            .iter()
            .find(|passkey| passkey.credential.credential_id == unchecked.credential_id)
            .ok_or(SignInError::Refused)?;
        let relying_party = &self.0.relying_party;
        let verified = relying_party.finish_assertion(kind, state, answer, passkey);
        let after = verified.map_err(|error| match error {
            CeremonyError::CounterWentBack => SignInError::PasskeyCopied {
                passkey: passkey.id,
                user: passkey.user,
            },
            error => error.into(),
        })?;
        Ok(PasskeyUse {
            passkey: passkey.id,
            counted_before: passkey.credential.sign_count,
            sign_count: after.sign_count,
            backup: after.backup,
            at: now,
        })
    }
}

/// The signature was checked before the transaction that spends it: what is left is that the passkey has not changed since.
fn accepting(used: Option<PasskeyUse>) -> CodeCheck {
    Box::new(move |_| used.map(AcceptedCode::Passkey))
}
