//! The order of the checks, and what the cache may and may not do, over a store that counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tigertrust_credentials::{
    Admission, AuthError, CacheSettings, ChangeTracker, Charge, HeaderValues, KeyDigest, KeySecret, Need,
    OsRandom, Pepper, PepperRing, Permit, Presented, RateLimits, WorkspaceNeed,
    ports::{ChangeListener, CredentialStore, KeyOwner, KeyRecord, StoreError},
    rate_limit::{Limits, Plans, Quota, Quotas, RateLimiter},
};
use tigertrust_model::{
    ApiKey, Change, Clock, Creator, Entity, KeyId, KeyLimits, KeyReach, KeyType, KeyTypes, Lifecycle,
    Metadata, Plan, Role, Scope, Timestamp, UserId, Workspace, WorkspaceId,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OLD_SECRET: &str = "HxAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg";
const START: Timestamp = Timestamp::from_unix_micros(1_800_000_000_000_000);

#[derive(Default)]
struct TestClock {
    elapsed_millis: AtomicU64,
    wall_offset_micros: AtomicI64,
}

impl TestClock {
    fn advance(&self, duration: Duration) {
        self.elapsed_millis
            .fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
        self.wall_offset_micros
            .fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(START.unix_micros() + self.wall_offset_micros.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_millis.load(Ordering::SeqCst))
    }
}

/// A store whose answers wait at a gate, if one is set.
#[derive(Default)]
struct CountingStore {
    keys: Mutex<Vec<(KeyDigest, KeyRecord)>>,
    workspaces: Mutex<Vec<Workspace>>,
    look_ups: AtomicUsize,
    down: Mutex<bool>,
    /// Told when a look-up has read; waits for a permit before it answers.
    gate: Mutex<Option<(Arc<Semaphore>, Arc<Semaphore>)>>,
}

impl CountingStore {
    async fn pass(&self) -> Result<(), StoreError> {
        let gate = self.gate.lock().unwrap().clone();
        if let Some((arrived, open)) = gate {
            arrived.add_permits(1);
            open.acquire().await.unwrap().forget();
        }
        if *self.down.lock().unwrap() {
            Err(StoreError::unavailable("down"))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl CredentialStore for CountingStore {
    async fn find_key(&self, digests: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        let found = self
            .keys
            .lock()
            .unwrap()
            .iter()
            .find(|(digest, _)| digests.contains(digest))
            .map(|(_, record)| record.clone());
        self.pass().await?;
        Ok(found)
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        let found = self
            .workspaces
            .lock()
            .unwrap()
            .iter()
            .find(|known| known.id == id)
            .cloned();
        self.pass().await?;
        Ok(found)
    }
}

struct World {
    clock: Arc<TestClock>,
    store: Arc<CountingStore>,
    tracker: Arc<ChangeTracker>,
    admission: Arc<Admission>,
    secret: KeySecret,
}

fn workspace(number: u128) -> Workspace {
    Workspace {
        id: WorkspaceId::from_uuid(Uuid::from_u128(number)),
        name: format!("workspace {number}"),
        plan: Plan::free(),
        requires_second_factor: false,
        leak_response: None,
        created_at: START,
        deleted_at: None,
    }
}

fn record(secret: &KeySecret, workspaces: Vec<Workspace>) -> KeyRecord {
    let reach = match workspaces.split_first() {
        None => KeyReach::Instance,
        Some((home, others)) => KeyReach::workspaces(home.id, others.iter().map(|other| other.id)),
    };
    KeyRecord {
        key: ApiKey {
            id: KeyId::from_uuid(Uuid::from_u128(77)),
            kind: secret.parsed().kind(),
            name: "ci".to_owned(),
            reach,
            owner: None,
            scopes: ["certificates:read"]
                .iter()
                .map(|text| text.parse::<Scope>().unwrap())
                .collect(),
            lifecycle: Lifecycle::Active,
            expires_at: None,
            allowed_cidrs: Vec::new(),
            limits: KeyLimits::default(),
            external_id: None,
            metadata: Metadata::default(),
            display: secret.parsed().display(),
            created_by: Creator::Operator,
            created_at: START,
            updated_at: START,
            leak_reported_at: None,
        },
        secret_digest: KeyDigest::from_bytes([0; 32]),
        secret_ends_at: None,
        workspaces,
        owner: None,
    }
}

impl World {
    fn new() -> Self {
        Self::with(KeyType::Agent, vec![workspace(1), workspace(2)])
    }

    fn with(kind: KeyType, workspaces: Vec<Workspace>) -> Self {
        let clock = Arc::new(TestClock::default());
        let store = Arc::new(CountingStore::default());
        let tracker = Arc::new(ChangeTracker::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            Duration::from_secs(5),
        ));
        tracker.caught_up(clock.monotonic());
        let ring = vec![
            Pepper::new("p2", SECRET).unwrap(),
            Pepper::new("p1", OLD_SECRET).unwrap(),
        ];
        let ring = PepperRing::new(ring).unwrap();
        let secret = KeySecret::generate(kind, &OsRandom).unwrap();
        store.keys.lock().unwrap().push((
            ring.current().digest(&secret.parsed()),
            record(&secret, workspaces),
        ));
        let admission = Arc::new(Admission::new(
            ring,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&store) as Arc<dyn CredentialStore>,
            &tracker,
            CacheSettings::default(),
            unlimited(Arc::clone(&clock) as Arc<dyn Clock>),
        ));
        Self {
            clock,
            store,
            tracker,
            admission,
            secret,
        }
    }

    fn edit(&self, change: impl FnOnce(&mut KeyRecord)) {
        change(&mut self.store.keys.lock().unwrap()[0].1);
    }

    fn tell(&self, seq: u64, entity: Entity) {
        self.tracker.apply(&[Change {
            seq,
            entity,
            workspace: None,
        }]);
    }

    fn key_entity(&self) -> Entity {
        Entity::Key(self.store.keys.lock().unwrap()[0].1.key.id)
    }

    fn look_ups(&self) -> usize {
        self.store.look_ups.load(Ordering::SeqCst)
    }

    async fn admit(&self) -> Result<Permit, AuthError> {
        self.admit_with(None, &need(KeyTypes::ANY, None)).await
    }

    async fn admit_with(&self, workspace: Option<&str>, need: &Need) -> Result<Permit, AuthError> {
        admit(&self.admission, self.secret.reveal(), workspace, need).await
    }
}

async fn admit(
    admission: &Admission,
    key: &str,
    workspace: Option<&str>,
    need: &Need,
) -> Result<Permit, AuthError> {
    let presented = Presented {
        agent_api_key: HeaderValues::One(key.as_bytes()),
        authorization: HeaderValues::Absent,
        workspace: workspace.map_or(HeaderValues::Absent, |text| HeaderValues::One(text.as_bytes())),
        client: None,
        user_agent: None,
    };
    admission
        .admit(&presented, need)
        .await
        .map_err(|refusal| refusal.why)
}

/// Limits that are reached by those alone that have their own.
fn unlimited(clock: Arc<dyn Clock>) -> Arc<RateLimits> {
    let quotas = Quotas::per_minute_and_hour(Quota::MAX_LIMIT, Quota::MAX_LIMIT);
    let limits = Limits {
        plans: Plans::default().with([(Plan::free(), quotas.into())]),
        instance: quotas,
        failures: quotas.minute,
        ..Limits::default()
    };
    let limiter = Arc::new(RateLimiter::new(Arc::clone(&clock)));
    Arc::new(RateLimits::new(limits, limiter, clock))
}

fn need(types: KeyTypes, scope: Option<&str>) -> Need {
    Need {
        types,
        scope: scope.map(|text| text.parse().unwrap()),
        workspace: WorkspaceNeed::Required,
        charge: Charge::Plan,
    }
}

fn name(result: Result<Permit, AuthError>) -> String {
    match result {
        Ok(_) => "admitted".to_owned(),
        Err(AuthError::Unauthorized(why)) => format!("{why:?}"),
        Err(AuthError::KeyRevoked) => "KeyRevoked".to_owned(),
        Err(AuthError::TokenExpired) => "TokenExpired".to_owned(),
        Err(AuthError::RateLimited { .. }) => "RateLimited".to_owned(),
        Err(AuthError::AddressNotAllowed) => "AddressNotAllowed".to_owned(),
        Err(AuthError::WrongType { .. }) => "WrongType".to_owned(),
        Err(AuthError::WorkspaceAccessDenied) => "WorkspaceAccessDenied".to_owned(),
        Err(AuthError::WorkspaceMissing) => "WorkspaceMissing".to_owned(),
        Err(
            AuthError::SessionOver
            | AuthError::NoMembership
            | AuthError::SessionConfined
            | AuthError::TokenChangesNothing,
        ) => "for people".to_owned(),
        Err(AuthError::MissingScope(_)) => "MissingScope".to_owned(),
        Err(AuthError::RoleForbids(_)) => "RoleForbids".to_owned(),
        Err(AuthError::SecondFactorMissing) => "SecondFactorMissing".to_owned(),
        Err(AuthError::Unavailable(_)) => "Unavailable".to_owned(),
    }
}

/// A key with everything wrong is mended one thing at a time: each time the next check answers.
#[tokio::test]
async fn the_first_check_that_fails_gives_the_answer() {
    let world = World::new();
    let past = Timestamp::from_unix_micros(START.unix_micros() - 1);
    world.edit(|record| {
        record.key.lifecycle = Lifecycle::Revoked {
            at: past,
            reason: None,
        };
        record.key.expires_at = Some(past);
        record.secret_ends_at = Some(past);
        record.workspaces[0].deleted_at = Some(past);
        record.key.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    });
    let wanted = need(KeyTypes::PUBLIC, Some("certificates:write"));
    let foreign = workspace(3).id.to_string();
    let mut seq = 0;
    let mut answer = async |expected: &str, named: Option<&str>, need: &Need| {
        assert_eq!(name(world.admit_with(named, need).await), expected);
        seq += 1;
        world.tell(seq, world.key_entity());
    };
    answer("KeyRevoked", Some(&foreign), &wanted).await;
    world.edit(|record| record.key.lifecycle = Lifecycle::Deactivated);
    answer("KeyRevoked", Some(&foreign), &wanted).await;
    world.edit(|record| record.secret_ends_at = None);
    answer("TokenExpired", Some(&foreign), &wanted).await;
    world.edit(|record| record.key.expires_at = None);
    answer("Deactivated", Some(&foreign), &wanted).await;
    world.edit(|record| record.key.lifecycle = Lifecycle::Active);
    answer("WorkspaceDeleted", Some(&foreign), &wanted).await;
    world.edit(|record| record.workspaces[0].deleted_at = None);
    answer("AddressNotAllowed", Some(&foreign), &wanted).await;
    world.edit(|record| record.key.allowed_cidrs.clear());
    answer("WrongType", Some(&foreign), &wanted).await;
    let wanted = need(KeyTypes::AGENT, Some("certificates:write"));
    answer("WorkspaceAccessDenied", Some(&foreign), &wanted).await;
    answer("MissingScope", None, &wanted).await;
    answer(
        "admitted",
        None,
        &need(KeyTypes::AGENT, Some("certificates:read")),
    )
    .await;
}

#[tokio::test]
async fn a_personal_key_is_worth_what_its_owner_is_in_each_workspace() {
    let world = World::new();
    let (home, other) = (workspace(1).id, workspace(2).id);
    let owner = UserId::from_uuid(Uuid::from_u128(5));
    let mut seq = 0;
    let mut owned = |disabled_at, roles: &[(WorkspaceId, Role)]| {
        world.edit(|record| {
            record.key.scopes = ["certificates:*", "keys:*"]
                .map(|text| text.parse().unwrap())
                .into_iter()
                .collect();
            record.key.owner = Some(owner);
            record.owner = Some(KeyOwner {
                id: owner,
                disabled_at,
                has_second_factor: false,
                roles: roles.to_vec(),
            });
        });
        // Before the first look-up depends on the person, the key itself has to be told of.
        seq += 2;
        world.tell(seq - 1, world.key_entity());
        world.tell(seq, Entity::User(owner));
    };
    let writes = need(KeyTypes::ANY, Some("certificates:write"));
    let verifies = need(KeyTypes::ANY, Some("keys:verify"));
    let in_other = Some(other.to_string());

    owned(None, &[(home, Role::Owner), (other, Role::Viewer)]);
    assert_eq!(name(world.admit_with(None, &verifies).await), "admitted");
    assert_eq!(
        name(world.admit_with(in_other.as_deref(), &writes).await),
        "MissingScope"
    );
    let permit = world
        .admit_with(in_other.as_deref(), &need(KeyTypes::ANY, None))
        .await
        .unwrap();
    assert_eq!(
        permit.scopes().iter().map(Scope::as_str).collect::<Vec<_>>(),
        ["certificates:read"]
    );

    owned(None, &[(home, Role::Member)]);
    assert_eq!(name(world.admit_with(None, &writes).await), "admitted");
    assert_eq!(name(world.admit_with(None, &verifies).await), "MissingScope");
    assert_eq!(
        name(world.admit_with(in_other.as_deref(), &writes).await),
        "WorkspaceAccessDenied"
    );

    owned(None, &[(other, Role::Owner)]);
    assert_eq!(
        name(world.admit_with(in_other.as_deref(), &writes).await),
        "OwnerGone"
    );
    owned(Some(START), &[(home, Role::Owner)]);
    assert_eq!(name(world.admit().await), "OwnerGone");
}

#[tokio::test]
async fn what_the_format_already_refuses_is_not_looked_up() {
    let world = World::new();
    let key = world.secret.reveal();
    let wrong_checksum = format!(
        "{}{}",
        &key[..key.len() - 1],
        if key.ends_with('0') { '1' } else { '0' }
    );
    for key in ["", "ak_", "nonsense", &key[..20], &wrong_checksum, "ak_é"] {
        let refused = admit(&world.admission, key, None, &Need::any_caller()).await;
        assert_eq!(name(refused), "Malformed", "{key}");
    }
    assert_eq!(
        name(
            world
                .admission
                .admit(&Presented::default(), &Need::any_caller())
                .await
                .map_err(|refusal| refusal.why)
        ),
        "NotPresented"
    );
    assert_eq!(world.look_ups(), 0);
}

#[tokio::test]
async fn a_known_key_is_looked_up_once_and_an_unknown_one_too() {
    let world = World::new();
    for _ in 0..5 {
        world.admit().await.unwrap();
    }
    assert_eq!(world.look_ups(), 1);
    let stranger = KeySecret::generate(KeyType::Agent, &OsRandom).unwrap();
    for _ in 0..5 {
        let refused = admit(&world.admission, stranger.reveal(), None, &Need::any_caller()).await;
        assert_eq!(name(refused), "Unknown");
    }
    assert_eq!(world.look_ups(), 2);
}

#[tokio::test]
async fn a_key_stored_under_an_earlier_pepper_is_found() {
    let world = World::new();
    let old = Pepper::new("p1", OLD_SECRET)
        .unwrap()
        .digest(&world.secret.parsed());
    world.store.keys.lock().unwrap()[0].0 = old;
    world.admit().await.unwrap();
    world.admit().await.unwrap();
    assert_eq!(world.look_ups(), 1);
}

#[tokio::test]
async fn a_change_of_the_key_or_of_a_workspace_is_seen_at_once() {
    let world = World::new();
    world.admit().await.unwrap();
    world.edit(|record| record.key.lifecycle = Lifecycle::Deactivated);
    world.admit().await.unwrap();
    world.tell(1, world.key_entity());
    assert_eq!(name(world.admit().await), "Deactivated");
    world.edit(|record| {
        record.key.lifecycle = Lifecycle::Active;
        record.workspaces[0].deleted_at = Some(START);
    });
    world.tell(2, Entity::Workspace(workspace(1).id));
    assert_eq!(name(world.admit().await), "WorkspaceDeleted");
}

#[tokio::test]
async fn a_key_expires_while_it_is_cached() {
    let world = World::new();
    world.edit(|record| record.key.expires_at = Some(START.saturating_add(Duration::from_secs(2))));
    world.admit().await.unwrap();
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(name(world.admit().await), "TokenExpired");
    assert_eq!(world.look_ups(), 1);
}

#[tokio::test]
async fn callers_who_miss_at_once_share_one_look_up() {
    let world = World::new();
    let (arrived, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    *world.store.gate.lock().unwrap() = Some((Arc::clone(&arrived), Arc::clone(&open)));
    let key: Arc<str> = Arc::from(world.secret.reveal());
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (admission, key) = (Arc::clone(&world.admission), Arc::clone(&key));
            tokio::spawn(async move { admit(&admission, &key, None, &Need::any_caller()).await.is_ok() })
        })
        .collect();
    arrived.acquire().await.unwrap().forget();
    open.add_permits(50);
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(world.look_ups(), 1);
}

/// The revocation is committed and told after the look-up has read and before it answers.
#[tokio::test]
async fn what_was_read_before_a_change_is_neither_cached_nor_served_after_it() {
    let world = World::new();
    let (arrived, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    *world.store.gate.lock().unwrap() = Some((Arc::clone(&arrived), Arc::clone(&open)));
    let key: Arc<str> = Arc::from(world.secret.reveal());
    let admission = Arc::clone(&world.admission);
    let caller = tokio::spawn(async move { admit(&admission, &key, None, &Need::any_caller()).await });
    arrived.acquire().await.unwrap().forget();
    world.edit(|record| {
        record.key.lifecycle = Lifecycle::Revoked {
            at: START,
            reason: None,
        }
    });
    world.tell(1, world.key_entity());
    open.add_permits(2);
    assert_eq!(name(caller.await.unwrap()), "KeyRevoked");
    assert_eq!(world.look_ups(), 2);
}

#[tokio::test]
async fn a_cache_whose_feed_is_silent_is_not_trusted() {
    let world = World::new();
    world.admit().await.unwrap();
    world.clock.advance(Duration::from_millis(5001));
    world.admit().await.unwrap();
    world.admit().await.unwrap();
    assert_eq!(world.look_ups(), 3);
    *world.store.down.lock().unwrap() = true;
    assert_eq!(name(world.admit().await), "Unavailable");
    world.tracker.caught_up(world.clock.monotonic());
    assert_eq!(name(world.admit().await), "admitted");
    assert_eq!(world.look_ups(), 4);
}

#[tokio::test]
async fn a_failed_look_up_is_not_remembered() {
    let world = World::new();
    *world.store.down.lock().unwrap() = true;
    assert_eq!(name(world.admit().await), "Unavailable");
    *world.store.down.lock().unwrap() = false;
    assert_eq!(name(world.admit().await), "admitted");
}

#[tokio::test]
async fn a_request_acts_in_the_home_workspace_or_in_the_one_it_names() {
    let world = World::new();
    let need = need(KeyTypes::ANY, None);
    assert_eq!(world.admit().await.unwrap().workspace(), Some(&workspace(1)));
    let second = workspace(2).id.to_string();
    assert_eq!(
        world.admit_with(Some(&second), &need).await.unwrap().workspace(),
        Some(&workspace(2))
    );
    for named in [
        "",
        "nonsense",
        &workspace(3).id.to_string(),
        &second.to_uppercase(),
    ] {
        assert_eq!(
            name(world.admit_with(Some(named), &need).await),
            "WorkspaceAccessDenied",
            "{named}"
        );
    }
    world.edit(|record| record.workspaces[1].deleted_at = Some(START));
    world.tell(1, Entity::Workspace(workspace(2).id));
    assert_eq!(
        name(world.admit_with(Some(&second), &need).await),
        "WorkspaceAccessDenied"
    );
    assert_eq!(name(world.admit().await), "admitted");
}

#[tokio::test]
async fn an_instance_key_acts_in_whichever_workspace_it_names() {
    let world = World::with(KeyType::Agent, Vec::new());
    world.store.workspaces.lock().unwrap().push(workspace(5));
    let required = need(KeyTypes::ANY, None);
    let named = workspace(5).id.to_string();
    assert_eq!(name(world.admit_with(None, &required).await), "WorkspaceMissing");
    assert_eq!(
        world
            .admit_with(None, &Need::any_caller())
            .await
            .unwrap()
            .workspace(),
        None
    );
    assert_eq!(
        world
            .admit_with(Some(&named), &required)
            .await
            .unwrap()
            .workspace(),
        Some(&workspace(5))
    );
    let unknown = workspace(6).id.to_string();
    assert_eq!(
        name(world.admit_with(Some(&unknown), &Need::any_caller()).await),
        "WorkspaceAccessDenied"
    );
    world.store.workspaces.lock().unwrap()[0].deleted_at = Some(START);
    world.tell(1, Entity::Workspace(workspace(5).id));
    assert_eq!(
        name(world.admit_with(Some(&named), &required).await),
        "WorkspaceAccessDenied"
    );
}

#[tokio::test]
async fn a_repeated_workspace_header_names_none() {
    let world = World::new();
    let presented = Presented {
        agent_api_key: HeaderValues::One(world.secret.reveal().as_bytes()),
        authorization: HeaderValues::Absent,
        workspace: HeaderValues::Repeated,
        client: None,
        user_agent: None,
    };
    let refused = world.admission.admit(&presented, &Need::any_caller()).await;
    assert_eq!(
        name(refused.map_err(|refusal| refusal.why)),
        "WorkspaceAccessDenied"
    );
}

/// Step 7 stands between what a key is and what it is used for.
#[tokio::test]
async fn the_limit_is_asked_after_the_state_and_before_the_use() {
    let world = World::new();
    world.edit(|record| {
        record.key.limits.minute = Some(2);
        record.key.allowed_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    });
    // What is refused later has spent its cost.
    assert_eq!(name(world.admit().await), "AddressNotAllowed");
    assert_eq!(name(world.admit().await), "AddressNotAllowed");
    assert_eq!(name(world.admit().await), "RateLimited");
    world.edit(|record| record.key.lifecycle = Lifecycle::Deactivated);
    world.tell(1, world.key_entity());
    assert_eq!(name(world.admit().await), "Deactivated");
    // The edit has given nothing back.
    world.edit(|record| record.key.lifecycle = Lifecycle::Active);
    world.tell(2, world.key_entity());
    assert_eq!(name(world.admit().await), "RateLimited");
    world.clock.advance(Duration::from_secs(60));
    world.tracker.caught_up(world.clock.monotonic());
    assert_eq!(name(world.admit().await), "AddressNotAllowed");
}
