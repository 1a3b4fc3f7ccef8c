//! What must not be printed.

use std::fmt;

use zeroize::Zeroizing;

use crate::key_format::{self, LENGTH};

/// A key as somebody presented it. What cannot be a key is not kept: it is refused without a call.
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
pub struct PresentedKey(Option<Zeroizing<[u8; LENGTH]>>);

impl PresentedKey {
    /// What stood in a header, without `Bearer`.
    pub fn new(presented: impl AsRef<[u8]>) -> Self {
        Self(key_format::read(presented.as_ref()).copied().map(Zeroizing::new))
    }

    /// Whether it can be a key: prefix, length, alphabet and checksum are right.
    #[must_use]
    pub const fn is_well_formed(&self) -> bool {
        self.0.is_some()
    }

    /// The key, if it can be one.
    pub(crate) fn reveal(&self) -> Option<&str> {
        std::str::from_utf8(self.0.as_deref()?).ok()
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
