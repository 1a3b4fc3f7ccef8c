//! The checks of an ID token (OpenID Connect Core 1.0 §3.1.3.7).

use chrono::DateTime;
use openidconnect::{
    ClientId, IdToken, IdTokenVerifier, Nonce,
    core::{CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
};
use tigertrust_accounts::sso::OidcSettings;
use tigertrust_model::Timestamp;

use super::{
    claims::{Claims, OtherClaims},
    discovery::Provider,
    issuer::Issuer,
    token::{ALGORITHMS, SKEW, TokenError, check_issued_at, numeric_date},
};

pub(super) type SignedIdToken =
    IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// The claims, if all that does not depend on the kind of provider is right.
pub(super) fn check<'a>(
    token: &'a SignedIdToken,
    provider: &Provider,
    settings: &OidcSettings,
    nonce: &str,
    now: Timestamp,
) -> Result<&'a Claims, TokenError> {
    let client = ClientId::new(settings.client_id.clone());
    let expires_after = DateTime::from_timestamp_micros(now.saturating_sub(SKEW).unix_micros())
        .ok_or(TokenError::Refused("the token cannot be checked at this time"))?;
    // A verifier of a public client knows no secret, so that none can be taken for a key.
    let verifier = IdTokenVerifier::new_public_client(
        client.clone(),
        provider.metadata.issuer().clone(),
        provider.metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .require_issuer_match(matches!(provider.issuer, Issuer::One(_)))
    // Others may be named beside us if it was made for us: that is seen by `azp` below.
    .set_other_audience_verifier_fn(|_| true)
    .set_time_fn(move || expires_after);
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;

    if !provider.issuer.is(claims.issuer().as_str(), settings) {
        return Err(TokenError::Refused("the token is of another issuer"));
    }
    match claims.authorized_party() {
        Some(party) if *party != client => {
            return Err(TokenError::Refused("the token is for another client"));
        }
        None if claims.audiences().len() > 1 => {
            return Err(TokenError::Refused("the token is for other clients too"));
        }
        _ => {}
    }
    check_issued_at(
        Timestamp::from_unix_micros(claims.issue_time().timestamp_micros()),
        now,
    )?;
    if let Some(not_before) = claims.additional_claims().get("nbf")
        && numeric_date(not_before).is_none_or(|not_before| not_before > now.saturating_add(SKEW))
    {
        return Err(TokenError::Refused("the token is not valid yet"));
    }
    if claims.subject().is_empty() {
        return Err(TokenError::Refused("the token names nobody"));
    }
    Ok(claims)
}
