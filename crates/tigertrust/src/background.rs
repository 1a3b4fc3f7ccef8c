//! What an instance does beside the requests, by the clock.

use std::{sync::Arc, time::Duration};

use tigertrust_accounts::{
    HygieneReviews, UsageRetention,
    audit::{LoggedUsage, RefusalLog},
};
use tigertrust_credentials::{Admission, SteadyClock};
use tigertrust_model::{Clock, Granularity};
use tigertrust_storage::Storage;
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    key_uses::{keep_storing_usage, keep_storing_uses},
    limits::{Ledger, SWEEP_EVERY},
    presence::{BEAT_EVERY, Presence},
};

/// How long changes stay readable for a node or client that was away.
const CHANGES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often it is looked whether webhooks are to be sent.
#[cfg(feature = "webhooks")]
const LOOK_FOR_WEBHOOKS_EVERY: Duration = Duration::from_secs(1);
const PRUNE_BATCH: u32 = 10_000;
/// How often keys are looked at, and how long after a start: it is no time for what can wait.
const REVIEW_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const FIRST_REVIEW_AFTER: Duration = Duration::from_secs(10 * 60);
/// Refusals are counted together over this time.
const STORE_REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often it is tried to seal the heads of the audit log, until it was done once.
const RESEAL_EVERY: Duration = Duration::from_secs(10);
/// How often it is stored how late it is. What expires in so short a time before a crash may be good for as long after it.
const STORE_TIME_EVERY: Duration = Duration::from_secs(5);
/// From when on the operator is told that the clock of the machine is behind.
const WORTH_TELLING: Duration = Duration::from_secs(60);

/// Tasks that run until they are stopped or dropped.
pub(crate) struct Background(Vec<JoinHandle<()>>);

impl Background {
    pub(crate) fn start(
        storage: &Arc<Storage>,
        admission: &Arc<Admission>,
        clock: &Arc<dyn Clock>,
        retention: UsageRetention,
        ledger: &Ledger,
        refusals: &RefusalLog,
        runtime: &Handle,
    ) -> Self {
        let pruning = prune(Arc::clone(storage), Arc::clone(clock), retention);
        let uses = keep_storing_uses(Arc::clone(admission), Arc::clone(storage), Arc::clone(clock));
        let usage = keep_storing_usage(
            Arc::clone(admission),
            LoggedUsage::new(storage.usage(), refusals.clone()),
            Arc::clone(clock),
        );
        let limits = keep_limits(ledger.clone());
        let sealing = reseal(Arc::clone(storage));
        let refused = keep_storing_refusals(refusals.clone());
        let tasks = [
            runtime.spawn(pruning),
            runtime.spawn(uses),
            runtime.spawn(usage),
            runtime.spawn(limits),
            runtime.spawn(sealing),
            runtime.spawn(refused),
        ];
        Self(tasks.into_iter().chain(sharing(ledger, runtime)).collect())
    }

    /// The same, and time does not go back.
    pub(crate) fn and_time(
        mut self,
        storage: &Arc<Storage>,
        clock: &Arc<SteadyClock>,
        runtime: &Handle,
    ) -> Self {
        let keeping = keep_time(Arc::clone(storage), Arc::clone(clock));
        self.0.push(runtime.spawn(keeping));
        self
    }

    /// The same, and the others over the database know of it.
    pub(crate) fn and_presence(mut self, presence: &Arc<Presence>, runtime: &Handle) -> Self {
        self.0.push(runtime.spawn(keep_beating(Arc::clone(presence))));
        self
    }

    /// The same, and keys are reviewed.
    pub(crate) fn and_reviews(mut self, reviews: HygieneReviews, runtime: &Handle) -> Self {
        self.0.push(runtime.spawn(keep_reviewing(reviews)));
        self
    }

    /// The same, and webhooks are sent.
    #[cfg(feature = "webhooks")]
    pub(crate) fn and_webhooks(
        mut self,
        courier: tigertrust_notify::webhooks::Courier,
        runtime: &Handle,
    ) -> Self {
        self.0.push(runtime.spawn(keep_sending(courier)));
        self
    }

