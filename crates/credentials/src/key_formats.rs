//! The formats of keys that were made elsewhere and imported.

use std::sync::Arc;

use tigertrust_model::KeyType;

use crate::{
    KeyFormat, ParsedKey, Token, TokenDigest, TokenKind,
    key_format::{Checksum, Digested, KEY_LENGTH},
    ring_secret,
};

/// What begins the values that are ours or a JWT's.
const RESERVED: [&str; 4] = ["ak_", "ck_", "tt_", "eyJ"];
/// A shorter prefix would claim too much of what others send as Bearer values.
const MIN_PREFIX: usize = 2;
const MAX_PREFIX: usize = 32;
/// The characters beside the prefix: of fewer the SHA-256 could be searched through, which others hold as well.
const MIN_SECRET: usize = 20;
const MAX_LENGTH: usize = 512;
/// The longest word that is shown of what somebody wrote in the wrong place, in bytes: whatever is named so that people read it is shorter,
/// and secrets of machines are longer.
const LONGEST_WORD: usize = 40;
/// In characters. A header, claims and a signature are longer.
const SHORTEST_SIGNED: usize = 80;
/// By how much the lengths of keys without a prefix may differ: their length is most of what they are known by.
const MAX_SPREAD: usize = 4;

/// The formats of imported keys, beside ours. A clone is another handle to the same list.
#[derive(Clone, Debug, Default)]
pub struct KeyFormats(Arc<[KeyFormat]>);

/// How long keys of a format are, in bytes and as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLength {
    /// The shortest.
    pub min: usize,
    /// The longest.
    pub max: usize,
}

/// Why formats cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// The id is empty, too long, has other characters or is kept for ours.
    #[error(
        "{0:?}: a format's id must be 1 to 32 characters out of a-z, A-Z, 0-9, - and _, and must not begin with tt"
    )]
    Id(String),
    /// Two formats have one id.
    #[error("{0}: each format must have an id of its own")]
    Twice(String),
    /// The prefix is too short, too long or has other characters.
    #[error("{0}: the prefix must be empty, or 2 to 32 characters out of a-z, A-Z, 0-9, - and _")]
    Prefix(String),
    /// The prefix could be the beginning of something else.
    #[error("{id}: the prefix {prefix:?} overlaps with {other:?}, which is kept for {whose}")]
    Reserved {
        /// The format.
        id: String,
        /// Its prefix.
        prefix: String,
        /// What it overlaps with.
        other: &'static str,
        /// What begins so.
        whose: &'static str,
    },
    /// One value could be of two formats.
    #[error(
        "{id}: the prefix {prefix:?} overlaps with {other:?} of {of}: of each key it must be plain which format it has"
    )]
    Overlap {
        /// The format.
        id: String,
        /// Its prefix.
        prefix: String,
        /// The other's prefix.
        other: String,
        /// The other format.
        of: String,
    },
    /// A key without a prefix could be one with the other's.
    #[error(
        "{id}: the prefix is empty, so that a key may begin with {other:?} of {of}: give that format a prefix with - or _ in it, or drop one of the two"
    )]
    NoPrefix {
        /// The format without a prefix.
        id: String,
        /// The other's prefix.
        other: String,
        /// The other format.
        of: String,
    },
    /// The lengths make no sense.
    #[error("{0}: the length must be the whole key's, 20 or more beside the prefix and 512 at the most")]
    Length(String),
    /// The lengths differ too much for keys without a prefix.
    #[error("{0}: without a prefix, max_length must be at most 4 above min_length")]
    Spread(String),
}

impl KeyFormat {
    /// A format of keys of which only the SHA-256 was known when they were imported.
    #[must_use]
    pub fn imported(id: &str, prefix: &str, kind: KeyType, length: KeyLength) -> Self {
        Self {
            id: id.to_owned().into(),
            prefix: prefix.to_owned().into(),
            kind,
            min_length: length.min,
            max_length: length.max,
            checksum: Checksum::None,
            digested: Digested::Sha256,
        }
    }
}

impl KeyFormats {
    /// A list of formats of imported keys.
    ///
    /// # Errors
    /// [`KeyFormatError`]: of each value it must be plain which format it has.
    pub fn new(mut formats: Vec<KeyFormat>) -> Result<Self, KeyFormatError> {
        for format in &formats {
            check(format)?;
        }
        for (index, format) in formats.iter().enumerate() {
            for other in formats.iter().skip(index + 1) {
                check_pair(format, other)?;
            }
        }
        // What has a prefix is told by that; only what is left is told by its shape.
        formats.sort_by_key(|format| format.prefix.is_empty());
        Ok(Self(formats.into()))
    }

