//! Work that does not end with its caller.

use tigertrust_credentials::ports::StoreError;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Runs work on a runtime of its own choice and waits for it at the end.
///
/// A caller may be dropped at any await: a client hangs up, a handler is timed out. What it started with the database
/// must nevertheless come to an end: a transaction must not stay open, a commit must be told to the caches, and a
/// connection must not go back to its pool with an answer outstanding. Also, a connection is driven by the runtime that
/// made it, which must not be that of a worker thread with an end of its own.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    tracker: TaskTracker,
    closing: CancellationToken,
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs work to its end, whether or not the caller waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.tracker.is_closed() {
            return Err(StoreError::unavailable("the storage is closed"));
        }
        self.tracker
            .spawn_on(work, &self.runtime)
            .await
            .map_err(|_| StoreError::unavailable("the work was cut off"))
    }

    /// Runs work until it is told to stop, by the token or by [`close`](Self::close).
    pub(crate) fn run_until_stopped(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> CancellationToken {
        let stop = self.closing.child_token();
        let until = stop.clone();
        let stoppable = async move {
            until.run_until_cancelled(work).await;
        };
        self.tracker.spawn_on(stoppable, &self.runtime);
        stop
    }

    /// Takes no more work and waits for what is under way.
    pub(crate) async fn close(&self) {
        self.tracker.close();
        self.closing.cancel();
        self.tracker.wait().await;
    }
}
