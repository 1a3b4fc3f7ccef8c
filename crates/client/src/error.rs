//! Why there is no verdict, or no client.

use std::{fmt, time::Duration};

/// Why nobody can say what a key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client was closed.
    Closed,
    /// There was no answer within the deadline.
    Deadline,
    /// The server could not be reached, or the connection broke.
    Network,
    /// The server refused the client's own request: see [`NotAvailable::status`] and [`NotAvailable::code`].
    Refused,
    /// The answer was none that the client understands.
    Answer,
    /// Changes to what the verdict depends on came in faster than it could be asked for.
    Changing,
}

/// Nobody can say at the moment what the key is worth: let nobody in. It holds nothing of either key, and no text of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAvailable {
    reason: Reason,
    what: String,
    said: Box<Said>,
}

/// What the server said of the client's own request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) pointers: Vec<&'static str>,
    pub(crate) retry_after: Option<Duration>,
}

impl NotAvailable {
    pub(crate) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self::told(reason, what, Said::default())
    }

    pub(crate) fn told(reason: Reason, what: impl Into<String>, said: Said) -> Self {
        Self {
            reason,
            what: what.into(),
            said: Box::new(said),
        }
    }

    pub(crate) fn closed() -> Self {
        Self::new(Reason::Closed, "the client is closed")
    }

    pub(crate) fn late() -> Self {
        Self::new(Reason::Deadline, "no answer within the deadline")
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The status of the server's answer, if there was one.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.said.status
    }

    /// The code in it, such as `FORBIDDEN`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.said.code.as_deref()
    }

    /// The id by which the server's log knows the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.said.request_id.as_deref()
    }

    /// Where the request was not valid, such as `/scope`.
    #[must_use]
    pub fn pointers(&self) -> &[&'static str] {
        &self.said.pointers
    }

    /// After how long it is worth while to try again: what the server said, or a second.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.said.retry_after.unwrap_or(Duration::from_secs(1))
    }
}

impl fmt::Display for NotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TigerTrust is not available: {}", self.what)
    }
}

impl std::error::Error for NotAvailable {}

/// Why no client was made. What was given is in no message: a key may have been put in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No address.
    #[error("there is no address of the server: set TIGERTRUST_URL")]
    NoUrl,
    /// An address that is none, or has more in it than it should.
    #[error(
        "the address of the server (TIGERTRUST_URL or url) must be https:// or http://, without user, query and fragment"
    )]
    Url,
    /// No key.
    #[error("the service has no key of its own: set TIGERTRUST_API_KEY")]
    NoApiKey,
    /// A key that cannot be one.
    #[error("the service's own key (TIGERTRUST_API_KEY or api_key) is malformed or cut short")]
    ApiKey,
    /// An issuer that cannot be one.
    #[error(
        "the issuer (TIGERTRUST_ISSUER or issuer) must be https:// or http://, without a slash at the end"
    )]
    Issuer,
    /// A setting outside of what is allowed.
    #[error("{setting} must be {allowed}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// TLS cannot be set up, such as where the platform trusts no certificate at all.
    #[error("certificates of servers cannot be checked: the platform has none that it trusts, or no TLS")]
    Tls,
}
