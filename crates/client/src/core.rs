//! What all handles of a client share with its tasks.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "tokens")]
use crate::tokens::TokenVerifier;
use crate::{
    BuildError, NotAvailable, Verdict,
    accounts::Accounts,
    api::Api,
    changes::Changes,
    feed::{self, Running},
    question::Digest,
    reach::KnownReach,
    settings::Settings,
    state::Status,
    troubles::Troubles,
};

/// What came of a question.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Whether the account can serve others with it.
    pub(crate) is_kept: bool,
}

/// Tells those who wait for the answer to a question.
pub(crate) type Answer = watch::Sender<Option<Result<Outcome, NotAvailable>>>;
/// What they hear; nothing while it is being asked.
pub(crate) type Awaited = watch::Receiver<Option<Result<Outcome, NotAvailable>>>;

/// What the tasks of a client need.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) api: Api,
    pub(crate) changes: Changes,
    pub(crate) status: Status,
    pub(crate) accounts: Accounts,
    /// Why questions have no answer.
    pub(crate) troubles: Troubles,
    /// Questions that are being asked.
    pub(crate) asking: Mutex<HashMap<Digest, Awaited>>,
    /// What the service's own key hears of.
    pub(crate) reach: KnownReach,
    #[cfg(feature = "tokens")]
    pub(crate) tokens: TokenVerifier,
    pub(crate) is_closed: AtomicBool,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Core {
    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let kept = settings
            .life
            .max(settings.deadline)
            .saturating_add(settings.settle)
            .saturating_add(Duration::from_secs(1));
        Ok(Self {
            api: Api::new(&settings)?,
            changes: Changes::new(kept),
            status: Status::new(
                Arc::clone(&settings.clock),
                settings.staleness,
                settings.listeners.clone(),
            ),
            accounts: Accounts::new(settings.cache_size),
            troubles: Troubles::default(),
            asking: Mutex::default(),
            reach: KnownReach::default(),
            #[cfg(feature = "tokens")]
            tokens: TokenVerifier::new(settings.cache_size),
            is_closed: AtomicBool::new(false),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            settings,
        })
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Duration {
        self.settings.clock.monotonic()
    }

    /// Follows the feed, unless that is done already, or there is nothing to follow it for or with.
    pub(crate) fn start(self: &Arc<Self>) {
        if self.is_closed.load(Ordering::Acquire) || !self.settings.remembers() || self.status.is_running() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let Some(running) = Running::begin(self) else {
            return;
        };
        let closing = self.closing.clone();
        self.tasks.spawn_on(
            async move {
                closing.run_until_cancelled(feed::follow(running)).await;
            },
            &runtime,
        );
    }
}
