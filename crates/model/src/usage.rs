//! How often keys are used: what becomes of a call, and the lengths of time that calls are counted by.

use std::{fmt, str::FromStr, time::Duration};

use crate::Timestamp;

/// What became of a call with a known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It was admitted.
    Valid,
    /// The key was deactivated, or its workspace or owner is gone.
    Unauthorized,
    /// The key was past its expiry.
    TokenExpired,
    /// The key was revoked, or its secret replaced.
    KeyRevoked,
    /// The key, or the network that it was used from, had called too often.
    RateLimited,
    /// The key's address, type or scopes did not allow it.
    Forbidden,
    /// The workspace that was named is not the key's.
    WorkspaceAccessDenied,
    /// No workspace was named, where an instance key has to name one.
    ValidationError,
}

impl Outcome {
    /// Every outcome, in the order of the variants.
    pub const ALL: [Self; 8] = [
        Self::Valid,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::KeyRevoked,
        Self::RateLimited,
        Self::Forbidden,
        Self::WorkspaceAccessDenied,
        Self::ValidationError,
    ];

    /// The name on the wire and in the database: `VALID`, or the code of the error that the caller got.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::KeyRevoked => "KEY_REVOKED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Forbidden => "FORBIDDEN",
            Self::WorkspaceAccessDenied => "WORKSPACE_ACCESS_DENIED",
            Self::ValidationError => "VALIDATION_ERROR",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be VALID or the code of an error")]
pub struct UnknownOutcome;

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or(UnknownOutcome)
    }
}

/// The length of time that calls are counted by, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Granularity {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Granularity {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// How long it is.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        })
    }

    /// The start of the one that the time is in.
    #[must_use]
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        let length = i64::try_from(self.length().as_micros()).unwrap_or(i64::MAX);
        let micros = time.unix_micros();
        Timestamp::from_unix_micros(micros.saturating_sub(micros.rem_euclid(length)))
    }

    /// The end of the one that the time is in, or the time itself where one ends there.
    #[must_use]
    pub fn end_of(self, time: Timestamp) -> Timestamp {
        let start = self.start_of(time);
        if start == time {
            time
        } else {
            start.saturating_add(self.length())
        }
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no granularity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be minute, hour or day")]
pub struct UnknownGranularity;

impl FromStr for Granularity {
    type Err = UnknownGranularity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|granularity| granularity.as_str() == text)
            .ok_or(UnknownGranularity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_every_place_is_its_own() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), index);
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        for granularity in Granularity::ALL {
            assert_eq!(granularity.as_str().parse(), Ok(granularity));
        }
        assert_eq!("VALIDE".parse::<Outcome>(), Err(UnknownOutcome));
        assert_eq!("week".parse::<Granularity>(), Err(UnknownGranularity));
    }

    #[test]
    fn a_time_is_in_one_bucket_and_a_border_belongs_to_the_next() {
        let at = Timestamp::from_unix_micros;
        let (hour, second) = (3_600_000_000, 1_000_000);
        for (time, start, end) in [
            (0, 0, 0),
            (1, 0, hour),
            (hour - 1, 0, hour),
            (hour, hour, hour),
            (-second, -hour, 0),
        ] {
            assert_eq!(Granularity::Hour.start_of(at(time)), at(start), "{time}");
            assert_eq!(Granularity::Hour.end_of(at(time)), at(end), "{time}");
        }
        for granularity in Granularity::ALL {
            assert_eq!(granularity.start_of(Timestamp::MIN), Timestamp::MIN);
            assert!(granularity.end_of(Timestamp::MAX) >= granularity.start_of(Timestamp::MAX));
        }
    }
}
