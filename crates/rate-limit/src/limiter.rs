//! The limits of a process, and of those that it shares them with.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_model::{Clock, Timestamp};

#[cfg(feature = "valkey")]
use crate::valkey::Valkey;
use crate::{Decision, Quotas, Slot, SnapshotError, Subject, local::Slots, snapshot::Snapshot};

/// How many states stand in one piece of a snapshot.
const STATES_A_PIECE: usize = 1000;
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who wants to hear that limits are not shared, or are shared again.
pub trait LimiterEvents: Send + Sync {
    /// The shared store does not answer: from now on each node limits for itself.
    fn away(&self, why: &str);

    /// The shared store refuses calls, though it is there: those are decided by each node for itself. Told once a minute at the most.
    fn refused(&self, why: &str);

    /// The shared store answers again, after so long.
    fn back(&self, after: Duration);
}

/// Decides by [`Subject`], with states that are kept here or, with [`share`](Self::share), together with other nodes.
pub struct RateLimiter {
    clock: Arc<dyn Clock>,
    slots: Slots,
    /// What the states' time is ahead of the monotonic clock, in microseconds: it runs on evenly while the wall clock is set, and
    /// goes on where an earlier process left off.
    ahead: AtomicI64,
    refused: AtomicU64,
    shadowed: AtomicU64,
    #[cfg(feature = "valkey")]
    shared: Option<Arc<Valkey>>,
    #[cfg(feature = "valkey")]
    decided_alone: AtomicU64,
    #[cfg(feature = "valkey")]
    nodes: std::sync::atomic::AtomicU32,
}

impl RateLimiter {
    /// A limiter that keeps its states in this process.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let ahead = clock.now().unix_micros() - micros(clock.monotonic());
        Self {
            clock,
            slots: Slots::new(),
            ahead: AtomicI64::new(ahead),
            refused: AtomicU64::new(0),
            shadowed: AtomicU64::new(0),
            #[cfg(feature = "valkey")]
            shared: None,
            #[cfg(feature = "valkey")]
            decided_alone: AtomicU64::new(0),
            #[cfg(feature = "valkey")]
            nodes: std::sync::atomic::AtomicU32::new(1),
        }
    }

    /// The same over a store that it shares with other nodes. While that is away, each node grants an equal share of the limits.
    #[cfg(feature = "valkey")]
    #[must_use]
    pub fn share(self, store: Arc<Valkey>) -> Self {
        Self {
            shared: Some(store),
            ..self
        }
    }

    /// The store that limits are shared by.
    #[cfg(feature = "valkey")]
    #[must_use]
    pub const fn shared(&self) -> Option<&Arc<Valkey>> {
        self.shared.as_ref()
    }

    /// Says how many nodes are alive, this one among them.
    #[cfg(feature = "valkey")]
    pub fn set_nodes(&self, nodes: u32) {
        self.nodes.store(nodes.max(1), Ordering::Relaxed);
    }

    /// The state of a subject, to be kept by who decides for it often.
    #[must_use]
    pub fn slot(&self, subject: Subject) -> Arc<Slot> {
        self.slots.get(subject)
    }

    /// Decides whether a call of the subject, whose slot this is, is admitted, and spends its cost if so.
    pub async fn decide(&self, subject: Subject, slot: &Slot, quotas: &Quotas, cost: u32) -> Decision {
        #[cfg(feature = "valkey")]
        if let Some(shared) = &self.shared {
            // Boxed, so that who shares nothing does not carry it about.
            return Box::pin(self.decide_shared(shared, subject, slot, quotas, cost)).await;
        }
        let _ = subject;
        slot.decide(self.now(), quotas, cost)
    }

    /// As [`decide`](Self::decide), at a time of the monotonic clock that was read a moment ago, where nobody else has to be asked.
    /// `None`, and nothing is spent, where the limits are shared.
    pub fn decide_at_once(
        &self,
        slot: &Slot,
        quotas: &Quotas,
        cost: u32,
        monotonic: Duration,
    ) -> Option<Decision> {
        #[cfg(feature = "valkey")]
        if self.shared.is_some() {
            return None;
        }
        Some(slot.decide(self.time_at(monotonic), quotas, cost))
    }

    #[cfg(feature = "valkey")]
    async fn decide_shared(
        &self,
        shared: &Valkey,
        subject: Subject,
        slot: &Slot,
        quotas: &Quotas,
        cost: u32,
    ) -> Decision {
        match shared.decide(subject, quotas, cost).await {
            Some(decision) => {
                // Remembered here too, so that what this node has granted counts when the store goes away.
                if decision.admitted {
                    slot.note(self.now(), quotas, cost);
                }
                decision
            }
            None => {
                self.decided_alone.fetch_add(1, Ordering::Relaxed);
                let share = quotas.share_of(self.nodes.load(Ordering::Relaxed));
                slot.decide(self.now(), &share, cost)
            }
        }
    }

    /// The time of the states.
    fn now(&self) -> Timestamp {
        self.time_at(self.clock.monotonic())
    }

    fn time_at(&self, monotonic: Duration) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        Timestamp::from_unix_micros(ahead.saturating_add(micros(monotonic)))
    }

    /// Counts a call that was refused.
    pub fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that was admitted over the limit of a plan in shadow mode.
    pub fn note_shadowed(&self) {
        self.shadowed.fetch_add(1, Ordering::Relaxed);
    }

    /// How it went since the start.
    #[must_use]
    pub fn counts(&self) -> LimiterCounts {
        LimiterCounts {
            refused: self.refused.load(Ordering::Relaxed),
            shadowed: self.shadowed.load(Ordering::Relaxed),
            #[cfg(feature = "valkey")]
            decided_alone: self.decided_alone.load(Ordering::Relaxed),
            #[cfg(not(feature = "valkey"))]
            decided_alone: 0,
            #[cfg(feature = "valkey")]
            is_alone: self.shared.as_ref().is_some_and(|shared| shared.is_away()),
            #[cfg(not(feature = "valkey"))]
            is_alone: false,
            states: self.slots.len(),
        }
    }

    /// Drops the states that say nothing any more: to be called every minute or so.
    pub fn sweep(&self) {
        self.slots.sweep(self.now());
    }

    /// What is to be kept for the next process, in pieces of bounded size.
    #[must_use]
    pub fn save(&self) -> Vec<Vec<u8>> {
        let at = self.now();
        let mut states = self.slots.states(at).into_iter();
        let pieces = std::iter::from_fn(|| {
            let states: Vec<_> = states.by_ref().take(STATES_A_PIECE).collect();
            (!states.is_empty()).then(|| Snapshot { at, states }.to_bytes())
        });
        pieces.collect()
    }

    /// Takes up what an earlier process has left. Time does not go back behind it, though the wall clock may have.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing of the piece counts then.
    pub fn restore(&self, piece: &[u8]) -> Result<(), SnapshotError> {
        let snapshot = Snapshot::from_bytes(piece)?;
        // A clock that was set back by more than a day is one that was wrong before: nothing of that time is worth a key's being
        // locked until then.
        if snapshot.at > self.clock.now().saturating_add(A_DAY) {
            return Err(SnapshotError);
        }
        let ahead = snapshot.at.unix_micros() - micros(self.clock.monotonic());
        self.ahead.fetch_max(ahead, Ordering::Relaxed);
        for (subject, state) in snapshot.states {
            self.slots.restore(subject, state, self.now());
        }
        Ok(())
    }
}

