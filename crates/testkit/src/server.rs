//! A whole server in the test's process, over a database of its own.

use std::{net::TcpListener, num::NonZeroUsize, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect};
use serde_json::Value;
use tigertrust_accounts::{
    Actor, HygieneFlows, HygieneReviews, HygieneSettings, InvitationFlows, IssuedKey, KeyFlows, MemberFlows,
    NewKey, NewUser, Notifier, OwnerRequest, ProfileFlows, ReachRequest, SessionSettings, SignInFlows,
    SignInParts, Stewards, UsageFlows, UsageRetention, UserFlows, WorkspaceFlows,
    audit::{AuditFlows, LoggedUsage, RefusalLog},
    passkeys::RelyingPartySettings,
    ports::{Membership, PresentRoles},
    sso::{ConfiguredConnection, DomainRecords, SsoFlows, SsoParts},
    trust_rules::{JobTokens, TrustRuleFlows, TrustRuleParts},
    webhooks::{OutgoingEvent, WebhookFlows, WebhookParts},
};
use tigertrust_credentials::{
    Admission, AuditRing, CacheSettings, ChangeTracker, EncryptionKey, EncryptionRing, HashingPool,
    HashingSettings, KeyFormats, OsRandom, Password, PasswordHasher, Pepper, PepperRing, RateLimits,
    RecentChanges, SessionAdmission, SigningKey, SigningRing, SteadyClock, ports::ChangeListener,
};
use tigertrust_http::{
    App, AppSettings, Metrics, Parts, ServerSettings, TokenSettings, TrustedProxies, page::Pages, serve,
};
use tigertrust_model::{
    Act, Clock, EventId, KeyType, Plan, RandomSource, Role, ScopeCatalog, UserId, Workspace,
};
use tigertrust_notify::webhooks::{Courier, WebhookHttp};
use tigertrust_passkeys::WebAuthn;
use tigertrust_rate_limit::{
    LimiterEvents, Limits, PlanLimits, Plans, Quota, Quotas, RateLimiter, Valkey, ValkeySettings,
};
use tigertrust_sso::{
    http::{ProviderHttp, ProviderHttpSettings},
    oidc::{JobTokenVerifier, RelyingParty},
    saml::ServiceProvider,
};
use tigertrust_storage::{FeedHandle, Options, Storage, StorageParts};
use tokio::runtime::Handle;

use crate::{
    clock::TestClock,
    database::{Engine, ThrowawayDatabase, patient},
    mailbox::Mailbox,
    records::TestRecords,
    valkey::ThrowawayValkey,
};

/// How long the feed may be silent before the cache is not trusted.
pub const MAX_STALENESS: Duration = Duration::from_secs(5);
/// How long a session may go unused.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// The password of every person of a test.
pub const PASSWORD: &str = "correct horse battery staple";
const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// A whole server in the test's process.
pub struct TestServer {
    /// Its time.
    pub clock: Arc<TestClock>,
    /// Its database.
    pub storage: Storage,
    /// Keys, as the operator's command line reaches them.
    pub keys: KeyFlows,
    /// Workspaces, as the operator's command line reaches them.
    pub workspaces: WorkspaceFlows,
    /// People, as the operator's command line reaches them.
    pub users: UserFlows,
    /// Invitations, as the operator's command line reaches them.
    pub invitations: InvitationFlows,
    /// People's own accounts, as the operator's command line reaches them.
    pub profiles: ProfileFlows,
    /// The audit log.
    pub audit: AuditFlows,
    refusals: RefusalLog,
    /// What tokens are signed with.
    pub signing: SigningRing,
    /// Somebody who owns the test's workspaces.
    pub owner: UserId,
    /// What people are told by mail.
    pub mails: Arc<Mailbox>,
    /// The latest changes, as those who follow them hear of them.
    pub recent: Arc<RecentChanges>,
    /// Single sign-on, as the operator's command line reaches it.
    pub sso: SsoFlows,
    /// Trust rules of keys, as the operator's command line reaches them. Issuers may be on this machine.
    pub trust_rules: TrustRuleFlows,
    /// Webhooks, as the operator's command line reaches them. They may be sent to this machine.
    pub webhooks: WebhookFlows,
    /// What brings them out.
    pub courier: Courier,
    /// What domains say of themselves.
    pub records: Arc<TestRecords>,
    admission: Arc<Admission>,
    limits: Arc<RateLimits>,
    database: Arc<ThrowawayDatabase>,
    base_url: String,
    pages: Option<Pages>,
    client: Client,
    handle: ServerHandle,
    _feed: FeedHandle,
}

