//! What the checks need from storage. Implemented by `tigertrust-storage`; bring your own if you like.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use tigertrust_model::{
    ApiKey, Change, Entity, KeyId, LastUse, NodeId, Outcome, Role, Scope, ScopeSet, Session, SessionId,
    Timestamp, User, UserId, Workspace, WorkspaceId,
};

use crate::{KeyDigest, NodeNote, RunningNode, TokenDigest};

/// Storage did not answer as it should. The text is for the operator; a client learns only that a part is down.
#[derive(Clone)]
pub enum StoreError {
    /// The database cannot be reached, is too slow, or refused. After a write the outcome is unknown.
    Unavailable(Arc<dyn Error + Send + Sync>),
    /// A row holds what it must not.
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: String,
    },
}

impl StoreError {
    /// Wraps what the database driver said.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(source.into()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(source) => write!(f, "the database did not answer: {source}"),
            Self::Corrupt { table, column, row } => {
                write!(f, "corrupt row: table {table}, column {column}, row {row}")
            }
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for StoreError {}

/// All that admission has to know of a key, read in one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: ApiKey,
    /// The digest under which the secret that was presented is stored.
    pub secret_digest: KeyDigest,
    /// When the secret that was presented ends or ended, if another has taken its place.
    pub secret_ends_at: Option<Timestamp>,
    /// The workspaces that the key names, its home first, deleted ones included; none for an instance key.
    pub workspaces: Vec<Workspace>,
    /// Whose key it is, if it is personal.
    pub owner: Option<KeyOwner>,
}

/// The owner of a personal key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    /// The person.
    pub id: UserId,
    /// When the account was disabled, if it was.
    pub disabled_at: Option<Timestamp>,
    /// Whether a second factor is enrolled.
    pub has_second_factor: bool,
    /// What the person is in those of the key's workspaces that have the person as a member.
    pub roles: Vec<(WorkspaceId, Role)>,
}

impl KeyOwner {
    /// What the owner is in a workspace; none where the owner is no member.
    #[must_use]
    pub fn role_in(&self, workspace: WorkspaceId) -> Option<Role> {
        let found = self.roles.iter().find(|(id, _)| *id == workspace);
        found.map(|(_, role)| *role)
    }
}

impl KeyRecord {
    /// The home workspace; none for an instance key.
    #[must_use]
    pub fn home(&self) -> Option<&Workspace> {
        self.workspaces.first()
    }

    /// From when on the secret that was presented is refused: when the key expires, or when another secret has taken its
    /// place for good.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let ends = [self.key.expires_at, self.secret_ends_at];
        ends.into_iter().flatten().min()
    }

    /// Whether one of its workspaces still lets the key in: a personal key goes only where its owner is a member.
    #[must_use]
    pub fn may_enter(&self, workspace: &Workspace) -> bool {
        let is_member = |owner: &KeyOwner| owner.role_in(workspace.id).is_some();
        workspace.deleted_at.is_none() && self.owner.as_ref().is_none_or(is_member)
    }

    /// Whether a workspace's demand for a second factor keeps the key out: a key proves none itself, but the owner of a
    /// personal one must have enrolled one.
    #[must_use]
    pub fn lacks_second_factor(&self, workspace: &Workspace) -> bool {
        let lacks = |owner: &KeyOwner| !owner.has_second_factor;
        workspace.requires_second_factor && self.owner.as_ref().is_some_and(lacks)
    }

    /// What the key may do in a workspace: its scopes, and for a personal key no more than its owner's role there permits. A
    /// key of a workspace manages its home alone: elsewhere only its application scopes count, since nobody there can see
    /// the key or take it back.
    #[must_use]
    pub fn scopes_in(&self, workspace: Option<WorkspaceId>) -> Cow<'_, ScopeSet> {
        match &self.owner {
            None if self.manages_in(workspace) => Cow::Borrowed(&self.key.scopes),
            None => {
                let scopes = self.key.scopes.iter();
                Cow::Owned(scopes.filter(|scope| !scope.is_management()).cloned().collect())
            }
            Some(owner) => Cow::Owned(
                workspace
                    .and_then(|workspace| owner.role_in(workspace))
                    .map(|role| self.key.scopes.permitted_to(role))
                    .unwrap_or_default(),
            ),
        }
    }

    /// Whether the key may do in a workspace what the scope says: see [`scopes_in`](Self::scopes_in).
    #[must_use]
    pub fn grants_in(&self, workspace: Option<WorkspaceId>, scope: &Scope) -> bool {
        self.granting_in(workspace, scope).is_some()
    }

    /// As [`grants_in`](Self::grants_in), with the place of the key's scope that grants it: see [`ScopeSet::granting`].
    #[must_use]
    pub fn granting_in(&self, workspace: Option<WorkspaceId>, scope: &Scope) -> Option<usize> {
        let permitted = match &self.owner {
            None => self.manages_in(workspace) || !scope.is_management(),
            Some(owner) => workspace
                .and_then(|workspace| owner.role_in(workspace))
                .is_some_and(|role| role.permits(scope)),
        };
        self.key.scopes.granting(scope).filter(|_| permitted)
    }

    /// Whether management scopes of a key that belongs to nobody count in a workspace.
    fn manages_in(&self, workspace: Option<WorkspaceId>) -> bool {
        self.home().is_none_or(|home| workspace == Some(home.id))
    }
}

