//! Three nodes over one PostgreSQL and one Valkey or Redis, with somebody to ask them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    cluster::{self, Cluster},
    node::Node,
    until,
};
use crate::{Gate, ThrowawayValkey, free_port};

/// How many nodes there are.
pub(super) const NODES: usize = 3;
/// `cache.max_staleness`: the default.
pub(super) const MAX_STALENESS: Duration = Duration::from_secs(5);
/// What a plan allows in its window, for the key whose limits are watched.
pub(super) const LIMIT: usize = 100;
/// The window of that plan.
pub(super) const WINDOW: Duration = Duration::from_secs(2);

/// How the program is run.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) program: PathBuf,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Settings {
    /// With a new key ring in the folder, and limits that only the watched key meets.
    pub(super) fn new(program: &Path, folder: &Path, more: Vec<(&'static str, String)>) -> Self {
        let mut environment = vec![
            (
                "TIGERTRUST__RATE_LIMIT__PLANS",
                format!("free=50000000/1h limited={LIMIT}/{}s", WINDOW.as_secs()),
            ),
            ("TIGERTRUST__RATE_LIMIT__FAILURES", "50000000/1m".to_owned()),
            ("TIGERTRUST__SERVER__WORKERS", "2".to_owned()),
            ("TIGERTRUST__LOG__FORMAT", "json".to_owned()),
            (
                "TIGERTRUST__KEYRING_FILE",
                folder.join("keyring.toml").display().to_string(),
            ),
        ];
        environment.extend(more);
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            environment,
        }
    }

    /// The program, over a database.
    pub(super) fn command(&self, database: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TIGERTRUST__DATABASE__URL", database)
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Runs a command to its end, beside what else goes on, and returns what it printed.
    pub(super) async fn run(&self, database: &str, arguments: &[&str]) -> String {
        let mut command = self.command(database, arguments);
        let running = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output());
        let output = running.await.expect("it is waited for").expect("it runs");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// As [`run`](Self::run), for a command that prints JSON.
    pub(super) async fn json(&self, database: &str, arguments: &[&str]) -> Value {
        let printed = self
            .run(database, &[arguments, &["--output", "json"]].concat())
            .await;
        serde_json::from_str(&printed).expect("JSON")
    }

    /// Makes what the scenarios use: a schema, people, two workspaces, two keys.
    pub(super) async fn people(&self, database: &str) -> People {
        self.run(database, &["secrets", "create", "keyring.toml"]).await;
        self.run(database, &["migrate", "run"]).await;
        for email in ["owner@example.com", "member@example.com"] {
            self.run(database, &["user", "create", email]).await;
        }
        let workspace = |name, plan| async move {
            let create = [
                "workspace",
                "create",
                name,
                "--owner",
                "owner@example.com",
                "--plan",
                plan,
            ];
            text(&self.json(database, &create).await["id"])
        };
        let (home, limited) = (
            workspace("Home", "free").await,
            workspace("Limited", "limited").await,
        );
        let add = ["member", "add", &home, "member@example.com", "--role", "member"];
        self.run(database, &add).await;
        let members = self.json(database, &["member", "list", &home]).await;
        let member = members["items"].as_array().expect("a list").iter();
        let member = member
            .filter(|member| member["role"] == "member")
            .find_map(|member| member["userId"].as_str().or(member["user"]["id"].as_str()))
            .unwrap_or_else(|| panic!("{members}"))
            .to_owned();
        let key = |workspace, scope| async move {
            let create = [
                "key",
                "create",
                "--name",
                "faults",
                "--workspace",
                workspace,
                "--scope",
                scope,
            ];
            text(&self.json(database, &create).await["key"])
        };
        People {
            manager: key(&home, "keys:*,members:*,certificates:read").await,
            watched: key(&limited, "certificates:read").await,
            home,
            member,
        }
    }
}

