//! What a presented key is worth.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};
use tigertrust_model::{Entity, KeyId, KeyType, Timestamp, UserId, WorkspaceId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What a presented key is worth. Let a client in for a valid one alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The key is good for what was asked.
    Valid(Arc<ValidVerdict>),
    /// The key is refused.
    Refused(Arc<RefusedVerdict>),
}

/// The key is good for what was asked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ValidVerdict {
    /// The key's id.
    #[serde(deserialize_with = "parsed")]
    pub key_id: KeyId,
    /// Agent or public.
    #[serde(rename = "type", deserialize_with = "parsed")]
    pub key_type: KeyType,
    /// What people call it.
    pub name: String,
    /// The name that the owning application knows it by.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    pub metadata: Map<String, Value>,
    // These four decide for how long the verdict is remembered: they must be there, if only as null.
    /// The person that it belongs to; `None` for a key of the workspace.
    #[serde(deserialize_with = "parsed_or_null")]
    pub owner_id: Option<UserId>,
    /// The workspace that owns it; `None` for an instance key.
    #[serde(deserialize_with = "parsed_or_null")]
    pub home_workspace_id: Option<WorkspaceId>,
    /// The workspace that it acts in; `None` for an instance key that named none.
    #[serde(deserialize_with = "parsed_or_null")]
    pub workspace_id: Option<WorkspaceId>,
    /// From when on what was presented is refused: the key's expiry, or the end of an old secret; `None` for never.
    #[serde(deserialize_with = "time_or_null")]
    pub expires_at: Option<Timestamp>,
    /// What it may do: for a personal key no more than its owner's role permits.
    pub scopes: Vec<String>,
    /// The plan of its home; `None` for an instance key.
    pub plan: Option<String>,
    /// How its limits stood when the verdict was asked for, the short window first.
    pub rate_limits: Vec<RateLimit>,
}

/// The key is refused. It is named where it is one that the service may know of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefusedVerdict {
    /// The code that the key would get as a caller.
    pub code: Code,
    /// Why, for people.
    pub detail: String,
    /// The key's id.
    #[serde(default, deserialize_with = "parsed_or_null")]
    pub key_id: Option<KeyId>,
    /// The person that it belongs to.
    #[serde(default, deserialize_with = "parsed_or_null")]
    pub owner_id: Option<UserId>,
    /// The workspace that owns it.
    #[serde(default, deserialize_with = "parsed_or_null")]
    pub home_workspace_id: Option<WorkspaceId>,
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How its limits stand. Empty where the key was refused before they were asked.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
    /// The windows that had no room.
    #[serde(default)]
    pub violated_policies: Vec<String>,
    /// After how many seconds the same use would be within the limits.
    pub retry_after_seconds: Option<u64>,
}

/// How one window of a key's limits stood when the verdict was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RateLimit {
    /// The window: `minute` or `hour`.
    pub policy: String,
    /// How much the window has.
    pub limit: u64,
    /// How long it is.
    pub window_seconds: u64,
    /// How much of it is left.
    pub remaining: u64,
    /// After how many seconds there is more.
    pub reset_seconds: u64,
}

/// The code of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Malformed, unknown or not active.
    Unauthorized,
    /// Past its expiry.
    TokenExpired,
    /// Revoked.
    KeyRevoked,
    /// Good, but not for this: the type, the scope or the client's address.
    Forbidden,
    /// The named workspace is not the key's.
    WorkspaceAccessDenied,
    /// Used too often.
    RateLimited,
    /// One that a later server knows.
    Other(Box<str>),
}

impl Code {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::KeyRevoked => "KEY_REVOKED",
            Self::Forbidden => "FORBIDDEN",
            Self::WorkspaceAccessDenied => "WORKSPACE_ACCESS_DENIED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Other(code) => code,
        }
    }
}

