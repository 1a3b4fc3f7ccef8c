//! Invitations: how somebody becomes a member who is asked first.

use crate::{Creator, Email, InvitationId, Role, Timestamp, WorkspaceId};

/// Somebody, by an e-mail address, who may become a member of a workspace. Its token is kept as a digest alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The invitation's id, by which it is listed and revoked; it opens nothing.
    pub id: InvitationId,
    /// Into which workspace.
    pub workspace: WorkspaceId,
    /// Who is invited: nobody but whoever has the account with this address can accept.
    pub email: Email,
    /// What the person becomes.
    pub role: Role,
    /// Who invited, the last time.
    pub invited_by: Creator,
    /// When that was.
    pub invited_at: Timestamp,
    /// From when on it can no longer be accepted.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Whether it is too late to accept it.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// Whether it was mailed, so that whoever has it reads what arrives at the address. An operator hands the link over.
    #[must_use]
    pub fn went_by_mail(&self) -> bool {
        self.invited_by != Creator::Operator
    }
}
