//! People's own accounts.

use serde::{Deserialize, Serialize};
use tigertrust_accounts::ports::HeldOnPerson;
use tigertrust_model::{SessionId, Timestamp};
use utoipa::ToSchema;

use crate::{
    AuditEvent, Identity, Invitation, Key, KeyUsage, Passkey, Session, User, Workspace, key::present,
    timestamp,
};

/// What is to change of what a person says of itself; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMe {
    /// How the person wants to be called; null for no name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, min_length = 1, max_length = 100)]
    pub name: Option<Option<String>>,
    /// The workspace that requests act in without `X-Workspace-ID`; null for the one that the person joined first.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, examples("ws_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub default_workspace_id: Option<Option<String>>,
}

/// Everything that is held on a person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonExport {
    /// When this was written down.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub exported_at: Timestamp,
    /// The person.
    pub user: User,
    /// When the account was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The workspace that the person chose as default.
    pub default_workspace_id: Option<String>,
    /// Whether there is a password; of it, only a hash is kept.
    pub has_password: bool,
    /// The workspaces.
    pub memberships: Vec<ExportedMembership>,
    /// The sessions, newest first.
    pub sessions: Vec<Session>,
    /// The personal keys, newest first, revoked ones included.
    pub personal_keys: Vec<Key>,
    /// When the authenticator app was added; null if there is none.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub totp_added_at: Option<Timestamp>,
    /// The passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
    /// How many devices are known as the person's.
    pub known_devices: usize,
    /// The invitations to the person's address.
    pub invitations: Vec<ExportedInvitation>,
    /// The identities of providers that the person signs in with, newest first.
    pub identities: Vec<Identity>,
    /// How often each personal key was used in the last 30 days; one that was not is absent.
    pub personal_key_usage: Vec<KeyUsage>,
    /// What the audit log says of the person, newest first. Of others neither what they presented is shown nor where they were.
    pub audit_events: Vec<AuditEvent>,
    /// Whether there is more than these events.
    pub audit_truncated: bool,
}

/// A workspace that has the person as a member.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedMembership {
    /// The workspace.
    #[serde(flatten)]
    pub workspace: Workspace,
    /// What the person is there.
    #[schema(examples("owner"))]
    pub role: &'static str,
    /// Since when the person is a member.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// An invitation to the person's address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedInvitation {
    /// The invitation.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// What people call the workspace.
    pub workspace_name: String,
}

impl PersonExport {
    /// What is held, as whoever has that session sees it.
    #[must_use]
    pub fn new(held: &HeldOnPerson, current: SessionId, now: Timestamp) -> Self {
        Self {
            exported_at: now,
            user: (&held.user).into(),
            created_at: held.user.created_at,
            default_workspace_id: held.chosen_workspace.map(|id| id.to_string()),
            has_password: held.has_password,
            memberships: held
                .memberships
                .iter()
                .map(|(workspace, role, since)| ExportedMembership {
                    workspace: workspace.into(),
                    role: role.as_str(),
                    since: *since,
                })
                .collect(),
            sessions: held
                .sessions
                .iter()
                .map(|session| Session::new(session, Some(current)))
                .collect(),
            personal_keys: held.keys.iter().map(|details| Key::new(details, now)).collect(),
            totp_added_at: held.totp_added_at,
            passkeys: held.passkeys.iter().map(Passkey::from).collect(),
            recovery_codes_left: held.recovery_codes,
            known_devices: held.devices.len(),
            invitations: held
                .invitations
                .iter()
                .map(|(workspace, invitation)| ExportedInvitation {
                    invitation: Invitation::new(invitation, now),
                    workspace_name: workspace.clone(),
                })
                .collect(),
            identities: held.identities.iter().map(Identity::from).collect(),
            personal_key_usage: held.key_usage.iter().map(KeyUsage::from).collect(),
            audit_events: held.events.iter().map(AuditEvent::from).collect(),
            audit_truncated: held.events_truncated,
        }
    }
}
