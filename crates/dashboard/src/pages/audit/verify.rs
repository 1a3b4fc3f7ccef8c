//! Whether the log is as it was written.

use actix_web::HttpResponse;
use maud::{Markup, html};
use tigertrust_accounts::{
    FlowError, Violation,
    audit::{AuditFlows, Checkpoint as Signed, Finding, Landmark, Verified},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{AuditAction, AuditEvent, AuditFilter, Chain};
use tigertrust_wire::Checkpoint;

use super::event_path;
use crate::{
    components::{Input, alert, copyable_lines, submit, summary, textarea, token},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor},
};

/// The most checkpoints to compare a log with at once: each is a signature, and others wait for this thread meanwhile.
const MAX_CHECKPOINTS: usize = 50;

/// What was found.
struct Report {
    looked_at: Result<Verified, Finding>,
    /// With how many checkpoints it was compared.
    checkpoints: usize,
    /// The event that is wrong, where it can be shown.
    event: Option<AuditEvent>,
}

/// Where the log is verified.
pub(super) async fn show(visitor: Visitor) -> PageResult {
    verify_page(&visitor, &Filled::empty(), None, None).await
}

/// Verifies it.
pub(super) async fn verify(visitor: Visitor, fields: Fields) -> PageResult {
    match report(&visitor, &fields).await {
        Ok(report) => verify_page(&visitor, &Filled::of(&fields), Some(&report), None).await,
        Err(error) if crate::pages::keys::is_of_form(&error) => {
            let form = Filled::refused(&fields, &error);
            verify_page(&visitor, &form, None, Some(&error)).await
        }
        Err(error) => Err(error),
    }
}

async fn report(visitor: &Visitor, fields: &Fields) -> Result<Report, ApiError> {
    let (app, chain) = (visitor.app(), AuditFlows::chain_of(&visitor.actor())?);
    // Before anything that takes its time.
    let _turn = page::turn_to_verify(app, chain).await?;
    let landmarks = landmarks(&app.audit, chain, fields.or_empty("checkpoints"))?;
    let mut looked_at = app.audit.verify(chain, &landmarks).await?;
    if looked_at.is_ok() && is_begun_anew(&app.audit, chain).await? {
        looked_at = Err(Finding::BegunAnew);
    }
    let by = visitor.user().id;
    let event = match &looked_at {
        Ok(_) => {
            tracing::info!(%chain, %by, "audit log verified");
            None
        }
        Err(finding) => {
            tracing::error!(%chain, %by, %finding, "the audit log was tampered with");
            wrong_event(&app.audit, chain, finding).await
        }
    };
    Ok(Report {
        looked_at,
        checkpoints: landmarks.len(),
        event,
    })
}

/// Whether somebody removed the whole chain, so that it was begun anew: the log of the instance knows that the workspace was made.
async fn is_begun_anew(audit: &AuditFlows, chain: Chain) -> Result<bool, FlowError> {
    let made = AuditFilter {
        actions: Some(vec![AuditAction::WorkspaceCreated]),
        target: Some(chain.to_string()),
        ..AuditFilter::default()
    };
    let is_known = match audit.list(Chain::Instance, made, None, 1).await {
        Ok(page) => !page.events.is_empty(),
        // What is wrong with that log is for its own readers.
        Err(FlowError::Store(StoreError::Corrupt { .. })) => false,
        Err(error) => return Err(error),
    };
    Ok(is_known && !audit.begins_with_its_making(chain).await?)
}

/// The checkpoints that were kept of a chain.
fn landmarks(audit: &AuditFlows, chain: Chain, text: &str) -> Result<Vec<Landmark>, FlowError> {
    let checkpoints = serde_json::Deserializer::from_str(text).into_iter::<Checkpoint>();
    let landmarks = checkpoints
        .take(MAX_CHECKPOINTS + 1)
        .enumerate()
        .map(|(index, body)| {
            let wrong = |why: &str| {
                FlowError::Invalid(vec![Violation::new(
                    "/checkpoints",
                    format!("number {}: {why}", index + 1),
                )])
            };
            if index == MAX_CHECKPOINTS {
                return Err(wrong(
                    "there may be 50 at the most; the newest say what the earlier ones do",
                ));
            }
            let checkpoint = body.ok().and_then(|body| body.read());
            let checkpoint = checkpoint.ok_or_else(|| wrong("this is no checkpoint"))?;
            let key = Signed::public_key(audit.ring(), &checkpoint.key);
            let key =
                key.ok_or_else(|| wrong("it was signed under a pepper that the key ring does not have"))?;
            if !checkpoint.is_signed_by(&key) {
                return Err(wrong("the signature is wrong, so that it says nothing"));
            }
            if checkpoint.chain != chain {
                return Err(wrong("it is of another log than that of this workspace"));
            }
            Ok(checkpoint.landmark)
        });
    landmarks.collect()
}

/// The event that a finding names. What cannot be read is not shown.
async fn wrong_event(audit: &AuditFlows, chain: Chain, finding: &Finding) -> Option<AuditEvent> {
    let (Finding::Changed { seq }
    | Finding::PersonalChanged { seq }
    | Finding::Missing { found: Some(seq), .. }
    | Finding::Stray { seq }
    | Finding::NotAsInCheckpoint { seq }
    | Finding::UnknownKey { seq: Some(seq), .. }) = finding
    else {
        return None;
    };
    let events = audit.read(chain, seq.saturating_sub(1)).await.ok()?;
    events.into_iter().next().filter(|event| event.seq == *seq)
}

