//! One instance over its database.

mod assemble;
mod lifetime;
#[cfg(feature = "server")]
mod serving;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tigertrust_accounts::{
    Actor, Bootstrapped, FlowError, HygieneFlows, HygieneReviews, HygieneSettings, InvitationFlows,
    IssuedKey, KeyFlows, MemberFlows, NewKey, Notifier, ProfileFlows, ReachRequest, UsageFlows,
    UsageRetention, UserFlows, WorkspaceFlows,
    audit::{AuditFlows, RefusalLog},
};
use tigertrust_credentials::{
    Admission, CacheSettings, ChangeTracker, HeaderValues, KeyFormats, Need, Password, PasswordHasher,
    PepperRing, Permit, Presented, RateLimits, RecentChanges, Refusal, SteadyClock, Verdict, Verification,
    ports::StoreError,
};
use tigertrust_model::{Clock, Email, KeyType, RandomError, RandomSource, ScopeCatalog, WorkspaceId};
#[cfg(feature = "mail")]
use tigertrust_notify::{Letterhead, MailTransport, Postman};
use tigertrust_rate_limit::Limits;
#[cfg(feature = "valkey")]
use tigertrust_rate_limit::ValkeySettings;
use tigertrust_storage::{DatabaseUrl, FeedHandle, Options, Storage};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::{Builder, Gate, background::Background, gate::GateParts, limits::Ledger, presence::Presence};

/// What an instance stands on, checked as far as that goes without the database.
pub(crate) struct Foundation {
    pub(crate) url: DatabaseUrl,
    pub(crate) options: Options,
    pub(crate) peppers: PepperRing,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) formats: KeyFormats,
    pub(crate) cache: CacheSettings,
    pub(crate) max_staleness: Duration,
    pub(crate) limits: Limits,
    pub(crate) hasher: PasswordHasher,
    pub(crate) usage: UsageRetention,
    pub(crate) hygiene: HygieneSettings,
    /// What people know this process by.
    pub(crate) name: Option<String>,
    #[cfg(feature = "valkey")]
    pub(crate) valkey: Option<ValkeySettings>,
    /// The same as `clock`, by its type.
    pub(crate) steady: Arc<SteadyClock>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    #[cfg(feature = "mail")]
    pub(crate) mail: Option<(Letterhead, Arc<dyn MailTransport>)>,
    #[cfg(feature = "webhooks")]
    pub(crate) webhooks: crate::webhooks::WebhookSettings,
    pub(crate) runtime: Handle,
}

/// One embedded instance of TigerTrust. A clone is another handle to the same instance; it ends with the last of them, or
/// with [`close`](Self::close). Instances share nothing but the databases they are over, in one process too.
#[derive(Clone)]
pub struct TigerTrust(Arc<Inner>);

struct Inner {
    admission: Arc<Admission>,
    keys: KeyFlows,
    users: UserFlows,
    workspaces: WorkspaceFlows,
    members: MemberFlows,
    invitations: InvitationFlows,
    profiles: ProfileFlows,
    audit: AuditFlows,
    #[cfg_attr(
        not(feature = "server"),
        allow(dead_code, reason = "what is refused, is refused over HTTP")
    )]
    refusals: RefusalLog,
    reviews: HygieneReviews,
    usage: UsageFlows,
    hygiene: HygieneFlows,
    #[cfg(feature = "webhooks")]
    webhooks: tigertrust_accounts::webhooks::WebhookFlows,
    #[cfg(feature = "webhooks")]
    courier: tigertrust_notify::webhooks::Courier,
    storage: Arc<Storage>,
    #[cfg_attr(
        not(feature = "server"),
        allow(dead_code, reason = "people sign in over HTTP")
    )]
    notifier: Arc<dyn Notifier>,
    #[cfg(feature = "mail")]
    postman: Option<Postman>,
    foundation: Foundation,
    ledger: Ledger,
    presence: Arc<Presence>,
    tracker: Arc<ChangeTracker>,
    #[cfg_attr(
        not(feature = "server"),
        allow(dead_code, reason = "changes are followed over HTTP")
    )]
    recent: Arc<RecentChanges>,
    feed: OnceLock<FeedHandle>,
    background: OnceLock<Background>,
    gate: Arc<GateParts>,
    #[cfg(feature = "server")]
    metrics: tigertrust_http::Metrics,
}

impl TigerTrust {
    /// Says what an instance is to be.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A new secret for [`Builder::pepper`], out of the operating system's random source. Store it where your other
    /// secrets are, and give the same one to every process over the database.
    ///
    /// # Errors
    /// [`RandomError`] when the operating system gives no random bytes.
    pub fn generate_pepper() -> Result<Zeroizing<String>, RandomError> {
        crate::generate_pepper()
    }

