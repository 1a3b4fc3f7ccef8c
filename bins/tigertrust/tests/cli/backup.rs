//! Backups, and what becomes of those who remember what came after them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tigertrust_testkit::Engine;
use tokio::sync::Notify;

use crate::program::{Folder, Served};

/// How many clients write while the backup is made, and how many keys each makes before and after it begins.
const CLIENTS: usize = 4;
const KEYS: usize = 10;

async fn make(served: &Served, key: &str) -> (String, String) {
    let body = json!({"name": "ci", "type": "agent", "scopes": ["keys:read"]});
    let made = served
        .request(Method::POST, "/api/keys")
        .bearer_auth(key)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// Keys that are not limited, since the plan would be spent by making them.
fn maker(folder: &Folder) -> String {
    let workspaces = folder.json(&["workspace", "list"]);
    let id = workspaces["items"][0]["id"].as_str().unwrap();
    folder.json(&["workspace", "set-plan", id, "enterprise"]);
    let made = folder.json(&["key", "create", "--name", "maker", "--scope", "keys:*"]);
    made["key"].as_str().unwrap().to_owned()
}

fn database(folder: &Folder) -> std::path::PathBuf {
    folder.path().join("tigertrust-data/tigertrust.db")
}

fn take_away(folder: &Folder) {
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{suffix}", database(folder).display())));
    }
}

