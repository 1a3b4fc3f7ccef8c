//! Lengths of time as people write them: `200ms`, `5s`, `10m`, `12h`, `90d`.

use std::time::Duration;

/// Reads a length of time.
pub fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("{text:?} must be a number and a unit out of ms, s, m, h and d, such as 5s");
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        _ => None,
    }
    .ok_or_else(invalid)
}

/// Writes a length of time in the largest unit that holds it exactly.
pub fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [
        (24 * 60 * 60 * 1000, "d"),
        (60 * 60 * 1000, "h"),
        (60 * 1000, "m"),
        (1000, "s"),
    ];
    match units
        .into_iter()
        .find(|(each, _)| millis > 0 && millis.is_multiple_of(*each))
    {
        Some((each, unit)) => format!("{}{unit}", millis / each),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["200ms", "5s", "10m", "12h", "90d", "0ms", "90s", "1500ms"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5w",
            "1.5s",
            "5ß",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
