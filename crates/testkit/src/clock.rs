//! A clock that stands still until it is told to go on.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use tigertrust_model::{Clock, Timestamp};

/// A clock that stands still until it is told to go on. It starts in 2027.
#[derive(Debug, Default)]
pub struct TestClock {
    elapsed_micros: AtomicU64,
    /// How far the wall clock was set forward, or back.
    set_micros: AtomicI64,
}

impl TestClock {
    /// Where every test clock starts: 2027-01-15T08:00:00Z.
    pub const START: Timestamp = Timestamp::from_unix_micros(1_800_000_000_000_000);

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        self.elapsed_micros.fetch_add(
            u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            Ordering::SeqCst,
        );
    }

    /// Sets the wall clock back. What is monotonic knows nothing of it.
    pub fn step_back(&self, duration: Duration) {
        self.set_micros.fetch_sub(micros(duration), Ordering::SeqCst);
    }

    /// Sets the wall clock forward. What is monotonic knows nothing of it.
    pub fn step_forward(&self, duration: Duration) {
        self.set_micros.fetch_add(micros(duration), Ordering::SeqCst);
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = micros(self.monotonic()) + self.set_micros.load(Ordering::SeqCst);
        Timestamp::from_unix_micros(Self::START.unix_micros() + passed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.elapsed_micros.load(Ordering::SeqCst))
    }
}