impl From<String> for Code {
    fn from(code: String) -> Self {
        match code.as_str() {
            "UNAUTHORIZED" => Self::Unauthorized,
            "TOKEN_EXPIRED" => Self::TokenExpired,
            "KEY_REVOKED" => Self::KeyRevoked,
            "FORBIDDEN" => Self::Forbidden,
            "WORKSPACE_ACCESS_DENIED" => Self::WorkspaceAccessDenied,
            "RATE_LIMITED" => Self::RateLimited,
            _ => Self::Other(code.into()),
        }
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Verdict {
    /// Whether the key is good for what was asked.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid(_))
    }

    /// The verdict, if it is a valid one.
    #[must_use]
    pub const fn valid(&self) -> Option<&Arc<ValidVerdict>> {
        match self {
            Self::Valid(verdict) => Some(verdict),
            Self::Refused(_) => None,
        }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub const fn refused(&self) -> Option<&Arc<RefusedVerdict>> {
        match self {
            Self::Valid(_) => None,
            Self::Refused(verdict) => Some(verdict),
        }
    }

    /// What is said of a value that cannot be a key.
    pub(crate) fn malformed() -> Self {
        Self::unnamed("The API key is malformed or cut short.")
    }

    /// What is said of a value that claims to be a token and cannot be one.
    pub(crate) fn malformed_token() -> Self {
        Self::unnamed("The token is malformed or cut short.")
    }

    /// What is said of a value that names no key.
    pub(crate) fn unnamed(detail: &str) -> Self {
        Self::Refused(Arc::new(RefusedVerdict {
            code: Code::Unauthorized,
            detail: detail.to_owned(),
            key_id: None,
            owner_id: None,
            home_workspace_id: None,
            scopes: Vec::new(),
            rate_limits: Vec::new(),
            violated_policies: Vec::new(),
            retry_after_seconds: None,
        }))
    }

    /// Reads the server's answer; `None` if it has not the form of one.
    pub(crate) fn read(answer: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(answer).ok()?;
        if !head.valid {
            return Some(Self::Refused(Arc::new(serde_json::from_slice(answer).ok()?)));
        }
        if head.code != "VALID" {
            return None;
        }
        Some(Self::Valid(Arc::new(serde_json::from_slice(answer).ok()?)))
    }

    /// Whether a use is refused for want of room.
    pub(crate) fn is_rate_limited(&self) -> bool {
        self.refused()
            .is_some_and(|verdict| verdict.code == Code::RateLimited)
    }

    /// Whether the server has counted the use that it was asked about.
    pub(crate) fn has_spent(&self) -> bool {
        self.refused()
            .is_none_or(|verdict| !verdict.rate_limits.is_empty() && verdict.code != Code::RateLimited)
    }

    /// What the verdict depends on: a change to one of these may turn it.
    pub(crate) fn depends_on(&self) -> Vec<Entity> {
        let (key, owner, home, workspace) = match self {
            Self::Valid(verdict) => (
                Some(verdict.key_id),
                verdict.owner_id,
                verdict.home_workspace_id,
                verdict.workspace_id,
            ),
            Self::Refused(verdict) => (verdict.key_id, verdict.owner_id, verdict.home_workspace_id, None),
        };
        let elsewhere = workspace.filter(|id| Some(*id) != home);
        [
            key.map(Entity::Key),
            owner.map(Entity::User),
            home.map(Entity::Workspace),
            elsewhere.map(Entity::Workspace),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What tells which verdict it is.
#[derive(Deserialize)]
struct Head {
    valid: bool,
    code: String,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| de::Error::custom("not of the expected form"))
}

fn parsed_or_null<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse())
        .transpose()
        .map_err(|_| de::Error::custom("not of the expected form"))
}

fn time_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| {
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)?;
        let micros = i64::try_from(time.unix_timestamp_nanos() / 1_000).map_err(de::Error::custom)?;
        Ok(Timestamp::from_unix_micros(micros))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "valid": true, "code": "VALID", "keyId": "key_01m86fcna0fx895jfx2prsm665", "type": "public", "name": "a key",
            "externalId": null, "metadata": {"team": "web"}, "ownerId": null,
            "homeWorkspaceId": "ws_01m86e81hve32sj3vjxvs95yam", "workspaceId": "ws_01m86e81hve32sj3vjxvs95yam",
            "scopes": ["certificates:read"], "expiresAt": "2030-12-31T23:59:59Z", "plan": "free", "rateLimits": [
                {"policy": "minute", "limit": 20, "windowSeconds": 60, "remaining": 19, "resetSeconds": 60}
            ],
        })
    }

    fn read(answer: &Value) -> Option<Verdict> {
        Verdict::read(answer.to_string().as_bytes())
    }

    #[test]
    fn a_verdict_has_all_that_it_depends_on_or_is_none() {
        let verdict = read(&answer()).unwrap();
        assert_eq!(verdict.depends_on().len(), 2);
        for member in answer().as_object().unwrap().keys() {
            let mut cut = answer();
            cut.as_object_mut().unwrap().remove(member);
            let may_lack = ["externalId", "plan"].contains(&member.as_str());
            assert_eq!(read(&cut).is_some(), may_lack, "{member}");
        }
        let wrong = [
            ("valid", json!("true")),
            ("valid", json!(1)),
            ("code", json!("KEY_REVOKED")),
            ("keyId", json!("ws_01m86e81hve32sj3vjxvs95yam")),
            ("ownerId", json!(7)),
            ("expiresAt", json!("soon")),
            ("expiresAt", json!("2030-12-31")),
            ("rateLimits", json!({})),
        ];
        for (member, value) in wrong {
            let mut changed = answer();
            changed[member] = value;
            assert_eq!(read(&changed), None, "{changed}");
        }
    }

    #[test]
    fn a_time_is_read_with_any_number_of_digits() {
        let at = 1_924_991_999_000_000;
        for (seconds, micros) in [("59Z", 0), ("59.5Z", 500_000), ("59.123456789Z", 123_456)] {
            let mut timed = answer();
            timed["expiresAt"] = json!(format!("2030-12-31T23:59:{seconds}"));
            let verdict = read(&timed).unwrap();
            let expires_at = verdict.valid().unwrap().expires_at.unwrap();
            assert_eq!(expires_at.unix_micros(), at + micros);
        }
    }

    #[test]
    fn a_refusal_needs_no_more_than_its_code_and_detail() {
        let verdict = read(&json!({"valid": false, "code": "NEW", "detail": "why"})).unwrap();
        assert_eq!(verdict.refused().unwrap().code.as_str(), "NEW");
        assert_eq!(verdict.depends_on(), []);
        assert!(!verdict.has_spent());
        assert_eq!(read(&json!({"valid": false, "code": "NEW"})), None);
    }

    /// The members that are read are those that the server's own type writes.
    #[test]
    fn a_verdict_is_read_as_the_server_writes_it() {
        use utoipa::PartialSchema as _;
        let schema = serde_json::to_value(tigertrust_wire::VerifiedKey::schema()).unwrap();
        let written: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let own = answer();
        let not_of_the_key = ["valid", "code", "rateLimits"];
        let mut read: Vec<&String> = own.as_object().unwrap().keys().collect();
        read.retain(|name| !not_of_the_key.contains(&name.as_str()));
        assert_eq!(sorted(read), sorted(written));

        let limit = tigertrust_wire::RateLimit {
            policy: "minute",
            limit: 20,
            window_seconds: 60,
            remaining: 19,
            reset_seconds: 7,
        };
        let read: RateLimit = serde_json::from_value(serde_json::to_value(limit).unwrap()).unwrap();
        assert_eq!((read.limit, read.remaining, read.reset_seconds), (20, 19, 7));
    }

    fn sorted(mut names: Vec<&String>) -> Vec<&String> {
        names.sort();
        names
    }
}
