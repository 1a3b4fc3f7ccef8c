//! `keys.formats`: how keys are written that were made elsewhere.

use config::Value;
use serde::Deserialize;
use tigertrust_credentials::{KeyFormat, KeyFormats, KeyLength};
use tigertrust_model::KeyType;

use super::reader::Reader;

const KEY: &str = "keys.formats";
const TABLES: &str =
    "must be tables [[keys.formats]] with id, prefix, length (or min_length and max_length), type and digest";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    prefix: String,
    length: Option<usize>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    r#type: String,
    digest: String,
}

/// Reads the formats; none if nobody names any.
pub(super) fn read(reader: &mut Reader) -> KeyFormats {
    let Some((value, origin)) = reader.take_any(KEY) else {
        return KeyFormats::default();
    };
    read_entries(value).unwrap_or_else(|detail| {
        reader.refuse(KEY, &origin, &detail);
        KeyFormats::default()
    })
}

fn read_entries(value: Value) -> Result<KeyFormats, String> {
    let entries: Vec<Entry> = value
        .try_deserialize()
        .map_err(|error| format!("{TABLES}: {error}"))?;
    let formats = entries.iter().map(format).collect::<Result<_, _>>()?;
    KeyFormats::new(formats).map_err(|error| error.to_string())
}

fn format(entry: &Entry) -> Result<KeyFormat, String> {
    let id = &entry.id;
    let length = match (entry.length, entry.min_length, entry.max_length) {
        (Some(length), None, None) => KeyLength {
            min: length,
            max: length,
        },
        (None, Some(min), Some(max)) => KeyLength { min, max },
        _ => return Err(format!("{id}: give either length, or min_length and max_length")),
    };
    let kind: KeyType = entry
        .r#type
        .parse()
        .map_err(|error| format!("{id}: type {error}"))?;
    if entry.digest != "sha256" {
        return Err(format!("{id}: digest must be sha256, of the whole key"));
    }
    Ok(KeyFormat::imported(id, &entry.prefix, kind, length))
}
