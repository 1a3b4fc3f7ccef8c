//! `X-Agent-API-Key: <key>`.

use super::{Credential, HeaderValues, Presented, Reading};
use crate::{KeyFormats, ParsedAccessToken, ParsedKey, Unauthorized};

/// The header is ours alone: whatever stands in it must be a key.
pub(super) fn read<'a>(presented: &Presented<'a>, formats: &'a KeyFormats) -> Reading<'a> {
    match presented.agent_api_key {
        HeaderValues::Absent => Reading::NotPresented,
        HeaderValues::Repeated => Reading::Rejected(Unauthorized::Malformed),
        HeaderValues::One(value) => match ParsedKey::read(value, formats) {
            Some(Ok(key)) => Reading::Accepted(Credential::Key(key)),
            None if ParsedAccessToken::read(value).is_some() => {
                Reading::Rejected(Unauthorized::TokenInKeyHeader)
            }
            Some(Err(_)) | None => Reading::Rejected(Unauthorized::Malformed),
        },
    }
}
