//! The states of one process.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
    hint::black_box,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tigertrust_model::Timestamp;

use crate::{Decision, Quotas, State, Subject, decide};

/// Into how many parts the table is divided, so that look-ups seldom meet.
const SHARDS: usize = 64;

/// The state of one subject. Whoever holds one decides without a look at the table, and meets nobody but the subject's other
/// calls.
#[derive(Debug, Default)]
pub struct Slot(Mutex<State>);

impl Slot {
    /// Decides whether a call is admitted, and spends its cost if so: see [`decide`].
    pub fn decide(&self, now: Timestamp, quotas: &Quotas, cost: u32) -> Decision {
        decide(&mut self.lock(), now, quotas, cost)
    }

    /// Has memory fetch the state, for who decides in a moment.
    pub fn fetch(&self) {
        black_box(self.0.is_poisoned());
    }

    /// Counts what was admitted elsewhere.
    #[cfg(feature = "valkey")]
    pub(crate) fn note(&self, now: Timestamp, quotas: &Quotas, cost: u32) {
        let mut state = self.lock();
        state.advance(now, quotas);
        state.spend(quotas, cost);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shard = HashMap<Subject, Arc<Slot>>;

/// The states by subject. One is dropped only where nothing of it counts any more and nobody holds it.
pub(crate) struct Slots {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The state of a subject; a new one where there is none.
    pub(crate) fn get(&self, subject: Subject) -> Arc<Slot> {
        match self.shard_of(subject) {
            Some(mut shard) => Arc::clone(shard.entry(subject).or_default()),
            None => Arc::default(),
        }
    }

    fn shard_of(&self, subject: Subject) -> Option<MutexGuard<'_, Shard>> {
        let hash = self.hasher.hash_one(subject);
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        self.shards.get(index).map(lock)
    }

    /// Drops the states that say nothing any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        for shard in &self.shards {
            lock(shard).retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.lock().is_empty_at(now));
        }
    }

    /// A copy of every state that says something.
    pub(crate) fn states(&self, now: Timestamp) -> Vec<(Subject, State)> {
        let of_shard = |shard: &Mutex<Shard>| -> Vec<(Subject, State)> {
            let shard = lock(shard);
            let states = shard
                .iter()
                .map(|(subject, slot)| (*subject, slot.lock().clone()));
            states.filter(|(_, state)| !state.is_empty_at(now)).collect()
        };
        self.shards.iter().flat_map(of_shard).collect()
    }

    /// Puts a state in its place; of each window that is there already, the one counts in which more was spent.
    pub(crate) fn restore(&self, subject: Subject, state: State, now: Timestamp) {
        self.get(subject).lock().take_over(state, now);
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
