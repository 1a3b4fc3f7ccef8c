//! The checks of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6).

use serde_json::Value;
use tigertrust_accounts::sso::{LogoutToken, OidcPreset, OidcSettings};
use tigertrust_model::Timestamp;

use super::{
    discovery::Provider,
    jws,
    token::{SKEW, TokenError, check_issued_at, numeric_date},
};

/// What a logout token says that happened.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What the token says, if all of it is right.
pub(super) fn check(
    token: &str,
    provider: &Provider,
    settings: &OidcSettings,
    now: Timestamp,
) -> Result<LogoutToken, TokenError> {
    let claims = jws::signed_claims(token, provider.metadata.jwks(), is_accepted_type)?;
    let text = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let refused = |why| Err(TokenError::Refused(why));

    let issuer = text("iss").filter(|issuer| provider.issuer.is(issuer, settings));
    let Some(issuer) = issuer else {
        return refused("the token is of another issuer");
    };
    if !is_for(claims.get("aud"), &settings.client_id) {
        return refused("the token is for another client");
    }
    let (Some(issued_at), Some(expires_at)) = (
        claims.get("iat").and_then(numeric_date),
        claims.get("exp").and_then(numeric_date),
    ) else {
        return refused("the token does not say when it was made and until when it is valid");
    };
    check_issued_at(issued_at, now)?;
    if expires_at.saturating_add(SKEW) <= now {
        return refused("the token has expired");
    }
    let is_logout = claims
        .get("events")
        .and_then(|events| events.get(EVENT))
        .is_some_and(Value::is_object);
    if !is_logout {
        return refused("the token is no logout token");
    }
    // An ID token must never pass for a logout token.
    if claims.contains_key("nonce") {
        return refused("the token has a nonce");
    }
    let Some(id) = text("jti") else {
        return refused("the token has no id");
    };
    let subject = match settings.preset {
        OidcPreset::Azure => text("oid"),
        _ => text("sub"),
    };
    let provider_session = text("sid");
    if subject.is_none() && provider_session.is_none() {
        return refused("the token names neither a person nor a session");
    }

    Ok(LogoutToken {
        issuer: issuer.to_owned(),
        subject: subject.map(str::to_owned),
        provider_session: provider_session.map(str::to_owned),
        id: id.to_owned(),
        remembered_until: expires_at.saturating_add(SKEW),
    })
}

/// Providers are free to write `JWT`, as all did before the type had a name.
fn is_accepted_type(typ: &str) -> bool {
    matches!(typ, "logout+jwt" | "jwt")
}

fn is_for(audience: Option<&Value>, client_id: &str) -> bool {
    match audience {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => audiences
            .iter()
            .any(|audience| audience.as_str() == Some(client_id)),
        _ => false,
    }
}
