//! A proxy, what is behind it, and those who call.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap, redirect};
use serde_json::{Value, json};
use tigertrust_testkit::{Engine, ProxyKind, ThrowawayProxy, signal};

use crate::program::{Folder, Served};

/// A server, a backend, and a proxy that asks the one before it passes a request on to the other.
pub struct Behind {
    /// The proxy.
    pub proxy: ThrowawayProxy,
    /// The backend.
    pub backend: Backend,
    /// The server.
    pub server: Served,
    client: Client,
    folder: Folder,
}

/// A key that was made for a test.
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// What came back.
#[derive(Debug)]
pub struct Seen {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON: from the backend what it was asked, else a problem.
    pub body: Value,
}

impl Behind {
    /// All three, and nobody has called yet.
    pub async fn start(kind: ProxyKind) -> Self {
        let folder = Folder::new(Engine::Sqlite).await;
        let server = Served::start(command(folder.path()));
        let backend = Backend::start();
        let port = server
            .text("baseUrl")
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let proxy = ThrowawayProxy::start(kind, port, backend.port);
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
        Self {
            proxy,
            backend,
            server,
            client: client.build().unwrap(),
            folder,
        }
    }

    /// A request to the proxy, to be completed and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.proxy.address()))
    }

    /// A request to the proxy with a key, or without one.
    pub async fn get(&self, path: &str, key: Option<&Key>) -> Seen {
        let mut request = self.request(Method::GET, path);
        if let Some(key) = key {
            request = request.bearer_auth(&key.secret);
        }
        self.send(request).await
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Seen {
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {}", self.proxy.log()));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        Seen {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// Makes a key past the proxy: a public one with the scopes, and more that the body says.
    pub async fn key(&self, scopes: &[&str], more: Value) -> Key {
        let mut body = json!({"name": "a key", "type": "public", "scopes": scopes});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let made = self.manage(Method::POST, "/api/keys", &body).await;
        let text = |field: &str| {
            made[field]
                .as_str()
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned()
        };
        Key {
            id: text("id"),
            secret: text("key"),
        }
    }

    /// Asks the server, past the proxy, as somebody who may do everything.
    pub async fn manage(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self
            .server
            .request(method, path)
            .header("X-Agent-API-Key", self.server.text("agentKey"));
        request.json(body).send().await.unwrap().json().await.unwrap()
    }

    /// Stops the server in its tracks: it takes what is sent and answers nothing.
    pub fn pause_the_server(&self) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap();
        assert!(signal("STOP", pid.trim()));
    }

    /// Signs the owner in through the proxy, and returns the cookie.
    pub async fn sign_in(&self) -> String {
        let body = json!({"email": "owner@example.com", "password": self.server.text("password")});
        let seen = self
            .send(self.request(Method::POST, "/api/auth/login").json(&body))
            .await;
        assert_eq!(seen.status, 200, "{seen:?}");
        let cookie = seen.header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// The server, which says in a file which process it is.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "echo $$ >pid && exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_tigertrust"),
        ])
        .args([
            "quickstart",
            "--ephemeral",
            "--output",
            "json",
            "--listen",
            "127.0.0.1:0",
        ])
        .current_dir(folder)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .env("TIGERTRUST__SERVER__TRUSTED_PROXIES", "127.0.0.1/32")
        .env("TIGERTRUST__RATE_LIMIT__PLANS", "free=1000000/1m,1000000/1h");
    command
}

impl Seen {
    /// A header of the answer; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The values that the backend was sent under that name; an empty one counts as none.
    pub fn sent(&self, name: &str) -> Vec<&str> {
        let headers = self.body["headers"]
            .as_array()
            .unwrap_or_else(|| panic!("no answer of the backend: {self:?}"));
        let named = headers.iter().filter(|header| header[0] == name);
        named
            .map(|header| header[1].as_str().unwrap())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Status and code of a refusal, which has come with a body that says both.
    pub fn refusal(&self) -> (u16, &str) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.body["status"], self.status, "{self:?}");
        (self.status, self.body["code"].as_str().unwrap())
    }
}

/// The program in `backend.mjs`.
pub struct Backend {
    /// Where it listens.
    pub port: u16,
    process: Child,
    _input: ChildStdin,
}

impl Backend {
    fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forward_auth/backend.mjs");
        let mut process = Command::new("node")
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            port: line.trim().parse().expect("a port"),
            _input: process.stdin.take().unwrap(),
            process,
        }
    }

    /// What it was asked, each as `METHOD PATH`.
    pub async fn seen(&self) -> Vec<String> {
        serde_json::from_str(&self.tell("_seen").await).unwrap()
    }

    /// Tells it something past the proxy.
    pub async fn tell(&self, what: &str) -> String {
        let client = Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://127.0.0.1:{}/{what}", self.port));
        answer.send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
