//! The tokens that runners of CI give their jobs: ID tokens (OpenID Connect Core 1.0 §2) that nobody has asked for by a sign-in.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use openidconnect::{JsonWebKeySet, core::CoreJsonWebKey};
use serde::Deserialize;
use serde_json::{Map, Value};
use tigertrust_accounts::{
    sso::{ProviderDocuments, ProviderError},
    trust_rules::{JobTokenError, JobTokens, TokenRefusal},
};
use tigertrust_model::{Clock, Job, JobClaims, Timestamp};

use super::{
    jws,
    published::{Published, Wanted},
    token::{TokenError, numeric_date},
};
use crate::http::ProviderHttp;

/// By how much the clocks of issuers may differ from ours.
const LEEWAY: Duration = Duration::from_secs(60);
/// How old the token of a job may be, whatever it says itself: no job goes on for longer.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// What an issuer must say of itself (OpenID Connect Discovery 1.0 §3): those of jobs have no other endpoints.
#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: String,
    jwks_uri: String,
}

/// Verifies the tokens of jobs by the keys that their issuers publish, which are taken for true for an hour.
pub struct JobTokenVerifier {
    http: ProviderHttp,
    keys: Published<JsonWebKeySet<CoreJsonWebKey>>,
}

impl JobTokenVerifier {
    /// One that asks issuers through `http`.
    #[must_use]
    pub fn new(http: ProviderHttp, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            keys: Published::new(clock),
        }
    }

    async fn keys(
        &self,
        issuer: &str,
        wanted: Wanted,
    ) -> Result<Arc<JsonWebKeySet<CoreJsonWebKey>>, JobTokenError> {
        let keys = self.keys.get(issuer, wanted, || self.fetch(issuer)).await;
        keys.map_err(|error| match error {
            ProviderError::Unavailable(why) => {
                tracing::warn!(issuer, why, "the issuer of a trust rule cannot be asked");
                JobTokenError::Unavailable(why)
            }
            ProviderError::Settings(why) | ProviderError::Refused(why) => {
                TokenRefusal::IssuerUnusable(why).into()
            }
        })
    }

    async fn fetch(&self, issuer: &str) -> Result<JsonWebKeySet<CoreJsonWebKey>, ProviderError> {
        let url = configuration_url(issuer);
        let metadata: IssuerMetadata =
            serde_json::from_slice(&self.http.fetch(&url).await?).map_err(|_| {
                ProviderError::Unavailable(
                    "what is published at the issuer is no OpenID Connect metadata".to_owned(),
                )
            })?;
        if metadata.issuer != issuer {
            return Err(ProviderError::Settings(
                "the issuer calls itself by another name; the rule has to have it exactly as in the issuer's metadata"
                    .to_owned(),
            ));
        }
        let keys = self.http.fetch(&metadata.jwks_uri).await?;
        serde_json::from_slice(&keys)
            .map_err(|_| ProviderError::Unavailable("the issuer's keys cannot be read".to_owned()))
    }
}

#[async_trait]
impl JobTokens for JobTokenVerifier {
    fn check_issuer(&self, issuer: &str) -> Result<(), String> {
        if issuer.contains(['?', '#']) {
            return Err("must be the address of an issuer, without a query and a fragment".to_owned());
        }
        self.http
            .check(&configuration_url(issuer))
            .map_err(|error| error.to_string())
    }

    fn claimed_issuer(&self, token: &str) -> Option<String> {
        let claims = jws::unverified_claims(token)?;
        claims.get("iss")?.as_str().map(str::to_owned)
    }

    async fn verify(&self, issuer: &str, token: &str, now: Timestamp) -> Result<Job, JobTokenError> {
        let keys = self.keys(issuer, Wanted::Known).await?;
        let claims = match jws::signed_claims(token, &keys, is_accepted_type) {
            Err(TokenError::UnknownKey) => {
                let keys = self.keys(issuer, Wanted::NewKeys).await?;
                jws::signed_claims(token, &keys, is_accepted_type)
            }
            claims => claims,
        };
        Ok(read(issuer, claims.map_err(refusal)?, now)?)
    }
}

fn configuration_url(issuer: &str) -> String {
    format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    )
}

/// Access tokens, and whatever else an issuer signs, name a type of their own.
fn is_accepted_type(typ: &str) -> bool {
    typ == "jwt"
}

fn refusal(error: TokenError) -> TokenRefusal {
    match error {
        TokenError::UnknownKey => TokenRefusal::SigningKey,
        TokenError::Kind(_) => TokenRefusal::Kind,
        TokenError::Signature(_) => TokenRefusal::Signature,
        TokenError::Refused(_) => TokenRefusal::Malformed,
    }
}

