//! The members of workspaces.

use serde::{Deserialize, Serialize};
use tigertrust_model::{Role, Timestamp};
use utoipa::ToSchema;

use crate::timestamp;

/// What somebody is in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
pub enum RoleName {
    /// Everything, the workspace's deletion included.
    Owner,
    /// Everything but what touches owners and the workspace's existence.
    Admin,
    /// Own keys.
    Member,
    /// Reads.
    Viewer,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
            Role::Viewer => Self::Viewer,
        }
    }
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Member => Self::Member,
            RoleName::Viewer => Self::Viewer,
        }
    }
}

/// A person in a workspace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The person's id.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub user_id: String,
    /// The address that the person signs in with.
    pub email: String,
    /// How the person wants to be called.
    pub name: Option<String>,
    /// What the person is in the workspace.
    pub role: RoleName,
    /// Since when the person is a member.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Whether the person's account is disabled, in every workspace.
    pub disabled: bool,
}

impl From<&tigertrust_accounts::ports::Member> for Member {
    fn from(member: &tigertrust_accounts::ports::Member) -> Self {
        let user = &member.user;
        Self {
            user_id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name.clone(),
            role: member.role.into(),
            since: member.since,
            disabled: user.disabled_at.is_some(),
        }
    }
}

/// Who is to become a member: by `userId` or by `email`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddMember {
    /// The person's id.
    #[serde(default)]
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub user_id: Option<String>,
    /// The address that the person signs in with.
    #[serde(default)]
    #[schema(examples("jo@example.com"))]
    pub email: Option<String>,
    /// What the person is to be.
    pub role: RoleName,
}

/// What a member is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMember {
    /// Another role.
    pub role: RoleName,
}
