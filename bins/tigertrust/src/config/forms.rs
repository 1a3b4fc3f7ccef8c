//! The forms that settings have: numbers, lengths of time, lists, secrets.

use std::{
    fmt::Display,
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use config::{ConfigError, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::reader::Reader;
use crate::duration;

const DURATION: &str = "a length of time such as 5s, out of ms, s, m, h and d, of a day at the most";
/// What is longer is a mistake, and would be too long for the arithmetic of clocks.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(
    reader: &mut Reader,
    key: &'static str,
    default: T,
    least: T,
    most: T,
) -> T {
    let allowed = format!("a number from {least} to {most}");
    reader.read_or(key, &allowed, default, |text| {
        text.parse().ok().filter(|value| (least..=most).contains(value))
    })
}

/// Off, unless something says otherwise.
pub(super) fn flag(reader: &mut Reader, key: &str) -> bool {
    reader.read_or(key, "true or false", false, |text| text.parse().ok())
}

pub(super) fn path(reader: &mut Reader, key: &str, allowed: &str) -> Option<PathBuf> {
    reader.read(key, allowed, |text| {
        // A file's content in its place is no path.
        (!text.is_empty() && !text.contains('\n')).then(|| PathBuf::from(text))
    })
}

/// A length of time of a day at the most.
pub(super) fn time(reader: &mut Reader, key: &str, default: Duration) -> Duration {
    let read = reader.read(key, DURATION, |text| {
        duration::parse(text)
            .ok()
            .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
    });
    reader.default_is(key, &duration::show(default));
    read.unwrap_or(default)
}

/// A length of time with bounds of its own; none where nothing sets it.
pub(super) fn time_within(
    reader: &mut Reader,
    key: &str,
    bounds: &RangeInclusive<Duration>,
) -> Option<Duration> {
    let allowed = format!(
        "a length of time such as 12h, of {} at the least and {} at the most",
        duration::show(*bounds.start()),
        duration::show(*bounds.end())
    );
    reader.read(key, &allowed, |text| {
        duration::parse(text)
            .ok()
            .filter(|duration| bounds.contains(duration))
    })
}

/// The same where something counts that nothing sets.
pub(super) fn time_within_or(
    reader: &mut Reader,
    key: &str,
    bounds: &RangeInclusive<Duration>,
    default: Duration,
) -> Duration {
    let read = time_within(reader, key, bounds);
    reader.default_is(key, &duration::show(default));
    read.unwrap_or(default)
}

/// A secret from its setting, or from the file that another setting names.
pub(super) fn secret<T, E: Display>(
    reader: &mut Reader,
    [key, file_key]: [&str; 2],
    allowed: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let plain = reader.read_secret(key, allowed, &parse);
    let Some((path, origin)) = reader.take_any(file_key, "the path of a file that holds it") else {
        return plain;
    };
    if plain.is_some() {
        reader.refuse(file_key, &origin, &format!("{key} is set too: keep one of them"));
        return plain;
    }
    reader.comes_from(key, file_key);
    let read = path
        .into_string()
        .map_err(|_| "must be the path of a file".to_owned())
        .and_then(|path| {
            let text = read_file(&path)?;
            parse(text.trim_end()).map_err(|error| format!("{path:?}: {error}"))
        });
    read.map_err(|detail| reader.refuse(file_key, &origin, &detail))
        .ok()
}

/// The text of a file that a setting names.
pub(super) fn read_file(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| cannot_read(path, &error))
}

/// Why there is nothing to read at a path. What may be no path is not shown: it is what the file should hold, more likely than not,
/// and that is a secret.
pub fn cannot_read(path: &str, error: &io::Error) -> String {
    if is_path(path) {
        format!("{path:?} cannot be read: {error}")
    } else if may_be_content(path) {
        "must be the path of a file that holds it, and seems to be what the file should hold".to_owned()
    } else {
        format!("names no file that can be read: {error}")
    }
}

/// The longest text that is shown.
const LONGEST_SHOWN: usize = 200;

