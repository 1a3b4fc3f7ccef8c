//! One record of an export, and what of it has been looked at: what nobody asks for is told, not dropped.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tigertrust_model::Timestamp;
use tigertrust_wire::parse_rfc3339;

/// Numbers below this are seconds since 1970, others milliseconds: it stands for the year 5138, or 1973.
const SECONDS_BELOW: i64 = 100_000_000_000;

/// The fields of a record. Names are told apart by their letters and digits alone: `rate_limit_max` is `rateLimitMax`.
pub struct Fields {
    values: BTreeMap<String, (String, Value)>,
}

impl Fields {
    /// The fields of a record, some of them by other names than they have there. Such as hold nothing are left out.
    pub fn new(record: Map<String, Value>, names: &[(String, String)]) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in record {
            if is_nothing(&value) {
                continue;
            }
            let ours = names.iter().find(|(_, theirs)| *theirs == name);
            let known_as = ours.map_or(&name, |(ours, _)| ours);
            values.insert(plain(known_as), (name, value));
        }
        Self { values }
    }

    /// The value of the first of these fields that is there. The others count as looked at too.
    pub fn take(&mut self, names: &[&str]) -> Option<Value> {
        let mut found = None;
        for name in names {
            if let Some((_, value)) = self.values.remove(&plain(name)) {
                found = found.or(Some(value));
            }
        }
        found
    }

    /// Text, also where it stands as a number.
    pub fn text(&mut self, names: &[&str]) -> Option<String> {
        match self.take(names)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A whole number, also where it stands as text.
    pub fn number(&mut self, names: &[&str]) -> Result<Option<i64>, String> {
        let Some(value) = self.take(names) else {
            return Ok(None);
        };
        let number = match &value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong(names, "a whole number"))
    }

    /// Yes or no, in the ways in which databases write it.
    pub fn flag(&mut self, names: &[&str]) -> Result<Option<bool>, String> {
        let Some(value) = self.take(names) else {
            return Ok(None);
        };
        let word = match &value {
            Value::Bool(flag) => return Ok(Some(*flag)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "1" | "true" | "t" | "yes" => Ok(Some(true)),
            "0" | "false" | "f" | "no" => Ok(Some(false)),
            _ => Err(wrong(names, "true or false")),
        }
    }

    /// A time: RFC 3339, as databases print it (in UTC where no offset stands there), or seconds or milliseconds since 1970.
    pub fn time(&mut self, names: &[&str]) -> Result<Option<Timestamp>, String> {
        let Some(value) = self.take(names) else {
            return Ok(None);
        };
        let time = match &value {
            Value::Number(number) => number
                .as_i64()
                .or_else(|| whole(number.as_f64()?))
                .and_then(since_1970),
            Value::String(text) => read_time(text.trim()),
            _ => None,
        };
        time.map(Some)
            .ok_or_else(|| wrong(names, "a time such as 2027-01-31T12:00:00Z"))
    }

    /// A value that may be written as JSON within text, even twice over.
    pub fn json(&mut self, names: &[&str]) -> Option<Value> {
        let mut value = self.take(names)?;
        for _ in 0..2 {
            let Value::String(text) = &value else { break };
            match serde_json::from_str(text) {
                Ok(inner) => value = inner,
                Err(_) => break,
            }
        }
        (!is_nothing(&value)).then_some(value)
    }

    /// The names of the fields that nobody has asked for, as they stand in the export.
    pub fn rest(self) -> impl Iterator<Item = String> {
        self.values.into_values().map(|(name, _)| name)
    }
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// What databases and their tools write for nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.trim(), "" | "NULL" | "null" | "\\N"),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wrong(names: &[&str], allowed: &str) -> String {
    format!("{} must be {allowed}", names.first().copied().unwrap_or_default())
}

/// A number that a tool has written as one with a fraction of nothing.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0)
        .then(|| format!("{number:.0}").parse().ok())
        .flatten()
}

