//! Over a real server.

use std::sync::Mutex;

use proptest::{prelude::*, test_runner::TestRunner};
use tigertrust_model::KeyId;
use tigertrust_testkit::{TestClock, ThrowawayValkey};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};
use uuid::Uuid;

use super::*;
use crate::{RateLimiter, State, decide};

const DEADLINE: Duration = Duration::from_secs(30);

fn key(number: u128) -> Subject {
    Subject::Key(KeyId::from_uuid(Uuid::from_u128(number)))
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Away,
    Refused,
    Back,
}

struct Told(mpsc::UnboundedSender<Event>);

impl LimiterEvents for Told {
    fn away(&self, _: &str) {
        self.0.send(Event::Away).unwrap();
    }

    fn refused(&self, _: &str) {
        self.0.send(Event::Refused).unwrap();
    }

    fn back(&self, _: Duration) {
        self.0.send(Event::Back).unwrap();
    }
}

/// A node, its clock, what it is told, and what keeps it connected.
struct Node {
    limiter: Arc<RateLimiter>,
    clock: Arc<TestClock>,
    events: mpsc::UnboundedReceiver<Event>,
    connected: JoinHandle<()>,
}

impl Node {
    async fn over(server: &ThrowawayValkey, deadline: Duration) -> Self {
        let settings = ValkeySettings::new(&server.url())
            .unwrap()
            .with_deadline(deadline);
        let (sender, events) = mpsc::unbounded_channel();
        let clock = Arc::new(TestClock::default());
        let store = Valkey::new(
            &settings,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(Told(sender)),
        );
        let store = Arc::new(store.unwrap());
        let limiter = RateLimiter::new(Arc::clone(&clock) as Arc<dyn Clock>).share(Arc::clone(&store));
        let connected = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.keep_connected().await }
        });
        while store.is_away() {
            tokio::task::yield_now().await;
        }
        Self {
            limiter: Arc::new(limiter),
            clock,
            events,
            connected,
        }
    }

    async fn admits(&self, subject: Subject, quotas: &Quotas) -> bool {
        let slot = self.limiter.slot(subject);
        self.limiter.decide(subject, &slot, quotas, 1).await.admitted
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.connected.abort();
    }
}

/// The script and the pure function say the same of the same calls, also where the plan changes.
#[test]
fn the_script_decides_as_the_function_does() {
    let server = ThrowawayValkey::start();
    let runtime = Runtime::new().unwrap();
    let node = runtime.block_on(Node::over(&server, DEADLINE));
    let store = Arc::clone(node.limiter.shared().unwrap());
    let quota = || {
        (1_u32..40, 1_000_u64..600_000)
            .prop_map(|(limit, window)| Quota::new(limit, Duration::from_millis(window)).unwrap())
    };
    let quotas = (quota(), quota()).prop_map(|(minute, hour)| Quotas {
        minute,
        hour: Some(hour),
    });
    let gap = prop_oneof![Just(0), 1_u64..100_000, 1_u64..5_000_000, 1_u64..400_000_000];
    let call = (gap, 0_u32..45, prop_oneof![9 => Just(0_usize), 1 => Just(1)]);
    let cases = (
        proptest::array::uniform2(quotas),
        proptest::collection::vec(call, 1..120),
    );
    let subjects = Mutex::new(0);
    TestRunner::new(ProptestConfig::with_cases(96))
        .run(&cases, |(plans, calls)| {
            let subject = {
                let mut last = subjects.lock().unwrap();
                *last += 1;
                key(*last)
            };
            let (mut state, mut now, mut plan) = (State::default(), TestClock::START, 0);
            for (gap, cost, change) in calls {
                now = now.saturating_add(Duration::from_micros(gap));
                plan = (plan + change) % 2;
                let quotas = &plans[plan];
                let expected = decide(&mut state, now, quotas, cost);
                let answer = runtime.block_on(store.decide_at(Some(now), subject, quotas, cost));
                prop_assert_eq!(answer, Some(expected));
            }
            Ok(())
        })
        .unwrap();
}

