//! `tigertrust audit verify`: whether the log is as it was written.

use std::{
    collections::{BTreeSet, HashSet},
    fs::File,
    io::{BufRead, BufReader, Lines},
    path::Path,
};

use tigertrust::TigerTrust;
use tigertrust_accounts::{
    FlowError,
    audit::{Checkpoint as Signed, Finding, Landmark, Verified, Verifier},
};
use tigertrust_credentials::{AuditRing, ports::StoreError};
use tigertrust_model::{AuditAction, AuditFilter, Chain};
use tigertrust_wire::{ArchiveHeader, ArchivedEvent, Checkpoint};

use super::verify_report::{ChainReport, conclude};
use crate::{cli::Common, commands::settings, failure::Failure, instance::open_ready};

/// Looks at the chains in the database.
pub async fn database(
    common: &Common,
    instance: &TigerTrust,
    only: Option<Chain>,
    checkpoints: Option<&Path>,
) -> Result<(), Failure> {
    let audit = instance.audit();
    let landmarks = checkpoints.map_or(Ok(Vec::new()), |path| read_checkpoints(audit.ring(), path))?;
    // First what is there, then what must be: what is made meanwhile is in both, or in neither.
    let stored = audit.stored_chains().await?;
    let known = known_chains(instance).await?;
    let mut chains: BTreeSet<Chain> = only.into_iter().collect();
    if only.is_none() {
        chains.extend(&stored);
        chains.extend(&known);
        chains.extend(landmarks.iter().map(|(chain, _)| chain));
        chains.insert(Chain::Instance);
    }
    let mut reports = Vec::with_capacity(chains.len());
    for chain in chains {
        let landmarks = landmarks_of(chain, &landmarks);
        let mut looked_at = audit.verify(chain, &landmarks).await?;
        if looked_at.is_ok() && is_begun_anew(instance, chain, &stored, &known).await? {
            looked_at = Err(Finding::BegunAnew);
        }
        reports.push(ChainReport::new(chain, looked_at, &landmarks));
    }
    conclude(common, reports)
}

/// The chains that must be there: that of each workspace whose making was logged on the instance.
async fn known_chains(instance: &TigerTrust) -> Result<HashSet<Chain>, Failure> {
    let filter = AuditFilter {
        actions: Some(vec![AuditAction::WorkspaceCreated]),
        ..AuditFilter::default()
    };
    let (mut known, mut after) = (HashSet::new(), None);
    loop {
        let page = instance
            .audit()
            .list(Chain::Instance, filter.clone(), after, u16::MAX)
            .await;
        let page = match page {
            Ok(page) => page,
            // What is wrong there is said of that chain.
            Err(FlowError::Store(StoreError::Corrupt { .. })) => return Ok(known),
            Err(error) => return Err(error.into()),
        };
        let made = page.events.iter().filter_map(|event| event.target.as_ref());
        known.extend(made.filter_map(|target| target.id.parse().ok().map(Chain::Workspace)));
        after = page.next;
        if after.is_none() {
            return Ok(known);
        }
    }
}

/// Whether somebody removed a chain with its head, so that it was begun anew with whatever was logged next. The making of a
/// workspace is logged twice, and what is missing in one place is still in the other.
async fn is_begun_anew(
    instance: &TigerTrust,
    chain: Chain,
    stored: &[Chain],
    known: &HashSet<Chain>,
) -> Result<bool, Failure> {
    let audit = instance.audit();
    if chain != Chain::Instance {
        return Ok(known.contains(&chain) && !audit.begins_with_its_making(chain).await?);
    }
    let is_archived = audit.head(chain).await?.is_ok_and(|head| head.archived > 0);
    if is_archived {
        return Ok(false);
    }
    for other in stored
        .iter()
        .filter(|other| **other != Chain::Instance && !known.contains(other))
    {
        if audit.first_is_its_making(*other).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at a file that `audit archive` wrote. The key ring is enough; where there is the database, it must go on where the file ends.
pub async fn file(common: &Common, path: &Path, checkpoints: Option<&Path>) -> Result<(), Failure> {
    let settings = settings(common, Vec::new())?;
    let keyring = settings.keyring.as_ref();
    let peppers = keyring.map(|keyring| keyring.peppers.clone());
    let ring = AuditRing::new(
        peppers.ok_or_else(|| Failure::new("there is no key ring to verify with: set keyring_file"))?,
    );
    let known = checkpoints.map_or(Ok(Vec::new()), |path| read_checkpoints(&ring, path))?;

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
    let landmarks = landmarks_of(chain, &known);
    let verifier = Verifier::after(ring, chain, after, mac).held_to(&landmarks);
    let mut looked_at = read_archive(lines, verifier);
    let mut is_compared = false;
    if let Ok(verified) = &looked_at
        && let Ok(instance) = open_ready(&settings).await
    {
        is_compared = true;
        let head = instance.audit().head(chain).await?;
        let goes_on = head.and_then(|head| match head.archived == verified.seq {
            true if head.archived_mac == verified.mac => Ok(()),
            // An earlier part: the next file begins where this one ends.
            false if head.archived > verified.seq => Ok(()),
            _ => Err(Finding::HeadElsewhere { seq: head.archived }),
        });
        instance.close().await;
        if let Err(finding) = goes_on {
            looked_at = Err(finding);
        }
    }
    let report = ChainReport::of_file(chain, looked_at, &landmarks, is_compared);
    conclude(common, vec![report])
}

fn read_archive(lines: Lines<BufReader<File>>, mut verifier: Verifier) -> Result<Verified, Finding> {
    for line in lines {
        let seq = verifier.seq() + 1;
        let event = line.ok().and_then(|line| serde_json::from_str(&line).ok());
        let event = event.and_then(ArchivedEvent::read);
        verifier.next(&event.ok_or(Finding::Changed { seq })?)?;
    }
    Ok(verifier.end_here())
}

fn landmarks_of(chain: Chain, landmarks: &[(Chain, Landmark)]) -> Vec<Landmark> {
    let of_chain = landmarks.iter().filter(|(of, _)| *of == chain);
    of_chain.map(|(_, landmark)| *landmark).collect()
}

/// The checkpoints in a file, each signed by this server.
fn read_checkpoints(ring: &AuditRing, path: &Path) -> Result<Vec<(Chain, Landmark)>, Failure> {
    let mut landmarks = Vec::new();
    for (number, line) in lines(path)?.enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let at = |why: &str| Failure::new(format!("{}, line {}: {why}", path.display(), number + 1));
        let body: Checkpoint = serde_json::from_str(&line).map_err(|_| at("this is no checkpoint"))?;
        let checkpoint = body.read().ok_or_else(|| at("this is no checkpoint"))?;
        let key = Signed::public_key(ring, &checkpoint.key)
            .ok_or_else(|| at("it was signed under a pepper that the key ring does not have"))?;
        if !checkpoint.is_signed_by(&key) {
            return Err(at("the signature is wrong, so that it says nothing"));
        }
        landmarks.push((checkpoint.chain, checkpoint.landmark));
    }
    if landmarks.is_empty() {
        return Err(Failure::new(format!("{} holds no checkpoint", path.display())));
    }
    Ok(landmarks)
}

fn lines(path: &Path) -> Result<Lines<BufReader<File>>, Failure> {
    let file = File::open(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    Ok(BufReader::new(file).lines())
}
