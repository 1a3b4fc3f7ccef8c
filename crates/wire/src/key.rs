//! API keys.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use tigertrust_accounts::{KeyChanges, NewKey, OwnerRequest, ReachRequest, ports::KeyDetails};
use tigertrust_credentials::{KeyFormat, KeySecret};
use tigertrust_model::{KeyLimits, KeyState, KeyType, Lifecycle, Metadata, SecretInfo, Timestamp};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::timestamp;

/// The type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyType)]
pub enum KeyTypeName {
    /// `ak_…`, or imported as such: agents, services and CI.
    Agent,
    /// `ck_…`, or imported as such: clients that cannot keep a secret well.
    Public,
}

impl From<KeyType> for KeyTypeName {
    fn from(kind: KeyType) -> Self {
        match kind {
            KeyType::Agent => Self::Agent,
            KeyType::Public => Self::Public,
        }
    }
}

impl From<KeyTypeName> for KeyType {
    fn from(name: KeyTypeName) -> Self {
        match name {
            KeyTypeName::Agent => Self::Agent,
            KeyTypeName::Public => Self::Public,
        }
    }
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyState)]
pub enum KeyStateName {
    /// Accepted.
    Active,
    /// Switched off; may be switched on again.
    Deactivated,
    /// Past its expiry.
    Expired,
    /// Ended for good.
    Revoked,
}

impl From<KeyState> for KeyStateName {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Active => Self::Active,
            KeyState::Deactivated => Self::Deactivated,
            KeyState::Expired => Self::Expired,
            KeyState::Revoked => Self::Revoked,
        }
    }
}

/// Limits of a key's own. They count where they are lower than its plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyLimits)]
pub struct OwnLimits {
    /// Calls in the plan's short window.
    #[schema(minimum = 1, maximum = 50_000_000)]
    pub minute: Option<u32>,
    /// Calls in the plan's long window.
    #[schema(minimum = 1, maximum = 50_000_000)]
    pub hour: Option<u32>,
}

/// An object and nothing else: what serde derives would take an array too.
impl<'de> Deserialize<'de> for OwnLimits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "camelCase")]
        enum Member {
            Minute,
            Hour,
        }

        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = OwnLimits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with minute and hour")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<OwnLimits, A::Error> {
                let mut limits = OwnLimits::default();
                while let Some(member) = members.next_key()? {
                    match member {
                        Member::Minute => limits.minute = members.next_value()?,
                        Member::Hour => limits.hour = members.next_value()?,
                    }
                }
                Ok(limits)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl From<KeyLimits> for OwnLimits {
    fn from(limits: KeyLimits) -> Self {
        Self {
            minute: limits.minute,
            hour: limits.hour,
        }
    }
}

impl From<OwnLimits> for KeyLimits {
    fn from(limits: OwnLimits) -> Self {
        Self {
            minute: limits.minute,
            hour: limits.hour,
        }
    }
}

/// What is known of one secret of a key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Its first 8 characters; of an imported key as much of its beginning as is known, which may be nothing.
    #[schema(examples("ak_3fK9a"))]
    pub start: String,
    /// Its last 4 characters; empty where they are not known, as of most imported keys.
    pub last_four: String,
    /// The format of an imported key, by its id in the configuration; null for a secret that was made here.
    #[schema(examples("acme-live"))]
    pub format: Option<String>,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when on it is refused because another has taken its place; null for the newest.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// When it was last used, to a few seconds; null if never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The address that it was last used from.
    pub last_used_address: Option<String>,
    /// The `User-Agent` that it was last used by.
    pub last_used_user_agent: Option<String>,
}

impl From<&SecretInfo> for Secret {
    fn from(secret: &SecretInfo) -> Self {
        let last = secret.last_use.as_ref();
        Self {
            start: secret.display.start.clone(),
            last_four: secret.display.last_four.clone(),
            format: Some(&secret.format)
                .filter(|format| *format != KeyFormat::NATIVE_ID)
                .cloned(),
            created_at: secret.created_at,
            ends_at: secret.ends_at,
            last_used_at: last.map(|last| last.at),
            last_used_address: last
                .and_then(|last| last.address)
                .map(|address| address.to_string()),
            last_used_user_agent: last.and_then(|last| last.user_agent.clone()),
        }
    }
}

