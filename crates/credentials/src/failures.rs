//! How many credentials of one client network may fail before its look-ups share a narrow lane.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tigertrust_model::{Clock, Timestamp};
use tigertrust_rate_limit::{Decision, Quota, Quotas, State, decide};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{AuthError, limits::A_MOMENT};

/// How many networks are watched. Where more have failed, those that are not watched are taken for over their budget.
const MAX_NETWORKS: usize = 200_000;
/// How many look-ups of such networks go on at once, how many may wait, and how long.
const LANE: usize = 4;
const MAX_WAITING: usize = 256;
const WAIT: Duration = Duration::from_secs(2);
/// How often a table that is full is looked through for what says nothing any more.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// The network that a client cannot easily leave: an IPv4 address, or the 64 bits of an IPv6 address that a site is given. Clients
/// whose address nobody knows are in one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork(Option<IpAddr>);

impl ClientNetwork {
    /// The network of a client.
    #[must_use]
    pub fn of(client: Option<IpAddr>) -> Self {
        Self(client.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }))
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("unknown"),
            Some(address @ IpAddr::V4(_)) => write!(f, "{address}/32"),
            Some(address @ IpAddr::V6(_)) => write!(f, "{address}/64"),
        }
    }
}

/// The failures of all networks. A look-up enters, and who finds the credential no good says that it failed.
pub(crate) struct FailureBudget {
    quotas: Quotas,
    clock: Arc<dyn Clock>,
    networks: Mutex<HashMap<ClientNetwork, Failures>>,
    /// For networks that are over their budget.
    lane: Lane,
    /// For those that cannot be watched, which may have done nothing.
    unwatched: Lane,
    /// When the table was last found full, in microseconds of the monotonic clock.
    forgotten: AtomicU64,
    refused: AtomicU64,
}

#[derive(Default)]
struct Failures {
    counted: State,
    /// Look-ups that may yet fail.
    under_way: u32,
}

impl FailureBudget {
    pub(crate) fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self {
            quotas: quota.into(),
            clock,
            networks: Mutex::default(),
            lane: Lane::new(),
            unwatched: Lane::new(),
            forgotten: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Goes to look a credential up: at once for a network within its budget, else by the narrow lane.
    ///
    /// # Errors
    /// [`AuthError::RateLimited`] where too many wait for the lane already.
    pub(crate) async fn enter(&self, client: Option<IpAddr>) -> Result<LookUp<'_>, AuthError> {
        let network = ClientNetwork::of(client);
        let is_within = self.begin(network);
        let mut look_up = LookUp {
            budget: self,
            network,
            is_counted: is_within.is_some(),
            lane: None,
        };
        look_up.lane = match is_within {
            Some(true) => None,
            Some(false) => Some(self.lane.enter().await),
            None => Some(self.unwatched.enter().await),
        }
        .transpose()
        .map_err(|Full| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            refusal(None)
        })?;
        Ok(look_up)
    }

    /// Whether a network is within its budget, with one more look-up under way; `None` for one that cannot be watched.
    fn begin(&self, network: ClientNetwork) -> Option<bool> {
        let now = self.now();
        let mut networks = self.networks();
        if networks.len() >= MAX_NETWORKS && !networks.contains_key(&network) {
            self.forget_now_and_then(&mut networks, now);
            if networks.len() >= MAX_NETWORKS {
                return None;
            }
        }
        let failures = networks.entry(network).or_default();
        let left = decide(&mut failures.counted, now, &self.quotas, 0)
            .minute
            .remaining;
        failures.under_way += 1;
        // As long as nothing has failed, nobody is slowed.
        Some(left == self.quotas.minute.limit() || failures.under_way <= left)
    }

    fn forget_now_and_then(&self, networks: &mut HashMap<ClientNetwork, Failures>, now: Timestamp) {
        let micros = u64::try_from(now.unix_micros()).unwrap_or_default();
        let last = self.forgotten.load(Ordering::Relaxed);
        if last == 0 || Duration::from_micros(micros.saturating_sub(last)) >= FORGET_EVERY {
            self.forgotten.store(micros.max(1), Ordering::Relaxed);
            forget(networks, now);
        }
    }

    pub(crate) fn sweep(&self) {
        forget(&mut self.networks(), self.now());
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Elapsed time will do: failures are not kept for the next process.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(0).saturating_add(self.clock.monotonic())
    }

    fn networks(&self) -> MutexGuard<'_, HashMap<ClientNetwork, Failures>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(networks: &mut HashMap<ClientNetwork, Failures>, now: Timestamp) {
    networks.retain(|_, failures| failures.under_way > 0 || !failures.counted.is_empty_at(now));
}

fn refusal(decision: Option<Decision>) -> AuthError {
    AuthError::RateLimited {
        retry_after: Some(
            decision
                .and_then(|decision| decision.retry_after())
                .unwrap_or(A_MOMENT),
        ),
        policies: &["failures"],
    }
}

/// A look-up under way.
pub(crate) struct LookUp<'a> {
    budget: &'a FailureBudget,
    network: ClientNetwork,
    /// Whether the network is watched.
    is_counted: bool,
    lane: Option<SemaphorePermit<'a>>,
}

impl LookUp<'_> {
    /// Says that the credential was no good: `why`, or that the network has failed too often to be told.
    pub(crate) fn failed(&self, why: AuthError) -> AuthError {
        let now = self.budget.now();
        let mut networks = self.budget.networks();
        let decision = networks
            .get_mut(&self.network)
            .filter(|_| self.is_counted)
            .map(|failures| decide(&mut failures.counted, now, &self.budget.quotas, 1));
        if decision.is_some_and(|decision| decision.admitted) {
            why
        } else {
            self.budget.refused.fetch_add(1, Ordering::Relaxed);
            refusal(decision)
        }
    }
}

