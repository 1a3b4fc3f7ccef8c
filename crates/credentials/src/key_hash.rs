//! The SHA-256 of a key, as other systems store it.

use std::fmt;

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// With padding or without it: both are in use.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// The SHA-256 of a whole key. It is never stored: whoever has it could look for the key. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
pub struct KeyHash([u8; 32]);

/// The text is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the SHA-256 of the whole key: 64 hexadecimal digits, or 43 characters of base64 or base64url"
)]
pub struct MalformedKeyHash;

impl KeyHash {
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Reads a hash in hexadecimal digits, base64 or base64url, the latter with padding or without.
    ///
    /// # Errors
    /// [`MalformedKeyHash`].
    pub fn read(text: &str) -> Result<Self, MalformedKeyHash> {
        let mut bytes = [0; 32];
        match text.len() {
            64 => {
                for (place, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let digits = std::str::from_utf8(digits).map_err(|_| MalformedKeyHash)?;
                    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                        return Err(MalformedKeyHash);
                    }
                    *place = u8::from_str_radix(digits, 16).map_err(|_| MalformedKeyHash)?;
                }
            }
            43 | 44 => {
                let engine = if text.contains(['-', '_']) {
                    URL_SAFE
                } else {
                    STANDARD
                };
                let decoded = engine.decode(text).map_err(|_| MalformedKeyHash)?;
                bytes = decoded.try_into().map_err(|_| MalformedKeyHash)?;
            }
            _ => return Err(MalformedKeyHash),
        }
        Ok(Self(bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SHA-256 of `sk_live_an_example2`, computed with another implementation (Python's `hashlib` and `base64`).
    const KEY: &[u8] = b"sk_live_an_example2";

    #[test]
    fn every_encoding_in_use_is_read() {
        let expected = KeyHash::of(KEY);
        for text in [
            "c1e7149d343cf7b9d206dfb21b6f0f6a4fb10c962d43a2ef503262914eb0fc5c",
            "wecUnTQ897nSBt+yG28Pak+xDJYtQ6LvUDJikU6w/Fw=",
            "wecUnTQ897nSBt+yG28Pak+xDJYtQ6LvUDJikU6w/Fw",
            "wecUnTQ897nSBt-yG28Pak-xDJYtQ6LvUDJikU6w_Fw=",
            "wecUnTQ897nSBt-yG28Pak-xDJYtQ6LvUDJikU6w_Fw",
        ] {
            assert_eq!(KeyHash::read(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(format!("{expected:?}"), "KeyHash");
    }

    #[test]
    fn what_is_no_sha_256_is_refused() {
        let hex = "c1e7149d343cf7b9d206dfb21b6f0f6a4fb10c962d43a2ef503262914eb0fc5c";
        for text in [
            "",
            "sk_live_an_example2",
            hex.trim_end_matches(|digit| digit == hex.chars().last().unwrap()),
            &hex.replace('0', "g"),
            &format!("{hex}00"),
            "+/",
        ] {
            assert_eq!(KeyHash::read(text), Err(MalformedKeyHash), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,70}") {
            let _ = KeyHash::read(&text);
        }
    }
}