/// A value whose truth depends on other things that may change.
pub trait DependsOn {
    /// What the value depends on.
    fn entities(&self) -> Vec<Entity>;
}

impl DependsOn for KeyRecord {
    fn entities(&self) -> Vec<Entity> {
        let workspaces = self.key.reach.named().map(Entity::Workspace);
        std::iter::once(Entity::Key(self.key.id))
            .chain(self.key.owner.map(Entity::User))
            .chain(workspaces)
            .collect()
    }
}

impl DependsOn for Workspace {
    fn entities(&self) -> Vec<Entity> {
        vec![Entity::Workspace(self.id)]
    }
}

/// Look-ups on the way of a request: one indexed query each.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The key whose secret has one of the digests (the same secret under the current and earlier peppers).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_key(&self, digests: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError>;

    /// The workspace with the id, deleted or not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;
}

/// Somebody who is signed in, read in one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// The workspaces that have the person as a member, and as what; those joined first come first. Deleted ones are left
    /// out.
    pub memberships: Vec<(Workspace, Role)>,
    /// The workspace that the person chose to act in by default.
    pub chosen_workspace: Option<WorkspaceId>,
}

/// Sessions, as they are looked up.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session whose token has the digest, be it over or not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_session(&self, token: TokenDigest) -> Result<Option<SessionRecord>, StoreError>;

    /// Notes that a session was used. One that has been ended stays so.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_seen(&self, session: SessionId, at: Timestamp) -> Result<(), StoreError>;
}

/// Where uses of secrets are kept.
#[async_trait]
pub trait UseStore: Send + Sync {
    /// Stores when the secrets with these digests were last used, all or nothing. A later use that is stored already
    /// stays; secrets that are not there are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record_uses(&self, uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError>;
}

/// How often a key came to an outcome in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCount {
    /// The key.
    pub key: KeyId,
    /// The workspace that owns it; none for an instance key.
    pub home: Option<WorkspaceId>,
    /// What became of the calls.
    pub outcome: Outcome,
    /// The start of the minute.
    pub minute: Timestamp,
    /// How many calls.
    pub calls: u64,
}

/// That a scope of a key was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeUse {
    /// The key.
    pub key: KeyId,
    /// The scope, as the key holds it.
    pub scope: Scope,
    /// The start of the day.
    pub day: Timestamp,
}

/// What is stored at once of how keys were used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageBatch {
    /// Counts, each of another key, outcome or minute.
    pub counts: Vec<UsageCount>,
    /// Scopes, each of another key or name.
    pub scopes: Vec<ScopeUse>,
}

/// Where it is kept how often keys were used.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Adds to what is stored already, all or nothing, also by other nodes: each count to its minute, hour and day. Of a scope the latest
    /// day stays.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError>;
}

/// What is kept of rate limits while no server runs, and which servers do.
#[async_trait]
pub trait SpendStore: Send + Sync {
    /// Keeps what was spent at a server that stops, in pieces.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_spends(&self, node: NodeId, pieces: Vec<Vec<u8>>) -> Result<(), StoreError>;

    /// Takes out what was kept. Of two servers that do so at once each gets some.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn take_spends(&self) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Notes that a server runs, and what it says of itself; forgets those that were last heard of before `dead_before`, and counts the others, this one among
    /// them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn beat(
        &self,
        node: NodeId,
        note: NodeNote,
        now: Timestamp,
        dead_before: Timestamp,
    ) -> Result<u32, StoreError>;

    /// The servers that were heard of since then.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn nodes(&self, since: Timestamp) -> Result<Vec<RunningNode>, StoreError>;

    /// Forgets a server that stops.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn leave(&self, node: NodeId) -> Result<(), StoreError>;
}

/// The log of changes, for those who follow it from elsewhere.
#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// The first `limit` changes after the one numbered `last`, oldest first; `None` if one of them was taken away or
    /// cannot be read.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn changes_after(&self, last: u64, limit: u16) -> Result<Option<Vec<Change>>, StoreError>;
}

/// Who wants to hear of changes: the caches of this node.
pub trait ChangeListener: Send + Sync {
    /// These changes are committed. Told by the node's own writes before they are answered, and by the feed; the
    /// same change may be told twice, and numbers may be missing between two calls.
    fn apply(&self, changes: &[Change]);

    /// Changes may have been missed that cannot be read any more: nothing known so far may be used again. `head` is the
    /// number of a change that was committed before.
    fn reset(&self, head: u64);

    /// Every change that was committed before `as_of` (on [`Clock::monotonic`](tigertrust_model::Clock::monotonic))
    /// has been applied.
    fn caught_up(&self, as_of: Duration);
}
