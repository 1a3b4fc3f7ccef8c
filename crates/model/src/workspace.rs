//! Workspaces: the tenants that keys and people belong to.

use std::{fmt, str::FromStr};

use crate::{Timestamp, WorkspaceId};

/// The plan of a workspace: it names the rate limits of the keys that have their home there.
///
/// `free`, `pro` and `enterprise` are shipped; which others exist is configuration, so a plan is a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan(String);

/// The text is not the name of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a plan name of 1 to 32 characters out of a-z, 0-9 and -")]
pub struct PlanError;

impl Plan {
    /// The plans that are there without configuration, smallest first.
    pub const SHIPPED: [&'static str; 3] = ["free", "pro", "enterprise"];

    /// The plan of a new workspace.
    #[must_use]
    pub fn free() -> Self {
        Self("free".to_owned())
    }

    /// The plan's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if named {
            Ok(Self(text.to_owned()))
        } else {
            Err(PlanError)
        }
    }
}

/// A tenant: the home of keys, members and their settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The workspace's id.
    pub id: WorkspaceId,
    /// What people call it.
    pub name: String,
    /// Which limits its keys have.
    pub plan: Plan,
    /// Whether its members act there only with a second factor.
    pub requires_second_factor: bool,
    /// What happens to its agent keys that are reported as leaked; what the server says without it.
    pub leak_response: Option<LeakResponse>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted, if it was: its keys are refused from then on.
    pub deleted_at: Option<Timestamp>,
}

/// What happens to a key that is reported as leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakResponse {
    /// It is marked, and goes on: its owners see it and decide.
    Notify,
    /// It is revoked at once.
    Revoke,
}

impl LeakResponse {
    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for LeakResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be notify or revoke")]
pub struct UnknownLeakResponse;

impl FromStr for LeakResponse {
    type Err = UnknownLeakResponse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "notify" => Ok(Self::Notify),
            "revoke" => Ok(Self::Revoke),
            _ => Err(UnknownLeakResponse),
        }
    }
}

/// What a member may do in a workspace: see [`Role::permits`]. Each role may do all that the ones after it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, the workspace's deletion included.
    Owner,
    /// Everything but what touches owners and the workspace's existence.
    Admin,
    /// Own keys.
    Member,
    /// Reads.
    Viewer,
}

impl Role {
    /// All roles, most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

    /// The name on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be owner, admin, member or viewer")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}
