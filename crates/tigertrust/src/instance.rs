//! One instance over its database.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tigertrust_accounts::{
    Actor, Bootstrapped, FlowError, HygieneFlows, HygieneReviews, HygieneSettings, InvitationFlows,
    IssuedKey, KeyFlows, MemberFlows, NewKey, Notifier, ProfileFlows, ReachRequest, Stewards, TellsNobody,
    UsageFlows, UsageRetention, UserFlows, WorkspaceFlows,
    audit::{AuditFlows, RefusalLog},
};
use tigertrust_credentials::{
    Admission, AuditRing, CacheSettings, ChangeTracker, HeaderValues, KeyFormats, Need, Password,
    PasswordHasher, PepperRing, Permit, Presented, RateLimits, RecentChanges, Refusal, SteadyClock, Verdict,
    Verification,
    ports::{ChangeListener, StoreError},
};
use tigertrust_model::{Clock, Email, KeyType, NodeId, RandomError, RandomSource, ScopeCatalog, WorkspaceId};
#[cfg(feature = "mail")]
use tigertrust_notify::{Letterhead, MailTransport, Postman};
use tigertrust_rate_limit::{Limits, RateLimiter};
#[cfg(feature = "valkey")]
use tigertrust_rate_limit::{Valkey, ValkeySettings};
use tigertrust_storage::{DatabaseUrl, FeedHandle, Options, Storage, StorageParts};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

#[cfg(feature = "valkey")]
use crate::limits::Told;
use crate::{
    BuildError, Builder, Gate,
    background::{self, Background},
    gate::GateParts,
    key_uses,
    limits::Ledger,
    presence::Presence,
};

/// How long the end of an instance waits for mails that are under way.
#[cfg(feature = "mail")]
const LAST_MAILS: Duration = Duration::from_secs(5);

