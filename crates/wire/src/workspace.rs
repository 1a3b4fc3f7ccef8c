//! Workspaces.

use serde::Serialize;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

use crate::timestamp;

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
            created_at: workspace.created_at,
        }
    }
}
