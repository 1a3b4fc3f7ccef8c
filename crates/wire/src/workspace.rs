//! Workspaces.

use serde::{Deserialize, Serialize};
use tigertrust_model::{LeakResponse, Timestamp};
use utoipa::ToSchema;

use crate::{key::present, timestamp};

/// A workspace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its id.
    #[schema(examples("ws_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The plan that its keys are on.
    #[schema(examples("free"))]
    pub plan: String,
    /// Whether its members act there only with a second factor.
    pub require_second_factor: bool,
    /// What happens to its agent keys that are reported as leaked; null for what the server says.
    pub leak_response: Option<LeakResponseName>,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&tigertrust_model::Workspace> for Workspace {
    fn from(workspace: &tigertrust_model::Workspace) -> Self {
        Self {
            id: workspace.id.to_string(),
            name: workspace.name.clone(),
            plan: workspace.plan.to_string(),
            require_second_factor: workspace.requires_second_factor,
            leak_response: workspace.leak_response.map(Into::into),
            created_at: workspace.created_at,
        }
    }
}

/// What a new workspace is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWorkspace {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The id of the user who is to own it: required of an instance key. A personal key makes workspaces of its owner.
    #[serde(default)]
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub owner: Option<String>,
}

/// What is to change of a workspace; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateWorkspace {
    /// Another name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Another plan: for instance keys alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, examples("pro"))]
    pub plan: Option<String>,
    /// Whether its members act there only with a second factor. A person sets it to true only with one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    pub require_second_factor: Option<bool>,
    /// What happens to its agent keys that are reported as leaked; null for what the server says.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<LeakResponseName>, required = false)]
    pub leak_response: Option<Option<LeakResponseName>>,
}

/// What happens to a key that is reported as leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LeakResponse)]
pub enum LeakResponseName {
    /// It is marked, and goes on.
    Notify,
    /// It is revoked at once.
    Revoke,
}

impl From<LeakResponse> for LeakResponseName {
    fn from(response: LeakResponse) -> Self {
        match response {
            LeakResponse::Notify => Self::Notify,
            LeakResponse::Revoke => Self::Revoke,
        }
    }
}

impl From<LeakResponseName> for LeakResponse {
    fn from(name: LeakResponseName) -> Self {
        match name {
            LeakResponseName::Notify => Self::Notify,
            LeakResponseName::Revoke => Self::Revoke,
        }
    }
}
