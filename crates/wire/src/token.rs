//! Short-lived tokens, and what they are verified with.

use std::fmt;

use serde::{Deserialize, Serialize};
use tigertrust_credentials::{IssuedAccessToken, PublicSigningKey};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::timestamp;

/// What a token is to be good for, and for whom.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ExchangeForToken)]
pub struct ExchangeForToken {
    /// What it may do; by default all that the key may do there.
    #[serde(default)]
    #[schema(examples(json!(["certificates:read"])))]
    pub scopes: Option<Vec<String>>,
    /// The workspace that it acts in, instead of `X-Workspace-ID`; by default the key's home.
    #[serde(default)]
    pub workspace_id: Option<String>,
    /// How long it is good.
    #[serde(default)]
    #[schema(minimum = 300, maximum = 900, examples(600))]
    pub expires_in_seconds: Option<u64>,
    /// The token that an issuer has given to a job, for whoever presents no key.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub oidc_token: Option<Zeroizing<String>>,
    /// The key whose trust rule lets the job in: beside `oidcToken` alone.
    #[serde(default)]
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub key_id: Option<String>,
}

impl fmt::Debug for ExchangeForToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeForToken")
            .field("scopes", &self.scopes)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A token, which is shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuedToken)]
pub struct IssuedToken<'a> {
    /// The token, to be sent as `Authorization: Bearer`.
    pub token: &'a str,
    /// Its id, which may be logged.
    #[schema(examples("tok_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub token_id: String,
    /// From when on it is refused.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The key that it acts as.
    pub key_id: String,
    /// The workspace that it acts in; null for an instance key that named none.
    pub workspace_id: Option<String>,
    /// What it may do.
    pub scopes: Vec<&'a str>,
}

impl<'a> From<&'a IssuedAccessToken> for IssuedToken<'a> {
    fn from(issued: &'a IssuedAccessToken) -> Self {
        let claims = &issued.claims;
        Self {
            token: &issued.text,
            token_id: claims.id.to_string(),
            expires_at: claims.expires_at,
            key_id: claims.key.to_string(),
            workspace_id: claims.workspace.map(|id| id.to_string()),
            scopes: claims.scopes.iter().map(|scope| scope.as_str()).collect(),
        }
    }
}

impl fmt::Debug for IssuedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("token_id", &self.token_id)
            .finish_non_exhaustive()
    }
}

/// What tokens are verified with: a JSON Web Key Set (RFC 7517 §5).
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKeySet<'a> {
    /// The keys, that which signs new tokens first.
    pub keys: Vec<JsonWebKey<'a>>,
}

/// A public key (RFC 8037 §2).
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKey<'a> {
    /// Always `OKP`.
    pub kty: &'static str,
    /// Always `Ed25519`.
    pub crv: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_for: &'static str,
    /// Always `EdDSA`.
    pub alg: &'static str,
    /// What tokens name it by.
    #[schema(examples("tigertrust-kPrK_qmxVWaYVA9w"))]
    pub kid: &'a str,
    /// The key, in base64url.
    pub x: &'a str,
}

impl<'a> FromIterator<&'a PublicSigningKey> for JsonWebKeySet<'a> {
    fn from_iter<I: IntoIterator<Item = &'a PublicSigningKey>>(keys: I) -> Self {
        let keys = keys.into_iter().map(|key| JsonWebKey {
            kty: "OKP",
            crv: "Ed25519",
            use_for: "sig",
            alg: "EdDSA",
            kid: &key.kid,
            x: &key.x,
        });
        Self { keys: keys.collect() }
    }
}
