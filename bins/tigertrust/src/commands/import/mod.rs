//! `tigertrust import keys`.

mod candidate;
mod fields;
mod report;
mod source;

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Write},
};

use tigertrust::TigerTrust;
use tigertrust_accounts::{Actor, ImportInto, Imported, MAX_IMPORT};
use tigertrust_credentials::KeyHash;
use tigertrust_model::WorkspaceId;

use self::{candidate::Candidate, report::Report, source::Source};
use super::{instance, key::only_workspace};
use crate::{
    cli::{Common, Export, ImportKeys},
    failure::Failure,
    output,
};

pub async fn run(common: &Common, args: ImportKeys) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let done = import(&instance, &args).await;
    instance.close().await;
    let report = done?;
    output::print(common.output, &report, Report::text)?;
    match report.refused {
        0 => Ok(()),
        refused => {
            let all = report.created + report.existing + refused;
            Err(Failure::new(format!("{refused} of {all} records are refused")))
        }
    }
}

async fn import(instance: &TigerTrust, args: &ImportKeys) -> Result<Report, Failure> {
    let home = match args.workspace {
        Some(id) => id,
        None => only_workspace(instance).await?,
    };
    let formats = instance.keys().formats();
    if let Some(id) = &args.key_format
        && formats.find(id).is_none()
    {
        return Err(Failure::new(format!(
            "there is no format {id}: see keys.formats in the configuration"
        )));
    }
    let text = source::read(&args.file)?;
    let mut source = match args.format {
        Export::Csv => Source::csv(&text)?,
        Export::Ndjson => Source::json(&text),
        Export::Unkey | Export::BetterAuth => Source::either(&text)?,
    };
    let mut report = Report {
        dry_run: args.dry_run,
        ..Report::default()
    };
    let progress = Progress::new();
    let mut seen = HashSet::new();
    loop {
        let batch = next_batch(&mut source, args, &mut report);
        if batch.is_empty() {
            break;
        }
        let first = batch.first().map_or(0, |(line, _)| *line);
        let stored = store(instance, home, args, batch, &mut seen, &mut report).await;
        stored.map_err(|error| {
            let before = if args.dry_run {
                "nothing is imported"
            } else if report.created + report.existing == 0 {
                "nothing is imported yet"
            } else {
                "what was before is imported: run it again to go on"
            };
            Failure::new(format!(
                "{error}\nIt stopped in the batch that begins with line {first}; {before}"
            ))
        })?;
        progress.show(
            source.percent(),
            report.created + report.existing + report.refused,
        );
    }
    progress.end();
    Ok(report)
}

/// The next records that can be read, as many as are stored at once; none at the end.
fn next_batch(source: &mut Source<'_>, args: &ImportKeys, report: &mut Report) -> Vec<(usize, Candidate)> {
    let mut batch = Vec::with_capacity(MAX_IMPORT);
    while batch.len() < MAX_IMPORT
        && let Some((line, record)) = source.next()
    {
        match record.and_then(|record| candidate::read(record, args)) {
            Ok(candidate) => batch.push((line, candidate)),
            Err(reason) => report.unreadable(line, reason),
        }
    }
    batch
}

async fn store(
    instance: &TigerTrust,
    home: WorkspaceId,
    args: &ImportKeys,
    batch: Vec<(usize, Candidate)>,
    seen: &mut HashSet<KeyHash>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut told = Vec::with_capacity(batch.len());
    let mut keys = Vec::with_capacity(batch.len());
    for (line, Candidate { key, left, notes }) in batch {
        // A trial stores nothing that a later batch could find.
        let hash = KeyHash::read(&key.hash).ok().filter(|_| args.dry_run);
        let is_repeated = hash.is_some_and(|hash| !seen.insert(hash));
        told.push((line, left, notes, is_repeated));
        keys.push(key);
    }
    let into = ImportInto::Workspace(home);
    let imported = instance
        .keys()
        .import(&Actor::operator(), into, keys, args.dry_run)
        .await?;
    for ((line, left, notes, is_repeated), imported) in told.into_iter().zip(imported) {
        let imported = match imported {
            Imported::Created(None) if is_repeated => Imported::Exists(None),
            imported => imported,
        };
        report.add(line, imported, left, notes);
    }
    Ok(())
}

/// How far an import is, for who looks on.
struct Progress {
    is_watched: bool,
}

impl Progress {
    const WIDTH: usize = 30;

    fn new() -> Self {
        Self {
            is_watched: io::stderr().is_terminal(),
        }
    }

    fn show(&self, percent: usize, records: usize) {
        if self.is_watched {
            let done = percent.min(100) * Self::WIDTH / 100;
            let bar = format!("{}{}", "#".repeat(done), ".".repeat(Self::WIDTH - done));
            // Nothing depends on whether anybody sees it.
            let _ = write!(io::stderr(), "\r[{bar}] {percent:>3} %, {records} records");
        }
    }

    fn end(&self) {
        if self.is_watched {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
