//! Limits that several nodes share, over Valkey or Redis.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, Script, aio::MultiplexedConnection,
    cluster::ClusterClient, cluster_async::ClusterConnection,
};
use tigertrust_model::{Clock, Timestamp};
use tokio::sync::Notify;

use crate::{Decision, LimiterEvents, Quota, Quotas, Subject, window::Reading};

/// How long one attempt to connect may take, and how long to wait before the next.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Where the shared limits are.
#[derive(Clone)]
pub struct ValkeySettings {
    urls: Vec<String>,
    is_cluster: bool,
    deadline: Duration,
}

/// The URL is not one of Valkey or Redis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a URL such as redis://127.0.0.1:6379/0, rediss://user:password@host for TLS, or several of one cluster with commas between them"
)]
pub struct ValkeyError;

impl ValkeySettings {
    /// How long a request waits, where nobody says otherwise.
    pub const DEADLINE: Duration = Duration::from_millis(20);

    /// The settings for `redis://` or `valkey://`, with TLS `rediss://` or `valkeys://`, `unix://` for a socket; several with
    /// commas between them, or one with `?cluster=true`, for a cluster.
    ///
    /// # Errors
    /// [`ValkeyError`]. It does not repeat the URL, which may hold a password.
    pub fn new(url: &str) -> Result<Self, ValkeyError> {
        let (url, is_named_cluster) = match url.strip_suffix("?cluster=true") {
            Some(url) => (url, true),
            None => (url, false),
        };
        let urls: Vec<String> = url.split(',').map(|url| url.trim().to_owned()).collect();
        let settings = Self {
            is_cluster: is_named_cluster || urls.len() > 1,
            urls,
            deadline: Self::DEADLINE,
        };
        for url in &settings.urls {
            url.as_str().into_connection_info().map_err(|_| ValkeyError)?;
        }
        settings.client().map(|_| settings)
    }

    /// The same with another time that a request waits for the store before its node decides alone.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    fn client(&self) -> Result<AnyClient, ValkeyError> {
        match self.urls.as_slice() {
            [url] if !self.is_cluster => {
                Client::open(url.as_str()).map(|client| AnyClient::One(Box::new(client)))
            }
            urls => ClusterClient::builder(urls.to_vec())
                .response_timeout(self.deadline)
                .connection_timeout(CONNECT_WITHIN)
                .retries(0)
                .build()
                .map(|client| AnyClient::Cluster(Box::new(client))),
        }
        .map_err(|_| ValkeyError)
    }
}

impl fmt::Debug for ValkeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValkeySettings")
            .field("is_cluster", &self.is_cluster)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

enum AnyClient {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A store of states that nodes share. Nothing is connected before [`keep_connected`](Self::keep_connected) runs, and while
/// nothing is, the store is away.
pub struct Valkey {
    client: AnyClient,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    events: Arc<dyn LimiterEvents>,
    script: Script,
    connection: RwLock<Option<Connection>>,
    is_away: AtomicBool,
    lost: Notify,
}

impl Valkey {
    /// A store at the place that the settings name.
    ///
    /// # Errors
    /// [`ValkeyError`].
    pub fn new(
        settings: &ValkeySettings,
        clock: Arc<dyn Clock>,
        events: Arc<dyn LimiterEvents>,
    ) -> Result<Self, ValkeyError> {
        Ok(Self {
            client: settings.client()?,
            deadline: settings.deadline,
            clock,
            events,
            script: Script::new(include_str!("spend.lua")),
            connection: RwLock::new(None),
            is_away: AtomicBool::new(true),
            lost: Notify::new(),
        })
    }

