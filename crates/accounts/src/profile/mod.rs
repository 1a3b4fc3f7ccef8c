//! People's own accounts: what they say of themselves, what is held on them, and their end.

mod ports;

use std::sync::Arc;

use tigertrust_credentials::PersonPermit;
use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, Clock, Origin, UserId, WorkspaceId};

pub use self::ports::{EXPORTED_USAGE, HeldOnPerson, MAX_EXPORTED_EVENTS, ProfileStore};
use crate::{
    Circumstances, FlowError, Notice, Notifier, SignInError, actor::act_of, audit::AuditStore,
    sign_in::ensure_fresh, users::MAX_NAME, validation::Validation,
};

/// What is to change of what a person says of itself; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChanges {
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Another workspace to act in where none is named, or none for the first that the person joined.
    pub default_workspace: Option<Option<WorkspaceId>>,
}

/// Edits, exports and erases accounts for the people whose they are.
#[derive(Clone)]
pub struct ProfileFlows {
    store: Arc<dyn ProfileStore>,
    audit: Arc<dyn AuditStore>,
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
}

impl ProfileFlows {
    /// Flows over the given stores; `notifier` tells people that they are erased.
    pub fn new(
        store: Arc<dyn ProfileStore>,
        audit: Arc<dyn AuditStore>,
        notifier: Arc<dyn Notifier>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            audit,
            notifier,
            clock,
        }
    }

    /// Changes what a person says of itself.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::WorkspaceDenied`] for a default workspace that the person is no member of, and
    /// [`FlowError::Store`].
    pub async fn edit(
        &self,
        person: &PersonPermit,
        changes: ProfileChanges,
        origin: &Origin,
    ) -> Result<(), FlowError> {
        if let Some(Some(name)) = &changes.name {
            let mut validation = Validation::default();
            validation.line("/name", name, MAX_NAME);
            validation.finish()?;
        }
        self.store
            .edit_profile(act_of(person, origin), person.user().id, changes)
            .await
    }

    /// Everything that is held on the person.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], and [`FlowError::Store`].
    pub async fn export(&self, person: &PersonPermit, origin: &Origin) -> Result<HeldOnPerson, SignInError> {
        ensure_fresh(person, &*self.clock)?;
        let entry = AuditEntry::new(
            AuditAction::UserExported,
            Chain::Instance,
            &act_of(person, origin),
        );
        self.audit.append_audit(vec![entry.on(person.user().id)]).await?;
        let held = self
            .store
            .export_person(person.user().id, self.clock.now())
            .await?;
        held.ok_or_else(|| FlowError::NotFound.into())
    }

    /// Erases the account of the person who asks for it, for good. A last mail says so.
    ///
    /// # Errors
    /// [`SignInError::StepUpRequired`], [`FlowError::OwnsAlone`] for the last owner of a workspace, and
    /// [`FlowError::Store`].
    pub async fn erase(&self, person: &PersonPermit, origin: &Origin) -> Result<(), SignInError> {
        ensure_fresh(person, &*self.clock)?;
        let act = act_of(person, origin);
        let (user, now) = (person.user().id, self.clock.now());
        self.store.erase_person(act, user, now).await?;
        let by = Circumstances {
            at: self.clock.now(),
            origin: origin.clone(),
        };
        let to = person.user().email.clone();
        self.notifier.tell(to, Notice::AccountErased { by });
        Ok(())
    }

    /// Erases an account, for the operator.
    ///
    /// # Errors
    /// As [`erase`](Self::erase), and [`FlowError::NotFound`].
    pub async fn erase_as_operator(&self, user: UserId) -> Result<(), FlowError> {
        self.store
            .erase_person(Act::of_operator(), user, self.clock.now())
            .await
    }
}

impl std::fmt::Debug for ProfileFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProfileFlows").finish_non_exhaustive()
    }
}