/// How long it waits for webhooks that are under way; what is not sent then is sent by whoever comes next.
#[cfg(feature = "webhooks")]
const LAST_WEBHOOKS: Duration = Duration::from_secs(5);

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

    pub(crate) fn over(foundation: Foundation) -> Result<Self, BuildError> {
        let Foundation {
            url,
            options,
            peppers,
            catalog,
            formats,
            cache,
            max_staleness,
            limits,
            hasher,
            usage,
            hygiene,
            steady,
            clock,
            random,
            runtime,
            ..
        } = &foundation;
        let tracker = Arc::new(ChangeTracker::new(Arc::clone(clock), *max_staleness));
        let recent = Arc::new(RecentChanges::new());
        let listener = Arc::new((Arc::clone(&tracker), Arc::clone(&recent))) as Arc<dyn ChangeListener>;
        let ring = AuditRing::new(peppers.clone());
        let parts = StorageParts {
            clock: Arc::clone(steady),
            random: Arc::clone(random),
            audit: ring.clone(),
            listener,
            runtime: runtime.clone(),
        };
        let storage = Storage::open(url, *options, parts)?;
        let limiter = RateLimiter::new(Arc::clone(clock));
        #[cfg(feature = "valkey")]
        let limiter = match &foundation.valkey {
            Some(settings) => limiter.share(Arc::new(Valkey::new(
                settings,
                Arc::clone(clock),
                Arc::new(Told),
            )?)),
            None => limiter,
        };
        let limits = Arc::new(RateLimits::new(
            limits.clone(),
            Arc::new(limiter),
            Arc::clone(clock),
        ));
        let ledger = Ledger {
            limits: Arc::clone(&limits),
            store: storage.spends(),
            node: NodeId::new(clock.now(), &**random)?,
        };
        #[cfg(feature = "webhooks")]
        let encryption = foundation.webhooks.encryption.clone();
        #[cfg(not(feature = "webhooks"))]
        let encryption = None;
        let presence = Arc::new(Presence {
            store: storage.spends(),
            #[cfg(feature = "valkey")]
            limits: Arc::clone(&limits),
            clock: Arc::clone(clock),
            node: ledger.node,
            name: foundation.name.clone(),
            peppers: peppers.clone(),
            encryption,
            #[cfg(feature = "server")]
            app: OnceLock::new(),
            told: Mutex::default(),
        });
        let admission = Admission::new(
            peppers.clone(),
            Arc::clone(clock),
            storage.credentials(),
            &tracker,
            *cache,
            Arc::clone(&limits),
        );
        let admission = Arc::new(admission.with_formats(formats.clone()));
        let keys = KeyFlows::new(
            storage.keys(),
            storage.credentials(),
            storage.members(),
            Arc::clone(catalog),
            peppers.clone(),
            Arc::clone(clock),
            Arc::clone(random),
        )
        .with_formats(formats.clone());
        let users = UserFlows::new(
            storage.accounts(),
            hasher.clone(),
            Arc::clone(clock),
            Arc::clone(random),
        );
        let plans = limits.limits().plans.clone();
        let workspaces =
            WorkspaceFlows::new(storage.accounts(), plans, Arc::clone(clock), Arc::clone(random));
        let members = MemberFlows::new(storage.members(), storage.accounts(), Arc::clone(clock));
        #[cfg(feature = "mail")]
        let postman = foundation.mail.as_ref().map(|(letterhead, transport)| {
            let random = Arc::clone(random);
            Postman::new(letterhead.clone(), Arc::clone(transport), random, runtime.clone())
        });
        #[cfg(feature = "mail")]
        let mail = postman
            .clone()
            .map(|postman| Arc::new(postman) as Arc<dyn Notifier>);
        #[cfg(not(feature = "mail"))]
        let mail: Option<Arc<dyn Notifier>> = None;
        let notifier = mail.clone().unwrap_or_else(|| Arc::new(TellsNobody));
        let invitations = InvitationFlows::new(
            storage.invitations(),
            storage.accounts(),
            storage.sign_ins(),
            mail,
            Arc::clone(clock),
            Arc::clone(random),
        );
        let profiles = ProfileFlows::new(
            storage.profiles(),
            storage.audit(),
            Arc::clone(&notifier),
            Arc::clone(clock),
        );
        let audit = AuditFlows::new(storage.audit(), ring, Arc::clone(clock));
        let refusals = RefusalLog::new(storage.audit());
        let usage = UsageFlows::new(storage.usage_history(), storage.keys(), *usage, Arc::clone(clock));
        let hygiene = HygieneFlows::new(
            storage.keys(),
            storage.usage_history(),
            *hygiene,
            Arc::clone(clock),
        );
        let stewards = Stewards::new(storage.accounts(), storage.members(), Arc::clone(&notifier));
        #[cfg(feature = "webhooks")]
        let webhooks = crate::webhooks::flows(&foundation, &storage, stewards.clone())?;
        #[cfg(feature = "webhooks")]
        let courier = tigertrust_notify::webhooks::Courier::new(webhooks.outbox(), runtime.clone());
        let reviews = HygieneReviews::new(hygiene.clone(), storage.accounts(), storage.audit(), stewards);
        let storage = Arc::new(storage);
        let gate = Arc::new(GateParts {
            admission: Arc::clone(&admission),
            limits: Arc::clone(&limits),
            tracker: Arc::clone(&tracker),
            catalog: Arc::clone(catalog),
            peppers: peppers.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            #[cfg(feature = "answers")]
            outages: tigertrust_credentials::OutageLog::new(Arc::clone(clock)),
            upkeep: None,
        });
        Ok(Self(Arc::new(Inner {
            keys,
            users,
            workspaces,
            members,
            invitations,
            profiles,
            audit,
            refusals,
            reviews,
            #[cfg(feature = "webhooks")]
            webhooks,
            #[cfg(feature = "server")]
            metrics: crate::server::figures(
                &storage,
                &admission,
                &ledger.limits,
                postman.as_ref(),
                &courier,
                steady,
            ),
            admission,
            usage,
            hygiene,
            #[cfg(feature = "webhooks")]
            courier,
            storage,
            notifier,
            #[cfg(feature = "mail")]
            postman,
            gate,
            foundation,
            ledger,
            presence,
            tracker,
            recent,
            feed: OnceLock::new(),
            background: OnceLock::new(),
        })))
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

    /// Takes up how late it was when a process over the database last ran, if the clock of this machine is behind that: to be awaited
    /// before requests are served. [`Builder::build`] has done so; after [`Builder::open`] it is the caller's to do, and what is asked
    /// before that may be refused once.
    ///
    /// # Errors
    /// [`StoreError`]: the database does not answer. It is then done once it does.
    pub async fn take_up_time(&self) -> Result<(), StoreError> {
        self.0.storage.take_up_time().await
    }

    /// The clock of this instance, which never goes back, by its own type.
    #[must_use]
    pub fn steady_clock(&self) -> &SteadyClock {
        &self.0.foundation.steady
    }

    /// Takes up what keys had spent of their limits when the last process over the database stopped: to be awaited before requests
    /// are served, which would find whole quotas otherwise. [`Builder::build`] has done so; after [`Builder::open`] it is the caller's
    /// to do. A database that does not answer is told to the operator, and holds nobody up for longer than a request.
    pub async fn take_up_limits(&self) {
        self.0.ledger.take_up().await;
    }

    /// Tells the others over the database that this process runs, and with which secrets: to be awaited when those were replaced, so that
    /// `tigertrust secrets` knows it. Beside that it happens by itself every two seconds once the instance is [started](Self::start).
    ///
    /// # Errors
    /// [`StoreError`]: the database does not answer.
    pub async fn tell_presence(&self) -> Result<(), StoreError> {
        self.0.presence.beat().await
    }

    /// The id of this process, by which the others know it.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.ledger.node
    }

    /// Starts what runs beside the requests: to say that this process runs, to hear of changes that others make, to take old changes
    /// away, to store when keys were last used and how often, and to send webhooks.
    /// [`Builder::build`] has done so; after [`Builder::open`] it is the caller's to do. Doing it again changes nothing.
    pub fn start(&self) {
        let inner = &self.0;
        inner.feed.get_or_init(|| inner.storage.follow());
        inner.background.get_or_init(|| {
            let background = Background::start(
                &inner.storage,
                &inner.admission,
                &inner.foundation.clock,
                inner.foundation.usage,
                &inner.ledger,
                &inner.refusals,
                &inner.foundation.runtime,
            )
            .and_time(
                &inner.storage,
                &inner.foundation.steady,
                &inner.foundation.runtime,
            )
            .and_presence(&inner.presence, &inner.foundation.runtime)
            .and_reviews(inner.reviews.clone(), &inner.foundation.runtime);
            #[cfg(feature = "webhooks")]
            let background = background.and_webhooks(inner.courier.clone(), &inner.foundation.runtime);
            background
        });
    }

    /// The figures of this instance and of the HTTP API over it, to add others to, and to be served with
    /// [`serve_metrics`](crate::server::serve_metrics).
    #[cfg(feature = "server")]
    #[must_use]
    pub fn metrics(&self) -> &crate::server::Metrics {
        &self.0.metrics
    }

    /// Ends the streams of those who follow the changes: to be called before a server is told to stop, which waits for its
    /// answers to end.
    #[cfg(feature = "server")]
    pub fn end_streams(&self) {
        self.0.recent.close();
    }

    /// Stops, for every handle: waits for what is being written and, for a few seconds, for mails and webhooks that are under way,
    /// and takes no more work. Keys that are remembered are
    /// admitted until [`Builder::max_staleness`] is over.
    pub async fn close(&self) {
        if let Some(background) = self.0.background.get() {
            background.stop();
            // What is short and weighs most comes first, since whoever waits for the end may not wait for all of it.
            background::store_refusals(&self.0.refusals).await;
            self.0.ledger.put_down().await;
            background::store_time(&self.0.storage).await;
            key_uses::store_usage(&self.0.admission, &self.0.storage, &self.0.refusals).await;
            // The counts may have added some.
            background::store_refusals(&self.0.refusals).await;
            key_uses::store_uses(&self.0.admission, &self.0.storage).await;
        }
        #[cfg(feature = "mail")]
        if let Some(postman) = &self.0.postman {
            postman.close(LAST_MAILS).await;
        }
        #[cfg(feature = "webhooks")]
        self.0.courier.close(LAST_WEBHOOKS).await;
        self.0.storage.close().await;
    }

    /// The whole HTTP API over this instance, to be mounted with [`configure`](crate::server::configure) or served with
    /// [`serve`](crate::server::serve).
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    #[cfg(feature = "server")]
    pub fn app(
        &self,
        settings: crate::server::AppSettings,
    ) -> Result<crate::server::App, crate::server::AppError> {
        use tigertrust_credentials::SessionAdmission;

        let foundation = &self.0.foundation;
        // The first application tells which secrets are in use: another one over the same instance has no others.
        self.0.presence.app.get_or_init(|| crate::presence::AppRings {
            encryption: settings.encryption.clone(),
            signing: settings.tokens.as_ref().map(|tokens| tokens.ring.clone()),
        });
        let (clock, random) = (&foundation.clock, &foundation.random);
        let mut instance = [0; 8];
        random.fill(&mut instance)?;
        let idle_timeout = settings.sessions.idle_timeout;
        let limits = Arc::clone(&self.0.ledger.limits);
        let sessions =
            SessionAdmission::new(self.0.storage.sessions(), Arc::clone(clock), limits, idle_timeout);
        let sign_in = self.sign_in(&settings)?;
        #[cfg(feature = "sso")]
        let sso = self.sso_with(&settings, &sign_in)?;
        #[cfg(not(feature = "sso"))]
        let sso = None;
        Ok(crate::server::App::new(crate::server::Parts {
            sso,
            webhooks: self.0.webhooks.clone(),
            trust_rules: self.trust_rules(&settings)?,
            admission: Arc::clone(&self.0.admission),
            keys: self.0.keys.clone(),
            workspaces: self.0.workspaces.clone(),
            sign_in,
            sessions,
            members: self.0.members.clone(),
            invitations: self.0.invitations.clone(),
            profiles: self.0.profiles.clone(),
            audit: self.0.audit.clone(),
            refusals: self.0.refusals.clone(),
            usage: self.0.usage.clone(),
            hygiene: self.0.hygiene.clone(),
            catalog: Arc::clone(&foundation.catalog),
            tracker: Arc::clone(&self.0.tracker),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(random),
            recent: Arc::clone(&self.0.recent),
            log: self.0.storage.changes(),
            metrics: self.0.metrics.clone(),
            settings,
            instance,
        }))
    }

    /// Trust rules of keys without HTTP. Built without `sso`, nothing verifies the tokens of jobs: rules can be listed and removed,
    /// and none made.
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    #[cfg(feature = "server")]
    pub fn trust_rules(
        &self,
        settings: &crate::server::AppSettings,
    ) -> Result<tigertrust_accounts::trust_rules::TrustRuleFlows, crate::server::AppError> {
        use tigertrust_accounts::trust_rules::{TrustRuleFlows, TrustRuleParts};

        let foundation = &self.0.foundation;
        Ok(TrustRuleFlows::new(TrustRuleParts {
            store: self.0.storage.trust_rules(),
            credentials: self.0.storage.credentials(),
            tokens: self.job_tokens(settings)?,
            refusals: self.0.refusals.clone(),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(&foundation.random),
        }))
    }

    #[cfg(all(feature = "server", not(feature = "sso")))]
    #[allow(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "with sso there is one, or an error"
    )]
    const fn job_tokens(
        &self,
        _: &crate::server::AppSettings,
    ) -> Result<Option<Arc<dyn tigertrust_accounts::trust_rules::JobTokens>>, crate::server::AppError> {
        Ok(None)
    }

    #[cfg(feature = "server")]
    fn sign_in(
        &self,
        settings: &crate::server::AppSettings,
    ) -> Result<tigertrust_accounts::SignInFlows, crate::server::AppError> {
        use tigertrust_accounts::{SignInFlows, SignInParts};
        use tigertrust_credentials::HashingPool;
        use tigertrust_passkeys::WebAuthn;

        let foundation = &self.0.foundation;
        let (clock, random) = (&foundation.clock, &foundation.random);
        Ok(SignInFlows::new(SignInParts {
            store: self.0.storage.sign_ins(),
            links: self.0.storage.mail_tokens(),
            notifier: Arc::clone(&self.0.notifier),
            passkeys: self.0.storage.passkeys(),
            relying_party: Arc::new(WebAuthn::new(&settings.relying_party)?),
            hashing: HashingPool::start(
                settings.hashing,
                foundation.hasher.clone(),
                Arc::clone(clock),
                Arc::clone(random),
            )?,
            encryption: settings.encryption.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            refusals: self.0.refusals.clone(),
            sessions: settings.sessions,
            issuer: settings.issuer.clone(),
        }))
    }
}

