//! What a cache has to know about a change.

use crate::{KeyId, UserId, WorkspaceId};

/// Something whose change may turn a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// An API key: its state, scopes, expiry, workspaces or secrets changed.
    Key(KeyId),
    /// A person: the account was disabled, or a membership changed.
    User(UserId),
    /// A workspace: its plan, name or state changed.
    Workspace(WorkspaceId),
}

/// One committed change. Numbers are gap-free and in commit order, over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the change, from 1.
    pub seq: u64,
    /// What changed.
    pub entity: Entity,
    /// Whose business it is: the home of a key, the workspace itself, or the one in which a person's membership changed.
    /// None for what concerns every workspace.
    pub workspace: Option<WorkspaceId>,
}
