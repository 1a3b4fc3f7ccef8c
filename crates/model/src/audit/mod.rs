//! The audit log: who did what, on what, when and from where.

mod action;
mod chain;
mod principal;
mod search;

use std::str::FromStr;

pub use action::{AuditAction, UnknownAction};
pub use chain::{Chain, ChainHead, UnknownChain};
pub use principal::{Act, Principal};
pub use search::{AuditCursor, AuditFilter, UnknownCursor};

use crate::{
    ConnectionId, EventId, InvitationId, KeyId, PasskeyId, SessionId, Timestamp, TokenId, TrustRuleId,
    UserId, WebhookId, WorkspaceId,
};

/// What an act is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditTarget {
    /// What kind of thing: `key`, `user`, `workspace`, `invitation`, `session`, `connection`, `domain`, `passkey`, `webhook`, `token`, `trust_rule`,
    /// `operation`.
    pub kind: String,
    /// Its id, or its name where it has none.
    pub id: String,
}

macro_rules! targets {
    ($($id:ident => $kind:literal,)+) => {
        $(impl From<$id> for AuditTarget {
            fn from(id: $id) -> Self {
                Self::new($kind, id.to_string())
            }
        })+
    };
}

targets! {
    KeyId => "key",
    UserId => "user",
    WorkspaceId => "workspace",
    InvitationId => "invitation",
    SessionId => "session",
    ConnectionId => "connection",
    PasskeyId => "passkey",
    WebhookId => "webhook",
    TokenId => "token",
    TrustRuleId => "trust_rule",
}

impl AuditTarget {
    /// A thing by its kind and its id or name.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
        }
    }
}

/// A field before and after an act. What is secret or personal has no values here: that it was changed is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The field, as the API names it.
    pub field: String,
    /// What it was; none for nothing, or for what is not shown.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl FieldChange {
    /// A change, unless both are the same.
    pub fn between(field: &str, before: Option<String>, after: Option<String>) -> Option<Self> {
        (before != after).then(|| Self {
            field: field.to_owned(),
            before,
            after,
        })
    }

    /// A field that has a value from now on.
    pub fn set(field: &str, after: impl ToString) -> Self {
        Self {
            field: field.to_owned(),
            before: None,
            after: Some(after.to_string()),
        }
    }

    /// A field whose values are not shown.
    pub fn hidden(field: &str) -> Self {
        Self {
            field: field.to_owned(),
            before: None,
            after: None,
        }
    }
}

/// Whether an act happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditOutcome {
    /// It did.
    Success,
    /// It was refused, and nothing was changed.
    Refused,
}

impl AuditOutcome {
    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
        }
    }
}

impl FromStr for AuditOutcome {
    type Err = UnknownAuditOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "success" => Ok(Self::Success),
            "refused" => Ok(Self::Refused),
            _ => Err(UnknownAuditOutcome),
        }
    }
}

/// The text names no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be success or refused")]
pub struct UnknownAuditOutcome;

/// What is said of an act, before it has its place in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The chain that it goes into.
    pub chain: Chain,
    /// What happened.
    pub action: AuditAction,
    /// Who did it, and from where.
    pub act: Act,
    /// On what.
    pub target: Option<AuditTarget>,
    /// Whether it happened.
    pub outcome: AuditOutcome,
    /// Why it was refused: a code such as `FORBIDDEN`.
    pub code: Option<String>,
    /// What it changed.
    pub changes: Vec<FieldChange>,
    /// What else there is to say that is personal, such as an address that was invited: erased with its person.
    pub personal: Vec<(String, String)>,
    /// How often it happened, for what is counted together.
    pub count: u64,
}

impl AuditEntry {
    /// An act that happened.
    #[must_use]
    pub fn new(action: AuditAction, chain: impl Into<Chain>, act: &Act) -> Self {
        Self {
            chain: chain.into(),
            action,
            act: act.clone(),
            target: None,
            outcome: AuditOutcome::Success,
            code: None,
            changes: Vec::new(),
            personal: Vec::new(),
            count: 1,
        }
    }

    /// On what.
    #[must_use]
    pub fn on(mut self, target: impl Into<AuditTarget>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// What it changed.
    #[must_use]
    pub fn changing(mut self, changes: impl IntoIterator<Item = FieldChange>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Something personal to say.
    #[must_use]
    pub fn about(mut self, name: &str, value: impl Into<String>) -> Self {
        self.personal.push((name.to_owned(), value.into()));
        self
    }

    /// That it was refused, and why.
    #[must_use]
    pub fn refused(mut self, code: impl Into<String>) -> Self {
        self.outcome = AuditOutcome::Refused;
        self.code = Some(code.into());
        self
    }

    /// How often it happened.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }
}

/// An event as it stands in the log. Texts are what was written, be it by a newer program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id.
    pub id: EventId,
    /// The chain.
    pub chain: Chain,
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: see [`AuditAction`].
    pub action: String,
    /// Whether it happened: see [`AuditOutcome`].
    pub outcome: String,
    /// Why it was refused.
    pub code: Option<String>,
    /// What kind of principal did it: see [`Principal::kind`].
    pub actor_kind: String,
    /// Its id.
    pub actor: Option<String>,
    /// The session or key that it presented.
    pub credential: Option<String>,
    /// On what.
    pub target: Option<AuditTarget>,
    /// What it changed.
    pub changes: Vec<FieldChange>,
    /// How often it happened.
    pub count: u64,
    /// The request.
    pub request_id: Option<String>,
    /// What is personal; none once that is erased.
    pub personal: Option<PersonalFields>,
    /// What takes the place of the personal fields in the chain, so that it holds without them.
    pub personal_digest: [u8; 32],
    /// The id of the key under which the chain is held together here.
    pub key: String,
    /// The MAC of all of it and of the event before.
    pub mac: [u8; 32],
}

/// What an event says that is personal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalFields {
    /// Random: without it, the digest of an address could be guessed.
    pub salt: [u8; 16],
    /// The client's address.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// What else: names and values.
    pub details: Vec<(String, String)>,
}
