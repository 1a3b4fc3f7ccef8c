//! What invitations need of storage.

use async_trait::async_trait;
use tigertrust_credentials::{PasswordHash, TokenDigest, ports::StoreError};
use tigertrust_model::{Act, Creator, Invitation, InvitationId, Role, Timestamp, User, UserId, WorkspaceId};

use crate::{
    FlowError,
    ports::{NewSession, Page},
};

/// What those who are concerned by an invitation are at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentInvitation {
    /// As what the address is invited already; none if it is not.
    pub role: Option<Role>,
    /// What the word of whoever asks is worth: see [`PresentRoles::by`](crate::ports::PresentRoles::by).
    pub by: Option<Role>,
}

/// How many invitations may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInvitations {
    /// Into the workspace.
    pub in_workspace: u16,
    /// Of whoever invites, into all workspaces together; none for who works for the whole instance.
    pub of_maker: Option<u16>,
}

/// Decides inside the transaction whether somebody is invited, or an invitation taken back; an error stores nothing.
pub type InvitationCheck = Box<dyn FnOnce(PresentInvitation) -> Result<(), FlowError> + Send>;

/// An invitation that a token belongs to, with what stands behind it.
#[derive(Clone, Debug)]
pub struct FoundInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// Whether the workspace is there, and not deleted.
    pub is_open: bool,
    /// Whether the address has an account, disabled or not.
    pub has_account: bool,
}

/// Who accepts an invitation.
#[derive(Debug)]
pub enum Joining {
    /// Somebody who has an account.
    Person(UserId),
    /// Somebody who gets one with that, and is signed in.
    NewAccount {
        /// The account.
        user: User,
        /// Its password.
        password: PasswordHash,
        /// The session.
        session: Box<NewSession>,
    },
}

/// Invitations into workspaces.
#[async_trait]
pub trait InvitationStore: Send + Sync {
    /// Stores an invitation if `check` agrees. One of the address that is there already keeps its id, and is otherwise
    /// replaced: its token is dead. Returns the invitation, and whether it is the address's first. At most as many
    /// as `most` says are open at `invited_at`.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the workspace does not exist or is deleted, what `check` answers,
    /// [`Conflict::AlreadyMember`](crate::Conflict::AlreadyMember),
    /// [`Conflict::TooManyInvitations`](crate::Conflict::TooManyInvitations) and [`FlowError::Store`].
    async fn put_invitation(
        &self,
        act: Act,
        invitation: Invitation,
        token: TokenDigest,
        most: OpenInvitations,
        by: Option<Creator>,
        check: InvitationCheck,
    ) -> Result<(Invitation, bool), FlowError>;

    /// A page of the invitations of a workspace, newest first, expired ones included.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_invitations(
        &self,
        workspace: WorkspaceId,
        page: Page<InvitationId>,
    ) -> Result<Vec<Invitation>, StoreError>;

    /// Takes an invitation back, if `check` agrees.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `check` answers, and [`FlowError::Store`].
    async fn remove_invitation(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: InvitationId,
        by: Option<Creator>,
        check: InvitationCheck,
    ) -> Result<(), FlowError>;

    /// The invitation that the token belongs to.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_invitation(&self, token: TokenDigest) -> Result<Option<FoundInvitation>, StoreError>;

    /// Spends the token, which it does once, and makes the person a member of the workspace: of several at the same time,
    /// one succeeds. Whoever invited must still have a word there at present that may make somebody a member with the
    /// role, and if it was a key, that must be active.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the token is spent, or the workspace deleted; [`FlowError::Forbidden`] if whoever invited
    /// may not any more, or the person does not have the address;
    /// [`Conflict::AlreadyMember`](crate::Conflict::AlreadyMember),
    /// [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) for a new account, and [`FlowError::Store`].
    async fn accept_invitation(
        &self,
        act: Act,
        workspace: WorkspaceId,
        token: TokenDigest,
        joining: Joining,
        at: Timestamp,
    ) -> Result<Invitation, FlowError>;
}
