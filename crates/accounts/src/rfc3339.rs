//! Times in RFC 3339.

use tigertrust_model::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A time as it travels: RFC 3339 in UTC, with as many digits of a second as it needs.
#[must_use]
pub fn format_rfc3339(time: Timestamp) -> String {
    // A Timestamp is held within the years that RFC 3339 can write, so that neither step can fail.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.unix_micros()) * 1000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Reads a time in RFC 3339, in any offset; digits beyond microseconds are dropped.
///
/// # Errors
/// A sentence for the caller.
pub fn parse_rfc3339(text: &str) -> Result<Timestamp, &'static str> {
    let invalid = "must be an RFC 3339 time such as 2027-01-31T12:00:00Z";
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid)?;
    // The offset may lead out of the years that can be written.
    let micros = i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).map_err(|_| invalid)?;
    let held = Timestamp::from_unix_micros(micros);
    if held.unix_micros() == micros {
        Ok(held)
    } else {
        Err(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_read_in_any_offset() {
        let time = parse_rfc3339("2027-01-31T12:00:00.123456789+02:00").unwrap();
        assert_eq!(format_rfc3339(time), "2027-01-31T10:00:00.123456Z");
        assert_eq!(parse_rfc3339("2027-01-31T10:00:00.123456Z"), Ok(time));
        assert_eq!(
            format_rfc3339(Timestamp::from_unix_micros(0)),
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(format_rfc3339(Timestamp::MAX), "9999-12-31T23:59:59.999999Z");
        assert_eq!(format_rfc3339(Timestamp::MIN), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2027-01-31",
            "2027-01-31 12:00:00",
            "2027-02-30T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "0000-01-01T00:00:00+00:01",
        ] {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }
}
