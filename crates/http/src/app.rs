//! What every handler works with.

use std::{num::NonZeroUsize, sync::Arc, thread};

use tigertrust_accounts::{
    HygieneFlows, InvitationFlows, KeyFlows, LeakPolicy, MemberFlows, ProfileFlows, SessionSettings,
    SignInFlows, UsageFlows, WorkspaceFlows,
    audit::{AuditFlows, RefusalLog},
    passkeys::RelyingPartySettings,
    sso::{ConfiguredConnection, SsoFlows},
    trust_rules::TrustRuleFlows,
    webhooks::WebhookFlows,
};
use tigertrust_credentials::{
    AccessTokenSigner, Admission, ChangeTracker, EncryptionRing, HashingSettings, OutageLog, RecentChanges,
    RingSigner, SessionAdmission, SigningRing, ports::ChangeLog,
};
use tigertrust_model::{Clock, RandomSource, ScopeCatalog};
use tokio::sync::Semaphore;

use crate::{
    Metrics, TraceContext, client_address::TrustedProxies, followers::Followers, sent_forms::SentForms,
    verifications::Verifications,
};

/// What every handler works with. One for all workers of a server; two servers in one process share nothing.
pub struct App {
    /// Decides who gets in.
    pub admission: Arc<Admission>,
    /// Keys.
    pub keys: KeyFlows,
    /// Workspaces.
    pub workspaces: WorkspaceFlows,
    /// Their members.
    pub members: MemberFlows,
    /// Who is to become one.
    pub invitations: InvitationFlows,
    /// People's own accounts.
    pub profiles: ProfileFlows,
    /// The audit log.
    pub audit: AuditFlows,
    pub(crate) refusals: RefusalLog,
    /// How often keys were used.
    pub usage: UsageFlows,
    /// Which keys are worth a look.
    pub hygiene: HygieneFlows,
    /// Which scopes exist.
    pub catalog: Arc<ScopeCatalog>,
    pub(crate) tracker: Arc<ChangeTracker>,
    pub(crate) recent: Arc<RecentChanges>,
    pub(crate) log: Arc<dyn ChangeLog>,
    pub(crate) followers: Followers,
    /// What happens to leaked keys where their workspace does not say otherwise.
    pub leaks: LeakPolicy,
    /// Signing in.
    pub sign_in: SignInFlows,
    /// Single sign-on, where there is any.
    pub sso: Option<SsoFlows>,
    /// Webhooks.
    pub webhooks: WebhookFlows,
    /// Trust rules of keys, and which jobs are let in by them.
    pub trust_rules: TrustRuleFlows,
    pub(crate) sessions: SessionAdmission,
    pub(crate) cookie_name: String,
    pub(crate) origins: Vec<String>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) outages: OutageLog,
    pub(crate) metrics: Metrics,
    pub(crate) request_ids: crate::respond::RequestIds,
    pub(crate) traces: Option<TraceContext>,
    /// An export is large, and made as a whole: one at a time, so that whoever asks for many waits and nobody else does.
    pub(crate) exports: Semaphore,
    pub(crate) verifications: Verifications,
    pub(crate) sent_forms: SentForms,
    pub(crate) token_signer: Option<Arc<RingSigner>>,
    pub(crate) random: Arc<dyn RandomSource>,
}

/// What is the operator's to say about an [`App`].
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// What the session's cookie is called, such as `__Host-session`.
    pub cookie_name: String,
    /// How sessions are.
    pub sessions: SessionSettings,
    /// How many passwords are hashed at once, and how many may wait.
    pub hashing: HashingSettings,
    /// What secrets are sealed under; without it no second factor can be added.
    pub encryption: Option<EncryptionRing>,
    /// What authenticator apps call this server.
    pub issuer: String,
    /// Who we are to authenticators.
    pub relying_party: RelyingPartySettings,
    /// The origins beside our own whose pages may use sessions, such as `https://app.example.com`.
    pub origins: Vec<String>,
    /// Whose word on a client's address counts.
    pub proxies: TrustedProxies,
    /// What happens to keys that are reported as leaked.
    pub leaks: LeakPolicy,
    /// Single sign-on; without it there is none.
    pub sso: Option<SsoSettings>,
    /// How requests are traced; without it they make no spans.
    pub traces: Option<TraceContext>,
    /// What tokens are signed with; without it keys cannot be exchanged for any.
    pub tokens: Option<TokenSettings>,
}

/// What is the operator's to say about short-lived tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The keys that they are signed with.
    pub ring: SigningRing,
    /// Who issues them: where this server is reached, such as `https://auth.example.com`.
    pub issuer: String,
}

