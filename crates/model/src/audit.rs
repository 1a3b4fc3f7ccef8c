//! The audit log: who did what, on what, when and from where.

use std::{fmt, str::FromStr};

use crate::{
    ConnectionId, Creator, EventId, InvitationId, KeyId, Origin, PasskeyId, SessionId, Timestamp, TokenId,
    TrustRuleId, UserId, WebhookId, WorkspaceId,
};

/// The text names no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an action of the audit log, such as key.revoked")]
pub struct UnknownAction;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What the audit log knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)+
        }

        impl AuditAction {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// How it is written: what it is about, a dot, and what happened to that.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }

        impl FromStr for AuditAction {
            type Err = UnknownAction;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(UnknownAction),
                }
            }
        }
    };
}

actions! {
    /// A key was made.
    KeyCreated = "key.created",
    /// Keys that were made elsewhere were imported; each that is new has an entry of its own too, `key.created`.
    KeysImported = "key.imported",
    /// Fields of a key were changed.
    KeyUpdated = "key.updated",
    /// A key was given another secret.
    KeyRotated = "key.rotated",
    /// A key was put out of use for a while.
    KeyDeactivated = "key.deactivated",
    /// A key was taken into use again.
    KeyActivated = "key.activated",
    /// A key was ended for good.
    KeyRevoked = "key.revoked",
    /// Somebody reported that a key has leaked, and it goes on.
    KeyLeaked = "key.leaked",
    /// Calls with a key were refused: one entry for each key, reason and minute, with their number.
    KeyRefused = "key.refused",
    /// A key, or a job that a trust rule of the key lets in, was exchanged for a token.
    TokenIssued = "token.issued",
    /// Jobs asked for a token of a key and were let in by none of its trust rules: one entry for each key, network and minute, with
    /// their number.
    TokenRefused = "token.refused",
    /// A key was given a trust rule.
    TrustRuleCreated = "trust_rule.created",
    /// A trust rule was taken from a key.
    TrustRuleDeleted = "trust_rule.deleted",
    /// A workspace was made.
    WorkspaceCreated = "workspace.created",
    /// Settings of a workspace were changed.
    WorkspaceUpdated = "workspace.updated",
    /// A workspace was deleted.
    WorkspaceDeleted = "workspace.deleted",
    /// Somebody became a member.
    MemberAdded = "member.added",
    /// A member was given another role.
    MemberUpdated = "member.updated",
    /// Somebody is no member any more.
    MemberRemoved = "member.removed",
    /// Somebody was invited.
    InvitationCreated = "invitation.created",
    /// An invitation was sent once more, or with another role.
    InvitationUpdated = "invitation.updated",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// An invitation was accepted.
    InvitationAccepted = "invitation.accepted",
    /// An account was made.
    UserCreated = "user.created",
    /// Fields of an account were changed.
    UserUpdated = "user.updated",
    /// An account was disabled.
    UserDisabled = "user.disabled",
    /// An account was enabled again.
    UserEnabled = "user.enabled",
    /// The failed proofs of an account were forgotten.
    UserUnlocked = "user.unlocked",
    /// What is held on a person was handed out to it.
    UserExported = "user.exported",
    /// An account was erased.
    UserErased = "user.erased",
    /// The address of an account was proved, or changed to another one.
    EmailVerified = "email.verified",
    /// A password was changed.
    PasswordChanged = "password.changed",
    /// A password was set by a link in a mail.
    PasswordReset = "password.reset",
    /// A second factor was added.
    FactorAdded = "factor.added",
    /// A second factor was removed.
    FactorRemoved = "factor.removed",
    /// Recovery codes were made anew.
    RecoveryCodesRenewed = "recovery_codes.renewed",
    /// Somebody signed in.
    SessionStarted = "session.started",
    /// Somebody proved anew, within a session, who it is.
    SessionProved = "session.proved",
    /// Sessions ended before their time.
    SessionEnded = "session.ended",
    /// A provider was connected with a workspace.
    ConnectionCreated = "sso.connection.created",
    /// A connection was changed.
    ConnectionUpdated = "sso.connection.updated",
    /// A connection was removed.
    ConnectionRemoved = "sso.connection.removed",
    /// A connection was given a token for SCIM, or lost it.
    ScimTokenChanged = "sso.scim_token.changed",
    /// A domain was claimed.
    DomainClaimed = "sso.domain.claimed",
    /// A domain was verified.
    DomainVerified = "sso.domain.verified",
    /// What is demanded of a domain's people was changed.
    DomainUpdated = "sso.domain.updated",
    /// A domain was given up.
    DomainRemoved = "sso.domain.removed",
    /// An identity of a provider was connected with an account.
    IdentityConnected = "identity.connected",
    /// An identity was taken from an account.
    IdentityRemoved = "identity.removed",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was changed, or given another secret.
    WebhookUpdated = "webhook.updated",
    /// A webhook was switched off, since its receiver wants no more, or takes nothing.
    WebhookDisabled = "webhook.disabled",
    /// A webhook was sent an event that says nothing but that it is a test.
    WebhookTested = "webhook.tested",
    /// A webhook was sent once more what was given up, or delivered.
    WebhookRedelivered = "webhook.redelivered",
    /// A webhook was removed.
    WebhookRemoved = "webhook.removed",
    /// The daily look at the keys found something else than the last time.
    HygieneReported = "hygiene.reported",
    /// A provider wrote a person for the first time.
    ProvisioningCreated = "provisioning.created",
    /// A provider changed a person.
    ProvisioningUpdated = "provisioning.updated",
    /// A provider switched a person off, or forgot it.
    ProvisioningDeactivated = "provisioning.deactivated",
    /// The audit log was handed out.
    AuditExported = "audit.exported",
    /// The beginning of a chain was moved to a file.
    AuditArchived = "audit.archived",
    /// An operator let a chain go on whose head was not as it was written.
    AuditRestarted = "audit.restarted",
    /// An operator took the latest time that servers have seen back to what the clock of a machine says.
    ClockReset = "clock.reset",
    /// A request that would have changed something was refused: one entry for each caller, operation, reason and minute.
    RequestRefused = "request.refused",
}

