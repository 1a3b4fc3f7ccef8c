//! Invitations: how somebody becomes a member who is asked first.

mod accept;
mod error;
mod ports;

use std::{sync::Arc, time::Duration};

use tigertrust_credentials::{Token, TokenKind};
use tigertrust_model::{
    Clock, Creator, Email, Invitation, InvitationId, RandomSource, Role, Workspace, WorkspaceId,
};

pub use self::{
    accept::{Acceptance, Accepted, AccountToMake},
    error::InvitationError,
    ports::{FoundInvitation, InvitationCheck, InvitationStore, Joining, OpenInvitations, PresentInvitation},
};
use crate::{
    Actor, FlowError, Notice, Notifier, SignInError,
    ports::{AccountStore, Page, SignInStore},
    sign_in::Budgets,
    validation::Validation,
};

/// How long an invitation can be accepted.
pub const INVITATION_LIVES: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many invitations may be open at once, into a workspace, and of whoever invites into all workspaces.
const MAX_OPEN: u16 = 100;

/// Whom to invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvitation {
    /// The address that the person has, or is to have, an account with.
    pub email: Email,
    /// What the person becomes.
    pub role: Role,
}

/// An invitation with its token, which is handed out once.
#[derive(Debug)]
pub struct IssuedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// What it is accepted with.
    pub token: Token,
    /// Whether the address was not invited into the workspace before.
    pub is_new: bool,
    /// The workspace.
    pub workspace: Workspace,
}

/// Invites people into workspaces, and lets them in.
#[derive(Clone)]
pub struct InvitationFlows {
    store: Arc<dyn InvitationStore>,
    accounts: Arc<dyn AccountStore>,
    budgets: Arc<dyn SignInStore>,
    mail: Option<Arc<dyn Notifier>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

impl InvitationFlows {
    /// Flows over the given stores. Without `mail` nobody can be invited by mail.
    pub fn new(
        store: Arc<dyn InvitationStore>,
        accounts: Arc<dyn AccountStore>,
        budgets: Arc<dyn SignInStore>,
        mail: Option<Arc<dyn Notifier>>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            store,
            accounts,
            budgets,
            mail,
            clock,
            random,
        }
    }

    /// Invites somebody. An address that is invited already is invited anew: the old token is dead, and seven days begin.
    /// Whoever asks must bring the token to the person.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] where the actor's own role does not allow it (see [`Role::may_turn`]),
    /// [`Conflict::AlreadyMember`](crate::Conflict::AlreadyMember),
    /// [`Conflict::TooManyInvitations`](crate::Conflict::TooManyInvitations), [`SignInError::Throttled`],
    /// [`FlowError::NotFound`] and others.
    pub async fn invite(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        new: NewInvitation,
    ) -> Result<IssuedInvitation, InvitationError> {
        let mut validation = Validation::default();
        validation.no_credential("/email", new.email.as_str());
        validation.finish()?;
        let into = self.workspace(actor, workspace).await?;
        let now = self.clock.now();
        if !actor.is_operator() {
            // What is mailed to somebody who did not ask for it must have an end.
            let budgets = Budgets::of_invitation(workspace, &new.email.canonical());
            if let Some(until) = self.budgets.spend(budgets.all(), now).await? {
                return Err(SignInError::throttled(until, now).into());
            }
        }
        let token = Token::generate(TokenKind::Invitation, &*self.random)?;
        let (standing, role) = (actor.standing(), new.role);
        let invitation = Invitation {
            id: InvitationId::new(now, &*self.random)?,
            workspace,
            email: new.email,
            role,
            invited_by: inviter(actor),
            invited_at: now,
            expires_at: now.saturating_add(INVITATION_LIVES),
        };
        let check = move |present: PresentInvitation| {
            ensure_may_invite(standing.role(present.by)?, present.role, Some(role), "/role")
        };
        let by = standing.asker();
        let most = OpenInvitations {
            in_workspace: MAX_OPEN,
            of_maker: (!actor.is_of_instance()).then_some(MAX_OPEN),
        };
        let (invitation, is_new) = self
            .store
            .put_invitation(actor.act(), invitation, token.digest(), most, by, Box::new(check))
            .await?;
        Ok(IssuedInvitation {
            invitation,
            token,
            is_new,
            workspace: into,
        })
    }

    /// Invites somebody, and tells the person by mail.
    ///
    /// # Errors
    /// As [`invite`](Self::invite), and [`InvitationError::NoMail`].
    pub async fn invite_by_mail(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        new: NewInvitation,
    ) -> Result<(Invitation, bool), InvitationError> {
        let mail = self.mail.as_ref().ok_or(InvitationError::NoMail)?;
        let issued = self.invite(actor, workspace, new).await?;
        let inviter = match actor.person() {
            Some(person) => self.accounts.get_user(person).await?,
            None => None,
        };
        let notice = Notice::Invitation {
            workspace: issued.workspace.name,
            inviter: inviter.map(|user| user.name.unwrap_or_else(|| user.email.to_string())),
            token: issued.token,
            valid_for: INVITATION_LIVES,
        };
        mail.tell(issued.invitation.email.clone(), notice);
        Ok((issued.invitation, issued.is_new))
    }

    /// A page of the invitations of a workspace, newest first: open ones, and expired ones for thirty days.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace that the actor does not act in, and [`FlowError::Store`].
    pub async fn list(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        page: Page<InvitationId>,
    ) -> Result<Vec<Invitation>, FlowError> {
        self.workspace(actor, workspace).await?;
        Ok(self.store.list_invitations(workspace, page).await?)
    }

    /// Takes an invitation back: its token is dead.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] for an invitation that the actor's own role would not allow, [`FlowError::NotFound`] and
    /// [`FlowError::Store`].
    pub async fn revoke(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: InvitationId,
    ) -> Result<(), FlowError> {
        self.workspace(actor, workspace).await?;
        let standing = actor.standing();
        let check = move |present: PresentInvitation| {
            ensure_may_invite(standing.role(present.by)?, present.role, None, "")
        };
        self.store
            .remove_invitation(actor.act(), workspace, id, standing.asker(), Box::new(check))
            .await
    }

    /// The workspace, if the actor acts in it.
    async fn workspace(&self, actor: &Actor, id: WorkspaceId) -> Result<Workspace, FlowError> {
        match actor.acts_in(id)? {
            Some(workspace) => Ok(workspace.clone()),
            None => self.accounts.get_workspace(id).await?.ok_or(FlowError::NotFound),
        }
    }
}

/// Whose right to invite is looked at again when the invitation is accepted: the person's, where a personal key asks.
fn inviter(actor: &Actor) -> Creator {
    actor.person().map_or_else(|| actor.creator(), Creator::User)
}

/// To invite somebody is as much as to make somebody a member; and what others have invited to is theirs to change.
fn ensure_may_invite(
    own: Role,
    invited: Option<Role>,
    to: Option<Role>,
    pointer: &str,
) -> Result<(), FlowError> {
    if own.may_turn(invited, to) {
        return Ok(());
    }
    let detail = match own {
        Role::Owner | Role::Admin => "only an owner invites owners, or takes such an invitation back",
        Role::Member | Role::Viewer => "only owners and admins invite",
    };
    Err(FlowError::forbidden(pointer, detail))
}

impl std::fmt::Debug for InvitationFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InvitationFlows").finish_non_exhaustive()
    }
}
