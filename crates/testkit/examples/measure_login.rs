//! Measures signing in, for `scripts/measure`.
//!
//! - `measure_login timing URL ACCOUNTS PAIRS`: asks in turns with an address that nobody has and with one that somebody has,
//!   always with a wrong password, and prints by how much the answers differ in time.
//! - `measure_login rate URL ACCOUNTS SECONDS CONNECTIONS`: signs in as fast as it can, and prints logins a second.
//! - `measure_login argon2 SECONDS THREADS`: hashes as the server does, and prints hashes a second.
//!
//! ACCOUNTS is a file with an address in each line, whose password is `PASSWORD` below. Each request says that it comes from
//! a network of its own (`X-Forwarded-For`), so that the server, which must trust this machine as a proxy, throttles none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a tool for developers may stop at once, and measures time"
)]

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde_json::json;
use tigertrust_credentials::{HashingMemory, OsRandom, Password, PasswordHasher};
use tigertrust_model::RandomSource as _;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["timing", url, accounts, pairs] => timing(&Target::new(url, accounts), number(pairs)).await,
        ["rate", url, accounts, seconds, connections] => {
            let lasts = Duration::from_secs(number(seconds).into());
            rate(Arc::new(Target::new(url, accounts)), lasts, number(connections)).await;
        }
        ["argon2", seconds, threads] => argon2(Duration::from_secs(number(seconds).into()), number(threads)),
        _ => panic!(
            "measure_login timing URL ACCOUNTS PAIRS | rate URL ACCOUNTS SECONDS CONNECTIONS | argon2 SECONDS THREADS"
        ),
    }
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}

/// The server, and who has an account there.
struct Target {
    client: Client,
    url: String,
    accounts: Vec<String>,
    networks: AtomicU32,
}

impl Target {
    fn new(url: &str, accounts: &str) -> Self {
        let accounts = fs::read_to_string(accounts).expect("the accounts");
        Self {
            client: Client::new(),
            url: format!("{url}/api/auth/login"),
            accounts: accounts.lines().map(str::to_owned).collect(),
            networks: AtomicU32::new(0),
        }
    }

    /// How long the answer takes, and what it is.
    async fn log_in(&self, email: &str, password: &str) -> (Duration, StatusCode) {
        let [_, b, c, d] = self.networks.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let request = self
            .client
            .post(&self.url)
            .header("X-Forwarded-For", format!("10.{b}.{c}.{d}"))
            .json(&json!({ "email": email, "password": password }));
        let start = Instant::now();
        let response = request.send().await.expect("an answer");
        let status = response.status();
        response.bytes().await.expect("a body");
        (start.elapsed(), status)
    }
}

async fn timing(target: &Target, pairs: u32) {
    // An account takes ten failures in a quarter of an hour.
    let needed = usize::try_from(pairs).unwrap().div_ceil(10);
    assert!(
        target.accounts.len() >= needed,
        "{needed} accounts are needed for {pairs} pairs"
    );
    let mut differences = Vec::new();
    let mut known_times = Vec::new();
    for pair in 0..pairs {
        let known = &target.accounts[usize::try_from(pair).unwrap() % target.accounts.len()];
        // As long as the other, and nobody's.
        let unknown = known.replacen('@', "@x", 1).replace(".com", ".co");
        let mut coin = [0];
        OsRandom.fill(&mut coin).expect("a coin");
        let mut times = [0.0; 2];
        // Which comes first is left to chance: the first may warm something up for the second.
        let order = if coin[0] & 1 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let email = [known, &unknown][which];
            let (time, status) = target.log_in(email, "not the password of anybody").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{email}");
            times[which] = time.as_secs_f64() * 1e6;
        }
        differences.push(times[1] - times[0]);
        known_times.push(times[0]);
    }
    let (low, middle, high) = median(&mut differences);
    let (_, login, _) = median(&mut known_times);
    println!("pairs: {pairs}");
    println!("median of a refused login: {login:.0} µs");
    println!(
        "median of unknown less known: {middle:+.1} µs ({:+.3} % of a login)",
        middle / login * 100.0
    );
    println!("95 % interval: {low:+.1} to {high:+.1} µs");
    let settled = low <= 0.0 && high >= 0.0 || middle.abs() < login / 100.0;
    println!(
        "aim (includes 0, or under 1 % of a login): {}",
        if settled { "reached" } else { "missed" }
    );
}

/// The median with its 95 % interval by order statistics, which supposes nothing about how the values lie.
fn median(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let half_width = 0.98 * count.sqrt();
    let at = |place: f64| {
        // Places are small and not negative here.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is clamped"
        )]
        let place = place.clamp(0.0, count - 1.0) as usize;
        values[place]
    };
    (
        at(count / 2.0 - half_width),
        at(count / 2.0),
        at(count / 2.0 + half_width),
    )
}

async fn rate(target: Arc<Target>, lasts: Duration, connections: u32) {
    let start = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|first| {
            let target = Arc::clone(&target);
            tokio::spawn(async move {
                let (mut done, mut busy) = (0_u32, 0_u32);
                let mut turn = usize::try_from(first).unwrap();
                while start.elapsed() < lasts {
                    let email = &target.accounts[turn % target.accounts.len()];
                    turn += usize::try_from(connections).unwrap();
                    match target.log_in(email, PASSWORD).await.1 {
                        StatusCode::OK => done += 1,
                        StatusCode::SERVICE_UNAVAILABLE => busy += 1,
                        other => panic!("{other} for {email}"),
                    }
                }
                (done, busy)
            })
        })
        .collect();
    let (mut done, mut busy) = (0, 0);
    for client in clients {
        let (own_done, own_busy) = client.await.expect("a client");
        done += own_done;
        busy += own_busy;
    }
    println!("{:.1} {busy}", f64::from(done) / start.elapsed().as_secs_f64());
}

fn argon2(lasts: Duration, threads: u32) {
    let start = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            thread::spawn(move || {
                let hasher = PasswordHasher::default();
                let hash = hasher
                    .hash(&Password::presented(PASSWORD), &OsRandom)
                    .expect("a hash");
                let (mut done, mut memory) = (0_u32, HashingMemory::default());
                while start.elapsed() < lasts {
                    assert!(hasher.verify(&Password::presented(PASSWORD), &hash, &mut memory));
                    done += 1;
                }
                done
            })
        })
        .collect();
    let done: u32 = workers
        .into_iter()
        .map(|worker| worker.join().expect("a thread"))
        .sum();
    println!("{:.1}", f64::from(done) / start.elapsed().as_secs_f64());
}