/// Whether a text is the path of a file, by its looks or since the file is there, and not what the file should hold.
pub(super) fn is_path(text: &str) -> bool {
    const BEGINNINGS: [&str; 4] = ["/", "./", "../", "~/"];
    const ENDINGS: [&str; 9] = [
        ".toml", ".pem", ".key", ".crt", ".cer", ".txt", ".json", ".xml", ".env",
    ];
    let looks_so = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        || ENDINGS.iter().any(|ending| text.ends_with(ending));
    let is_plain = text.len() <= LONGEST_SHOWN
        && !text.contains([':', '@', '=', ' '])
        && !text.chars().any(char::is_control);
    (looks_so && is_plain) || Path::new(text).is_file()
}

/// Whether a text that should be a name or an address may be a secret that somebody put there, or hold one.
pub(super) fn may_be_content(text: &str) -> bool {
    const OF_SECRETS: [&str; 3] = ["ak_", "ck_", "tt_"];
    text.len() > LONGEST_SHOWN
        || text.contains(['=', '@'])
        || text.chars().any(char::is_control)
        // The query or the fragment of an address, encoded or not.
        || (text.contains(':') && text.contains(['?', '#', '%']))
        || OF_SECRETS.iter().any(|prefix| text.contains(prefix))
}

const ORIGINS: &str = "origins such as https://app.example.com, in small letters and without a path";

pub(super) fn origins(reader: &mut Reader, key: &str) -> Vec<String> {
    let Some((value, origin)) = reader.take_any(key, ORIGINS) else {
        return Vec::new();
    };
    let texts = list(value).unwrap_or_default();
    let is_origin = |text: &String| {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        host.is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
                })
        })
    };
    if texts.is_empty() || !texts.iter().all(is_origin) {
        reader.refuse(key, &origin, &format!("must be {ORIGINS}"));
    }
    texts
}

/// An array in TOML, a list with commas in the environment.
pub(super) fn list(value: Value) -> Option<Vec<String>> {
    match &value.kind {
        ValueKind::String(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
        _ => value.try_deserialize().ok(),
    }
}

/// The entries of an array of tables; `allowed` says which, with which fields.
pub(super) fn tables<T: DeserializeOwned>(value: Value, allowed: &str) -> Result<Vec<T>, String> {
    let ValueKind::Array(entries) = value.kind else {
        return Err(format!("must be {allowed}"));
    };
    let read = |(place, entry): (usize, Value)| {
        entry
            .try_deserialize()
            .map_err(|error| format!("must be {allowed}; of table {}: {}", place + 1, plain(&error)))
    };
    entries.into_iter().enumerate().map(read).collect()
}

/// What is wrong with a table, in words of ours as far as there are any.
fn plain(error: &ConfigError) -> String {
    match error {
        ConfigError::NotFound(field) => format!("{field} is missing"),
        ConfigError::Type {
            key: Some(field),
            expected,
            ..
        } => format!("{field} must be {expected}"),
        ConfigError::Type { expected, .. } => format!("must be {expected}"),
        ConfigError::At {
            error,
            key: Some(field),
            ..
        } => format!("{field}: {}", plain(error)),
        ConfigError::At { error, .. } => plain(error),
        ConfigError::Message(text) => match text
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split_once('`'))
        {
            Some((field, _)) => format!("there is no field {field}"),
            None => text.clone(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_and_what_may_be_a_secret_is_not() {
        for path in [
            "/run/secrets/ring",
            "./ring",
            "../ring",
            "ring.toml",
            "certs/key.pem",
            "Cargo.toml",
        ] {
            assert!(is_path(path), "{path}");
        }
        for text in [
            "hunter2",
            "c2VjcmV0L3NlY3JldA",
            "/a b",
            "./user:secret@host",
            "postgres://a/b.key",
            "a=b.pem",
            "/\n.key",
            &format!("/{}", "x".repeat(200)),
        ] {
            assert!(!is_path(text), "{text}");
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_known() {
        for text in [
            "smtp://user:secret@host",
            "user@host",
            "https://host/?token",
            "https://host/%3Ftoken%3Dx",
            "a=b",
            "ak_00000",
            "a\tb",
        ] {
            assert!(may_be_content(text), "{text}");
        }
        for text in ["nowhere", "collector:4318", "5%", "https://host/path", "::1"] {
            assert!(!may_be_content(text), "{text}");
        }
    }
}
