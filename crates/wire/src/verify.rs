//! Verifying a key for somebody else.

use std::{borrow::Cow, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tigertrust_credentials::{AuthError, Unauthorized, Verdict};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{Code, KeyTypeName, Problem, RateLimit, key::metadata_object, rate_limits, seconds, timestamp};

/// A key that somebody presented, and what it is to fulfil.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyKey {
    /// The key as it was presented.
    #[schema(value_type = String, examples("ak_00000000000000000000000000000000000000000002PL60u"))]
    pub key: Zeroizing<String>,
    /// The type that it must have.
    #[serde(default)]
    pub r#type: Option<KeyTypeName>,
    /// The scope that it must hold.
    #[serde(default)]
    #[schema(examples("certificates:read"))]
    pub scope: Option<String>,
    /// The address that it was presented from. A key that is bound to networks is refused without it.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("192.0.2.7"))]
    pub client_address: Option<IpAddr>,
    /// The workspace that it is to act in; by default its home.
    #[serde(default)]
    pub workspace_id: Option<String>,
    /// What the use costs of the key's quotas; 0 to ask only.
    #[serde(default = "one")]
    #[schema(default = 1, maximum = 50_000_000)]
    pub cost: u32,
}

const fn one() -> u32 {
    1
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyKey")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What a key is worth.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVerdict<'a> {
    /// Whether it is good for what was asked.
    pub valid: bool,
    /// `VALID`, or the code of the error that the key would get as a caller.
    #[schema(examples("VALID"))]
    pub code: &'static str,
    /// Why it is refused, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The key, where it is one that the caller may know of.
    #[serde(flatten)]
    pub key: Option<VerifiedKey<'a>>,
    /// How the key's limits stand after this use, the short window first. Absent where the key was refused before they were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// The windows that had no room for the cost.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Option<Vec<String>>, examples(json!(["minute"])))]
    pub violated_policies: &'static [&'static str],
    /// After how many seconds the same use would be within the limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

/// The key that was verified.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedKey<'a> {
    /// The key's id.
    pub key_id: String,
    /// Agent or public.
    pub r#type: KeyTypeName,
    /// What people call it.
    pub name: &'a str,
    /// The name that the owning application knows it by.
    pub external_id: Option<&'a str>,
    /// What the owning application keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The person that it belongs to; null for a key of the workspace.
    pub owner_id: Option<String>,
    /// The workspace that owns it; null for an instance key.
    pub home_workspace_id: Option<String>,
    /// The workspace that it acts in; null where it is refused, or for an instance key that named none.
    pub workspace_id: Option<String>,
    /// What it may do: for a personal key no more than its owner's role permits.
    pub scopes: Vec<Cow<'a, str>>,
    /// From when on what was presented is refused: the key's expiry, or the end of an old secret; null for never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The plan of its home; null for an instance key.
    pub plan: Option<String>,
}

impl KeyVerdict<'_> {
    /// The same without what differs from one use to the next.
    #[must_use]
    pub fn without_limits(self) -> Self {
        Self {
            rate_limits: Vec::new(),
            ..self
        }
    }
}

impl<'a> From<&'a Verdict> for KeyVerdict<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let scopes = match verdict.scopes() {
            Cow::Borrowed(scopes) => scopes.iter().map(|scope| scope.as_str().into()).collect(),
            Cow::Owned(scopes) => scopes.iter().map(|scope| scope.to_string().into()).collect(),
        };
        let key = verdict.key().map(|record| VerifiedKey {
            key_id: record.key.id.to_string(),
            r#type: record.key.kind.into(),
            name: &record.key.name,
            external_id: record.key.external_id.as_deref(),
            metadata: metadata_object(&record.key.metadata),
            owner_id: record.key.owner.map(|id| id.to_string()),
            home_workspace_id: record.key.reach.home().map(|id| id.to_string()),
            workspace_id: verdict.workspace().map(|workspace| workspace.id.to_string()),
            scopes,
            expires_at: verdict.expires_at(),
            plan: record.home().map(|home| home.plan.to_string()),
        });
        let rate_limits = verdict.limits().map(rate_limits).unwrap_or_default();
        match verdict.refusal() {
            None => Self {
                valid: true,
                code: "VALID",
                detail: None,
                key,
                rate_limits,
                violated_policies: &[],
                retry_after_seconds: None,
            },
            Some(refusal) => {
                let problem = Problem::from(refusal);
                let code: Code = problem.code;
                Self {
                    valid: false,
                    code: code.as_str(),
                    detail: Some(match refusal {
                        // What was presented here is a key, and not how the caller calls.
                        AuthError::Unauthorized(Unauthorized::Malformed) => {
                            "The API key is malformed or cut short.".to_owned()
                        }
                        AuthError::RateLimited {
                            retry_after: Some(after),
                            ..
                        } => format!(
                            "The rate limit of the key is reached: try again in {} s.",
                            seconds(*after)
                        ),
                        AuthError::RateLimited { .. } => {
                            "The cost is more than the limit of the key.".to_owned()
                        }
                        _ => problem.detail,
                    }),
                    key,
                    rate_limits,
                    violated_policies: problem.violated_policies,
                    retry_after_seconds: match refusal {
                        AuthError::RateLimited { retry_after, .. } => retry_after.map(seconds),
                        _ => None,
                    },
                }
            }
        }
    }
}
