//! A webhook.

use std::{fmt, str::FromStr};

use tigertrust_credentials::Sealed;
use tigertrust_model::{Creator, Timestamp, WebhookId, WorkspaceId};

use super::EventFilter;

/// Why nothing is sent to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledBecause {
    /// Somebody has switched it off.
    Asked,
    /// The receiver has answered 410: it wants no more.
    Gone,
    /// For days nothing has come through.
    Failing,
}

impl DisabledBecause {
    /// As it is stored, and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for DisabledBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be asked, gone or failing")]
pub struct UnknownReason;

impl FromStr for DisabledBecause {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "asked" => Ok(Self::Asked),
            "gone" => Ok(Self::Gone),
            "failing" => Ok(Self::Failing),
            _ => Err(UnknownReason),
        }
    }
}

/// A webhook of a workspace, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Which one it is.
    pub id: WebhookId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Where it is sent to.
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it wants to hear of; never empty.
    pub events: Vec<EventFilter>,
    /// Since when nothing is sent to it, and why; none while it is enabled.
    pub disabled: Option<(Timestamp, DisabledBecause)>,
    /// Since when nothing has come through; none where the last delivery did.
    pub failing_since: Option<Timestamp>,
    /// Until when it is signed with the secret before the present one, too.
    pub previous_secret_until: Option<Timestamp>,
    /// Who made it.
    pub created_by: Creator,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Webhook {
    /// Whether it wants to hear of events of that kind.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|filter| filter.matches(kind))
    }
}

/// A webhook as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// What it is signed with.
    pub secret: Sealed,
    /// The secret before, for as long as [`Webhook::previous_secret_until`] says.
    pub previous_secret: Option<Sealed>,
}
