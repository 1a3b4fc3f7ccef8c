//! The settings of the audit log.

use std::{path::PathBuf, time::Duration};

use super::reader::Reader;
use crate::duration;

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
        let often = "a length of time such as 1h, of a minute at the least and 30 days at the most";
        Self {
            checkpoint_file: reader.read("audit.checkpoint_file", "a path", |text| {
                (!text.is_empty()).then(|| PathBuf::from(text))
            }),
            checkpoint_every: reader
                .read("audit.checkpoint_every", often, |text| {
                    let within = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 60 * 60);
                    duration::parse(text)
                        .ok()
                        .filter(|duration| within.contains(duration))
                })
                .unwrap_or(Duration::from_secs(60 * 60)),
        }
    }
}
