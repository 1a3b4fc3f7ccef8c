//! Who asks for a change.

use std::sync::Arc;

use tigertrust_credentials::{Permit, PersonPermit};
use tigertrust_model::{
    Creator, KeyId, KeyLimits, Role, Scope, ScopeSet, UserId, Workspace, WorkspaceId, management,
};

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

/// What an actor's word is worth where members and the workspace itself are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// That of a role, whatever happens to anybody's membership.
    Fixed(Role),
    /// That of the person's role in the workspace, which may change at any time.
    Of(UserId),
    /// That of whoever made the key, but no more than an admin's: who has lost a role must not act on by a key.
    OfMaker(KeyId),
}

impl Standing {
    /// Whose role has to be read, if it does not stand fast.
    pub(crate) const fn asker(self) -> Option<Creator> {
        match self {
            Self::Fixed(_) => None,
            Self::Of(person) => Some(Creator::User(person)),
            Self::OfMaker(key) => Some(Creator::Key(key)),
        }
    }

    /// The role, given what the asker is at present.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for somebody who is no member any more, [`FlowError::Forbidden`] for a key that such a person
    /// has made.
    pub(crate) fn role(self, present: Option<Role>) -> Result<Role, FlowError> {
        match self {
            Self::Fixed(role) => Ok(role),
            Self::Of(_) => present.ok_or(FlowError::NotFound),
            Self::OfMaker(_) => present.ok_or_else(|| {
                FlowError::forbidden("", "whoever made the key is no member of the workspace any more")
            }),
        }
    }
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
                    .map(|workspace| workspace.id)
                    .ok_or_else(|| FlowError::WorkspaceDenied(Vec::new()))?;
                Ok(match self.person() {
                    Some(owner) if !self.manages_keys_in(workspace) => KeyView::Own { workspace, owner },
                    _ => KeyView::Workspace(workspace),
                })
            }
        }
    }

    /// The workspace that a caller acts in.
    fn workspace(&self) -> Option<&Workspace> {
        match self {
            Self::Operator => None,
            Self::Caller(permit) => permit.workspace(),
            Self::Person(permit) => permit.workspace(),
        }
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

    /// The workspace that the actor acts in, if it is the one with the id; the operator acts in all, so that there is nothing
    /// to return.
    ///
    /// # Errors
    /// [`FlowError::NotFound`]: a workspace that is not the actor's answers as one that does not exist.
    pub(crate) fn acts_in(&self, workspace: WorkspaceId) -> Result<Option<&Workspace>, FlowError> {
        if matches!(self, Self::Operator) {
            return Ok(None);
        }
        self.workspace()
            .filter(|own| own.id == workspace)
            .map(Some)
            .ok_or(FlowError::NotFound)
    }

    /// Whether the actor works for the whole instance: the operator and instance keys.
    pub(crate) fn is_of_instance(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller(permit) => permit.key().home().is_none(),
            Self::Person(_) => false,
        }
    }

    /// A key that belongs to nobody counts as whoever made it, up to an admin: owners are made by people.
    pub(crate) fn standing(&self) -> Standing {
        match (self, self.person()) {
            (_, Some(person)) => Standing::Of(person),
            (Self::Caller(permit), None) if !self.is_of_instance() => Standing::OfMaker(permit.key().key.id),
            _ => Standing::Fixed(Role::Owner),
        }
    }

    /// Whether a workspace's demand for a second factor would not keep the actor out.
    pub(crate) fn has_second_factor(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::Caller(permit) => {
                let owner = permit.key().owner.as_ref();
                owner.is_none_or(|owner| owner.has_second_factor)
            }
            Self::Person(permit) => permit.session().second_factor,
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

    /// The limits of its own that the actor is held to.
    pub(crate) fn limits(&self) -> KeyLimits {
        match self {
            Self::Operator | Self::Person(_) => KeyLimits::default(),
            Self::Caller(permit) => permit.key().key.limits,
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
                    .filter(|workspace| {
                        workspace.deleted_at.is_none() && !permit.key().lacks_second_factor(workspace)
                    })
                    .map(|workspace| workspace.id)
                    .filter(|id| personal || self.manages_keys_in(*id))
                    .filter(|id| {
                        // A key of the workspace passes its reach on; what it may do there is checked at use.
                        permit.key().owner.is_none()
                            || permit.key().grants_in(Some(*id), &management::KEYS_WRITE)
                    })
                    .collect(),
            ),
            Self::Person(permit) => Some(
                permit
                    .record()
                    .memberships
                    .iter()
                    .filter(|(workspace, role)| {
                        (personal || self.manages_keys_in(workspace.id))
                            && !permit.record().lacks_second_factor(workspace)
                            && role.permits(&management::KEYS_WRITE)
                    })
                    .map(|(workspace, _)| workspace.id)
                    .collect(),
            ),
        }
    }
}
