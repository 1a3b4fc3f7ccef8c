//! What the flows need from storage. Implemented by `tigertrust-storage`; bring your own if you like.

use async_trait::async_trait;
use tigertrust_credentials::{KeyDigest, PasswordHash, ports::StoreError};
use tigertrust_model::{
    Act, ApiKey, Creator, KeyDisplay, KeyFilter, KeyId, Role, SecretInfo, Timestamp, User, UserId, Workspace,
    WorkspaceId,
};

pub use crate::invitations::{
    FoundInvitation, InvitationCheck, InvitationStore, Joining, OpenInvitations, PresentInvitation,
};
pub use crate::profile::{EXPORTED_USAGE, HeldOnPerson, MAX_EXPORTED_EVENTS, ProfileStore};
pub use crate::sign_in::{
    AcceptedCode, Account, Budget, Challenge, ChallengeSubject, CodeCheck, EndSessions, FactorAdded, Factors,
    KeptSession, MAX_PASSKEYS, MailToken, MailTokenStore, NewSession, PasskeyChallenge, PasskeyStore,
    SignInStore, TotpFactor,
};
pub use crate::usage::UsageHistory;
use crate::{Earlier, FlowError, OnceOnly};

/// The part of a key's secret that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The digest, unique over all keys.
    pub digest: KeyDigest,
    /// The id of the pepper it was computed under.
    pub pepper_id: String,
    /// The id of the format it is written in.
    pub format: String,
    /// What may be shown of it.
    pub display: KeyDisplay,
}

/// An imported key, not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedKey {
    /// The key, as it is to be stored.
    pub key: ApiKey,
    /// Its secret.
    pub secret: StoredSecret,
    /// The digests that the same secret has under other peppers.
    pub elsewise: Vec<KeyDigest>,
}

/// Keys that are imported at once.
#[derive(Clone, Debug)]
pub struct ImportedKeys {
    /// Where to.
    pub home: WorkspaceId,
    /// The keys.
    pub keys: Vec<ImportedKey>,
    /// How many others of the same request were refused.
    pub refused: usize,
}

/// The key that has a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSecret {
    /// The key.
    pub key: KeyId,
    /// Its home; none for an instance key.
    pub home: Option<WorkspaceId>,
    /// Whether it was stored just now.
    pub is_new: bool,
}

/// A key with its secrets, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDetails {
    /// The key.
    pub key: ApiKey,
    /// Its secrets, newest first.
    pub secrets: Vec<SecretInfo>,
}

/// Which keys a caller can see at all. Others answer as unknown ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyView {
    /// Those whose home is the workspace.
    Workspace(WorkspaceId),
    /// Those of them that belong to the person.
    Own {
        /// The home.
        workspace: WorkspaceId,
        /// The person.
        owner: UserId,
    },
    /// All, instance keys included: the operator.
    Everything,
}

impl KeyView {
    /// The home of the keys; none for all.
    #[must_use]
    pub const fn workspace(self) -> Option<WorkspaceId> {
        match self {
            Self::Workspace(workspace) | Self::Own { workspace, .. } => Some(workspace),
            Self::Everything => None,
        }
    }
}

/// One page of a list that is ordered by id, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<Id> {
    /// The last id of the page before; none for the first page.
    pub after: Option<Id>,
    /// How many at the most.
    pub limit: u16,
}

/// Decides on a key inside the transaction that stores it; an error stores nothing.
pub type KeyEdit = Box<dyn FnOnce(&mut ApiKey) -> Result<(), FlowError> + Send>;

/// Keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Stores a new key with its secret; with `once`, unless its caller has made a request of that name since
    /// [`KEPT`](crate::KEPT) before it, also at the same moment. Returns that request: nothing was stored then.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn insert_key(
        &self,
        act: Act,
        key: ApiKey,
        secret: StoredSecret,
        once: Option<OnceOnly>,
    ) -> Result<Option<Earlier>, FlowError>;

    /// Stores imported keys with their secrets, all or none, but those whose secret some key has already under one of its
    /// digests. Logs each that is new, and the import with its counts, and gives it a change number, so that nobody takes the new
    /// keys for unknown any longer. Returns the key of each secret, in their order.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn import_keys(&self, act: Act, batch: ImportedKeys) -> Result<Vec<HeldSecret>, FlowError>;

    /// Which keys have secrets with these digests.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_secrets(&self, digests: Vec<KeyDigest>)
    -> Result<Vec<(KeyDigest, HeldSecret)>, StoreError>;

    /// The request of that caller and name that came in within [`KEPT`](crate::KEPT) before this one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_request(&self, once: OnceOnly) -> Result<Option<Earlier>, StoreError>;

    /// The key with the id, if the view holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_key(&self, view: KeyView, id: KeyId) -> Result<Option<KeyDetails>, StoreError>;

    /// A page of those keys of the view that fulfil the filter, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_keys(
        &self,
        view: KeyView,
        filter: KeyFilter,
        page: Page<KeyId>,
    ) -> Result<Vec<KeyDetails>, StoreError>;

    /// Reads the key under a row lock, lets `edit` decide, stores what it made of the key under a change number, and
    /// returns it. The id, type, home, secret and creation of a key never change.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the view does not hold the key, what `edit` answers, and [`FlowError::Store`].
    async fn edit_key(
        &self,
        act: Act,
        view: KeyView,
        id: KeyId,
        edit: KeyEdit,
    ) -> Result<KeyDetails, FlowError>;

    /// As [`edit_key`](Self::edit_key), and gives the key another secret: those that it has end at `overlap_ends`, or
    /// when they would have ended anyway if that is earlier. The key's display becomes that of the new secret.
    ///
    /// # Errors
    /// As [`edit_key`](Self::edit_key).
    async fn rotate_key(
        &self,
        act: Act,
        view: KeyView,
        id: KeyId,
        edit: KeyEdit,
        secret: StoredSecret,
        overlap_ends: Timestamp,
    ) -> Result<KeyDetails, FlowError>;
}

