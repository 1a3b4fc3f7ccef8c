//! Tokens as signed JSON (RFC 7515, RFC 7519).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKey, JsonWebKeyId, JsonWebKeySet,
    core::{CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::token::{ALGORITHMS, TokenError};

const MALFORMED: TokenError = TokenError::Refused("the token is malformed");

#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<JsonWebKeyId>,
    typ: Option<String>,
    cty: Option<Value>,
    crit: Option<Value>,
}

/// The claims of a compact JWS (RFC 7515 §5.2) that one of the keys has signed. Types of tokens are told to `is_accepted_type` in
/// small letters and without `application/`; a token need not name one.
pub(super) fn signed_claims(
    token: &str,
    keys: &JsonWebKeySet<CoreJsonWebKey>,
    is_accepted_type: fn(&str) -> bool,
) -> Result<Map<String, Value>, TokenError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(MALFORMED)?;
    let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| MALFORMED)?;
    let signature = decoded(signature)?;

    if !ALGORITHMS.contains(&header.alg) {
        return Err(TokenError::Kind(
            "the token is signed by an algorithm that is not accepted",
        ));
    }
    let is_accepted = |typ: &str| {
        let typ = typ.to_ascii_lowercase();
        is_accepted_type(typ.strip_prefix("application/").unwrap_or(&typ))
    };
    if header.cty.is_some() || header.crit.is_some() || !header.typ.as_deref().is_none_or(is_accepted) {
        return Err(TokenError::Kind("the token is of a kind that is not accepted"));
    }
    let mut keys = keys
        .keys()
        .iter()
        .filter(|key| header.kid.is_none() || key.key_id() == header.kid.as_ref())
        .peekable();
    if keys.peek().is_none() {
        return Err(TokenError::UnknownKey);
    }
    if !keys.any(|key| {
        key.verify_signature(&header.alg, signed.as_bytes(), &signature)
            .is_ok()
    }) {
        return Err(TokenError::Signature("the token's signature is wrong"));
    }
    serde_json::from_slice(&decoded(claims)?).map_err(|_| MALFORMED)
}

/// The claims of what looks like a token, without a look at its signature: none of it is proven.
pub(super) fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    parts.next()?;
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&decoded(claims).ok()?).ok()
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED)
}
