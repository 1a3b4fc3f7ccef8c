//! Puts a server together, and starts it.

use std::{net::TcpListener, num::NonZeroUsize, sync::Arc, time::Duration};

use reqwest::{Client, redirect};
use tigertrust_accounts::{
    HygieneFlows, HygieneSettings, InvitationFlows, KeyFlows, MemberFlows, NewUser, Notifier, ProfileFlows,
    SessionSettings, SignInFlows, SignInParts, Stewards, UsageFlows, UsageRetention, UserFlows,
    WorkspaceFlows,
    audit::{AuditFlows, RefusalLog},
    passkeys::RelyingPartySettings,
    sso::{ConfiguredConnection, DomainRecords, SsoFlows, SsoParts},
    trust_rules::{JobTokens, TrustRuleFlows, TrustRuleParts},
    webhooks::{WebhookFlows, WebhookParts},
};
use tigertrust_credentials::{
    Admission, AuditRing, CacheSettings, ChangeTracker, EncryptionKey, EncryptionRing, HashingPool,
    HashingSettings, KeyFormats, OsRandom, Password, PasswordHasher, Pepper, PepperRing, RateLimits,
    RecentChanges, SessionAdmission, SigningKey, SigningRing, SteadyClock, ports::ChangeListener,
};
use tigertrust_http::{
    App, AppSettings, Metrics, Parts, ServerSettings, TokenSettings, TrustedProxies, page::Pages, serve,
};
use tigertrust_model::{Clock, Plan, RandomSource, ScopeCatalog, UserId};
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
use tigertrust_storage::{Options, Storage, StorageParts};
use tokio::runtime::Handle;

use super::{IDLE_TIMEOUT, MAX_STALENESS, TestServer};
use crate::{
    clock::TestClock,
    database::{ThrowawayDatabase, patient},
    mailbox::Mailbox,
    records::TestRecords,
    valkey::ThrowawayValkey,
};

const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// How a server differs from the others over its database.
pub(super) struct Setup<'a> {
    pub(super) listener: TcpListener,
    /// Where it listens.
    pub(super) base_url: String,
    /// Where it is for people.
    pub(super) public_url: String,
    pub(super) options: Options,
    pub(super) limits: Limits,
    pub(super) valkey: Option<&'a ThrowawayValkey>,
    pub(super) connections: Vec<ConfiguredConnection>,
    pub(super) pages: Option<Pages>,
    pub(super) formats: KeyFormats,
    /// A pepper in front of the one that all servers have, by its id and secret.
    pub(super) pepper: Option<(&'a str, &'a str)>,
}

impl Setup<'_> {
    /// On a free port, and as tests need it that look at something else. Whoever opens pages is at a name, which passkeys have to be
    /// bound to.
    pub(super) fn new(pages: Option<Pages>) -> Self {
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

impl TestServer {
    pub(super) async fn build(database: Arc<ThrowawayDatabase>, setup: Setup<'_>) -> Self {
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
