//! Points in time, as SAML writes them.

use std::time::Duration;

use tigertrust_model::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How far clocks may be apart.
pub(super) const SKEW: Duration = Duration::from_secs(3 * 60);

/// Reads an instant: UTC, as SAML demands (Core §1.3.3), of this era. Arithmetic further on cannot leave the calendar.
pub(super) fn parse(value: &str) -> Option<Timestamp> {
    if !value.ends_with('Z') || value.len() > 40 {
        return None;
    }
    let instant = OffsetDateTime::parse(value, &Rfc3339).ok()?;
    if !(1970..9000).contains(&instant.year()) {
        return None;
    }
    let micros = i64::try_from(instant.unix_timestamp_nanos() / 1000).ok()?;
    Some(Timestamp::from_unix_micros(micros))
}

/// Writes an instant, in whole seconds.
pub(super) fn format(instant: Timestamp) -> Option<String> {
    let seconds = instant.unix_micros().div_euclid(1_000_000);
    let instant = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    instant.format(&Rfc3339).ok()
}

/// Whether an instant has come, by a clock that may be behind.
pub(super) fn has_come(instant: Timestamp, now: Timestamp) -> bool {
    instant <= now.saturating_add(SKEW)
}

/// Whether an instant is past, by a clock that may be ahead.
pub(super) fn is_past(instant: Timestamp, now: Timestamp) -> bool {
    instant.saturating_add(SKEW) <= now
}
