//! Takes away changes that nobody waits for any more, so that an embedded instance needs no other program beside it.

use std::{sync::Arc, time::Duration};

use tigertrust_model::Clock;
use tigertrust_storage::Storage;
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{MissedTickBehavior, interval},
};

/// How long changes stay readable for an instance that was away.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const EVERY: Duration = Duration::from_secs(10 * 60);
const BATCH: u32 = 10_000;

/// Pruning that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Pruning(AbortHandle);

impl Pruning {
    pub(crate) fn start(storage: Arc<Storage>, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        let pruning = async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let older_than = clock.now().saturating_sub(KEPT);
                match storage.prune_changes(older_than, BATCH).await {
                    Ok(removed) => tracing::debug!(removed, "old changes removed"),
                    Err(error) => tracing::debug!(%error, "old changes could not be removed"),
                }
            }
        };
        Self(runtime.spawn(pruning).abort_handle())
    }

    /// Ends it where it waits; a statement under way comes to its end by itself.
    pub(crate) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Pruning {
    fn drop(&mut self) {
        self.stop();
    }
}