/// By the server's own time, as it is used: more calls than either node could count for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_admit_no_more_than_the_limit_in_each_of_ten_windows() {
    let server = ThrowawayValkey::start();
    let nodes = [
        Node::over(&server, DEADLINE).await,
        Node::over(&server, DEADLINE).await,
    ];
    let quotas = Quotas::from("20/1s".parse::<Quota>().unwrap());
    let mut admitted: Vec<u64> = Vec::new();
    // The store's time is real time, so the test has to let it pass: it calls as fast as it is answered.
    while admitted
        .first()
        .zip(admitted.last())
        .is_none_or(|(first, last)| last - first < 10_000_000)
    {
        for node in &nodes {
            let store = node.limiter.shared().unwrap();
            let decision = store.decide(key(1), &quotas, 1).await.unwrap();
            if decision.admitted {
                let connection = store.connection.read().unwrap().clone().unwrap();
                let Connection::One(mut connection) = connection else {
                    panic!("no cluster")
                };
                let (seconds, micros): (u64, u64) =
                    redis::cmd("TIME").query_async(&mut connection).await.unwrap();
                admitted.push(seconds * 1_000_000 + micros);
            }
        }
    }
    // The time is asked for a moment after the decision, so that a span of 59 sixtieths is 58 here to be sure.
    for (index, start) in admitted.iter().enumerate() {
        let within = admitted
            .iter()
            .skip(index)
            .take_while(|at| **at < start + 966_666)
            .count();
        assert!(within <= 20, "{within} in a window");
    }
    assert!(admitted.len() >= 200, "{} in ten windows", admitted.len());
}

#[tokio::test]
async fn while_the_store_is_away_each_node_grants_its_share_and_comes_back_by_itself() {
    let mut server = ThrowawayValkey::start();
    let mut node = Node::over(&server, DEADLINE).await;
    node.limiter.set_nodes(3);
    let quotas = Quotas::per_minute_and_hour(60, 1_000);
    for _ in 0..5 {
        assert!(node.admits(key(1), &quotas).await);
    }
    server.kill();
    // A third of 60 is 20, of which this node granted 5 before.
    let mut granted = 0;
    for _ in 0..60 {
        granted += u32::from(node.admits(key(1), &quotas).await);
    }
    assert_eq!(granted, 15);
    assert_eq!(node.events.recv().await, Some(Event::Away));
    assert!(node.limiter.counts().is_alone);
    assert_eq!(node.limiter.counts().decided_alone, 60);
    server.start_again();
    assert_eq!(node.events.recv().await, Some(Event::Back));
    assert!(!node.limiter.counts().is_alone);
    assert!(node.admits(key(1), &quotas).await);
    assert_eq!(node.limiter.counts().decided_alone, 60);
    node.clock.advance(Duration::from_secs(61));
}

#[tokio::test]
async fn no_call_waits_longer_than_the_deadline_for_a_store_that_hangs() {
    let server = ThrowawayValkey::start();
    let mut node = Node::over(&server, Duration::from_millis(20)).await;
    server.pause();
    let quotas = Quotas::per_minute_and_hour(60, 1_000);
    assert!(node.admits(key(1), &quotas).await);
    assert_eq!(node.events.recv().await, Some(Event::Away));
    // From then on nobody waits at all.
    for _ in 0..59 {
        assert!(node.admits(key(1), &quotas).await);
    }
    assert!(!node.admits(key(1), &quotas).await);
    server.go_on();
    assert_eq!(node.events.recv().await, Some(Event::Back));
}

