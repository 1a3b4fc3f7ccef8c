//! What became of keys that were checked, all of them together.

use std::sync::atomic::{AtomicU64, Ordering};

use tigertrust_model::Outcome;

use crate::{AuthError, HistogramSnapshot, Unauthorized, histogram::Histogram};

/// The name of a check that nothing was decided by: storage did not answer.
const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";

/// Counts checks by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    unavailable: AtomicU64,
    /// How long storage took to look a key up.
    pub(crate) look_ups: Histogram,
}

impl Checks {
    pub(crate) fn passed(&self) {
        self.add(Outcome::Valid);
    }

    /// A request that presents no key has none checked.
    pub(crate) fn refused(&self, why: &AuthError) {
        match why.outcome() {
            _ if matches!(why, AuthError::Unauthorized(Unauthorized::NotPresented)) => {}
            Some(outcome) => self.add(outcome),
            None => {
                self.unavailable.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn add(&self, outcome: Outcome) {
        // `ALL` is in the order of the variants.
        if let Some(count) = self.outcomes.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let outcomes = Outcome::ALL.iter().map(|outcome| outcome.as_str());
        let counts = self.outcomes.iter().map(|count| count.load(Ordering::Relaxed));
        let unavailable = (UNAVAILABLE, self.unavailable.load(Ordering::Relaxed));
        outcomes.zip(counts).chain([unavailable]).collect()
    }
}

/// How a cache has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheCounts {
    /// How often it knew the answer, and was trusted.
    pub hits: u64,
    /// How often storage had to be asked.
    pub misses: u64,
    /// How much it holds.
    pub entries: usize,
}

/// What an [`Admission`](crate::Admission) has done until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionCounts {
    /// How many checks ended so: by the name of the [`Outcome`], or `SERVICE_UNAVAILABLE`.
    pub checks: Vec<(&'static str, u64)>,
    /// The cache of keys.
    pub keys: CacheCounts,
    /// The cache of workspaces, which instance keys name.
    pub workspaces: CacheCounts,
    /// How long storage took to look keys up.
    pub look_ups: HistogramSnapshot,
}
