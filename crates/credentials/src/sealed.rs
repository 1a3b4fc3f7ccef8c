//! Secrets that must be read again, encrypted at rest: XChaCha20-Poly1305 (RFC 8439, with the nonce of 192 bits of
//! draft-irtf-cfrg-xchacha) under a key ring.
//!
//! What is sealed is bound to its place, so that whoever can write to the database cannot move one account's secret
//! to another. The nonce is random: 192 bits are enough for any number of values under one key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XNonce,
    aead::{Aead, Payload},
};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

use crate::live_ring::{Current, LiveRing};
use crate::{EncryptionKey, EncryptionKeyError, ring_secret};

const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
/// What a stored text begins with, so that another scheme can come after this one.
const SCHEME: &str = "x1";

/// Where a sealed value is stored. It can be opened there only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedPlace<'a> {
    /// The table and column, such as `totp_factors.secret`.
    pub column: &'static str,
    /// The row: the id of whom or what the secret belongs to.
    pub row: &'a str,
}

impl SealedPlace<'_> {
    /// No part can hold the byte that ends it: the id of a key is of letters, and a column is written in the code.
    fn associated_data(&self, key_id: &str) -> Vec<u8> {
        let parts = [SCHEME, key_id, self.column, self.row];
        parts
            .iter()
            .flat_map(|part| part.bytes().chain(std::iter::once(0)))
            .collect()
    }
}

/// A secret as it is stored. Its text names scheme and key: `x1.<key id>.<base64url of nonce, ciphertext and tag>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    key_id: String,
    nonce: [u8; NONCE_LENGTH],
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// The id of the key that it is sealed under.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The text to store.
    #[must_use]
    pub fn to_text(&self) -> String {
        let bytes = [self.nonce.as_slice(), &self.ciphertext].concat();
        format!("{SCHEME}.{}.{}", self.key_id, URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The text is not that of a sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a sealed value")]
pub struct MalformedSealed;

impl FromStr for Sealed {
    type Err = MalformedSealed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix('.'));
        let (key_id, bytes) = rest
            .and_then(|rest| rest.split_once('.'))
            .ok_or(MalformedSealed)?;
        let bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| MalformedSealed)?;
        let (nonce, ciphertext) = bytes.split_first_chunk().ok_or(MalformedSealed)?;
        if !ring_secret::is_id(key_id) || ciphertext.len() < TAG_LENGTH {
            return Err(MalformedSealed);
        }
        Ok(Self {
            key_id: key_id.to_owned(),
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.key_id)
    }
}

/// Why a sealed value cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The ring does not hold the key.
    #[error("the key ring holds no encryption key {id:?}")]
    UnknownKey {
        /// The id of the key that it is sealed under.
        id: String,
    },
    /// It was sealed under another key of this id or for another place, or was changed since.
    #[error("a sealed value was changed, moved, or sealed under another key of the same id")]
    Damaged,
}

/// The key for new values and the earlier ones under which older values are still sealed.
/// Clones share them, also when they are replaced.
#[derive(Clone, Debug)]
pub struct EncryptionRing(LiveRing<EncryptionKey>);

impl EncryptionRing {
    /// A ring whose first key is the current one.
    ///
    /// # Errors
    /// [`EncryptionKeyError::Empty`] and [`EncryptionKeyError::Twice`].
    pub fn new(keys: Vec<EncryptionKey>) -> Result<Self, EncryptionKeyError> {
        let mut ids: Vec<&str> = keys.iter().map(EncryptionKey::id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != keys.len() {
            return Err(EncryptionKeyError::Twice);
        }
        LiveRing::new(keys).map(Self).ok_or(EncryptionKeyError::Empty)
    }

    /// The key that new values are sealed under. A value under another one should be sealed anew.
    #[must_use]
    pub fn current(&self) -> Current<EncryptionKey> {
        self.0.current()
    }

    /// Takes the keys of another ring in place of its own, for all that share this one. Values under a key that is no longer there cannot
    /// be opened any more.
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

    /// Seals a secret for a place, under the current key.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn seal(
        &self,
        secret: &[u8],
        place: SealedPlace<'_>,
        random: &dyn RandomSource,
    ) -> Result<Sealed, RandomError> {
        let key = self.current();
        let mut nonce = [0; NONCE_LENGTH];
        random.fill(&mut nonce)?;
        let payload = Payload {
            msg: secret,
            aad: &place.associated_data(key.id()),
        };
        // It fails for texts of 256 GiB or more alone.
        let ciphertext = key.cipher().encrypt(&XNonce::from(nonce), payload);
        Ok(Sealed {
            key_id: key.id().to_owned(),
            nonce,
            ciphertext: ciphertext.map_err(|_| RandomError)?,
        })
    }

