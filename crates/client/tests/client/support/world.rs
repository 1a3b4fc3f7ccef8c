//! A client of a server, with a proxy between them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tigertrust_accounts::{IssuedKey, ReachRequest};
use tigertrust_client::{
    Change, Client, ClientBuilder, Clock, Entity, NotAvailable, PresentedKey, Question, State, SystemClock,
    Timestamp, ValidVerdict, Verdict,
};
use tigertrust_model::{KeyId, KeyType, Workspace};
use tigertrust_testkit::{Answer, TestClock, TestServer, send};

use super::Proxy;

const SCOPES: &[&str] = &[
    "keys:verify",
    "keys:read",
    "keys:write",
    "workspace:read",
    "workspace:write",
    "certificates:read",
    "certificates:write",
];

/// Time as it passes, and jumps of it. The wall clock is the server's, and as much ahead of it as it is told to be.
pub(crate) struct OffsetClock {
    wall: Arc<TestClock>,
    passing: SystemClock,
    ahead_micros: AtomicU64,
    wall_ahead_micros: AtomicI64,
}

impl OffsetClock {
    pub(crate) fn new(wall: &Arc<TestClock>) -> Arc<Self> {
        Arc::new(Self {
            wall: Arc::clone(wall),
            passing: SystemClock::new(),
            ahead_micros: AtomicU64::new(0),
            wall_ahead_micros: AtomicI64::new(0),
        })
    }

    /// Lets time pass at once.
    pub(crate) fn jump(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap();
        self.ahead_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the wall clock alone.
    pub(crate) fn set_wall_ahead(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.wall_ahead_micros.store(micros, Ordering::SeqCst);
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> Timestamp {
        let ahead = self.wall_ahead_micros.load(Ordering::SeqCst);
        Timestamp::from_unix_micros(self.wall.now().unix_micros() + ahead)
    }

    fn monotonic(&self) -> Duration {
        self.passing.monotonic() + Duration::from_micros(self.ahead_micros.load(Ordering::SeqCst))
    }
}

/// A key that was made.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) text: String,
}

impl Key {
    pub(crate) fn presented(&self) -> PresentedKey {
        PresentedKey::new(&self.text)
    }
}

/// A client, its server, and what it was told.
pub(crate) struct World<'a> {
    pub(crate) server: &'a TestServer,
    pub(crate) home: Workspace,
    /// Whoever makes and edits keys.
    admin: IssuedKey,
    /// The service's own key.
    pub(crate) own: IssuedKey,
    pub(crate) proxy: Proxy,
    pub(crate) clock: Arc<OffsetClock>,
    pub(crate) client: Client,
    changes: Arc<Mutex<Vec<Change>>>,
}

impl<'a> World<'a> {
    /// A client that has not begun to follow.
    pub(crate) async fn client(
        server: &'a TestServer,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let home = server.workspace("Home").await;
        let own = server
            .issue(KeyType::Agent, &["keys:verify"], ReachRequest::Instance)
            .await;
        Self::of(server, home, own, settings).await
    }

