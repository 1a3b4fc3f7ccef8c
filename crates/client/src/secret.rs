//! What must not be printed.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    Verdict,
    key_format::{self, LENGTH},
    token_format,
};

/// A key or short-lived token as somebody presented it. What can be neither is not kept: it is refused without a call.
///
/// `Debug` shows nothing of it, and it is overwritten when it is dropped.
///
/// ```
/// use tigertrust_client::PresentedKey;
///
/// let key = PresentedKey::new("ak_00000000000000000000000000000000000000000002PL60u");
/// assert!(key.is_well_formed());
/// assert_eq!(format!("{key:?}"), "PresentedKey(…)");
/// assert!(!PresentedKey::new("ak_mistyped").is_well_formed());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey(Content);

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Key(Zeroizing<[u8; LENGTH]>),
    Token(Zeroizing<String>),
    /// A key for those clients that know its prefix.
    Imported(Zeroizing<String>),
    Malformed,
    MalformedToken,
}

/// What a client is to ask about.
#[derive(Clone, Copy)]
pub(crate) enum Revealed<'a> {
    Key(&'a str),
    Token(&'a str),
}

impl PresentedKey {
    /// What stood in a header, without `Bearer`.
    pub fn new(presented: impl AsRef<[u8]>) -> Self {
        let presented = presented.as_ref();
        let text = || {
            std::str::from_utf8(presented)
                .ok()
                .map(str::to_owned)
                .map(Zeroizing::new)
        };
        let content = if token_format::claims_to_be_token(presented) {
            let token = token_format::read(presented).and_then(|_| text());
            token.map_or(Content::MalformedToken, Content::Token)
        } else if let Some(key) = key_format::read(presented) {
            Content::Key(Zeroizing::new(*key))
        } else if key_format::may_be_imported(presented) {
            text().map_or(Content::Malformed, Content::Imported)
        } else {
            Content::Malformed
        };
        Self(content)
    }

    /// Whether it can be a key that the server issued, or a token: prefix, length and alphabet are right, and the checksum of a
    /// key. An [imported](crate::ClientBuilder::key_prefixes) key is for the client to tell.
    #[must_use]
    pub const fn is_well_formed(&self) -> bool {
        matches!(self.0, Content::Key(_) | Content::Token(_))
    }

    /// What was presented, if it can be good with these further prefixes.
    pub(crate) fn reveal(&self, prefixes: &[String]) -> Result<Revealed<'_>, Verdict> {
        match &self.0 {
            Content::Key(key) => std::str::from_utf8(&**key)
                .map(Revealed::Key)
                .map_err(|_| Verdict::malformed()),
            Content::Token(token) => Ok(Revealed::Token(token)),
            Content::Imported(key) => key_format::read_imported(key.as_bytes(), prefixes)
                .map(Revealed::Key)
                .ok_or_else(Verdict::malformed),
            Content::Malformed => Err(Verdict::malformed()),
            Content::MalformedToken => Err(Verdict::malformed_token()),
        }
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedKey(…)")
    }
}

/// The service's own key, with which a client calls the server: an agent key with `keys:verify`.
///
/// `Debug` shows nothing of it, and it is overwritten when it is dropped. It is checked when the client is built.
#[derive(Clone)]
pub struct ServiceKey(Zeroizing<String>);

impl ServiceKey {
    /// The key, checked or not.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for ServiceKey {
    fn from(key: String) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl From<&str> for ServiceKey {
    fn from(key: &str) -> Self {
        key.to_owned().into()
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}
