//! Accepting an invitation.

use tigertrust_credentials::{Password, PasswordPolicy, PersonPermit, TokenDigest, TokenKind};
use tigertrust_model::{Act, Invitation, Origin, Timestamp, User, UserId};

use super::{InvitationError, InvitationFlows, Joining};
use crate::{
    BegunSession, Conflict, FlowError, SignInFlows, Violation, actor::act_of, sign_in::Budgets,
    users::MAX_NAME, validation::Validation,
};

/// What an account is to be that an invitation makes.
pub struct AccountToMake<'a> {
    /// How the person wants to be called.
    pub name: Option<String>,
    /// The password to sign in with, as it was typed; it is asked for where there is no account.
    pub password: Option<&'a str>,
}

/// Who accepts an invitation, with what and from where.
pub struct Acceptance<'a> {
    /// The token, as it was presented.
    pub token: &'a str,
    /// Who is signed in, if somebody is.
    pub person: Option<&'a PersonPermit>,
    /// What to make for who has no account.
    pub account: AccountToMake<'a>,
    /// Where the request comes from.
    pub origin: Origin,
}

/// An invitation that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The invitation, which is spent.
    pub invitation: Invitation,
    /// Who is a member now.
    pub user: UserId,
    /// The session of somebody who had no account.
    pub begun: Option<Box<BegunSession>>,
}

impl InvitationFlows {
    /// Accepts an invitation: for the person who is signed in, if it is for its address; or, where the address has no
    /// account, for one that is made with it. That a token arrived by mail proves that the address is the person's.
    ///
    /// # Errors
    /// [`InvitationError`].
    pub async fn accept(
        &self,
        sign_in: &SignInFlows,
        acceptance: Acceptance<'_>,
    ) -> Result<Accepted, InvitationError> {
        let Some(Ok(token)) = TokenDigest::read(TokenKind::Invitation, acceptance.token.as_bytes()) else {
            return Err(InvitationError::Unknown);
        };
        let now = self.clock.now();
        let budgets = Budgets::of_network(acceptance.origin.address);
        sign_in.spend(&budgets, now).await?;
        let found = self.store.find_invitation(token).await?;
        let found = found.ok_or(InvitationError::Unknown)?;
        // Who has the token has not guessed.
        self.budgets.refund(budgets.subjects(), now).await?;
        if !found.is_open {
            return Err(InvitationError::Unknown);
        }
        let invitation = found.invitation;
        if invitation.is_expired(now) {
            return Err(InvitationError::Expired);
        }
        match acceptance.person {
            Some(person) if person.user().email.canonical() != invitation.email.canonical() => {
                Err(InvitationError::ForAnother)
            }
            Some(person) => {
                let user = person.user().id;
                let joining = Joining::Person(user);
                let act = act_of(person, &acceptance.origin);
                self.join(act, &invitation, token, joining, now)
                    .await
                    .map(|()| Accepted {
                        invitation,
                        user,
                        begun: None,
                    })
            }
            None if found.has_account => Err(InvitationError::SignInFirst),
            None => {
                let (account, origin) = (acceptance.account, acceptance.origin);
                self.join_anew(sign_in, invitation, token, account, origin, now)
                    .await
            }
        }
    }

    async fn join_anew(
        &self,
        sign_in: &SignInFlows,
        invitation: Invitation,
        token: TokenDigest,
        account: AccountToMake<'_>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Accepted, InvitationError> {
        let password = check_account(&account, &invitation)?;
        let user = User {
            id: UserId::new(now, &*self.random)?,
            email: invitation.email.clone(),
            name: account.name,
            email_verified_at: invitation.went_by_mail().then_some(now),
            disabled_at: None,
            created_at: now,
        };
        let password = sign_in.hash(password).await?;
        let act = Act::of_anybody(origin.clone());
        let (begun, session) = sign_in.first_session(user.id, origin)?;
        let id = user.id;
        let joining = Joining::NewAccount {
            user,
            password,
            session: Box::new(session),
        };
        self.join(act, &invitation, token, joining, now).await?;
        Ok(Accepted {
            invitation,
            user: id,
            begun: Some(Box::new(begun)),
        })
    }

    async fn join(
        &self,
        act: Act,
        invitation: &Invitation,
        token: TokenDigest,
        joining: Joining,
        now: Timestamp,
    ) -> Result<(), InvitationError> {
        let accepted = self
            .store
            .accept_invitation(act, invitation.workspace, token, joining, now)
            .await;
        match accepted {
            Ok(_) => Ok(()),
            Err(FlowError::NotFound) => Err(InvitationError::Unknown),
            Err(FlowError::Forbidden(_)) => Err(InvitationError::InviterLostRight),
            // Somebody was faster.
            Err(FlowError::Conflict(Conflict::EmailTaken)) => Err(InvitationError::SignInFirst),
            Err(other) => Err(other.into()),
        }
    }
}

/// The password of an account that can be made for the invitation.
fn check_account(account: &AccountToMake<'_>, invitation: &Invitation) -> Result<Password, FlowError> {
    let mut validation = Validation::default();
    if let Some(name) = &account.name {
        validation.line("/name", name, MAX_NAME);
    }
    let policy = PasswordPolicy {
        owner: &invitation.email,
        second_factor: false,
    };
    let password = match account.password {
        None => Err("is asked for: the address has no account yet, and gets one with it".to_owned()),
        Some(password) => Password::chosen(password, &policy).map_err(|error| error.to_string()),
    };
    match password {
        Ok(password) => validation.finish().map(|()| password),
        Err(detail) => Err(validation.finish_with(Violation::new("/password", detail))),
    }
}

impl std::fmt::Debug for Acceptance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptance")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
