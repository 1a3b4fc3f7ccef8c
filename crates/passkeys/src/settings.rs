//! What is the operator's to say, checked.

use tigertrust_accounts::passkeys::RelyingPartySettings;
use webauthn_rp::request::{AsciiDomain, RpId};

use crate::origin::AllowedOrigin;

const LOCALHOST: &str = "localhost";

/// Why there is no relying party.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Passkeys are bound to a domain; browsers take no address for one.
    #[error(
        "the relying party's id must be a domain such as example.com, in small letters and without a port, not {0:?}"
    )]
    Id(String),
    /// Browsers use a passkey on pages of its domain alone, and of those below it.
    #[error(
        "the origin {origin:?} must be https:// and {id} or a domain below it, with a port where it is not 443 \
         (http:// is for localhost alone)"
    )]
    Origin {
        /// The origin.
        origin: String,
        /// The relying party's id.
        id: String,
    },
}

pub(crate) fn rp_id(id: &str) -> Result<RpId, SettingsError> {
    let refused = || SettingsError::Id(id.to_owned());
    let is_domain = id
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    let is_address = id.parse::<std::net::Ipv4Addr>().is_ok();
    if !is_domain || is_address || id.ends_with('.') {
        return Err(refused());
    }
    AsciiDomain::try_from(id.to_owned())
        .map(RpId::Domain)
        .map_err(|_| refused())
}

pub(crate) fn origins(settings: &RelyingPartySettings) -> Result<Vec<AllowedOrigin>, SettingsError> {
    let RelyingPartySettings { id, origins } = settings;
    if origins.is_empty() {
        return Ok(vec![if id == LOCALHOST {
            AllowedOrigin::Localhost
        } else {
            AllowedOrigin::Exact(format!("https://{id}"))
        }]);
    }
    let read = |origin: &String| {
        if is_below(origin, id) {
            Ok(AllowedOrigin::Exact(origin.clone()))
        } else {
            Err(SettingsError::Origin {
                origin: origin.clone(),
                id: id.clone(),
            })
        }
    };
    origins.iter().map(read).collect()
}

/// Whether browsers would use a passkey of the domain on pages of the origin.
fn is_below(origin: &str, id: &str) -> bool {
    let (is_secure, authority) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(authority), _) => (true, authority),
        (None, Some(authority)) => (false, authority),
        (None, None) => return false,
    };
    let (host, port) = authority
        .split_once(':')
        .map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_own = host == id
        || host
            .strip_suffix(id)
            .is_some_and(|below| below.len() > 1 && below.ends_with('.'));
    let is_local = host == LOCALHOST || host.ends_with(".localhost");
    let default_port = if is_secure { 443 } else { 80 };
    // Browsers leave the default port out.
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != default_port));
    is_own && is_port && (is_secure || is_local) && host == host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_domain() {
        for id in ["localhost", "example.com", "login.example.com"] {
            assert!(rp_id(id).is_ok(), "{id}");
        }
        for id in [
            "",
            "127.0.0.1",
            "example.com:8080",
            "https://example.com",
            "Example.com",
            "example.com.",
            "[::1]",
        ] {
            assert!(rp_id(id).is_err(), "{id}");
        }
    }

    #[test]
    fn an_origin_is_of_the_domain_or_below_it() {
        for origin in [
            "https://example.com",
            "https://app.example.com",
            "https://example.com:8443",
        ] {
            assert!(is_below(origin, "example.com"), "{origin}");
        }
        for origin in [
            "http://example.com",
            "https://example.com:443",
            "https://example.com/",
            "https://.example.com",
            "https://evilexample.com",
            "https://example.com.evil.org",
            "https://App.example.com",
            "example.com",
        ] {
            assert!(!is_below(origin, "example.com"), "{origin}");
        }
        assert!(is_below("http://localhost:8080", "localhost"));
    }

    #[test]
    fn without_origins_it_is_the_domain_itself() {
        let of = |id: &str| {
            origins(&RelyingPartySettings {
                id: id.to_owned(),
                origins: Vec::new(),
            })
        };
        assert_eq!(
            of("example.com"),
            Ok(vec![AllowedOrigin::Exact("https://example.com".to_owned())])
        );
        assert_eq!(of("localhost"), Ok(vec![AllowedOrigin::Localhost]));
    }
}
