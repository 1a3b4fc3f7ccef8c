//! Of which workspaces the service's own key hears: an instance key of all, another of its home.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tigertrust_model::WorkspaceId;

use crate::{core::Core, lock::lock};

/// What the service's own key hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is an instance key.
    Everything,
    /// It is a key of this workspace.
    Home(WorkspaceId),
    /// It is a key of something that this client cannot read.
    Nothing,
}

/// The same, once it is known.
#[derive(Debug, Default)]
pub(crate) struct KnownReach {
    reach: Mutex<Option<Reach>>,
    is_finding_out: AtomicBool,
}

impl KnownReach {
    /// Something was told that an instance key alone is told.
    pub(crate) fn is_of_an_instance_key(&self) {
        *lock(&self.reach) = Some(Reach::Everything);
    }
}

impl Core {
    /// What the service's own key hears of; `None` until it is known. It is found out in the background.
    pub(crate) fn reach(self: &Arc<Self>, until: Duration) -> Option<Reach> {
        let known = *lock(&self.reach.reach);
        if known.is_none() {
            self.find_out(until);
        }
        known
    }

    fn find_out(self: &Arc<Self>, until: Duration) {
        if self.reach.is_finding_out.swap(true, Ordering::AcqRel) {
            return;
        }
        let finding = Finding(Arc::clone(self));
        self.tasks.spawn(async move {
            // Until it is known, the server is asked each time.
            if let Ok(reach) = finding.0.api.reach(until).await {
                *lock(&finding.0.reach.reach) = Some(reach);
            }
        });
    }
}

/// Ends with the task that finds out what the service's own key hears of.
struct Finding(Arc<Core>);

impl Drop for Finding {
    fn drop(&mut self) {
        self.0.reach.is_finding_out.store(false, Ordering::Release);
    }
}
