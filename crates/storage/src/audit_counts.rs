//! How much was written into the audit log since the program began.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tigertrust_model::{AuditAction, AuditEntry, AuditOutcome};

/// Counts events. One whose transaction fails at its very end is counted all the same: the figures are for alarms, the log is for proof.
pub(crate) struct AuditCounts {
    written: Mutex<BTreeMap<(AuditAction, AuditOutcome), u64>>,
    tampered: AtomicU64,
}

impl Default for AuditCounts {
    fn default() -> Self {
        // Whoever watches what grows must see it before it has grown.
        let watched = [((AuditAction::SessionStarted, AuditOutcome::Refused), 0)];
        Self {
            written: Mutex::new(BTreeMap::from(watched)),
            tampered: AtomicU64::new(0),
        }
    }
}

impl AuditCounts {
    /// Counts that nothing could be written, since the end of a chain is not as it was left.
    pub(crate) fn found_tampered(&self) {
        self.tampered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn tampered(&self) -> u64 {
        self.tampered.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, entry: &AuditEntry) {
        let mut counts = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((entry.action, entry.outcome)).or_default();
        *count = count.saturating_add(entry.count);
    }

    pub(crate) fn read(&self) -> Vec<(AuditAction, AuditOutcome, u64)> {
        let counts = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.iter();
        counts
            .map(|((action, outcome), count)| (*action, *outcome, *count))
            .collect()
    }
}
