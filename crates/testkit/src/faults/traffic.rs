//! The clients: some that change things, some that check secrets, and some that watch how fast a revocation arrives.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tigertrust_credentials::OsRandom;
use tigertrust_model::RandomSource as _;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    journal::{Journal, Life, judge},
    node::Node,
    site::{MAX_STALENESS, People, new_key},
    tally::Tally,
    until,
};

/// How often a client changes something, and how often one checks.
const WRITE_EVERY: Duration = Duration::from_millis(100);
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// How many good keys a client keeps, so that those which it revokes have been used on every node before.
const KEPT: usize = 8;
/// Within what other nodes apply a change while they are well.
const PROMISED: Duration = Duration::from_secs(1);
/// How long the end waits for answers that are still to come.
const PATIENCE: Duration = Duration::from_secs(90);

/// What all clients share.
pub(super) struct Clients {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) people: People,
    pub(super) journal: Journal,
    pub(super) tally: Tally,
}

/// Clients at work.
pub(super) struct Traffic {
    pub(super) clients: Arc<Clients>,
    tasks: JoinSet<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Traffic {
    /// Begins, and returns once revocations have been seen to arrive at every node.
    pub(super) async fn begin(nodes: &[Arc<Node>], people: &People) -> Self {
        let clients = Arc::new(Clients {
            nodes: nodes.to_vec(),
            people: people.clone(),
            journal: Journal::default(),
            tally: Tally::default(),
        });
        clients.tally.watch(nodes.len());
        let stop = tokio::sync::watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for node in nodes {
            let stopped = stop.subscribe();
            tasks.spawn(Arc::clone(&clients).write(Arc::clone(node), stopped.clone()));
            tasks.spawn(Arc::clone(&clients).check_often(Arc::clone(node), stopped.clone()));
        }
        tasks.spawn(Arc::clone(&clients).change_roles(stop.subscribe()));
        let traffic = Self { clients, tasks, stop };
        // The keys that are revoked have been used everywhere then.
        traffic.more_revocations(10 * nodes.len()).await;
        traffic
    }

    /// Waits until so many more revocations have been seen to arrive.
    pub(super) async fn more_revocations(&self, count: usize) {
        let tally = &self.clients.tally;
        let wanted = tally.revocations() + count;
        until("revocations arrive", PATIENCE, async || {
            tally.revocations() >= wanted
        })
        .await;
    }

    /// Ends the clients, and returns what they know once they have heard the last answer.
    pub(super) async fn end(mut self) -> Arc<Clients> {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.expect("a client ends well");
            }
        });
        ended.await.expect("the clients end");
        self.clients
    }
}

/// How a write came out.
enum Outcome {
    Done(Value),
    Unknown,
}

impl Clients {
    /// Makes keys, and rotates and revokes them, at one node.
    async fn write(self: Arc<Self>, node: Arc<Node>, stop: tokio::sync::watch::Receiver<bool>) {
        let mut ticks = interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = VecDeque::new();
        let mut watching = JoinSet::new();
        let mut turn = 0_usize;
        while !*stop.borrow() {
            ticks.tick().await;
            // What was watched to its end.
            while watching.try_join_next().is_some() {}
            turn += 1;
            let oldest = (kept.len() >= KEPT).then(|| kept.pop_front()).flatten();
            match oldest {
                None => {
                    let Outcome::Done(made) = self.act(new_key(&node, &self.people.manager), &node).await
                    else {
                        continue;
                    };
                    let number = self.journal.made(as_text(&made["id"]), as_text(&made["key"]));
                    kept.push_back(number);
                    self.use_everywhere(number, &mut watching);
                }
                Some(number) => {
                    let rotates = turn.is_multiple_of(3);
                    let path = format!(
                        "/api/keys/{}/{}",
                        self.journal.secret(number).key,
                        if rotates { "rotate" } else { "revoke" }
                    );
                    self.journal.ending(number);
                    let request = node
                        .request(Method::POST, &path)
                        .bearer_auth(&self.people.manager);
                    let Outcome::Done(done) = self.act(request.json(&json!({})), &node).await else {
                        continue;
                    };
                    if rotates {
                        let new = self.journal.rotated(number, as_text(&done["key"]));
                        kept.push_back(new);
                        self.use_everywhere(new, &mut watching);
                    } else {
                        self.journal.revoked(number);
                    }
                    for other in &self.nodes {
                        watching.spawn(Arc::clone(&self).watch(Arc::clone(other), number));
                    }
                }
            }
        }
        let rest = async { while watching.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, rest)
            .await
            .expect("all revocations arrive");
    }

