//! Who asks for a change.

use std::sync::Arc;

use tigertrust_credentials::{Permit, PersonPermit};
use tigertrust_model::{
    Act, Creator, KeyId, KeyLimits, Origin, Principal, Role, Scope, ScopeSet, UserId, Workspace, WorkspaceId,
    management,
};

use crate::{FlowError, ports::KeyView};

/// Who asks for a change and from where, and what that allows.
#[derive(Clone, Debug)]
pub struct Actor {
    who: Who,
    from: Origin,
}

#[derive(Clone, Debug)]
enum Who {
    /// A key that was admitted.
    Caller(Arc<Permit>),
    /// A person who is signed in.
    Person(Arc<PersonPermit>),
    /// Whoever has the command line of the server.
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
    /// A key that was admitted.
    #[must_use]
    pub const fn key(permit: Arc<Permit>, from: Origin) -> Self {
        Self {
            who: Who::Caller(permit),
            from,
        }
    }

    /// A person who is signed in.
    #[must_use]
    pub const fn signed_in(permit: Arc<PersonPermit>, from: Origin) -> Self {
        Self {
            who: Who::Person(permit),
            from,
        }
    }

    /// Whoever has the command line of the server, or embeds it: may do everything.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            who: Who::Operator,
            from: Origin::default(),
        }
    }

    /// Whether it is whoever has the command line.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        matches!(self.who, Who::Operator)
    }

    /// What the audit log is told of whoever acts.
    #[must_use]
    pub fn act(&self) -> Act {
        let by = match &self.who {
            Who::Caller(permit) => Principal::Key {
                id: permit.key().key.id,
                owner: permit.key().key.owner,
            },
            Who::Person(permit) => Principal::User {
                id: permit.user().id,
                session: Some(permit.session().id),
            },
            Who::Operator => Principal::Operator,
        };
        Act {
            by,
            from: self.from.clone(),
        }
    }

    /// The keys that the actor can see.
    ///
    /// # Errors
    /// [`FlowError::WorkspaceDenied`] for a caller that acts in no workspace.
    pub fn view(&self) -> Result<KeyView, FlowError> {
        match &self.who {
            Who::Operator => Ok(KeyView::Everything),
            Who::Caller(_) | Who::Person(_) => {
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
    pub(crate) fn workspace(&self) -> Option<&Workspace> {
        match &self.who {
            Who::Operator => None,
            Who::Caller(permit) => permit.workspace(),
            Who::Person(permit) => permit.workspace(),
        }
    }

    /// The person who is signed in; none for keys, whosever they are.
    pub(crate) fn signed_in_person(&self) -> Option<&PersonPermit> {
        match &self.who {
            Who::Person(permit) => Some(permit),
            Who::Caller(_) | Who::Operator => None,
        }
    }

    /// The workspaces that the actor may enter; none for all there are.
    pub(crate) fn own_workspaces(&self) -> Option<Vec<&Workspace>> {
        match &self.who {
            Who::Caller(permit) if permit.key().home().is_some() => Some(permit.enterable().collect()),
            // A token of an instance key for one workspace.
            Who::Caller(permit) if !permit.is_of_instance() => Some(permit.workspace().into_iter().collect()),
            Who::Person(permit) => {
                let own = permit.record().memberships.iter();
                Some(own.map(|(workspace, _)| workspace).collect())
            }
            Who::Caller(_) | Who::Operator => None,
        }
    }

    /// The person that acts; none for the operator and for a key that belongs to no person.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        match &self.who {
            Who::Operator => None,
            Who::Caller(permit) => permit.key().key.owner,
            Who::Person(permit) => Some(permit.user().id),
        }
    }

    /// The workspace that the actor acts in, if it is the one with the id; the operator acts in all, so that there is nothing
    /// to return.
    ///
    /// # Errors
    /// [`FlowError::NotFound`]: a workspace that is not the actor's answers as one that does not exist.
    pub(crate) fn acts_in(&self, workspace: WorkspaceId) -> Result<Option<&Workspace>, FlowError> {
        if matches!(self.who, Who::Operator) {
            return Ok(None);
        }
        self.workspace()
            .filter(|own| own.id == workspace)
            .map(Some)
            .ok_or(FlowError::NotFound)
    }

    /// Whether the actor works for the whole instance: the operator and instance keys.
    pub(crate) fn is_of_instance(&self) -> bool {
        match &self.who {
            Who::Operator => true,
            Who::Caller(permit) => permit.is_of_instance(),
            Who::Person(_) => false,
        }
    }

    /// A key that belongs to nobody counts as whoever made it, up to an admin: owners are made by people.
    pub(crate) fn standing(&self) -> Standing {
        match (&self.who, self.person()) {
            (_, Some(person)) => Standing::Of(person),
            (Who::Caller(permit), None) if !self.is_of_instance() => Standing::OfMaker(permit.key().key.id),
            _ => Standing::Fixed(Role::Owner),
        }
    }

    /// Whether a workspace's demand for a second factor would not keep the actor out.
    pub(crate) fn has_second_factor(&self) -> bool {
        match &self.who {
            Who::Operator => true,
            Who::Caller(permit) => {
                let owner = permit.key().owner.as_ref();
                owner.is_none_or(|owner| owner.has_second_factor)
            }
            Who::Person(permit) => permit.session().second_factor,
        }
    }

    /// Whether the actor reaches the keys of a workspace, and not only its own.
    pub(crate) fn manages_keys_in(&self, workspace: WorkspaceId) -> bool {
        match &self.who {
            Who::Operator => true,
            Who::Caller(permit) => permit.key().owner.as_ref().is_none_or(|owner| {
                let role = owner.role_in(workspace);
                role.is_some_and(|role| role.manages_keys())
            }),
            Who::Person(permit) => permit.role_in(workspace).is_some_and(|role| role.manages_keys()),
        }
    }

    /// The limits of its own that the actor is held to.
    pub(crate) fn limits(&self) -> KeyLimits {
        match &self.who {
            Who::Operator | Who::Person(_) => KeyLimits::default(),
            Who::Caller(permit) => permit.key().key.limits,
        }
    }

    pub(crate) fn creator(&self) -> Creator {
        match &self.who {
            Who::Operator => Creator::Operator,
            Who::Caller(permit) => Creator::Key(permit.key().key.id),
            Who::Person(permit) => Creator::User(permit.user().id),
        }
    }

    /// The first of the scopes that the actor does not hold itself, and so cannot give away.
    pub(crate) fn first_beyond<'a>(&self, scopes: &'a ScopeSet) -> Option<&'a Scope> {
        scopes.iter().find(|scope| !self.may_grant(scope))
    }

    pub(crate) fn may_grant(&self, scope: &Scope) -> bool {
        match &self.who {
            Who::Operator => true,
            Who::Caller(permit) => permit.grants(scope),
            Who::Person(permit) => permit.permits(scope),
        }
    }

    /// Whether a key holds the scope; whoever acts by none is judged by the role.
    pub(crate) fn key_grants(&self, scope: &Scope) -> bool {
        match &self.who {
            Who::Operator | Who::Person(_) => true,
            Who::Caller(permit) => permit.grants(scope),
        }
    }

    /// The workspaces that the actor may let a key into, one of its own or one of the workspace; `None` for every one there
    /// is.
    pub(crate) fn workspaces(&self, personal: bool) -> Option<Vec<WorkspaceId>> {
        match &self.who {
            Who::Operator => None,
            Who::Caller(permit) if permit.is_of_instance() => None,
            Who::Caller(permit) if permit.key().home().is_none() => Some(
                permit
                    .workspace()
                    .map(|workspace| workspace.id)
                    .into_iter()
                    .collect(),
            ),
            Who::Caller(permit) => Some(
                permit
                    .enterable()
                    .filter(|workspace| !permit.key().lacks_second_factor(workspace))
                    .map(|workspace| workspace.id)
                    .filter(|id| personal || self.manages_keys_in(*id))
                    .filter(|id| {
                        // A key of the workspace passes its reach on; what it may do there is checked at use.
                        permit.key().owner.is_none()
                            || permit.key().grants_in(Some(*id), &management::KEYS_WRITE)
                    })
                    .collect(),
            ),
            Who::Person(permit) => Some(
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

/// What the audit log is told of a person who does something with its own account.
pub(crate) fn act_of(person: &PersonPermit, from: &Origin) -> Act {
    Act::of_person(person.user().id, Some(person.session().id), from.clone())
}
