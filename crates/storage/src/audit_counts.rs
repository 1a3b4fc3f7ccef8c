//! How much was written into the audit log since the program began.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tigertrust_model::{AuditAction, AuditEntry, AuditOutcome};

/// Counts events. One whose transaction fails at its very end is counted all the same: the figures are for alarms, the log is for proof.
#[derive(Default)]
pub(crate) struct AuditCounts(Mutex<BTreeMap<(AuditAction, AuditOutcome), u64>>);

impl AuditCounts {
    pub(crate) fn add(&self, entry: &AuditEntry) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((entry.action, entry.outcome)).or_default();
        *count = count.saturating_add(entry.count);
    }

    pub(crate) fn read(&self) -> Vec<(AuditAction, AuditOutcome, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.iter();
        counts
            .map(|((action, outcome), count)| (*action, *outcome, *count))
            .collect()
    }
}
