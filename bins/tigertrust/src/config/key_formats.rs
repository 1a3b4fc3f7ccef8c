//! `keys.formats`: how keys are written that were made elsewhere.

use config::{Value, ValueKind};
use serde::Deserialize;
use tigertrust_credentials::{KeyFormat, KeyFormats, KeyLength};
use tigertrust_model::KeyType;

use super::{forms::tables, reader::Reader};

const KEY: &str = "keys.formats";
const SHA256: &str = "sha256";
const TABLES: &str =
    "tables [[keys.formats]] with id, prefix, length (or min_length and max_length), type and digest";

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
    let Some((value, origin)) = reader.take_any(KEY, TABLES) else {
        return KeyFormats::default();
    };
    read_entries(value).unwrap_or_else(|detail| {
        reader.refuse(KEY, &origin, &detail);
        KeyFormats::default()
    })
}

fn read_entries(value: Value) -> Result<KeyFormats, String> {
    let entries: Vec<Entry> = match &value.kind {
        ValueKind::String(text) => text.split(',').map(short).collect::<Result<_, _>>()?,
        _ => tables(value, TABLES)?,
    };
    let formats = entries.iter().map(format).collect::<Result<_, _>>()?;
    KeyFormats::new(formats).map_err(|error| error.to_string())
}

/// As it stands in an environment variable: `acme-live=sk_live_:40:agent`, or with `29-30` for lengths from one to another.
fn short(text: &str) -> Result<Entry, String> {
    let parts = || {
        let (id, rest) = text.trim().split_once('=')?;
        let mut parts = rest.split(':');
        let (prefix, length, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let (min, max) = length.split_once('-').unwrap_or((length, length));
        let lengths = (min.parse().ok()?, max.parse().ok()?);
        let entry = Entry {
            id: id.to_owned(),
            prefix: prefix.to_owned(),
            length: None,
            min_length: Some(lengths.0),
            max_length: Some(lengths.1),
            r#type: kind.to_owned(),
            digest: SHA256.to_owned(),
        };
        parts.next().is_none().then_some(entry)
    };
    parts().ok_or_else(|| "in one line it must be id=prefix:length:type, several with commas".to_owned())
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
    if entry.digest != SHA256 {
        return Err(format!("{id}: digest must be sha256, of the whole key"));
    }
    Ok(KeyFormat::imported(id, &entry.prefix, kind, length))
}
