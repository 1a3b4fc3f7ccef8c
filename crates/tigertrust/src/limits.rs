//! What limits of rates need beside the requests: to be kept while no process runs.

use std::{sync::Arc, time::Duration};

use tigertrust_credentials::{
    RateLimits,
    ports::{SpendStore, StoreError},
};
use tigertrust_model::NodeId;
#[cfg(feature = "valkey")]
use tigertrust_rate_limit::LimiterEvents;

/// What keeps the spends of one process.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) store: Arc<dyn SpendStore>,
    pub(crate) node: NodeId,
}

impl Ledger {
    /// Takes up what the last process to stop had counted.
    pub(crate) async fn take_up(&self) {
        match self.store.take_spends().await {
            Ok(pieces) => {
                for piece in pieces {
                    if let Err(error) = self.limits.limiter().restore(&piece) {
                        tracing::warn!(%error, "some keys have their whole quota again");
                    }
                }
            }
            // Each key then has its whole quota once more, as after a crash.
            Err(error) => tracing::warn!(%error, "what keys had spent of their limits could not be read"),
        }
    }

    /// Leaves what was counted for the next process.
    pub(crate) async fn put_down(&self) {
        let pieces = self.limits.limiter().save();
        let saved: Result<(), StoreError> = async {
            if !pieces.is_empty() {
                self.store.save_spends(self.node, pieces).await?;
            }
            self.store.leave(self.node).await
        }
        .await;
        if let Err(error) = saved {
            tracing::warn!(%error, "what keys have spent of their limits could not be kept");
        }
    }
}

/// How often what says nothing any more is forgotten.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Tells the operator, once each time.
#[cfg(feature = "valkey")]
pub(crate) struct Told;

#[cfg(feature = "valkey")]
impl LimiterEvents for Told {
    fn away(&self, why: &str) {
        tracing::warn!(
            why,
            "the shared rate limits are away: until they are back each node grants its share of the limits"
        );
    }

    fn refused(&self, why: &str) {
        tracing::error!(
            why,
            "the shared rate limits refuse calls: each node decides those by its share of the limits"
        );
    }

    fn back(&self, after: Duration) {
        tracing::info!(?after, "the shared rate limits are back");
    }
}
