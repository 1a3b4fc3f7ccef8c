//! `Authorization: Bearer <key>` (RFC 6750 §2.1), the scheme in any case (RFC 9110 §11.1).

use super::{HeaderValues, Presented, Reading};
use crate::{KeyFormats, ParsedKey};

/// A value of another scheme, or that claims to be a key of no format, belongs to the application behind us.
pub(super) fn read<'a>(presented: &Presented<'a>, formats: &'a KeyFormats) -> Reading<'a> {
    match presented.authorization {
        HeaderValues::Absent => Reading::NotPresented,
        HeaderValues::Repeated => Reading::Rejected,
        HeaderValues::One(value) => match token(value).and_then(|token| ParsedKey::read(token, formats)) {
            None => Reading::NotPresented,
            Some(Ok(key)) => Reading::Accepted(key),
            Some(Err(_)) => Reading::Rejected,
        },
    }
}

fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}
