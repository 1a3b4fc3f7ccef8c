//! Limits that several nodes share, over Valkey or Redis.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, Script, ServerErrorKind,
    aio::MultiplexedConnection, cluster::ClusterClient, cluster_async::ClusterConnection,
};
use tigertrust_model::{Clock, Timestamp};
use tokio::sync::Notify;

use crate::{Decision, LimiterEvents, Quota, Quotas, Subject, window::Reading};

/// How long one attempt to connect may take, and how long to wait before the next.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How often the store is asked whether it is there, so that its loss is noticed where nobody calls.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A store that is lost sooner than this after it was found is not asked again at once.
const STEADY_AFTER: Duration = Duration::from_secs(5);
/// How often it is told that the store refuses calls.
const TELL_EVERY: Duration = Duration::from_secs(60);

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

    /// Tries whether the store is there, and takes what a limiter asks of it.
    ///
    /// # Errors
    /// Why not, in words for the operator that name no secret.
    pub async fn reach(&self, clock: Arc<dyn Clock>) -> Result<(), String> {
        let store = Valkey::new(self, clock, Arc::new(Silent)).map_err(|error| error.to_string())?;
        store.connect().await.map(drop)
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

/// Tells nobody.
struct Silent;

impl LimiterEvents for Silent {
    fn away(&self, _: &str) {}

    fn refused(&self, _: &str) {}

    fn back(&self, _: Duration) {}
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
    /// When it was last told that the store refused a call.
    refusal_told: Mutex<Option<Duration>>,
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
            refusal_told: Mutex::new(None),
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
                    let found_at = self.clock.monotonic();
                    self.watch().await;
                    if self.clock.monotonic().saturating_sub(found_at) < STEADY_AFTER {
                        tokio::time::sleep(ASK_EVERY).await;
                    }
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

    /// Returns when the store is lost: noticed by a request, or by being asked now and then.
    async fn watch(&self) {
        loop {
            if tokio::time::timeout(ASK_EVERY, self.lost.notified())
                .await
                .is_ok()
            {
                return;
            }
            let connection = self
                .connection
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let ping = redis::cmd("PING");
            let answer = match connection {
                Some(Connection::One(mut connection)) => {
                    within(CONNECT_WITHIN, ping.query_async::<()>(&mut connection)).await
                }
                Some(Connection::Cluster(mut connection)) => {
                    within(CONNECT_WITHIN, ping.query_async::<()>(&mut connection)).await
                }
                None => continue,
            };
            if let Err(failure) = answer {
                self.miss(&failure);
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
        within(CONNECT_WITHIN, connect)
            .await
            .map_err(|failure| failure.why)
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
            decision(&answer, quotas, cost).ok_or_else(|| Failure {
                why: "an answer that is none of ours".to_owned(),
                is_refusal: true,
            })
        });
        decision.map_err(|failure| self.miss(&failure)).ok()
    }

    /// A call that the store refuses is no reason to do without it for others.
    fn miss(&self, failure: &Failure) {
        if !failure.is_refusal {
            self.lose(&failure.why);
            return;
        }
        let now = self.clock.monotonic();
        let mut told = self.refusal_told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY) {
            *told = Some(now);
            self.events.refused(&failure.why);
        }
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
    let asked = if admitted { 0 } else { cost };
    Some(Decision::new(admitted, now, minute, hour, asked))
}

/// Why a call came to nothing.
struct Failure {
    why: String,
    /// Whether the store has answered, if only with a refusal of this call.
    is_refusal: bool,
}

/// What a call comes to, or why it does not.
async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure {
            // A replica that was a primary before takes no writes: another connection may find the new one.
            is_refusal: matches!(error.kind(), ErrorKind::Server(kind) if kind != ServerErrorKind::ReadOnly)
                || error.kind() == ErrorKind::Extension,
            why: error.to_string(),
        }),
        Err(_) => Err(Failure {
            why: format!("no answer within {deadline:?}"),
            is_refusal: false,
        }),
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
mod tests;