/// Who and what there is.
#[derive(Clone)]
pub(super) struct People {
    /// The workspace.
    pub(super) home: String,
    /// Somebody in it, whose role changes.
    pub(super) member: String,
    /// The secret of a key that may make keys and change roles.
    pub(super) manager: String,
    /// The secret of a key with a limit.
    pub(super) watched: String,
}

/// All of it, gone when this is dropped.
pub(super) struct Site {
    // First, so that it ends before what it stands on.
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) valkey: ThrowawayValkey,
    pub(super) primary: Cluster,
    pub(super) replica: Option<Cluster>,
    pub(super) settings: Settings,
    pub(super) people: People,
    _folder: TempDir,
}

/// The name of the database.
pub(super) const DATABASE: &str = "tigertrust";

impl Site {
    /// Starts it all, with a replica that has all that is committed if it is wanted.
    pub(super) async fn start(program: &Path, replicated: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut primary = Cluster::make();
        primary.start(false).await;
        primary
            .try_sql(&format!("CREATE DATABASE {DATABASE}"))
            .expect("a database");
        let valkey = ThrowawayValkey::start();
        let settings = Settings::new(
            program,
            folder.path(),
            vec![("TIGERTRUST__RATE_LIMIT__URL", valkey.url())],
        );
        let people = settings.people(&primary.url(DATABASE)).await;
        let mut replica = None;
        if replicated {
            let mut follower = primary.replica();
            follower.start(false).await;
            primary.kill();
            primary.start(true).await;
            until("the replica follows", Duration::from_secs(30), async || {
                primary.is_followed()
            })
            .await;
            replica = Some(follower);
        }
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let gate = Gate::closed(primary.address()).await;
            gate.open();
            let database = cluster::url(gate.address(), DATABASE);
            let address = ([127, 0, 0, 1], free_port()).into();
            let (settings, listen) = (settings.clone(), format!("{address}"));
            let command = move || settings.command(&database, &["serve", "--listen", &listen]);
            nodes.push(Arc::new(Node::new(
                number,
                address,
                folder.path(),
                Some(gate),
                command,
            )));
        }
        let site = Self {
            nodes,
            valkey,
            primary,
            replica,
            settings,
            people,
            _folder: folder,
        };
        for node in &site.nodes {
            node.start();
        }
        recovered(&site.nodes, &site.people.manager).await;
        site
    }

    /// The URL of the database that takes writes, past the gates.
    pub(super) fn database(&self) -> String {
        self.primary.url(DATABASE)
    }

    /// The node's way to its database.
    pub(super) fn gate(&self, node: usize) -> &Gate {
        self.nodes[node].gate.as_ref().expect("a gate")
    }
}

/// Waits until every node is ready, makes a key, and knows it; returns when the last of them did.
pub(super) async fn recovered(nodes: &[Arc<Node>], manager: &str) -> Instant {
    for node in nodes {
        let what = format!("node {} works", node.number());
        until(&what, Duration::from_secs(120), async || {
            works(node, manager).await.is_some()
        })
        .await;
    }
    Instant::now()
}

async fn works(node: &Node, manager: &str) -> Option<()> {
    let patience = Duration::from_secs(10);
    if !node.is_ready().await {
        return None;
    }
    let made = new_key(node, manager).timeout(patience).send().await.ok()?;
    let made: Value = made.error_for_status().ok()?.json().await.ok()?;
    let check = node.request(Method::GET, "/api/auth/check").timeout(patience);
    let answer = check.bearer_auth(made["key"].as_str()?).send().await.ok()?;
    (answer.status() == 200).then_some(())
}

/// The request for a new key.
pub(super) fn new_key(node: &Node, manager: &str) -> reqwest::RequestBuilder {
    let body = json!({"name": "faults", "type": "agent", "scopes": ["certificates:read"]});
    let request = node.request(Method::POST, "/api/keys");
    request.bearer_auth(manager).json(&body)
}

/// A string of JSON.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
