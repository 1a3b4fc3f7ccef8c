//! `security.md` 35: a database that is down, at the start or later.

use std::{
    io::{BufRead, BufReader},
    net::ToSocketAddrs,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, Method};
use serde_json::Value;
use tigertrust_testkit::{Engine, Gate, ThrowawayDatabase, eventually};

use crate::program::Folder;

/// The host and port of a PostgreSQL URL, and the URL with others in their place.
fn detour(url: &str, gate: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let user = authority
        .rsplit_once('@')
        .map_or(String::new(), |(user, _)| format!("{user}@"));
    format!("{scheme}://{user}{gate}/{path}")
}

fn target(url: &str) -> std::net::SocketAddr {
    let authority = url.split_once("://").unwrap().1.split_once('/').unwrap().0;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.to_socket_addrs().unwrap().next().unwrap()
}

struct Server {
    child: Child,
    base_url: String,
    client: Client,
}

impl Server {
    /// Starts `serve` and waits for the line in its log that names the address.
    fn start(mut command: Command) -> Self {
        let mut child = command
            .env("TIGERTRUST__LOG__FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .find_map(|line| {
                let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
                line["address"].as_str().map(str::to_owned)
            })
            .unwrap();
        // Whoever does not read the log makes the server wait.
        std::thread::spawn(move || log.for_each(drop));
        Self {
            child,
            base_url: format!("http://{address}"),
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn get(&self, path: &str, key: &str) -> (u16, String) {
        let request = self
            .client
            .request(Method::GET, format!("{}{path}", self.base_url))
            .bearer_auth(key);
        let answer = request.send().await.unwrap();
        let retry = answer
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), retry.unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s35_a_database_that_is_down_at_the_start_and_later_lets_nobody_in_and_comes_back_by_itself() {
    let database = ThrowawayDatabase::unmade(Engine::Postgres).await;
    let url = database.url().reveal().to_owned();
    let folder = Folder::new(Engine::Sqlite).await;
    let first = folder.command(&[
        "quickstart",
        "--output",
        "json",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &url,
    ]);
    let first = crate::program::Served::start(first);
    let key = first.text("agentKey").to_owned();
    let other = first.text("publicKey").to_owned();
    first.stop();

    let gate = Gate::closed(target(&url)).await;
    std::fs::remove_file(folder.path().join("tigertrust-data/config.toml")).unwrap();
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env(
            "TIGERTRUST__DATABASE__URL",
            detour(&url, &gate.address().to_string()),
        )
        .env("TIGERTRUST__DATABASE__ACQUIRE_TIMEOUT", "500ms")
        .env("TIGERTRUST__CACHE__MAX_STALENESS", "1s");
    let server = Server::start(command);
    assert_eq!(server.get("/healthz", "").await.0, 200);
    assert_eq!(server.get("/readyz", "").await, (503, "1".to_owned()));
    assert_eq!(server.get("/api/auth/check", &key).await, (503, "1".to_owned()));
    assert_eq!(server.get("/api/auth/check", "ak_short").await.0, 401);

    gate.open();
    eventually(200, async || server.get("/readyz", "").await.0).await;
    assert_eq!(server.get("/api/auth/check", &key).await.0, 200);

    gate.close();
    // Known keys go on for the staleness bound, and not longer; unknown ones not at all.
    assert_eq!(server.get("/api/auth/check", &other).await.0, 503);
    eventually(503, async || server.get("/api/auth/check", &key).await.0).await;
    assert_eq!(server.get("/readyz", "").await.0, 503);
    assert_eq!(server.get("/api/keys", &key).await.0, 503);

    gate.open();
    eventually(200, async || server.get("/readyz", "").await.0).await;
    assert_eq!(server.get("/api/auth/check", &key).await.0, 200);
    assert_eq!(server.get("/api/keys", &key).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_database_is_down_says_so() {
    let folder = Folder::new(Engine::Sqlite).await;
    folder.quickstart(&[]).stop();
    let output = folder
        .command(&["key", "list"])
        .env(
            "TIGERTRUST__DATABASE__URL",
            "postgres://user:CANARY@127.0.0.1:1/nothing",
        )
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        message.contains("the database did not answer") && !message.contains("CANARY"),
        "{message}"
    );
    let output = folder
        .command(&["key", "list"])
        .env("TIGERTRUST__DATABASE__URL", "sqlite://./nothing.db")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("nothing.db"), "{message}");
    assert!(!folder.path().join("nothing.db").exists());
}
