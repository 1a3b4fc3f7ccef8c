//! `tigertrust audit verify`: whether the log is as it was written.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Lines},
    path::Path,
};

use serde::Serialize;
use tigertrust::TigerTrust;
use tigertrust_accounts::audit::{Checkpoint as Signed, Finding, Landmark, Verified, Verifier};
use tigertrust_model::{AuditAction, AuditFilter, Chain};
use tigertrust_wire::{ArchiveHeader, ArchivedEvent, Checkpoint};

use crate::{cli::Common, failure::Failure, output};

/// What was looked at.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    chains: Vec<ChainReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChainReport {
    chain: String,
    whole: bool,
    /// How many events were looked at.
    events: u64,
    /// Of how many of them what is personal is erased.
    erased: u64,
    /// The place of the last.
    sequence: u64,
    /// What is wrong.
    finding: Option<String>,
}

impl ChainReport {
    fn new(chain: Chain, looked_at: Result<Verified, Finding>) -> Self {
        match looked_at {
            Ok(verified) => Self {
                chain: chain.to_string(),
                whole: true,
                events: verified.events,
                erased: verified.erased,
                sequence: verified.seq,
                finding: None,
            },
            Err(finding) => Self {
                chain: chain.to_string(),
                whole: false,
                events: 0,
                erased: 0,
                sequence: 0,
                finding: Some(finding.to_string()),
            },
        }
    }
}

/// Looks at the chains in the database.
pub async fn database(
    common: &Common,
    instance: &TigerTrust,
    only: Option<Chain>,
    checkpoints: Option<&Path>,
) -> Result<(), Failure> {
    let landmarks = match checkpoints {
        Some(path) => read_checkpoints(instance, path)?,
        None => HashMap::new(),
    };
    let audit = instance.audit();
    let mut chains: Vec<Chain> = match only {
        Some(chain) => vec![chain],
        None => audit.heads().await?.into_iter().map(|head| head.chain).collect(),
    };
    if only.is_none() {
        // A chain that is gone with its head is known from elsewhere.
        let known = known_chains(instance).await?;
        let elsewhere = landmarks.keys().copied().chain(known);
        let missing: Vec<Chain> = elsewhere.filter(|chain| !chains.contains(chain)).collect();
        chains.extend(missing);
        chains.sort_unstable();
        chains.dedup();
    }
    let mut reports = Vec::with_capacity(chains.len());
    for chain in chains {
        let landmark = landmarks.get(&chain).copied();
        reports.push(ChainReport::new(chain, audit.verify(chain, landmark).await?));
    }
    conclude(common, reports)
}

/// The chains that must be there: that of each workspace whose making was logged on the instance.
async fn known_chains(instance: &TigerTrust) -> Result<Vec<Chain>, Failure> {
    let filter = AuditFilter {
        actions: Some(vec![AuditAction::WorkspaceCreated]),
        ..AuditFilter::default()
    };
    let (mut known, mut after) = (Vec::new(), None);
    loop {
        let page = instance
            .audit()
            .list(Chain::Instance, filter.clone(), after, u16::MAX)
            .await?;
        let made = page.events.iter().filter_map(|event| event.target.as_ref());
        known.extend(made.filter_map(|target| target.id.parse().ok().map(Chain::Workspace)));
        after = page.next;
        if after.is_none() {
            return Ok(known);
        }
    }
}

/// The last checkpoint of each chain, each signed by this server.
fn read_checkpoints(instance: &TigerTrust, path: &Path) -> Result<HashMap<Chain, Landmark>, Failure> {
    let mut last: HashMap<Chain, Landmark> = HashMap::new();
    for (number, line) in lines(path)?.enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let at = |why: &str| Failure::new(format!("{}, line {}: {why}", path.display(), number + 1));
        let body: Checkpoint = serde_json::from_str(&line).map_err(|_| at("this is no checkpoint"))?;
        let checkpoint = body.read().ok_or_else(|| at("this is no checkpoint"))?;
        let key = Signed::public_key(instance.audit().ring(), &checkpoint.key)
            .ok_or_else(|| at("it was signed under a pepper that the key ring does not have"))?;
        if !checkpoint.is_signed_by(&key) {
            return Err(at("the signature is wrong, so that it says nothing"));
        }
        let known = last.entry(checkpoint.chain).or_insert(checkpoint.landmark);
        if checkpoint.landmark.seq >= known.seq {
            *known = checkpoint.landmark;
        }
    }
    Ok(last)
}

/// Looks at a file that `audit archive` wrote, and whether the chain in the database goes on where it ends.
pub async fn file(common: &Common, instance: &TigerTrust, path: &Path) -> Result<(), Failure> {
    let mut lines = lines(path)?;
    let header = lines.next().transpose()?.unwrap_or_default();
    let header = serde_json::from_str::<ArchiveHeader>(&header)
        .ok()
        .and_then(|header| header.read());
    let Some((chain, after, mac)) = header else {
        return Err(Failure::new(format!(
            "{} is no archive of the audit log",
            path.display()
        )));
    };
    let audit = instance.audit();
    let mut verifier = Verifier::after(audit.ring().clone(), chain, after, mac);
    for line in lines {
        let event = serde_json::from_str::<ArchivedEvent>(&line?).ok();
        let looked_at = match event.and_then(ArchivedEvent::read) {
            Some(event) => verifier.next(&event),
            None => Err(Finding::Changed {
                seq: verifier.seq() + 1,
            }),
        };
        if let Err(finding) = looked_at {
            return conclude(common, vec![ChainReport::new(chain, Err(finding))]);
        }
    }
    let verified = verifier.end_here();
    let head = audit.head(chain).await?;
    let goes_on = match &head {
        Ok(head) if head.archived == verified.seq => head.archived_mac == verified.mac,
        // An earlier part: the next file begins where this one ends.
        Ok(head) => head.archived > verified.seq,
        Err(_) => false,
    };
    let looked_at = if goes_on {
        Ok(verified)
    } else {
        Err(Finding::HeadElsewhere {
            seq: head.map_or(0, |head| head.archived),
        })
    };
    conclude(common, vec![ChainReport::new(chain, looked_at)])
}

pub(super) fn lines(path: &Path) -> Result<Lines<BufReader<File>>, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    Ok(BufReader::new(file).lines())
}

/// Says what was found; whatever is wrong is an error.
fn conclude(common: &Common, chains: Vec<ChainReport>) -> Result<(), Failure> {
    let broken = chains.iter().filter(|chain| !chain.whole).count();
    let report = Report { chains };
    output::print(common.output, &report, |report| {
        let rows = report.chains.iter().map(|chain| {
            let (events, state) = match &chain.finding {
                None => (chain.events.to_string(), "whole".to_owned()),
                Some(finding) => (String::new(), finding.clone()),
            };
            [chain.chain.clone(), events, state]
        });
        output::table(["CHAIN", "EVENTS", "STATE"], rows)
    })?;
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the audit log is not as it was written: {broken} of {} chains",
        report.chains.len()
    )))
}