    /// The format that the value claims to have, ours or another.
    #[must_use]
    pub fn of(&self, value: &[u8]) -> Option<&KeyFormat> {
        KeyFormat::native_of(value).or_else(|| self.0.iter().find(|format| format.claims(value)))
    }

    /// The format of imported keys with the id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&KeyFormat> {
        self.0.iter().find(|format| format.id == id)
    }

    /// The formats of imported keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &KeyFormat> {
        self.0.iter()
    }

    /// Whether what lets somebody in stands somewhere in a text, whole: a key or token of ours, whose checksum is right, a word that has the
    /// shape of another format's keys or of a webhook's secret, or a signed token (RFC 7519).
    #[must_use]
    pub fn holds_credential(&self, text: &str) -> bool {
        self.holds_key(text) || holds_token(text)
    }

    fn holds_key(&self, text: &str) -> bool {
        let is_key = |value: &str| matches!(ParsedKey::read(value.as_bytes(), self), Some(Ok(_)));
        let of_ours = |kind: KeyType| {
            text.match_indices(kind.prefix())
                .filter_map(|(start, _)| text.get(start..start + KEY_LENGTH))
                .any(is_key)
        };
        KeyType::ALL.into_iter().any(of_ours)
            || (!self.0.is_empty() && text.split(|letter| !is_word(letter)).any(is_key))
    }

    /// A text that somebody else wrote, as it may be shown and kept: in one line of so many characters, and without keys.
    #[must_use]
    pub fn shown(&self, text: &[u8], longest: usize) -> String {
        let text = String::from_utf8_lossy(text);
        let line: String = text.chars().filter(|letter| !letter.is_control()).collect();
        let line = if self.holds_credential(&line) {
            self.without_keys(&line).unwrap_or_default()
        } else {
            line
        };
        line.chars().take(longest).collect()
    }

    /// The text without the words that may be keys, tokens or passwords of machines; `None` if there is none in it.
    #[must_use]
    pub fn without_keys(&self, text: &str) -> Option<String> {
        let mut rest = text;
        let mut clean: Option<String> = None;
        let mut seen = 0;
        while let Some(start) = rest.find(is_word) {
            let (before, from) = rest.split_at(start);
            let (word, after) = from.split_at(from.find(|letter| !is_word(letter)).unwrap_or(from.len()));
            let is_key = self.may_hold_key(word);
            let is_secret = is_key || word.len() > LONGEST_WORD;
            if is_secret && clean.is_none() {
                clean = text.get(..seen).map(str::to_owned);
            }
            seen += before.len() + word.len();
            if let Some(clean) = &mut clean {
                clean.push_str(before);
                clean.push_str(match (is_key, is_secret) {
                    (true, _) => "[a key]",
                    (false, true) => "[…]",
                    (false, false) => word,
                });
            }
            rest = after;
        }
        clean.map(|clean| clean + rest)
    }

    /// Whether a word, which stands where people read it, may be a key or hold one: then it must not be shown.
    #[must_use]
    pub fn may_hold_key(&self, word: &str) -> bool {
        let holds = |prefix: &str| word.contains(prefix);
        (word.len() > 12 && (holds("ak_") || holds("ck_")))
            || self.0.iter().any(|format| {
                if format.prefix.is_empty() {
                    format.claims(word.as_bytes())
                } else {
                    holds(&format.prefix) && word.len() >= format.prefix.len() + MIN_SECRET
                }
            })
    }
}

fn holds_token(text: &str) -> bool {
    let is_whole = |kind: TokenKind| {
        text.match_indices(kind.prefix())
            .filter_map(|(start, _)| text.get(start..start + Token::LENGTH))
            .any(|value| matches!(TokenDigest::read(kind, value.as_bytes()), Some(Ok(_))))
    };
    let is_signed = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|letter| !is_word(letter) && letter != '.');
        let token = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let mut lengths = token.split('.').map(str::len);
        let parts = [lengths.next(), lengths.next(), lengths.next()].map(Option::unwrap_or_default);
        parts.iter().all(|length| *length > 0) && parts.iter().sum::<usize>() >= SHORTEST_SIGNED
    };
    let is_of_webhook = |rest: &str| rest.chars().take_while(|letter| is_base64(*letter)).count() >= 32;
    TokenKind::ALL.into_iter().any(is_whole)
        || text.match_indices("eyJ").any(|(start, _)| is_signed(start))
        || text.split("whsec_").skip(1).any(is_of_webhook)
}

