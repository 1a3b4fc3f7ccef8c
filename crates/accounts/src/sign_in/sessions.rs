//! What people do with their sessions and their password.

use tigertrust_credentials::{Password, PasswordPolicy, PersonPermit, Token, TokenDigest, TokenKind};
use tigertrust_model::{Origin, Session, SessionId};

use super::{
    AppState, EndSessions, KeptSession, SignInError, SignInFlows, SignInParts, budget::Budgets,
    ports::Account,
};
use crate::{FlowError, Violation, actor::act_of};

/// Why a password is not taken in place of itself.
pub(super) const SAME_PASSWORD: &str = "must be another one than the present password";

/// The token under which a session goes on: privileges changed, so the old one counts no longer.
#[derive(Debug)]
pub struct RenewedSession(pub Token);

/// Where a proof comes from.
#[derive(Clone, Debug)]
pub struct From {
    /// The request.
    pub origin: Origin,
    /// The device's token, where it presented one.
    pub device: Option<TokenDigest>,
}

impl From {
    /// The budgets that a proof draws upon: a device of the account's own has one that nobody else can use up.
    pub(super) fn budgets(&self, account: &Account) -> Budgets {
        let device = self.device.filter(|_| account.is_known_device);
        Budgets::of(account.user.id, device, self.origin.address)
    }
}

impl SignInFlows {
    /// Takes a fresh proof of everything that the account has: the password, and a code where a second factor is enrolled.
    ///
    /// # Errors
    /// [`SignInError::Refused`] for a wrong proof, [`FlowError::Invalid`] for one that is missing, and others.
    pub async fn step_up(
        &self,
        person: &PersonPermit,
        password: Option<&str>,
        code: Option<&str>,
        from: &From,
    ) -> Result<RenewedSession, SignInError> {
        let SignInParts {
            store, clock, random, ..
        } = &self.0;
        let account = store
            .account(person.user().id, from.device)
            .await?
            .ok_or(SignInError::Refused)?;
        ensure_complete(&account, password, code)?;
        self.ensure_openable(&account, code.unwrap_or_default())?;
        let now = clock.now();
        let budgets = from.budgets(&account);
        self.spend(&budgets, now).await?;
        if let (Some(password), Some(_)) = (password, &account.password) {
            self.check_password(&account, password, &budgets, now).await?;
        }
        let check = account
            .factors
            .is_enrolled()
            .then(|| self.code_check(account.user.id, code.unwrap_or_default(), AppState::Confirmed));
        let token = Token::generate(TokenKind::Session, &**random)?;
        if !store
            .note_proof(
                act_of(person, &from.origin),
                person.session(),
                token.digest(),
                check,
                now,
            )
            .await?
        {
            return Err(SignInError::Refused);
        }
        let _ = store.refund(budgets.subjects(), now).await;
        self.tell_of_code(&account, code.unwrap_or_default(), &from.origin);
        Ok(RenewedSession(token))
    }

    /// Changes the password. Every other session ends, and this one goes on under another token.
    ///
    /// # Errors
    /// [`SignInError::Refused`] for a wrong password, [`FlowError::Invalid`] for a new one that is not accepted, and others.
    pub async fn change_password(
        &self,
        person: &PersonPermit,
        current: &str,
        new: &str,
        from: &From,
    ) -> Result<RenewedSession, SignInError> {
        let SignInParts {
            store,
            clock,
            random,
            hashing,
            ..
        } = &self.0;
        let account = store
            .account(person.user().id, from.device)
            .await?
            .ok_or(SignInError::Refused)?;
        let policy = PasswordPolicy {
            owner: &account.user.email,
            second_factor: account.factors.is_enrolled(),
        };
        let new = Password::chosen(new, &policy)
            .map_err(|error| FlowError::invalid("/newPassword", error.to_string()))?;
        let now = clock.now();
        let budgets = from.budgets(&account);
        self.spend(&budgets, now).await?;
        self.check_password(&account, current, &budgets, now).await?;
        store.refund(budgets.subjects(), now).await?;
        // Both in the form that they are hashed in.
        if Password::presented(current).reveal() == new.reveal() {
            return Err(FlowError::invalid("/newPassword", SAME_PASSWORD).into());
        }
        let hash = hashing.hash(new).await?;
        let token = Token::generate(TokenKind::Session, &**random)?;
        let keep = Some(KeptSession {
            id: person.session().id,
            token: token.digest(),
            device: from.device.filter(|_| account.is_known_device),
        });
        let (user, verified) = (account.user.id, account.password.clone());
        if !store
            .set_password(act_of(person, &from.origin), user, hash, verified, keep)
            .await?
        {
            return Err(SignInError::Refused);
        }
        self.tell_of_password(&account, &from.origin);
        Ok(RenewedSession(token))
    }

    async fn check_password(
        &self,
        account: &Account,
        password: &str,
        budgets: &Budgets,
        now: tigertrust_model::Timestamp,
    ) -> Result<(), SignInError> {
        let verified = self
            .0
            .hashing
            .verify(Password::presented(password), account.password.clone())
            .await;
        match verified {
            Ok(verified) if verified.matches => Ok(()),
            Ok(_) => Err(SignInError::Refused),
            Err(error) => {
                // Nothing was tried.
                self.0.store.refund(budgets.subjects(), now).await?;
                Err(error.into())
            }
        }
    }

    /// The sessions of a person, newest first.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn sessions(&self, person: &PersonPermit) -> Result<Vec<Session>, FlowError> {
        let now = self.0.clock.now();
        let idle = self.0.sessions.idle_timeout;
        let mut sessions = self.0.store.list_sessions(person.user().id, now).await?;
        sessions.retain(|session| !session.is_over(now, idle));
        Ok(sessions)
    }

    /// Ends one of the person's sessions.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for one that is not the person's, and [`FlowError::Store`].
    pub async fn end_session(
        &self,
        person: &PersonPermit,
        id: SessionId,
        origin: &Origin,
    ) -> Result<(), FlowError> {
        let ended = self
            .0
            .store
            .end_sessions(act_of(person, origin), person.user().id, EndSessions::One(id))
            .await?;
        if ended == 0 {
            Err(FlowError::NotFound)
        } else {
            Ok(())
        }
    }

    /// Ends all of the person's sessions but this one.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn end_other_sessions(&self, person: &PersonPermit, origin: &Origin) -> Result<(), FlowError> {
        let which = EndSessions::AllBut(person.session().id);
        let act = act_of(person, origin);
        self.0.store.end_sessions(act, person.user().id, which).await?;
        Ok(())
    }

    /// Signs the person out of this session. Doing it again is no error.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn logout(&self, person: &PersonPermit, origin: &Origin) -> Result<(), FlowError> {
        let which = EndSessions::One(person.session().id);
        let act = act_of(person, origin);
        self.0.store.end_sessions(act, person.user().id, which).await?;
        Ok(())
    }
}

/// Says which proof is missing, to somebody who is signed in already. Who has nothing to prove with has no fresh proof.
fn ensure_complete(account: &Account, password: Option<&str>, code: Option<&str>) -> Result<(), SignInError> {
    if account.password.is_none() && !account.factors.is_enrolled() {
        return Err(SignInError::Refused);
    }
    let mut missing = Vec::new();
    if account.password.is_some() && password.is_none() {
        missing.push(Violation::new("/password", "is asked for"));
    }
    if account.factors.is_enrolled() && code.is_none() {
        missing.push(Violation::new(
            "/code",
            "is asked for, since a second factor is enrolled; or send a passkey alone",
        ));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(FlowError::Invalid(missing).into())
    }
}
