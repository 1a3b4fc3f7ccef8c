//! A whole server in the test's process, over a database of its own.

mod answer;
mod build;

use std::{sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tigertrust_accounts::{
    Actor, HygieneFlows, HygieneReviews, HygieneSettings, InvitationFlows, IssuedKey, KeyFlows, NewKey,
    NewUser, Notifier, OwnerRequest, ProfileFlows, ReachRequest, Stewards, UserFlows, WorkspaceFlows,
    audit::{AuditFlows, LoggedUsage, RefusalLog},
    ports::{Membership, PresentRoles},
    sso::{ConfiguredConnection, SsoFlows},
    trust_rules::TrustRuleFlows,
    webhooks::{OutgoingEvent, WebhookFlows},
};
use tigertrust_credentials::{
    Admission, KeyFormats, OsRandom, Password, RateLimits, RecentChanges, SigningRing,
};
use tigertrust_http::page::Pages;
use tigertrust_model::{
    Act, Clock, EventId, KeyType, Plan, RandomSource as _, Role, ScopeCatalog, UserId, Workspace,
};
use tigertrust_notify::webhooks::Courier;
use tigertrust_rate_limit::Limits;
use tigertrust_storage::{FeedHandle, Options, Storage};

pub use answer::{Answer, send};
use build::Setup;

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
