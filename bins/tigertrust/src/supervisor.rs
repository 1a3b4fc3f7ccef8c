//! What the service manager is told (`sd_notify`): nothing, where there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// The server answers requests.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The server takes up new settings.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager was not told"),
    }
}

/// The server comes to its end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says again and again that the server lives, if the service manager wants to hear it.
pub async fn keep_alive() {
    let mut micros = 0;
    if !sd_notify::watchdog_enabled(false, &mut micros) || micros == 0 {
        return;
    }
    // Half of the time, so that one that comes late does not end the server.
    let mut ticks = interval(Duration::from_micros(micros / 2 + 1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // The environment stays as it is: other threads read it.
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
