//! `tigertrust clock`.

use clap::Subcommand;

/// The time that servers go by.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Show the clock of this machine, and the latest time that a server over the database has seen
    Status,
    /// Take the latest time back to what the clock of this machine says; running servers follow within seconds
    Reset {
        /// Confirm that what has expired by the later time may be good again
        #[arg(long)]
        yes: bool,
    },
}
