//! A gate over a store of one's own: the example, and what it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::axum::{Router, routing::get};
use tigertrust::{
    AuthError, BuildError, Clock, Entity, Gate, KeyType, Need, StoreError, Workspace, WorkspaceId,
    ports::{CredentialStore, KeyDigest, KeyRecord, async_trait},
    tower::{AuthLayer, Permitted},
};
use tigertrust_testkit::{
    TestClock,
    protected::{Call, Caller, HttpCaller, Route},
};

use crate::{
    axum::serve,
    behind::{PEPPER, Read},
};

#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../../examples/own_store.rs"]
mod example;

use example::{Keys, Tables};

async fn answer(gate: &Gate, key: &str) -> String {
    match gate.admit_key(key, &Need::any_caller()).await {
        Ok(permit) => permit
            .workspace()
            .map(|workspace| workspace.name.clone())
            .unwrap(),
        Err(refusal) => match refusal.why {
            AuthError::Unavailable(_) => "unavailable".to_owned(),
            why => why.to_string(),
        },
    }
}

#[tokio::test]
async fn keys_of_an_own_store_protect_a_service_and_are_refused_once_revoked() {
    let keys = Keys::open(PEPPER).unwrap();
    let workspace = keys.create_workspace("Acme").unwrap();
    let (id, secret) = keys.create(&workspace, &["certificates:read"]).unwrap();
    let (_, bare) = keys.create(&workspace, &[]).unwrap();
    let app = Router::new()
        .route(
            Route::Read.path(),
            get(async |caller: Permitted<Read>| {
                caller.in_workspace().map(|workspace| workspace.name.clone())
            }),
        )
        .layer(AuthLayer::for_extractors(keys.gate()));
    let (base, serving) = serve(app).await;
    let caller = HttpCaller::new(base);
    let call = |secret: &str| Call::to(Route::Read).with("x-agent-api-key", secret);

    let let_in = caller.call(&call(secret.reveal())).await;
    assert_eq!((let_in.status, let_in.body.as_str()), (200, Some("Acme")));
    assert_eq!(let_in.headers["x-ratelimit-limit"], "60");
    assert_eq!(caller.call(&call(bare.reveal())).await.body["code"], "FORBIDDEN");
    keys.revoke(id).unwrap();
    assert_eq!(
        caller.call(&call(secret.reveal())).await.body["code"],
        "KEY_REVOKED"
    );
    keys.gate().close().await;
    serving.abort();
}

/// The tables of the example, which count how often they are asked, and may be away.
#[derive(Default)]
struct Counting {
    tables: Arc<Tables>,
    asked: AtomicUsize,
    is_away: AtomicBool,
}

impl Counting {
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl CredentialStore for Counting {
    async fn find_key(&self, digests: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the store is away"));
        }
        self.tables.find_key(digests).await
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.tables.find_workspace(id).await
    }
}

/// A gate over tables that hold one key.
struct Setting {
    store: Arc<Counting>,
    clock: Arc<TestClock>,
    gate: Gate,
    changes: tigertrust::Changes,
    entity: Entity,
    secret: String,
}

fn setting(is_told: bool) -> Setting {
    let keys = Keys::open(PEPPER).unwrap();
    let workspace = keys.create_workspace("Acme").unwrap();
    let (id, secret) = keys.create(&workspace, &[]).unwrap();
    let store = Arc::new(Counting {
        tables: keys.tables(),
        ..Counting::default()
    });
    let clock = Arc::new(TestClock::default());
    let builder = Gate::over(Arc::clone(&store) as Arc<dyn CredentialStore>)
        .pepper("p1", PEPPER)
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .max_staleness(Duration::from_secs(5));
    let builder = if is_told {
        builder.every_change_is_told()
    } else {
        builder
    };
    let (gate, changes) = builder.build().unwrap();
    Setting {
        store,
        clock,
        gate,
        changes,
        entity: Entity::Key(id),
        secret: secret.reveal().to_owned(),
    }
}

#[tokio::test]
async fn a_gate_that_is_told_nothing_asks_each_time() {
    let Setting {
        store, gate, secret, ..
    } = &setting(false);
    for _ in 0..3 {
        assert_eq!(answer(gate, secret).await, "Acme");
    }
    assert_eq!(store.asked(), 3);
    store.is_away.store(true, Ordering::SeqCst);
    assert_eq!(answer(gate, secret).await, "unavailable");
}

#[tokio::test]
async fn what_is_remembered_is_trusted_for_as_long_as_the_gate_has_caught_up() {
    let Setting {
        store,
        clock,
        gate,
        changes,
        secret,
        ..
    } = &setting(false);
    changes.caught_up(changes.now());
    assert!(gate.is_fresh());
    for _ in 0..3 {
        assert_eq!(answer(gate, secret).await, "Acme");
    }
    assert_eq!(store.asked(), 1);
    store.is_away.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(5));
    assert_eq!(answer(gate, secret).await, "Acme");
    clock.advance(Duration::from_millis(1));
    assert_eq!(answer(gate, secret).await, "unavailable");
}

#[tokio::test]
async fn a_gate_that_is_told_of_every_change_asks_again_after_one() {
    let Setting {
        store,
        clock,
        gate,
        changes,
        entity,
        secret,
    } = &setting(true);
    assert_eq!(answer(gate, secret).await, "Acme");
    clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(answer(gate, secret).await, "Acme");
    assert_eq!(store.asked(), 1);
    changes.changed(*entity);
    assert_eq!(answer(gate, secret).await, "Acme");
    assert_eq!(store.asked(), 1);
    changes.everything_changed();
    assert_eq!(answer(gate, secret).await, "Acme");
    assert_eq!(store.asked(), 1);
    // Numbers go on after that.
    changes.changed(*entity);
    store.is_away.store(true, Ordering::SeqCst);
    assert_eq!(answer(gate, secret).await, "unavailable");
}

#[tokio::test]
async fn a_gate_says_what_is_wrong_with_a_setting() {
    let store = || Arc::new(Tables::default()) as Arc<dyn CredentialStore>;
    let without = Gate::over(store()).build().map(|_| ());
    assert!(matches!(without, Err(BuildError::NoPepper)));
    let never = Gate::over(store())
        .pepper("p1", PEPPER)
        .max_staleness(Duration::ZERO);
    assert!(matches!(never.build().map(|_| ()), Err(BuildError::Staleness(_))));
    let (gate, _) = Gate::over(store()).pepper("p1", PEPPER).build().unwrap();
    let (secret, digest) = gate.new_secret(KeyType::Public).unwrap();
    assert!(secret.reveal().starts_with(KeyType::Public.prefix()));
    assert_ne!(digest, gate.new_secret(KeyType::Public).unwrap().1);
}
