//! What people do by links in mails: set a forgotten password, prove an address, change it.

use std::time::Duration;

use tigertrust_credentials::{Password, PasswordPolicy, PersonPermit, Token, TokenDigest, TokenKind};
use tigertrust_model::{Act, Email, EmailError, Origin, SessionId, UserId};

use super::{
    Account, Attempt, MailToken, SignInError, SignInFlows, SignInParts, budget::Budgets,
    sessions::SAME_PASSWORD,
};
use crate::{FlowError, Notice};

/// How long a link is good.
const LINK_LIVES: Duration = Duration::from_secs(30 * 60);

impl SignInFlows {
    /// Sends a link to set a new password, if the address is that of an account that can sign in with one. Whether it is,
    /// the answer and the work are the same. Too many links are not sent, without a word.
    ///
    /// # Errors
    /// [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn forgot_password(&self, email: &str, origin: &Origin) -> Result<(), FlowError> {
        let typed = email.parse::<Email>().ok();
        let canonical = typed.map_or_else(|| email.to_lowercase(), |email| email.canonical());
        let account = self.0.store.account_by_email(&canonical, None).await?;
        // Who came in by a provider so far gets a password of its own by that.
        let account = account.filter(Account::takes_own_proofs);
        let budgets = Budgets::of_mail(&canonical, origin.address);
        if self
            .0
            .store
            .spend(budgets.all(), self.0.clock.now())
            .await?
            .is_some()
        {
            return Ok(());
        }
        let to = account.map(|account| (account.user.id, account.user.email));
        self.send_link(TokenKind::PasswordReset, to, None).await
    }

    /// Sets a new password, given the token of a link. Every session ends, and nobody is signed in by it: a second factor
    /// is asked for as before.
    ///
    /// # Errors
    /// [`SignInError::LinkRefused`], [`SignInError::LinkExpired`], [`FlowError::Invalid`] for a password that is not
    /// accepted, after which the link is still good, and others.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        origin: &Origin,
    ) -> Result<UserId, SignInError> {
        let attempt = Attempt::new("link", origin.clone());
        let done = self.try_reset(token, new, origin).await;
        self.logged(&attempt, done).await
    }

    async fn try_reset(&self, token: &str, new: &str, origin: &Origin) -> Result<UserId, SignInError> {
        let SignInParts {
            store,
            links,
            clock,
            hashing,
            ..
        } = &self.0;
        let (digest, link) = self.open_link(TokenKind::PasswordReset, token, origin).await?;
        let account = store.account(link.user, None).await?;
        let account = account
            .filter(|account| account.user.disabled_at.is_none())
            .ok_or(SignInError::LinkRefused)?;
        let policy = PasswordPolicy {
            owner: &account.user.email,
            second_factor: account.factors.is_enrolled(),
        };
        let new = Password::chosen(new, &policy)
            .map_err(|error| FlowError::invalid("/newPassword", error.to_string()))?;
        if let Some(present) = &account.password {
            let typed = Password::presented(new.reveal());
            if hashing.verify(typed, Some(present.clone())).await?.matches {
                return Err(FlowError::invalid("/newPassword", SAME_PASSWORD).into());
            }
        }
        let hash = hashing.hash(new).await?;
        let act = Act::of_anybody(origin.clone());
        if !links
            .reset_password(act, digest, link.user, hash, clock.now())
            .await?
        {
            return Err(SignInError::LinkRefused);
        }
        self.tell_of_password(&account, origin);
        Ok(link.user)
    }

    /// Sends a link to an address that is to be the account's, or is so already and is to be proved. Whether another
    /// account has it, the answer and the work are the same, and no link is sent then. The present address is told of
    /// another one at once: its owner may not have asked, and can still end the session that did.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`FlowError::Invalid`] for what is no address, [`SignInError::Throttled`] where too
    /// many links were asked for, and others.
    pub async fn change_email(
        &self,
        person: &PersonPermit,
        new: &str,
        origin: &Origin,
    ) -> Result<(), SignInError> {
        self.ensure_fresh(person)?;
        let new: Email = new
            .parse()
            .map_err(|error: EmailError| FlowError::invalid("/newEmail", error.to_string()))?;
        let own = self.0.store.account(person.user().id, None).await?;
        if own.is_none_or(|own| own.sso_only) {
            let detail = "the address is the company's, whose people sign in by its provider";
            return Err(FlowError::forbidden("/newEmail", detail).into());
        }
        let canonical = new.canonical();
        let holder = self.0.store.account_by_email(&canonical, None).await?;
        let budgets = Budgets::of_mail(&canonical, origin.address);
        self.spend(&budgets, self.0.clock.now()).await?;
        let user = person.user().id;
        let present = &person.user().email;
        if present.canonical() != canonical {
            let by = self.circumstances(origin);
            let new = new.clone();
            self.tell(present, Notice::EmailChangeAsked { new, by });
        }
        let is_free = holder.is_none_or(|holder| holder.user.id == user);
        let to = is_free.then_some((user, new));
        self.send_link(TokenKind::EmailVerification, to, Some(person.session().id))
            .await?;
        Ok(())
    }

    /// Makes the address that a link went to the account's, and proved, given the link's token.
    ///
    /// # Errors
    /// [`SignInError::LinkRefused`], [`SignInError::LinkExpired`], [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) where
    /// another account has the address by now, and others.
    pub async fn verify_email(&self, token: &str, origin: &Origin) -> Result<UserId, SignInError> {
        let (digest, link) = self
            .open_link(TokenKind::EmailVerification, token, origin)
            .await?;
        let SignInParts {
            store, links, clock, ..
        } = &self.0;
        // It may have been made so since the link was asked for.
        let own = store.account(link.user, None).await?;
        if own.is_none_or(|own| own.sso_only && own.user.email.canonical() != link.email.canonical()) {
            return Err(SignInError::LinkRefused);
        }
        let act = Act::of_anybody(origin.clone());
        let old = links.verify_email(act, digest, link.user, clock.now()).await?;
        let old = old.ok_or(SignInError::LinkRefused)?;
        if old.canonical() != link.email.canonical() {
            let by = self.circumstances(origin);
            let new = link.email;
            self.tell(&old, Notice::EmailChanged { new, by });
        }
        Ok(link.user)
    }

    /// Makes a link and sends it, or does as much for nobody.
    async fn send_link(
        &self,
        kind: TokenKind,
        to: Option<(UserId, Email)>,
        asked_by: Option<SessionId>,
    ) -> Result<(), FlowError> {
        let SignInParts {
            links, clock, random, ..
        } = &self.0;
        let token = Token::generate(kind, &**random)?;
        let expires_at = clock.now().saturating_add(LINK_LIVES);
        links
            .put_mail_token(token.digest(), to.clone(), asked_by, expires_at)
            .await?;
        if let Some((_, email)) = to {
            let valid_for = LINK_LIVES;
            let notice = match kind {
                TokenKind::PasswordReset => Notice::PasswordReset { token, valid_for },
                _ => Notice::EmailVerification { token, valid_for },
            };
            self.tell(&email, notice);
        }
        Ok(())
    }

    /// Finds a link that is good. A token that is unknown is a guess of the network that it came from.
    async fn open_link(
        &self,
        kind: TokenKind,
        token: &str,
        origin: &Origin,
    ) -> Result<(TokenDigest, MailToken), SignInError> {
        let SignInParts {
            store, links, clock, ..
        } = &self.0;
        let Some(Ok(token)) = TokenDigest::read(kind, token.as_bytes()) else {
            return Err(SignInError::LinkRefused);
        };
        let now = clock.now();
        let budgets = Budgets::of_network(origin.address);
        self.spend(&budgets, now).await?;
        let link = links
            .find_mail_token(token)
            .await?
            .ok_or(SignInError::LinkRefused)?;
        store.refund(budgets.subjects(), now).await?;
        if link.expires_at <= now {
            return Err(SignInError::LinkExpired);
        }
        Ok((token, link))
    }
}
