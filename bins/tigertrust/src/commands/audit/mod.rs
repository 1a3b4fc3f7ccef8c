//! `tigertrust audit`.

mod archive;
mod verify;
mod verify_report;

use std::io::{self, Write};

use tigertrust::TigerTrust;
use tigertrust_accounts::audit::{Checkpoint as Signed, Finding, MAX_PAGE};
use tigertrust_model::{Act, AuditAction, AuditCursor, AuditEvent as Event, AuditFilter, Chain};
use tigertrust_wire::{
    AuditEvent, Checkpoint, Page, audit_csv, audit_csv_headings, audit_ndjson, format_rfc3339,
};

use super::instance;
use crate::{
    cli::{Audit, Common, ExportFormat, WantedEvents},
    failure::Failure,
    output,
};

pub async fn run(common: &Common, verb: Audit) -> Result<(), Failure> {
    if let Audit::Verify {
        file: Some(file),
        checkpoint,
        ..
    } = &verb
    {
        return verify::file(common, file, checkpoint.as_deref()).await;
    }
    let instance = instance(common).await?;
    let done = match verb {
        Audit::List {
            wanted,
            limit,
            cursor,
        } => list(common, &instance, &wanted, limit, cursor).await,
        Audit::Export { wanted, format } => export(&instance, &wanted, format).await,
        Audit::Verify {
            chain, checkpoint, ..
        } => verify::database(common, &instance, chain, checkpoint.as_deref()).await,
        Audit::Checkpoint { chain } => checkpoint(&instance, chain).await,
        Audit::Restart { chain, yes } => restart(common, &instance, chain, yes).await,
        Audit::Archive { chain, before, to } => archive::run(common, &instance, chain, before, &to).await,
    };
    instance.close().await;
    done
}

fn filter(wanted: &WantedEvents) -> Result<AuditFilter, Failure> {
    let actions = match wanted.action.as_deref() {
        None => None,
        Some(text) => Some(AuditAction::named(text).ok_or_else(|| {
            Failure::new(format!(
                "--action {text}: must be an action such as key.revoked, or all that concerns one thing, such as key.*"
            ))
        })?),
    };
    Ok(AuditFilter {
        actions,
        actor: wanted.actor.clone(),
        target: wanted.target.clone(),
        outcome: wanted.outcome,
        from: wanted.from,
        until: wanted.to,
    })
}

async fn list(
    common: &Common,
    instance: &TigerTrust,
    wanted: &WantedEvents,
    limit: u16,
    cursor: Option<AuditCursor>,
) -> Result<(), Failure> {
    let found = instance
        .audit()
        .list(wanted.chain(), filter(wanted)?, cursor, limit.saturating_add(1))
        .await?;
    let place = |event: &Event| {
        let (at, seq) = (event.at, event.seq);
        AuditCursor { at, seq }.to_string()
    };
    let body = Page::of(found.events, limit, place, |event| AuditEvent::from(event));
    if body.items.is_empty() {
        hint_at_workspaces(wanted);
    }
    output::print(common.output, &body, |body| {
        let rows = body.items.iter().map(|event| {
            let target = event.target.as_ref().map(|target| target.id.clone());
            let origin = event.origin.as_ref().and_then(|origin| origin.address.clone());
            let outcome = match &event.code {
                Some(code) if event.count > 1 => format!("{code} ×{}", event.count),
                Some(code) => code.clone(),
                None => event.outcome.clone(),
            };
            [
                format_rfc3339(event.at),
                event.action.clone(),
                outcome,
                event
                    .actor
                    .id
                    .clone()
                    .unwrap_or_else(|| event.actor.r#type.clone()),
                target.unwrap_or_default(),
                origin.unwrap_or_default(),
            ]
        });
        let headings = ["TIME", "ACTION", "OUTCOME", "BY", "ON", "FROM"];
        super::key::with_cursor(output::table(headings, rows), body.next_cursor.as_deref())
    })
}

/// Tells who found nothing, and has named no chain, where most is.
fn hint_at_workspaces(wanted: &WantedEvents) {
    if wanted.chain.is_none() {
        eprintln!(
            "Nothing is found in the log of the instance. What concerns keys and members is in the log of their workspace: --chain ws_… \
             (`tigertrust workspace list`)."
        );
    }
}

async fn export(instance: &TigerTrust, wanted: &WantedEvents, format: ExportFormat) -> Result<(), Failure> {
    let filter = filter(wanted)?;
    let (name, write): (_, fn(&[Event]) -> String) = match format {
        ExportFormat::Ndjson => ("ndjson", audit_ndjson),
        ExportFormat::Csv => ("csv", audit_csv),
    };
    let audit = instance.audit();
    audit
        .note_export(&Act::of_operator(), wanted.chain(), name, &filter)
        .await?;
    let mut out = io::stdout().lock();
    if format == ExportFormat::Csv {
        out.write_all(audit_csv_headings().as_bytes())?;
    }
    let (mut after, mut is_empty) = (None, true);
    loop {
        let page = audit
            .list(wanted.chain(), filter.clone(), after, MAX_PAGE)
            .await?;
        out.write_all(write(&page.events).as_bytes())?;
        is_empty &= page.events.is_empty();
        after = page.next;
        if after.is_none() {
            if is_empty {
                hint_at_workspaces(wanted);
            }
            return Ok(out.flush()?);
        }
    }
}

async fn checkpoint(instance: &TigerTrust, chain: Option<Chain>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let (signed, broken) = checkpoints(instance, chain).await?;
    for checkpoint in signed {
        writeln!(out, "{}", serde_json::to_string(&checkpoint)?)?;
    }
    out.flush()?;
    broken.into_iter().next().map_or(Ok(()), Err)
}

/// How far the chains have come, and what is wrong with those whose head was changed: what is signed must be true.
pub async fn checkpoints(
    instance: &TigerTrust,
    only: Option<Chain>,
) -> Result<(Vec<Checkpoint>, Vec<Failure>), Failure> {
    let audit = instance.audit();
    let chains = match only {
        Some(chain) => vec![chain],
        None => audit.heads().await?.into_iter().map(|head| head.chain).collect(),
    };
    let (mut signed, mut broken) = (Vec::new(), Vec::new());
    for chain in chains {
        match audit.head(chain).await? {
            Ok(head) => signed.push(Checkpoint::from(&Signed::sign(audit.ring(), &head, audit.now()))),
            Err(finding) => broken.push(Failure::new(format!("{chain}: {finding}"))),
        }
    }
    Ok((signed, broken))
}

async fn restart(common: &Common, instance: &TigerTrust, chain: Chain, yes: bool) -> Result<(), Failure> {
    let audit = instance.audit();
    match audit.head(chain).await? {
        Ok(_) => {
            return Err(Failure::new(format!(
                "the head of {chain} is as it was written: there is nothing to restart"
            )));
        }
        // It may well be whole: who restarted it with the wrong key ring would hide that.
        Err(finding @ Finding::UnknownKey { .. }) => return Err(Failure::new(format!("{chain}: {finding}"))),
        Err(_) => {}
    }
    if !yes {
        return Err(Failure::new(format!(
            "somebody has changed the head of {chain} who has the database. Look with `tigertrust audit verify`, keep a copy of the \
             database and of your checkpoints, and add --yes: acts go on after the last event that is there, and the log says so"
        )));
    }
    audit.restart(Act::of_operator(), chain).await?;
    output::print(common.output, &(), |()| {
        format!("{chain} goes on. The log says so, and what its head said before.")
    })
}
