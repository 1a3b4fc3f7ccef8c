//! Keys that are worth a look.

use serde::Serialize;
use tigertrust_accounts as accounts;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

use crate::{Page, timestamp};

/// What is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FindingName {
    /// Somebody reported that the key has leaked.
    Leaked,
    /// The key is not used.
    Unused,
    /// It expires soon.
    Expiring,
    /// It is used, and may do more than it was asked for.
    OverScoped,
    /// Its secret is old.
    Old,
}

/// A key that is worth a look, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyFinding {
    /// The key's id.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub key_id: String,
    /// What people call it.
    pub name: String,
    /// Why.
    pub finding: FindingName,
    /// Since when: the report of a leaked key; the last use of an unused key, or when it was made if there was none; when an old secret was made; from when on
    /// nobody asked for the scopes. Null for one that expires.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When the key expires; null for other findings.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Whether it expires very soon.
    pub urgent: bool,
    /// The scopes that nobody asked for; empty for other findings.
    #[schema(examples(json!(["certificates:write"])))]
    pub scopes: Vec<String>,
    /// What to do, for people.
    pub advice: &'static str,
}

impl From<&accounts::KeyFinding> for KeyFinding {
    fn from(found: &accounts::KeyFinding) -> Self {
        let with = |finding, advice| Self {
            key_id: found.key.to_string(),
            name: found.name.clone(),
            finding,
            since: None,
            expires_at: None,
            urgent: false,
            scopes: Vec::new(),
            advice,
        };
        match &found.finding {
            accounts::Finding::Leaked { since } => Self {
                since: Some(*since),
                ..with(
                    FindingName::Leaked,
                    "Rotate it without an overlap, or revoke it: whoever reported it has its secret.",
                )
            },
            accounts::Finding::Unused { since, never } => Self {
                since: Some(*since),
                ..with(
                    FindingName::Unused,
                    if *never {
                        "It was never used: revoke it, unless somebody is about to use it."
                    } else {
                        "Nobody uses it any more: revoke it, or deactivate it first if you are not sure."
                    },
                )
            },
            accounts::Finding::Expiring { at, urgent } => Self {
                expires_at: Some(*at),
                urgent: *urgent,
                ..with(
                    FindingName::Expiring,
                    "If it is still needed, give it a later expiresAt, or hand its users another key before then.",
                )
            },
            accounts::Finding::OverScoped { scopes, since } => Self {
                since: Some(*since),
                scopes: scopes.iter().map(ToString::to_string).collect(),
                ..with(
                    FindingName::OverScoped,
                    "No check asked for these scopes: take them away if nobody is about to need them.",
                )
            },
            accounts::Finding::Old { since } => Self {
                since: Some(*since),
                ..with(
                    FindingName::Old,
                    "Rotate it, with an overlap that lets its users follow.",
                )
            },
        }
    }
}

impl From<&accounts::HygieneReport> for Page<KeyFinding> {
    fn from(report: &accounts::HygieneReport) -> Self {
        Self {
            items: report.findings.iter().map(KeyFinding::from).collect(),
            next_cursor: report.next.map(|key| key.to_string()),
        }
    }
}
