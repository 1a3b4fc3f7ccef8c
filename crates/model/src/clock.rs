//! Where time comes from.

use std::time::Duration;

use crate::Timestamp;

/// A source of time. Handed to whatever needs it; nothing reads the time of the machine by itself.
pub trait Clock: Send + Sync {
    /// The wall clock: what is stored, shown and compared with expiries.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start that never goes backwards: what deadlines and staleness are measured on.
    fn monotonic(&self) -> Duration;
}
