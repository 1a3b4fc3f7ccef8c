//! From the outbox to the receivers: one try at a time.

use std::{fmt, sync::Arc, time::Duration};

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Timestamp, WebhookId};

use super::{
    Claim, DisabledBecause, DueQuery, DueWebhook, SendError, Webhook, WebhookMessage, WebhookParts,
    WebhookSecret, flows::place, retry_after,
};
use crate::Notice;

/// For how long whoever has claimed a delivery has it alone: more than any try takes.
pub const CLAIMED_FOR: Duration = Duration::from_secs(2 * 60);
/// A receiver that takes so long is slow.
const SLOW_FROM: Duration = Duration::from_secs(5);
/// The status of a receiver that wants no more (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// When it ended.
    pub at: Timestamp,
    /// With which status the receiver has answered, if it has.
    pub status: Option<u16>,
    /// Whether it took long.
    pub slow: bool,
    /// What follows from it.
    pub then: Then,
}

/// What follows from a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The receiver has taken it.
    Delivered,
    /// It is tried again.
    Again {
        /// When.
        due_at: Timestamp,
        /// What was wrong.
        error: String,
    },
    /// It is not tried again.
    Dead {
        /// What was wrong.
        error: String,
        /// Whether the receiver wants no more of anything.
        gone: bool,
    },
}

/// Brings out what is in the outbox. It decides nothing of when and how many: that is for whoever drives it.
#[derive(Clone)]
pub struct Outbox(pub(super) Arc<WebhookParts>);

impl Outbox {
    /// Webhooks to which something is to be sent now: see
    /// [`WebhookStore::due_webhooks`](super::WebhookStore::due_webhooks).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, query: DueQuery) -> Result<Vec<DueWebhook>, StoreError> {
        let parts = &self.0;
        parts.store.due_webhooks(parts.clock.now(), query).await
    }

    /// Claims at most so many deliveries to a webhook.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, webhook: WebhookId, limit: u16) -> Result<Vec<Claim>, StoreError> {
        let parts = &self.0;
        let now = parts.clock.now();
        let until = now.saturating_add(CLAIMED_FOR);
        parts.store.claim_deliveries(webhook, now, until, limit).await
    }

    /// Sends what was claimed, and says what follows from it: to be [noted](Self::note).
    pub async fn send(&self, claim: &Claim) -> Tried {
        let begun = self.0.clock.now();
        let answer = match self.secrets(claim) {
            Ok(secrets) => {
                let message = WebhookMessage {
                    url: claim.webhook.webhook.url.clone(),
                    event: claim.delivery.event.clone(),
                    secrets,
                    at: begun,
                };
                self.0.sender.send(&message).await
            }
            Err(error) => Err(error),
        };
        let at = self.0.clock.now();
        let slow = begun <= at.saturating_sub(SLOW_FROM);
        let (status, error) = match answer {
            Ok(status @ 200..=299) => {
                return Tried {
                    at,
                    status: Some(status),
                    slow,
                    then: Then::Delivered,
                };
            }
            Ok(status @ 300..=399) => (
                Some(status),
                format!("the receiver answered with status {status}: redirections are not followed"),
            ),
            Ok(status) => (
                Some(status),
                format!("the receiver answered with status {status}"),
            ),
            Err(SendError(why)) => (None, why),
        };
        let gone = status == Some(GONE);
        let pause = retry_after(claim.delivery.tries.saturating_add(1), self.chance()).filter(|_| !gone);
        let then = match pause {
            Some(pause) => Then::Again {
                due_at: at.saturating_add(pause),
                error,
            },
            None => Then::Dead { error, gone },
        };
        Tried {
            at,
            status,
            slow,
            then,
        }
    }

    /// Notes what came of a claim. Returns why the webhook was disabled with that, if it was.
    ///
    /// # Errors
    /// [`StoreError`]: then it is sent once more when the claim ends, and the receiver knows it by its id.
    pub async fn note(&self, claim: Claim, tried: Tried) -> Result<Option<DisabledBecause>, StoreError> {
        self.0.store.note_try(claim, tried).await
    }

    /// Tells those who look after the workspace that a webhook was disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tell_disabled(&self, webhook: &Webhook, because: DisabledBecause) -> Result<(), StoreError> {
        let notice = |workspace| Notice::WebhookDisabled {
            workspace,
            webhook: webhook.id,
            host: host(&webhook.url).to_owned(),
            because,
        };
        // A receiver can have itself disabled as often as somebody enables the webhook.
        if !self.0.stewards.may_be_told(webhook.workspace, self.0.clock.now()) {
            return Ok(());
        }
        self.0.stewards.tell(webhook.workspace, notice).await
    }

    /// What the message is signed with: two secrets while one takes the other's place.
    fn secrets(&self, claim: &Claim) -> Result<Vec<WebhookSecret>, SendError> {
        let stored = &claim.webhook;
        let missing = || SendError("the server's key ring lacks the key of the webhook's secret".to_owned());
        let ring = self.0.encryption.as_ref().ok_or_else(missing)?;
        let row = stored.webhook.id.to_string();
        let now = self.0.clock.now();
        let goes_on = |until: Timestamp| now < until;
        let previous = stored
            .previous_secret
            .as_ref()
            .filter(|_| stored.webhook.previous_secret_until.is_some_and(goes_on));
        std::iter::once(&stored.secret)
            .chain(previous)
            .map(|sealed| {
                ring.open(sealed, place(&row))
                    .map(WebhookSecret::from_bytes)
                    .map_err(|_| missing())
            })
            .collect()
    }

    /// Without randomness the pause is the shortest; that does no harm.
    fn chance(&self) -> u16 {
        let mut bytes = [0; 2];
        match self.0.random.fill(&mut bytes) {
            Ok(()) => u16::from_le_bytes(bytes),
            Err(_) => 0,
        }
    }
}

/// The host of a URL as it is stored, with its port: the rest may hold a secret.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