/// How a server differs from the others over its database.
struct Setup<'a> {
    listener: TcpListener,
    /// Where it listens.
    base_url: String,
    /// Where it is for people.
    public_url: String,
    options: Options,
    limits: Limits,
    valkey: Option<&'a ThrowawayValkey>,
    connections: Vec<ConfiguredConnection>,
    pages: Option<Pages>,
    formats: KeyFormats,
    /// A pepper in front of the one that all servers have, by its id and secret.
    pepper: Option<(&'a str, &'a str)>,
}

impl Setup<'_> {
    /// On a free port, and as tests need it that look at something else. Whoever opens pages is at a name, which passkeys have to be
    /// bound to.
    fn new(pages: Option<Pages>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let base_url = match pages {
            None => format!("http://{address}"),
            Some(_) => format!("http://localhost:{}", address.port()),
        };
        Self {
            listener,
            public_url: base_url.clone(),
            base_url,
            options: patient(),
            limits: boundless(),
            valkey: None,
            connections: Vec::new(),
            pages,
            formats: KeyFormats::default(),
            pepper: None,
        }
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: JSON, or null where there is none.
    pub body: Value,
}

impl Answer {
    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Status and code in one, for short assertions.
    #[must_use]
    pub fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.code())
    }

    /// The pointers of the problem's errors.
    #[must_use]
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        errors
            .iter()
            .filter_map(|error| error["pointer"].as_str())
            .collect()
    }

    /// A header's value; empty where it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl TestServer {
    /// A server over a new database.
    pub async fn start(engine: Engine) -> Self {
        let database = Arc::new(ThrowawayDatabase::create(engine).await);
        Self::over(database, patient()).await
    }

    /// Another server over the database of this one, with a cache and a clock of its own. It stands behind the same address for people.
    pub async fn second(&self) -> Self {
        let setup = Setup {
            public_url: self.base_url.clone(),
            ..Setup::new(self.pages)
        };
        Self::build(Arc::clone(&self.database), setup).await
    }

    /// Another server over the database of this one, with limits of rates in place of none that a test could reach.
    pub async fn limited(&self, limits: Limits) -> Self {
        let setup = Setup {
            limits,
            ..Setup::new(self.pages)
        };
        Self::build(Arc::clone(&self.database), setup).await
    }

    /// Another server over the database of this one, which takes keys of other formats, and has another pepper for new keys if one
    /// is given.
    pub async fn importing(&self, formats: KeyFormats, pepper: Option<(&str, &str)>) -> Self {
        let setup = Setup {
            formats,
            pepper,
            ..Setup::new(self.pages)
        };
        Self::build(Arc::clone(&self.database), setup).await
    }

    /// As [`importing`](Self::importing), with limits of rates.
    pub async fn importing_limited(&self, formats: KeyFormats, limits: Limits) -> Self {
        let setup = Setup {
            formats,
            limits,
            ..Setup::new(self.pages)
        };
        Self::build(Arc::clone(&self.database), setup).await
    }

    /// Another server over the database of this one, which shares its limits with those over the same store. It counts the seconds
    /// as the store does.
    pub async fn sharing(&self, limits: Limits, valkey: &ThrowawayValkey) -> Self {
        let setup = Setup {
            limits,
            valkey: Some(valkey),
            ..Setup::new(self.pages)
        };
        Self::build(Arc::clone(&self.database), setup).await
    }

    /// A server over a database that may be shared, or not be there yet.
    pub async fn over(database: Arc<ThrowawayDatabase>, options: Options) -> Self {
        let setup = Setup {
            options,
            ..Setup::new(None)
        };
        Self::build(database, setup).await
    }

    /// A server over a new database where everybody is offered to sign in by providers: the connections, for the server at that
    /// address.
    pub async fn with_providers(
        engine: Engine,
        connections: impl FnOnce(&str) -> Vec<ConfiguredConnection>,
    ) -> Self {
        Self::offering(engine, None, connections).await
    }

    /// A server over a new database with pages beside its API, at `localhost`, for which passkeys are. The connections are those of
    /// [`with_providers`](Self::with_providers).
    pub async fn with_pages(
        engine: Engine,
        pages: Pages,
        connections: impl FnOnce(&str) -> Vec<ConfiguredConnection>,
    ) -> Self {
        Self::offering(engine, Some(pages), connections).await
    }

    async fn offering(
        engine: Engine,
        pages: Option<Pages>,
        connections: impl FnOnce(&str) -> Vec<ConfiguredConnection>,
    ) -> Self {
        let setup = Setup::new(pages);
        let setup = Setup {
            connections: connections(&setup.public_url),
            ..setup
        };
        Self::build(Arc::new(ThrowawayDatabase::create(engine).await), setup).await
    }

    async fn build(database: Arc<ThrowawayDatabase>, setup: Setup<'_>) -> Self {
        let Setup {
            listener,
            base_url,
            public_url,
            options,
            limits,
            valkey,
            connections,
            pages,
            formats,
            pepper,
        } = setup;
        let clock = Arc::new(TestClock::default());
        let random: Arc<dyn RandomSource> = Arc::new(OsRandom);
        let steady = Arc::new(SteadyClock::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let time = Arc::clone(&steady) as Arc<dyn Clock>;
        let tracker = Arc::new(ChangeTracker::new(Arc::clone(&time), MAX_STALENESS));
        let recent = Arc::new(RecentChanges::new());
        let peppers = pepper.into_iter().chain([("test", PEPPER)]);
        let peppers = peppers.map(|(id, secret)| Pepper::new(id, secret).expect("a pepper"));
        let peppers = PepperRing::new(peppers.collect()).expect("a ring");
        let audit_ring = AuditRing::new(peppers.clone());
        let storage = Storage::open(
            database.url(),
            options,
            StorageParts {
                clock: steady,
                random: Arc::clone(&random),
                audit: audit_ring.clone(),
                listener: Arc::new((Arc::clone(&tracker), Arc::clone(&recent))) as Arc<dyn ChangeListener>,
                runtime: Handle::current(),
            },
        )
        .expect("the test database opens");
        // The database may not be there yet.
        let _ = storage.take_up_time().await;
        let catalog = Arc::new(ScopeCatalog::default());
        let keys = KeyFlows::new(
            storage.keys(),
            storage.credentials(),
            storage.members(),
            Arc::clone(&catalog),
            peppers.clone(),
            Arc::clone(&time),
            Arc::clone(&random),
        )
        .with_formats(formats.clone());
        let users = UserFlows::new(
            storage.accounts(),
            PasswordHasher::new(),
            Arc::clone(&time),
            Arc::clone(&random),
        );
        let members = MemberFlows::new(storage.members(), storage.accounts(), Arc::clone(&time));
        let plans = limits.plans.clone();
        let workspaces = WorkspaceFlows::new(storage.accounts(), plans, Arc::clone(&time), random);
        let limiter = RateLimiter::new(Arc::clone(&time));
        let limiter = match valkey {
            None => limiter,
            Some(valkey) => limiter.share(connected(valkey, &time).await),
        };
        let limits = Arc::new(RateLimits::new(limits, Arc::new(limiter), Arc::clone(&time)));
        let admission = Admission::new(
            peppers,
            Arc::clone(&time),
            storage.credentials(),
            &tracker,
            CacheSettings::default(),
            Arc::clone(&limits),
        );
        let admission = Arc::new(admission.with_formats(formats));
        let hashing = HashingPool::start(
            HashingSettings {
                threads: NonZeroUsize::MIN,
                queue: 256,
            },
            PasswordHasher::new(),
            Arc::clone(&time),
            Arc::new(OsRandom),
        );
        let key = EncryptionKey::new("e1", PEPPER).expect("a key");
        let ring = EncryptionRing::new(vec![key]).expect("a ring");
        let key = SigningKey::new("s1", PEPPER).expect("a key");
        let signing = SigningRing::new(vec![key]).expect("a ring");
        let mails = Arc::new(Mailbox::default());
        let refusals = RefusalLog::new(storage.audit());
        let audit = AuditFlows::new(storage.audit(), audit_ring, Arc::clone(&time));
        let sign_in = SignInFlows::new(SignInParts {
            store: storage.sign_ins(),
            links: storage.mail_tokens(),
            notifier: Arc::clone(&mails) as Arc<dyn Notifier>,
            passkeys: storage.passkeys(),
            relying_party: Arc::new(WebAuthn::new(&RelyingPartySettings::default()).expect("localhost")),
            hashing: hashing.expect("threads"),
            encryption: Some(ring.clone()),
            clock: Arc::clone(&time),
            random: Arc::new(OsRandom),
            refusals: refusals.clone(),
            sessions: SessionSettings {
                idle_timeout: Some(IDLE_TIMEOUT),
                ..SessionSettings::default()
            },
            issuer: "TigerTrust".to_owned(),
        });
        let invitations = InvitationFlows::new(
            storage.invitations(),
            storage.accounts(),
            storage.sign_ins(),
            Some(Arc::clone(&mails) as Arc<dyn Notifier>),
            Arc::clone(&time),
            Arc::new(OsRandom),
        );
        let profiles = ProfileFlows::new(
            storage.profiles(),
            storage.audit(),
            Arc::clone(&mails) as Arc<dyn Notifier>,
            Arc::clone(&time),
        );
        let records = Arc::new(TestRecords::default());
        let http = ProviderHttp::new(ProviderHttpSettings {
            allow_loopback: true,
            ..ProviderHttpSettings::default()
        });
        let http = http.expect("a client");
        let verifier = JobTokenVerifier::new(http.clone(), Arc::clone(&time));
        let trust_rules = TrustRuleFlows::new(TrustRuleParts {
            store: storage.trust_rules(),
            credentials: storage.credentials(),
            tokens: Some(Arc::new(verifier) as Arc<dyn JobTokens>),
            refusals: refusals.clone(),
            clock: Arc::clone(&time),
            random: Arc::new(OsRandom),
        });
        let sso = SsoFlows::new(SsoParts {
            store: storage.sso(),
            oidc: Arc::new(RelyingParty::new(http.clone(), Arc::clone(&time))),
            saml: Arc::new(ServiceProvider),
            documents: Arc::new(http),
            records: Arc::clone(&records) as Arc<dyn DomainRecords>,
            sign_in: sign_in.clone(),
            encryption: Some(ring.clone()),
            clock: Arc::clone(&time),
            random: Arc::new(OsRandom),
            configured: connections,
            public_url: public_url.clone(),
            return_origins: vec!["https://app.example.com".to_owned()],
        });
        let webhooks = WebhookFlows::new(WebhookParts {
            store: storage.webhooks(),
            sender: Arc::new(WebhookHttp::new(true, None).expect("a client")),
            stewards: Stewards::new(
                storage.accounts(),
                storage.members(),
                Arc::clone(&mails) as Arc<dyn Notifier>,
            ),
            encryption: Some(ring),
            clock: Arc::clone(&time),
            random: Arc::new(OsRandom),
        });
        let courier = Courier::new(webhooks.outbox(), Handle::current());
        let app = App::new(Parts {
            webhooks: webhooks.clone(),
            sso: Some(sso.clone()),
            trust_rules: trust_rules.clone(),
            sign_in,
            sessions: SessionAdmission::new(
                storage.sessions(),
                Arc::clone(&time),
                Arc::clone(&limits),
                Some(IDLE_TIMEOUT),
            ),
            admission: Arc::clone(&admission),
            keys: keys.clone(),
            workspaces: workspaces.clone(),
            members,
            invitations: invitations.clone(),
            profiles: profiles.clone(),
            audit: audit.clone(),
            refusals: refusals.clone(),
            usage: UsageFlows::new(
                storage.usage_history(),
                storage.keys(),
                UsageRetention::default(),
                Arc::clone(&time),
            ),
            hygiene: HygieneFlows::new(
                storage.keys(),
                storage.usage_history(),
                HygieneSettings::default(),
                Arc::clone(&time),
            ),
            catalog,
            tracker: Arc::clone(&tracker),
            clock: time,
            random: Arc::new(OsRandom),
            recent: Arc::clone(&recent),
            log: storage.changes(),
            metrics: Metrics::default(),
            settings: AppSettings {
                // The tests play a proxy now and then: they come from the loopback address.
                proxies: TrustedProxies::new(vec!["127.0.0.0/8".parse().expect("a network")]),
                tokens: Some(TokenSettings {
                    ring: signing.clone(),
                    issuer: public_url,
                }),
                ..AppSettings::default()
            },
            instance: [7; 8],
        });
        let settings = ServerSettings {
            shutdown_timeout: Duration::from_secs(1),
            ..ServerSettings::default()
        };
        let server = serve(app, pages, listener, settings).expect("a server");
        let handle = server.handle();
        tokio::spawn(server);
        let feed = storage.follow();
        let owner = owner(&users, &storage).await;
        // A test sees what the server answers, not what is where that leads.
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            clock,
            storage,
            keys,
            workspaces,
            users,
            owner,
            mails,
            invitations,
            profiles,
            audit,
            refusals,
            signing,
            recent,
            sso,
            trust_rules,
            webhooks,
            courier,
            records,
            admission,
            limits,
            database,
            base_url,
            pages,
            client,
            handle,
            _feed: feed,
        }
    }

    /// The limits of rates, and what has been spent of them.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.limits
    }

    /// Everything that the database holds, as text.
    pub async fn dump(&self) -> String {
        let database = Arc::clone(&self.database);
        tokio::task::spawn_blocking(move || database.dump())
            .await
            .expect("a dump")
    }

    /// Runs a statement past the server, as somebody does who has its database.
    pub async fn sql(&self, statement: &str) {
        let (database, statement) = (Arc::clone(&self.database), statement.to_owned());
        tokio::task::spawn_blocking(move || database.run(&statement))
            .await
            .expect("the statement runs");
    }

    /// Stores when secrets were last used, as a server does every few seconds.
    pub async fn flush_uses(&self) {
        self.admission
            .flush_uses(&*self.storage.uses())
            .await
            .expect("uses are stored");
    }

    /// Looks at the keys of all workspaces, as a server does every day. Returns in how many there was news.
    pub async fn review_keys(&self) -> usize {
        let hygiene = HygieneFlows::new(
            self.storage.keys(),
            self.storage.usage_history(),
            HygieneSettings::default(),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        );
        let reviews = HygieneReviews::new(
            hygiene,
            self.storage.accounts(),
            self.storage.audit(),
            self.stewards(),
        );
        reviews.review_all().await.expect("the keys are looked at")
    }

    /// Who looks after the workspaces.
    #[must_use]
    pub fn stewards(&self) -> Stewards {
        let mails = Arc::clone(&self.mails) as Arc<dyn Notifier>;
        Stewards::new(self.storage.accounts(), self.storage.members(), mails)
    }

    /// Logs what was refused, as a server does every minute.
    pub async fn flush_refusals(&self) {
        self.refusals.flush().await.expect("refusals are logged");
    }

    /// Stores how often keys were used, as a server does every second.
    pub async fn flush_usage(&self) {
        self.admission
            .flush_usage(&LoggedUsage::new(self.storage.usage(), self.refusals.clone()))
            .await
            .expect("usage is stored");
    }

    /// Tells the webhooks of a workspace that something has happened.
    pub async fn announce(&self, workspace: &Workspace, kind: &str, data: &Value) -> EventId {
        let now = self.clock.now();
        let id = EventId::new(now, &OsRandom).expect("random bytes");
        let event = OutgoingEvent {
            id,
            kind: kind.to_owned(),
            at: now,
            data: data.to_string(),
        };
        let webhooks = self.storage.webhooks();
        webhooks
            .announce(workspace.id, event, now)
            .await
            .expect("it is stored");
        id
    }

    /// Sends the webhooks that are to be sent by now, as a server does every second. Returns how many those were.
    pub async fn send_webhooks(&self) -> usize {
        let mut sent = 0;
        loop {
            let taken = self.courier.take_up().await;
            self.courier.rest().await;
            if taken == 0 {
                return sent;
            }
            sent += taken;
        }
    }

    /// Where the server listens.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A workspace on plan Free.
    pub async fn workspace(&self, name: &str) -> Workspace {
        self.workspaces
            .create(name.to_owned(), Plan::free(), self.owner)
            .await
            .expect("a workspace")
    }

    /// A key of a workspace, made by the operator.
    pub async fn key(&self, home: &Workspace, kind: KeyType, scopes: &[&str]) -> IssuedKey {
        self.issue(
            kind,
            scopes,
            ReachRequest::Workspace {
                home: home.id,
                others: Vec::new(),
            },
        )
        .await
    }

    /// An agent key that holds every scope.
    pub async fn admin(&self, home: &Workspace) -> IssuedKey {
        let scopes = ScopeCatalog::default().all_for(KeyType::Agent);
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        self.key(home, KeyType::Agent, &scopes).await
    }

    /// A key with any reach, made by the operator.
    pub async fn issue(&self, kind: KeyType, scopes: &[&str], reach: ReachRequest) -> IssuedKey {
        let new = NewKey {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..NewKey::new("a key", kind, reach)
        };
        self.keys.create(&Actor::operator(), new).await.expect("a key")
    }

    /// A new person, who is a member of a workspace.
    pub async fn member(&self, home: &Workspace, role: Role) -> UserId {
        let mut bytes = [0; 4];
        OsRandom.fill(&mut bytes).expect("random bytes");
        let email = format!("{role}-{:08x}@example.com", u32::from_be_bytes(bytes));
        let new = NewUser {
            email: email.parse().expect("an address"),
            name: None,
            password: Password::presented(PASSWORD),
        };
        let id = self.users.create(new).await.expect("a user").id;
        self.set_role(home, id, Some(role)).await;
        id
    }

    /// Gives a person another role, or takes the membership away.
    pub async fn set_role(&self, home: &Workspace, user: UserId, role: Option<Role>) {
        let of = Membership {
            workspace: home.id,
            user,
        };
        let edit = move |_: PresentRoles| Ok(role);
        let members = self.storage.members();
        let set = members.edit_member(Act::of_operator(), of, None, self.clock.now(), Box::new(edit));
        set.await.expect("a role");
    }

    /// The address of a person.
    pub async fn email(&self, user: UserId) -> String {
        let found = self.storage.accounts().get_user(user).await.expect("an answer");
        found.expect("a user").email.to_string()
    }

    /// A personal agent key, made by the operator.
    pub async fn personal(&self, home: &Workspace, owner: UserId, scopes: &[&str]) -> IssuedKey {
        let reach = ReachRequest::Workspace {
            home: home.id,
            others: Vec::new(),
        };
        let new = NewKey {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            owner: OwnerRequest::Person(owner),
            ..NewKey::new("a personal key", KeyType::Agent, reach)
        };
        self.keys.create(&Actor::operator(), new).await.expect("a key")
    }

    /// A request, to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base_url))
    }

    /// GET with a key.
    pub async fn get(&self, path: &str, key: &IssuedKey) -> Answer {
        send(self.as_key(Method::GET, path, key)).await
    }

    /// POST with a key and a JSON body.
    pub async fn post(&self, path: &str, key: &IssuedKey, body: &Value) -> Answer {
        send(self.as_key(Method::POST, path, key).json(body)).await
    }

    /// PATCH with a key and a JSON body.
    pub async fn patch(&self, path: &str, key: &IssuedKey, body: &Value) -> Answer {
        send(self.as_key(Method::PATCH, path, key).json(body)).await
    }

    /// DELETE with a key.
    pub async fn delete(&self, path: &str, key: &IssuedKey) -> Answer {
        send(self.as_key(Method::DELETE, path, key)).await
    }

    fn as_key(&self, method: Method, path: &str, key: &IssuedKey) -> RequestBuilder {
        self.request(method, path)
            .header("X-Agent-API-Key", key.secret.reveal())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The future only waits for the end; the order to stop is given at once.
        drop(self.handle.stop(false));
    }
}

