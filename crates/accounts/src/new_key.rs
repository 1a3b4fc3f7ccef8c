//! What callers ask for when they make or edit a key.

use ipnet::IpNet;
use tigertrust_model::{KeyLimits, KeyReach, KeyType, Metadata, ScopeSet, Timestamp, UserId, WorkspaceId};

/// Where a new key is to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReachRequest {
    /// In the workspace that the caller acts in, and in these others, as the caller wrote their ids.
    Caller {
        /// Ids of workspaces, not checked yet.
        others: Vec<String>,
    },
    /// In a workspace that the operator names, and in these others.
    Workspace {
        /// The home.
        home: WorkspaceId,
        /// Ids of workspaces, not checked yet.
        others: Vec<String>,
    },
    /// In whichever workspace a request names. Only the operator may ask for it.
    Instance,
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it: 1 to 100 characters.
    pub name: String,
    /// Agent or public.
    pub kind: KeyType,
    /// Scopes as the caller wrote them.
    pub scopes: Vec<String>,
    /// From when on it is refused; must be in the future.
    pub expires_at: Option<Timestamp>,
    /// Where it may act.
    pub reach: ReachRequest,
    /// Whose it is.
    pub owner: OwnerRequest,
    /// Networks that it may be used from, as the caller wrote them; everywhere if there is none.
    pub allowed_cidrs: Vec<String>,
    /// Limits of its own, where they are lower than its plan's.
    pub limits: KeyLimits,
    /// The name that the owning application knows it by: 1 to 255 characters.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    pub metadata: Metadata,
}

impl NewKey {
    /// A key of the workspace without scopes that never expires and may be used from everywhere.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: KeyType, reach: ReachRequest) -> Self {
        Self {
            name: name.into(),
            kind,
            scopes: Vec::new(),
            expires_at: None,
            reach,
            owner: OwnerRequest::Workspace,
            allowed_cidrs: Vec::new(),
            limits: KeyLimits::default(),
            external_id: None,
            metadata: Metadata::default(),
        }
    }
}

/// Whose a new key is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerRequest {
    /// The workspace's.
    Workspace,
    /// The caller's own: a personal key.
    Caller,
    /// A person's, whom the operator names.
    Person(UserId),
}

/// What is to change of a key; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChanges {
    /// Another name.
    pub name: Option<String>,
    /// On or off.
    pub active: Option<bool>,
    /// Other scopes, as the caller wrote them.
    pub scopes: Option<Vec<String>>,
    /// Another expiry, or none any more.
    pub expires_at: Option<Option<Timestamp>>,
    /// Other workspaces beside the home, as the caller wrote their ids.
    pub workspace_ids: Option<Vec<String>>,
    /// Other networks, as the caller wrote them.
    pub allowed_cidrs: Option<Vec<String>>,
    /// Other limits of its own, in place of all it has.
    pub limits: Option<KeyLimits>,
    /// Another external id, or none any more.
    pub external_id: Option<Option<String>>,
    /// Other metadata.
    pub metadata: Option<Metadata>,
}

/// What was made of a request for a key once it was checked.
pub(crate) struct Checked {
    pub(crate) scopes: ScopeSet,
    pub(crate) allowed_cidrs: Vec<IpNet>,
    pub(crate) reach: KeyReach,
    pub(crate) owner: Option<UserId>,
}
