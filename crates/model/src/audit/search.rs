//! What to look for in the audit log, and where to go on.

use std::{fmt, str::FromStr};

use super::{AuditAction, AuditOutcome};
use crate::Timestamp;

/// A place in a list that is ordered by time, then by place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// The time of the last event of the page before.
    pub at: Timestamp,
    /// Its place in the chain.
    pub seq: u64,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.unix_micros(), self.seq)
    }
}

impl FromStr for AuditCursor {
    type Err = UnknownCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, seq) = text.split_once('.').ok_or(UnknownCursor)?;
        Ok(Self {
            at: Timestamp::from_unix_micros(at.parse().map_err(|_| UnknownCursor)?),
            seq: seq.parse().map_err(|_| UnknownCursor)?,
        })
    }
}

/// The text is no place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the nextCursor of a page")]
pub struct UnknownCursor;

/// What to look for in a log. Conditions add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// One of these actions; none for all.
    pub actions: Option<Vec<AuditAction>>,
    /// A principal or a credential, by its id.
    pub actor: Option<String>,
    /// What it was done on, by its id.
    pub target: Option<String>,
    /// Whether it happened.
    pub outcome: Option<AuditOutcome>,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}
