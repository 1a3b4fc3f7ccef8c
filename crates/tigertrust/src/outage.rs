//! What the operator is told when the database is down: once a second, not once a request.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tigertrust_model::Clock;

/// Logs failures of storage, at most once a second, with how many went unlogged.
pub(crate) struct OutageLog {
    clock: Arc<dyn Clock>,
    /// The second of the monotonic clock after the one in which the last line was written.
    next_line_at: AtomicU64,
    unlogged: AtomicU64,
}

impl OutageLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            next_line_at: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
        }
    }

    pub(crate) fn report(&self, error: &dyn fmt::Display) {
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
