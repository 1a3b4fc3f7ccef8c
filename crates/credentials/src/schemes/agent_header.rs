//! `X-Agent-API-Key: <key>`.

use super::{Credential, HeaderValues, Presented, Reading};
use crate::{KeyFormats, ParsedKey};

/// The header is ours alone: whatever stands in it must be a key.
pub(super) fn read<'a>(presented: &Presented<'a>, formats: &'a KeyFormats) -> Reading<'a> {
    match presented.agent_api_key {
        HeaderValues::Absent => Reading::NotPresented,
        HeaderValues::Repeated => Reading::Rejected,
        HeaderValues::One(value) => match ParsedKey::read(value, formats) {
            Some(Ok(key)) => Reading::Accepted(Credential::Key(key)),
            Some(Err(_)) | None => Reading::Rejected,
        },
    }
}
