//! The members of workspaces.

use std::sync::Arc;

use tigertrust_model::{Clock, Email, Role, UserId, WorkspaceId};

use crate::{
    Actor, Conflict, FlowError, Violation,
    ports::{AccountStore, Member, MemberStore, Membership, Page, PresentRoles},
};

/// A person, as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonRef {
    /// By the account's id.
    Id(UserId),
    /// By the address that it signs in with, in any spelling.
    Email(Email),
}

/// A person who has an account and is to become a member.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Who.
    pub person: PersonRef,
    /// As what.
    pub role: Role,
}

/// Lists, adds, changes and removes the members of workspaces.
#[derive(Clone)]
pub struct MemberFlows {
    members: Arc<dyn MemberStore>,
    accounts: Arc<dyn AccountStore>,
    clock: Arc<dyn Clock>,
}

impl MemberFlows {
    /// Flows over the given stores.
    pub fn new(
        members: Arc<dyn MemberStore>,
        accounts: Arc<dyn AccountStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            members,
            accounts,
            clock,
        }
    }

    /// A page of the members of a workspace, the newest accounts first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace that the actor does not act in, and [`FlowError::Store`].
    pub async fn list(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        page: Page<UserId>,
    ) -> Result<Vec<Member>, FlowError> {
        self.ensure_there(actor, workspace).await?;
        Ok(self.members.list_members(workspace, page).await?)
    }

    /// One member of a workspace.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`FlowError::NotFound`] for somebody who is no member.
    pub async fn get(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Member, FlowError> {
        self.ensure_there(actor, workspace).await?;
        let member = self.members.get_member(workspace, user).await?;
        member.ok_or(FlowError::NotFound)
    }

    /// Makes somebody who has an account a member, without being asked: for the operator and instance keys, which know the
    /// people. Others invite.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] for others, [`FlowError::Invalid`] if there is no such person,
    /// [`Conflict::AlreadyMember`], [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn add(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        new: NewMember,
    ) -> Result<Member, FlowError> {
        actor.acts_in(workspace)?;
        if !actor.is_of_instance() {
            let detail = "only an instance key makes somebody a member who has not been asked";
            return Err(FlowError::forbidden("", detail));
        }
        let (found, pointer) = match &new.person {
            PersonRef::Id(id) => (self.accounts.get_user(*id).await?, "/userId"),
            PersonRef::Email(email) => {
                let canonical = email.canonical();
                (self.accounts.find_user_by_email(&canonical).await?, "/email")
            }
        };
        let no_such_user = || FlowError::Invalid(vec![Violation::new(pointer, "no such user")]);
        let user = found.ok_or_else(no_such_user)?.id;
        let role = new.role;
        let edit = move |present: PresentRoles| match present.member {
            Some(_) => Err(Conflict::AlreadyMember.into()),
            None => Ok(Some(role)),
        };
        let of = Membership { workspace, user };
        let added = self
            .members
            .edit_member(actor.act(), of, None, self.clock.now(), Box::new(edit))
            .await?;
        added.ok_or(FlowError::NotFound)
    }

    /// Gives a member another role. It acts on the member's next request, on every node within a second.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] where the actor's own role does not allow it (see [`Role::may_turn`]),
    /// [`Conflict::LastOwner`], [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn set_role(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        user: UserId,
        role: Role,
    ) -> Result<Member, FlowError> {
        actor.acts_in(workspace)?;
        let standing = actor.standing();
        let edit = move |present: PresentRoles| {
            let own = standing.role(present.by)?;
            let from = present.member.ok_or(FlowError::NotFound)?;
            ensure_may_turn(own, from, Some(role), "/role")?;
            Ok(Some(role))
        };
        let of = Membership { workspace, user };
        let changed = self
            .members
            .edit_member(
                actor.act(),
                of,
                standing.asker(),
                self.clock.now(),
                Box::new(edit),
            )
            .await?;
        changed.ok_or(FlowError::NotFound)
    }

    /// Takes somebody out of a workspace, and revokes the personal keys that have their home there. Everybody may leave.
    ///
    /// # Errors
    /// As [`set_role`](Self::set_role).
    pub async fn remove(&self, actor: &Actor, workspace: WorkspaceId, user: UserId) -> Result<(), FlowError> {
        actor.acts_in(workspace)?;
        let (standing, leaves) = (actor.standing(), actor.person() == Some(user));
        let edit = move |present: PresentRoles| {
            let own = standing.role(present.by)?;
            let from = present.member.ok_or(FlowError::NotFound)?;
            if !leaves {
                ensure_may_turn(own, from, None, "")?;
            }
            Ok(None)
        };
        let of = Membership { workspace, user };
        self.members
            .edit_member(
                actor.act(),
                of,
                standing.asker(),
                self.clock.now(),
                Box::new(edit),
            )
            .await
            .map(|_| ())
    }

    /// The operator acts in every workspace there is; for others admission has seen to it.
    async fn ensure_there(&self, actor: &Actor, workspace: WorkspaceId) -> Result<(), FlowError> {
        if actor.acts_in(workspace)?.is_some() {
            return Ok(());
        }
        let found = self.accounts.get_workspace(workspace).await?;
        found.map(|_| ()).ok_or(FlowError::NotFound)
    }
}

fn ensure_may_turn(own: Role, from: Role, to: Option<Role>, pointer: &str) -> Result<(), FlowError> {
    if own.may_turn(Some(from), to) {
        return Ok(());
    }
    let detail = match own {
        Role::Owner | Role::Admin => "only an owner makes, changes or removes owners",
        Role::Member | Role::Viewer => "only owners and admins change members",
    };
    Err(FlowError::forbidden(pointer, detail))
}

impl std::fmt::Debug for MemberFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberFlows").finish_non_exhaustive()
    }
}
