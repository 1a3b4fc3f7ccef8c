//! An instance moves into a database of the other engine, and goes on there.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use serde_json::Value;
use tigertrust_testkit::{Engine, ThrowawayDatabase, eventually, signal};

use crate::{
    backup::{first_event_after, head},
    people::{login, me},
    program::Folder,
};

const URL: &str = "TIGERTRUST__DATABASE__URL";

/// Runs a command on the new database that must succeed, and reads its JSON.
fn on(folder: &Folder, url: &str, arguments: &[&str]) -> Value {
    let mut command = folder.command(&[arguments, &["--output", "json"]].concat());
    let output = command.env(URL, url).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_goes_on_in_the_other_engine() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = folder.quickstart(&[]);
    let (key, password) = (
        served.text("agentKey").to_owned(),
        served.text("password").to_owned(),
    );
    let session = login(&served, &password).await.unwrap();
    let made = folder.json(&["key", "create", "--name", "gone"]);
    let revoked = made["key"].as_str().unwrap().to_owned();
    folder.json(&["key", "revoke", made["id"].as_str().unwrap()]);
    let follower = folder.json(&["key", "create", "--name", "follower", "--scope", "keys:verify"]);
    let follower = follower["key"].as_str().unwrap();

    let to = ThrowawayDatabase::unmade(Engine::Postgres).await;
    let url = to.url().reveal().to_owned();
    fs::write(folder.path().join("to"), format!("{url}\n")).unwrap();
    let used = folder.failure(&["move", "--to-file", "to"]);
    assert!(used.contains("the source is in use: stop every server"), "{used}");
    served.stop();
    let heard = head(folder.path()).await;

    // The source is the one of the settings, or it is named.
    let output = folder.run(&["move", "--to-file", "to", "--output", "json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("moving users: 1 rows"), "{told}");
    assert!(told.contains("comparing users: 1 rows"), "{told}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["equal"], &report["marked"]),
        (&true.into(), &true.into())
    );
    let tables = report["tables"].as_array().unwrap();
    for table in tables {
        assert_eq!(table["source"], table["target"], "{table}");
    }
    let keys = tables.iter().find(|table| table["table"] == "api_keys").unwrap();
    assert_eq!(keys["target"]["rows"], 4);

    let verified = on(&folder, &url, &["audit", "verify"]);
    let chains = verified["chains"].as_array().unwrap();
    assert!(chains.iter().all(|chain| chain["whole"] == true), "{verified}");
    let served = folder.quickstart_in(&[(URL, &url)], &[]);
    assert_eq!(served.check(&key).await, 200);
    assert_eq!(served.check(&revoked).await, 401);
    assert_eq!(me(&served, &session).await, 200);
    login(&served, &password).await.unwrap();
    // The log goes on, and whoever follows the changes does so too.
    let new = on(&folder, &url, &["key", "create", "--name", "new"]);
    on(&folder, &url, &["key", "revoke", new["id"].as_str().unwrap()]);
    let verified = on(&folder, &url, &["audit", "verify"]);
    let chains = verified["chains"].as_array().unwrap();
    assert!(chains.iter().all(|chain| chain["whole"] == true), "{verified}");
    let told = first_event_after(&served, follower, &heard.to_string()).await;
    assert!(
        told.contains(&format!("id: {}\nevent: key", heard + 1)) && !told.contains("reset"),
        "{told}"
    );
    served.stop();

    // The old one is refused by whatever would work on it, and is not moved once more.
    for (arguments, said) in [
        (
            &["serve", "--listen", "127.0.0.1:0"][..],
            "set database.url to the new one",
        ),
        (
            &["quickstart", "--listen", "127.0.0.1:0"],
            "was moved into another one",
        ),
        (&["key", "list"], "`tigertrust move --reopen`"),
        (&["migrate", "status"], "was moved into another one"),
        (
            &["move", "--to-file", "to"],
            "moved into another database already",
        ),
    ] {
        let refused = folder.failure(arguments);
        assert!(refused.contains(said), "{arguments:?}: {refused}");
    }

    // And back, into a file that is made.
    let mut back = folder.command(&["move", "--from-file", "to", "--to", "sqlite://./back.db"]);
    let back = back.output().unwrap();
    let told = String::from_utf8(back.stdout).unwrap();
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    assert!(
        told.contains("read back from both, and found them alike") && !told.contains("TARGET"),
        "{told}"
    );
    let served = folder.quickstart_in(&[(URL, "sqlite://./back.db")], &[]);
    assert_eq!(served.check(&key).await, 200);
    served.stop();

    // Whoever stays with the first one says so, once: it is as it was when it was left.
    let reopened = folder.run(&["move", "--reopen"]);
    let (said, warned) = (
        String::from_utf8(reopened.stdout).unwrap(),
        String::from_utf8(reopened.stderr).unwrap(),
    );
    assert!(reopened.status.success(), "{warned}");
    assert!(said.contains("can be served again"), "{said}");
    assert!(warned.contains("ARE VALID HERE"), "{warned}");
    assert!(head(folder.path()).await > heard + 1);
    let served = folder.quickstart(&[]);
    assert_eq!(served.check(&key).await, 200);
    served.stop();
    let again = folder.failure(&["move", "--reopen"]);
    assert!(again.contains("bears no mark of a move"), "{again}");
}

#[tokio::test]
async fn half_an_instance_is_not_served() {
    let folder = Folder::new(Engine::Postgres).await;
    folder.quickstart(&[]).stop();
    folder.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('unfinished_move')");
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["serve", "--listen", "127.0.0.1:0", "--migrate"],
        &["user", "list"],
        &["migrate", "run"],
        &["migrate", "status"],
        &["restore", "--mark-only"],
    ] {
        let refused = folder.failure(arguments);
        assert!(
            refused.contains("an instance was being moved into"),
            "{arguments:?}: {refused}"
        );
    }
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    folder.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('unfinished_move')");
    let refused = folder.failure(&["backup", "copy.db"]);
    assert!(refused.contains("only a part of an instance"), "{refused}");
    assert!(!folder.path().join("copy.db").exists());
}

#[tokio::test]
async fn what_cannot_be_moved_is_told_plainly() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    for (arguments, said) in [
        (&["move"][..], "--to-file FILE"),
        (
            &["move", "--to", "sqlite://./tigertrust-data/tigertrust.db"],
            "name the one that is to be moved with --from",
        ),
        (&["move", "--to", "sqlite://./other.db"], "are of one engine"),
        (
            &[
                "move",
                "--from",
                "sqlite://./typo.db",
                "--to",
                "postgres://jo@127.0.0.1:1/x",
            ],
            "there is no database at ./typo.db that could be moved",
        ),
        (
            &["move", "--to", "postgres://jo@127.0.0.1:1/x"],
            "the target: the database did not answer",
        ),
        (
            &[
                "move",
                "--from",
                "postgres://jo@127.0.0.1:1/x",
                "--to",
                "sqlite://./other.db",
            ],
            "the source: the database did not answer",
        ),
    ] {
        let refused = folder.failure(arguments);
        assert!(refused.contains(said), "{arguments:?}: {refused}");
    }
}

