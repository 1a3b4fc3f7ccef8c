//! Times, durations and addresses in words.

use std::time::Duration;

use tigertrust_model::{Email, Timestamp};
use time::{OffsetDateTime, format_description::StaticFormatDescription, macros::format_description};

use crate::harmless;

const MAX_DOMAIN: usize = 60;
const TIME: StaticFormatDescription = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");

/// The first letter of an address and its domain: whoever lost it knows it again, and nobody else learns it.
pub(crate) fn masked(email: &Email) -> String {
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
    let first: String = local.chars().take(1).collect();
    let plain = domain
        .chars()
        .all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'));
    let domain = if plain {
        domain.to_owned()
    } else {
        harmless::name(domain, MAX_DOMAIN)
    };
    format!("{}…@{domain}", harmless::name(&first, 1))
}

/// A time as people read it, to the minute.
pub(crate) fn written(time: Timestamp) -> String {
    // A Timestamp is held within the years that can be written, so that neither step can fail.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.unix_micros()) * 1000)
        .ok()
        .and_then(|time| time.format(&TIME).ok())
        .unwrap_or_default()
}

/// A duration in the largest unit that divides it, down to minutes.
pub(crate) fn in_words(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let (count, unit) = match minutes {
        _ if minutes > 0 && minutes.is_multiple_of(24 * 60) => (minutes / (24 * 60), "day"),
        _ if minutes > 0 && minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        for (minutes, words) in [
            (1, "1 minute"),
            (30, "30 minutes"),
            (60, "1 hour"),
            (90, "90 minutes"),
            (2880, "2 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(60 * minutes)), words);
        }
    }

    #[test]
    fn most_of_an_address_is_left_out() {
        for (address, shown) in [
            ("jo.doe@example.com", "j…@example.com"),
            ("é@exämple.com", "é…@exämple.com"),
            ("x@https://evil.example/y", "x…@https: //evil. example/y"),
        ] {
            assert_eq!(masked(&address.parse().unwrap()), shown);
        }
    }
}
