//! What a gate is told of a store that is not ours.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_credentials::{ChangeTracker, ports::ChangeListener};
use tigertrust_model::{Change, Clock, Entity};

/// The handle by which a [`Gate`](crate::Gate) over a store of your own is told what has changed there. A clone tells the same gate.
#[derive(Clone)]
pub struct Changes(Arc<Told>);

struct Told {
    tracker: Arc<ChangeTracker>,
    clock: Arc<dyn Clock>,
    /// The number of the last change. Ours alone: a store has no need to number its own.
    last: AtomicU64,
}

impl Changes {
    pub(super) fn new(tracker: Arc<ChangeTracker>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Told {
            tracker,
            clock,
            last: AtomicU64::new(0),
        }))
    }

    /// Something has changed: a key was revoked, edited or given another secret, a workspace was deleted or put on another plan, a person
    /// was disabled or left a workspace. To be called once the change is committed, and before whoever asked for it is answered: from then
    /// on no request is let in by what was true before.
    pub fn changed(&self, entity: Entity) {
        // A change that is told later has a greater number, and was committed before it was told: whichever of two is applied last,
        // both are in the store by then.
        let seq = self.0.last.fetch_add(1, Ordering::AcqRel) + 1;
        self.0.tracker.apply(&[Change {
            seq,
            entity,
            workspace: None,
        }]);
    }

    /// Anything may have changed: nothing that is remembered may be used again.
    pub fn everything_changed(&self) {
        self.0.tracker.reset(self.0.last.load(Ordering::Acquire));
    }

    /// The time that [`caught_up`](Self::caught_up) is measured in. Read it before you ask your store what has changed.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.clock.monotonic()
    }

    /// Every change that was committed before `as_of`, on [`now`](Self::now), has been told. What is remembered may be trusted for
    /// [`GateBuilder::max_staleness`](crate::GateBuilder::max_staleness) from then on; call it more often than that.
    pub fn caught_up(&self, as_of: Duration) {
        self.0.tracker.caught_up(as_of);
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Changes").field(&self.0.tracker).finish()
    }
}