/// Sends a request.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status(), response.headers().clone());
    // A stream has no end to wait for.
    let is_stream = headers
        .get("content-type")
        .is_some_and(|value| value == "text/event-stream");
    let text = if is_stream {
        String::new()
    } else {
        response.text().await.expect("a body")
    };
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Answer {
        status,
        headers,
        body,
    }
}

async fn owner(users: &UserFlows, storage: &Storage) -> UserId {
    let email = "owner@example.com";
    if let Some(user) = storage
        .accounts()
        .find_user_by_email(email)
        .await
        .expect("an answer")
    {
        return user.id;
    }
    let password = Password::generate(&OsRandom).expect("a password");
    let new = NewUser {
        email: email.parse().expect("an address"),
        name: None,
        password,
    };
    users.create(new).await.expect("a user").id
}

/// Emits each named test once for every engine; a test takes a [`TestServer`].
#[macro_export]
macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => {
        $crate::on_both_engines!(@engine postgres, Postgres, $($test),+);
        $crate::on_both_engines!(@engine sqlite, Sqlite, $($test),+);
    };
    (@engine $module:ident, $engine:ident, $($test:ident),+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::TestServer::start($crate::Engine::$engine).await).await;
                }
            )+
        }
    };
}

/// Limits that no test reaches.
fn boundless() -> Limits {
    let quotas = Quotas::per_minute_and_hour(Quota::MAX_LIMIT, Quota::MAX_LIMIT);
    let plans = Plan::SHIPPED.map(|name| (name.parse().expect("a name"), PlanLimits::from(quotas)));
    Limits {
        plans: Plans::default().with(plans),
        instance: quotas,
        verify: quotas.minute,
        session: quotas.minute,
        failures: quotas.minute,
    }
}

/// A store of limits that is there, with a deadline that no machine is too slow for.
async fn connected(valkey: &ThrowawayValkey, clock: &Arc<dyn Clock>) -> Arc<Valkey> {
    let settings = ValkeySettings::new(&valkey.url())
        .expect("a URL")
        .with_deadline(Duration::from_secs(30));
    let store = Arc::new(Valkey::new(&settings, Arc::clone(clock), Arc::new(Untold)).expect("a client"));
    let kept = Arc::clone(&store);
    tokio::spawn(async move { kept.keep_connected().await });
    while store.is_away() {
        tokio::task::yield_now().await;
    }
    store
}

struct Untold;

impl LimiterEvents for Untold {
    fn away(&self, _: &str) {}

    fn refused(&self, _: &str) {}

    fn back(&self, _: Duration) {}
}