/// A first account with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The owner.
    pub user: User,
    /// The owner's password.
    pub password: PasswordHash,
    /// The owner's workspace.
    pub workspace: Workspace,
    /// The workspace's first keys.
    pub keys: Vec<(ApiKey, StoredSecret)>,
}

/// Decides on a workspace inside the transaction that stores it, knowing what whoever asks is there at present; an
/// error stores nothing.
pub type WorkspaceEdit = Box<dyn FnOnce(&mut Workspace, Option<Role>) -> Result<(), FlowError> + Send>;

/// People and workspaces.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Stores a new person.
    ///
    /// # Errors
    /// [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) if an account with the canonical address exists, and
    /// [`FlowError::Store`].
    async fn insert_user(&self, act: Act, user: User, password: PasswordHash) -> Result<(), FlowError>;

    /// The person with the canonical address ([`Email::canonical`](tigertrust_model::Email::canonical)).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_user_by_email(&self, canonical: &str) -> Result<Option<User>, StoreError>;

    /// The person with the id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// A page of all people, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError>;

    /// Disables the account, or enables it again, under a change number for each workspace that has the person as a member.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    async fn set_disabled(&self, act: Act, user: UserId, at: Option<Timestamp>) -> Result<User, FlowError>;

    /// Stores a new workspace with its first member, who owns it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is no such person, and [`FlowError::Store`].
    async fn insert_workspace(&self, act: Act, workspace: Workspace, owner: UserId) -> Result<(), FlowError>;

    /// A page of the workspaces that are not deleted, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_workspaces(&self, page: Page<WorkspaceId>) -> Result<Vec<Workspace>, StoreError>;

    /// The workspace with the id, unless it is deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;

    /// Reads the workspace under a row lock, with what `by` is there at present, lets `edit` decide, stores what
    /// it made of the name, the plan and the deletion under a change number, and returns it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the workspace does not exist or is deleted, what `edit` answers, and
    /// [`FlowError::Store`].
    async fn edit_workspace(
        &self,
        act: Act,
        id: WorkspaceId,
        by: Option<Creator>,
        edit: WorkspaceEdit,
    ) -> Result<Workspace, FlowError>;

    /// Stores a first account with all that belongs to it, in one transaction, unless there is an account already.
    /// Returns whether it was stored.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn bootstrap(&self, act: Act, first: Bootstrap, at: Timestamp) -> Result<bool, FlowError>;
}

/// A person in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user: User,
    /// What the person is there.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// A place that a person may have in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The person.
    pub user: UserId,
}

/// What those who are concerned by a change of a member are at present; none for who is no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentRoles {
    /// The member itself.
    pub member: Option<Role>,
    /// Whoever asks for the change: a key that belongs to nobody is what the person is who made it, or who made the key that
    /// made it, but an admin at the most; nobody if that person is disabled.
    pub by: Option<Role>,
}

/// Decides inside the transaction what a member is to be, `None` for no member; an error stores nothing.
pub type MemberEdit = Box<dyn FnOnce(PresentRoles) -> Result<Option<Role>, FlowError> + Send>;

/// Who is a member of which workspace.
#[async_trait]
pub trait MemberStore: Send + Sync {
    /// What the person is in the workspace; none for somebody who is no member.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn role_in(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<Role>, StoreError>;

    /// The person as a member of the workspace; none for somebody who is no member.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_member(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<Member>, StoreError>;

    /// Makes the person a member with the role that `edit` decides on, or no member any more: then the personal keys that
    /// have their home in the workspace are revoked as well. Other changes of the workspace's members wait meanwhile, so
    /// that what `edit` is told stays true. Under a change number, if that changes anything.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the workspace does not exist or is deleted, or there is no such person, or nobody to be
    /// removed; what `edit` answers; [`Conflict::LastOwner`](crate::Conflict::LastOwner) if the workspace would be left
    /// without an owner, and [`FlowError::Store`].
    async fn edit_member(
        &self,
        act: Act,
        of: Membership,
        by: Option<Creator>,
        at: Timestamp,
        edit: MemberEdit,
    ) -> Result<Option<Member>, FlowError>;

    /// A page of the members of a workspace, the newest accounts first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_members(
        &self,
        workspace: WorkspaceId,
        page: Page<UserId>,
    ) -> Result<Vec<Member>, StoreError>;
}
