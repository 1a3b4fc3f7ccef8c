//! `tigertrust quickstart`.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use reqwest::Method;
use serde_json::Value;
use tigertrust_testkit::{Engine, ThrowawayDatabase};

use crate::{
    listening::{TLS, certificate},
    program::{Folder, in_a_folder_for_each_engine},
};

in_a_folder_for_each_engine!(
    the_first_run_announces_an_account_and_keys_that_work,
    a_second_run_reuses_the_data_and_shows_no_secrets,
    the_secrets_are_for_their_owner_alone,
);

async fn the_first_run_announces_an_account_and_keys_that_work(folder: Folder) {
    let served = folder.quickstart(&[]);
    assert_eq!(served.text("email"), "owner@example.com");
    assert!(served.text("password").len() >= 15);
    assert!(served.text("userId").starts_with("usr_"));
    let me = served
        .request(Method::GET, "/api/auth/me")
        .header("X-Agent-API-Key", served.text("agentKey"));
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!(me["workspace"]["id"], served.text("workspaceId"));
    assert_eq!(me["workspace"]["plan"], "free");
    assert_eq!(me["scopes"].as_array().unwrap().len(), 13);
    let check = served.request(Method::GET, "/api/auth/check?type=public&scope=certificates:read");
    assert_eq!(
        check
            .bearer_auth(served.text("publicKey"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let log = served.stop();
    assert!(log.contains("stopped"), "{log}");
    // Whoever tries it out has done nothing to be warned of.
    assert!(!log.contains("WARN"), "{log}");
}

async fn a_second_run_reuses_the_data_and_shows_no_secrets(folder: Folder) {
    let first = folder.quickstart(&["--email", "jo@example.com"]);
    let key = first.text("agentKey").to_owned();
    first.stop();
    let second = folder.quickstart(&[]);
    for field in [
        "email",
        "password",
        "userId",
        "workspaceId",
        "agentKey",
        "publicKey",
    ] {
        assert_eq!(second.announced[field], Value::Null, "{field}");
    }
    assert_eq!(second.check(&key).await, 200);
    second.kill();
    let third = folder.quickstart(&[]);
    assert_eq!(third.check(&key).await, 200);
}

async fn the_secrets_are_for_their_owner_alone(folder: Folder) {
    let served = folder.quickstart(&[]);
    let data = folder.path().join("tigertrust-data");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data.clone()), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
    }
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_shows_curl_lines_that_work() {
    let folder = Folder::new(Engine::Sqlite).await;
    assert_curls_work(&folder, &[], "HTTP/1.1 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_shows_curl_lines_that_work_over_tls() {
    let folder = Folder::new(Engine::Sqlite).await;
    certificate(folder.path());
    assert_curls_work(&folder, &TLS, "HTTP/2 200");
}

fn assert_curls_work(folder: &Folder, environment: &[(&str, &str)], begin: &str) {
    use std::io::{BufRead, BufReader};
    let mut child = folder
        .command(&[
            "quickstart",
            "--listen",
            "127.0.0.1:0",
            "--email",
            "o'neil@example.com",
        ])
        .envs(environment.iter().copied())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let shown: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    let curls: Vec<&String> = shown
        .iter()
        .filter(|line| line.trim_start().starts_with("curl "))
        .collect();
    assert_eq!(curls.len(), 4, "{shown:?}");
    assert!(
        shown.iter().any(|line| line.contains("Mails are not sent")),
        "{shown:?}"
    );
    for curl in curls {
        let output = std::process::Command::new("sh")
            .args(["-c", curl])
            // Where the cookies are kept.
            .current_dir(folder.path())
            .output()
            .unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(answer.starts_with(begin), "{curl}: {answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_server_keeps_nothing() {
    let folder = Folder::new(Engine::Sqlite).await;
    let served = folder.quickstart(&["--ephemeral"]);
    assert_eq!(served.check(served.text("agentKey")).await, 200);
    served.stop();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_a_clear_message_and_leaves_nothing_behind() {
    let folder = Folder::new(Engine::Sqlite).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let message = folder.failure(&["quickstart", "--listen", &address]);
    assert!(
        message.contains(&format!("{address} is taken")) && message.contains("--listen"),
        "{message}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_than_the_one_in_the_folder_is_refused() {
    let folder = Folder::new(Engine::Postgres).await;
    folder.quickstart(&[]).stop();
    let message = folder.failure(&[
        "quickstart",
        "--listen",
        "127.0.0.1:0",
        "--database",
        "postgres://127.0.0.1:1/another",
    ]);
    assert!(
        message.contains("config.toml is there and names another database"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_ring_is_not_replaced() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    fs::remove_file(folder.path().join("tigertrust-data/keyring.toml")).unwrap();
    let message = folder.failure(&["quickstart", "--listen", "127.0.0.1:0"]);
    assert!(message.contains("keyring.toml is missing"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_server_never_uses_a_database_that_is_set_elsewhere() {
    let folder = Folder::new(Engine::Sqlite).await;
    let mut command = folder.command(&["quickstart", "--ephemeral", "--listen", "127.0.0.1:0"]);
    let output = command
        .env("TIGERTRUST__DATABASE__URL", "sqlite://./real.db")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        message.contains("--ephemeral") && message.contains("TIGERTRUST__DATABASE__URL"),
        "{message}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_not_named_beside_a_configuration_file() {
    let folder = Folder::new(Engine::Sqlite).await;
    fs::write(folder.path().join("tt.toml"), "").unwrap();
    let arguments = [
        "quickstart",
        "--config",
        "tt.toml",
        "--database",
        "postgres://127.0.0.1:1/x",
    ];
    let message = folder.failure(&arguments);
    assert!(
        message.contains("tt.toml") && message.contains("database.url"),
        "{message}"
    );
    assert!(!folder.path().join("tigertrust-data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flag_wins_over_a_database_in_the_environment() {
    let folder = Folder::new(Engine::Sqlite).await;
    let arguments = [
        "quickstart",
        "--output",
        "json",
        "--listen",
        "127.0.0.1:0",
        "--database",
        "sqlite://./named.db",
    ];
    let mut command = folder.command(&arguments);
    command.env("TIGERTRUST__DATABASE__URL", "sqlite://./other.db");
    let served = crate::program::Served::start(command);
    assert_eq!(served.check(served.text("agentKey")).await, 200);
    assert!(folder.path().join("named.db").exists() && !folder.path().join("other.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_reached_is_not_remembered() {
    let folder = Folder::new(Engine::Postgres).await;
    let wrong = [
        "quickstart",
        "--listen",
        "127.0.0.1:0",
        "--database",
        "postgres://127.0.0.1:1/x",
    ];
    assert!(folder.failure(&wrong).contains("did not answer"));
    let served = folder.quickstart(&[]);
    assert_eq!(served.check(served.text("agentKey")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_new_key_ring_is_made_for_a_database_that_has_keys() {
    let folder = Folder::new(Engine::Postgres).await;
    folder.quickstart(&[]).stop();
    std::fs::rename(
        folder.path().join("tigertrust-data/keyring.toml"),
        folder.path().join("ring.toml"),
    )
    .unwrap();
    let message = folder.failure(&["quickstart", "--listen", "127.0.0.1:0"]);
    assert!(message.contains("keyring_file"), "{message}");
    assert!(!folder.path().join("tigertrust-data/keyring.toml").exists());
    let mut command = folder.command(&["quickstart", "--output", "json", "--listen", "127.0.0.1:0"]);
    command.env("TIGERTRUST__KEYRING_FILE", "ring.toml");
    assert_eq!(
        crate::program::Served::start(command).announced["agentKey"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_the_folder_is_not_left_behind_by_another_database() {
    let folder = Folder::new(Engine::Sqlite).await;
    let first = folder.quickstart(&[]);
    let key = first.text("agentKey").to_owned();
    first.stop();
    let to = ThrowawayDatabase::unmade(Engine::Postgres).await;
    let url = to.url().reveal();
    let arguments = ["quickstart", "--listen", "127.0.0.1:0", "--database", url];
    let refused = folder.failure(&arguments);
    let way = "tigertrust move --from sqlite://./tigertrust-data/tigertrust.db --to-file FILE";
    assert!(refused.contains(way), "{refused}");
    // Which is possible still.
    folder.json(&[
        "move",
        "--from",
        "sqlite://./tigertrust-data/tigertrust.db",
        "--to",
        url,
    ]);
    let served = folder.quickstart(&["--database", url]);
    assert_eq!(served.check(&key).await, 200);
}
