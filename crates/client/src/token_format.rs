//! How short-lived tokens are written: JSON Web Tokens that begin with the same bytes, signed with Ed25519.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// What every token begins with: `{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-` in base64url.
const PREFIX: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpZ2VydHJ1c3Qt";
/// What follows in the first part: the rest of the key's name, and the end of the header.
const HEADER_END: &[u8] = br#""}"#;
const NAME_LENGTH: usize = 16;
const SIGNATURE_LENGTH: usize = 86;
/// More than a token with many scopes needs.
const LONGEST: usize = 8_192;

/// A token that is well formed. What is in it is nobody's word yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "tokens"),
    allow(dead_code, reason = "without that feature nothing is verified here")
)]
pub(crate) struct Token<'a> {
    /// Which key it says that it is signed with.
    pub(crate) kid: String,
    /// What the signature is of.
    pub(crate) signed: &'a str,
    /// The claims, in base64url.
    pub(crate) payload: &'a str,
    /// In base64url.
    pub(crate) signature: &'a str,
}

/// Whether the value claims to be a token of TigerTrust's. Other JSON Web Tokens do not.
pub(crate) fn claims_to_be_token(value: &[u8]) -> bool {
    value.starts_with(PREFIX.as_bytes())
}

/// Takes a token apart; `None` if it is malformed or cut short.
pub(crate) fn read(value: &[u8]) -> Option<Token<'_>> {
    if value.len() > LONGEST {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?;
    let (signed, signature) = value.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let is_well_formed =
        is_base64url(payload) && is_base64url(signature) && signature.len() == SIGNATURE_LENGTH;
    let end = URL_SAFE_NO_PAD.decode(header.strip_prefix(PREFIX)?).ok()?;
    let name = end.strip_suffix(HEADER_END)?;
    let is_name = name.len() == NAME_LENGTH && name.iter().copied().all(is_of_base64url);
    if !is_well_formed || !is_name {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(Token {
        kid: format!("tigertrust-{name}"),
        signed,
        payload,
        signature,
    })
}

fn is_base64url(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(is_of_base64url)
}

const fn is_of_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_token_is_three_parts_that_begin_alike() {
        let head = header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-0123456789abc-_Z"}"#);
        let (payload, signature) = ("e30", "A".repeat(86));
        let good = format!("{head}.{payload}.{signature}");
        let token = read(good.as_bytes()).unwrap();
        assert_eq!(token.kid, "tigertrust-0123456789abc-_Z");
        assert_eq!(token.signed, format!("{head}.{payload}"));
        assert_eq!((token.payload, token.signature), (payload, signature.as_str()));
        let long = "A".repeat(8_192);
        let cut = signature.get(1..).unwrap();
        let more =
            header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-0123456789abc-_Z","alg":"none"}"#);
        let short = header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-short"}"#);
        let odd = header(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust-0123456789abc-_."}"#);
        for malformed in [
            head.clone(),
            format!("{head}.{payload}"),
            format!("{head}..{signature}"),
            format!("{good}A"),
            format!("{head}.{payload}.{cut}"),
            format!("{good}.{signature}"),
            format!("{head}.{payload}=.{signature}"),
            format!("{good}\n"),
            format!("{head}.{payload}.{cut} "),
            format!("{head}.{payload}.{cut}é"),
            format!("{head}A.{payload}.{signature}"),
            format!("{head}.{long}.{signature}"),
            format!("{more}.{payload}.{signature}"),
            format!("{short}.{payload}.{signature}"),
            format!("{odd}.{payload}.{signature}"),
        ] {
            assert!(claims_to_be_token(malformed.as_bytes()), "{malformed}");
            assert_eq!(read(malformed.as_bytes()), None, "{malformed}");
        }
        for other in [
            "",
            "eyJhbGciOiJub25lIn0.e30.",
            "ak_00000000000000000000000000000000000000000002PL60u",
        ] {
            assert!(!claims_to_be_token(other.as_bytes()));
        }
    }

    #[test]
    fn a_token_begins_as_those_that_the_server_issues() {
        assert_eq!(PREFIX, tigertrust_credentials::ACCESS_TOKEN_PREFIX);
    }
}
