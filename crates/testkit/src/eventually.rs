//! Waiting for what happens within a bounded time.

use std::{fmt::Debug, time::Duration};

use tokio::time::{MissedTickBehavior, interval, timeout};

const ASK_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks again until the answer is the expected one: for what happens within a bounded time.
///
/// # Panics
/// After ten seconds.
pub async fn eventually<T: PartialEq + Debug>(expected: T, mut ask: impl AsyncFnMut() -> T) {
    let what = format!("it became {expected:?}");
    until(&what, PATIENCE, async || ask().await == expected).await;
}

/// Asks again until it is so.
pub(crate) async fn until(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if ask().await {
                return;
            }
        }
    };
    let done = timeout(patience, asking).await;
    done.unwrap_or_else(|_| panic!("never, within {patience:?}: {what}"));
}
