//! Trust rules of keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tigertrust_accounts::trust_rules::{ExchangeError, NewTrustRule};
use tigertrust_model::{Timestamp, TrustRule as Model};
use utoipa::ToSchema;

use crate::{Code, Problem, timestamp};

/// A trust rule of a key: which jobs without a key may have a token of it, on whose word.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustRule {
    /// Its id.
    #[schema(examples("tru_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// The key that it belongs to.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub key_id: String,
    /// What people call it.
    #[schema(examples("releases of acme/api"))]
    pub name: String,
    /// Whose word is taken: the `iss` of the job's token.
    #[schema(examples("https://token.actions.githubusercontent.com"))]
    pub issuer: String,
    /// What has to be in the `aud` of the job's token.
    #[schema(examples("https://auth.example.com"))]
    pub audience: String,
    /// What else the job's token has to say: for each claim the texts of which it must have one. A text that ends in `*` stands
    /// for all that begin so.
    #[schema(examples(json!({"repository_owner_id": ["1234"], "sub": ["repo:acme/api:ref:refs/heads/main"]})))]
    pub claims: BTreeMap<String, Vec<String>>,
    /// Who made it: the id of a person or of a key, or `operator`.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub created_by: String,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&Model> for TrustRule {
    fn from(rule: &Model) -> Self {
        let claims = rule.claims.iter().map(|(claim, patterns)| {
            let texts = patterns.iter().map(ToString::to_string).collect();
            (claim.to_owned(), texts)
        });
        Self {
            id: rule.id.to_string(),
            key_id: rule.key.to_string(),
            name: rule.name.clone(),
            issuer: rule.issuer.clone(),
            audience: rule.audience.clone(),
            claims: claims.collect(),
            created_by: rule.created_by.to_string(),
            created_at: rule.created_at,
        }
    }
}

/// What a new trust rule is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTrustRule {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100, examples("releases of acme/api"))]
    pub name: String,
    /// Whose word is taken: an `https` address that has `/.well-known/openid-configuration`, exactly as it stands there as
    /// `issuer`.
    #[schema(
        min_length = 1,
        max_length = 255,
        examples("https://token.actions.githubusercontent.com")
    )]
    pub issuer: String,
    /// What has to be in the `aud` of the job's token.
    #[schema(min_length = 1, max_length = 255, examples("https://auth.example.com"))]
    pub audience: String,
    /// What else the job's token has to say: 1 to 10 claims, and for each of them 1 to 20 texts, one of which it must have. A text
    /// may end in `*`, right after a `/` or a `:`, and then stands for all that begin so.
    #[schema(examples(json!({"repository_owner_id": ["1234"], "sub": ["repo:acme/api:ref:refs/heads/main"]})))]
    pub claims: BTreeMap<String, Vec<String>>,
}

impl From<CreateTrustRule> for NewTrustRule {
    fn from(body: CreateTrustRule) -> Self {
        Self {
            name: body.name,
            issuer: body.issuer,
            audience: body.audience,
            claims: body.claims,
        }
    }
}

impl From<&ExchangeError> for Problem {
    fn from(error: &ExchangeError) -> Self {
        match error {
            ExchangeError::Refused(_) => Self::new(
                Code::Unauthorized,
                "No trust rule of this key lets the job in. The audit log of the key's workspace says why, if the key has rules.",
            ),
            ExchangeError::IssuerUnavailable(_) => Self::new(
                Code::ServiceUnavailable,
                "The issuer of the token cannot be asked for its keys. Try again shortly.",
            ),
            ExchangeError::NotSupported => Self::new(
                Code::NotFound,
                "This server takes no tokens of jobs: send an API key.",
            ),
            ExchangeError::Store(_) => Self::unavailable(),
        }
    }
}
