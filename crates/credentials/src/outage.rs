//! What the operator is told when a part is down: once a second, not once a request.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tigertrust_model::Clock;

/// Logs failures of storage, at most once a second, with how many went unlogged.
pub struct OutageLog {
    clock: Arc<dyn Clock>,
    /// The second of the monotonic clock after the one in which the last line was written.
    next_line_at: AtomicU64,
    unlogged: AtomicU64,
}

impl OutageLog {
    /// A log that has told nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            next_line_at: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
        }
    }

    /// Says why a request was answered 503, unless something was said in this second.
    pub fn report(&self, error: &dyn fmt::Display) {
        let second = self.clock.monotonic().as_secs();
        let next = self.next_line_at.load(Ordering::Relaxed);
        let ours = second >= next
            && self
                .next_line_at
                .compare_exchange(next, second + 1, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if ours {
            let unlogged = self.unlogged.swap(0, Ordering::Relaxed);
            tracing::error!(%error, unlogged, "a request was answered 503");
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for OutageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutageLog").finish_non_exhaustive()
    }
}
