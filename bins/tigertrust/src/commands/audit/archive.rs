//! `tigertrust audit archive`: the beginning of a chain into a file.

#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::Path,
};

use serde::Serialize;
use tigertrust::TigerTrust;
use tigertrust_accounts::audit::{Segment, Verifier};
use tigertrust_model::{Act, Chain, ChainHead, Timestamp};
use tigertrust_wire::{ArchiveHeader, ArchivedEvent};

use crate::{cli::Common, failure::Failure, output};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Archived {
    chain: String,
    events: u64,
    sequence: u64,
}

/// Writes the events to the file, verifies them on the way, and removes them from the database once the file is on the disk.
pub async fn run(
    common: &Common,
    instance: &TigerTrust,
    chain: Chain,
    before: Timestamp,
    to: &Path,
) -> Result<(), Failure> {
    let audit = instance.audit();
    let head = audit.head(chain).await?;
    let broken = |finding| {
        Failure::new(format!(
            "{chain} is not archived, since it is not whole: {finding}"
        ))
    };
    let head = head.map_err(broken)?;
    let mut verifier = Verifier::after_archive(audit.ring().clone(), &head).map_err(broken)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // What is in it says who was where.
    #[cfg(unix)]
    options.mode(0o600);
    let file = options.open(to);
    let file = file.map_err(|error| Failure::new(format!("{} cannot be made: {error}", to.display())))?;
    let written = write(instance, &head, &mut verifier, before, file).await;
    let verified = verifier.end_here();
    // A file that is not whole, or holds nothing, is of no use, and would stand in the way of the next.
    if written.is_err() || verified.events == 0 {
        fs::remove_file(to)?;
    }
    written?;
    if verified.events == 0 {
        return Err(Failure::new(format!(
            "nothing in {chain} is older than {}",
            tigertrust_wire::format_rfc3339(before)
        )));
    }
    let segment = Segment {
        chain,
        seq: verified.seq,
        mac: verified.mac,
    };
    audit.drop_archived(Act::of_operator(), segment).await?;
    let archived = Archived {
        chain: chain.to_string(),
        events: verified.events,
        sequence: verified.seq,
    };
    output::print(common.output, &archived, |archived| {
        format!(
            "Moved {} events of {} to {}. Verify them with: tigertrust audit verify --file {}",
            archived.events,
            archived.chain,
            to.display(),
            to.display()
        )
    })
}

/// Writes what is older to the file, verified on the way, until it is on the disk.
async fn write(
    instance: &TigerTrust,
    head: &ChainHead,
    verifier: &mut Verifier,
    before: Timestamp,
    file: File,
) -> Result<(), Failure> {
    let (audit, chain) = (instance.audit(), head.chain);
    let broken = |finding| {
        Failure::new(format!(
            "{chain} is not archived, since it is not whole: {finding}"
        ))
    };
    let mut out = BufWriter::new(file);
    let header = ArchiveHeader::new(chain, head.archived, &head.archived_mac);
    writeln!(out, "{}", serde_json::to_string(&header)?)?;
    'pages: loop {
        let events = audit.read(chain, verifier.seq()).await?;
        if events.is_empty() {
            break;
        }
        for event in events {
            if event.at >= before {
                break 'pages;
            }
            verifier.next(&event).map_err(broken)?;
            writeln!(out, "{}", serde_json::to_string(&ArchivedEvent::from(event))?)?;
        }
    }
    let file = out.into_inner().map_err(|error| error.into_error())?;
    Ok(file.sync_all()?)
}
