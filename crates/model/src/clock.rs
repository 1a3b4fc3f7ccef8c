//! Where time comes from.

use std::time::Duration;

use crate::Timestamp;

/// A source of time. Handed to whatever needs it; nothing reads the time of the machine by itself.
pub trait Clock: Send + Sync {
    /// The wall clock: what is stored, shown and compared with expiries.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start that never goes backwards: what deadlines and staleness are measured on.
    fn monotonic(&self) -> Duration;

    /// Both at once, for who needs both: to read a clock costs more than most of what a check does.
    fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            monotonic: self.monotonic(),
        }
    }
}

/// What both clocks said at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: Timestamp,
    /// Time since an arbitrary start.
    pub monotonic: Duration,
}
