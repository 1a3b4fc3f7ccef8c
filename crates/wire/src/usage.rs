//! How often keys were used.

use std::collections::BTreeMap;

use serde::Serialize;
use tigertrust_accounts as accounts;
use tigertrust_model::{Granularity, Timestamp};
use utoipa::ToSchema;

use crate::timestamp;

/// How many calls came to each outcome: `VALID`, or the code of the error that the callers got. What did not come about is left out.
type Outcomes = BTreeMap<&'static str, u64>;

fn outcomes(counted: &accounts::Outcomes) -> Outcomes {
    let named = counted.iter().map(|(outcome, calls)| (outcome.as_str(), *calls));
    named.collect()
}

fn total(counted: &accounts::Outcomes) -> u64 {
    counted.values().sum()
}

/// A length of time that calls are counted by.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GranularityName {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl From<Granularity> for GranularityName {
    fn from(granularity: Granularity) -> Self {
        match granularity {
            Granularity::Minute => Self::Minute,
            Granularity::Hour => Self::Hour,
            Granularity::Day => Self::Day,
        }
    }
}

/// Which calls an answer is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageRange {
    /// The start of the first bucket.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The end of the last bucket.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// How long a bucket is.
    pub granularity: GranularityName,
    /// From when on counts of this granularity are kept: what was before is not counted any more.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub kept_since: Timestamp,
}

impl UsageRange {
    fn new(range: accounts::UsageRange, kept_since: Timestamp) -> Self {
        Self {
            from: range.from,
            to: range.to,
            granularity: range.granularity.into(),
            kept_since,
        }
    }
}

/// How often keys were used. Calls of about the last second may be missing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// When.
    #[serde(flatten)]
    pub range: UsageRange,
    /// All calls.
    pub total: u64,
    /// By what became of them.
    #[schema(value_type = BTreeMap<String, u64>, examples(json!({"VALID": 1203, "KEY_REVOKED": 2})))]
    pub outcomes: Outcomes,
    /// Each bucket, the earliest first, also where nothing was counted.
    pub buckets: Vec<UsageBucket>,
}

/// How many calls there were in a length of time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageBucket {
    /// Its start.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// All calls.
    pub total: u64,
    /// By what became of them.
    #[schema(value_type = BTreeMap<String, u64>, examples(json!({"VALID": 41})))]
    pub outcomes: Outcomes,
}

impl From<&accounts::Usage> for Usage {
    fn from(usage: &accounts::Usage) -> Self {
        let bucket = |bucket: &accounts::UsageBucket| UsageBucket {
            start: bucket.start,
            total: total(&bucket.outcomes),
            outcomes: outcomes(&bucket.outcomes),
        };
        Self {
            range: UsageRange::new(usage.range, usage.kept_since),
            total: total(&usage.outcomes),
            outcomes: outcomes(&usage.outcomes),
            buckets: usage.buckets.iter().map(bucket).collect(),
        }
    }
}

/// Which keys were used most. Calls of about the last second may be missing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageByKey {
    /// When.
    #[serde(flatten)]
    pub range: UsageRange,
    /// All calls, of all keys.
    pub total: u64,
    /// By what became of them.
    #[schema(value_type = BTreeMap<String, u64>, examples(json!({"VALID": 1203, "KEY_REVOKED": 2})))]
    pub outcomes: Outcomes,
    /// The busiest keys, the busiest first.
    pub keys: Vec<KeyUsage>,
}

/// How often one key was used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyUsage {
    /// The key's id.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub key_id: String,
    /// What people call it.
    pub name: String,
    /// All its calls.
    pub total: u64,
    /// By what became of them.
    #[schema(value_type = BTreeMap<String, u64>, examples(json!({"VALID": 41})))]
    pub outcomes: Outcomes,
}

impl From<&accounts::KeyUsage> for KeyUsage {
    fn from(key: &accounts::KeyUsage) -> Self {
        Self {
            key_id: key.key.to_string(),
            name: key.name.clone(),
            total: total(&key.outcomes),
            outcomes: outcomes(&key.outcomes),
        }
    }
}

impl From<&accounts::UsageByKey> for UsageByKey {
    fn from(usage: &accounts::UsageByKey) -> Self {
        Self {
            range: UsageRange::new(usage.range, usage.kept_since),
            total: total(&usage.outcomes),
            outcomes: outcomes(&usage.outcomes),
            keys: usage.keys.iter().map(KeyUsage::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::{AuthError, Unauthorized, ports::StoreError};
    use tigertrust_model::{KeyTypes, management};

    use crate::Problem;

    #[test]
    fn a_call_is_counted_under_the_code_that_the_caller_got() {
        let limited = |policies| AuthError::RateLimited {
            retry_after: None,
            policies,
        };
        for refusal in [
            AuthError::Unauthorized(Unauthorized::Deactivated),
            AuthError::Unauthorized(Unauthorized::WorkspaceDeleted),
            AuthError::Unauthorized(Unauthorized::OwnerGone),
            AuthError::KeyRevoked,
            AuthError::TokenExpired,
            limited(&["minute"]),
            limited(&["failures"]),
            AuthError::AddressNotAllowed,
            AuthError::WrongType {
                allowed: KeyTypes::AGENT,
            },
            AuthError::WorkspaceAccessDenied,
            AuthError::WorkspaceMissing,
            AuthError::MissingScope(management::KEYS_READ),
            AuthError::SecondFactorMissing,
        ] {
            let outcome = refusal.outcome().expect("an outcome");
            assert_eq!(outcome.as_str(), Problem::from(&refusal).code.as_str());
        }
        let unknown = AuthError::Unavailable(StoreError::unavailable("down"));
        assert_eq!(unknown.outcome(), None);
    }
}
