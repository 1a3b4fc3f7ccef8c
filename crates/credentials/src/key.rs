//! The secret of a key: freshly made, or as a caller presented it.

use std::fmt;

use tigertrust_model::{KeyDisplay, KeyType, RandomError, RandomSource};
use zeroize::{Zeroize, Zeroizing};

use crate::{KeyFormat, KeyFormats, MalformedKey, key_format};

/// A well-formed key as it stands in a request: right prefix, length, alphabet and checksum. Whether anybody
/// knows it is another question. `Debug` shows only the prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParsedKey<'a> {
    text: &'a str,
    format: &'a KeyFormat,
}

impl<'a> ParsedKey<'a> {
    /// Reads a key, ours or one of the other formats; `None` when the value claims to be neither.
    ///
    /// # Errors
    /// [`MalformedKey`] when it has a key's prefix and yet is no key.
    pub fn read(value: &'a [u8], formats: &'a KeyFormats) -> Option<Result<Self, MalformedKey>> {
        let format = formats.of(value)?;
        Some(format.check(value).map(|text| Self { text, format }))
    }

    /// The type that the prefix tells.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.format.kind
    }

    /// The format that it is written in.
    #[must_use]
    pub const fn format(&self) -> &'a KeyFormat {
        self.format
    }

    /// What may be shown of it.
    #[must_use]
    pub fn display(&self) -> KeyDisplay {
        KeyDisplay {
            start: self.text.chars().take(self.format.shown()).collect(),
            last_four: self
                .text
                .chars()
                .skip(self.text.len().saturating_sub(4))
                .collect(),
        }
    }

    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for ParsedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParsedKey({}…)", self.format.prefix)
    }
}

/// A new key's secret, to be shown once. Zeroised on drop; `Debug` shows only the type.
pub struct KeySecret {
    text: Zeroizing<String>,
    format: &'static KeyFormat,
}

impl KeySecret {
    /// Makes a key of the type out of 256 random bits.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(kind: KeyType, random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut number = [0; 32];
        random.fill(&mut number)?;
        let format = KeyFormat::issued_for(kind);
        let mut bytes = Zeroizing::new(Vec::with_capacity(format.max_length));
        bytes.extend_from_slice(format.prefix.as_bytes());
        bytes.extend_from_slice(&key_format::base62_of(number));
        number.zeroize();
        let checksum = key_format::checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        let text = Zeroizing::new(bytes.iter().map(|byte| char::from(*byte)).collect());
        Ok(Self { text, format })
    }

    /// The key in plain, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The same key as a caller would present it.
    #[must_use]
    pub fn parsed(&self) -> ParsedKey<'_> {
        ParsedKey {
            text: &self.text,
            format: self.format,
        }
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySecret({}…)", self.format.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::KEY_LENGTH;

    fn read(value: &[u8]) -> Option<Result<String, MalformedKey>> {
        let ours = KeyFormats::default();
        ParsedKey::read(value, &ours).map(|read| read.map(|key| key.text.to_owned()))
    }

    struct Fixed([u8; 32]);

    impl RandomSource for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.copy_from_slice(&self.0[..bytes.len()]);
            Ok(())
        }
    }

    fn secret(kind: KeyType, bytes: [u8; 32]) -> KeySecret {
        KeySecret::generate(kind, &Fixed(bytes)).unwrap()
    }

    /// Computed with another implementation (Python's `int` and `zlib.crc32`).
    #[test]
    fn keys_are_written_as_the_contract_says() {
        let cases = [
            (
                KeyType::Agent,
                [0; 32],
                "ak_00000000000000000000000000000000000000000002PL60u",
            ),
            (
                KeyType::Public,
                [255; 32],
                "ck_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp13wnpVe",
            ),
            (
                KeyType::Agent,
                std::array::from_fn(|index| u8::try_from(index).unwrap()),
                "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32",
            ),
        ];
        for (kind, bytes, expected) in cases {
            assert_eq!(secret(kind, bytes).reveal(), expected);
        }
    }

    #[test]
    fn nothing_of_the_secret_is_in_its_debug_text() {
        let secret = secret(KeyType::Agent, [7; 32]);
        assert_eq!(
            format!("{secret:?} {:?}", secret.parsed()),
            "KeySecret(ak_…) ParsedKey(ak_…)"
        );
    }

    #[test]
    fn the_first_8_and_last_4_characters_are_shown() {
        let secret = secret(KeyType::Agent, [0; 32]);
        let display = secret.parsed().display();
        assert_eq!(display.start, "ak_00000");
        assert_eq!(
            Some(display.last_four.as_str()),
            secret.reveal().get(KEY_LENGTH - 4..)
        );
    }

    proptest! {
        #[test]
        fn every_generated_key_is_read_back(bytes: [u8; 32], agent: bool) {
            let kind = if agent { KeyType::Agent } else { KeyType::Public };
            let secret = secret(kind, bytes);
            prop_assert_eq!(secret.reveal().len(), KEY_LENGTH);
            let ours = KeyFormats::default();
            let parsed = ParsedKey::read(secret.reveal().as_bytes(), &ours).unwrap().unwrap();
            prop_assert_eq!(parsed.kind(), kind);
            prop_assert_eq!(parsed, secret.parsed());
        }

        #[test]
        fn one_wrong_character_is_noticed(bytes: [u8; 32], position in 3..KEY_LENGTH, replacement in "[0-9A-Za-z]") {
            let mut key = secret(KeyType::Agent, bytes).reveal().as_bytes().to_vec();
            let replacement = replacement.as_bytes()[0];
            prop_assume!(key[position] != replacement);
            key[position] = replacement;
            prop_assert_eq!(read(&key), Some(Err(MalformedKey)));
        }

        #[test]
        fn a_truncated_or_lengthened_key_is_refused(bytes: [u8; 32], cut in 3..KEY_LENGTH, tail in "[0-9A-Za-z]{1,9}") {
            let key = secret(KeyType::Public, bytes).reveal().to_owned();
            prop_assert_eq!(read(&key.as_bytes()[..cut]), Some(Err(MalformedKey)));
            let lengthened = key + &tail;
            prop_assert_eq!(read(lengthened.as_bytes()), Some(Err(MalformedKey)));
        }

        #[test]
        fn no_input_makes_the_parser_panic(value in proptest::collection::vec(any::<u8>(), 0..80), prefixed: bool) {
            let value = if prefixed { [b"ak_".as_slice(), &value].concat() } else { value };
            match read(&value) {
                None => prop_assert!(!value.starts_with(b"ak_") && !value.starts_with(b"ck_")),
                Some(Ok(parsed)) => prop_assert_eq!(parsed.as_bytes(), value.as_slice()),
                Some(Err(MalformedKey)) => {}
            }
        }
    }
}
