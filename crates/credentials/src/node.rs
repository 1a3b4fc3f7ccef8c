//! What the servers over a database know of each other.

use std::time::Duration;

use tigertrust_model::{NodeId, Timestamp};

/// For how long a server counts as running after it was last heard of.
pub const NODE_LIVES_FOR: Duration = Duration::from_secs(10);

/// The ids of the secrets of a key ring that a server runs with: of each kind that for what is new first, and none where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningRing {
    /// What keys are digested under.
    pub peppers: Vec<String>,
    /// What secrets are sealed under.
    pub encryption_keys: Vec<String>,
    /// What tokens are signed with.
    pub signing_keys: Vec<String>,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNote {
    /// What people know it by, if it was given a name.
    pub name: Option<String>,
    /// The secrets that it runs with.
    pub ring: RunningRing,
    /// Since when it runs with them, in this order.
    pub ring_since: Timestamp,
}

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningNode {
    /// Its id: another one after each start.
    pub id: NodeId,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// What it says of itself; none of a release that says nothing.
    pub note: Option<NodeNote>,
}
