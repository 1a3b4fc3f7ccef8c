//! Brings webhooks out of the outbox, beside the requests.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_accounts::webhooks::{Claim, DueQuery, DueWebhook, Outbox, Then};
use tokio::{runtime::Handle, sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, field};

use super::lanes::{Lanes, QUICK, SLOW};

/// Brings webhooks out of the outbox, several at once: a receiver that is slow holds nobody up but itself. Other couriers may be at
/// work over the same database. What fails is in the outbox still, and so is what a crash has interrupted.
///
/// A clone is another handle to the same courier.
#[derive(Clone)]
pub struct Courier(Arc<Office>);

struct Office {
    outbox: Outbox,
    runtime: Handle,
    quick: Arc<Lanes>,
    slow: Arc<Lanes>,
    /// A lane is free again.
    freed: Notify,
    under_way: TaskTracker,
    closing: CancellationToken,
    closed: CancellationToken,
    delivered: AtomicU64,
    failed: AtomicU64,
}

impl Courier {
    /// A courier, whose work is done on `runtime`.
    #[must_use]
    pub fn new(outbox: Outbox, runtime: Handle) -> Self {
        Self(Arc::new(Office {
            outbox,
            runtime,
            quick: Lanes::new(QUICK),
            slow: Lanes::new(SLOW),
            freed: Notify::new(),
            under_way: TaskTracker::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Takes up what is to be sent now, as far as there are lanes, and returns how much that was. Receivers have turns, by their
    /// ids, so that nobody waits for ever; and nobody has so many lanes that others wait for receivers that do not answer.
    pub async fn take_up(&self) -> usize {
        self.take_up_into(&self.0.quick, false).await + self.take_up_into(&self.0.slow, true).await
    }

    async fn take_up_into(&self, lanes: &Arc<Lanes>, slow: bool) -> usize {
        let mut taken = 0;
        while !self.0.closing.is_cancelled() {
            let Some(query) = lanes.next() else {
                break;
            };
            let first = query.after.is_none();
            let due = match self.0.outbox.due(DueQuery { slow, ..query }).await {
                Ok(due) => due,
                // The feed says it when the database is away.
                Err(error) => {
                    tracing::debug!(%error, "it could not be read which webhooks are to be sent");
                    break;
                }
            };
            let mut claimed = 0;
            for webhook in &due {
                claimed += self.take_up_of(webhook, lanes).await;
            }
            taken += claimed;
            lanes.turn_ends_with(due.last().map(|webhook| webhook.id));
            // At the end of a turn another one begins.
            if claimed == 0 && first {
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

    async fn take_up_of(&self, webhook: &DueWebhook, lanes: &Arc<Lanes>) -> usize {
        let office = &self.0;
        // Lanes are taken before anything is claimed: what is claimed must not wait.
        let lanes = lanes.take(webhook);
        let limit = u16::try_from(lanes.len()).unwrap_or(u16::MAX);
        if limit == 0 {
            return 0;
        }
        let claims = office.outbox.claim(webhook.id, limit).await;
        let claims = claims.unwrap_or_else(|error| {
            tracing::debug!(%error, "webhooks that are to be sent could not be claimed");
            Vec::new()
        });
        let count = claims.len();
        for (claim, lane) in claims.into_iter().zip(lanes) {
            let courier = Arc::clone(office);
            let until_closed = async move {
                let closed = courier.closed.clone();
                let span = tracing::debug_span!(
                    parent: None,
                    "deliver webhook",
                    "tigertrust.webhook.id" = %claim.webhook.webhook.id,
                    "tigertrust.event.id" = %claim.delivery.event.id,
                    "tigertrust.workspace.id" = %claim.webhook.webhook.workspace,
                    "otel.status_code" = field::Empty,
                );
                let delivery = courier.deliver(claim).instrument(span);
                closed.run_until_cancelled(delivery).await;
                drop(lane);
                courier.freed.notify_one();
            };
            office.under_way.spawn_on(until_closed, &office.runtime);
        }
        count
    }
}

impl Office {
    async fn deliver(&self, claim: Claim) {
        let (webhook, event) = (claim.webhook.webhook.id, claim.delivery.event.id);
        let tried = self.outbox.send(&claim).await;
        if !matches!(tried.then, Then::Delivered) {
            Span::current().record("otel.status_code", "ERROR");
        }
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
        let told = claim.webhook.webhook.clone();
        match self.outbox.note(claim, tried).await {
            Ok(None) => {}
            Ok(Some(why)) => {
                tracing::warn!(%webhook, %why, "a webhook was disabled");
                if let Err(error) = self.outbox.tell_disabled(&told, why).await {
                    tracing::warn!(%webhook, %error, "nobody could be told that a webhook was disabled");
                }
            }
            Err(error) => {
                tracing::warn!(%webhook, %event, %error, "what came of a webhook could not be noted: it will be sent again");
            }
        }
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("under_way", &self.under_way())
            .finish_non_exhaustive()
    }
}