/// What is the operator's to say about single sign-on.
#[derive(Clone, Debug)]
pub struct SsoSettings {
    /// Where this server is reached, such as `https://auth.example.com`: what providers send browsers back to.
    pub public_url: String,
    /// Where else people may be sent on to: origins, such as `https://app.example.com`.
    pub return_origins: Vec<String>,
    /// Whether providers may be at addresses that are not public, and be asked without TLS there.
    pub allows_private_addresses: bool,
    /// The connections of the whole server.
    pub connections: Vec<ConfiguredConnection>,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            cookie_name: "connect.sid".to_owned(),
            sessions: SessionSettings::default(),
            hashing: HashingSettings {
                threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
                queue: 32,
            },
            encryption: None,
            issuer: "TigerTrust".to_owned(),
            relying_party: RelyingPartySettings::default(),
            origins: Vec::new(),
            proxies: TrustedProxies::default(),
            leaks: LeakPolicy::default(),
            sso: None,
            traces: None,
            tokens: None,
        }
    }
}

/// What an [`App`] is put together from.
pub struct Parts {
    /// Decides who gets in.
    pub admission: Arc<Admission>,
    /// Keys.
    pub keys: KeyFlows,
    /// Workspaces.
    pub workspaces: WorkspaceFlows,
    /// Signing in.
    pub sign_in: SignInFlows,
    /// Single sign-on, where there is any.
    pub sso: Option<SsoFlows>,
    /// Webhooks.
    pub webhooks: WebhookFlows,
    /// Trust rules of keys.
    pub trust_rules: TrustRuleFlows,
    /// Decides which people get in.
    pub sessions: SessionAdmission,
    /// Their members.
    pub members: MemberFlows,
    /// Who is to become one.
    pub invitations: InvitationFlows,
    /// People's own accounts.
    pub profiles: ProfileFlows,
    /// The audit log.
    pub audit: AuditFlows,
    /// What it is told of refusals.
    pub refusals: RefusalLog,
    /// How often keys were used.
    pub usage: UsageFlows,
    /// Which keys are worth a look.
    pub hygiene: HygieneFlows,
    /// Which scopes exist.
    pub catalog: Arc<ScopeCatalog>,
    /// What vouches for the caches of `admission`.
    pub tracker: Arc<ChangeTracker>,
    /// The latest changes.
    pub recent: Arc<RecentChanges>,
    /// The earlier changes.
    pub log: Arc<dyn ChangeLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
    /// Where figures are shown; the application adds its own.
    pub metrics: Metrics,
    /// What is the operator's to say.
    pub settings: AppSettings,
    /// Random: tells the request ids of servers apart.
    pub instance: [u8; 8],
}

impl App {
    /// An application out of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        show_figures(&parts);
        let tokens = parts.settings.tokens.as_ref();
        let token_signer =
            tokens.map(|tokens| Arc::new(RingSigner::new(tokens.ring.clone(), &tokens.issuer)));
        if let Some(signer) = &token_signer {
            parts
                .admission
                .accept_access_tokens(Arc::clone(signer) as Arc<dyn AccessTokenSigner>);
        }
        Self {
            token_signer,
            random: parts.random,
            admission: parts.admission,
            keys: parts.keys,
            workspaces: parts.workspaces,
            members: parts.members,
            invitations: parts.invitations,
            profiles: parts.profiles,
            audit: parts.audit,
            refusals: parts.refusals,
            usage: parts.usage,
            hygiene: parts.hygiene,
            catalog: parts.catalog,
            tracker: parts.tracker,
            recent: parts.recent,
            log: parts.log,
            followers: Followers::default(),
            leaks: parts.settings.leaks,
            sign_in: parts.sign_in,
            sso: parts.sso,
            webhooks: parts.webhooks,
            trust_rules: parts.trust_rules,
            sessions: parts.sessions,
            cookie_name: parts.settings.cookie_name,
            origins: parts.settings.origins,
            outages: OutageLog::new(Arc::clone(&parts.clock)),
            metrics: parts.metrics,
            clock: parts.clock,
            proxies: parts.settings.proxies,
            request_ids: crate::respond::RequestIds::new(parts.instance),
            traces: parts.settings.traces,
            exports: Semaphore::new(1),
            verifications: Verifications::default(),
            sent_forms: SentForms::default(),
        }
    }
}

impl App {
    /// The figures of this application, to add others to.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

fn show_figures(parts: &Parts) {
    let metrics = &parts.metrics;
    let tracker = Arc::clone(&parts.tracker);
    metrics.gauge(
        "feed_staleness_seconds",
        "How long ago the feed of changes was last caught up",
        move || tracker.silence().as_secs_f64(),
    );
    let load = parts.sign_in.hashing_load();
    let running = load.clone();
    metrics.gauge("hashing_running", "Passwords that are being hashed", move || {
        figure(running.running())
    });
    let queued = load.clone();
    metrics.gauge("hashing_queued", "Passwords that wait to be hashed", move || {
        figure(queued.queued())
    });
    let times = load.clone();
    metrics.histogram(
        "hashing_duration_seconds",
        "How long passwords took to be hashed, without the wait before",
        move || times.times(),
    );
    metrics.counter(
        "hashing_refused",
        "Passwords that were answered 503 since too many waited",
        move || load.refused(),
    );
}

/// A count as a gauge shows it: exact up to 2³², and no pool is larger.
fn figure(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}
