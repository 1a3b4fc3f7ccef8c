//! What a person's own account needs of storage.

use std::time::Duration;

use async_trait::async_trait;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditEvent, Invitation, Role, Session, Timestamp, User, UserId, Workspace, WorkspaceId,
};

use super::ProfileChanges;
use crate::{FlowError, KeyUsage, passkeys::Passkey, ports::KeyDetails, sso::Identity};

/// How many events of the audit log an export has: of each chain there can be more than anybody wants in one answer.
pub const MAX_EXPORTED_EVENTS: u16 = 1_000;
/// Of how long ago an export says how often keys were used.
pub const EXPORTED_USAGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Everything that is held on a person. Secrets are left out: nobody can use them for anything but signing in.
#[derive(Clone, Debug)]
pub struct HeldOnPerson {
    /// The account.
    pub user: User,
    /// The workspace that the person chose to act in by default.
    pub chosen_workspace: Option<WorkspaceId>,
    /// Whether there is a password.
    pub has_password: bool,
    /// The workspaces, as what the person is a member there, and since when.
    pub memberships: Vec<(Workspace, Role, Timestamp)>,
    /// The sessions, newest first.
    pub sessions: Vec<Session>,
    /// The personal keys, newest first, revoked ones included.
    pub keys: Vec<KeyDetails>,
    /// When the authenticator app was added, if there is one.
    pub totp_added_at: Option<Timestamp>,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// Since when each of the known devices is known.
    pub devices: Vec<Timestamp>,
    /// The invitations to the account's address, with the names of their workspaces.
    pub invitations: Vec<(String, Invitation)>,
    /// The identities of providers, newest first.
    pub identities: Vec<Identity>,
    /// How often those of the personal keys were used that were, of late.
    pub key_usage: Vec<KeyUsage>,
    /// What the audit log says of the person, newest first; of others it says neither with what they acted nor from where.
    pub events: Vec<AuditEvent>,
    /// Whether it says more than that.
    pub events_truncated: bool,
}

/// The accounts of people, as they themselves see and change them.
#[async_trait]
pub trait ProfileStore: Send + Sync {
    /// Changes what a person says of itself.
    ///
    /// # Errors
    /// [`FlowError::WorkspaceDenied`] for a default workspace that does not have the person as a member,
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    async fn edit_profile(&self, act: Act, user: UserId, changes: ProfileChanges) -> Result<(), FlowError>;

    /// Everything that is held on the person.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn export_person(&self, user: UserId, at: Timestamp) -> Result<Option<HeldOnPerson>, StoreError>;

    /// Erases what is held on the person, in one transaction: personal fields, sessions, devices, factors, memberships, and
    /// invitations to its address; revokes its personal keys. Of the account its id alone is left. Under a change number for
    /// each of its workspaces.
    ///
    /// # Errors
    /// [`FlowError::OwnsAlone`] for the last owner of a workspace, [`FlowError::NotFound`] and [`FlowError::Store`].
    async fn erase_person(&self, act: Act, user: UserId, at: Timestamp) -> Result<(), FlowError>;
}