    pub(crate) fn stop(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn prune(storage: Arc<Storage>, clock: Arc<dyn Clock>, retention: UsageRetention) {
    let mut ticks = every(PRUNE_EVERY);
    loop {
        ticks.tick().await;
        let older_than = clock.now().saturating_sub(CHANGES_KEPT);
        match storage.prune_changes(older_than, PRUNE_BATCH).await {
            Ok(removed) => tracing::debug!(removed, "old changes removed"),
            // The feed says it when the database is away.
            Err(error) => tracing::debug!(%error, "old changes could not be removed"),
        }
        if let Err(error) = storage.prune_sign_ins(clock.now(), PRUNE_BATCH).await {
            tracing::debug!(%error, "old sessions could not be removed");
        }
        let older_than = clock.now().saturating_sub(tigertrust_accounts::KEPT);
        if let Err(error) = storage.forget_requests(older_than).await {
            tracing::debug!(%error, "old requests could not be forgotten");
        }
        for granularity in Granularity::ALL {
            let older_than = clock.now().saturating_sub(retention.of(granularity));
            match storage.prune_usage(granularity, older_than, PRUNE_BATCH).await {
                Ok(removed) => tracing::debug!(removed, %granularity, "old counts of usage removed"),
                Err(error) => tracing::debug!(%error, "old counts of usage could not be removed"),
            }
        }
        let webhooks = storage.webhooks();
        if let Err(error) = webhooks.forget_deliveries(clock.now(), PRUNE_BATCH).await {
            tracing::debug!(%error, "old deliveries of webhooks could not be forgotten");
        }
    }
}

#[cfg(feature = "webhooks")]
async fn keep_sending(courier: tigertrust_notify::webhooks::Courier) {
    let mut ticks = every(LOOK_FOR_WEBHOOKS_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = courier.lane_freed() => {}
        }
        courier.take_up().await;
    }
}

/// What sharing limits takes, where they are shared.
#[cfg(feature = "valkey")]
fn sharing(ledger: &Ledger, runtime: &Handle) -> Option<JoinHandle<()>> {
    let shared = ledger.limits.limiter().shared().map(Arc::clone)?;
    Some(runtime.spawn(async move { shared.keep_connected().await }))
}

#[cfg(not(feature = "valkey"))]
const fn sharing(_: &Ledger, _: &Handle) -> Option<JoinHandle<()>> {
    None
}

async fn keep_time(storage: Arc<Storage>, clock: Arc<SteadyClock>) {
    let mut ticks = every(STORE_TIME_EVERY);
    let mut is_told = false;
    loop {
        ticks.tick().await;
        store_time(&storage).await;
        let behind = clock.behind();
        let is_behind = behind > WORTH_TELLING;
        if is_behind && !is_told {
            tracing::warn!(
                seconds = behind.as_secs(),
                "the clock of this machine is behind the latest time that a server over this database has seen, which goes on: \
                 set the clock right; if it is right, run `tigertrust clock reset`"
            );
        } else if is_told && !is_behind {
            tracing::info!("the clock of this machine is right again");
        }
        is_told = is_behind;
    }
}

/// Stores how late it is.
pub(crate) async fn store_time(storage: &Storage) {
    // The feed says it when the database is away.
    if let Err(error) = storage.keep_time().await {
        tracing::debug!(%error, "it could not be stored how late it is");
    }
}

async fn keep_limits(ledger: Ledger) {
    let mut ticks = every(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        ledger.limits.sweep();
    }
}

async fn keep_beating(presence: Arc<Presence>) {
    let mut ticks = every(BEAT_EVERY);
    loop {
        ticks.tick().await;
        // The feed says it when the database is away.
        if let Err(error) = presence.beat().await {
            tracing::debug!(%error, "the other servers could not be told that this one runs");
        }
    }
}

/// Seals the audit log's heads under the current pepper, so that an earlier one can be taken away.
async fn reseal(storage: Arc<Storage>) {
    let mut ticks = every(RESEAL_EVERY);
    loop {
        ticks.tick().await;
        match storage.audit().reseal_heads().await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "the heads of the audit log could not be sealed anew"),
        }
    }
}

async fn keep_reviewing(reviews: HygieneReviews) {
    let mut ticks = every(REVIEW_EVERY);
    ticks.reset_after(FIRST_REVIEW_AFTER);
    loop {
        ticks.tick().await;
        match reviews.review_all().await {
            Ok(news) => tracing::info!(workspaces = news, "keys reviewed"),
            Err(error) => tracing::debug!(%error, "keys could not be reviewed"),
        }
    }
}

async fn keep_storing_refusals(refusals: RefusalLog) {
    let mut ticks = every(STORE_REFUSALS_EVERY);
    loop {
        ticks.tick().await;
        store_refusals(&refusals).await;
    }
}

/// Logs what was refused since the last time.
pub(crate) async fn store_refusals(refusals: &RefusalLog) {
    if let Err(error) = refusals.flush().await {
        tracing::warn!(%error, "some refusals could not be logged; that is tried again");
    }
}