    /// Opens a sealed value that stands in the place.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn open(&self, sealed: &Sealed, place: SealedPlace<'_>) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let keys = self.0.load();
        let key =
            keys.all()
                .find(|key| key.id() == sealed.key_id)
                .ok_or_else(|| UnsealError::UnknownKey {
                    id: sealed.key_id.clone(),
                })?;
        let payload = Payload {
            msg: &sealed.ciphertext,
            aad: &place.associated_data(key.id()),
        };
        key.cipher()
            .decrypt(&XNonce::from(sealed.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| UnsealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::OsRandom;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const OTHER: &str = "_wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const PLACE: SealedPlace<'_> = SealedPlace {
        column: "totp_factors.secret",
        row: "user_1",
    };

    fn ring(keys: &[(&str, &str)]) -> EncryptionRing {
        let keys = keys
            .iter()
            .map(|(id, secret)| EncryptionKey::new(id, secret).unwrap());
        EncryptionRing::new(keys.collect()).unwrap()
    }

    struct Fixed(u8);

    impl RandomSource for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    /// Computed with another implementation (`PyNaCl`'s binding of libsodium).
    #[test]
    fn a_sealed_value_is_xchacha20_poly1305_with_the_place_as_associated_data() {
        let sealed = ring(&[("e1", SECRET)])
            .seal(b"a shared secret", PLACE, &Fixed(7))
            .unwrap();
        assert_eq!(
            sealed.to_text(),
            "x1.e1.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHh58osD8bofBc6RBEMkINAchL8IiqOeolQoOpbQoM3g"
        );
    }

    #[test]
    fn a_value_is_opened_in_its_own_place_only() {
        let ring = ring(&[("e1", SECRET)]);
        let sealed = ring.seal(b"secret", PLACE, &OsRandom).unwrap();
        assert_eq!(**ring.open(&sealed, PLACE).unwrap(), *b"secret");
        let row = SealedPlace {
            row: "user_2",
            ..PLACE
        };
        assert_eq!(ring.open(&sealed, row), Err(UnsealError::Damaged));
        let column = SealedPlace {
            column: "totp_factors.other",
            ..PLACE
        };
        assert_eq!(ring.open(&sealed, column), Err(UnsealError::Damaged));
    }

    #[test]
    fn an_older_key_still_opens_and_a_newer_one_seals() {
        let before = ring(&[("e1", SECRET)]);
        let after = ring(&[("e2", OTHER), ("e1", SECRET)]);
        let sealed = before.seal(b"secret", PLACE, &OsRandom).unwrap();
        assert_eq!(**after.open(&sealed, PLACE).unwrap(), *b"secret");
        assert_ne!(sealed.key_id(), after.current().id());
        let renewed = after.seal(b"secret", PLACE, &OsRandom).unwrap();
        assert_eq!(renewed.key_id(), "e2");
        let unknown = UnsealError::UnknownKey { id: "e2".to_owned() };
        assert_eq!(before.open(&renewed, PLACE), Err(unknown));
    }

    #[test]
    fn another_key_of_the_same_id_opens_nothing() {
        let sealed = ring(&[("e1", SECRET)]).seal(b"secret", PLACE, &OsRandom).unwrap();
        assert_eq!(
            ring(&[("e1", OTHER)]).open(&sealed, PLACE),
            Err(UnsealError::Damaged)
        );
    }

    #[test]
    fn one_secret_sealed_twice_gives_two_texts() {
        let ring = ring(&[("e1", SECRET)]);
        let seal = || ring.seal(b"secret", PLACE, &OsRandom).unwrap().to_text();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn what_cannot_be_a_ring_is_refused() {
        assert_eq!(
            EncryptionRing::new(Vec::new()).err(),
            Some(EncryptionKeyError::Empty)
        );
        let twice = [SECRET, OTHER].map(|secret| EncryptionKey::new("e1", secret).unwrap());
        assert_eq!(
            EncryptionRing::new(twice.into()).err(),
            Some(EncryptionKeyError::Twice)
        );
    }

    #[test]
    fn debug_text_shows_the_id_of_the_key_and_nothing_else() {
        let ring = ring(&[("e1", SECRET)]);
        let sealed = ring.seal(b"secret", PLACE, &OsRandom).unwrap();
        assert_eq!(
            format!("{:?} {sealed:?}", ring.current()),
            "EncryptionKey(e1) Sealed(e1)"
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_and_stored_is_opened_again(secret: Vec<u8>, row in "\\PC{0,40}") {
            let ring = ring(&[("e1", SECRET)]);
            let place = SealedPlace { row: &row, ..PLACE };
            let stored = ring.seal(&secret, place, &OsRandom).unwrap().to_text();
            let sealed: Sealed = stored.parse().unwrap();
            prop_assert_eq!(&**ring.open(&sealed, place).unwrap(), &secret);
        }

        #[test]
        fn one_changed_bit_is_noticed(secret: Vec<u8>, bit: usize) {
            let ring = ring(&[("e1", SECRET)]);
            let sealed = ring.seal(&secret, PLACE, &OsRandom).unwrap();
            let mut bytes = [sealed.nonce.as_slice(), &sealed.ciphertext].concat();
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed: Sealed = format!("x1.e1.{}", URL_SAFE_NO_PAD.encode(bytes)).parse().unwrap();
            prop_assert_eq!(ring.open(&changed, PLACE), Err(UnsealError::Damaged));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", prefixed: bool) {
            let text = if prefixed { format!("x1.e1.{text}") } else { text };
            let _ = text.parse::<Sealed>();
        }
    }
}
