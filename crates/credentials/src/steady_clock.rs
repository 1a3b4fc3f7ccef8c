//! A clock that never goes back, whatever is done to the one of the machine.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tigertrust_model::{Clock, Moment, Timestamp};

/// A clock over another one that never goes back: when the wall clock of the other is set back, time goes on from the latest that
/// was seen, at the pace of its monotonic clock. So nothing that has expired revives.
///
/// What other processes have seen, or this one before it was started again, is told by [`raise`](Self::raise).
pub struct SteadyClock {
    inner: Arc<dyn Clock>,
    /// The least that the wall clock may say, in microseconds since 1970, less what the monotonic clock says.
    floor: AtomicI64,
}

impl SteadyClock {
    /// A clock that goes on from what the other one says now.
    pub fn new(inner: Arc<dyn Clock>) -> Self {
        let clock = Self {
            floor: AtomicI64::new(i64::MIN),
            inner,
        };
        clock.now();
        clock
    }

    /// What the clock of the machine says.
    #[must_use]
    pub fn machine(&self) -> Timestamp {
        self.inner.now()
    }

    /// Time was seen to be this late already: from now on it is not earlier.
    pub fn raise(&self, seen: Timestamp) {
        self.floor.fetch_max(
            seen.unix_micros().saturating_sub(self.passed()),
            Ordering::Relaxed,
        );
    }

    /// Lets time go back to what the clock of the machine says, or to `seen` if that is later: what had been seen was wrong.
    pub fn reset(&self, seen: Timestamp) {
        let floor = seen.max(self.machine()).unix_micros();
        self.floor
            .store(floor.saturating_sub(self.passed()), Ordering::Relaxed);
    }

    /// How far the clock of the machine is behind the time that this one says.
    #[must_use]
    pub fn behind(&self) -> Duration {
        let machine = self.machine().unix_micros();
        let ahead = self.now().unix_micros().saturating_sub(machine);
        Duration::from_micros(u64::try_from(ahead).unwrap_or_default())
    }

    fn passed(&self) -> i64 {
        micros(self.inner.monotonic())
    }
}

fn micros(passed: Duration) -> i64 {
    i64::try_from(passed.as_micros()).unwrap_or(i64::MAX)
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.moment().now
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    fn moment(&self) -> Moment {
        let Moment { now, monotonic } = self.inner.moment();
        let (machine, passed) = (now.unix_micros(), micros(monotonic));
        let floor = self.floor.load(Ordering::Relaxed).saturating_add(passed);
        if floor < machine {
            // Both clocks of a machine run at one pace, so that this is written a few times after a start, and when the clock is set.
            self.floor
                .fetch_max(machine.saturating_sub(passed), Ordering::Relaxed);
        }
        Moment {
            now: Timestamp::from_unix_micros(machine.max(floor)),
            monotonic,
        }
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteadyClock")
            .field("behind", &self.behind())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const MINUTE: Duration = Duration::from_secs(60);
    const START: Timestamp = Timestamp::from_unix_micros(1_800_000_000_000_000);

    /// The clock of a machine that somebody sets.
    #[derive(Default)]
    struct Machine {
        passed: AtomicI64,
        set: AtomicI64,
    }

    impl Machine {
        fn advance(&self, duration: Duration) {
            self.passed.fetch_add(micros(duration), Ordering::Relaxed);
        }

        fn step_back(&self, duration: Duration) {
            self.set.fetch_sub(micros(duration), Ordering::Relaxed);
        }

        fn step_forward(&self, duration: Duration) {
            self.set.fetch_add(micros(duration), Ordering::Relaxed);
        }
    }

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            let passed = self.passed.load(Ordering::Relaxed) + self.set.load(Ordering::Relaxed);
            Timestamp::from_unix_micros(START.unix_micros() + passed)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.passed.load(Ordering::Relaxed).unsigned_abs())
        }
    }

    fn clocks() -> (Arc<Machine>, SteadyClock) {
        let machine = Arc::new(Machine::default());
        let clock = SteadyClock::new(Arc::clone(&machine) as Arc<dyn Clock>);
        (machine, clock)
    }

    #[test]
    fn time_goes_on_where_the_machine_goes_back() {
        let (machine, clock) = clocks();
        machine.advance(2 * HOUR);
        let before = clock.now();
        assert_eq!(before, START.saturating_add(2 * HOUR));
        machine.step_back(HOUR);
        assert_eq!((clock.now(), clock.behind()), (before, HOUR));
        machine.advance(MINUTE);
        assert_eq!(clock.now(), before.saturating_add(MINUTE));
        assert_eq!(
            clock.machine(),
            before.saturating_add(MINUTE).saturating_sub(HOUR)
        );
    }

    #[test]
    fn a_machine_that_is_set_forward_is_followed() {
        let (machine, clock) = clocks();
        machine.step_back(HOUR);
        assert_eq!(clock.now(), START);
        machine.step_forward(3 * HOUR);
        assert_eq!(clock.now(), START.saturating_add(2 * HOUR));
        assert_eq!(clock.behind(), Duration::ZERO);
    }

    #[test]
    fn what_others_have_seen_counts_and_can_be_taken_back() {
        let (machine, clock) = clocks();
        clock.raise(START.saturating_sub(HOUR));
        assert_eq!(clock.now(), START);
        clock.raise(START.saturating_add(HOUR));
        machine.advance(MINUTE);
        let raised = START.saturating_add(HOUR + MINUTE);
        assert_eq!((clock.now(), clock.behind()), (raised, HOUR));
        clock.reset(START);
        assert_eq!(clock.now(), START.saturating_add(MINUTE));
        assert_eq!(clock.behind(), Duration::ZERO);
    }
}
