//! How keys are written: prefix, length, checksum.

use std::borrow::Cow;

use tigertrust_model::KeyType;

/// The alphabet of base 62, in the order of its digits.
pub(crate) const BASE62: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that hold 256 bits.
pub(crate) const RANDOM_DIGITS: usize = 43;
/// Digits that hold 32 bits.
pub(crate) const CHECKSUM_DIGITS: usize = 6;
/// The length of a key in bytes: prefix, random part, checksum.
pub const KEY_LENGTH: usize = 3 + RANDOM_DIGITS + CHECKSUM_DIGITS;

/// How much is shown of the beginning of our keys, their prefix included.
const NATIVE_SHOWN: usize = 8;
/// How much is shown of the beginning of others, beside their prefix.
const FOREIGN_SHOWN: usize = 6;

/// How a key is checked before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The last six characters are the CRC-32 (ISO-HDLC) of all before them, in base 62.
    Crc32Base62,
    /// There is none: every value of the right shape is looked up.
    None,
}

/// What of a key is digested under the pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digested {
    /// The key itself.
    Key,
    /// Its SHA-256, which is all that was known when it was imported.
    Sha256,
}

/// One way in which keys are written. Ours are built in; [`KeyFormats`](crate::KeyFormats) holds those of imported keys beside
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFormat {
    pub(crate) id: Cow<'static, str>,
    pub(crate) prefix: Cow<'static, str>,
    pub(crate) kind: KeyType,
    pub(crate) min_length: usize,
    pub(crate) max_length: usize,
    pub(crate) checksum: Checksum,
    pub(crate) digested: Digested,
}

/// Looks like a key, but is not one: wrong length, character or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is malformed")]
pub struct MalformedKey;

static AGENT: KeyFormat = KeyFormat::native(KeyType::Agent);
static PUBLIC: KeyFormat = KeyFormat::native(KeyType::Public);

impl KeyFormat {
    /// The name of our own format in the database.
    pub const NATIVE_ID: &'static str = "tt1";

    const fn native(kind: KeyType) -> Self {
        Self {
            id: Cow::Borrowed(Self::NATIVE_ID),
            prefix: Cow::Borrowed(kind.prefix()),
            kind,
            min_length: KEY_LENGTH,
            max_length: KEY_LENGTH,
            checksum: Checksum::Crc32Base62,
            digested: Digested::Key,
        }
    }

    /// The format of keys that are issued for a type.
    #[must_use]
    pub fn issued_for(kind: KeyType) -> &'static Self {
        match kind {
            KeyType::Agent => &AGENT,
            KeyType::Public => &PUBLIC,
        }
    }

    /// Our own format whose prefix the value has.
    #[must_use]
    pub fn native_of(value: &[u8]) -> Option<&'static Self> {
        match value.first_chunk() {
            Some(b"ak_") => Some(&AGENT),
            Some(b"ck_") => Some(&PUBLIC),
            _ => None,
        }
    }

    /// The name in the database.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What such a key begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What it is a key for.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.kind
    }

    /// How many characters of its beginning are shown at the most.
    #[must_use]
    pub fn shown(&self) -> usize {
        if self.is_foreign() {
            self.prefix.len() + FOREIGN_SHOWN
        } else {
            NATIVE_SHOWN
        }
    }

    /// Whether such keys are made elsewhere.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.digested != Digested::Key
    }

    /// Whether the value claims to be such a key: by its prefix, or by its whole shape where there is none.
    pub(crate) fn claims(&self, value: &[u8]) -> bool {
        if self.prefix.is_empty() {
            self.check(value).is_ok()
        } else {
            value.starts_with(self.prefix.as_bytes())
        }
    }

    /// Checks length, alphabet and checksum of a value with the format's prefix.
    ///
    /// # Errors
    /// [`MalformedKey`].
    pub fn check<'a>(&self, value: &'a [u8]) -> Result<&'a str, MalformedKey> {
        if value.len() < self.min_length || value.len() > self.max_length {
            return Err(MalformedKey);
        }
        let body = value.strip_prefix(self.prefix.as_bytes()).ok_or(MalformedKey)?;
        // Elsewhere keys have what RFC 6750 §2.1 lets a Bearer value have. Without a prefix a key is letters and digits alone, so
        // that no JWT and nothing of ours is taken for one.
        let punctuation: &[u8] = match self.digested {
            Digested::Sha256 if !self.prefix.is_empty() => b"-._~+/=",
            Digested::Sha256 | Digested::Key => b"",
        };
        if !body
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || punctuation.contains(byte))
        {
            return Err(MalformedKey);
        }
        match self.checksum {
            Checksum::None => {}
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
