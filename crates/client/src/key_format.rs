//! How keys are written: `ak_` or `ck_`, 43 random characters, and a CRC-32 of all before it in 6 characters of base 62.

use std::ops::RangeInclusive;

/// What begins the server's own keys and tokens, and other JSON Web Tokens.
const RESERVED: [&str; 4] = ["ak_", "ck_", "tt_", "eyJ"];
/// In bytes.
const LONGEST_PREFIX: usize = 32;
/// How long what follows the prefix of an imported key is; the exact length is the server's to know.
const IMPORTED: RangeInclusive<usize> = 20..=512;

/// The whole length, in bytes.
pub(crate) const LENGTH: usize = 52;
const CHECKSUM_AT: usize = 46;
const PREFIX_LENGTH: usize = 3;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether keys may begin so beside `ak_` and `ck_`: a prefix as in `keys.formats` of the server, or none at all.
pub(crate) fn is_further_prefix(prefix: &str) -> bool {
    let is_plain = (2..=LONGEST_PREFIX).contains(&prefix.len())
        && prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_reserved = RESERVED
        .iter()
        .any(|own| own.starts_with(prefix) || prefix.starts_with(own));
    prefix.is_empty() || (is_plain && !is_reserved)
}

/// Whether the value claims to be a key with one of these prefixes: by the prefix, or by its whole form where there may be none.
pub(crate) fn claims_to_be_imported(value: &[u8], prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| {
        if prefix.is_empty() {
            is_bare(value)
        } else {
            value.starts_with(prefix.as_bytes())
        }
    })
}

/// Whether the value can be an imported key with any prefix.
pub(crate) fn may_be_imported(value: &[u8]) -> bool {
    let lengths = *IMPORTED.start()..=LONGEST_PREFIX + IMPORTED.end();
    lengths.contains(&value.len()) && !claims_to_be_key(value) && value.iter().all(is_of_imported)
}

const fn is_of_imported(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// The value, if it can be an imported key with one of these prefixes.
pub(crate) fn read_imported<'a>(value: &'a [u8], prefixes: &[String]) -> Option<&'a str> {
    let is_key = |prefix: &String| {
        if prefix.is_empty() {
            return is_bare(value);
        }
        value
            .strip_prefix(prefix.as_bytes())
            .is_some_and(|rest| IMPORTED.contains(&rest.len()) && rest.iter().all(is_of_imported))
    };
    if claims_to_be_key(value) || !prefixes.iter().any(is_key) {
        return None;
    }
    std::str::from_utf8(value).ok()
}

/// A key without a prefix has letters and digits alone, as at the server.
fn is_bare(value: &[u8]) -> bool {
    IMPORTED.contains(&value.len()) && value.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether the value claims to be a key of TigerTrust's.
pub(crate) fn claims_to_be_key(value: &[u8]) -> bool {
    value.starts_with(b"ak_") || value.starts_with(b"ck_")
}

/// The value, if it can be a key: no look-up is worth while for one that cannot.
pub(crate) fn read(value: &[u8]) -> Option<&[u8; LENGTH]> {
    let key: &[u8; LENGTH] = value.try_into().ok()?;
    let (content, checksum) = key.split_at(CHECKSUM_AT);
    let is_key = claims_to_be_key(key)
        && key.iter().skip(PREFIX_LENGTH).all(u8::is_ascii_alphanumeric)
        && checksum == checksum_of(content);
    is_key.then_some(key)
}

fn checksum_of(content: &[u8]) -> [u8; LENGTH - CHECKSUM_AT] {
    let mut rest = crc32fast::hash(content);
    let mut digits = [b'0'; LENGTH - CHECKSUM_AT];
    for digit in digits.iter_mut().rev() {
        let place = usize::try_from(rest % 62).unwrap_or_default();
        *digit = BASE62.get(place).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";

    #[test]
    fn a_key_is_prefix_length_alphabet_and_checksum() {
        assert!(read(GOOD.as_bytes()).is_some());
        assert!(read(b"ak_00000000000000000000000000000000000000000002PL60u").is_some());
        for place in 0..LENGTH {
            let mut changed = GOOD.as_bytes().to_vec();
            changed[place] = if changed[place] == b'x' { b'y' } else { b'x' };
            assert!(read(&changed).is_none(), "{place}");
        }
        let others = [
            String::new(),
            format!("{GOOD}{GOOD}"),
            format!(" {GOOD}"),
            format!("{GOOD}\n"),
            GOOD.replace('0', "é"),
            GOOD.replace("ak_", "xk_"),
        ];
        for value in others {
            assert!(read(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn a_key_has_further_prefixes_where_somebody_says_so() {
        let imported = "sk_live_3ZxAkQ9fGhJk7mNpQrSt";
        let prefixes = ["sk_live_".to_owned(), String::new()];
        let reads = |value: &str| read_imported(value.as_bytes(), &prefixes).is_some();
        let claims = |value: &str| claims_to_be_imported(value.as_bytes(), &prefixes);
        assert!(read_imported(imported.as_bytes(), &[]).is_none());
        assert!(reads(imported) && reads(&format!("{imported}-._~+/=")) && reads(&"a".repeat(64)));
        for value in [
            "sk_live_short".to_owned(),
            format!("{imported} "),
            format!("{imported}\n"),
            format!("sk_live_{}", "é".repeat(20)),
            format!("sk_live_{}", "a".repeat(513)),
        ] {
            assert!(!reads(&value) && claims(&value), "{value}");
        }
        // What is TigerTrust's own is told by its checksum, whatever other prefixes there are; and a JWT is no key.
        let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
        for value in [&format!("ak_{}", "0".repeat(49)), jwt, &"a".repeat(19)] {
            assert!(!reads(value), "{value}");
        }
        assert!(!claims(jwt));
        assert!(prefixes.iter().all(|prefix| is_further_prefix(prefix)));
        let long = "s".repeat(33);
        for wrong in ["a", "ak_x", "ak", "tt_", "eyJh", "sk.", &long] {
            assert!(!is_further_prefix(wrong), "{wrong}");
        }
    }

    #[test]
    fn keys_are_those_that_the_server_issues() {
        for kind in tigertrust_model::KeyType::ALL {
            let issued = tigertrust_credentials::KeySecret::generate(kind, &crate::OsRandom);
            assert!(read(issued.unwrap().reveal().as_bytes()).is_some());
        }
    }
}