/// An API key; never its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Key)]
pub struct Key {
    /// Its id, which outlives every rotation of the secret.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Agent or public.
    pub r#type: KeyTypeName,
    /// What people call it.
    pub name: String,
    /// What it is now.
    pub state: KeyStateName,
    /// The first 8 characters of the newest secret; of an imported key as much of its beginning as is known, which may be nothing.
    #[schema(examples("ak_3fK9a"))]
    pub start: String,
    /// The last 4 characters of the newest secret; empty where they are not known, as of most imported keys.
    pub last_four: String,
    /// Its secrets, newest first: one, or more after a rotation. They show which one is still used.
    pub secrets: Vec<Secret>,
    /// When any of its secrets was last used; null if never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// The person that it belongs to, beyond whose role it never goes; null for a key of the workspace.
    pub owner_id: Option<String>,
    /// What it may do.
    #[schema(examples(json!(["certificates:read"])))]
    pub scopes: Vec<String>,
    /// The workspace that owns it, whose plan it is on and which it acts in by default; null for an instance key.
    pub home_workspace_id: Option<String>,
    /// Every workspace that it may act in, the home first; empty for an instance key.
    pub workspace_ids: Vec<String>,
    /// Whether it is an instance key, which acts in the workspace that each request names.
    pub instance: bool,
    /// The networks that it may be used from; everywhere if there is none.
    pub allowed_cidrs: Vec<String>,
    /// Its own limits, where they are lower than its plan's.
    pub limits: OwnLimits,
    /// The name that the owning application knows it by.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// From when on it is refused; null for never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Who made it: a key's id, a user's id, or `operator` for the command line.
    pub created_by: String,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When it was revoked.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
    /// When somebody first reported that it had leaked; null if nobody has.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub leak_reported_at: Option<Timestamp>,
}

impl Key {
    /// The key as it is at `now`.
    #[must_use]
    pub fn new(details: &KeyDetails, now: Timestamp) -> Self {
        let KeyDetails { key, secrets } = details;
        let (revoked_at, revocation_reason) = match &key.lifecycle {
            Lifecycle::Revoked { at, reason } => (Some(*at), reason.clone()),
            Lifecycle::Active | Lifecycle::Deactivated => (None, None),
        };
        Self {
            id: key.id.to_string(),
            r#type: key.kind.into(),
            name: key.name.clone(),
            state: key.state(now).into(),
            start: key.display.start.clone(),
            last_four: key.display.last_four.clone(),
            secrets: secrets.iter().map(Into::into).collect(),
            last_used_at: secrets
                .iter()
                .filter_map(|secret| secret.last_use.as_ref())
                .map(|last| last.at)
                .max(),
            owner_id: key.owner.map(|id| id.to_string()),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            home_workspace_id: key.reach.home().map(|id| id.to_string()),
            workspace_ids: key.reach.named().map(|id| id.to_string()).collect(),
            instance: key.reach.home().is_none(),
            allowed_cidrs: key.allowed_cidrs.iter().map(ToString::to_string).collect(),
            limits: key.limits.into(),
            external_id: key.external_id.clone(),
            metadata: metadata_object(&key.metadata),
            expires_at: key.expires_at,
            created_by: key.created_by.to_string(),
            created_at: key.created_at,
            updated_at: key.updated_at,
            revoked_at,
            revocation_reason,
            leak_reported_at: key.leak_reported_at,
        }
    }
}

/// The JSON object that metadata hold.
pub(crate) fn metadata_object(metadata: &Metadata) -> Map<String, Value> {
    // Storage hands out only what was once checked to be an object.
    serde_json::from_str(metadata.as_json()).unwrap_or_default()
}

/// A new key with its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedKey<'a> {
    /// The key.
    #[serde(flatten)]
    pub record: Key,
    /// The secret. This answer alone shows it: store it now.
    #[schema(examples("ak_00000000000000000000000000000000000000000002PL60u"))]
    pub key: &'a str,
}

impl<'a> IssuedKey<'a> {
    /// The answer that shows the secret.
    #[must_use]
    pub fn new(details: &KeyDetails, secret: &'a KeySecret, now: Timestamp) -> Self {
        Self {
            record: Key::new(details, now),
            key: secret.reveal(),
        }
    }
}

