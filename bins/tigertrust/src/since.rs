//! Times as people write them who mean "since then": `90d`, `2027-01-31`, `2027-01-31T12:00:00Z`.

use std::time::Duration;

use tigertrust_model::Timestamp;
use tigertrust_wire::parse_rfc3339;

use crate::duration;

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// At that time.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl Since {
    /// The time, for somebody who asks at `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => now.saturating_sub(duration),
        }
    }
}

/// Reads a length of time, a date (its beginning in UTC) or a time.
pub fn parse(text: &str) -> Result<Since, String> {
    if let Ok(duration) = duration::parse(text) {
        return Ok(Since::Ago(duration));
    }
    let time = parse_rfc3339(text).or_else(|_| parse_rfc3339(&format!("{text}T00:00:00Z")));
    time.map(Since::At).map_err(|_| {
        format!("{text:?} must be a length of time such as 90d, or a date or time such as 2027-01-31")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_dates_and_times_are_read() {
        let now = parse_rfc3339("2027-01-31T12:00:00Z").unwrap();
        for (text, expected) in [
            ("1d", "2027-01-30T12:00:00Z"),
            ("2027-01-02", "2027-01-02T00:00:00Z"),
            ("2027-01-02T03:04:05+01:00", "2027-01-02T02:04:05Z"),
        ] {
            assert_eq!(
                parse(text).unwrap().at(now),
                parse_rfc3339(expected).unwrap(),
                "{text}"
            );
        }
        for text in ["", "90", "yesterday", "2027-02-30", "2027-01"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
