//! Where the mail server is, and how to speak to it.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS from the first byte (RFC 8314 §3.3).
    Tls,
    /// TLS after `STARTTLS`; without it nothing is sent (RFC 3207).
    StartTls,
    /// None at all.
    None,
}

/// The mail server: `smtps://user:password@host:port` speaks TLS from the start (port 465 if none is given),
/// `smtp://…` demands STARTTLS (port 587), and `smtp://…?tls=none` sends in the clear (port 25), to a relay on the
/// same machine or network; then no password may be given, for others could read it. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protection: Protection,
    pub(crate) login: Option<(String, Zeroizing<String>)>,
}

/// Why a text is not the URL of a mail server. It shows nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpUrlError {
    /// It has another form.
    #[error("must be smtps://user:password@host:port or smtp://user:password@host:port")]
    Form,
    /// The query is not one that is known.
    #[error("`tls=none` is the only query that is known")]
    Query,
    /// A password would be sent in the clear.
    #[error("a user and password can be given only where the connection is encrypted: without `tls=none`")]
    ClearPassword,
}

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Url = text.parse().map_err(|_| SmtpUrlError::Form)?;
        let plain_path = matches!(url.path(), "" | "/") && url.fragment().is_none();
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) if !host.to_string().is_empty() => host.to_string(),
            _ => return Err(SmtpUrlError::Form),
        };
        let (protection, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Protection::Tls, 465),
            ("smtp", None) => (Protection::StartTls, 587),
            ("smtp", Some("tls=none")) => (Protection::None, 25),
            ("smtps" | "smtp", Some(_)) => return Err(SmtpUrlError::Query),
            _ => return Err(SmtpUrlError::Form),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(SmtpUrlError::Form),
            (user, Some(password)) => Some((decoded(user)?, Zeroizing::new(decoded(password)?))),
        };
        if !plain_path {
            return Err(SmtpUrlError::Form);
        }
        if login.is_some() && protection == Protection::None {
            return Err(SmtpUrlError::ClearPassword);
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            protection,
            login,
        })
    }
}

fn decoded(text: &str) -> Result<String, SmtpUrlError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| SmtpUrlError::Form)
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({:?} {}:{})", self.protection, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<SmtpUrl, SmtpUrlError> {
        text.parse()
    }

    #[test]
    fn scheme_and_query_tell_how_the_connection_is_protected() {
        for (text, protection, port) in [
            ("smtps://mail.example.com", Protection::Tls, 465),
            ("smtp://mail.example.com", Protection::StartTls, 587),
            ("smtp://mail.example.com/", Protection::StartTls, 587),
            ("smtp://mail.example.com?tls=none", Protection::None, 25),
            ("smtp://mail.example.com:2525?tls=none", Protection::None, 2525),
        ] {
            let url = url(text).unwrap();
            assert_eq!((url.protection, url.port), (protection, port), "{text}");
            assert_eq!(url.host, "mail.example.com");
        }
        assert_eq!(url("smtps://[::1]").unwrap().host, "::1");
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let url = url("smtps://jo%40example.com:p%3Aw%25@mail.example.com").unwrap();
        let (user, password) = url.login.clone().unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("jo@example.com", "p:w%"));
        assert_eq!(format!("{url:?}"), "SmtpUrl(Tls mail.example.com:465)");
    }

    #[test]
    fn a_password_is_never_sent_in_the_clear() {
        assert_eq!(
            url("smtp://jo:pw@localhost?tls=none"),
            Err(SmtpUrlError::ClearPassword)
        );
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for text in [
            "",
            "mail.example.com",
            "http://mail.example.com",
            "smtp:mail",
            "smtp://",
            "smtp://jo@mail.example.com",
            "smtp://mail.example.com/x",
            "smtp://mail.example.com#x",
        ] {
            assert_eq!(url(text), Err(SmtpUrlError::Form), "{text}");
        }
        for text in [
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://mail.example.com?tls=none",
        ] {
            assert_eq!(url(text), Err(SmtpUrlError::Query), "{text}");
        }
    }
}
