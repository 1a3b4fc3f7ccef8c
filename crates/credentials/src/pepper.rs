//! Digests of keys: what is stored instead of the secret.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

use crate::{
    KeyHash, ParsedKey,
    key_format::Digested,
    live_ring::{Current, LiveRing},
    ring_secret,
};

/// What the digest of a key begins with of which only the SHA-256 is known. No key begins so.
const OF_SHA256: &[u8] = b"imported key, SHA-256\0";

/// HMAC-SHA-256 (RFC 2104) under a pepper of a whole key, or of its SHA-256 if it was imported. Only this reaches the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest that a row holds.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a pepper cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PepperError {
    /// The id is empty, too long or has other characters.
    #[error("a pepper's id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _")]
    Id,
    /// The secret is not base64url, or too short.
    #[error("a pepper's secret must be base64url (no padding) of 32 bytes or more")]
    Secret,
    /// The ring is empty.
    #[error("there must be a pepper")]
    Empty,
    /// Two peppers have one id.
    #[error("each pepper must have an id of its own")]
    Twice,
}

/// A secret that key digests are computed under, with the id that rows name it by. `Debug` shows the id only.
#[derive(Clone)]
pub struct Pepper {
    id: String,
    // The keyed state of the HMAC, so that a digest costs no more than the message itself.
    state: Hmac<Sha256>,
}

impl Pepper {
    /// The bytes of a new pepper's secret.
    pub const SECRET_LENGTH: usize = ring_secret::LENGTH;

    /// A pepper out of its id and secret, the latter in base64url without padding.
    ///
    /// # Errors
    /// [`PepperError::Id`] and [`PepperError::Secret`].
    pub fn new(id: &str, secret: &str) -> Result<Self, PepperError> {
        if !ring_secret::is_id(id) {
            return Err(PepperError::Id);
        }
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).map_err(|_| PepperError::Secret)?);
        if secret.len() < Self::SECRET_LENGTH {
            return Err(PepperError::Secret);
        }
        let state = Hmac::new_from_slice(&secret).map_err(|_| PepperError::Secret)?;
        Ok(Self {
            id: id.to_owned(),
            state,
        })
    }

    /// A new secret for a pepper, in base64url without padding.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate_secret(random: &dyn RandomSource) -> Result<Zeroizing<String>, RandomError> {
        ring_secret::generate(random)
    }

    /// The id that rows name it by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The digest of a key under this pepper.
    #[must_use]
    pub fn digest(&self, key: &ParsedKey<'_>) -> KeyDigest {
        match key.format().digested {
            Digested::Key => {
                let mut mac = self.state.clone();
                mac.update(key.as_bytes());
                KeyDigest(mac.finalize().into_bytes().into())
            }
            Digested::Sha256 => self.digest_of_hash(&KeyHash::of(key.as_bytes())),
        }
    }

    /// The digest under this pepper of an imported key, of which only the SHA-256 is known.
    #[must_use]
    pub fn digest_of_hash(&self, hash: &KeyHash) -> KeyDigest {
        KeyDigest(self.mac(OF_SHA256, hash.as_bytes()))
    }

    /// The MAC of another message than a key: `purpose` must begin as no key does.
    pub(crate) fn mac(&self, purpose: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(purpose);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper({})", self.id)
    }
}

/// The pepper for new keys and the earlier ones under which older keys are still stored. Clones share them, also when they are
/// replaced.
#[derive(Clone, Debug)]
pub struct PepperRing(LiveRing<Pepper>);