impl Drop for LookUp<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            return;
        }
        let now = self.budget.now();
        if let Entry::Occupied(mut place) = self.budget.networks().entry(self.network) {
            let failures = place.get_mut();
            failures.under_way = failures.under_way.saturating_sub(1);
            // Only who has failed takes room.
            if failures.under_way == 0 && failures.counted.is_empty_at(now) {
                place.remove();
            }
        }
    }
}

/// A few look-ups at once, and some that wait for a while.
struct Lane {
    places: Semaphore,
    waiting: AtomicUsize,
}

/// Too many wait, or it took too long.
struct Full;

impl Lane {
    const fn new() -> Self {
        Self {
            places: Semaphore::const_new(LANE),
            waiting: AtomicUsize::new(0),
        }
    }

    async fn enter(&self) -> Result<SemaphorePermit<'_>, Full> {
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= MAX_WAITING {
            return Err(Full);
        }
        match tokio::time::timeout(WAIT, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }
}

struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self {
            before: count.fetch_add(1, Ordering::Relaxed),
            count,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for FailureBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureBudget")
            .field("quotas", &self.quotas)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_a_site_of_ipv6() {
        let of = |text: &str| ClientNetwork::of(Some(text.parse().unwrap())).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7/32");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2:ffff::"), of("2001:db8:1:2::1"));
        assert_eq!(ClientNetwork::of(None).to_string(), "unknown");
    }

    #[derive(Default)]
    struct Still(Mutex<Duration>);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_micros(0)
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    /// Whether somebody whose credential is no good is told why.
    async fn is_told(budget: &FailureBudget, client: Option<IpAddr>) -> bool {
        told(&budget.enter(client).await.unwrap())
    }

    fn told(look_up: &LookUp<'_>) -> bool {
        matches!(look_up.failed(AuthError::KeyRevoked), AuthError::KeyRevoked)
    }

    fn client(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    #[tokio::test]
    async fn failures_of_a_network_are_told_up_to_its_budget_and_those_of_others_go_on() {
        let clock = Arc::new(Still::default());
        let budget = FailureBudget::new(Quota::per_minute(3), Arc::clone(&clock) as Arc<dyn Clock>);
        for _ in 0..3 {
            assert!(is_told(&budget, client(1)).await);
        }
        let refused = budget
            .enter(client(1))
            .await
            .unwrap()
            .failed(AuthError::KeyRevoked);
        assert!(
            matches!(
                refused,
                AuthError::RateLimited {
                    policies: ["failures"],
                    ..
                }
            ),
            "{refused:?}"
        );
        assert!(is_told(&budget, client(2)).await);
        *clock.0.lock().unwrap() += Duration::from_secs(60);
        assert!(is_told(&budget, client(1)).await);
        assert_eq!(budget.refused(), 1);
    }

    #[tokio::test]
    async fn a_network_over_its_budget_has_a_narrow_lane_and_nobody_waits_without_end() {
        let budget = FailureBudget::new(Quota::per_minute(1), Arc::new(Still::default()));
        budget
            .enter(client(1))
            .await
            .unwrap()
            .failed(AuthError::KeyRevoked);
        let in_lane = futures(&budget, LANE).await;
        assert!(in_lane.iter().all(|look_up| look_up.lane.is_some()));
        assert_eq!(budget.lane.places.available_permits(), 0);
        // Others are not in the way of each other.
        assert!(budget.enter(client(2)).await.unwrap().lane.is_none());
        let _full: Vec<Waiting<'_>> = (0..MAX_WAITING)
            .map(|_| Waiting::new(&budget.lane.waiting))
            .collect();
        assert!(budget.enter(client(1)).await.is_err());
        drop(in_lane);
        assert_eq!(budget.lane.places.available_permits(), LANE);
    }

    async fn futures(budget: &FailureBudget, count: usize) -> Vec<LookUp<'_>> {
        let mut entered = Vec::new();
        for _ in 0..count {
            entered.push(budget.enter(client(1)).await.unwrap());
        }
        entered
    }

    #[tokio::test]
    async fn look_ups_at_once_tell_no_more_failures_than_one_after_another() {
        let budget = FailureBudget::new(Quota::per_minute(2), Arc::new(Still::default()));
        let entered = futures(&budget, 2 + LANE).await;
        let told = entered.iter().filter(|look_up| told(look_up)).count();
        assert_eq!(told, 2);
    }

    #[tokio::test]
    async fn a_table_that_is_full_watches_no_more_and_lets_nobody_off() {
        let clock = Arc::new(Still::default());
        let budget = FailureBudget::new(Quota::per_minute(1), Arc::clone(&clock) as Arc<dyn Clock>);
        for number in 0..u32::try_from(MAX_NETWORKS).unwrap() {
            budget
                .enter(client(number))
                .await
                .unwrap()
                .failed(AuthError::KeyRevoked);
        }
        let look_up = budget.enter(client(u32::MAX)).await.unwrap();
        assert!(look_up.lane.is_some());
        assert!(!told(&look_up));
        drop(look_up);
        *clock.0.lock().unwrap() += Duration::from_secs(61);
        assert!(is_told(&budget, client(u32::MAX)).await);
    }
}
