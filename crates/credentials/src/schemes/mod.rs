//! Where a credential may stand in a request: one file a scheme, and the one place that walks them.

mod agent_header;
mod bearer;

use std::net::IpAddr;

use crate::{AuthError, KeyFormats, ParsedAccessToken, ParsedKey, Unauthorized};

/// The values of one header: none, one, or more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderValues<'a> {
    /// The header is not there.
    #[default]
    Absent,
    /// It is there once.
    One(&'a [u8]),
    /// It is there more than once, which no credential header may be.
    Repeated,
}

impl<'a> HeaderValues<'a> {
    /// The values of a header, where something else names the one that is meant: that one if nothing else is in the header. Two that
    /// differ are no choice, and count as a header that is there twice.
    #[must_use]
    pub fn agreeing_with(self, named: &'a [u8]) -> Self {
        match self {
            Self::Absent => Self::One(named),
            Self::One(value) if value == named => self,
            Self::One(_) | Self::Repeated => Self::Repeated,
        }
    }
}

impl<'a> FromIterator<&'a [u8]> for HeaderValues<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(values: I) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Repeated,
        }
    }
}

/// What a request presents, as raw header values.
#[derive(Clone, Copy, Default)]
pub struct Presented<'a> {
    /// `X-Agent-API-Key`.
    pub agent_api_key: HeaderValues<'a>,
    /// `Authorization`.
    pub authorization: HeaderValues<'a>,
    /// `X-Workspace-ID`.
    pub workspace: HeaderValues<'a>,
    /// The address that the request comes from, as far as trusted proxies tell; none if nobody knows.
    pub client: Option<IpAddr>,
    /// `User-Agent`, to be shown beside the last use.
    pub user_agent: Option<&'a [u8]>,
}