impl fmt::Debug for IssuedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedKey")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// What a new key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Agent or public.
    pub r#type: KeyTypeName,
    /// What it may do: scopes that its type may hold and that the caller holds. May be empty.
    #[schema(max_items = 64, examples(json!(["certificates:read"])))]
    pub scopes: Vec<String>,
    /// From when on it is refused; any future time. Absent or null: never.
    #[serde(default, deserialize_with = "timestamp::deserialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Further workspaces that it may act in; the caller must be able to write keys there.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub workspace_ids: Vec<String>,
    /// Networks or addresses that it may be used from; everywhere if there is none.
    #[serde(default)]
    #[schema(max_items = 50, examples(json!(["192.0.2.0/24"])))]
    pub allowed_cidrs: Vec<String>,
    /// Limits of its own, below those of its plan.
    #[serde(default)]
    pub limits: OwnLimits,
    /// The name that the owning application knows it by.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    pub external_id: Option<String>,
    /// A JSON object of up to 4,096 bytes that is kept with it.
    #[serde(default, deserialize_with = "deserialize_metadata")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Metadata>,
    /// Whether it is to belong to the caller, who must be a person. A personal key never does more than its owner's role
    /// permits, and ends with the owner's account or membership.
    #[serde(default)]
    pub personal: bool,
}

impl From<CreateKey> for NewKey {
    fn from(body: CreateKey) -> Self {
        Self {
            name: body.name,
            kind: body.r#type.into(),
            scopes: body.scopes,
            expires_at: body.expires_at,
            reach: ReachRequest::Caller {
                others: body.workspace_ids,
            },
            owner: if body.personal {
                OwnerRequest::Caller
            } else {
                OwnerRequest::Workspace
            },
            allowed_cidrs: body.allowed_cidrs,
            limits: body.limits.into(),
            external_id: body.external_id,
            metadata: body.metadata.unwrap_or_default(),
        }
    }
}

/// What is to change of a key; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateKey {
    /// Another name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// On or off.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    pub active: Option<bool>,
    /// Other scopes, in place of all it has.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, max_items = 64)]
    pub scopes: Option<Vec<String>>,
    /// Another expiry in the future, or null for none.
    #[serde(default, deserialize_with = "present_time")]
    #[schema(value_type = Option<String>, required = false, format = DateTime)]
    pub expires_at: Option<Option<Timestamp>>,
    /// Other workspaces in place of all it has; its home always stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, max_items = 100)]
    pub workspace_ids: Option<Vec<String>>,
    /// Other networks in place of all it has; an empty list for everywhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, max_items = 50)]
    pub allowed_cidrs: Option<Vec<String>>,
    /// Other limits of its own, in place of all it has; an empty object for those of its plan alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = OwnLimits, required = false)]
    pub limits: Option<OwnLimits>,
    /// Another external id, or null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, min_length = 1, max_length = 255)]
    pub external_id: Option<Option<String>>,
    /// Other metadata, in place of all it has; null for none.
    #[serde(default, deserialize_with = "present_metadata")]
    #[schema(value_type = Option<Object>, required = false)]
    pub metadata: Option<Metadata>,
}

impl From<UpdateKey> for KeyChanges {
    fn from(body: UpdateKey) -> Self {
        Self {
            name: body.name,
            active: body.active,
            scopes: body.scopes,
            expires_at: body.expires_at,
            workspace_ids: body.workspace_ids,
            allowed_cidrs: body.allowed_cidrs,
            limits: body.limits.map(Into::into),
            external_id: body.external_id,
            metadata: body.metadata,
        }
    }
}

/// A key that was found where it should not be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportLeak {
    /// The key as it was found.
    #[schema(value_type = String, examples("ak_00000000000000000000000000000000000000000002PL60u"))]
    pub key: Zeroizing<String>,
}

impl fmt::Debug for ReportLeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportLeak")
    }
}

/// Why a key is revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeKey {
    /// In the words of whoever does it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

/// How a key gets another secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateKey {
    /// For how many seconds the old secret goes on; 0 ends it at once.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub overlap_seconds: u64,
}

/// Reads a field that is there: a null is for the inner type to accept or not.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn present_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    timestamp::deserialize_option(deserializer).map(Some)
}

fn present_metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Metadata>, D::Error> {
    deserialize_metadata(deserializer).map(|metadata| Some(metadata.unwrap_or_default()))
}

pub(crate) fn deserialize_metadata<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Metadata>, D::Error> {
    let Some(object) = Option::<Map<String, Value>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    serde_json::to_string(&object)
        .map(|text| Some(Metadata::from_json_object(text)))
        .map_err(D::Error::custom)
}