impl AuditAction {
    /// The actions that a text names: one, or all that concern one thing, `key.*`. None for a text that names none.
    #[must_use]
    pub fn named(text: &str) -> Option<Vec<Self>> {
        let named: Vec<Self> = match text.strip_suffix('*') {
            Some(start) if start.ends_with('.') => Self::ALL
                .iter()
                .copied()
                .filter(|action| action.as_str().starts_with(start))
                .collect(),
            _ => text.parse().into_iter().collect(),
        };
        (!named.is_empty()).then_some(named)
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who does something, and with what credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Nobody who is known.
    #[default]
    Anonymous,
    /// The server itself, by the clock.
    System,
    /// Whoever has the command line of the server.
    Operator,
    /// A person, in a session.
    User {
        /// Who.
        id: UserId,
        /// The session; none where it has not begun.
        session: Option<SessionId>,
    },
    /// A key.
    Key {
        /// The key.
        id: KeyId,
        /// Whose it is; none for a key of a workspace or of the instance.
        owner: Option<UserId>,
    },
    /// A provider: by SCIM, or where it ends sessions.
    Provider(String),
}

impl Principal {
    /// What kind of principal it is: `anonymous`, `system`, `operator`, `user`, `key` or `provider`. A personal key acts as its
    /// person.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::System => "system",
            Self::Operator => "operator",
            Self::User { .. } | Self::Key { owner: Some(_), .. } => "user",
            Self::Key { owner: None, .. } => "key",
            Self::Provider(_) => "provider",
        }
    }

    /// Its id; none for those who have none.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Anonymous | Self::System | Self::Operator => None,
            Self::User { id, .. } => Some(id.to_string()),
            Self::Key {
                owner: Some(owner), ..
            } => Some(owner.to_string()),
            Self::Key { id, owner: None } => Some(id.to_string()),
            Self::Provider(name) => Some(name.clone()),
        }
    }

    /// The id of the session or key that it presented.
    #[must_use]
    pub fn credential(&self) -> Option<String> {
        match self {
            Self::User { session, .. } => session.map(|session| session.to_string()),
            Self::Key { id, .. } => Some(id.to_string()),
            Self::Anonymous | Self::System | Self::Operator | Self::Provider(_) => None,
        }
    }
}

/// Who does something, and from where: what every act is told to the audit log with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub by: Principal,
    /// From where.
    pub from: Origin,
}

impl Act {
    /// An act of whoever has the command line.
    #[must_use]
    pub fn of_operator() -> Self {
        Self {
            by: Principal::Operator,
            from: Origin::default(),
        }
    }

    /// An act of the server itself.
    #[must_use]
    pub fn of_system() -> Self {
        Self {
            by: Principal::System,
            from: Origin::default(),
        }
    }

    /// An act of nobody who is known.
    #[must_use]
    pub const fn of_anybody(from: Origin) -> Self {
        Self {
            by: Principal::Anonymous,
            from,
        }
    }