    /// One whose service has another key, of a workspace that is there.
    pub(crate) async fn of(
        server: &'a TestServer,
        home: Workspace,
        own: IssuedKey,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let admin = server.key(&home, KeyType::Agent, SCOPES).await;
        let proxy = Proxy::before(server.base_url()).await;
        let clock = OffsetClock::new(&server.clock);
        let changes = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&changes);
        // So long that a busy machine is not taken for a broken one; tests about these say their own.
        let builder = Client::builder()
            .url(proxy.url())
            .api_key(own.secret.reveal())
            .deadline(Duration::from_secs(20))
            .staleness(Duration::from_secs(30))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .on_change(move |change| noted.lock().unwrap().push(change));
        let client = settings(builder).build().unwrap();
        Self {
            server,
            home,
            admin,
            own,
            proxy,
            clock,
            client,
            changes,
        }
    }

    /// One that follows.
    pub(crate) async fn follower(
        server: &'a TestServer,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let world = Self::client(server, settings).await;
        world.client.start();
        world.follows().await;
        world
    }

    /// Waits until the client follows. What has to settle has settled then.
    pub(crate) async fn follows(&self) {
        let known = || matches!(self.client.state(), State::Following | State::CatchingUp);
        eventually("the feed has begun", known).await;
        eventually("the client follows", || self.client.state() == State::Following).await;
    }

    /// Lets pass as much time as a change needs to settle.
    pub(crate) fn settle(&self) {
        self.clock.jump(Duration::from_millis(1_001));
    }

    /// A key of the workspace that may read certificates.
    pub(crate) async fn key(&self) -> Key {
        self.key_with(json!({})).await
    }

    /// The same, otherwise than usual.
    pub(crate) async fn key_with(&self, more: Value) -> Key {
        let mut body = json!({"name": "a key", "type": "agent", "scopes": ["certificates:read"]});
        let members = body.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let made = self.server.post("/api/keys", &self.admin, &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        Key {
            id: made.body["id"].as_str().unwrap().parse().unwrap(),
            text: made.body["key"].as_str().unwrap().to_owned(),
        }
    }

    /// Revokes a key.
    pub(crate) async fn revoke(&self, key: &Key) {
        let path = format!("/api/keys/{}/revoke", key.id);
        let revoked = self.server.post(&path, &self.admin, &json!({})).await;
        assert_eq!(revoked.status, 200, "{}", revoked.body);
    }

    /// Edits a key.
    pub(crate) async fn edit(&self, key: &Key, body: Value) {
        let path = format!("/api/keys/{}", key.id);
        let edited = self.server.patch(&path, &self.admin, &body).await;
        assert_eq!(edited.status, 200, "{}", edited.body);
    }

    /// Edits a key, and waits until the client has heard of it.
    pub(crate) async fn edit_and_hear(&self, key: &Key, name: &str) {
        self.forget_changes();
        self.edit(key, json!({"name": name})).await;
        self.hears_of(Entity::Key(key.id)).await;
    }

    /// What the client was told so far counts as not told.
    pub(crate) fn forget_changes(&self) {
        self.changes.lock().unwrap().clear();
    }

    /// Waits until the client has heard of a change.
    pub(crate) async fn hears_of(&self, entity: Entity) {
        let has_come = || self.changes.lock().unwrap().contains(&Change::Of(entity));
        eventually("the change came in", has_come).await;
    }

    /// Asks the client.
    pub(crate) async fn verify(&self, key: &Key, question: &Question<'_>) -> Result<Verdict, NotAvailable> {
        self.client.verify(&key.presented(), question).await
    }

    /// Asks the client what has to be valid.
    pub(crate) async fn valid(&self, key: &Key) -> Arc<ValidVerdict> {
        self.valid_for(key, &Question::default()).await
    }

    /// Asks the client what has to be valid.
    pub(crate) async fn valid_for(&self, key: &Key, question: &Question<'_>) -> Arc<ValidVerdict> {
        match self.verify(key, question).await.unwrap() {
            Verdict::Valid(verdict) => verdict,
            Verdict::Refused(verdict) => panic!("{verdict:?}"),
        }
    }

    /// Asks the client, and tells the code; `VALID` for a valid one.
    pub(crate) async fn code(&self, key: &Key) -> String {
        self.code_for(key, &Question::default()).await
    }

    /// Asks the client, and tells the code; `VALID` for a valid one.
    pub(crate) async fn code_for(&self, key: &Key, question: &Question<'_>) -> String {
        match self.verify(key, question).await.unwrap() {
            Verdict::Valid(_) => "VALID".to_owned(),
            Verdict::Refused(verdict) => verdict.code.to_string(),
        }
    }

    /// Whether the client needs no call for an answer.
    pub(crate) async fn is_remembered(&self, key: &Key) -> bool {
        self.is_remembered_for(key, &Question::default()).await
    }

    /// Whether the client needs no call for an answer.
    pub(crate) async fn is_remembered_for(&self, key: &Key, question: &Question<'_>) -> bool {
        let before = self.proxy.verifies();
        self.valid_for(key, question).await;
        self.proxy.verifies() == before
    }

    /// A call of the API past the proxy, as whoever manages keys.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let key = self.admin.secret.reveal();
        send(self.server.request(method, path).bearer_auth(key).json(body)).await
    }
}

/// Waits for something that happens within a bounded time.
///
/// # Panics
/// After half a minute.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while !is_so() {
            ticks.tick().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(done.is_ok(), "it was never so that {what}");
}
