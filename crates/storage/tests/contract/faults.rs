//! Databases that are away, for a while or altogether.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tigertrust_accounts::ports::KeyView;
use tigertrust_credentials::{SteadyClock, ports::StoreError};
use tigertrust_model::{Act, ApiKey, Clock, KeyReach};
use tigertrust_storage::{DatabaseUrl, OpenError, Options, Storage, migrations};
use tigertrust_testkit::{Engine, Gate, TestClock, ThrowawayDatabase};
use tokio::{net::TcpListener, time::timeout};

use crate::support::{Heard, Node, PATIENCE, World, key, key_change, parts};

/// Asks until the answer is good.
async fn comes_up(storage: &Storage) {
    let asking = async { while storage.ping().await.is_err() {} };
    timeout(PATIENCE, asking).await.expect("the database comes up");
}

fn quick() -> Options {
    Options {
        acquire_timeout: Duration::from_millis(200),
        ..Options::default()
    }
}

/// The database of a URL through a gate of its own.
async fn gated(url: &DatabaseUrl) -> (Gate, DatabaseUrl) {
    let text = url.reveal();
    let (before, rest) = text.split_once('@').expect("a URL with a user");
    let (address, name) = rest.split_once('/').unwrap();
    let target: SocketAddr = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let gate = Gate::closed(target).await;
    let gated = format!("{before}@{}/{name}", gate.address());
    (gate, gated.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_made_after_the_storage_is_found() {
    let database = ThrowawayDatabase::unmade(Engine::Postgres).await;
    let mut node = Node::open(database.url(), quick());
    let _feed = node.storage.follow();
    let error = node.storage.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(node.has_heard(), []);
    migrations::create_database_if_missing(database.url())
        .await
        .unwrap();
    migrations::run(database.url()).await.unwrap();
    comes_up(&node.storage).await;
    assert_eq!(node.catches_up().await, [Heard::Reset]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_the_database_was_out_of_reach_is_told_when_it_is_back() {
    let world = World::new(Engine::Postgres).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let (gate, url) = gated(world.database.url()).await;
    gate.open();
    let mut node = Node::open(&url, quick());
    let _feed = node.storage.follow();
    assert_eq!(node.catches_up().await, [Heard::Reset]);
    node.storage.ping().await.unwrap();
    gate.close();
    let error = node.storage.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let keys = world.node.storage.keys();
    keys.edit_key(
        Act::of_operator(),
        KeyView::Everything,
        key.id,
        Box::new(|_| Ok(())),
    )
    .await
    .unwrap();
    gate.open();
    comes_up(&node.storage).await;
    assert_eq!(node.hears().await, key_change(1, &key));
}

/// As when a server is stopped, or a network swallows everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_the_connection_and_says_nothing_costs_no_more_than_the_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://jo:CANARY@{address}/auth").parse().unwrap();
    let node = Node::open(&url, quick());
    let error = timeout(PATIENCE / 2, node.storage.ping())
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_and_a_lock_have_deadlines_of_the_database_s_own() {
    let world = World::new(Engine::Postgres).await;
    let (key, _) = world.store(key(KeyReach::Instance)).await;
    let options = Options {
        lock_timeout: Duration::from_millis(50),
        ..Options::default()
    };
    let node = Node::open(world.database.url(), options);
    let (enter, entered) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = world.node.storage.keys();
    let hold = move |_: &mut ApiKey| {
        enter.send(()).unwrap();
        let _ = tokio::task::block_in_place(|| released.recv_timeout(PATIENCE));
        Ok(())
    };
    let holding = tokio::spawn(async move {
        holder
            .edit_key(Act::of_operator(), KeyView::Everything, key.id, Box::new(hold))
            .await
    });
    entered.await.unwrap();
    let keys = node.storage.keys();
    let waiting = keys.edit_key(
        Act::of_operator(),
        KeyView::Everything,
        key.id,
        Box::new(|_| Ok(())),
    );
    let error = timeout(PATIENCE / 2, waiting).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    drop(release);
    holding.await.unwrap().unwrap();
    keys.edit_key(
        Act::of_operator(),
        KeyView::Everything,
        key.id,
        Box::new(|_| Ok(())),
    )
    .await
    .unwrap();
}

fn open(url: &DatabaseUrl, options: Options) -> Result<Storage, OpenError> {
    let clock = Arc::new(SteadyClock::new(Arc::new(TestClock::default())));
    let tracker = tigertrust_credentials::ChangeTracker::new(
        Arc::clone(&clock) as Arc<dyn Clock>,
        Duration::from_secs(5),
    );
    Storage::open(url, options, parts(clock, Arc::new(tracker)))
}

#[tokio::test]
async fn a_missing_file_is_an_error_unless_it_is_to_be_made() {
    let database = ThrowawayDatabase::unmade(Engine::Sqlite).await;
    let path = database
        .url()
        .reveal()
        .strip_prefix("sqlite://")
        .unwrap()
        .to_owned();
    let missing = open(database.url(), Options::default());
    assert!(matches!(missing, Err(OpenError::NoFile { .. })), "{missing:?}");
    assert!(migrations::run(database.url()).await.is_err());
    assert!(!std::fs::exists(&path).unwrap());
    let options = Options {
        create: true,
        ..Options::default()
    };
    open(database.url(), options).unwrap();
    let folder = format!("sqlite://{path}/below/file.db").parse().unwrap();
    let unusable = open(&folder, options);
    assert!(matches!(unusable, Err(OpenError::File { .. })), "{unusable:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_and_those_beside_it_are_for_the_owner_s_eyes_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let database = ThrowawayDatabase::create(Engine::Sqlite).await;
    let node = Node::open(database.url(), Options::default());
    node.storage.ping().await.unwrap();
    let path = database
        .url()
        .reveal()
        .strip_prefix("sqlite://")
        .unwrap()
        .to_owned();
    let folder = std::path::Path::new(&path).parent().unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 2, "the file and its log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_replaced_is_not_taken_for_the_one_that_was_opened() {
    let database = ThrowawayDatabase::create(Engine::Sqlite).await;
    let mut node = Node::open(database.url(), quick());
    let _feed = node.storage.follow();
    assert_eq!(node.catches_up().await, [Heard::Reset]);
    let path = database.url().reveal().strip_prefix("sqlite://").unwrap();
    let aside = format!("{path}.aside");
    std::fs::rename(path, &aside).unwrap();
    let error = node.storage.ping().await.unwrap_err();
    assert!(error.to_string().contains("there is no database"), "{error}");
    std::fs::copy(&aside, path).unwrap();
    let error = node.storage.ping().await.unwrap_err();
    assert!(error.to_string().contains("another file"), "{error}");
    std::fs::rename(&aside, path).unwrap();
    comes_up(&node.storage).await;
}

#[tokio::test]
async fn a_pool_without_connections_is_refused() {
    let url: DatabaseUrl = "postgres://127.0.0.1:1/auth".parse().unwrap();
    for options in [
        Options {
            pool_size: 0,
            ..Options::default()
        },
        Options {
            acquire_timeout: Duration::ZERO,
            ..Options::default()
        },
    ] {
        assert!(matches!(open(&url, options), Err(OpenError::Zero(_))));
    }
}

/// A name with everything in it that means something elsewhere.
#[tokio::test]
async fn a_path_is_taken_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b%41?mode=memory#'\"é.db");
    let url: DatabaseUrl = format!("sqlite://{}", path.display()).parse().unwrap();
    assert!(migrations::create_database_if_missing(&url).await.unwrap());
    assert!(!migrations::run(&url).await.unwrap().is_empty());
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
}
