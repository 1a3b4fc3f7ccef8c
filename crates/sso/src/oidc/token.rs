//! What is checked of every token, whatever it is for.

use std::time::Duration;

use openidconnect::{ClaimsVerificationError, SignatureVerificationError, core::CoreJwsSigningAlgorithm};
use tigertrust_accounts::sso::ProviderError;
use tigertrust_model::Timestamp;

/// By how much the clocks of providers may differ from ours.
pub(super) const SKEW: Duration = Duration::from_secs(2 * 60);
/// How old a token may be: as old as a sign-in may take. Azure dates its tokens back by five minutes.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// How tokens may be signed: by a key that only the provider has.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It is signed by a key that is not known, or not yet.
    UnknownKey,
    /// It is signed in a way, or of a kind, that is not accepted.
    Kind(&'static str),
    /// Its signature is wrong.
    Signature(&'static str),
    /// Another check failed.
    Refused(&'static str),
}

impl From<TokenError> for ProviderError {
    fn from(error: TokenError) -> Self {
        Self::Refused(
            match error {
                TokenError::UnknownKey => "the token is signed by a key that the provider does not publish",
                TokenError::Kind(why) | TokenError::Signature(why) | TokenError::Refused(why) => why,
            }
            .to_owned(),
        )
    }
}

impl From<ClaimsVerificationError> for TokenError {
    fn from(error: ClaimsVerificationError) -> Self {
        use ClaimsVerificationError as Claims;
        use SignatureVerificationError as Signature;
        Self::Refused(match error {
            Claims::SignatureVerification(Signature::NoMatchingKey) => return Self::UnknownKey,
            Claims::SignatureVerification(Signature::NoSignature) => "the token is not signed",
            Claims::SignatureVerification(Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_)) => {
                "the token is signed by an algorithm that is not accepted"
            }
            Claims::SignatureVerification(_) => "the token's signature is wrong",
            Claims::Expired(_) => "the token has expired",
            Claims::InvalidAudience(_) => "the token is for another client",
            Claims::InvalidIssuer(_) => "the token is of another issuer",
            Claims::InvalidNonce(_) => "the token answers another request",
            _ => "the token is of a kind that is not accepted",
        })
    }
}

/// Whether the token was made just now, by clocks that agree but for the skew.
pub(super) fn check_issued_at(issued_at: Timestamp, now: Timestamp) -> Result<(), TokenError> {
    if issued_at > now.saturating_add(SKEW) {
        Err(TokenError::Refused("the token was made in the future"))
    } else if issued_at < now.saturating_sub(MAX_AGE + SKEW) {
        Err(TokenError::Refused("the token was made too long ago"))
    } else {
        Ok(())
    }
}

/// The time of a NumericDate (RFC 7519 §2), which may have a fraction.
pub(super) fn numeric_date(claim: &serde_json::Value) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is out of range is held at the ends of the range"
    )]
    claim
        .as_f64()
        .map(|seconds| Timestamp::from_unix_micros((seconds * 1e6) as i64))
}

#[cfg(test)]
mod tests {
    use openidconnect::{
        JsonWebKey,
        core::{CoreJsonCurveType, CoreJsonWebKey},
    };

    use super::*;

    #[test]
    fn no_key_and_no_signature_is_too_odd_to_be_refused() {
        let sizes = [
            0, 1, 2, 31, 32, 33, 48, 64, 96, 127, 128, 129, 256, 512, 513, 1024,
        ];
        let bytes = |size: usize, fill: u8| vec![fill; size];
        for size in sizes {
            let mut keys = vec![
                CoreJsonWebKey::new_okp(bytes(size, 1), CoreJsonCurveType::Ed25519, None),
                CoreJsonWebKey::new_ec(bytes(size, 1), bytes(size, 1), CoreJsonCurveType::P256, None),
                CoreJsonWebKey::new_ec(bytes(size, 0), bytes(0, 0), CoreJsonCurveType::P384, None),
            ];
            for (fill, exponent) in [(0, 3), (1, 3), (255, 3), (255, 0), (255, 1), (255, 2)] {
                keys.push(CoreJsonWebKey::new_rsa(
                    bytes(size, fill),
                    bytes(1, exponent),
                    None,
                ));
            }
            for (key, algorithm) in keys
                .iter()
                .flat_map(|key| ALGORITHMS.iter().map(move |algorithm| (key, algorithm)))
            {
                for signature in sizes
                    .map(|size| bytes(size, 1))
                    .into_iter()
                    .chain([bytes(size, 0), bytes(size, 255)])
                {
                    assert!(
                        key.verify_signature(algorithm, b"a.b", &signature).is_err(),
                        "{key:?} {algorithm:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn dates_out_of_range_are_held_at_its_ends() {
        for (date, expected) in [
            (
                serde_json::json!(1.5),
                Some(Timestamp::from_unix_micros(1_500_000)),
            ),
            (serde_json::json!(1e300), Some(Timestamp::MAX)),
            (serde_json::json!(-1e300), Some(Timestamp::MIN)),
            (serde_json::json!("1"), None),
            (serde_json::json!(null), None),
        ] {
            assert_eq!(numeric_date(&date), expected, "{date}");
        }
    }
}