impl PepperRing {
    /// A ring whose first pepper is the current one.
    ///
    /// # Errors
    /// [`PepperError::Empty`] and [`PepperError::Twice`].
    pub fn new(peppers: Vec<Pepper>) -> Result<Self, PepperError> {
        let mut ids: Vec<&str> = peppers.iter().map(Pepper::id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != peppers.len() {
            return Err(PepperError::Twice);
        }
        LiveRing::new(peppers).map(Self).ok_or(PepperError::Empty)
    }

    /// The pepper that new keys are digested under.
    #[must_use]
    pub fn current(&self) -> Current<Pepper> {
        self.0.current()
    }

    /// Takes the peppers of another ring in place of its own, for all that share this one. Keys under a pepper that is no longer there
    /// are not found any more.
    pub fn replace(&self, other: &Self) {
        self.0.replace(&other.0);
    }

    /// As [`replace`](Self::replace), but keeps those of its own with these ids, behind the others.
    pub fn replace_but_keep(&self, other: &Self, ids: &[&str]) {
        self.0
            .replace_but_keep(&other.0, |pepper| ids.contains(&pepper.id()));
    }

    /// Makes the pepper with the id the current one, if it is there.
    pub fn prefer(&self, id: &str) {
        self.0.prefer(|pepper| pepper.id() == id);
    }

    /// The ids of all, that of the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let peppers = self.0.load();
        peppers.all().map(|pepper| pepper.id().to_owned()).collect()
    }

    /// The MAC of a message under the pepper with the id, as [`Pepper::mac`].
    pub(crate) fn mac_under(&self, id: &str, purpose: &[u8], message: &[u8]) -> Option<[u8; 32]> {
        let peppers = self.0.load();
        let pepper = peppers.all().find(|pepper| pepper.id == id)?;
        Some(pepper.mac(purpose, message))
    }

    /// The MACs of a message, under the current pepper first, then under earlier ones.
    pub(crate) fn macs(&self, purpose: &[u8], message: &[u8]) -> Vec<[u8; 32]> {
        let peppers = self.0.load();
        peppers.all().map(|pepper| pepper.mac(purpose, message)).collect()
    }

    /// The digests that a stored key may have: under the current pepper first, then under earlier ones.
    #[must_use]
    pub fn digests(&self, key: &ParsedKey<'_>) -> Vec<KeyDigest> {
        let peppers = self.0.load();
        peppers.all().map(|pepper| pepper.digest(key)).collect()
    }

    /// As [`digests`](Self::digests), of a key of which only the SHA-256 is known.
    #[must_use]
    pub fn digests_of_hash(&self, hash: &KeyHash) -> Vec<KeyDigest> {
        let peppers = self.0.load();
        peppers.all().map(|pepper| pepper.digest_of_hash(hash)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyFormats;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    /// The expected digest was computed with Python's `hmac`.
    #[test]
    fn the_digest_is_hmac_sha_256_of_the_whole_key() {
        let key = b"ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
        let ours = KeyFormats::default();
        let parsed = ParsedKey::read(key, &ours).unwrap().unwrap();
        let digest = Pepper::new("p1", SECRET).unwrap().digest(&parsed);
        let hex: String = digest
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "e9ed2ffcadb26f41f36457cff3493d9d509ac60fc2aa1cc95a47ba7cd64b8e85"
        );
    }

    #[test]
    fn what_cannot_be_a_pepper_is_refused() {
        assert_eq!(Pepper::new("", SECRET).err(), Some(PepperError::Id));
        assert_eq!(Pepper::new("a b", SECRET).err(), Some(PepperError::Id));
        assert_eq!(Pepper::new("p1", "AAEC").err(), Some(PepperError::Secret));
        assert_eq!(Pepper::new("p1", "not base64!").err(), Some(PepperError::Secret));
        assert_eq!(PepperRing::new(Vec::new()).err(), Some(PepperError::Empty));
        let twice = vec![
            Pepper::new("p1", SECRET).unwrap(),
            Pepper::new("p1", SECRET).unwrap(),
        ];
        assert_eq!(PepperRing::new(twice).err(), Some(PepperError::Twice));
    }

    #[test]
    fn a_pepper_s_debug_text_is_its_id() {
        assert_eq!(format!("{:?}", Pepper::new("p1", SECRET).unwrap()), "Pepper(p1)");
    }
}
