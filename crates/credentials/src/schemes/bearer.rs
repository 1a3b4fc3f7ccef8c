//! `Authorization: Bearer <key or token>` (RFC 6750 §2.1), the scheme in any case (RFC 9110 §11.1).

use super::{Credential, HeaderValues, Presented, Reading};
use crate::{KeyFormats, ParsedAccessToken, ParsedKey, Unauthorized};

/// A value of another scheme, or that claims to be a key of no format, belongs to the application behind us.
pub(super) fn read<'a>(presented: &Presented<'a>, formats: &'a KeyFormats) -> Reading<'a> {
    match presented.authorization {
        HeaderValues::Absent => Reading::NotPresented,
        HeaderValues::Repeated => Reading::Rejected(Unauthorized::Malformed),
        HeaderValues::One(value) => {
            token(value).map_or(Reading::NotPresented, |token| read_token(token, formats))
        }
    }
}

/// Whether there is a token, and no key.
pub(super) fn is_token(presented: &Presented<'_>) -> bool {
    match presented.authorization {
        HeaderValues::One(value) => {
            token(value).is_some_and(|value| ParsedAccessToken::read(value).is_some())
        }
        HeaderValues::Absent | HeaderValues::Repeated => false,
    }
}

/// Whether there is what would be a credential of ours if a scheme stood before it.
pub(super) fn lacks_scheme(presented: &Presented<'_>, formats: &KeyFormats) -> bool {
    match presented.authorization {
        HeaderValues::One(value) => matches!(read_token(value.trim_ascii(), formats), Reading::Accepted(_)),
        HeaderValues::Absent | HeaderValues::Repeated => false,
    }
}

fn read_token<'a>(token: &'a [u8], formats: &'a KeyFormats) -> Reading<'a> {
    // No format of keys begins as tokens do.
    if let Some(key) = ParsedKey::read(token, formats) {
        return key.map_or(Reading::Rejected(Unauthorized::Malformed), |key| {
            Reading::Accepted(Credential::Key(key))
        });
    }
    match ParsedAccessToken::read(token) {
        None => Reading::NotPresented,
        Some(Ok(token)) => Reading::Accepted(Credential::Token(token)),
        Some(Err(_)) => Reading::Rejected(Unauthorized::Malformed),
    }
}

fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}