#[cfg(feature = "sso")]
impl TigerTrust {
    /// Single sign-on without HTTP, to manage connections and domains of workspaces; `None` where the settings have none. What is
    /// changed counts at once for every server over the database.
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    pub fn sso(
        &self,
        settings: &crate::server::AppSettings,
    ) -> Result<Option<crate::sso::SsoFlows>, crate::server::AppError> {
        self.sso_with(settings, &self.sign_in(settings)?)
    }

    fn job_tokens(
        &self,
        settings: &crate::server::AppSettings,
    ) -> Result<Option<Arc<dyn tigertrust_accounts::trust_rules::JobTokens>>, crate::server::AppError> {
        let clock = Arc::clone(&self.0.foundation.clock);
        let verifier = tigertrust_sso::oidc::JobTokenVerifier::new(provider_http(settings)?, clock);
        Ok(Some(Arc::new(verifier)))
    }

    fn sso_with(
        &self,
        settings: &crate::server::AppSettings,
        sign_in: &tigertrust_accounts::SignInFlows,
    ) -> Result<Option<crate::sso::SsoFlows>, crate::server::AppError> {
        use tigertrust_accounts::sso::{SsoFlows, SsoParts};
        use tigertrust_sso::{dns::Dns, oidc::RelyingParty, saml::ServiceProvider};

        let Some(sso) = &settings.sso else {
            return Ok(None);
        };
        let foundation = &self.0.foundation;
        let http = provider_http(settings)?;
        Ok(Some(SsoFlows::new(SsoParts {
            store: self.0.storage.sso(),
            oidc: Arc::new(RelyingParty::new(http.clone(), Arc::clone(&foundation.clock))),
            saml: Arc::new(ServiceProvider),
            documents: Arc::new(http),
            records: Arc::new(Dns::from_system()),
            sign_in: sign_in.clone(),
            encryption: settings.encryption.clone(),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(&foundation.random),
            public_url: sso.public_url.clone(),
            return_origins: sso.return_origins.clone(),
            configured: sso.connections.clone(),
        })))
    }
}

/// The client for what providers and issuers publish: whoever names their addresses may be a stranger.
#[cfg(feature = "sso")]
fn provider_http(
    settings: &crate::server::AppSettings,
) -> Result<tigertrust_sso::http::ProviderHttp, crate::server::AppError> {
    use tigertrust_sso::http::{ProviderHttp, ProviderHttpSettings};

    let sso = settings.sso.as_ref();
    let allows_private = sso.is_some_and(|sso| sso.allows_private_addresses);
    Ok(ProviderHttp::new(ProviderHttpSettings {
        allow_private: allows_private,
        allow_loopback: allows_private,
        traceparent: settings.traces.map(|traces| traces.current),
        ..ProviderHttpSettings::default()
    })?)
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
