//! What `tigertrust audit verify` says.

use std::fmt::Display;

use serde::Serialize;
use tigertrust_accounts::audit::{Finding, Landmark, Verified};
use tigertrust_model::Chain;

use crate::{cli::Common, failure::Failure, output};

/// What was looked at.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    chains: Vec<ChainReport>,
}

/// What is to be said of one chain, or of a part of one in a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChainReport {
    chain: String,
    whole: bool,
    /// How many events were looked at.
    events: u64,
    /// Of how many of them what is personal is erased.
    erased: u64,
    /// How often it was restarted by an operator, since its head was tampered with.
    restarted: u64,
    /// The place of the last.
    sequence: u64,
    /// How many are before those that were looked at: in files.
    archived: u64,
    /// With how many checkpoints they agree.
    checkpoints: usize,
    /// Of a file: whether it was compared with the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared_with_database: Option<bool>,
    /// What is wrong.
    finding: Option<String>,
}

impl ChainReport {
    /// Of a chain in the database.
    pub(super) fn new(chain: Chain, looked_at: Result<Verified, Finding>, landmarks: &[Landmark]) -> Self {
        let (verified, finding) = match looked_at {
            Ok(verified) => (Some(verified), None),
            Err(finding) => (None, Some(finding.to_string())),
        };
        let verified = verified.as_ref();
        let sequence = verified.map_or(0, |verified| verified.seq);
        let events = verified.map_or(0, |verified| verified.events);
        let archived = sequence - events;
        let is_agreed =
            |landmark: &&Landmark| (archived..=sequence).contains(&landmark.seq) && finding.is_none();
        Self {
            chain: chain.to_string(),
            whole: finding.is_none(),
            events,
            erased: verified.map_or(0, |verified| verified.erased),
            restarted: verified.map_or(0, |verified| verified.restarted),
            sequence,
            archived,
            checkpoints: landmarks.iter().filter(is_agreed).count(),
            compared_with_database: None,
            finding,
        }
    }

    /// Of a file. The event before the first one is not in it, and agrees with nothing.
    pub(super) fn of_file(
        chain: Chain,
        looked_at: Result<Verified, Finding>,
        landmarks: &[Landmark],
        is_compared: bool,
    ) -> Self {
        let before = looked_at
            .as_ref()
            .map_or(0, |verified| verified.seq - verified.events);
        let within = landmarks.iter().filter(|landmark| landmark.seq > before);
        Self {
            compared_with_database: Some(is_compared),
            ..Self::new(chain, looked_at, &within.copied().collect::<Vec<_>>())
        }
    }

    fn state(&self) -> String {
        if let Some(finding) = &self.finding {
            return finding.clone();
        }
        let mut state = "whole".to_owned();
        if self.checkpoints > 0 {
            state.push_str(&format!(
                ", agrees with {}",
                counted(self.checkpoints, "checkpoint", "checkpoints")
            ));
        }
        match self.compared_with_database {
            None if self.archived == 1 => state.push_str(", 1 before is archived"),
            None if self.archived > 0 => state.push_str(&format!(", {} before are archived", self.archived)),
            None => {}
            // Whether files are missing between two of them is seen by these.
            Some(is_compared) => {
                state.push_str(&format!(", events {} to {}", self.archived + 1, self.sequence));
                if !is_compared {
                    state.push_str(", not compared with a database");
                }
            }
        }
        if self.restarted > 0 {
            state.push_str(&format!(
                ", restarted {}: see audit.restarted",
                counted(self.restarted, "time", "times")
            ));
        }
        state
    }
}

fn counted<N: PartialEq + From<u8> + Display>(number: N, one: &str, more: &str) -> String {
    let what = if number == N::from(1) { one } else { more };
    format!("{number} {what}")
}

/// Says what was found; whatever is wrong is an error.
pub(super) fn conclude(common: &Common, chains: Vec<ChainReport>) -> Result<(), Failure> {
    let broken = chains.iter().filter(|chain| !chain.whole).count();
    let report = Report { chains };
    output::print(common.output, &report, |report| {
        let rows = report.chains.iter().map(|chain| {
            let count = |count: u64| {
                if chain.whole {
                    count.to_string()
                } else {
                    String::new()
                }
            };
            [
                chain.chain.clone(),
                count(chain.events),
                count(chain.erased),
                chain.state(),
            ]
        });
        output::table(["CHAIN", "EVENTS", "ERASED", "STATE"], rows)
    })?;
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the audit log is not as it was written: {broken} of {} chains",
        report.chains.len()
    )))
}
