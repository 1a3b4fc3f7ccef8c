//! The chains that the audit log consists of.

use std::{fmt, str::FromStr};

use crate::WorkspaceId;

/// A chain of audit events: that of a workspace, or that of the instance, where accounts and what belongs to no workspace are
/// logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chain {
    /// The instance's.
    Instance,
    /// A workspace's.
    Workspace(WorkspaceId),
}

impl Chain {
    /// The workspace, if it is one's.
    #[must_use]
    pub const fn workspace(self) -> Option<WorkspaceId> {
        match self {
            Self::Instance => None,
            Self::Workspace(id) => Some(id),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Workspace(id) => id.fmt(f),
        }
    }
}

impl FromStr for Chain {
    type Err = UnknownChain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "instance" => Ok(Self::Instance),
            id => id.parse().map(Self::Workspace).map_err(|_| UnknownChain),
        }
    }
}

/// The text names no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a workspace's id or instance")]
pub struct UnknownChain;

impl From<Option<WorkspaceId>> for Chain {
    fn from(workspace: Option<WorkspaceId>) -> Self {
        workspace.map_or(Self::Instance, Self::Workspace)
    }
}

/// The end of a chain, and where what is left of its beginning begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain.
    pub chain: Chain,
    /// How many events are archived: those up to this place are in files.
    pub archived: u64,
    /// The MAC of the last that is archived; zeros if none is.
    pub archived_mac: [u8; 32],
    /// The place of the last event.
    pub seq: u64,
    /// Its MAC; zeros before the first.
    pub mac: [u8; 32],
    /// The id of the key of `seal`.
    pub key: String,
    /// The MAC of the head itself: without the key, nobody shortens a chain.
    pub seal: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_read_back() {
        let own = Chain::Workspace(WorkspaceId::from_uuid(uuid::Uuid::nil()));
        for chain in [Chain::Instance, own] {
            assert_eq!(chain.to_string().parse(), Ok(chain));
        }
        assert!("everything".parse::<Chain>().is_err());
    }
}