fn is_whole(folder: &Folder) -> bool {
    let verified = folder.json(&["audit", "verify"]);
    let chains = verified["chains"].as_array().unwrap();
    chains.iter().all(|chain| chain["whole"] == true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_writes_has_all_that_was_acknowledged_before() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = Arc::new(folder.quickstart(&[]));
    let maker = maker(&folder);
    let made = Arc::new((Mutex::new(Vec::new()), Notify::new()));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (served, maker) = (Arc::clone(&served), maker.clone());
            let (made, stop) = (Arc::clone(&made), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let (_, key) = make(&served, &maker).await;
                    made.0.lock().unwrap().push(key);
                    made.1.notify_one();
                }
            })
        })
        .collect();
    while made.0.lock().unwrap().len() < CLIENTS * KEYS {
        made.1.notified().await;
    }
    let before = made.0.lock().unwrap().clone();
    let arguments = ["backup", "copy.db", "--output", "json"];
    let mut command = folder.command(&arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let written: Value = serde_json::from_slice(&output.stdout).unwrap();
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    join_all(clients).await.into_iter().for_each(Result::unwrap);
    Arc::into_inner(served).unwrap().stop();

    let copy = folder.path().join("copy.db");
    let bytes = fs::read(&copy).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(written["bytes"], bytes.len());
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(written["sha256"], digest);
    assert!(written["tables"]["api_keys"].as_u64().unwrap() >= before.len() as u64);
    // Only the copy is there, and what is there is never overwritten.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let refused = folder.failure(&["backup", "copy.db"]);
    assert!(refused.contains("is there already"), "{refused}");
    let refused = folder.failure(&["backup", "nowhere/copy.db"]);
    assert!(
        refused.contains("nowhere cannot be used: there is no such folder") && !refused.contains(".part"),
        "{refused}"
    );
    assert_eq!(fs::read(&copy).unwrap(), bytes);

    take_away(&folder);
    let restored = folder.json(&["restore", "copy.db"]);
    assert_eq!(restored["tables"], written["tables"]);
    assert_eq!(restored["database"], "sqlite://./tigertrust-data/tigertrust.db");
    assert!(written.get("database").is_none());
    let mode = fs::metadata(database(&folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(is_whole(&folder));
    let served = folder.quickstart(&[]);
    for key in before {
        assert_eq!(served.check(&key).await, 200);
    }
    served.stop();
    assert!(is_whole(&folder));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_overwritten_and_only_a_good_backup_is_restored() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = folder.quickstart(&[]);
    folder.json(&["backup", "copy.db"]);
    let there = folder.failure(&["restore", "copy.db"]);
    assert!(
        there.contains("is there") && there.contains("stop every server"),
        "{there}"
    );
    // Somebody took the file away under the server, which still has what lies beside it.
    fs::rename(database(&folder), folder.path().join("old.db")).unwrap();
    let open = folder.failure(&["restore", "copy.db"]);
    assert!(open.contains("tigertrust.db-"), "{open}");
    fs::rename(folder.path().join("old.db"), database(&folder)).unwrap();
    served.stop();

    let path = |name: &str| folder.path().join(name);
    let change = |from: &str, to: &str, sql: &str| {
        fs::copy(path(from), path(to)).unwrap();
        let mut connection = SqliteConnection::establish(path(to).to_str().unwrap()).unwrap();
        connection.batch_execute(sql).unwrap();
    };
    take_away(&folder);
    fs::write(
        path("text.db"),
        "no database at all, but long enough to be looked at",
    )
    .unwrap();
    change("copy.db", "empty.db", "DROP TABLE __diesel_schema_migrations");
    let has_run =
        |version: &str| format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
    change("copy.db", "newer.db", &has_run("29990101000001"));
    change(
        "copy.db",
        "broken.db",
        "PRAGMA foreign_keys = OFF; DELETE FROM workspaces",
    );
    let mut torn = fs::read(path("copy.db")).unwrap();
    let late = torn.len() - 8192;
    torn[late..].fill(0x5a);
    fs::write(path("torn.db"), torn).unwrap();
    fs::copy(path("copy.db"), path("logged.db")).unwrap();
    fs::write(path("logged.db-wal"), "something").unwrap();
    for (file, said) in [
        ("nowhere.db", "nowhere.db cannot be used"),
        ("text.db", "no database of TigerTrust"),
        ("empty.db", "no database of TigerTrust"),
        ("newer.db", "newer than this program: it has 29990101000001"),
        ("broken.db", "broken.db is damaged"),
        ("torn.db", "torn.db is damaged"),
        ("logged.db", "write-ahead log"),
    ] {
        let refused = folder.failure(&["restore", file]);
        assert!(refused.contains(said), "{file}: {refused}");
        let left: Vec<_> = fs::read_dir(path("tigertrust-data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_str().unwrap().contains("tigertrust"))
            .collect();
        assert!(left.is_empty(), "{file} left {left:?}");
    }
    let restored = folder.run(&["restore", "copy.db"]);
    let warning = String::from_utf8(restored.stderr).unwrap();
    assert!(
        restored.status.success() && warning.contains("VALID AGAIN"),
        "{warning}"
    );
    let report = String::from_utf8(restored.stdout).unwrap();
    assert!(
        report.starts_with("Restored copy.db to sqlite://./tigertrust-data/tigertrust.db ("),
        "{report}"
    );
}

/// What a client hears of the changes that follow the last that it has heard of.
pub async fn first_event_after(served: &Served, key: &str, last: &str) -> String {
    let mut answer = served
        .request(Method::GET, "/api/changes")
        .bearer_auth(key)
        .header("Last-Event-ID", last)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let mut text = String::new();
    while !text.contains("event: ") {
        text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
    }
    text
}

pub async fn head(folder: &Path) -> i64 {
    use diesel::{QueryableByName, RunQueryDsl, sql_types::BigInt};
    #[derive(QueryableByName)]
    struct Head {
        #[diesel(sql_type = BigInt)]
        seq: i64,
    }
    let path = folder.join("tigertrust-data/tigertrust.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let head: Head = diesel::sql_query("SELECT seq FROM change_head")
        .get_result(&mut connection)
        .unwrap();
    head.seq
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_followed_the_changes_starts_afresh_after_a_restore() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = folder.quickstart(&[]);
    let follower = folder.json(&[
        "key",
        "create",
        "--name",
        "follower",
        "--instance",
        "--scope",
        "keys:*",
    ]);
    let follower = follower["key"].as_str().unwrap().to_owned();
    folder.json(&["backup", "copy.db"]);
    let revoked = served.text("agentKey").to_owned();
    let listed = folder.json(&["key", "list", "--type", "agent"]);
    for key in listed["items"].as_array().unwrap() {
        if key["name"] != "follower" {
            folder.json(&["key", "revoke", key["id"].as_str().unwrap()]);
        }
    }
    let heard = head(folder.path()).await;
    served.stop();
    take_away(&folder);
    folder.json(&["restore", "copy.db"]);
    let served = folder.quickstart(&[]);
    // That is what the warning is about.
    assert_eq!(served.check(&revoked).await, 200);
    // Though the database has not come that far, and even once it has.
    let told = first_event_after(&served, &follower, &heard.to_string()).await;
    assert!(told.contains("event: reset"), "{told}");
    folder.json(&["key", "create", "--name", "more"]);
    let told = first_event_after(&served, &follower, &heard.to_string()).await;
    assert!(told.contains("event: reset"), "{told}");
    assert!(head(folder.path()).await > heard + (1 << 40) - 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_has_programs_of_its_own() {
    let folder = Folder::new(Engine::Postgres).await;
    let served = folder.quickstart(&[]);
    let key = served.text("agentKey").to_owned();
    let refused = folder.failure(&["backup", "copy.db"]);
    assert!(refused.contains("pg_dump"), "{refused}");
    let refused = folder.failure(&["restore", "copy.db"]);
    assert!(
        refused.contains("pg_restore") && refused.contains("--mark-only"),
        "{refused}"
    );
    assert!(!folder.path().join("copy.db").exists());
    let marked = folder.run(&["restore", "--mark-only"]);
    let said = String::from_utf8(marked.stdout).unwrap();
    assert!(
        marked.status.success() && said.contains("numbered from"),
        "{said}"
    );
    assert_eq!(served.check(&key).await, 200);
    let made = folder.json(&["key", "create", "--name", "after"]);
    assert_eq!(served.check(made["key"].as_str().unwrap()).await, 200);
}
