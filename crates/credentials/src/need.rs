//! What a route requires of its caller: a value that can be read, tested and printed.

use tigertrust_model::{KeyTypes, Scope};

use crate::Charge;

/// Whether a route acts in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkspaceNeed {
    /// It acts in one: an instance key has to name it.
    Required,
    /// It does without: an instance key may leave it open. A workspace that is named must be the caller's all the
    /// same.
    Optional,
    /// It is about the caller's own account, sessions or key, wherever it acts: as [`Optional`](Self::Optional), and a
    /// workspace's demand for a second factor does not count.
    OwnAccount,
    /// As [`OwnAccount`](Self::OwnAccount), for what reaches beyond any one workspace: a session that is confined to one will not
    /// do.
    WholeAccount,
}

impl WorkspaceNeed {
    /// Whether it is about the caller itself, wherever it acts.
    #[must_use]
    pub const fn is_own_account(self) -> bool {
        matches!(self, Self::OwnAccount | Self::WholeAccount)
    }
}

/// What a route requires of its caller, checked in the order type, workspace, scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The types of key that may call.
    pub types: KeyTypes,
    /// The scope that the caller must hold; none where any valid caller will do.
    pub scope: Option<Scope>,
    /// Whether a workspace must be known.
    pub workspace: WorkspaceNeed,
    /// What the call counts against.
    pub charge: Charge,
}

impl Need {
    /// An agent key that holds the scope, in a workspace.
    #[must_use]
    pub const fn management(scope: Scope) -> Self {
        Self {
            types: KeyTypes::AGENT,
            scope: Some(scope),
            workspace: WorkspaceNeed::Required,
            charge: Charge::Plan,
        }
    }

    /// Any valid caller.
    #[must_use]
    pub const fn any_caller() -> Self {
        Self {
            types: KeyTypes::ANY,
            scope: None,
            workspace: WorkspaceNeed::Optional,
            charge: Charge::Plan,
        }
    }

    /// Any valid caller, for what is about the caller itself.
    #[must_use]
    pub const fn own_account() -> Self {
        Self {
            types: KeyTypes::ANY,
            scope: None,
            workspace: WorkspaceNeed::OwnAccount,
            charge: Charge::Plan,
        }
    }

    /// Any valid caller, for what is about all of its account.
    #[must_use]
    pub const fn whole_account() -> Self {
        Self {
            types: KeyTypes::ANY,
            scope: None,
            workspace: WorkspaceNeed::WholeAccount,
            charge: Charge::Plan,
        }
    }
}
