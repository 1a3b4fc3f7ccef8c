//! How long things take, counted by classes of duration.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const CLASSES: usize = 16;

/// Counts durations in the classes of [`BOUNDS`](Self::BOUNDS). It takes no lock, and may be read at any time.
#[derive(Debug)]
pub struct Histogram {
    /// The last is of what took longer than the last bound.
    counts: [AtomicU64; CLASSES + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// The longest duration of each class. From what memory answers to what a person gives up on.
    pub const BOUNDS: [Duration; CLASSES] = [
        Duration::from_micros(25),
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(10),
    ];

    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let class = Self::BOUNDS.partition_point(|bound| *bound < took);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What was counted until now.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            counts: array::from_fn(|class| {
                self.counts
                    .get(class)
                    .map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            sum: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; CLASSES + 1],
            nanoseconds: AtomicU64::new(0),
        }
    }
}

/// What a [`Histogram`] had counted at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// How many were of each class of [`Histogram::BOUNDS`] and of none before it; the last is of what took longer.
    pub counts: [u64; CLASSES + 1],
    /// How long all of them took together.
    pub sum: Duration,
}

impl HistogramSnapshot {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_class_that_takes_it() {
        let histogram = Histogram::default();
        for took in [
            Duration::ZERO,
            Duration::from_micros(25),
            Duration::from_nanos(25_001),
            Duration::from_secs(10),
            Duration::from_secs(11),
        ] {
            histogram.observe(took);
        }
        let seen = histogram.snapshot();
        let mut counts = [0; CLASSES + 1];
        (counts[0], counts[1], counts[CLASSES - 1], counts[CLASSES]) = (2, 1, 1, 1);
        assert_eq!(seen.counts, counts);
        assert_eq!(seen.count(), 5);
        assert_eq!(seen.sum, Duration::from_nanos(21_000_050_001));
    }

    #[test]
    fn the_bounds_rise() {
        assert!(Histogram::BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
