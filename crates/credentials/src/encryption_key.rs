//! Keys that secrets are sealed under.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

use crate::ring_secret;

/// Why keys cannot be used for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionKeyError {
    /// The id is empty, too long or has other characters.
    #[error("an encryption key's id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _")]
    Id,
    /// The secret is not base64url, or has another length.
    #[error("an encryption key's secret must be base64url (no padding) of 32 bytes")]
    Secret,
    /// The ring is empty.
    #[error("there must be an encryption key")]
    Empty,
    /// Two keys have one id.
    #[error("each encryption key must have an id of its own")]
    Twice,
}

/// A key that values are sealed under, with the id that they name it by. `Debug` shows the id only.
#[derive(Clone)]
pub struct EncryptionKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl EncryptionKey {
    /// The bytes of a key's secret.
    pub const SECRET_LENGTH: usize = ring_secret::LENGTH;

    /// A key out of its id and secret, the latter in base64url without padding.
    ///
    /// # Errors
    /// [`EncryptionKeyError::Id`] and [`EncryptionKeyError::Secret`].
    pub fn new(id: &str, secret: &str) -> Result<Self, EncryptionKeyError> {
        if !ring_secret::is_id(id) {
            return Err(EncryptionKeyError::Id);
        }
        let secret = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new);
        let secret = secret.map_err(|_| EncryptionKeyError::Secret)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&secret).map_err(|_| EncryptionKeyError::Secret)?;
        Ok(Self {
            id: id.to_owned(),
            cipher,
        })
    }

    /// A new secret for a key, in base64url without padding.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate_secret(random: &dyn RandomSource) -> Result<Zeroizing<String>, RandomError> {
        ring_secret::generate(random)
    }

    /// The id that sealed values name it by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) const fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn a_generated_secret_makes_a_key() {
        let secret = EncryptionKey::generate_secret(&OsRandom).unwrap();
        assert_eq!(EncryptionKey::new("e1", &secret).unwrap().id(), "e1");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let secret = EncryptionKey::generate_secret(&OsRandom).unwrap();
        for id in ["", "a.b", "a b", &"a".repeat(33)] {
            assert_eq!(
                EncryptionKey::new(id, &secret).err(),
                Some(EncryptionKeyError::Id)
            );
        }
        for secret in ["", "AAEC", "not base64!", &format!("{}AAAA", *secret)] {
            assert_eq!(
                EncryptionKey::new("e1", secret).err(),
                Some(EncryptionKeyError::Secret)
            );
        }
    }
}
