//! Signals to processes.

use std::{
    fmt::Display,
    process::{Command, Stdio},
};

/// Sends a process a signal, such as `TERM`. Returns whether it got it: it may be gone.
///
/// # Panics
/// Where no signal can be sent at all.
pub fn signal(name: &str, pid: impl Display) -> bool {
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", name, &pid.to_string()]).stderr(Stdio::null());
    sent.status().expect("kill runs").success()
}
