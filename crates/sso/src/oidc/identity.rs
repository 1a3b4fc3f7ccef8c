//! From claims to who somebody is.

use serde_json::Value;
use tigertrust_accounts::sso::{OidcPreset, OidcSettings, VerifiedIdentity};

use super::{
    claims::{Claims, OtherClaims, UserInfo},
    issuer::Issuer,
    token::TokenError,
};

/// Claims that stand for others that the provider keeps elsewhere: Azure's way for who is in many groups
/// (OpenID Connect Core 1.0 §5.6.2).
const CLAIM_NAMES: &str = "_claim_names";

/// Whether the ID token leaves out what the userinfo endpoint may tell. Azure's knows no groups.
pub(super) fn is_incomplete(settings: &OidcSettings, claims: &Claims) -> bool {
    let others = claims.additional_claims();
    let lacks_groups = |name: &String| others.get(name).is_none() && settings.preset != OidcPreset::Azure;
    address(settings, claims).is_none() || settings.groups_claim.as_ref().is_some_and(lacks_groups)
}

/// Who signed in, if it is somebody who may.
pub(super) fn identity(
    settings: &OidcSettings,
    issuer: &Issuer,
    claims: &Claims,
    details: Option<&UserInfo>,
) -> Result<VerifiedIdentity, TokenError> {
    let others = claims.additional_claims();
    let (email, email_verified) = match address(settings, claims) {
        Some((email, verified)) => (Some(email), verified),
        None => details_address(settings, details),
    };
    check_domain(settings, others, email.as_deref())?;

    Ok(VerifiedIdentity {
        issuer: claims.issuer().to_string(),
        subject: match settings.preset {
            OidcPreset::Azure => azure_subject(settings, issuer, claims)?.to_owned(),
            _ => claims.subject().to_string(),
        },
        email,
        email_verified,
        name: claims
            .name()
            .or_else(|| details.and_then(UserInfo::name))
            .and_then(|name| name.get(None))
            .map(|name| name.to_string())
            .filter(|name| !name.is_empty()),
        groups: groups(settings, others, details),
        second_factor: claims
            .auth_method_refs()
            .is_some_and(|methods| methods.iter().any(|method| method.as_str() == "mfa")),
        provider_session: others.text("sid").map(str::to_owned),
    })
}

/// Azure's `sub` differs from client to client; `oid` is the person's in the whole tenant.
fn azure_subject<'a>(
    settings: &OidcSettings,
    issuer: &Issuer,
    claims: &'a Claims,
) -> Result<&'a str, TokenError> {
    let others = claims.additional_claims();
    let tenant = others
        .text("tid")
        .ok_or(TokenError::Refused("the token names no tenant"))?;
    if !issuer.is_of_tenant(claims.issuer().as_str(), tenant, settings) {
        return Err(TokenError::Refused("the tenant may not sign in here"));
    }
    others
        .text("oid")
        .ok_or(TokenError::Refused("the token names nobody of the tenant"))
}

fn address(settings: &OidcSettings, claims: &Claims) -> Option<(String, bool)> {
    let email = claims
        .email()
        .map(|email| email.as_str())
        .filter(|email| is_address(email));
    match settings.preset {
        // Whoever administers a tenant writes addresses as they please; `xms_edov` says that the domain is the tenant's.
        OidcPreset::Azure => email
            .map(|email| {
                (
                    email.to_owned(),
                    is_true(claims.additional_claims().get("xms_edov")),
                )
            })
            .or_else(|| {
                let name = claims.preferred_username()?.as_str();
                is_address(name).then(|| (name.to_owned(), false))
            }),
        _ => email.map(|email| (email.to_owned(), claims.email_verified() == Some(true))),
    }
}

fn details_address(settings: &OidcSettings, details: Option<&UserInfo>) -> (Option<String>, bool) {
    let email = details
        .and_then(UserInfo::email)
        .map(|email| email.to_string())
        .filter(|email| is_address(email));
    let verified =
        settings.preset != OidcPreset::Azure && details.and_then(UserInfo::email_verified) == Some(true);
    let verified = verified && email.is_some();
    (email, verified)
}

fn check_domain(
    settings: &OidcSettings,
    others: &OtherClaims,
    email: Option<&str>,
) -> Result<(), TokenError> {
    let domain = match settings.preset {
        OidcPreset::Google => Some(others.text("hd").ok_or(TokenError::Refused(
            "the account is of no Google Workspace domain",
        ))?),
        _ => email
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain),
    };
    let is_allowed = settings.allowed_domains.is_empty()
        || domain.is_some_and(|domain| {
            settings
                .allowed_domains
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(domain))
        });
    if is_allowed {
        Ok(())
    } else {
        Err(TokenError::Refused("the account's domain may not sign in here"))
    }
}

fn groups(settings: &OidcSettings, others: &OtherClaims, details: Option<&UserInfo>) -> Vec<String> {
    let Some(name) = settings.groups_claim.as_deref() else {
        return Vec::new();
    };
    if are_elsewhere(others, name) {
        tracing::warn!(
            "the provider keeps the groups of this person apart, as they are many: none are taken over"
        );
        return Vec::new();
    }
    let claim = others
        .get(name)
        .or_else(|| details?.additional_claims().get(name));
    match claim {
        Some(Value::String(group)) => vec![group.clone()],
        Some(Value::Array(groups)) => groups
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn are_elsewhere(others: &OtherClaims, name: &str) -> bool {
    others
        .get(CLAIM_NAMES)
        .is_some_and(|names| names.get(name).is_some())
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// Azure writes optional claims now as a number, now as a text.
fn is_true(claim: Option<&Value>) -> bool {
    match claim {
        Some(Value::Bool(is_true)) => *is_true,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => text == "1" || text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}