async fn verify_page(
    visitor: &Visitor,
    form: &Filled,
    report: Option<&Report>,
    refused: Option<&ApiError>,
) -> Result<HttpResponse, ApiError> {
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    let checkpoint = page::checkpoint_of(visitor.app(), chain).await;
    let content = html! {
        div.page-head {
            div {
                p { a href=(visitor.path("audit")) { "Audit log" } }
                h1 { "Verify the log" }
            }
        }
        (summary(form, &["checkpoints"]))
        @if let Some(report) = report { (result(visitor, report)) }
        section.card {
            h2 { "Is it as it was written?" }
            div.prose {
                p {
                    "Each event bears a MAC of itself and of the event before it, under a key that the database does not hold. Whoever has the \
                     database alone can change, remove, add or move no event without the first one that is wrong being named here."
                }
                p.quiet { "All of the log in the database is read for that. A long log takes a while." }
            }
            form method="post" action=(visitor.path("audit/verify")) {
                (token(visitor))
                (textarea(form, &Input {
                    name: "checkpoints", label: "Checkpoints to compare it with",
                    hint: "Those that you have kept, one a line. May be left out.", ..Input::default()
                }, 3))
                div.actions { (submit("Verify")) }
            }
        }
        section.card {
            h2 { "Checkpoint of now" }
            (kept(checkpoint.as_ref()))
        }
    };
    Ok(layout::answer(
        layout::framed(visitor, Place::Audit, "Verify the audit log", &content),
        refused,
    ))
}

fn kept(checkpoint: Result<&Checkpoint, &ApiError>) -> Markup {
    let checkpoint = match checkpoint {
        Ok(checkpoint) => checkpoint,
        Err(error) => return alert(&error.problem().detail),
    };
    let text = serde_json::to_string(checkpoint).unwrap_or_default();
    html! {
        div.prose {
            p {
                "What no database proves by itself: that it is no whole copy of last week, and that nobody who has the key ring wrote it anew. \
                 A checkpoint does. It says, signed, that the log ended with event " (checkpoint.sequence) " now."
            }
            ol {
                li { "Keep it where nobody can write who has the database: with your auditors, or on a disk that is written once." }
                li { "Keep another from time to time, as after an audit." }
                li {
                    "Paste them above later. Whoever runs the server does the same for all logs by "
                    code { "tigertrust audit verify --checkpoint" } "."
                }
            }
        }
        (copyable_lines("checkpoint", &text, "the checkpoint"))
    }
}

fn result(visitor: &Visitor, report: &Report) -> Markup {
    match &report.looked_at {
        Ok(verified) => whole(verified, report.checkpoints),
        Err(finding) => broken(visitor, finding, report.event.as_ref()),
    }
}

fn whole(verified: &Verified, checkpoints: usize) -> Markup {
    let archived = verified.seq.saturating_sub(verified.events);
    html! {
        div.banner.good role="status" {
            p { strong { "The log is whole." } }
            @if verified.events == 0 {
                p { "There is no event in the database." }
            } @else {
                p { (events(verified.events)) ", from number " (archived + 1) " to " (verified.seq) ", stand as they were written, and none is missing." }
            }
            @if archived > 0 {
                p { (events(archived)) " before them are in files, which whoever runs the server verifies by " code { "tigertrust audit verify --file" } "." }
            }
            @if checkpoints > 0 {
                p { @if checkpoints == 1 { "It agrees with the checkpoint." } @else { "It agrees with the " (checkpoints) " checkpoints." } }
            }
            @if verified.erased > 0 {
                p { "Of " (events(verified.erased)) " address and user agent are gone, as happens when an account is erased." }
            }
        }
        @if verified.restarted > 0 {
            div.banner.warn {
                p {
                    "An operator let the log go on " (verified.restarted) @if verified.restarted == 1 { " time" } @else { " times" }
                    " after its head had been changed: see the events audit.restarted. What was cut off before that only an earlier checkpoint shows."
                }
            }
        }
    }
}

fn broken(visitor: &Visitor, finding: &Finding, event: Option<&AuditEvent>) -> Markup {
    html! {
        div.banner.bad role="alert" {
            p { strong { "The log is not as it was written." } }
            p { "What is wrong first: " (finding) "." }
            @if let Some(event) = event {
                p { a href=(visitor.path(&event_path(event))) { "Look at event " (event.seq) } }
            }
        }
        section.card {
            h2 { "What to do" }
            div.prose {
                ol {
                    li { "Keep what stands here, and the checkpoints that you have: they are evidence." }
                    li { "Tell whoever runs the server. The database is to be copied before anything else is done, and " code { "tigertrust audit verify" } " says the same of all logs." }
                    li { "Find out who can write to the database. Whatever stands before the place that is named is proven; what stands after it is not." }
                    li { "A backup that is whole puts the log right." }
                }
            }
        }
    }
}

fn events(count: u64) -> String {
    if count == 1 {
        "1 event".to_owned()
    } else {
        format!("{count} events")
    }
}
