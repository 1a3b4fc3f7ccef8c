//! How long it takes from the server's answer to a revocation to the first refusal by a client that served the key from memory until
//! then. Prints the figures of 1,000 revocations, one after the other.
//!
//! It starts a server of its own on SQLite. With `TIGERTRUST_URL` and `TIGERTRUST_API_KEY` it takes the one there; the key has to be
//! an agent key with `keys:verify`, `keys:read` and `keys:write` then, and the keys that it makes are revoked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "an example may stop at once"
)]

use std::{env, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tigertrust_client::{Client, Clock, PresentedKey, Question, State, SystemClock};
use tigertrust_testkit::{Engine, TestServer};

const REVOCATIONS: usize = 1_000;

/// The server, and a key that may do all of this.
struct Target {
    url: String,
    key: String,
    http: reqwest::Client,
}

impl Target {
    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.key);
        let response = request.json(body).send().await.unwrap();
        assert!(
            matches!(response.status(), StatusCode::OK | StatusCode::CREATED),
            "{}",
            response.status()
        );
        response.json().await.unwrap()
    }
}

#[tokio::main]
async fn main() {
    let (given_url, given_key) = (env::var("TIGERTRUST_URL"), env::var("TIGERTRUST_API_KEY"));
    let mut server = None;
    let (url, key) = match (given_url, given_key) {
        (Ok(url), Ok(key)) => (url.trim_end_matches('/').to_owned(), key),
        _ => {
            let own = server.insert(TestServer::start(Engine::Sqlite).await);
            let home = own.workspace("Home").await;
            let admin = own.admin(&home).await;
            (own.base_url().to_owned(), admin.secret.reveal().to_owned())
        }
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Client::builder()
        .url(&url)
        .api_key(key.as_str())
        .lease(1_000_000)
        .deadline(Duration::from_secs(10))
        .staleness(Duration::from_secs(10))
        .build()
        .unwrap();
    client.start();
    while client.state() != State::Following {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = measure(&Target { url, key, http }, &client).await;
    let share = |share: f64| {
        let place = (share * REVOCATIONS as f64).ceil() as usize - 1;
        took.get(place).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    };
    println!(
        "from a revocation's answer to the first refusal, of {REVOCATIONS}: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        share(0.5),
        share(0.99),
        share(1.0)
    );
    client.close().await;
}

/// How long each took, the shortest first.
async fn measure(target: &Target, client: &Client) -> Vec<Duration> {
    let clock = SystemClock::new();
    let question = Question::default();
    let mut took = Vec::new();
    for _ in 0..REVOCATIONS {
        let made = json!({"name": "to be revoked", "type": "agent", "scopes": ["certificates:read"]});
        let made = target.post("/api/keys", &made).await;
        let (id, key) = (text(&made, "id"), text(&made, "key"));
        let key = PresentedKey::new(key);
        // Asked for, and then from memory.
        for _ in 0..2 {
            assert!(client.verify(&key, &question).await.unwrap().is_valid());
        }
        target.post(&format!("/api/keys/{id}/revoke"), &json!({})).await;
        let answered = clock.monotonic();
        while client.verify(&key, &question).await.unwrap().is_valid() {
            // One that is served from memory never waits, and would keep the others from running.
            tokio::task::yield_now().await;
        }
        took.push(clock.monotonic() - answered);
    }
    took.sort();
    took
}

/// A member of an answer.
fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer.get(member).and_then(Value::as_str).unwrap_or_default()
}