#[test]
fn urls_are_read_and_never_repeated() {
    for url in [
        "redis://127.0.0.1:6379/0",
        "rediss://user:secret@cache.example.com",
        "valkey://cache.example.com",
        "unix:///run/valkey.sock",
        "redis://a:1,redis://b:2",
        "redis://a:1?cluster=true",
    ] {
        assert!(ValkeySettings::new(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "http://example.com",
        "redis://",
        "secret",
        "redis://a,",
        "redis://a,http://b",
    ] {
        assert!(ValkeySettings::new(url).is_err(), "{url}");
    }
    let shown = format!("{:?}", ValkeySettings::new("redis://:secret@a").unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

/// Two servers that share the slots of one cluster, each gone with the test.
struct Cluster {
    _folder: tempfile::TempDir,
    servers: Vec<std::process::Child>,
    urls: Vec<String>,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            servers: Vec::new(),
            urls: Vec::new(),
            _folder: folder,
        };
        let mut ports = Vec::new();
        for number in 0..2 {
            let folder = cluster._folder.path().join(number.to_string());
            std::fs::create_dir(&folder).unwrap();
            let (server, port) = start_member(&folder);
            cluster.servers.push(server);
            cluster.urls.push(format!("redis://127.0.0.1:{port}"));
            ports.push(port);
        }
        for (url, (first, last)) in cluster.urls.iter().zip([(0, 8191), (8192, 16383)]) {
            let mut member = member(url).await;
            let mut add = redis::cmd("CLUSTER");
            add.arg("ADDSLOTSRANGE").arg(first).arg(last);
            add.query_async::<()>(&mut member).await.unwrap();
        }
        let mut first = member(&cluster.urls[0]).await;
        let mut meet = redis::cmd("CLUSTER");
        meet.arg("MEET").arg("127.0.0.1").arg(ports[1]);
        meet.query_async::<()>(&mut first).await.unwrap();
        for url in &cluster.urls {
            let mut member = member(url).await;
            let mut info = redis::cmd("CLUSTER");
            info.arg("INFO");
            while !info
                .query_async::<String>(&mut member)
                .await
                .unwrap()
                .contains("cluster_state:ok")
            {
                tokio::task::yield_now().await;
            }
        }
        cluster
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

async fn member(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).unwrap();
    loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => return connection,
            // It is starting.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Whether a port is free is known only once it is bound. The members of a cluster talk on a second one, 10,000 above.
fn start_member(folder: &std::path::Path) -> (std::process::Child, u16) {
    use std::{
        io::BufRead as _,
        process::{Command, Stdio},
    };
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = 20_000 + free.local_addr().unwrap().port() % 12_000;
        let program = ["valkey-server", "redis-server"].into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--cluster-enabled",
                "yes",
                "--port",
            ]);
            command.arg(port.to_string()).arg("--dir").arg(folder);
            command.stdout(Stdio::piped()).spawn().ok()
        });
        let mut server = program.expect("install valkey-server or redis-server");
        let mut lines = std::io::BufReader::new(server.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        if lines.any(|line| line.to_lowercase().contains("ready to accept connections")) {
            // It must not wait for somebody to read what it says.
            std::thread::spawn(move || lines.for_each(drop));
            return (server, port);
        }
        server.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_counts_each_key_where_it_belongs() {
    let cluster = Cluster::start().await;
    let url = cluster.urls.join(",");
    let settings = ValkeySettings::new(&url).unwrap().with_deadline(DEADLINE);
    let (sender, _events) = mpsc::unbounded_channel();
    let store =
        Arc::new(Valkey::new(&settings, Arc::new(TestClock::default()), Arc::new(Told(sender))).unwrap());
    let connected = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.keep_connected().await }
    });
    while store.is_away() {
        tokio::task::yield_now().await;
    }
    // So many that both members have some.
    let quotas = Quotas::from("3/1d".parse::<Quota>().unwrap());
    for subject in (0..40).map(key) {
        let mut admitted = Vec::new();
        for _ in 0..4 {
            admitted.push(store.decide(subject, &quotas, 1).await.unwrap().admitted);
        }
        assert_eq!(admitted, [true, true, true, false], "{subject}");
    }
    for url in &cluster.urls {
        let kept: u64 = redis::cmd("DBSIZE")
            .query_async(&mut member(url).await)
            .await
            .unwrap();
        assert!(kept > 0);
    }
    connected.abort();
}

#[tokio::test]
async fn what_is_none_of_ours_is_written_over_and_a_refusal_concerns_one_call_alone() {
    let server = ThrowawayValkey::start();
    let mut node = Node::over(&server, DEADLINE).await;
    let mut strange = member(&server.url()).await;
    let quotas = Quotas::per_minute_and_hour(60, 1_000);
    let name = format!("tigertrust:{{{}}}", key(1));
    for command in ["LPUSH", "SET", "APPEND"] {
        redis::cmd(command)
            .arg(&name)
            .arg("rubbish")
            .query_async::<()>(&mut strange)
            .await
            .unwrap();
        assert!(node.admits(key(1), &quotas).await, "{command}");
        assert_eq!(node.limiter.counts().decided_alone, 0, "{command}");
    }
    // A user that may no longer run scripts.
    let mut forbid = redis::cmd("ACL");
    forbid.arg("SETUSER").arg("default").arg("-evalsha").arg("-eval");
    forbid.query_async::<()>(&mut strange).await.unwrap();
    for _ in 0..3 {
        assert!(node.admits(key(2), &quotas).await);
    }
    assert_eq!(node.events.recv().await, Some(Event::Refused));
    assert!(node.events.try_recv().is_err());
    assert!(!node.limiter.counts().is_alone);
    assert_eq!(node.limiter.counts().decided_alone, 3);
}
