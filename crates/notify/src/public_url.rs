//! Where people find this service.

use std::{fmt, str::FromStr};

use url::{Url, form_urlencoded};

/// The address at which people find this service, as the operator configured it. Links in mails are built on it alone,
/// and never on what a request says its host is (CVE-2025-64101).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// The text cannot be what links are built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as https://auth.example.com, with no user, query or fragment")]
pub struct PublicUrlError;

impl PublicUrl {
    /// The address, with a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host's name, without a port; none where it is an address of the network.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.domain()
    }

    /// The origin of its pages (RFC 6454), such as `https://auth.example.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// A page below the address, `path` in segments, with the token in its fragment.
    #[must_use]
    pub fn link(&self, path: &[&str], token: &str) -> String {
        let mut url = self.0.clone();
        // Every http URL has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let token = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        url.set_fragment(Some(&token));
        url.into()
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url: Url = text.parse().map_err(|_| PublicUrlError)?;
        let fits = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !fits {
            return Err(PublicUrlError);
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("");
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lie_below_the_configured_address() {
        for (url, link) in [
            (
                "https://auth.example.com",
                "https://auth.example.com/password/reset#token=t",
            ),
            (
                "http://localhost:8080/",
                "http://localhost:8080/password/reset#token=t",
            ),
            (
                "https://example.com/auth",
                "https://example.com/auth/password/reset#token=t",
            ),
            (
                "https://example.com/auth/",
                "https://example.com/auth/password/reset#token=t",
            ),
        ] {
            let url: PublicUrl = url.parse().unwrap();
            assert_eq!(url.link(&["password", "reset"], "t"), link);
            assert!(url.as_str().ends_with('/'));
        }
    }

    #[test]
    fn nothing_in_a_token_leads_elsewhere() {
        let url: PublicUrl = "https://auth.example.com".parse().unwrap();
        assert_eq!(
            url.link(&["x"], "a b&c#d\n"),
            "https://auth.example.com/x#token=a+b%26c%23d%0A"
        );
    }

    #[test]
    fn what_cannot_be_built_on_is_refused() {
        for text in [
            "",
            "auth.example.com",
            "ftp://auth.example.com",
            "mailto:jo@example.com",
            "https://jo@auth.example.com",
            "https://auth.example.com/?x",
            "https://auth.example.com/#x",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlError), "{text}");
        }
    }
}
