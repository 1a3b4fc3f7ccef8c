//! Who the caller is.

use serde::Serialize;
use serde_json::{Map, Value};
use tigertrust_credentials::Permit;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

use crate::{KeyTypeName, Workspace, key::metadata_object, timestamp};

/// What kind of caller it is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalType {
    /// An API key.
    ApiKey,
    /// A person who is signed in.
    User,
}

/// The key that calls.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyIdentity {
    /// Always `apiKey` here.
    pub r#type: PrincipalType,
    /// The key's id.
    pub key_id: String,
    /// Agent or public.
    pub key_type: KeyTypeName,
    /// What people call it.
    pub name: String,
    /// The person that it belongs to; null for a key of the workspace.
    pub owner_id: Option<String>,
    /// What it may do: for a personal key no more than its owner's role permits.
    pub scopes: Vec<String>,
    /// The workspace that the request acts in; null for an instance key that named none.
    pub workspace: Option<Workspace>,
    /// The workspace that owns the key; null for an instance key.
    pub home_workspace_id: Option<String>,
    /// Every workspace that it may act in, the home first; empty for an instance key.
    pub workspace_ids: Vec<String>,
    /// The name that the owning application knows it by.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// From when on what was presented is refused: the key's expiry, or the end of an old secret; null for never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<&Permit> for KeyIdentity {
    fn from(permit: &Permit) -> Self {
        let key = &permit.key().key;
        Self {
            r#type: PrincipalType::ApiKey,
            key_id: key.id.to_string(),
            key_type: key.kind.into(),
            name: key.name.clone(),
            owner_id: key.owner.map(|id| id.to_string()),
            scopes: permit.scopes().iter().map(ToString::to_string).collect(),
            workspace: permit.workspace().map(Into::into),
            home_workspace_id: key.reach.home().map(|id| id.to_string()),
            workspace_ids: key.reach.named().map(|id| id.to_string()).collect(),
            external_id: key.external_id.clone(),
            metadata: metadata_object(&key.metadata),
            expires_at: permit.expires_at(),
        }
    }
}
