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

/// Writes a length of time in the largest unit of which it is a whole number, as it is read.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole = units
        .iter()
        .find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["200ms", "5s", "61s", "10m", "12h", "90d", "36h"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn every_unit_is_read() {
        let expected = [
            ("200ms", 200),
            ("5s", 5000),
            ("10m", 600_000),
            ("12h", 43_200_000),
            ("90d", 7_776_000_000),
        ];
        for (text, millis) in expected {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)));
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