/// Whether a process has a signal's handler of its own, by its number.
fn catches(pid: u32, number: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[tokio::test]
async fn a_move_that_is_interrupted_says_how_it_goes_on() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    // It waits for whoever is connected to the target to go.
    let to = ThrowawayDatabase::create(Engine::Postgres).await;
    let mut other = Command::new("psql")
        .args([to.url().reveal(), "-X", "-A", "-t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = other.stdin.as_mut().unwrap();
    input.write_all(b"SELECT 'connected';\n").unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(other.stdout.as_mut().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "connected");

    let mut command = folder.command(&["move", "--to", to.url().reveal()]);
    let moving = command.stderr(Stdio::piped()).spawn().unwrap();
    let pid = moving.id();
    eventually(true, async || catches(pid, 2)).await;
    assert!(signal("INT", pid));
    let ended = moving.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert!(
        told.contains("run the same command again, which goes on"),
        "{told}"
    );
    drop(other.stdin.take());
    other.wait().unwrap();
}

#[tokio::test]
async fn a_password_in_a_url_is_not_repeated() {
    let folder = Folder::new(Engine::Sqlite).await;
    fs::write(folder.path().join("wrong"), "postgres://jo:CAN@ARY@db/x").unwrap();
    fs::write(folder.path().join("away"), "postgres://jo:CANARY@127.0.0.1:1/x").unwrap();
    folder.quickstart(&[]).stop();
    for (file, said) in [
        ("wrong", "--to-file must have @, / and ?"),
        ("away", "the database did not answer"),
        ("nowhere", "nowhere cannot be read"),
    ] {
        let refused = folder.failure(&["move", "--to-file", file]);
        assert!(refused.contains(said) && !refused.contains("ARY"), "{refused}");
    }
}
