//! Which cached values may still be trusted.
//!
//! Every change that this node hears of, from its own writes or from the feed, moves on a local counter, the *epoch*,
//! and leaves it on the thing that changed. A look-up notes the epoch before it asks the database; what it found is
//! true as long as nothing it depends on bears a later epoch. So a value that was read while a change came in is
//! noticed, and a hit costs a few atomic loads and no lock.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_model::{Change, Clock, Entity};

use crate::ports::ChangeListener;

/// How many things may be remembered before those that nothing refers to are swept out.
const FIRST_SWEEP: usize = 4096;

/// A point in this node's order of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

/// The latest changes of this node's database, and whether they are still being heard of.
pub struct ChangeTracker {
    clock: Arc<dyn Clock>,
    max_staleness: Duration,
    /// The epoch of the latest change.
    epoch: AtomicU64,
    /// Values noted before this epoch are not trusted, whatever they depend on.
    reset_at: AtomicU64,
    /// When the feed was last caught up, in microseconds of the monotonic clock, plus one; 0 is never.
    heard_at: AtomicU64,
    known: Mutex<Known>,
}

struct Known {
    things: HashMap<Entity, Thing>,
    /// Changes up to this epoch may have been swept out.
    floor: u64,
    sweep_at: usize,
}

#[derive(Default)]
struct Thing {
    /// The epoch of its latest change, shared with the values that depend on it.
    changed_at: Arc<AtomicU64>,
    /// The number of that change, so that hearing of it twice is noticed.
    seq: u64,
}

/// What a value depends on, and the latest epoch at which it is known to have been true.
#[derive(Debug)]
pub(crate) struct Watch {
    since: AtomicU64,
    changed_at: Box<[Arc<AtomicU64>]>,
}

impl ChangeTracker {
    /// A tracker that trusts nothing until the feed has been heard, and nothing any more once it has been silent for
    /// longer than `max_staleness`.
    pub fn new(clock: Arc<dyn Clock>, max_staleness: Duration) -> Self {
        Self {
            clock,
            max_staleness,
            epoch: AtomicU64::new(0),
            reset_at: AtomicU64::new(0),
            heard_at: AtomicU64::new(0),
            known: Mutex::new(Known {
                things: HashMap::new(),
                floor: 0,
                sweep_at: FIRST_SWEEP,
            }),
        }
    }

    /// Whether the feed was caught up within the staleness bound.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh_at(self.monotonic())
    }

    /// The same, at a time of the monotonic clock that was read a moment ago.
    pub(crate) fn is_fresh_at(&self, now: Duration) -> bool {
        self.was_heard_before(now, self.max_staleness)
    }

    /// Whether the feed was caught up so long ago or later.
    #[must_use]
    pub fn was_heard_within(&self, duration: Duration) -> bool {
        self.was_heard_before(self.monotonic(), duration)
    }

    fn was_heard_before(&self, now: Duration, duration: Duration) -> bool {
        match self.heard_at.load(Ordering::Acquire) {
            0 => false,
            heard => now.saturating_sub(Duration::from_micros(heard - 1)) <= duration,
        }
    }

    /// How long ago the feed was last caught up; since the clock began, where it never was.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let heard = self.heard_at.load(Ordering::Acquire).saturating_sub(1);
        self.monotonic().saturating_sub(Duration::from_micros(heard))
    }

    /// The monotonic clock that freshness is measured on.
    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The epoch to note before a look-up asks the database.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Watches what a value depends on that was read at or after `since`.
    pub(crate) fn watch(&self, entities: impl IntoIterator<Item = Entity>, since: Epoch) -> Watch {
        let mut known = self.known();
        // What may have been swept out may have changed: hand out a watch that has already gone off.
        if since.0 < known.floor {
            let changed_at = Arc::new(AtomicU64::new(u64::MAX));
            return Watch {
                since: AtomicU64::new(since.0),
                changed_at: Box::new([changed_at]),
            };
        }
        let changed_at = entities
            .into_iter()
            .map(|entity| Arc::clone(&known.things.entry(entity).or_default().changed_at))
            .collect();
        known.sweep();
        Watch {
            since: AtomicU64::new(since.0),
            changed_at,
        }
    }

    /// Whether nothing that the watch is on has changed since.
    pub(crate) fn is_current(&self, watch: &Watch) -> bool {
        let since = watch.since.load(Ordering::Relaxed);
        // Before the things are looked at: what changes meanwhile has a later epoch.
        let now = self.epoch().0;
        if now <= since {
            // Nothing at all has changed, so that there is no need to look.
            return true;
        }
        let current = self.reset_at.load(Ordering::Acquire) <= since
            && watch
                .changed_at
                .iter()
                .all(|changed_at| changed_at.load(Ordering::Acquire) <= since);
        if current {
            watch.since.fetch_max(now, Ordering::Relaxed);
        }
        current
    }

    // A panic while the lock was held is impossible to make worse here: every step leaves the map consistent.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn micros(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX - 1)
    }
}

impl Known {
    /// Drops what no value depends on, once there is much of it.
    fn sweep(&mut self) {
        if self.things.len() < self.sweep_at {
            return;
        }
        let mut floor = self.floor;
        self.things.retain(|_, thing| {
            let watched = Arc::strong_count(&thing.changed_at) > 1;
            if !watched {
                floor = floor.max(thing.changed_at.load(Ordering::Acquire));
            }
            watched
        });
        self.floor = floor;
        self.sweep_at = FIRST_SWEEP.max(self.things.len().saturating_mul(2));
    }
}

