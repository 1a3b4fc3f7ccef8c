//! What a key with a limit is granted by all nodes together.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Method;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    node::Node,
    site::{LIMIT, WINDOW},
    until,
};

/// How often each node is asked: some times more often than the limit allows.
const EVERY: Duration = Duration::from_millis(5);

/// Clients that use a key as often as they can, one at each node.
pub(super) struct Greedy {
    admitted: Arc<Mutex<Vec<Instant>>>,
    tasks: JoinSet<()>,
    began: Instant,
}

impl Greedy {
    pub(super) fn begin(nodes: &[Arc<Node>], key: &str) -> Self {
        let admitted = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for node in nodes {
            let (node, key, admitted) = (Arc::clone(node), key.to_owned(), Arc::clone(&admitted));
            tasks.spawn(async move {
                let mut ticks = interval(EVERY);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    let answer = node
                        .request(Method::GET, "/api/auth/check")
                        .bearer_auth(&key)
                        .send()
                        .await;
                    if answer.is_ok_and(|answer| answer.status() == 200) {
                        admitted
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(Instant::now());
                    }
                }
            });
        }
        Self {
            admitted,
            tasks,
            began: Instant::now(),
        }
    }

    /// Waits for some more windows to pass, and returns since when that was.
    pub(super) async fn windows(&self, count: u32) -> Instant {
        let from = Instant::now();
        until("windows pass", WINDOW * (count + 1), async || {
            from.elapsed() >= WINDOW * count
        })
        .await;
        from
    }

    /// Ends it, and returns when it began and what was admitted.
    pub(super) async fn end(mut self) -> (Instant, Vec<Instant>) {
        self.tasks.shutdown().await;
        let mut admitted = std::mem::take(&mut *self.admitted.lock().unwrap_or_else(PoisonError::into_inner));
        admitted.sort_unstable();
        (self.began, admitted)
    }
}

/// The most that was admitted in a span for which the limit is promised, of those that begin in the given time.
pub(super) fn busiest(admitted: &[Instant], from: Instant, to: Instant) -> usize {
    // A window is counted in sixtieths, so that the promise is for 59 of them.
    let span = WINDOW * 59 / 60;
    let within: Vec<Instant> = admitted
        .iter()
        .copied()
        .filter(|at| (from..to).contains(at))
        .collect();
    let mut first = 0;
    let mut most = 0;
    for (index, at) in within.iter().enumerate() {
        while *at - within[first] >= span {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

/// A remark about a span of time.
pub(super) fn remark(phase: &str, busiest: usize) -> String {
    format!("{phase}: {busiest} of {LIMIT} in the busiest window")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_span_is_found() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let admitted = [at(0), at(1_000), at(1_966), at(1_967), at(2_500), at(9_000)];
        assert_eq!(busiest(&admitted, start, at(10_000)), 4);
        assert_eq!(busiest(&admitted, at(2_000), at(10_000)), 1);
        assert_eq!(busiest(&[], start, at(1)), 0);
    }
}
