//! A clock that stands still until it is told to go on.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tigertrust_model::{Clock, Timestamp};

/// A clock that stands still until it is told to go on. It starts in 2027.
#[derive(Debug, Default)]
pub struct TestClock {
    elapsed_micros: AtomicU64,
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
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Self::START.saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.elapsed_micros.load(Ordering::SeqCst))
    }
}
