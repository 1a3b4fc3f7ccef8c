//! `tigertrust audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tigertrust_model::{AuditCursor, AuditOutcome, Chain, Timestamp};

use super::{parse, time};

/// The audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List what was done, newest first
    List {
        /// Which events
        #[command(flatten)]
        wanted: WantedEvents,
        /// How many at the most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Where the page before ended
        #[arg(long, value_parser = parse::<AuditCursor>)]
        cursor: Option<AuditCursor>,
    },
    /// Write what was done to standard output, newest first
    Export {
        /// Which events
        #[command(flatten)]
        wanted: WantedEvents,
        /// How to write them
        #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
        format: ExportFormat,
    },
    /// Look whether the log is as it was written
    Verify {
        /// Only this chain: a workspace's id, or instance [default: all]
        #[arg(long, value_parser = parse::<Chain>, conflicts_with = "file")]
        chain: Option<Chain>,
        /// A file with checkpoints, one a line, that the log must agree with; their signatures are verified
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// Look at a file that `audit archive` wrote instead: the key ring is enough for that, and where there is the database,
        /// it must go on where the file ends
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print how far each chain has come, signed, to be kept elsewhere
    Checkpoint {
        /// Only this chain: a workspace's id, or instance [default: all]
        #[arg(long, value_parser = parse::<Chain>)]
        chain: Option<Chain>,
    },
    /// Let a chain go on whose head was tampered with; what is broken before stays to be seen
    Restart {
        /// The chain: a workspace's id, or instance
        #[arg(long, value_parser = parse::<Chain>)]
        chain: Chain,
        /// Confirm that the log was looked at, and kept
        #[arg(long)]
        yes: bool,
    },
    /// Move the beginning of a chain to a file
    Archive {
        /// The chain: a workspace's id, or instance
        #[arg(long, value_parser = parse::<Chain>)]
        chain: Chain,
        /// What happened before this time is moved
        #[arg(long, value_name = "TIME", value_parser = time)]
        before: Timestamp,
        /// The file to write, which must not be there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Which events. Conditions add up.
#[derive(Debug, Args)]
pub struct WantedEvents {
    /// The chain: a workspace's id, or instance for sign-ins, accounts and what concerns no workspace [default: instance]
    #[arg(long, visible_alias = "workspace", value_parser = parse::<Chain>)]
    pub chain: Option<Chain>,
    /// Only this action, such as key.revoked, or all that concerns one thing, such as key.*
    #[arg(long)]
    pub action: Option<String>,
    /// Only what this user, key or session did, by its id
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// Only what was done on this, by its id
    #[arg(long, value_name = "ID")]
    pub target: Option<String>,
    /// Only what happened (success) or did not (refused)
    #[arg(long, value_parser = parse::<AuditOutcome>)]
    pub outcome: Option<AuditOutcome>,
    /// Only from this time on, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
}

impl WantedEvents {
    /// The chain that is meant where none is named too.
    pub fn chain(&self) -> Chain {
        self.chain.unwrap_or(Chain::Instance)
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line
    Ndjson,
    /// For spreadsheets (RFC 4180)
    Csv,
}
