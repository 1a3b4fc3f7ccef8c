//! The proof that a request was admitted.

use std::{any::Any, borrow::Cow, sync::Arc};

use tigertrust_model::{Scope, ScopeSet, Workspace};
use tigertrust_rate_limit::Decision;

use super::access_token;
use crate::{access_token::AccessGrant, cache::Remembered, known_key::KnownKey, ports::KeyRecord};

/// The proof that a request was admitted. Only [`Admission::admit`](super::Admission::admit) makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    pub(super) record: Arc<Remembered<KnownKey>>,
    /// The token that was presented in place of the key.
    pub(super) token: Option<Arc<AccessGrant>>,
    pub(super) workspace: PermitWorkspace,
    pub(super) limits: Option<Decision>,
}

#[derive(Clone, Debug)]
pub(super) enum PermitWorkspace {
    /// One of the key's own, by its place in the record.
    Of(usize),
    /// The one that an instance key named.
    Named(Arc<Remembered<Workspace>>),
    /// None: an instance key that named none where none is needed.
    Open,
}

impl PermitWorkspace {
    pub(super) fn of<'a>(&'a self, record: &'a KeyRecord) -> Option<&'a Workspace> {
        match self {
            Self::Of(index) => record.workspaces.get(*index),
            Self::Named(workspace) => Some(workspace),
            Self::Open => None,
        }
    }
}

impl Permit {
    /// The key that calls.
    #[must_use]
    pub fn key(&self) -> &KeyRecord {
        &self.record
    }

    /// How the key's limits stand after the call; none where they were not asked.
    #[must_use]
    pub const fn limits(&self) -> Option<&Decision> {
        self.limits.as_ref()
    }

    /// The workspace that the request acts in; none only for an instance key on a route that needs none.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.of(&self.record)
    }

    /// What the caller may do there: for a personal key no more than its owner's role permits, by a token no more than that says.
    #[must_use]
    pub fn scopes(&self) -> Cow<'_, ScopeSet> {
        let scopes = self
            .record
            .scopes_in(self.workspace().map(|workspace| workspace.id));
        access_token::narrowed(scopes, self.token.as_deref())
    }

    /// Whether the caller may do there what the scope says.
    #[must_use]
    pub fn grants(&self, scope: &Scope) -> bool {
        self.record
            .grants_in(self.workspace().map(|workspace| workspace.id), scope)
            && self
                .token
                .as_ref()
                .is_none_or(|token| token.claims.scopes.grants(scope))
    }

    /// What `make` makes of the permit, kept beside the key for as long as that is remembered, so that it is not made for
    /// each request. `None`, and nothing is made, for another workspace than the key's own and for a token; `None` too if something of
    /// another type is kept there.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        match self.workspace {
            PermitWorkspace::Of(0) | PermitWorkspace::Open if self.token.is_none() => {
                self.record.derived().get_or_make(|| make(self))
            }
            _ => None,
        }
    }
}