/// What the claims say, if they are the issuer's own and of this time.
fn read(issuer: &str, claims: Map<String, Value>, now: Timestamp) -> Result<Job, TokenRefusal> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(TokenRefusal::Issuer);
    }
    // A date that is none is no date that may be left out.
    let date = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => numeric_date(value).map(Some).ok_or(TokenRefusal::Malformed),
    };
    let expires_at = date("exp")?.ok_or(TokenRefusal::Malformed)?;
    let issued_at = date("iat")?.ok_or(TokenRefusal::Malformed)?;
    if expires_at.saturating_add(LEEWAY) <= now || issued_at.saturating_add(OLDEST) <= now {
        return Err(TokenRefusal::Expired);
    }
    let begins = date("nbf")?.map_or(issued_at, |not_before| not_before.max(issued_at));
    if begins > now.saturating_add(LEEWAY) {
        return Err(TokenRefusal::NotYetValid);
    }
    let subject = claims.get("sub").and_then(Value::as_str).map(str::to_owned);
    let audiences = claims.get("aud").map(values).unwrap_or_default();
    let claims: JobClaims = claims
        .iter()
        .map(|(name, value)| (name.clone(), values(value)))
        .collect();
    Ok(Job {
        issuer: issuer.to_owned(),
        audiences,
        subject,
        claims,
    })
}

/// The values of a claim: itself, or the elements of a list. Objects and nulls have none.
fn values(claim: &Value) -> Vec<String> {
    match claim {
        Value::Array(elements) => elements.iter().filter_map(value).collect(),
        single => value(single).into_iter().collect(),
    }
}

fn value(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl std::fmt::Debug for JobTokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobTokenVerifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://ci.example.com";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    fn job(claims: Value, now: i64) -> Result<Job, TokenRefusal> {
        let Value::Object(claims) = claims else {
            panic!("an object");
        };
        read(ISSUER, claims, at(now))
    }

    #[test]
    fn a_token_is_good_from_its_beginning_to_its_end() {
        let claims = json!({"iss": ISSUER, "iat": 1_000, "nbf": 995, "exp": 1_300});
        assert_eq!(job(claims.clone(), 939), Err(TokenRefusal::NotYetValid));
        assert!(job(claims.clone(), 940).is_ok());
        assert!(job(claims.clone(), 1_359).is_ok());
        assert_eq!(job(claims, 1_360), Err(TokenRefusal::Expired));
        let later = json!({"iss": ISSUER, "iat": 1_000, "nbf": 1_100, "exp": 1_300});
        assert_eq!(job(later.clone(), 1_039), Err(TokenRefusal::NotYetValid));
        assert!(job(later, 1_040).is_ok());
        let forever = json!({"iss": ISSUER, "iat": 1_000, "exp": 10_000_000});
        assert!(job(forever.clone(), 87_399).is_ok());
        assert_eq!(job(forever, 87_400), Err(TokenRefusal::Expired));
    }

    #[test]
    fn what_each_token_has_to_say_is_not_left_out() {
        for claims in [
            json!({"iss": ISSUER, "iat": 1_000}),
            json!({"iss": ISSUER, "exp": 1_300}),
            json!({"iss": ISSUER, "iat": 1_000, "exp": "1300"}),
            json!({"iss": ISSUER, "iat": 1_000, "exp": 1_300, "nbf": "never"}),
        ] {
            assert_eq!(
                job(claims.clone(), 1_000),
                Err(TokenRefusal::Malformed),
                "{claims}"
            );
        }
        let other = json!({"iss": "https://ci.example.com/", "iat": 1_000, "exp": 1_300});
        assert_eq!(job(other, 1_000), Err(TokenRefusal::Issuer));
    }

    #[test]
    fn claims_are_texts_numbers_truth_values_and_lists_of_them() {
        let job = job(
            json!({
                "iss": ISSUER, "iat": 1_000, "exp": 1_300, "sub": "a", "aud": ["x", "y"],
                "id": 1234, "protected": true, "groups": ["a", 2, {"b": 1}, null], "nothing": null, "more": {"a": "b"},
            }),
            1_000,
        )
        .unwrap();
        assert_eq!(job.audiences, ["x", "y"]);
        assert_eq!(job.subject.as_deref(), Some("a"));
        let values = |name: &str| job.claims.get(name).cloned().unwrap_or_default();
        assert_eq!(values("id"), ["1234"]);
        assert_eq!(values("protected"), ["true"]);
        assert_eq!(values("groups"), ["a", "2"]);
        assert!(values("nothing").is_empty() && values("more").is_empty());
    }
}
