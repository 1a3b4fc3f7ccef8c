//! What a request presents, by the rules of the server: never a choice between two.
use crate::{PresentedKey, key_format, token_format};

/// The headers of a request, whatever framework it came by.
pub trait Headers {
    /// The values of a header, each for itself, as it was sent. The name is in lower case.
    fn values(&self, name: &'static str) -> Vec<&[u8]>;
}

/// A request, as far as it matters to a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// What it presents.
    pub(crate) presented: Presented,
    /// How it names itself, if it can be repeated as it is.
    pub(crate) request_id: Option<String>,
}

impl Asking {
    /// Reads `X-Agent-API-Key`, `Authorization: Bearer`, `X-Workspace-ID` and `X-Request-ID`.
    /// Of a client that takes keys with [further prefixes](crate::ClientBuilder::key_prefixes), use
    /// [`Guard::read`](crate::guard::Guard::read).
    pub fn read(headers: &impl Headers) -> Self {
        Self::read_with(headers, &[])
    }

    pub(crate) fn read_with(headers: &impl Headers, prefixes: &[String]) -> Self {
        Self {
            presented: Presented::read(headers, prefixes),
            request_id: request_id(&headers.values("x-request-id")),
        }
    }

    /// What it presents.
    #[must_use]
    pub const fn presented(&self) -> &Presented {
        &self.presented
    }
}

/// What a request presents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presented {
    /// Nothing of TigerTrust's.
    Nothing,
    /// Something malformed, the same header twice, or two credentials that differ.
    Malformed,
    /// More than one workspace, or something that can name none.
    NoWorkspace,
    /// One credential.
    One {
        /// It.
        credential: Credential,
        /// The workspace that it is to act in, as the client named it.
        workspace_id: Option<String>,
    },
}

/// What a caller can show.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// An API key: the server is asked.
    Key(PresentedKey),
    /// A short-lived token: it is verified here, where that can be done.
    Token(PresentedKey),
}

/// What one header holds.
enum Reading {
    NotPresented,
    Accepted(Credential),
    Rejected,
}

impl Presented {
    fn read(headers: &impl Headers, prefixes: &[String]) -> Self {
        let mut found: Option<Credential> = None;
        let readings = [
            own_header(&headers.values("x-agent-api-key"), prefixes),
            bearer(&headers.values("authorization"), prefixes),
        ];
        for reading in readings {
            match reading {
                Reading::NotPresented => {}
                Reading::Accepted(credential) if found.as_ref().is_none_or(|other| *other == credential) => {
                    found = Some(credential);
                }
                Reading::Accepted(_) | Reading::Rejected => return Self::Malformed,
            }
        }
        let Some(credential) = found else {
            return Self::Nothing;
        };
        let workspace_id = match headers.values("x-workspace-id").as_slice() {
            [] => None,
            [one] => match std::str::from_utf8(one) {
                Ok(id) => Some(id.to_owned()),
                Err(_) => return Self::NoWorkspace,
            },
            _ => return Self::NoWorkspace,
        };
        Self::One {
            credential,
            workspace_id,
        }
    }
}

/// The id of a request, by the rules of the server for those that it takes over.
fn request_id(values: &[&[u8]]) -> Option<String> {
    let [id] = values else { return None };
    let is_plain = (1..=64).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    is_plain.then(|| String::from_utf8_lossy(id).into_owned())
}

/// The header is TigerTrust's alone: whatever stands in it must be a key.
fn own_header(values: &[&[u8]], prefixes: &[String]) -> Reading {
    match values {
        [] => Reading::NotPresented,
        [value] => key(value, prefixes),
        _ => Reading::Rejected,
    }
}

/// Another scheme, or a token that is none of TigerTrust's, belongs to the application.
fn bearer(values: &[&[u8]], prefixes: &[String]) -> Reading {
    let value = match values {
        [] => return Reading::NotPresented,
        [value] => value,
        _ => return Reading::Rejected,
    };
    let Some(value) = token(value) else {
        return Reading::NotPresented;
    };
    if token_format::claims_to_be_token(value) {
        let token = PresentedKey::new(value);
        return if token.is_well_formed() {
            Reading::Accepted(Credential::Token(token))
        } else {
            Reading::Rejected
        };
    }
    if key_format::claims_to_be_key(value) || key_format::claims_to_be_imported(value, prefixes) {
        key(value, prefixes)
    } else {
        Reading::NotPresented
    }
}

fn key(value: &[u8], prefixes: &[String]) -> Reading {
    let is_key = key_format::read(value).is_some() || key_format::read_imported(value, prefixes).is_some();
    if is_key {
        Reading::Accepted(Credential::Key(PresentedKey::new(value)))
    } else {
        Reading::Rejected
    }
}