    /// What lets requests in, for the adapters `actix` and `tower`. The instance lives as long as its gates.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::of(Arc::clone(&self.0.gate), Arc::clone(&self.0) as _)
    }

    /// Checks what a request presents against what its route needs. A key that is known costs no look-up.
    ///
    /// # Errors
    /// [`Refusal`]: why the caller does not get in, or that the database does not answer.
    pub async fn admit(&self, presented: &Presented<'_>, need: &Need) -> Result<Permit, Refusal> {
        self.0.admission.admit(presented, need).await
    }

    /// [`admit`](Self::admit) for a caller who presents nothing but a key.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_key(&self, key: &str, need: &Need) -> Result<Permit, Refusal> {
        let presented = Presented {
            agent_api_key: HeaderValues::One(key.as_bytes()),
            ..Presented::default()
        };
        self.admit(&presented, need).await
    }

    /// Says what a key is worth that somebody presented elsewhere, with the reason where it is refused.
    ///
    /// # Errors
    /// [`StoreError`]: a key is neither valid nor not while the database does not answer.
    pub async fn verify(&self, asked: &Verification<'_>) -> Result<Verdict, StoreError> {
        self.0.admission.verify(asked).await
    }

    /// The limits of rates, and what has been spent of them.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.0.ledger.limits
    }

    /// Creates, lists, edits and revokes keys. What it changes is true for this instance once it answers, and for every
    /// other over the same database within a second.
    #[must_use]
    pub fn keys(&self) -> &KeyFlows {
        &self.0.keys
    }

    /// Makes, lists and disables accounts of people.
    #[must_use]
    pub fn users(&self) -> &UserFlows {
        &self.0.users
    }

    /// Makes, lists and changes workspaces.
    #[must_use]
    pub fn workspaces(&self) -> &WorkspaceFlows {
        &self.0.workspaces
    }

    /// Lists, adds, changes and removes the members of workspaces.
    #[must_use]
    pub fn members(&self) -> &MemberFlows {
        &self.0.members
    }

    /// Invites people into workspaces, and lets them in.
    #[must_use]
    pub fn invitations(&self) -> &InvitationFlows {
        &self.0.invitations
    }

    /// Edits, exports and erases accounts of people.
    #[must_use]
    pub fn profiles(&self) -> &ProfileFlows {
        &self.0.profiles
    }

    /// Reads the audit log, and looks whether it is whole.
    #[must_use]
    pub fn audit(&self) -> &AuditFlows {
        &self.0.audit
    }

    /// Shows how often keys were used.
    #[must_use]
    pub fn usage(&self) -> &UsageFlows {
        &self.0.usage
    }

    /// Looks for keys that are unused, about to expire, old, or allowed more than they are used for.
    #[must_use]
    pub fn hygiene(&self) -> &HygieneFlows {
        &self.0.hygiene
    }

    /// Makes, lists, changes and tries webhooks of workspaces. What they are to be told is sent beside the requests.
    #[cfg(feature = "webhooks")]
    #[must_use]
    pub fn webhooks(&self) -> &crate::webhooks::WebhookFlows {
        &self.0.webhooks
    }

    /// Makes the first account: an owner, a workspace on plan Free, an agent key with every scope and a public key. `None`
    /// if there is an account already.
    ///
    /// # Errors
    /// [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn bootstrap(
        &self,
        email: Email,
        password: Password,
    ) -> Result<Option<Bootstrapped>, FlowError> {
        self.0
            .workspaces
            .bootstrap(&self.0.users, &self.0.keys, self.catalog(), email, password)
            .await
    }

    /// Makes a key of a workspace that never expires, as the operator: the short way for what
    /// [`KeyFlows::create`] does.
    ///
    /// # Errors
    /// As [`KeyFlows::create`].
    pub async fn issue_key(
        &self,
        workspace: WorkspaceId,
        kind: KeyType,
        name: &str,
        scopes: &[&str],
    ) -> Result<IssuedKey, FlowError> {
        let reach = ReachRequest::Workspace {
            home: workspace,
            others: Vec::new(),
        };
        let new = NewKey {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..NewKey::new(name, kind, reach)
        };
        self.0.keys.create(&Actor::operator(), new).await
    }

    /// The database, for what the flows do not do.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Which scopes exist.
    #[must_use]
    pub fn catalog(&self) -> &ScopeCatalog {
        &self.0.foundation.catalog
    }

    /// Where this instance's time comes from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.foundation.clock
    }

    /// Where this instance's randomness comes from.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn RandomSource> {
        &self.0.foundation.random
    }

    /// Whether the feed of changes is heard, so that what is remembered may be trusted: for a readiness probe. Otherwise
    /// every request asks the database.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.0.tracker.is_fresh()
    }
}

impl From<TigerTrust> for Gate {
    fn from(instance: TigerTrust) -> Self {
        instance.gate()
    }
}

impl From<&TigerTrust> for Gate {
    fn from(instance: &TigerTrust) -> Self {
        instance.gate()
    }
}

impl fmt::Debug for TigerTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TigerTrust")
            .field("database", &self.0.foundation.url)
            .finish_non_exhaustive()
    }
}