    /// Whether nodes decide alone, since the store does not answer.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Connects, and connects again whenever the store was lost: to run beside the requests as long as they are served. What
    /// connections need to live on is the runtime that this runs on.
    pub async fn keep_connected(&self) {
        let mut lost_at = self.clock.monotonic();
        let mut is_told = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    self.set(Some(connection));
                    self.is_away.store(false, Ordering::Relaxed);
                    if is_told {
                        self.events.back(self.clock.monotonic().saturating_sub(lost_at));
                    }
                    self.lost.notified().await;
                    lost_at = self.clock.monotonic();
                    is_told = true;
                }
                Err(why) => {
                    if !is_told {
                        self.events.away(&why);
                        is_told = true;
                    }
                    tokio::time::sleep(CONNECT_AGAIN_AFTER).await;
                }
            }
        }
    }

    /// A connection that the store has answered on.
    async fn connect(&self) -> Result<Connection, String> {
        let connect = async {
            let connection = match &self.client {
                AnyClient::One(client) => {
                    let config = AsyncConnectionConfig::new()
                        .set_connection_timeout(Some(CONNECT_WITHIN))
                        .set_response_timeout(Some(self.deadline.max(CONNECT_WITHIN)));
                    Connection::One(
                        client
                            .get_multiplexed_async_connection_with_config(&config)
                            .await?,
                    )
                }
                AnyClient::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
            };
            let load = self.script.prepare_invoke();
            match &mut connection.clone() {
                Connection::One(connection) => load.load_async(connection).await?,
                Connection::Cluster(connection) => load.load_async(connection).await?,
            };
            Ok::<_, redis::RedisError>(connection)
        };
        within(CONNECT_WITHIN, connect).await
    }

    /// Decides, by the store's time; `None` where it does not do so within the deadline.
    pub(crate) async fn decide(&self, subject: Subject, quotas: &Quotas, cost: u32) -> Option<Decision> {
        self.decide_at(None, subject, quotas, cost).await
    }

    async fn decide_at(
        &self,
        time: Option<Timestamp>,
        subject: Subject,
        quotas: &Quotas,
        cost: u32,
    ) -> Option<Decision> {
        let connection = self
            .connection
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let mut call = self.script.key(format!("tigertrust:{{{subject}}}"));
        call.arg(cost).arg(
            time.map(|time| time.unix_micros().to_string())
                .unwrap_or_default(),
        );
        for quota in std::iter::once(quotas.minute).chain(quotas.hour) {
            call.arg(u64::from(quota.window_millis()) * 1000)
                .arg(quota.limit());
        }
        let answer = match connection {
            Connection::One(mut connection) => {
                within(self.deadline, call.invoke_async(&mut connection)).await
            }
            Connection::Cluster(mut connection) => {
                within(self.deadline, call.invoke_async(&mut connection)).await
            }
        };
        let decision = answer.and_then(|answer: Vec<i64>| {
            decision(&answer, quotas, cost).ok_or_else(|| "an answer that is none of ours".to_owned())
        });
        decision.map_err(|why| self.lose(&why)).ok()
    }

    fn lose(&self, why: &str) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            self.set(None);
            self.events.away(why);
            self.lost.notify_one();
        }
    }

    fn set(&self, connection: Option<Connection>) {
        *self.connection.write().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// What the script answered.
fn decision(answer: &[i64], quotas: &Quotas, cost: u32) -> Option<Decision> {
    let (admitted, now, windows) = match answer {
        [admitted, now, windows @ ..] => (*admitted == 1, Timestamp::from_unix_micros(*now), windows),
        _ => return None,
    };
    let mut windows = windows.chunks_exact(4).map(|window| match window {
        [total, first, last, room_after] => Some(Reading {
            total: u32::try_from(*total).ok()?,
            ends: u64::try_from(*first).ok().zip(u64::try_from(*last).ok()),
            room_after: u64::try_from(*room_after).ok(),
        }),
        _ => None,
    });
    let mut reading = |quota: Quota| Some((quota, windows.next()??));
    let minute = reading(quotas.minute)?;
    let hour = match quotas.hour {
        Some(hour) => Some(reading(hour)?),
        None => None,
    };
    Some(Decision::new(admitted, now, minute, hour, cost))
}

/// What a call comes to, or why it does not.
async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, String> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {deadline:?}")),
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valkey")
            .field("is_away", &self.is_away)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
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
        Back,
    }

    struct Told(mpsc::UnboundedSender<Event>);

    impl LimiterEvents for Told {
        fn away(&self, _: &str) {
            self.0.send(Event::Away).unwrap();
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
}
