//! Brings webhooks out of the outbox, beside the requests.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_accounts::webhooks::{Claim, Outbox, Then};
use tigertrust_model::WebhookId;
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// How many webhooks are sent at once.
const LANES: usize = 128;
/// How many of them to one receiver: one that is slow must leave lanes to the others.
const LANES_OF_ONE: u16 = 4;

/// Brings webhooks out of the outbox, several at once: a receiver that is slow holds nobody up but itself. Other couriers may be at
/// work over the same database. What fails is in the outbox still, and so is what a crash has interrupted.
///
/// A clone is another handle to the same courier.
#[derive(Clone)]
pub struct Courier(Arc<Office>);

struct Office {
    outbox: Outbox,
    runtime: Handle,
    lanes: Arc<Semaphore>,
    round: Mutex<Round>,
    /// A lane is free again.
    freed: Notify,
    under_way: TaskTracker,
    closing: CancellationToken,
    closed: CancellationToken,
    delivered: AtomicU64,
    failed: AtomicU64,
}

/// Who is being sent to, and whose turn is next.
#[derive(Default)]
struct Round {
    busy: HashMap<WebhookId, u16>,
    after: Option<WebhookId>,
}

impl Courier {
    /// A courier, whose work is done on `runtime`.
    #[must_use]
    pub fn new(outbox: Outbox, runtime: Handle) -> Self {
        Self(Arc::new(Office {
            outbox,
            runtime,
            lanes: Arc::new(Semaphore::new(LANES)),
            round: Mutex::default(),
            freed: Notify::new(),
            under_way: TaskTracker::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Takes up what is to be sent now, as far as there are lanes, and returns how much that was. Receivers have turns, by their
    /// ids, so that nobody waits for ever.
    pub async fn take_up(&self) -> usize {
        let mut taken = 0;
        while !self.0.closing.is_cancelled() {
            let free = self.0.lanes.available_permits();
            let (after, full) = self.0.next();
            if free == 0 {
                break;
            }
            let limit = u16::try_from(free).unwrap_or(u16::MAX);
            let due = match self.0.outbox.due(after, full, limit).await {
                Ok(due) => due,
                // The feed says it when the database is away.
                Err(error) => {
                    tracing::debug!(%error, "it could not be read which webhooks are to be sent");
                    break;
                }
            };
            let mut claimed = 0;
            for webhook in &due {
                claimed += self.take_up_of(*webhook).await;
            }
            taken += claimed;
            self.0.round().after = due.last().copied();
            // At the end of a turn another one begins.
            if claimed == 0 && after.is_none() {
                break;
            }
        }
        taken
    }

    /// Waits until there is a lane again that was taken.
    pub async fn lane_freed(&self) {
        self.0.freed.notified().await;
    }

    /// Waits until nothing is under way.
    pub async fn rest(&self) {
        self.0.under_way.close();
        self.0.under_way.wait().await;
        self.0.under_way.reopen();
    }

    /// How many webhooks are being sent.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.under_way.len()
    }

    /// How many deliveries receivers have taken, all told.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// How many tries have failed, all told.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Takes up nothing more, and gives up what has not gone after `patience`: it is in the outbox still, for whoever comes next.
    pub async fn close(&self, patience: Duration) {
        let office = &self.0;
        office.closing.cancel();
        office.under_way.close();
        if timeout(patience, office.under_way.wait()).await.is_err() {
            office.closed.cancel();
            office.under_way.wait().await;
        }
    }

    async fn take_up_of(&self, webhook: WebhookId) -> usize {
        let office = &self.0;
        let free = LANES_OF_ONE.saturating_sub(office.round().busy.get(&webhook).copied().unwrap_or(0));
        // Lanes are taken before anything is claimed: what is claimed must not wait.
        let mut lanes: Vec<OwnedSemaphorePermit> = (0..free)
            .map_while(|_| Arc::clone(&office.lanes).try_acquire_owned().ok())
            .collect();
        let limit = u16::try_from(lanes.len()).unwrap_or(u16::MAX);
        if limit == 0 {
            return 0;
        }
        let claims = office.outbox.claim(webhook, limit).await;
        let claims = claims.unwrap_or_else(|error| {
            tracing::debug!(%error, "webhooks that are to be sent could not be claimed");
            Vec::new()
        });
        let count = claims.len();
        for (claim, lane) in claims.into_iter().zip(lanes.drain(..)) {
            let lane = Lane::new(office, webhook, lane);
            let courier = Arc::clone(office);
            let until_closed = async move {
                let _lane = lane;
                let closed = courier.closed.clone();
                let span = tracing::debug_span!(
                    parent: None,
                    "deliver webhook",
                    "tigertrust.webhook.id" = %webhook,
                    "tigertrust.event.id" = %claim.delivery.event.id,
                );
                let delivery = courier.deliver(claim).instrument(span);
                closed.run_until_cancelled(delivery).await;
            };
            office.under_way.spawn_on(until_closed, &office.runtime);
        }
        count
    }
}

impl Office {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After whom the next turn is, and who has no lane left.
    fn next(&self) -> (Option<WebhookId>, Vec<WebhookId>) {
        let round = self.round();
        let full = round.busy.iter().filter(|(_, taken)| **taken >= LANES_OF_ONE);
        (round.after, full.map(|(webhook, _)| *webhook).collect())
    }

    async fn deliver(&self, claim: Claim) {
        let (webhook, event) = (claim.webhook.webhook.id, claim.delivery.event.id);
        let tried = self.outbox.send(&claim).await;
        let count = match &tried.then {
            Then::Delivered => {
                tracing::debug!(%webhook, %event, "a webhook was delivered");
                &self.delivered
            }
            Then::Again { error, .. } => {
                tracing::info!(%webhook, %event, error, "a webhook will be tried again");
                &self.failed
            }
            Then::Dead { error, .. } => {
                tracing::warn!(%webhook, %event, error, "a webhook was given up");
                &self.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        match self.outbox.note(claim, tried).await {
            Ok(None) => {}
            Ok(Some(why)) => tracing::warn!(%webhook, %why, "a webhook was disabled"),
            Err(error) => {
                tracing::warn!(%webhook, %event, %error, "what came of a webhook could not be noted: it will be sent again");
            }
        }
    }
}

/// A lane that is taken, for one receiver; dropped, it is free.
struct Lane {
    office: Arc<Office>,
    webhook: WebhookId,
    lane: Option<OwnedSemaphorePermit>,
}

impl Lane {
    fn new(office: &Arc<Office>, webhook: WebhookId, lane: OwnedSemaphorePermit) -> Self {
        *office.round().busy.entry(webhook).or_default() += 1;
        Self {
            office: Arc::clone(office),
            webhook,
            lane: Some(lane),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut round = self.office.round();
        if let Some(taken) = round.busy.get_mut(&self.webhook) {
            *taken -= 1;
            if *taken == 0 {
                round.busy.remove(&self.webhook);
            }
        }
        drop(round);
        self.lane.take();
        self.office.freed.notify_one();
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("under_way", &self.under_way())
            .finish_non_exhaustive()
    }
}
