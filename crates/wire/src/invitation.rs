//! Invitations into workspaces.

use std::fmt;

use serde::{Deserialize, Serialize};
use tigertrust_model::{Invitation as Model, Timestamp};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{RoleName, timestamp};

/// An invitation. What it is accepted with is in the mail alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Its id, by which it can be revoked.
    #[schema(examples("inv_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Into which workspace.
    pub workspace_id: String,
    /// Who is invited.
    pub email: String,
    /// What the person becomes.
    pub role: RoleName,
    /// Who invited, the last time: the id of a person or of a key, or `operator`.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub invited_by: String,
    /// When that was.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub invited_at: Timestamp,
    /// From when on it can no longer be accepted.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Whether that time has come.
    pub expired: bool,
}

impl Invitation {
    /// The invitation, as it is at that time.
    #[must_use]
    pub fn new(invitation: &Model, now: Timestamp) -> Self {
        Self {
            id: invitation.id.to_string(),
            workspace_id: invitation.workspace.to_string(),
            email: invitation.email.to_string(),
            role: invitation.role.into(),
            invited_by: invitation.invited_by.to_string(),
            invited_at: invitation.invited_at,
            expires_at: invitation.expires_at,
            expired: invitation.is_expired(now),
        }
    }
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invite {
    /// The address that the person has, or is to have, an account with.
    #[schema(examples("jo@example.com"))]
    pub email: String,
    /// What the person becomes.
    pub role: RoleName,
}

/// An invitation to accept; `name` and `password` are for who has no account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptInvitation {
    /// What the link in the mail holds.
    #[schema(value_type = String)]
    pub token: Zeroizing<String>,
    /// How the person wants to be called.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// The password of the account that is made: 15 characters or more; not a common one.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 15, max_length = 256)]
    pub password: Option<Zeroizing<String>>,
}

impl fmt::Debug for AcceptInvitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptInvitation")
    }
}
