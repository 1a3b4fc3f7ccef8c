//! Opaque tokens: 256 random bits that stand for a session, a started login or a link in a mail.
//!
//! A token is `tt_`, three letters for its kind, `_`, the random bits in 43 digits of base 62, and the CRC-32 of all
//! before in 6 (as in API keys). So a cookie or a link of somebody else's is told from one of ours that is damaged,
//! and neither is looked up; and scanners for leaked secrets have something to look for.

use std::fmt;

use sha2::{Digest, Sha256};
use tigertrust_model::{RandomError, RandomSource};
use zeroize::{Zeroize, Zeroizing};

use crate::key_format::{CHECKSUM_DIGITS, RANDOM_DIGITS, base62_of, checksum_of};

/// What a token stands for. One of another kind is never accepted in its place, for the kind is part of what is digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A session, in its cookie.
    Session,
    /// A login whose password was right and whose second factor is awaited.
    SecondFactor,
    /// A device that its owner signed in on before.
    Device,
    /// A link to set a new password.
    PasswordReset,
    /// A link that proves that mail to an address arrives.
    EmailVerification,
    /// A link into a workspace.
    Invitation,
    /// A sign-in that is under way at an identity provider: it travels there and back.
    SsoState,
    /// The browser that began it: it stays there.
    SsoBrowser,
    /// An identity provider that writes the people of a workspace (SCIM).
    Scim,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Session,
        Self::SecondFactor,
        Self::Device,
        Self::PasswordReset,
        Self::EmailVerification,
        Self::Invitation,
        Self::SsoState,
        Self::SsoBrowser,
        Self::Scim,
    ];

    /// What tokens of the kind begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "tt_ses_",
            Self::SecondFactor => "tt_2fa_",
            Self::Device => "tt_dev_",
            Self::PasswordReset => "tt_pwr_",
            Self::EmailVerification => "tt_eml_",
            Self::Invitation => "tt_inv_",
            Self::SsoState => "tt_sst_",
            Self::SsoBrowser => "tt_ssb_",
            Self::Scim => "tt_scm_",
        }
    }
}

/// Has the prefix of a token, but is not one: wrong length, character or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is malformed")]
pub struct MalformedToken;

/// The digest of a token. Only this is stored, and looked up.
///
/// It is a plain SHA-256 with a prefix of its own: nobody guesses 256 random bits, with the digest or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Reads a token as a caller presented it, and keeps only its digest. `None` when the value is no token of this
    /// kind at all: a cookie of another application's, say.
    ///
    /// # Errors
    /// [`MalformedToken`] when it has the kind's prefix and yet is no token.
    pub fn read(kind: TokenKind, value: &[u8]) -> Option<Result<Self, MalformedToken>> {
        let body = value.strip_prefix(kind.prefix().as_bytes())?;
        let well_formed = body.len() == RANDOM_DIGITS + CHECKSUM_DIGITS
            && body.iter().all(u8::is_ascii_alphanumeric)
            && value
                .split_last_chunk()
                .is_some_and(|(content, checksum)| checksum_of(content) == *checksum);
        Some(if well_formed {
            Ok(Self::of(value))
        } else {
            Err(MalformedToken)
        })
    }

    fn of(token: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(b"tigertrust/token/1\0")
            .chain_update(token);
        Self(digest.finalize().into())
    }

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

/// A new token, to be handed out once. Zeroised on drop; `Debug` shows only the kind.
pub struct Token {
    kind: TokenKind,
    text: Zeroizing<String>,
}

impl Token {
    /// The length of every token in bytes.
    pub const LENGTH: usize = 7 + RANDOM_DIGITS + CHECKSUM_DIGITS;