/// RFC 6750 §2.1, the scheme in any case (RFC 9110 §11.1).
fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ak_00000000000000000000000000000000000000000002PL60u";
    const B: &str = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";

    struct Sent<'a>(&'a [(&'a str, &'a [u8])]);

    impl Headers for Sent<'_> {
        fn values(&self, name: &'static str) -> Vec<&[u8]> {
            self.0
                .iter()
                .filter(|(own, _)| *own == name)
                .map(|(_, value)| *value)
                .collect()
        }
    }

    fn read(headers: &[(&str, &str)]) -> Presented {
        let bytes: Vec<(&str, &[u8])> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        Presented::read(&Sent(&bytes), &[])
    }

    fn one(key: &str, workspace_id: Option<&str>) -> Presented {
        Presented::One {
            credential: Credential::Key(PresentedKey::new(key)),
            workspace_id: workspace_id.map(str::to_owned),
        }
    }

    #[test]
    fn a_key_is_found_in_either_header() {
        let bearer = format!("Bearer {A}");
        let own = ("x-agent-api-key", A);
        for headers in [
            &[own][..],
            &[("authorization", &bearer)],
            &[("authorization", &format!("bEaReR  {A} "))],
            &[own, ("authorization", &bearer)],
            &[own, ("authorization", "Basic dTpw")],
            &[own, ("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
        ] {
            assert_eq!(read(headers), one(A, None));
        }
        assert_eq!(read(&[own, ("x-workspace-id", "")]), one(A, Some("")));
        assert_ne!(read(&[own]), one(B, None));
    }

    #[test]
    fn a_token_is_found_as_a_bearer_alone() {
        let header =
            "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpZ2VydHJ1c3QtMDEyMzQ1Njc4OWFiY2RlZiJ9";
        let token = format!("{header}.e30.{}", "A".repeat(86));
        let bearer = format!("Bearer {token}");
        let one = Presented::One {
            credential: Credential::Token(PresentedKey::new(&token)),
            workspace_id: None,
        };
        assert_eq!(read(&[("authorization", &bearer)]), one);
        let cut = bearer.get(..bearer.len() - 1).unwrap();
        for headers in [
            &[("x-agent-api-key", token.as_str())][..],
            &[("x-agent-api-key", &token), ("authorization", &bearer)],
            &[("x-agent-api-key", A), ("authorization", &bearer)],
            &[("authorization", cut)],
        ] {
            assert_eq!(read(headers), Presented::Malformed, "{headers:?}");
        }
    }

    #[test]
    fn a_key_with_a_further_prefix_is_found_where_somebody_says_so() {
        let (key, prefixes) = ("sk_live_3ZxAkQ9fGhJk7mNpQrSt", ["sk_live_".to_owned()]);
        let bearer = format!("Bearer {key}");
        for (name, value) in [("x-agent-api-key", key), ("authorization", bearer.as_str())] {
            let sent = [(name, value.as_bytes())];
            assert_eq!(Presented::read(&Sent(&sent), &prefixes), one(key, None));
        }
        assert_eq!(read(&[("x-agent-api-key", key)]), Presented::Malformed);
        assert_eq!(read(&[("authorization", &bearer)]), Presented::Nothing);
        let short = [("authorization", b"Bearer sk_live_short".as_slice())];
        assert_eq!(Presented::read(&Sent(&short), &prefixes), Presented::Malformed);
    }

    #[test]
    fn a_request_is_named_as_the_server_would_name_it() {
        let long = "x".repeat(65);
        for id in ["a-B_3.", long.get(..64).unwrap(), &long, "", "a b", "a\n", "é"] {
            let asking = Asking::read(&Sent(&[("x-request-id", id.as_bytes())]));
            let expected = tigertrust_wire::is_request_id(id.as_bytes()).then(|| id.to_owned());
            assert_eq!(asking.request_id, expected, "{id}");
        }
        let twice = Asking::read(&Sent(&[("x-request-id", b"a"), ("x-request-id", b"a")]));
        assert_eq!(twice.request_id, None);
    }

    #[test]
    fn what_is_another_s_is_nothing() {
        for value in [
            "",
            "Basic dTpw",
            "Bearer",
            "Bearer ",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "Bearerak_",
        ] {
            assert_eq!(read(&[("authorization", value)]), Presented::Nothing, "{value}");
        }
        assert_eq!(read(&[("x-workspace-id", "ws")]), Presented::Nothing);
    }

    #[test]
    fn there_is_never_a_choice() {
        let (own, cut) = (("x-agent-api-key", A), A.get(..51).unwrap());
        let (bearer, other) = (format!("Bearer {A}"), format!("Bearer {B}"));
        for headers in [
            &[own, ("authorization", other.as_str())][..],
            &[own, own],
            &[own, ("x-agent-api-key", B)],
            &[("authorization", &bearer), ("authorization", &bearer)],
            &[own, ("authorization", "Basic dTpw"), ("authorization", &other)],
            &[own, ("authorization", &format!("Bearer {cut}"))],
            &[("x-agent-api-key", cut)],
            &[("x-agent-api-key", "")],
            &[("x-agent-api-key", &format!("{A} "))],
            &[("x-agent-api-key", "secret"), ("authorization", &bearer)],
        ] {
            assert_eq!(read(headers), Presented::Malformed, "{headers:?}");
        }
        let twice = [own, ("x-workspace-id", "ws"), ("x-workspace-id", "ws")];
        assert_eq!(read(&twice), Presented::NoWorkspace);
        let odd = Presented::read(&Sent(&[(own.0, A.as_bytes()), ("x-workspace-id", b"\xff")]), &[]);
        assert_eq!(odd, Presented::NoWorkspace);
    }
}
