//! How keys are written: prefix, length, checksum.

use tigertrust_model::KeyType;

/// The alphabet of base 62, in the order of its digits.
pub(crate) const BASE62: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that hold 256 bits.
pub(crate) const RANDOM_DIGITS: usize = 43;
/// Digits that hold 32 bits.
pub(crate) const CHECKSUM_DIGITS: usize = 6;
/// The length of a key in bytes: prefix, random part, checksum.
pub const KEY_LENGTH: usize = 3 + RANDOM_DIGITS + CHECKSUM_DIGITS;

/// What follows the prefix of a key, and how it is checked before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The last six characters are the CRC-32 (ISO-HDLC) of all before them, in base 62.
    Crc32Base62,
}

/// One way in which keys are written. A list, so that formats of imported keys fit beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFormat {
    /// The name in the database.
    pub id: &'static str,
    /// What such a key begins with.
    pub prefix: &'static str,
    /// What it is a key for.
    pub kind: KeyType,
    /// Its whole length in bytes.
    pub length: usize,
    /// How it is checked offline.
    pub checksum: Checksum,
}

/// Looks like one of our keys, but is not one: wrong length, character or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is malformed")]
pub struct MalformedKey;

impl KeyFormat {
    const fn native(kind: KeyType) -> Self {
        Self {
            id: "tt1",
            prefix: kind.prefix(),
            kind,
            length: KEY_LENGTH,
            checksum: Checksum::Crc32Base62,
        }
    }

    /// Every format that is accepted.
    pub const ALL: [Self; 2] = [Self::native(KeyType::Agent), Self::native(KeyType::Public)];

    /// The format of keys that are issued for a type.
    #[must_use]
    pub const fn issued_for(kind: KeyType) -> Self {
        Self::native(kind)
    }

    /// The format whose prefix the value has.
    #[must_use]
    pub fn of(value: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| value.starts_with(format.prefix.as_bytes()))
    }

    /// Checks length, alphabet and checksum of a value with the format's prefix.
    ///
    /// # Errors
    /// [`MalformedKey`].
    pub fn check<'a>(&self, value: &'a [u8]) -> Result<&'a str, MalformedKey> {
        if value.len() != self.length {
            return Err(MalformedKey);
        }
        let body = value.strip_prefix(self.prefix.as_bytes()).ok_or(MalformedKey)?;
        if !body.iter().all(u8::is_ascii_alphanumeric) {
            return Err(MalformedKey);
        }
        match self.checksum {
            Checksum::Crc32Base62 => {
                let (content, checksum) = value.split_last_chunk::<CHECKSUM_DIGITS>().ok_or(MalformedKey)?;
                if checksum_of(content) != *checksum {
                    return Err(MalformedKey);
                }
            }
        }
        std::str::from_utf8(value).map_err(|_| MalformedKey)
    }
}

/// The CRC-32 (ISO-HDLC) of `content` as six digits of base 62, left-padded.
pub(crate) fn checksum_of(content: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(content);
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62_digit(rest % 62);
        rest /= 62;
    }
    digits
}

/// 32 bytes, read as a big-endian integer, as 43 digits of base 62, left-padded.
pub(crate) fn base62_of(mut number: [u8; 32]) -> [u8; RANDOM_DIGITS] {
    let mut digits = [b'0'; RANDOM_DIGITS];
    for digit in digits.iter_mut().rev() {
        // Long division of the whole number by 62, most significant byte first.
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = (remainder << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            remainder = value % 62;
        }
        *digit = base62_digit(remainder);
    }
    digits
}

fn base62_digit(value: u32) -> u8 {
    usize::try_from(value)
        .ok()
        .and_then(|index| BASE62.get(index))
        .copied()
        .unwrap_or(b'0')
}
