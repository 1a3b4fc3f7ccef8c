//! The keys that tokens are signed with.

use std::{fmt, sync::Arc};

use arc_swap::Guard;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use sha2::{Digest, Sha256};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

use super::PublicSigningKey;
use crate::{
    live_ring::{Current, LiveRing, Secrets},
    ring_secret,
};

/// What the id of each key begins with, as tokens and the key set name it.
pub(super) const KID_PREFIX: &str = "tigertrust-";
/// How much of a thumbprint (RFC 7638) tells keys apart.
const THUMBPRINT_LENGTH: usize = 16;

/// Why keys cannot be used for signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The id is empty, too long or has other characters.
    #[error("a signing key's id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _")]
    Id,
    /// The secret is not base64url, or has another length.
    #[error("a signing key's secret must be base64url (no padding) of 32 bytes")]
    Secret,
    /// The ring is empty.
    #[error("there must be a signing key")]
    Empty,
    /// Two keys have one id, or one secret.
    #[error("each signing key must have an id and a secret of its own")]
    Twice,
}

/// An Ed25519 key (RFC 8032) that tokens are signed with. `Debug` shows its ids only.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    public: PublicSigningKey,
    /// The header of its tokens in base64url, with the dot after it.
    header: String,
    // Zeroised on drop by its own crate.
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// A key out of its id in the key ring and its secret, the latter in base64url without padding.
    ///
    /// # Errors
    /// [`SigningKeyError::Id`] and [`SigningKeyError::Secret`].
    pub fn new(id: &str, secret: &str) -> Result<Self, SigningKeyError> {
        if !ring_secret::is_id(id) {
            return Err(SigningKeyError::Id);
        }
        let bytes = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| SigningKeyError::Secret)?;
        let seed: &[u8; ring_secret::LENGTH] =
            bytes.as_slice().try_into().map_err(|_| SigningKeyError::Secret)?;
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // RFC 7638 §3.2 and RFC 8037 §2: these members, in this order, and no space.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let thumbprint = URL_SAFE_NO_PAD.encode(thumbprint);
        let kid: String = KID_PREFIX
            .chars()
            .chain(thumbprint.chars().take(THUMBPRINT_LENGTH))
            .collect();
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
        Ok(Self {
            id: id.to_owned(),
            header: URL_SAFE_NO_PAD.encode(header) + ".",
            public: PublicSigningKey { kid, x },
            key,
        })
    }

    /// A new secret for a key, in base64url without padding.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate_secret(random: &dyn RandomSource) -> Result<Zeroizing<String>, RandomError> {
        ring_secret::generate(random)
    }

    /// The id in the key ring.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its signatures are verified with.
    #[must_use]
    pub const fn public(&self) -> &PublicSigningKey {
        &self.public
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key: VerifyingKey = self.key.verifying_key();
        key.verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.public.kid)
    }
}

/// The key that new tokens are signed with, and those whose tokens are still good. Clones share them, also when they are replaced.
#[derive(Clone, Debug)]
pub struct SigningRing(LiveRing<SigningKey>);

impl SigningRing {
    /// A ring whose first key signs.
    ///
    /// # Errors
    /// [`SigningKeyError::Empty`] and [`SigningKeyError::Twice`].
    pub fn new(keys: Vec<SigningKey>) -> Result<Self, SigningKeyError> {
        let unique = |texts: fn(&SigningKey) -> &str| {
            let mut texts: Vec<&str> = keys.iter().map(texts).collect();
            texts.sort_unstable();
            texts.dedup();
            texts.len() == keys.len()
        };
        if !unique(SigningKey::id) || !unique(|key| &key.public.kid) {
            return Err(SigningKeyError::Twice);
        }
        LiveRing::new(keys).map(Self).ok_or(SigningKeyError::Empty)
    }

    /// The key that signs.
    #[must_use]
    pub fn current(&self) -> Current<SigningKey> {
        self.0.current()
    }

    /// Takes the keys of another ring in place of its own, for all that share this one. Tokens of a key that is no longer there are
    /// refused.
    pub fn replace(&self, other: &Self) {
        self.0.replace(&other.0);
    }

    /// As [`replace`](Self::replace), but keeps those of its own with these ids, behind the others.
    pub fn replace_but_keep(&self, other: &Self, ids: &[&str]) {
        self.0.replace_but_keep(&other.0, |key| ids.contains(&key.id()));
    }

    /// Makes the key with the id the current one, if it is there.
    pub fn prefer(&self, id: &str) {
        self.0.prefer(|key| key.id() == id);
    }

    /// The ids of all, that of the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let keys = self.0.load();
        keys.all().map(|key| key.id().to_owned()).collect()
    }

    pub(super) fn load(&self) -> Guard<Arc<Secrets<SigningKey>>> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    /// RFC 8037, appendices A.1 to A.3.
    #[test]
    fn the_public_key_and_the_thumbprint_are_those_of_the_rfc() {
        let key = SigningKey::new("s1", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        assert_eq!(key.public().x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.public().kid, "tigertrust-kPrK_qmxVWaYVA9w");
        assert_eq!(format!("{key:?}"), "SigningKey(s1, tigertrust-kPrK_qmxVWaYVA9w)");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let secret = SigningKey::generate_secret(&OsRandom).unwrap();
        assert_eq!(SigningKey::new("", &secret).err(), Some(SigningKeyError::Id));
        for secret in ["", "AAEC", "not base64!", &format!("{}AAAA", *secret)] {
            assert_eq!(SigningKey::new("s1", secret).err(), Some(SigningKeyError::Secret));
        }
        let key = |id| SigningKey::new(id, &secret).unwrap();
        assert_eq!(SigningRing::new(Vec::new()).err(), Some(SigningKeyError::Empty));
        for ids in [["s1", "s1"], ["s1", "s2"]] {
            let twice = SigningRing::new(ids.map(key).to_vec());
            assert_eq!(twice.err(), Some(SigningKeyError::Twice));
        }
    }
}
