//! Times as they travel: RFC 3339.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use tigertrust_accounts::{format_rfc3339, parse_rfc3339};
use tigertrust_model::Timestamp;

pub(crate) fn serialize_option<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*time))
}

pub(crate) fn deserialize_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_rfc3339(&text).map_err(D::Error::custom))
        .transpose()
}