impl ChangeListener for ChangeTracker {
    fn apply(&self, changes: &[Change]) {
        let mut known = self.known();
        for change in changes {
            let thing = known.things.entry(change.entity).or_default();
            if thing.seq >= change.seq {
                continue;
            }
            thing.seq = change.seq;
            let epoch = self.epoch.load(Ordering::Acquire) + 1;
            // The thing before the counter: whoever notes the new epoch asks the database after the change.
            thing.changed_at.store(epoch, Ordering::Release);
            self.epoch.store(epoch, Ordering::Release);
        }
        known.sweep();
    }

    fn reset(&self, _: u64) {
        let mut known = self.known();
        let epoch = self.epoch.load(Ordering::Acquire) + 1;
        self.reset_at.store(epoch, Ordering::Release);
        self.epoch.store(epoch, Ordering::Release);
        // The numbers of another life of the database may come again.
        for thing in known.things.values_mut() {
            thing.seq = 0;
        }
    }

    fn caught_up(&self, as_of: Duration) {
        self.heard_at.fetch_max(Self::micros(as_of) + 1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for ChangeTracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeTracker")
            .field("epoch", &self.epoch)
            .field("heard_at", &self.heard_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_model::{KeyId, Timestamp, WorkspaceId};
    use uuid::Uuid;

    use super::*;

    struct Stopwatch(AtomicU64);

    impl Clock for Stopwatch {
        fn now(&self) -> Timestamp {
            Timestamp::MIN
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn tracker() -> (Arc<Stopwatch>, ChangeTracker) {
        let clock = Arc::new(Stopwatch(AtomicU64::new(0)));
        (
            Arc::clone(&clock),
            ChangeTracker::new(clock, Duration::from_secs(5)),
        )
    }

    fn key(number: u128) -> Entity {
        Entity::Key(KeyId::from_uuid(Uuid::from_u128(number)))
    }

    const fn change(seq: u64, entity: Entity) -> Change {
        Change {
            seq,
            entity,
            workspace: None,
        }
    }

    fn workspace(number: u128) -> Entity {
        Entity::Workspace(WorkspaceId::from_uuid(Uuid::from_u128(number)))
    }

    #[test]
    fn a_value_is_current_until_something_it_depends_on_changes() {
        let (_, tracker) = tracker();
        let watch = tracker.watch([key(1), workspace(1)], tracker.epoch());
        tracker.apply(&[change(1, key(2))]);
        assert!(tracker.is_current(&watch));
        tracker.apply(&[change(2, workspace(1))]);
        assert!(!tracker.is_current(&watch));
    }

    #[test]
    fn a_change_that_comes_in_during_a_look_up_is_noticed() {
        let (_, tracker) = tracker();
        let before = tracker.epoch();
        tracker.apply(&[change(1, key(1))]);
        assert!(!tracker.is_current(&tracker.watch([key(1)], before)));
        assert!(tracker.is_current(&tracker.watch([key(1)], tracker.epoch())));
    }

    #[test]
    fn hearing_of_a_change_twice_changes_nothing() {
        let (_, tracker) = tracker();
        tracker.apply(&[change(7, key(1))]);
        let watch = tracker.watch([key(1)], tracker.epoch());
        tracker.apply(&[change(7, key(1))]);
        assert!(tracker.is_current(&watch));
        tracker.apply(&[change(8, key(1))]);
        assert!(!tracker.is_current(&watch));
    }

    #[test]
    fn after_a_reset_nothing_older_is_trusted_and_numbers_may_come_again() {
        let (_, tracker) = tracker();
        tracker.apply(&[change(7, key(1))]);
        let old = tracker.watch([key(2)], tracker.epoch());
        tracker.reset(7);
        assert!(!tracker.is_current(&old));
        let new = tracker.watch([key(1)], tracker.epoch());
        assert!(tracker.is_current(&new));
        tracker.apply(&[change(1, key(1))]);
        assert!(!tracker.is_current(&new));
    }

    #[test]
    fn what_was_swept_out_counts_as_changed_for_look_ups_under_way() {
        let (_, tracker) = tracker();
        let before = tracker.epoch();
        let kept = tracker.watch([key(0)], before);
        for number in 1..=u64::try_from(FIRST_SWEEP).unwrap() {
            tracker.apply(&[change(number, key(u128::from(number)))]);
        }
        assert!(tracker.known().things.len() < FIRST_SWEEP);
        assert!(tracker.is_current(&kept));
        assert!(!tracker.is_current(&tracker.watch([key(1)], before)));
        assert!(tracker.is_current(&tracker.watch([key(1)], tracker.epoch())));
    }

    #[test]
    fn silence_of_the_feed_ends_trust_and_its_return_restores_it() {
        let (clock, tracker) = tracker();
        assert!(!tracker.is_fresh());
        tracker.caught_up(Duration::ZERO);
        clock.0.store(5000, Ordering::Relaxed);
        assert!(tracker.is_fresh());
        assert_eq!(tracker.silence(), Duration::from_secs(5));
        clock.0.store(5001, Ordering::Relaxed);
        assert!(!tracker.is_fresh());
        tracker.caught_up(Duration::from_millis(5001));
        assert!(tracker.is_fresh());
    }
}
