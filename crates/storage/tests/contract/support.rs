//! A storage over a throwaway database, and what stands around it.

use std::{sync::Arc, time::Duration};

use diesel::{
    Connection as _, SqliteConnection, connection::SimpleConnection as _, dsl::sql, sql_types::BigInt,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use tigertrust_accounts::{
    FlowError,
    ports::{KeyView, Member, Membership, Page, PresentRoles, StoredSecret},
};
use tigertrust_credentials::{
    AuditRing, KeyDigest, OsRandom, PasswordHash, Pepper, PepperRing, SteadyClock, ports::ChangeListener,
};
use tigertrust_model::{
    Act, ApiKey, Change, Creator, Entity, KeyDisplay, KeyFilter, KeyId, KeyLimits, KeyReach, KeyType,
    Lifecycle, Metadata, RandomSource, Role, Timestamp, User, UserId, Workspace, WorkspaceId,
};
use tigertrust_storage::{DatabaseUrl, Options, Storage, StorageParts};
use tigertrust_testkit::{Engine, TestClock, ThrowawayDatabase, patient};
use tokio::{
    runtime::Handle,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const NOW: Timestamp = TestClock::START;

/// What a listener was told. That the feed is caught up comes all the time, and is only kept where it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Applied(Vec<Change>),
    Reset,
    CaughtUp,
}

struct Ear(UnboundedSender<Heard>);

impl ChangeListener for Ear {
    fn apply(&self, changes: &[Change]) {
        let _ = self.0.send(Heard::Applied(changes.to_vec()));
    }

    fn reset(&self, _: u64) {
        let _ = self.0.send(Heard::Reset);
    }

    fn caught_up(&self, _: Duration) {
        let _ = self.0.send(Heard::CaughtUp);
    }
}

/// What a storage is put together from.
pub(crate) fn parts(clock: Arc<SteadyClock>, listener: Arc<dyn ChangeListener>) -> StorageParts {
    StorageParts {
        clock,
        random: Arc::new(OsRandom),
        audit: ring(&["p1"]),
        listener,
        runtime: Handle::current(),
    }
}

/// What the audit log is held together with, under peppers that differ in their ids.
pub(crate) fn ring(ids: &[&str]) -> AuditRing {
    let secret = |id: &str| if id == "p1" { "A" } else { "E" }.repeat(43);
    let peppers = ids.iter().map(|id| Pepper::new(id, &secret(id)).unwrap());
    AuditRing::new(PepperRing::new(peppers.collect()).unwrap())
}

/// One node.
pub(crate) struct Node {
    pub(crate) storage: Storage,
    heard: UnboundedReceiver<Heard>,
}

impl Node {
    pub(crate) fn open(url: &DatabaseUrl, options: Options) -> Self {
        Self::open_with(url, options, ring(&["p1"]))
    }

    /// A node with other peppers.
    pub(crate) fn open_with(url: &DatabaseUrl, options: Options, audit: AuditRing) -> Self {
        let (sender, heard) = unbounded_channel();
        let clock = Arc::new(SteadyClock::new(Arc::new(TestClock::default())));
        let listener = Arc::new(Ear(sender));
        let storage = Storage::open(
            url,
            options,
            StorageParts {
                audit,
                ..parts(clock, listener)
            },
        )
        .unwrap();
        Self { storage, heard }
    }

    /// What was told next, other than that the feed is caught up.
    pub(crate) async fn hears(&mut self) -> Heard {
        let telling = async {
            loop {
                match self.heard.recv().await.unwrap() {
                    Heard::CaughtUp => {}
                    heard => return heard,
                }
            }
        };
        timeout(PATIENCE, telling)
            .await
            .expect("the listener is told something")
    }

    /// Waits until the feed has looked and found nothing new, and returns what it told until then.
    pub(crate) async fn catches_up(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let telling = async {
            loop {
                match self.heard.recv().await.unwrap() {
                    Heard::CaughtUp => return,
                    other => heard.push(other),
                }
            }
        };
        timeout(PATIENCE, telling).await.expect("the feed catches up");
        heard
    }

    /// What was told before now.
    pub(crate) fn has_heard(&mut self) -> Vec<Heard> {
        let told = std::iter::from_fn(|| self.heard.try_recv().ok());
        told.filter(|heard| *heard != Heard::CaughtUp).collect()
    }
}

/// A node over a database of its own.
pub(crate) struct World {
    pub(crate) database: ThrowawayDatabase,
    pub(crate) node: Node,
}

impl World {
    pub(crate) async fn new(engine: Engine) -> Self {
        let database = ThrowawayDatabase::create(engine).await;
        let node = Node::open(database.url(), patient());
        Self { database, node }
    }

    pub(crate) fn second(&self) -> Node {
        Node::open(self.database.url(), patient())
    }

    /// Runs statements past the ports: `postgres` or `sqlite`, whichever it is.
    pub(crate) async fn sql_by_engine(&self, postgres: &str, sqlite: &str) {
        let url = self.database.url().reveal();
        match self.database.engine() {
            Engine::Postgres => {
                let mut connection = AsyncPgConnection::establish(url).await.unwrap();
                connection.batch_execute(postgres).await.unwrap();
            }
            Engine::Sqlite => {
                let path = url.strip_prefix("sqlite://").unwrap();
                let mut connection = SqliteConnection::establish(path).unwrap();
                connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                connection.batch_execute(sqlite).unwrap();
            }
        }
    }

    /// A connection past the ports, for what is to be under way meanwhile.
    pub(crate) async fn postgres(&self) -> AsyncPgConnection {
        AsyncPgConnection::establish(self.database.url().reveal())
            .await
            .unwrap()
    }

    /// Waits until somebody waits for a lock in PostgreSQL.
    pub(crate) async fn until_somebody_waits(&self) {
        let mut watching = self.postgres().await;
        let ask = "(SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock')";
        let watch = async {
            loop {
                let waiting: i64 = diesel::select(sql::<BigInt>(ask))
                    .get_result(&mut watching)
                    .await
                    .unwrap();
                if waiting > 0 {
                    return;
                }
            }
        };
        timeout(PATIENCE, watch).await.unwrap();
    }

    pub(crate) async fn sql(&self, both: &str) {
        self.sql_by_engine(both, both).await;
    }

    pub(crate) async fn user(&self, email: &str) -> User {
        let user = user(email);
        let accounts = self.node.storage.accounts();
        accounts
            .insert_user(Act::of_operator(), user.clone(), password())
            .await
            .unwrap();
        user
    }

    pub(crate) async fn join(&self, workspace: &Workspace, user: &User, role: Role) {
        self.set_role(workspace, user, Some(role)).await.unwrap();
    }

    /// Gives a person a role, or takes the membership away, whatever the roles are.
    pub(crate) async fn set_role(
        &self,
        workspace: &Workspace,
        user: &User,
        role: Option<Role>,
    ) -> Result<Option<Member>, FlowError> {
        let of = Membership {
            workspace: workspace.id,
            user: user.id,
        };
        let edit = move |_: PresentRoles| Ok(role);
        let members = self.node.storage.members();
        members
            .edit_member(Act::of_operator(), of, None, NOW, Box::new(edit))
            .await
    }

    /// Changes a workspace, whatever the roles are.
    pub(crate) async fn edit(
        &self,
        id: WorkspaceId,
        edit: impl FnOnce(&mut Workspace) + Send + 'static,
    ) -> Result<Workspace, FlowError> {
        let edit = move |workspace: &mut Workspace, _: Option<Role>| {
            edit(workspace);
            Ok(())
        };
        let accounts = self.node.storage.accounts();
        accounts
            .edit_workspace(Act::of_operator(), id, None, Box::new(edit))
            .await
    }

    pub(crate) async fn workspace(&self, name: &str) -> Workspace {
        let owner = self.user(&format!("{name}@example.com")).await;
        let workspace = workspace(name);
        let accounts = self.node.storage.accounts();
        accounts
            .insert_workspace(Act::of_operator(), workspace.clone(), owner.id)
            .await
            .unwrap();
        workspace
    }

    /// Stores a key, and returns it with its digest.
    pub(crate) async fn store(&self, key: ApiKey) -> (ApiKey, KeyDigest) {
        let secret = secret();
        let digest = secret.digest;
        self.node
            .storage
            .keys()
            .insert_key(Act::of_operator(), key.clone(), secret, None)
            .await
            .unwrap();
        (key, digest)
    }

    pub(crate) async fn get(&self, id: KeyId) -> Option<ApiKey> {
        let found = self.node.storage.keys().get_key(KeyView::Everything, id).await;
        found.unwrap().map(|details| details.key)
    }

    /// A page of the keys of a view.
    pub(crate) async fn list(&self, view: KeyView, page: Page<KeyId>) -> Vec<ApiKey> {
        let keys = self.node.storage.keys();
        let found = keys.list_keys(view, KeyFilter::default(), page).await.unwrap();
        found.into_iter().map(|details| details.key).collect()
    }
}

/// The names of the engines as literals of SQL for an id.
pub(crate) fn hex(id: uuid::Uuid) -> (String, String) {
    (format!("'{id}'"), format!("x'{}'", id.simple()))
}

pub(crate) fn user(email: &str) -> User {
    User {
        id: UserId::new(NOW, &OsRandom).unwrap(),
        email: email.parse().unwrap(),
        email_verified_at: None,
        name: None,
        disabled_at: None,
        created_at: NOW,
    }
}

pub(crate) fn password() -> PasswordHash {
    PasswordHash::from_phc("$argon2id$not-a-real-one".to_owned())
}

pub(crate) fn workspace(name: &str) -> Workspace {
    Workspace {
        id: WorkspaceId::new(NOW, &OsRandom).unwrap(),
        name: name.to_owned(),
        plan: "free".parse().unwrap(),
        requires_second_factor: false,
        leak_response: None,
        created_at: NOW,
        deleted_at: None,
    }
}

pub(crate) fn key(reach: KeyReach) -> ApiKey {
    ApiKey {
        id: KeyId::new(NOW, &OsRandom).unwrap(),
        kind: KeyType::Agent,
        name: "ci".to_owned(),
        reach,
        owner: None,
        scopes: ["keys:read", "certificates:*"]
            .iter()
            .map(|scope| scope.parse().unwrap())
            .collect(),
        lifecycle: Lifecycle::Active,
        expires_at: None,
        allowed_cidrs: Vec::new(),
        limits: KeyLimits::default(),
        external_id: None,
        metadata: Metadata::default(),
        display: display(),
        created_by: Creator::Operator,
        created_at: NOW,
        updated_at: NOW,
        leak_reported_at: None,
    }
}

fn display() -> KeyDisplay {
    KeyDisplay {
        start: "ak_01234".to_owned(),
        last_four: "wxyz".to_owned(),
    }
}

pub(crate) fn key_at(home: &Workspace) -> ApiKey {
    key(KeyReach::workspaces(home.id, []))
}

pub(crate) fn secret() -> StoredSecret {
    let mut bytes = [0; 32];
    OsRandom.fill(&mut bytes).unwrap();
    StoredSecret {
        digest: KeyDigest::from_bytes(bytes),
        pepper_id: "p1".to_owned(),
        format: "v1".to_owned(),
        display: display(),
    }
}

pub(crate) fn page<Id>(after: Option<Id>, limit: u16) -> Page<Id> {
    Page { after, limit }
}

pub(crate) fn key_change(seq: u64, key: &ApiKey) -> Heard {
    Heard::Applied(vec![Change {
        seq,
        entity: Entity::Key(key.id),
        workspace: key.reach.home(),
    }])
}

/// Emits each named test once for every engine. A test takes the [`Engine`].
macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => {
        on_both_engines!(@engine postgres, Postgres, $($test),+);
        on_both_engines!(@engine sqlite, Sqlite, $($test),+);
    };
    (@engine $module:ident, $engine:ident, $($test:ident),+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(tigertrust_testkit::Engine::$engine).await;
                }
            )+
        }
    };
}
pub(crate) use on_both_engines;