    /// An act of a person.
    #[must_use]
    pub const fn of_person(id: UserId, session: Option<SessionId>, from: Origin) -> Self {
        Self {
            by: Principal::User { id, session },
            from,
        }
    }
}

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

/// A chain of audit events: that of a workspace, or that of the instance, where accounts and what belongs to no workspace are
/// logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chain {
    /// The instance's.
    Instance,
    /// A workspace's.
    Workspace(WorkspaceId),
}

impl Chain {
    /// The workspace, if it is one's.
    #[must_use]
    pub const fn workspace(self) -> Option<WorkspaceId> {
        match self {
            Self::Instance => None,
            Self::Workspace(id) => Some(id),
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Workspace(id) => id.fmt(f),
        }
    }
}

impl FromStr for Chain {
    type Err = UnknownChain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "instance" => Ok(Self::Instance),
            id => id.parse().map(Self::Workspace).map_err(|_| UnknownChain),
        }
    }
}

/// The text names no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a workspace's id or instance")]
pub struct UnknownChain;

impl From<Option<WorkspaceId>> for Chain {
    fn from(workspace: Option<WorkspaceId>) -> Self {
        workspace.map_or(Self::Instance, Self::Workspace)
    }
}

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

/// The end of a chain, and where what is left of its beginning begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain.
    pub chain: Chain,
    /// How many events are archived: those up to this place are in files.
    pub archived: u64,
    /// The MAC of the last that is archived; zeros if none is.
    pub archived_mac: [u8; 32],
    /// The place of the last event.
    pub seq: u64,
    /// Its MAC; zeros before the first.
    pub mac: [u8; 32],
    /// The id of the key of `seal`.
    pub key: String,
    /// The MAC of the head itself: without the key, nobody shortens a chain.
    pub seal: [u8; 32],
}

/// A place in a list that is ordered by time, then by place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// The time of the last event of the page before.
    pub at: Timestamp,
    /// Its place in the chain.
    pub seq: u64,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.unix_micros(), self.seq)
    }
}

impl FromStr for AuditCursor {
    type Err = UnknownCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, seq) = text.split_once('.').ok_or(UnknownCursor)?;
        Ok(Self {
            at: Timestamp::from_unix_micros(at.parse().map_err(|_| UnknownCursor)?),
            seq: seq.parse().map_err(|_| UnknownCursor)?,
        })
    }
}

/// The text is no place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the nextCursor of a page")]
pub struct UnknownCursor;

/// What to look for in a log. Conditions add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// One of these actions; none for all.
    pub actions: Option<Vec<AuditAction>>,
    /// A principal or a credential, by its id.
    pub actor: Option<String>,
    /// What it was done on, by its id.
    pub target: Option<String>,
    /// Whether it happened.
    pub outcome: Option<AuditOutcome>,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

impl From<Creator> for Principal {
    fn from(creator: Creator) -> Self {
        match creator {
            Creator::Key(id) => Self::Key { id, owner: None },
            Creator::User(id) => Self::User { id, session: None },
            Creator::Operator => Self::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_back() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
    }

    #[test]
    fn actions_are_named_one_by_one_or_by_what_they_concern() {
        assert_eq!(
            AuditAction::named("key.revoked"),
            Some(vec![AuditAction::KeyRevoked])
        );
        let of_keys = AuditAction::named("key.*").unwrap();
        assert!(of_keys.contains(&AuditAction::KeyCreated) && !of_keys.contains(&AuditAction::UserCreated));
        for text in ["", "*", "key.", "key*", "nothing.*", "key.mistyped"] {
            assert_eq!(AuditAction::named(text), None, "{text}");
        }
    }

    #[test]
    fn a_personal_key_acts_as_its_person() {
        let (id, owner) = (
            KeyId::from_uuid(uuid::Uuid::nil()),
            UserId::from_uuid(uuid::Uuid::nil()),
        );
        let personal = Principal::Key {
            id,
            owner: Some(owner),
        };
        assert_eq!(
            (personal.kind(), personal.id()),
            ("user", Some(owner.to_string()))
        );
        assert_eq!(personal.credential(), Some(id.to_string()));
    }

    #[test]
    fn chains_are_read_back() {
        let own = Chain::Workspace(WorkspaceId::from_uuid(uuid::Uuid::nil()));
        for chain in [Chain::Instance, own] {
            assert_eq!(chain.to_string().parse(), Ok(chain));
        }
        assert!("everything".parse::<Chain>().is_err());
    }
}