    /// A new token.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(kind: TokenKind, random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut number = [0; 32];
        random.fill(&mut number)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::LENGTH));
        bytes.extend_from_slice(kind.prefix().as_bytes());
        bytes.extend_from_slice(&base62_of(number));
        number.zeroize();
        let checksum = checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        let mut text = Zeroizing::new(String::with_capacity(Self::LENGTH));
        text.extend(bytes.iter().map(|byte| char::from(*byte)));
        Ok(Self { kind, text })
    }

    /// What it stands for.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The token in plain: letters, digits and underscores, fit for a cookie and for a URL.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.text.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", self.kind.prefix())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{KeyFormats, OsRandom, ParsedKey};

    struct Fixed([u8; 32]);

    impl RandomSource for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.copy_from_slice(&self.0);
            Ok(())
        }
    }

    fn kinds() -> impl Strategy<Value = TokenKind> {
        proptest::sample::select(&TokenKind::ALL[..])
    }

    /// Computed with another implementation (Python's `int`, `zlib.crc32` and `hashlib`).
    #[test]
    fn tokens_are_written_and_digested_as_documented() {
        let token = Token::generate(TokenKind::Session, &Fixed([255; 32])).unwrap();
        assert_eq!(
            token.reveal(),
            "tt_ses_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp128eerJ"
        );
        let hex: String = token
            .digest()
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "d321db2e88d5bfa2c8cae1c9891d8753417f94ed30139916434d2e042dc89960"
        );
    }

    #[test]
    fn each_kind_has_a_prefix_of_its_own() {
        let prefixes: HashSet<_> = TokenKind::ALL.iter().map(|kind| kind.prefix()).collect();
        assert_eq!(prefixes.len(), TokenKind::ALL.len());
        assert!(prefixes.iter().all(|prefix| prefix.len() == 7));
    }

    #[test]
    fn a_cookie_of_another_application_is_not_ours() {
        for value in [
            "",
            "s%3AU5xX8qvSVnJQ0Zl0Sw1bqg9nEeWZ3kPo.9Wv1y0bq",
            "tt_ses",
            "TT_SES_0",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
        ] {
            assert_eq!(
                TokenDigest::read(TokenKind::Session, value.as_bytes()),
                None,
                "{value}"
            );
        }
        let damaged = TokenDigest::read(TokenKind::Session, b"tt_ses_0");
        assert_eq!(damaged, Some(Err(MalformedToken)));
    }

    #[test]
    fn a_token_is_no_api_key() {
        let token = Token::generate(TokenKind::Session, &OsRandom).unwrap();
        assert_eq!(
            ParsedKey::read(token.reveal().as_bytes(), &KeyFormats::default()),
            None
        );
    }

    #[test]
    fn nothing_of_a_token_is_in_debug_text() {
        let token = Token::generate(TokenKind::Device, &OsRandom).unwrap();
        assert_eq!(format!("{token:?}"), "Token(tt_dev_…)");
    }

    proptest! {
        #[test]
        fn every_generated_token_is_read_back(bytes: [u8; 32], kind in kinds()) {
            let token = Token::generate(kind, &Fixed(bytes)).unwrap();
            prop_assert_eq!(token.reveal().len(), Token::LENGTH);
            let read = TokenDigest::read(kind, token.reveal().as_bytes());
            prop_assert_eq!(read, Some(Ok(token.digest())));
        }

        #[test]
        fn a_token_of_another_kind_is_never_accepted(bytes: [u8; 32], kind in kinds(), other in kinds()) {
            prop_assume!(kind != other);
            let token = Token::generate(kind, &Fixed(bytes)).unwrap();
            prop_assert_eq!(TokenDigest::read(other, token.reveal().as_bytes()), None);
            let twin = Token::generate(other, &Fixed(bytes)).unwrap();
            prop_assert_ne!(token.digest(), twin.digest());
        }

        #[test]
        fn one_wrong_character_is_noticed(bytes: [u8; 32], position in 7..Token::LENGTH, letter in "[0-9A-Za-z]") {
            let token = Token::generate(TokenKind::Session, &Fixed(bytes)).unwrap();
            let mut value = token.reveal().as_bytes().to_vec();
            let letter = letter.as_bytes()[0];
            prop_assume!(value[position] != letter);
            value[position] = letter;
            prop_assert_eq!(TokenDigest::read(TokenKind::Session, &value), Some(Err(MalformedToken)));
        }

        #[test]
        fn no_input_makes_the_reader_panic(value in proptest::collection::vec(any::<u8>(), 0..80), ours: bool) {
            let value = if ours { [b"tt_ses_".as_slice(), &value].concat() } else { value };
            let read = TokenDigest::read(TokenKind::Session, &value);
            prop_assert_eq!(read.is_none(), !value.starts_with(b"tt_ses_"));
        }
    }
}
