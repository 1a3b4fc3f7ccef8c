//! The settings of the audit log.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    forms::{path, time_within_or},
    reader::Reader,
};

/// A minute to thirty days.
const BOUNDS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 60 * 60);

/// Where checkpoints go by themselves, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file that they are appended to; none if nobody keeps them.
    pub checkpoint_file: Option<PathBuf>,
    /// How often.
    pub checkpoint_every: Duration,
}

impl AuditSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            checkpoint_file: path(reader, "audit.checkpoint_file", "a path"),
            checkpoint_every: time_within_or(
                reader,
                "audit.checkpoint_every",
                &BOUNDS,
                Duration::from_secs(60 * 60),
            ),
        }
    }
}