/// How it went since the start of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterCounts {
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that were admitted over the limit of a plan in shadow mode.
    pub shadowed: u64,
    /// Calls that were decided without the shared store, since that was away.
    pub decided_alone: u64,
    /// Whether the shared store is away.
    pub is_alone: bool,
    /// States that are kept.
    pub states: usize,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_model::KeyId;
    use tigertrust_testkit::TestClock;
    use uuid::Uuid;

    use super::*;
    use crate::{Quota, State, decide};

    const KEY: Subject = Subject::Key(KeyId::from_uuid(Uuid::from_u128(1)));

    fn limiter() -> (RateLimiter, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        (RateLimiter::new(Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn left(limiter: &RateLimiter, quotas: &Quotas) -> u32 {
        let decision = limiter.slot(KEY).decide(limiter.now(), quotas, 0);
        decision.minute.remaining
    }

    /// What one process saved long ago must not take the place of what another one saved just now.
    #[test]
    fn of_what_several_processes_left_the_window_counts_in_which_more_counts_now() {
        let quotas = Quotas::per_minute_and_hour(60, 1_000);
        let saved = |spent: u32, ago: u64| {
            let at = TestClock::START.saturating_sub(Duration::from_secs(ago));
            let mut state = State::default();
            for _ in 0..spent {
                decide(&mut state, at, &quotas, 1);
            }
            Snapshot {
                at,
                states: vec![(KEY, state)],
            }
            .to_bytes()
        };
        for pieces in [[saved(60, 7_200), saved(50, 0)], [saved(50, 0), saved(60, 7_200)]] {
            let (limiter, _) = limiter();
            for piece in &pieces {
                limiter.restore(piece).unwrap();
            }
            assert_eq!(left(&limiter, &quotas), 10);
        }
    }

    #[test]
    fn time_goes_on_where_an_earlier_process_left_off_unless_that_was_far_ahead() {
        let quotas = Quotas::from(Quota::per_minute(60));
        let saved = |ahead: u64| {
            let at = TestClock::START.saturating_add(Duration::from_secs(ahead));
            let mut state = State::default();
            decide(&mut state, at, &quotas, 60);
            Snapshot {
                at,
                states: vec![(KEY, state)],
            }
            .to_bytes()
        };
        let (limiter, clock) = limiter();
        limiter.restore(&saved(3_600)).unwrap();
        assert_eq!(left(&limiter, &quotas), 0);
        clock.advance(Duration::from_secs(60));
        assert_eq!(left(&limiter, &quotas), 60);
        let (limiter, _) = self::limiter();
        assert!(limiter.restore(&saved(25 * 3_600)).is_err());
        assert_eq!(left(&limiter, &quotas), 60);
    }

    #[test]
    fn states_that_say_nothing_are_swept() {
        let (limiter, clock) = limiter();
        let quotas = Quotas::per_minute_and_hour(60, 1_000);
        limiter.slot(KEY).decide(limiter.now(), &quotas, 1);
        clock.advance(Duration::from_secs(3_599));
        limiter.sweep();
        assert_eq!(limiter.counts().states, 1);
        clock.advance(Duration::from_secs(1));
        limiter.sweep();
        assert_eq!(limiter.counts().states, 0);
    }
}
