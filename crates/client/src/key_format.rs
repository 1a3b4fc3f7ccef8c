//! How keys are written: `ak_` or `ck_`, 43 random characters, and a CRC-32 of all before it in 6 characters of base 62.

/// The whole length, in bytes.
pub(crate) const LENGTH: usize = 52;
const CHECKSUM_AT: usize = 46;
const PREFIX_LENGTH: usize = 3;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

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
    fn keys_are_those_that_the_server_issues() {
        for kind in tigertrust_model::KeyType::ALL {
            let issued = tigertrust_credentials::KeySecret::generate(kind, &crate::OsRandom);
            assert!(read(issued.unwrap().reveal().as_bytes()).is_some());
        }
    }
}
