//! Measures limits that two nodes share, for `scripts/measure shared-limits`: two instances over one database and one Valkey or Redis
//! of its own, which is killed and started again while both admit the same key as fast as they are answered.
//!
//! Prints how long a decision takes, how many calls any span of 59 sixtieths of the window admitted, and what the loss of the store
//! and its return cost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool for developers may stop at once, and measures time"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tigertrust::{
    Need, OsRandom, Password, TigerTrust,
    model::Plan,
    rate_limit::{Limits, Plans, Quota, Quotas, ValkeySettings},
};
use tigertrust_testkit::ThrowawayValkey;

const LIMIT: u32 = 100;
const WINDOW: Duration = Duration::from_secs(2);
/// How long each phase lasts: ten windows with the store, five without, five with it again.
const PHASES: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(10),
    Duration::from_secs(10),
];

/// One call: when it was answered, how long that took, and whether it was admitted.
struct Call {
    at: Duration,
    took: Duration,
    admitted: bool,
    alone: bool,
}

async fn node(folder: &TempDir, valkey: &ThrowawayValkey, pepper: &str) -> TigerTrust {
    let quotas = Quotas::from(Quota::new(LIMIT, WINDOW).unwrap());
    let limits = Limits {
        plans: Plans::default().with([(Plan::free(), quotas.into())]),
        ..Limits::default()
    };
    let node = TigerTrust::builder()
        .database(&format!("sqlite://{}/auth.db", folder.path().display()))
        .pepper("p1", pepper)
        .migrate(true)
        .limits(limits)
        .share_limits(ValkeySettings::new(&valkey.url()).unwrap())
        .build()
        .await
        .unwrap();
    while node.limits().limiter().counts().is_alone {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node
}

/// Admits the key again and again, a thousand times a second at the most.
async fn ask(
    node: TigerTrust,
    key: String,
    start: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Arc<AtomicBool>,
) {
    let need = Need::any_caller();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let before = Instant::now();
        let admitted = node.admit_key(&key, &need).await.is_ok();
        let call = Call {
            at: start.elapsed(),
            took: before.elapsed(),
            admitted,
            alone: node.limits().limiter().counts().is_alone,
        };
        calls.lock().unwrap().push(call);
    }
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut valkey = ThrowawayValkey::start();
    let pepper = TigerTrust::generate_pepper().unwrap();
    let one = node(&folder, &valkey, &pepper).await;
    let password = Password::generate(&OsRandom).unwrap();
    let first = one
        .bootstrap("owner@example.com".parse().unwrap(), password)
        .await
        .unwrap()
        .unwrap();
    let key = first.agent.secret.reveal().to_owned();
    let other = node(&folder, &valkey, &pepper).await;
    // Until both have heard of each other.
    tokio::time::sleep(Duration::from_secs(6)).await;

    let (calls, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let start = Instant::now();
    let asking: Vec<_> = [&one, &other]
        .into_iter()
        .map(|node| {
            tokio::spawn(ask(
                node.clone(),
                key.clone(),
                start,
                Arc::clone(&calls),
                Arc::clone(&stop),
            ))
        })
        .collect();
    tokio::time::sleep(PHASES[0]).await;
    let killed = start.elapsed();
    valkey.kill();
    tokio::time::sleep(PHASES[1]).await;
    let started = start.elapsed();
    valkey.start_again();
    let answers_again = start.elapsed();
    tokio::time::sleep(PHASES[2]).await;
    stop.store(true, Ordering::Relaxed);
    for task in asking {
        task.await.unwrap();
    }
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    report(&calls, [killed, started, answers_again]);
    one.close().await;
    other.close().await;
}

fn report(calls: &[Call], [killed, started, answers_again]: [Duration; 3]) {
    let mut admitted: Vec<Duration> = calls
        .iter()
        .filter(|call| call.admitted)
        .map(|call| call.at)
        .collect();
    admitted.sort_unstable();
    let span = WINDOW * 59 / 60;
    // A call counts at its decision, which is up to its own duration before it was answered.
    let busiest = |from: Duration, to: Duration| {
        let within: Vec<Duration> = admitted
            .iter()
            .copied()
            .filter(|at| (from..to).contains(at))
            .collect();
        let count = |(index, start): (usize, &Duration)| {
            within
                .iter()
                .skip(index)
                .take_while(|at| **at < *start + span)
                .count()
        };
        within.iter().enumerate().map(count).max().unwrap_or_default()
    };
    let took = |from: Duration, to: Duration| {
        let mut took: Vec<Duration> = calls
            .iter()
            .filter(|call| (from..to).contains(&call.at))
            .map(|call| call.took)
            .collect();
        took.sort_unstable();
        let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
        (at(50), at(99), took.last().copied().unwrap_or_default())
    };
    let end = Duration::MAX;
    let alone_from = calls
        .iter()
        .filter(|call| call.alone && call.at >= killed)
        .map(|call| call.at)
        .min();
    let alone_to = calls.iter().filter(|call| call.alone).map(|call| call.at).max();
    println!(
        "| phase | calls | admitted in the busiest {span:?} (limit {LIMIT}) | a decision: p50, p99, longest |"
    );
    println!("|---|---|---|---|");
    for (phase, from, to) in [
        ("store there", Duration::ZERO, killed),
        ("store killed", killed, started),
        ("store back", answers_again, end),
        ("across the loss", killed.saturating_sub(WINDOW), killed + WINDOW),
        (
            "across the return",
            started.saturating_sub(WINDOW),
            answers_again + WINDOW,
        ),
    ] {
        let number = calls.iter().filter(|call| (from..to).contains(&call.at)).count();
        let (half, most, longest) = took(from, to);
        println!(
            "| {phase} | {number} | {} | {half:?}, {most:?}, {longest:?} |",
            busiest(from, to)
        );
    }
    println!();
    println!(
        "Alone after the loss: {:?}.",
        alone_from.map(|at| at.saturating_sub(killed))
    );
    println!(
        "Shared again after the store answers: {:?}.",
        alone_to.map(|at| at.saturating_sub(answers_again))
    );
}
