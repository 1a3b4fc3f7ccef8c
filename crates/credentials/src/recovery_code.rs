//! Recovery codes: what lets an owner in who has lost every other second factor, each once.

use std::fmt;

use sha2::{Digest, Sha256};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::Zeroizing;

/// Crockford's base 32, whose letters cannot be mistaken for one another.
const ALPHABET: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 20;
const GROUP: usize = 5;

/// The digest of a recovery code. Only this is stored.
///
/// It is a plain SHA-256 with a prefix of its own, and not an HMAC under a pepper: a code is 100 random bits, which
/// nobody guesses offline either, and codes on paper should outlive the retirement of a pepper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecoveryCodeDigest([u8; 32]);

impl RecoveryCodeDigest {
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

/// A recovery code: 100 random bits, written `xxxxx-xxxxx-xxxxx-xxxxx`. Zeroised on drop; `Debug` shows nothing.
#[derive(PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// How many an account gets at once.
    pub const SET: usize = 10;

    /// A new code.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        random.fill(&mut *bytes)?;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        // Five bits of each byte: every letter is as likely.
        text.extend(
            bytes
                .iter()
                .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
                .map(|letter| char::from(*letter)),
        );
        Ok(Self(text))
    }

    /// The codes of an account, which take the place of those that it had.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate_set(random: &dyn RandomSource) -> Result<Vec<Self>, RandomError> {
        std::iter::repeat_with(|| Self::generate(random))
            .take(Self::SET)
            .collect()
    }

    /// Reads a code as somebody typed it: in any case, with white space and hyphens anywhere, and with `o`, `i` and `l`
    /// for the digits that they look like. `None` for what cannot be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for letter in text
            .chars()
            .filter(|letter| !letter.is_whitespace() && *letter != '-')
        {
            let letter = match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                letter => letter,
            };
            let known = u8::try_from(letter).is_ok_and(|letter| ALPHABET.contains(&letter));
            if !known || code.len() == LENGTH {
                return None;
            }
            code.push(letter);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code in plain, in groups, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (index, letter) in self.0.chars().enumerate() {
            if index > 0 && index.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> RecoveryCodeDigest {
        let digest = Sha256::new()
            .chain_update(b"tigertrust/recovery-code/1\0")
            .chain_update(self.0.as_bytes());
        RecoveryCodeDigest(digest.finalize().into())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::OsRandom;

    struct Fixed([u8; LENGTH]);

    impl RandomSource for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.copy_from_slice(&self.0);
            Ok(())
        }
    }

    fn code(text: &str) -> Option<RecoveryCode> {
        RecoveryCode::read(text)
    }

    /// The expected digest was computed with Python's `hashlib`.
    #[test]
    fn the_digest_is_sha_256_under_a_prefix_of_its_own() {
        let code = code("01234-56789-abcde-fghjk").unwrap();
        let hex: String = code
            .digest()
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "6a3a987a4c0c4dc363b15d480bc1420d24905fd87b6db41ac8e7a343b5ab1794"
        );
    }

    #[test]
    fn a_code_is_read_however_it_is_written() {
        let expected = code("01abc-defgh-jkmnp-qrs01");
        assert!(expected.is_some());
        for text in [
            "01abcdefghjkmnpqrs01",
            "  01ABC DEFGH JKMNP QRS01\n",
            "OIabc-defgh-jkmnp-qrsol",
            "0-1-a-b-c-d-e-f-g-h-j-k-m-n-p-q-r-s-0-l",
        ] {
            assert_eq!(code(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_refused() {
        for text in [
            "",
            "287082",
            "01abc-defgh-jkmnp-qrs0",
            "01abc-defgh-jkmnp-qrs011",
            "u1abc-defgh-jkmnp-qrs01",
            "é1abc-defgh-jkmnp-qrs01",
            "01abc_defgh_jkmnp_qrs01",
        ] {
            assert_eq!(code(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_set_is_ten_different_codes() {
        let set = RecoveryCode::generate_set(&OsRandom).unwrap();
        let digests: HashSet<_> = set.iter().map(RecoveryCode::digest).collect();
        assert_eq!(digests.len(), 10);
    }

    #[test]
    fn nothing_of_a_code_is_in_debug_text() {
        assert_eq!(
            format!("{:?}", RecoveryCode::generate(&OsRandom).unwrap()),
            "RecoveryCode"
        );
    }

    proptest! {
        #[test]
        fn every_generated_code_is_read_back(bytes: [u8; LENGTH]) {
            let code = RecoveryCode::generate(&Fixed(bytes)).unwrap();
            prop_assert_eq!(code.reveal().len(), 23);
            let read = RecoveryCode::read(&code.reveal()).unwrap();
            prop_assert_eq!(read.digest(), code.digest());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
            let _ = RecoveryCode::read(&text);
        }
    }
}
