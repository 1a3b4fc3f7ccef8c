//! What the flows need from storage. Implemented by `tigertrust-storage`; bring your own if you like.

use async_trait::async_trait;
use tigertrust_credentials::{KeyDigest, PasswordHash, ports::StoreError};
use tigertrust_model::{
    ApiKey, KeyDisplay, KeyFilter, KeyId, Plan, SecretInfo, Timestamp, User, UserId, Workspace, WorkspaceId,
};

use crate::FlowError;

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
    /// All, instance keys included: the operator.
    Everything,
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
    /// Stores a new key with its secret.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn insert_key(&self, key: ApiKey, secret: StoredSecret) -> Result<(), FlowError>;

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
    async fn edit_key(&self, view: KeyView, id: KeyId, edit: KeyEdit) -> Result<KeyDetails, FlowError>;

    /// As [`edit_key`](Self::edit_key), and gives the key another secret: those that it has end at `overlap_ends`, or
    /// when they would have ended anyway if that is earlier. The key's display becomes that of the new secret.
    ///
    /// # Errors
    /// As [`edit_key`](Self::edit_key).
    async fn rotate_key(
        &self,
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

/// People and workspaces.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Stores a new person.
    ///
    /// # Errors
    /// [`Conflict::EmailTaken`](crate::Conflict::EmailTaken) if an account with the canonical address exists, and
    /// [`FlowError::Store`].
    async fn insert_user(&self, user: User, password: PasswordHash) -> Result<(), FlowError>;

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

    /// Stores a new workspace with its first member, who owns it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is no such person, and [`FlowError::Store`].
    async fn insert_workspace(&self, workspace: Workspace, owner: UserId) -> Result<(), FlowError>;

    /// A page of the workspaces that are not deleted, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_workspaces(&self, page: Page<WorkspaceId>) -> Result<Vec<Workspace>, StoreError>;

    /// Puts a workspace on a plan, under a change number.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if it does not exist or is deleted, and [`FlowError::Store`].
    async fn set_plan(&self, id: WorkspaceId, plan: Plan) -> Result<Workspace, FlowError>;

    /// Stores a first account with all that belongs to it, in one transaction, unless there is an account already.
    /// Returns whether it was stored.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    async fn bootstrap(&self, first: Bootstrap, at: Timestamp) -> Result<bool, FlowError>;
}
