//! Who asks for a change.

use std::sync::Arc;

use tigertrust_credentials::{Permit, PersonPermit};
use tigertrust_model::{Creator, Scope, ScopeSet, UserId, WorkspaceId, management};

use crate::{FlowError, ports::KeyView};

/// Who asks for a change, and what that allows.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A key that was admitted.
    Caller(Arc<Permit>),
    /// A person who is signed in.
    Person(Arc<PersonPermit>),
    /// Whoever has the command line of the server: may do everything.
    Operator,
}

impl Actor {
    /// The keys that the actor can see.
    ///
    /// # Errors
    /// [`FlowError::WorkspaceDenied`] for a caller that acts in no workspace.
    pub fn view(&self) -> Result<KeyView, FlowError> {
        match self {
            Self::Operator => Ok(KeyView::Everything),
            Self::Caller(_) | Self::Person(_) => {
                let workspace = self
                    .workspace()
                    .ok_or_else(|| FlowError::WorkspaceDenied(Vec::new()))?;
                Ok(match self.person() {
                    Some(owner) if !self.manages_keys_in(workspace) => KeyView::Own { workspace, owner },
                    _ => KeyView::Workspace(workspace),
                })
            }
        }
    }

    /// The workspace that a caller acts in.
    fn workspace(&self) -> Option<WorkspaceId> {
        let workspace = match self {
            Self::Operator => None,
            Self::Caller(permit) => permit.workspace(),
            Self::Person(permit) => permit.workspace(),
        };
        workspace.map(|workspace| workspace.id)
    }

    /// The person that acts; none for the operator and for a key that belongs to no person.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        match self {
            Self::Operator => None,
            Self::Caller(permit) => permit.key().key.owner,
            Self::Person(permit) => Some(permit.user().id),
        }
    }

    /// Whether the actor reaches the keys of a workspace, and not only its own.
    pub(crate) fn manages_keys_in(&self, workspace: WorkspaceId) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller(permit) => permit.key().owner.as_ref().is_none_or(|owner| {
                let role = owner.role_in(workspace);
                role.is_some_and(|role| role.manages_keys())
            }),
            Self::Person(permit) => permit.role_in(workspace).is_some_and(|role| role.manages_keys()),
        }
    }

    pub(crate) fn creator(&self) -> Creator {
        match self {
            Self::Operator => Creator::Operator,
            Self::Caller(permit) => Creator::Key(permit.key().key.id),
            Self::Person(permit) => Creator::User(permit.user().id),
        }
    }

    /// The first of the scopes that the actor does not hold itself, and so cannot give away.
    pub(crate) fn first_beyond<'a>(&self, scopes: &'a ScopeSet) -> Option<&'a Scope> {
        scopes.iter().find(|scope| !self.may_grant(scope))
    }

    pub(crate) fn may_grant(&self, scope: &Scope) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller(permit) => permit.grants(scope),
            Self::Person(permit) => permit.permits(scope),
        }
    }

    /// The workspaces that the actor may let a key into, one of its own or one of the workspace; `None` for every one there
    /// is.
    pub(crate) fn workspaces(&self, personal: bool) -> Option<Vec<WorkspaceId>> {
        match self {
            Self::Operator => None,
            Self::Caller(permit) if permit.key().home().is_none() => None,
            Self::Caller(permit) => Some(
                permit
                    .key()
                    .workspaces
                    .iter()
                    .filter(|workspace| workspace.deleted_at.is_none())
                    .map(|workspace| workspace.id)
                    .filter(|id| personal || self.manages_keys_in(*id))
                    .filter(|id| permit.key().grants_in(Some(*id), &management::KEYS_WRITE))
                    .collect(),
            ),
            Self::Person(permit) => Some(
                permit
                    .record()
                    .memberships
                    .iter()
                    .filter(|(workspace, role)| {
                        (personal || self.manages_keys_in(workspace.id))
                            && role.permits(&management::KEYS_WRITE)
                    })
                    .map(|(workspace, _)| workspace.id)
                    .collect(),
            ),
        }
    }
}