/// A credential that is well formed. Whether it is any good is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// A key.
    Key(ParsedKey<'a>),
    /// A token that a key was exchanged for.
    Token(ParsedAccessToken<'a>),
}

/// What one scheme found.
#[derive(Debug, PartialEq, Eq)]
enum Reading<'a> {
    /// Nothing of ours.
    NotPresented,
    /// A well-formed credential.
    Accepted(Credential<'a>),
    /// Something that claims to be ours and is not well formed, or is there twice.
    Rejected(Unauthorized),
}

impl<'a> Presented<'a> {
    /// Whether there is anything of ours in a header for keys and tokens, well formed or not.
    #[must_use]
    pub fn has_key(&self, formats: &KeyFormats) -> bool {
        [agent_header::read(self, formats), bearer::read(self, formats)]
            .iter()
            .any(|reading| *reading != Reading::NotPresented)
    }

    /// Whether there is a token of ours in it, well formed or not.
    #[must_use]
    pub fn has_token(&self) -> bool {
        bearer::is_token(self)
    }

    /// The one credential of the request. No look-up happens here.
    ///
    /// # Errors
    /// [`AuthError::Unauthorized`]: nothing presented, something malformed or repeated, or two that differ.
    pub(crate) fn credential(&self, formats: &'a KeyFormats) -> Result<Credential<'a>, AuthError> {
        let mut found: Option<Credential<'a>> = None;
        for reading in [agent_header::read(self, formats), bearer::read(self, formats)] {
            match reading {
                Reading::NotPresented => {}
                Reading::Accepted(own) if found.is_none_or(|other| other == own) => found = Some(own),
                Reading::Accepted(_) => return Err(AuthError::Unauthorized(Unauthorized::Malformed)),
                Reading::Rejected(why) => return Err(AuthError::Unauthorized(why)),
            }
        }
        found.ok_or_else(|| {
            AuthError::Unauthorized(if bearer::lacks_scheme(self, formats) {
                Unauthorized::WithoutScheme
            } else {
                Unauthorized::NotPresented
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ak_00000000000000000000000000000000000000000002PL60u";
    const B: &str = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";

    fn read(agent_api_key: &[&str], authorization: &[&str]) -> Result<String, Unauthorized> {
        let presented = Presented {
            agent_api_key: agent_api_key.iter().map(|value| value.as_bytes()).collect(),
            authorization: authorization.iter().map(|value| value.as_bytes()).collect(),
            workspace: HeaderValues::Absent,
            client: None,
            user_agent: None,
        };
        let ours = KeyFormats::default();
        match presented.credential(&ours) {
            Ok(Credential::Key(key)) => Ok(String::from_utf8_lossy(key.as_bytes()).into_owned()),
            Ok(Credential::Token(token)) => Ok(token.as_str().to_owned()),
            Err(AuthError::Unauthorized(why)) => Err(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_key_is_found_in_either_header() {
        assert_eq!(read(&[A], &[]).as_deref(), Ok(A));
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(read(&[], &[&format!("{scheme} {A}")]).as_deref(), Ok(A));
        }
        assert_eq!(read(&[], &[&format!("Bearer   {A}")]).as_deref(), Ok(A));
    }

    #[test]
    fn the_same_key_twice_over_is_one_credential_and_two_that_differ_are_none() {
        assert_eq!(read(&[A], &[&format!("Bearer {A}")]).as_deref(), Ok(A));
        assert_eq!(
            read(&[A], &[&format!("Bearer {B}")]),
            Err(Unauthorized::Malformed)
        );
        assert_eq!(read(&[A], &["Bearer ak_short"]), Err(Unauthorized::Malformed));
    }

    #[test]
    fn a_repeated_header_is_never_a_choice() {
        assert_eq!(read(&[A, A], &[]), Err(Unauthorized::Malformed));
        let bearer = format!("Bearer {A}");
        assert_eq!(read(&[], &[&bearer, &bearer]), Err(Unauthorized::Malformed));
        assert_eq!(
            read(&[A], &["Bearer another", "Basic dTpw"]),
            Err(Unauthorized::Malformed)
        );
    }

    #[test]
    fn what_belongs_to_somebody_else_is_not_presented() {
        for value in [
            "Basic dTpw",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "Bearer",
            "",
            "Digest username=x",
        ] {
            assert_eq!(read(&[], &[value]), Err(Unauthorized::NotPresented), "{value}");
            assert_eq!(read(&[A], &[value]).as_deref(), Ok(A), "{value}");
        }
    }

    #[test]
    fn a_key_without_its_scheme_is_told_so_and_is_none() {
        let token = format!("{}AA.AA.AA", crate::ACCESS_TOKEN_PREFIX);
        for value in [A, &format!(" {A} "), &token] {
            assert_eq!(read(&[], &[value]), Err(Unauthorized::WithoutScheme), "{value}");
        }
        assert_eq!(read(&[B], &[A]).as_deref(), Ok(B));
        assert_eq!(read(&[], &["ak_short"]), Err(Unauthorized::NotPresented));
    }

    #[test]
    fn a_token_is_a_bearer_value_alone() {
        let token = format!("{}AA.AA.AA", crate::ACCESS_TOKEN_PREFIX);
        let bearer = format!("Bearer {token}");
        assert_eq!(read(&[], &[&bearer]).as_deref(), Ok(token.as_str()));
        assert_eq!(read(&[&token], &[]), Err(Unauthorized::TokenInKeyHeader));
        assert_eq!(read(&[A], &[&bearer]), Err(Unauthorized::Malformed));
        assert_eq!(
            read(&[], &[&format!("{bearer}.AA")]),
            Err(Unauthorized::Malformed)
        );
    }

    #[test]
    fn our_own_header_must_hold_a_key_of_ours() {
        for value in ["", "secret", "xk_000", "ak_", "ak_0000", "Bearer ak_", "ak_é"] {
            assert_eq!(read(&[value], &[]), Err(Unauthorized::Malformed), "{value}");
        }
        assert_eq!(read(&[&format!("{A},{A}")], &[]), Err(Unauthorized::Malformed));
        assert_eq!(read(&[&"a".repeat(100_000)], &[]), Err(Unauthorized::Malformed));
    }
}
