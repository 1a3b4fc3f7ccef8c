//! When and how often keys were used: it is counted in memory, and stored from there beside the requests.

use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};

use tigertrust_accounts::audit::{LoggedUsage, RefusalLog};
use tigertrust_credentials::{Admission, ports::StoreError};
use tigertrust_model::Clock;
use tigertrust_storage::Storage;

use crate::background::every;

/// How often it is stored when keys were last used.
const STORE_USES_EVERY: Duration = Duration::from_secs(5);
/// How often it is stored how often keys were used. What a crash loses is what waits.
const STORE_USAGE_EVERY: Duration = Duration::from_secs(1);
/// How many counts are stored at once.
const STORE_USAGE_OF: usize = 250;
/// From how many counts on that wait the process catches up, however busy it is: minutes would be told apart no longer.
const CATCH_UP_FROM: usize = 400_000;
/// From how many checks a second on, for each core, a process is held for busy. A core answers about a hundred thousand.
const BUSY_FROM: u64 = 20_000;

/// How much is stored each time. On a server on which a hundred thousand keys are used it would take most of the time otherwise; it
/// falls behind instead.
struct Share {
    /// For how many secrets it is stored when they were last used: each is a page of the database's log.
    uses: usize,
    /// For how long counts are stored.
    usage_for: Duration,
}

const AT_EASE: Share = Share {
    uses: 5_000,
    usage_for: Duration::from_millis(100),
};

/// While there are many to be answered, what can wait waits.
const BUSY: Share = Share {
    uses: 1_000,
    usage_for: Duration::from_millis(10),
};

/// How busy a process is with checks, from one look at it to the next.
struct Load {
    cores: u64,
    checks: u64,
    at: Duration,
}

impl Load {
    fn of_this_process(clock: &dyn Clock) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            cores: u64::try_from(cores).unwrap_or(1),
            checks: 0,
            at: clock.monotonic(),
        }
    }

    /// What may be stored, after so many checks in all at a time of the monotonic clock.
    fn share(&mut self, checks: u64, now: Duration) -> &'static Share {
        let new = checks.saturating_sub(self.checks);
        let took = now.saturating_sub(self.at);
        (self.checks, self.at) = (checks, now);
        let many = u128::from(self.cores * BUSY_FROM) * took.as_micros() / 1_000_000;
        if u128::from(new) > many { &BUSY } else { &AT_EASE }
    }
}

fn checks(admission: &Admission) -> u64 {
    admission.counts().checks.iter().map(|(_, count)| count).sum()
}

pub(crate) async fn keep_storing_uses(
    admission: Arc<Admission>,
    storage: Arc<Storage>,
    clock: Arc<dyn Clock>,
) {
    let mut load = Load::of_this_process(&*clock);
    let mut ticks = every(STORE_USES_EVERY);
    loop {
        ticks.tick().await;
        let share = load.share(checks(&admission), clock.monotonic());
        tell(
            admission.flush_some_uses(&*storage.uses(), share.uses).await,
            LAST_USES,
        );
    }
}

pub(crate) async fn keep_storing_usage(admission: Arc<Admission>, usage: LoggedUsage, clock: Arc<dyn Clock>) {
    let mut load = Load::of_this_process(&*clock);
    let mut ticks = every(STORE_USAGE_EVERY);
    loop {
        ticks.tick().await;
        let since = clock.monotonic();
        let share = match load.share(checks(&admission), since) {
            _ if admission.waiting_usage_counts() >= CATCH_UP_FROM => &AT_EASE,
            share => share,
        };
        loop {
            let stored = admission.flush_some_usage(&usage, STORE_USAGE_OF).await;
            let may_be_more = stored.as_ref().is_ok_and(|stored| *stored >= STORE_USAGE_OF);
            tell(stored.map(drop), USAGE);
            if !may_be_more || clock.monotonic().saturating_sub(since) >= share.usage_for {
                break;
            }
        }
    }
}

/// Stores when keys were last used, for the last time.
pub(crate) async fn store_uses(admission: &Admission, storage: &Storage) {
    tell(admission.flush_uses(&*storage.uses()).await, LAST_USES);
}

/// Stores how often keys were used, for the last time.
pub(crate) async fn store_usage(admission: &Admission, storage: &Storage, refusals: &RefusalLog) {
    let usage = LoggedUsage::new(storage.usage(), refusals.clone());
    tell(admission.flush_usage(&usage).await, USAGE);
}

const LAST_USES: &str = "when keys were last used";
const USAGE: &str = "how often keys were used";

/// What could not be stored is tried again the next time.
fn tell(stored: Result<(), StoreError>, what: &str) {
    if let Err(error) = stored {
        tracing::debug!(%error, "it could not be stored {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_stored_while_many_are_answered() {
        let mut load = Load {
            cores: 2,
            checks: 0,
            at: Duration::ZERO,
        };
        let mut uses = |checks, millis| load.share(checks, Duration::from_millis(millis)).uses;
        assert_eq!(uses(40_000, 1_000), AT_EASE.uses);
        assert_eq!(uses(80_001, 2_000), BUSY.uses);
        assert_eq!(uses(280_001, 7_000), AT_EASE.uses);
        // A clock that stands still.
        assert_eq!(uses(280_001, 7_000), AT_EASE.uses);
    }
}