const fn is_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '+' || letter == '/'
}

/// What words consist of that may be keys.
const fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn check(format: &KeyFormat) -> Result<(), KeyFormatError> {
    let (id, prefix) = (format.id.as_ref(), format.prefix.as_ref());
    if !ring_secret::is_id(id) || id.starts_with("tt") {
        return Err(KeyFormatError::Id(id.to_owned()));
    }
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(prefix.is_empty() || (MIN_PREFIX..=MAX_PREFIX).contains(&prefix.len()))
        || !prefix.bytes().all(is_written)
    {
        return Err(KeyFormatError::Prefix(id.to_owned()));
    }
    let reserved = RESERVED.into_iter().find(|other| overlap(prefix, other));
    if let Some(other) = reserved.filter(|_| !prefix.is_empty()) {
        return Err(KeyFormatError::Reserved {
            id: id.to_owned(),
            prefix: prefix.to_owned(),
            other,
            whose: if other == "eyJ" {
                "JWTs"
            } else {
                "this server's own keys and tokens"
            },
        });
    }
    let (min, max) = (format.min_length, format.max_length);
    if min > max || min < prefix.len() + MIN_SECRET || max > MAX_LENGTH {
        return Err(KeyFormatError::Length(id.to_owned()));
    }
    if prefix.is_empty() && max - min > MAX_SPREAD {
        return Err(KeyFormatError::Spread(id.to_owned()));
    }
    Ok(())
}

fn check_pair(one: &KeyFormat, other: &KeyFormat) -> Result<(), KeyFormatError> {
    if one.id == other.id {
        return Err(KeyFormatError::Twice(one.id.to_string()));
    }
    let (bare, prefixed) = if one.prefix.is_empty() {
        (one, other)
    } else {
        (other, one)
    };
    match (bare.prefix.is_empty(), prefixed.prefix.is_empty()) {
        (true, false) if prefixed.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(KeyFormatError::NoPrefix {
                id: bare.id.to_string(),
                other: prefixed.prefix.to_string(),
                of: prefixed.id.to_string(),
            })
        }
        (true, false) => Ok(()),
        _ if overlap(&one.prefix, &other.prefix) => Err(KeyFormatError::Overlap {
            id: other.id.to_string(),
            prefix: other.prefix.to_string(),
            other: one.prefix.to_string(),
            of: one.id.to_string(),
        }),
        _ => Ok(()),
    }
}

fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{KeyHash, KeySecret, MalformedKey, OsRandom, Pepper, PepperRing};

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn format(id: &str, prefix: &str, min: usize, max: usize) -> KeyFormat {
        KeyFormat::imported(id, prefix, KeyType::Agent, KeyLength { min, max })
    }

    fn formats() -> KeyFormats {
        KeyFormats::new(vec![
            format("plain", "", 64, 64),
            format("live", "sk_live_", 29, 30),
            format("test", "sk_test_", 40, 40),
        ])
        .unwrap()
    }

    #[test]
    fn a_value_has_the_format_of_its_prefix() {
        let formats = formats();
        let id = |value: &str| formats.of(value.as_bytes()).map(|format| format.id().to_owned());
        assert_eq!(id("sk_live_3ZxAkQ").as_deref(), Some("live"));
        assert_eq!(id("sk_test_").as_deref(), Some("test"));
        assert_eq!(id("ak_").as_deref(), Some("tt1"));
        assert_eq!(id(&"a".repeat(64)).as_deref(), Some("plain"));
        for value in [
            "",
            "sk_",
            "sk_other_3ZxAkQ",
            "eyJhbGciOiJub25lIn0.e30.",
            "tt_ses_x",
            &"a".repeat(63),
        ] {
            assert_eq!(id(value), None, "{value}");
        }
        // A JWT has dots, and what is ours an underscore: neither is taken for a key without a prefix.
        let jwt = format!("eyJ{}.e30.", "a".repeat(56));
        assert_eq!((jwt.len(), id(&jwt)), (64, None));
    }

    #[test]
    fn length_and_characters_are_checked() {
        let formats = formats();
        let read = |value: &str| ParsedKey::read(value.as_bytes(), &formats).map(|read| read.map(|_| ()));
        let key = |length: usize| format!("sk_live_{}", "a".repeat(length - 8));
        for (length, good) in [(28, false), (29, true), (30, true), (31, false)] {
            assert_eq!(read(&key(length)).unwrap().is_ok(), good, "{length}");
        }
        for letter in ["-", ".", "_", "~", "+", "/", "="] {
            assert_eq!(read(&key(29).replacen('a', letter, 1)), Some(Ok(())), "{letter}");
        }
        for letter in [" ", ",", "é", "\n", "\0", ";"] {
            let value = key(30).replacen('a', letter, 1);
            assert_eq!(read(&value), Some(Err(MalformedKey)), "{letter}");
        }
        assert_eq!(read(&format!("{}-", "a".repeat(63))), None);
    }

    #[test]
    fn of_each_value_it_must_be_plain_which_format_it_has() {
        let refused = |given: Vec<KeyFormat>| KeyFormats::new(given).unwrap_err().to_string();
        for (format, word) in [
            (format("", "sk_", 40, 40), "id"),
            (format("tt2", "sk_", 40, 40), "tt"),
            (format("a b", "sk_", 40, 40), "id"),
            (format("x", "s", 40, 40), "2 to 32"),
            (format("x", "sk.", 40, 40), "prefix"),
            (format("x", &"s".repeat(33), 80, 80), "prefix"),
            (format("x", "ak_live_", 40, 40), "\"ak_\""),
            (format("x", "ak", 40, 40), "\"ak_\""),
            (format("x", "ck_", 40, 40), "\"ck_\""),
            (format("x", "tt_", 40, 40), "\"tt_\""),
            (format("x", "ey", 40, 40), "JWTs"),
            (format("x", "eyJhbGci", 40, 40), "JWTs"),
            (format("x", "sk_", 18, 40), "length"),
            (format("x", "sk_", 40, 39), "length"),
            (format("x", "sk_", 40, 513), "length"),
            (format("x", "", 15, 15), "length"),
            (format("x", "", 20, 25), "max_length"),
        ] {
            let text = refused(vec![format]);
            assert!(text.contains(word), "{text}");
        }
        let good = || format("one", "sk_live_", 40, 40);
        for (other, word) in [
            (format("one", "pk_", 40, 40), "own"),
            (format("two", "sk_live_", 50, 50), "overlaps"),
            (format("two", "sk_", 40, 40), "overlaps"),
            (format("two", "sk_live_eu_", 40, 40), "overlaps"),
        ] {
            let text = refused(vec![good(), other]);
            assert!(text.contains(word), "{text}");
        }
        let bare = || format("bare", "", 22, 22);
        assert!(refused(vec![bare(), format("two", "", 64, 64)]).contains("overlaps"));
        assert!(refused(vec![format("two", "live", 64, 64), bare()]).contains("begin with \"live\""));
        assert!(KeyFormats::new(vec![bare(), good()]).is_ok());
    }

    #[test]
    fn imported_keys_are_found_by_the_digest_of_their_sha_256_under_every_pepper() {
        let formats = formats();
        let ring = PepperRing::new(vec![
            Pepper::new("p2", &SECRET.replace('A', "B")).unwrap(),
            Pepper::new("p1", SECRET).unwrap(),
        ])
        .unwrap();
        let text = format!("sk_test_{}", "a".repeat(32));
        let key = ParsedKey::read(text.as_bytes(), &formats).unwrap().unwrap();
        let hash = KeyHash::of(text.as_bytes());
        assert_eq!(ring.digests(&key), ring.digests_of_hash(&hash));
        assert_eq!(ring.digests(&key).len(), 2);
        assert_eq!(ring.current().digest(&key), ring.current().digest_of_hash(&hash));
        assert_ne!(ring.current().digest(&key).as_bytes(), hash.as_bytes());
        // Computed with Python's `hmac` and `hashlib`.
        let expected =
            KeyHash::read("ea3b61121f5f3f3bf6b9b118e9e32abf2535f83ea519afe8afc94406c26e2f29").unwrap();
        let digest = Pepper::new("p1", SECRET).unwrap().digest(&key);
        assert_eq!(digest.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn what_may_be_a_key_is_known_wherever_it_stands() {
        let formats = formats();
        for word in [
            format!("sk_live_{}", "a".repeat(22)),
            format!("xsk_live_{}", "a".repeat(60)),
            "a".repeat(64),
            format!("ak_{}", "0".repeat(49)),
        ] {
            assert!(formats.may_hold_key(&word), "{word}");
        }
        for word in [
            "sk_live_",
            "ak_",
            "sk_other_aaaaaaaaaaaaaaaaaaaaaaaaa",
            "X-Agent-API-Key",
            "",
        ] {
            assert!(!formats.may_hold_key(word), "{word}");
        }
    }

    #[test]
    fn a_whole_key_is_found_in_a_text_and_not_shown() {
        let formats = formats();
        let key = KeySecret::generate(KeyType::Agent, &OsRandom).unwrap();
        let (key, imported) = (key.reveal(), format!("sk_live_{}", "a".repeat(22)));
        let part: String = key.chars().skip(3).take(17).collect();
        for text in [
            key.to_owned(),
            format!("leaked: {key}."),
            format!("x-{key}y"),
            format!("it was {imported}"),
        ] {
            assert!(formats.holds_credential(&text), "{text}");
            let shown = formats.shown(text.as_bytes(), 200);
            assert!(
                shown.contains("[a key]") && !shown.contains(&part) && !shown.contains("aaaa"),
                "{shown}"
            );
        }
        assert!(!KeyFormats::default().holds_credential(&imported));
        for kind in TokenKind::ALL {
            let token = Token::generate(kind, &OsRandom).unwrap();
            let text = format!("x{}.", token.reveal());
            assert!(formats.holds_credential(&text), "{kind:?}");
            assert_eq!(formats.shown(text.as_bytes(), 200), "[…].");
        }
        let signed = [
            "eyJhbGciOiJFZERTQSIsImtpZCI6InMxIn0",
            &"a".repeat(50),
            &"b".repeat(86),
        ]
        .join(".");
        for text in [
            format!("curl {signed}"),
            format!("It was {signed}..."),
            format!("token_{signed}."),
        ] {
            assert!(formats.holds_credential(&text), "{text}");
        }
        assert!(formats.holds_credential(&format!("whsec_{}=", "c/".repeat(21))));
        // Whose checksum is wrong, or which only look alike.
        for text in [
            "ak_00000000000000000000000000000000000000000002PL60v",
            "break_glass_keys",
            "task_ak_20261127_0001",
            "tt_ses_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp128eerK",
            "eyJ.a.b",
            "whsec_rotated",
            "",
        ] {
            assert!(!formats.holds_credential(text), "{text}");
            assert_eq!(formats.shown(text.as_bytes(), 200), text);
        }
    }

    #[test]
    fn what_is_shown_cannot_forge_a_line() {
        let shown = |text: &[u8]| KeyFormats::default().shown(text, 200);
        assert_eq!(shown(b"curl/8\r\n\x1b[31m \xff"), "curl/8[31m \u{fffd}");
        assert_eq!(shown(&[b'x'; 5000]).len(), 200);
    }

    #[test]
    fn long_words_are_not_shown_where_something_is_wrong() {
        let token = format!("unknown field `{}`, expected `name`", "a1".repeat(22));
        let clean = KeyFormats::default().without_keys(&token);
        assert_eq!(clean.as_deref(), Some("unknown field `[…]`, expected `name`"));
    }

    proptest! {
        #[test]
        fn our_keys_never_match_another_format(agent: bool) {
            let kind = if agent { KeyType::Agent } else { KeyType::Public };
            let secret = KeySecret::generate(kind, &OsRandom).unwrap();
            let formats = formats();
            let read = ParsedKey::read(secret.reveal().as_bytes(), &formats).unwrap().unwrap();
            prop_assert_eq!(read.format().id(), KeyFormat::NATIVE_ID);
            for format in formats.iter() {
                prop_assert!(!format.claims(secret.reveal().as_bytes()) && format.check(secret.reveal().as_bytes()).is_err());
            }
        }

        #[test]
        fn no_input_makes_the_parser_panic(
            value in proptest::collection::vec(any::<u8>(), 0..90),
            prefix in prop_oneof![Just(""), Just("sk_live_"), Just("sk_test_"), Just("ak_"), Just("eyJ")],
        ) {
            let value = [prefix.as_bytes(), &value].concat();
            let formats = formats();
            if let Some(Ok(key)) = ParsedKey::read(&value, &formats) {
                prop_assert_eq!(key.as_bytes(), value.as_slice());
            }
            let _ = formats.may_hold_key(&String::from_utf8_lossy(&value));
        }

        #[test]
        fn whatever_formats_are_accepted_tell_each_value_apart(
            prefixes in proptest::collection::vec("([a-z]{1,3}_){0,2}[a-z]{0,2}", 1..5),
            value in "[a-z_]{0,8}[a-z]{32,36}",
        ) {
            let given = prefixes.iter().enumerate();
            let given = given.map(|(index, prefix)| format(&format!("f{index}"), prefix, 40, 44)).collect();
            if let Ok(formats) = KeyFormats::new(given) {
                let claim = formats.iter().filter(|format| format.claims(value.as_bytes())).count();
                prop_assert!(claim <= 1);
            }
        }
    }
}
