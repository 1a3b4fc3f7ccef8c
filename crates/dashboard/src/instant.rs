//! Times as people read them. The server writes UTC; where there is JavaScript, the page shows the reader's own zone and keeps UTC for
//! who points at it.

use maud::{Markup, html};
use tigertrust_model::Timestamp;
use tigertrust_wire::format_rfc3339;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A point in time: `2026-11-26 17:50 UTC`.
pub(crate) fn at(time: Timestamp) -> Markup {
    let utc = utc(time);
    html! { time datetime=(format_rfc3339(time)) title=(utc) data-local { (utc) } }
}

/// A point in time as seen from now: `3 minutes ago`, `in 2 days`.
pub(crate) fn from_now(time: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(format_rfc3339(time)) title=(utc(time)) { (distance(time, now)) } }
}

/// To the second, in UTC.
pub(crate) fn utc(time: Timestamp) -> String {
    let text = format_rfc3339(time);
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let clock: String = rest.chars().take(8).collect();
    format!("{date} {clock} UTC")
}

/// The day alone, in UTC.
pub(crate) fn date(time: Timestamp) -> String {
    format_rfc3339(time).chars().take(10).collect()
}

/// How far off a time is, in words.
pub(crate) fn distance(time: Timestamp, now: Timestamp) -> String {
    let seconds = (time.unix_micros() - now.unix_micros()) / 1_000_000;
    let far = seconds.abs();
    if far < 10 {
        return "just now".to_owned();
    }
    // To the nearest: what ends in 30 days, as it was just said, does not end in 29.
    let nearest = |length: i64| (far + length / 2) / length;
    let (count, unit) = match far {
        _ if far < MINUTE => (far, "second"),
        _ if far < HOUR => (nearest(MINUTE), "minute"),
        _ if far < DAY => (nearest(HOUR), "hour"),
        _ if far < 60 * DAY => (nearest(DAY), "day"),
        _ if far < 730 * DAY => (nearest(30 * DAY), "month"),
        _ => (nearest(365 * DAY), "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_words() {
        let now = Timestamp::from_unix_micros(1_800_000_000_000_000);
        let shifted = |seconds: i64| Timestamp::from_unix_micros(now.unix_micros() + seconds * 1_000_000);
        for (seconds, words) in [
            (0, "just now"),
            (-59, "59 seconds ago"),
            (-60, "1 minute ago"),
            (2 * HOUR, "in 2 hours"),
            (-DAY, "1 day ago"),
            (90 * DAY - 1, "in 3 months"),
            (30 * DAY - 1, "in 30 days"),
            (-800 * DAY, "2 years ago"),
        ] {
            assert_eq!(distance(shifted(seconds), now), words);
        }
    }
}