fn since_1970(number: i64) -> Option<Timestamp> {
    let scale = if number.abs() < SECONDS_BELOW {
        1_000_000
    } else {
        1_000
    };
    number.checked_mul(scale).map(Timestamp::from_unix_micros)
}

fn read_time(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse() {
        return since_1970(number);
    }
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let clock = clock.replace(' ', "");
    let clock = clock.trim_end_matches("UTC");
    // PostgreSQL writes +00, and + or - stands in no time of the day.
    let written = match clock.rfind(['+', '-']).and_then(|at| clock.split_at_checked(at)) {
        Some((time, offset)) => match offset.len() {
            3 => format!("{date}T{time}{offset}:00"),
            5 => {
                let (hours, minutes) = offset.split_at_checked(3)?;
                format!("{date}T{time}{hours}:{minutes}")
            }
            _ => format!("{date}T{time}{offset}"),
        },
        None if clock.ends_with(['Z', 'z']) => format!("{date}T{clock}"),
        None => format!("{date}T{clock}Z"),
    };
    parse_rfc3339(&written).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(record: Value) -> Fields {
        let Value::Object(record) = record else {
            panic!("no record")
        };
        Fields::new(record, &[("hash".to_owned(), "digest of key".to_owned())])
    }

    #[test]
    fn names_are_told_apart_by_letters_and_digits_and_by_what_was_said_of_them() {
        let mut record = fields(json!({
            "rate_limit_max": 7, "createdAt": null, "digest of key": "x", "note": "n", "empty": "", "rows": "\\N",
        }));
        assert_eq!(record.number(&["rateLimitMax"]), Ok(Some(7)));
        assert_eq!(record.time(&["createdAt"]), Ok(None));
        assert_eq!(record.text(&["hash"]).as_deref(), Some("x"));
        assert_eq!(record.rest().collect::<Vec<_>>(), ["note"]);
    }

    #[test]
    fn times_are_read_as_databases_write_them() {
        let expected = parse_rfc3339("2026-11-20T10:00:00Z").unwrap();
        for value in [
            json!("2026-11-20T10:00:00Z"),
            json!("2026-11-20T11:00:00+01:00"),
            json!("2026-11-20 10:00:00"),
            json!("2026-11-20 10:00:00.000"),
            json!("2026-11-20 10:00:00+00"),
            json!("2026-11-20 09:00:00-0100"),
            json!("2026-11-20 10:00:00 UTC"),
            json!("2026-11-20 10:00:00 +0000"),
            json!(1_795_168_800),
            json!(1_795_168_800_000_i64),
            json!(1_795_168_800_000.0),
            json!("1795168800"),
        ] {
            let read = fields(json!({"at": value.clone()})).time(&["at"]);
            assert_eq!(read, Ok(Some(expected)), "{value}");
        }
        assert_eq!(
            read_time("2026-11-20"),
            parse_rfc3339("2026-11-20T00:00:00Z").ok()
        );
        for value in [
            json!("soon"),
            json!(true),
            json!("2026-13-01"),
            json!("é-é"),
            json!(1.5),
            json!("-"),
        ] {
            assert!(
                fields(json!({"at": value.clone()})).time(&["at"]).is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn flags_and_json_within_text_are_read() {
        for (value, expected) in [
            (json!(1), true),
            (json!("f"), false),
            (json!("TRUE"), true),
            (json!(false), false),
        ] {
            assert_eq!(fields(json!({"on": value})).flag(&["on"]), Ok(Some(expected)));
        }
        assert!(fields(json!({"on": "perhaps"})).flag(&["on"]).is_err());
        let twice = json!("{\"a\":1}").to_string();
        for value in [json!({"a": 1}), json!("{\"a\":1}"), json!(twice)] {
            assert_eq!(
                fields(json!({"meta": value})).json(&["meta"]),
                Some(json!({"a": 1}))
            );
        }
    }
}