    /// Gives a member one role and another, at one node after the other.
    async fn change_roles(self: Arc<Self>, stop: tokio::sync::watch::Receiver<bool>) {
        let mut ticks = interval(WRITE_EVERY * 5);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let path = format!(
            "/api/workspaces/{}/members/{}",
            self.people.home, self.people.member
        );
        let mut turn = 0_usize;
        while !*stop.borrow() {
            ticks.tick().await;
            turn += 1;
            let node = &self.nodes[turn % self.nodes.len()];
            // Each is another one than before, the first too: what changes nothing is no event.
            let role = ["member", "viewer", "admin"][turn % 3];
            let request = node
                .request(Method::PATCH, &path)
                .bearer_auth(&self.people.manager);
            let request = request.json(&json!({"role": role})).timeout(PROMISED * 3);
            let outcome = self.act(request, node).await;
            self.journal.role(role, matches!(outcome, Outcome::Done(_)));
        }
    }

    /// Sends a write.
    async fn act(&self, request: RequestBuilder, node: &Node) -> Outcome {
        let asked = Instant::now();
        let Ok(answer) = request.send().await else {
            self.tally.silent();
            return Outcome::Unknown;
        };
        let status = answer.status().as_u16();
        match status {
            200 | 201 => match answer.json().await {
                Ok(body) => Outcome::Done(body),
                Err(_) => {
                    self.tally.silent();
                    Outcome::Unknown
                }
            },
            503 => {
                self.tally.refused_write(asked.elapsed());
                Outcome::Unknown
            }
            _ => {
                let body = answer.text().await.unwrap_or_default();
                self.tally.other(format!(
                    "node {} answered a write {status}: {body}",
                    node.number()
                ));
                Outcome::Unknown
            }
        }
    }

    /// Checks secrets at random, good ones and others.
    async fn check_often(self: Arc<Self>, node: Arc<Node>, stop: tokio::sync::watch::Receiver<bool>) {
        let mut ticks = interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            ticks.tick().await;
            // Mostly late ones, which are those that change.
            let count = self.journal.count();
            let among = if below(4) == 0 { count } else { count.min(KEPT * 8) };
            if among > 0 {
                self.check(&node, count - 1 - below(among)).await;
            }
        }
    }

    /// Checks a secret once, and returns the status.
    pub(super) async fn check(&self, node: &Node, number: usize) -> Option<u16> {
        let secret = self.journal.secret(number);
        let request = node
            .request(Method::GET, "/api/auth/check")
            .bearer_auth(&secret.text);
        let asked = Instant::now();
        let Ok(answer) = request.send().await else {
            self.tally.silent();
            return None;
        };
        let status = answer.status().as_u16();
        let after = self.journal.life(number);
        let decided = node.decided(asked);
        let bound = match after {
            Life::Ended(at) if node.was_impaired(at, decided) => MAX_STALENESS,
            _ => PROMISED,
        };
        let verdict = judge(status, secret.life, after, decided, bound);
        self.tally
            .checked(node.number(), verdict, status, asked.elapsed());
        Some(status)
    }

    /// Uses a new secret at every node, so that all of them remember it.
    fn use_everywhere(self: &Arc<Self>, number: usize, tasks: &mut JoinSet<()>) {
        for node in &self.nodes {
            let (clients, node) = (Arc::clone(self), Arc::clone(node));
            tasks.spawn(async move {
                clients.check(&node, number).await;
            });
        }
    }

    /// Asks a node for a secret that has ended until it refuses it, and notes how long that took.
    async fn watch(self: Arc<Self>, node: Arc<Node>, number: usize) {
        let Life::Ended(ended) = self.journal.life(number) else {
            return;
        };
        let mut ticks = interval(Duration::from_millis(4));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.check(&node, number).await {
                Some(200) => {}
                Some(_) => break,
                None => node.running().await,
            }
            if ended.elapsed() > Duration::from_millis(200) && ticks.period() < CHECK_EVERY {
                ticks = interval(CHECK_EVERY * 5);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            }
        }
        // A node that did not run could refuse nothing.
        let from = ended.max(node.up_since());
        self.tally.revocation(from.elapsed());
    }
}

/// A random number below another.
pub(super) fn below(end: usize) -> usize {
    let mut bytes = [0; 4];
    OsRandom.fill(&mut bytes).expect("random bytes");
    usize::try_from(u32::from_le_bytes(bytes)).expect("it fits") % end
}

fn as_text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
