//! The figures of a scenario, while they are counted and when they are told.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::journal::Verdict;

/// How many examples of a wrong answer are told.
const EXAMPLES: usize = 5;

/// What is counted while requests are made.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    checks: usize,
    wrongful_allows: usize,
    wrongful_denials: usize,
    unavailable: usize,
    silent: usize,
    other: usize,
    refused_writes: usize,
    latest_allow: Duration,
    slowest: Duration,
    revocations: Vec<Duration>,
    /// For each node: the latest answer that let somebody in, and the longest time without one.
    last_allowed: Vec<(Option<Instant>, Duration)>,
    examples: Vec<String>,
}

impl Tally {
    /// Counts a check of a secret that was answered.
    pub(super) fn checked(&self, node: usize, verdict: Verdict, status: u16, took: Duration) {
        let mut counts = self.lock();
        counts.checks += 1;
        counts.slowest = counts.slowest.max(took);
        match verdict {
            Verdict::Right => {}
            Verdict::Late(late) => counts.latest_allow = counts.latest_allow.max(late),
            Verdict::WrongfulAllow(late) => {
                counts.latest_allow = counts.latest_allow.max(late);
                counts.wrongful_allows += 1;
                counts.tell(format!("node {node} let a secret in {late:?} after its end"));
            }
            Verdict::WrongfulDenial => {
                counts.wrongful_denials += 1;
                counts.tell(format!("node {node} refused a good secret"));
            }
            Verdict::Unavailable => counts.unavailable += 1,
            Verdict::Other => counts.other(format!("node {node} answered a check {status}")),
        }
        if status == 200 {
            counts.allowed(node, Instant::now());
        }
    }

    /// Counts a request without an answer.
    pub(super) fn silent(&self) {
        self.lock().silent += 1;
    }

    /// Counts a write that was answered with 503.
    pub(super) fn refused_write(&self, took: Duration) {
        let mut counts = self.lock();
        counts.refused_writes += 1;
        counts.slowest = counts.slowest.max(took);
    }

    pub(super) fn refused_writes(&self) -> usize {
        self.lock().refused_writes
    }

    /// Counts an answer that should not be.
    pub(super) fn other(&self, what: String) {
        self.lock().other(what);
    }

    /// Notes how long a node took to refuse what another has revoked.
    pub(super) fn revocation(&self, took: Duration) {
        self.lock().revocations.push(took);
    }

    pub(super) fn revocations(&self) -> usize {
        self.lock().revocations.len()
    }

    /// Begins to look for the longest time without an answer that lets somebody in.
    pub(super) fn watch(&self, nodes: usize) {
        self.lock().last_allowed = vec![(Some(Instant::now()), Duration::ZERO); nodes];
    }

    /// The figures, once all requests are made.
    pub(super) fn figures(&self) -> Figures {
        let mut counts = std::mem::take(&mut *self.lock());
        counts.revocations.sort_unstable();
        let share = |part: usize| {
            let last = counts.revocations.len().checked_sub(1)?;
            counts
                .revocations
                .get(last.min(counts.revocations.len() * part / 100))
                .copied()
        };
        Figures {
            checks: counts.checks,
            wrongful_allows: counts.wrongful_allows,
            wrongful_denials: counts.wrongful_denials,
            unavailable: counts.unavailable + counts.refused_writes,
            silent: counts.silent,
            other: counts.other,
            outage: counts
                .last_allowed
                .iter()
                .map(|(_, longest)| *longest)
                .max()
                .unwrap_or_default(),
            latest_allow: counts.latest_allow,
            slowest: counts.slowest,
            revocations: [share(50), share(99), share(100)],
            remarks: counts.examples,
            ..Figures::default()
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn tell(&mut self, what: String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(what);
        }
    }

    fn other(&mut self, what: String) {
        self.other += 1;
        self.tell(what);
    }

    fn allowed(&mut self, node: usize, now: Instant) {
        if let Some((Some(last), longest)) = self.last_allowed.get_mut(node) {
            *longest = (*longest).max(now.saturating_duration_since(*last));
            *last = (*last).max(now);
        }
    }
}

/// What a scenario found.
#[derive(Debug, Default)]
pub struct Figures {
    /// Checks of secrets that were answered.
    pub checks: usize,
    /// Secrets let in longer after their acknowledged end than is promised.
    pub wrongful_allows: usize,
    /// Good secrets that were refused with 401.
    pub wrongful_denials: usize,
    /// Answers 503.
    pub unavailable: usize,
    /// Requests without an answer.
    pub silent: usize,
    /// Answers that are none of those that a client has to expect.
    pub other: usize,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Those of them that were not there in the end, or had no event in the audit log.
    pub lost: usize,
    /// Chains of the audit log that are not whole.
    pub broken_chains: usize,
    /// The longest time in which a node let nobody in.
    pub outage: Duration,
    /// From the end of the cause until every node writes and reads again; nothing where a scenario has no such moment.
    pub recovery: Option<Duration>,
    /// The longest time after the acknowledged end of a secret at which it was let in, within what is promised or not.
    pub latest_allow: Duration,
    /// The slowest answer.
    pub slowest: Duration,
    /// From the acknowledged end of a secret to its first refusal, over all nodes: half of them, 99 of 100, and all took no longer.
    pub revocations: [Option<Duration>; 3],
    /// What else is to be said.
    pub remarks: Vec<String>,
}

impl Figures {
    /// What must not be, and was.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        [
            (self.wrongful_allows, "wrongful allows"),
            (self.wrongful_denials, "wrongful denials"),
            (self.lost, "acknowledged writes lost"),
            (self.broken_chains, "broken chains"),
            (self.other, "answers that should not be"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }

    /// The head of the table.
    pub const HEAD: &'static str = "| fault | checks | wrongful allows | wrongful denials | 503 | no answer | other | writes acknowledged | lost | broken chains | \
        longest outage of a node | recovery | revocation to denial: p50, p99, max | latest allow | slowest answer |\n\
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

    /// Its row in the table.
    #[must_use]
    pub fn row(&self, name: &str) -> String {
        let revocations = self.revocations.map(|took| took.map_or("–".to_owned(), short));
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.checks,
            self.wrongful_allows,
            self.wrongful_denials,
            self.unavailable,
            self.silent,
            self.other,
            self.acknowledged,
            self.lost,
            self.broken_chains,
            short(self.outage),
            self.recovery.map_or("–".to_owned(), short),
            revocations.join(", "),
            short(self.latest_allow),
            short(self.slowest),
        )
    }
}

/// A time as people read it.
pub(super) fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
