//! The audit log: what happened, handed out, and proven to be as it was written.

mod event;
pub(super) mod names;
mod verify;
pub(super) mod words;

pub(crate) use words::label;

use std::time::Duration;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use tigertrust_accounts::audit::AuditFlows;
use tigertrust_http::{ApiError, page};
use tigertrust_model::{AuditCursor, AuditEvent};
use tigertrust_wire::{format_rfc3339, parse_rfc3339};

use self::{
    names::Names,
    words::{families, known},
};
use crate::{
    components::{Input, badge, empty, input, input_among, next_page, select, select_grouped, submit},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    routes::{Like, PathPages, asked, shown},
    visitor::{PageResult, Visitor, see_other},
};

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[];

/// How many events a page lists.
const PAGE: u16 = 50;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What is looked for, as the API calls it.
const CONDITIONS: [&str; 6] = ["action", "actor", "target", "outcome", "from", "to"];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let like: Like = (Method::GET, "/api/audit/events");
    vec![
        shown("/w/{id}/audit", like.clone(), list),
        shown("/w/{id}/audit/export", (Method::GET, "/api/audit/export"), export),
        asked("/w/{id}/audit/verify", like.clone(), verify::show, verify::verify),
        shown("/w/{id}/audit/{event}", like, event::show),
    ]
}

/// The path of an event, below the workspace: the time and the place in the chain, by which it is found at once.
pub(crate) fn event_path(event: &AuditEvent) -> String {
    let place = AuditCursor {
        at: event.at,
        seq: event.seq,
    };
    format!("audit/{place}")
}

/// What is looked for in the words of the API: people by their ids, and days as times.
fn conditions(query: &Fields, names: &Names) -> String {
    let pairs = CONDITIONS.iter().filter_map(|name| {
        let text = query.text(name)?;
        let value = match *name {
            "actor" | "target" => names.with_email(text).unwrap_or(text).to_owned(),
            "from" => midnight(text, Duration::ZERO),
            // The day that somebody names is looked at, too.
            "to" => midnight(text, DAY),
            _ => text.to_owned(),
        };
        Some((*name, value))
    });
    serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default()
}

/// When a day begins, or so much later. What is no day is refused as such.
fn midnight(day: &str, later: Duration) -> String {
    let text = format!("{day}T00:00:00Z");
    match parse_rfc3339(&text) {
        Ok(time) => format_rfc3339(time.saturating_add(later)),
        Err(_) => text,
    }
}

/// A page of the log.
struct Found {
    events: Vec<AuditEvent>,
    names: Names,
    next: Option<AuditCursor>,
}

async fn found(visitor: &Visitor, conditions: &str, names: Names) -> Result<Found, ApiError> {
    let filter = page::filter_of(conditions)?;
    let after = visitor.query().text("cursor").and_then(|text| text.parse().ok());
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    let log = &visitor.app().audit;
    let mut events = log.list(chain, filter, after, PAGE + 1).await?.events;
    let more = events.len() > usize::from(PAGE);
    events.truncate(usize::from(PAGE));
    let next = events.last().filter(|_| more).map(|last| AuditCursor {
        at: last.at,
        seq: last.seq,
    });
    let names = names.and_of(visitor, &events).await?;
    Ok(Found { events, names, next })
}

/// What happened in the workspace, newest first.
pub(crate) async fn list(visitor: Visitor) -> PageResult {
    let query = visitor.query();
    let names = Names::of(&visitor).await?;
    let (suggestions, asked) = (names.suggestions(), conditions(&query, &names));
    match found(&visitor, &asked, names).await {
        Ok(found) => {
            let content = results(&visitor, &query, &asked, &found);
            Ok(list_page(
                &visitor,
                &Filled::of(&query),
                &suggestions,
                &content,
                None,
            ))
        }
        Err(error) if super::keys::is_of_form(&error) => {
            let form = Filled::refused(&query, &error);
            // htmx puts nothing in place that was refused, and the events of another search would stay there.
            let is_part = visitor.request().headers().contains_key("hx-request");
            let text = match is_part {
                true => mistakes(&error),
                false => "What is wrong stands beside the field.".to_owned(),
            };
            let content = empty("Nothing was looked for", &text, None);
            let refused = Some(&error).filter(|_| !is_part);
            Ok(list_page(&visitor, &form, &suggestions, &content, refused))
        }
        Err(error) => Err(error),
    }
}

fn mistakes(error: &ApiError) -> String {
    let mistakes = error.problem().errors.iter();
    let mistakes = mistakes.map(|mistake| {
        let name = mistake.pointer.trim_start_matches('/');
        format!("{name} {}", mistake.detail)
    });
    mistakes.collect::<Vec<_>>().join("; ")
}

fn list_page(
    visitor: &Visitor,
    form: &Filled,
    people: &[(String, String)],
    results: &Markup,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let path = visitor.path("audit");
    let content = html! {
        div.page-head {
            div {
                h1 { "Audit log" }
                p.quiet { "Who did what in this workspace, and who tried in vain." }
            }
            a.button href={ (path) "/verify" } { "Verify the log" }
        }
        section.card.tight {
            form.card-head.filters.inline method="get" action=(path) role="search"
                hx-get=(path) hx-trigger="input changed delay:300ms, change" hx-target="#events" hx-select="#events"
                hx-swap="outerHTML" hx-push-url="true" hx-sync="this:replace" {
                (actions(form))
                (input_among(form, &Input { name: "actor", label: "Who", kind: "search", ..Input::default() }, people))
                (input_among(form, &Input { name: "target", label: "On what", kind: "search", ..Input::default() }, people))
                (select(form, &Input { name: "outcome", label: "Outcome", ..Input::default() }, &[
                    ("", "All"), ("success", "Done"), ("refused", "Refused"),
                ]))
                (input(form, &Input { name: "from", label: "From", kind: "date", ..Input::default() }))
                (input(form, &Input { name: "to", label: "To", kind: "date", ..Input::default() }))
                noscript { (submit("Filter")) }
                p.hint.small {
                    "Who, and on what: the address of a member, or the id of a person, key, session or webhook. Days are those of UTC, both included."
                }
            }
            div #events { (results) }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Audit, "Audit log", &content),
        refused,
    )
}

fn actions(form: &Filled) -> Markup {
    let mut groups: Vec<(&str, Vec<(String, String)>)> = families()
        .into_iter()
        .map(|family| {
            let all = (format!("{}.*", family.name), format!("All: {}", family.title));
            let each = family
                .actions
                .iter()
                .map(|action| (action.to_string(), known(*action).to_owned()));
            (family.title, [all].into_iter().chain(each).collect())
        })
        .collect();
    // What a link asks for that is in none of them is shown as it is, and not as everything.
    let chosen = form.fields.or_empty("action");
    let is_known = groups
        .iter()
        .flat_map(|(_, options)| options)
        .any(|(value, _)| value == chosen);
    if !chosen.is_empty() && !is_known {
        groups.push(("Other", vec![(chosen.to_owned(), chosen.to_owned())]));
    }
    let what = Input {
        name: "action",
        label: "What",
        ..Input::default()
    };
    select_grouped(form, &what, "Everything", &groups)
}

fn results(visitor: &Visitor, query: &Fields, asked: &str, found: &Found) -> Markup {
    let export = |format: &str| {
        let and = if asked.is_empty() { "" } else { "&" };
        format!("{}?format={format}{and}{asked}", visitor.path("audit/export"))
    };
    html! {
        @if found.events.is_empty() {
            (empty("No event is like that", "Look for less, or at all of them.", Some((&visitor.path("audit"), "Show all events"))))
        } @else {
            div.card-head {
                p.quiet { "The newest first. An export holds all that was looked for, and is logged itself." }
                div.actions {
                    a.button.small href=(export("csv")) { "Export as CSV" }
                    a.button.small href=(export("ndjson")) { "Export as NDJSON" }
                }
            }
            (table(visitor, found))
            (next_page(found.next.map(|next| next_path(visitor, query, next))))
        }
    }
}

fn next_path(visitor: &Visitor, query: &Fields, next: AuditCursor) -> String {
    let own = query
        .own()
        .filter(|(name, value)| CONDITIONS.contains(name) && !value.is_empty());
    let next = next.to_string();
    let pairs: Vec<(&str, &str)> = own.chain([("cursor", next.as_str())]).collect();
    let text = serde_urlencoded::to_string(pairs).unwrap_or_default();
    format!("{}?{text}", visitor.path("audit"))
}

fn table(visitor: &Visitor, found: &Found) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "When" }
                        th scope="col" { "What" }
                        th scope="col" { "Who" }
                        th scope="col" { "On what" }
                        th scope="col" { "Outcome" }
                    }
                }
                tbody {
                    @for event in &found.events {
                        tr {
                            td data-label="When" { (instant::at(event.at)) }
                            th scope="row" data-label="What" {
                                div {
                                    a href=(visitor.path(&event_path(event))) { (label(&event.action)) }
                                    @if event.count > 1 { " " (badge("", &format!("{} times", event.count))) }
                                    p.quiet.small { code { (event.action) } }
                                }
                            }
                            td data-label="Who" { div { (who(event, &found.names)) } }
                            td data-label="On what" { div { (on_what(visitor, event, &found.names)) } }
                            td data-label="Outcome" { div { (outcome(event)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Who did it.
pub(crate) fn who(event: &AuditEvent, names: &Names) -> Markup {
    let id = event.actor.as_deref().unwrap_or_default();
    // A personal key acts as its person.
    let by_key = event
        .credential
        .as_deref()
        .is_some_and(|id| id.starts_with("key_"));
    html! {
        @match event.actor_kind.as_str() {
            "user" => {
                (names.person(id))
                @if by_key { p.quiet.small { "by a personal key" } }
            }
            "operator" => "The operator",
            "system" => "TigerTrust itself",
            "anonymous" => "Nobody known",
            "key" => (names.key(id)),
            kind => { (thing(kind)) " " code { (id) } }
        }
    }
}

/// What it was done on.
fn on_what(visitor: &Visitor, event: &AuditEvent, names: &Names) -> Markup {
    let is_own = |id: &str| visitor.workspace().is_ok_and(|own| own.id.to_string() == id);
    html! {
        @match &event.target {
            None => span.quiet { "nothing named" },
            Some(target) => @match target.kind.as_str() {
                "user" => (names.person(&target.id)),
                "workspace" if is_own(&target.id) => "This workspace",
                "key" => (names.key(&target.id)),
                "operation" => code { (target.id) },
                kind => { (thing(kind)) " " code { (target.id) } }
            }
        }
    }
}

/// What kinds of principals and things are called.
fn thing(kind: &str) -> &str {
    match kind {
        "invitation" => "Invitation",
        "session" => "Session",
        "connection" => "Connection",
        "domain" => "Domain",
        "passkey" => "Passkey",
        "webhook" => "Webhook",
        "workspace" => "Workspace",
        "provider" => "Provider",
        other => other,
    }
}

/// Whether it happened, and why not.
fn outcome(event: &AuditEvent) -> Markup {
    html! {
        @match event.outcome.as_str() {
            "success" => span.quiet { "done" },
            other => {
                (badge("bad", other))
                @if let Some(code) = &event.code { p.quiet.small.whole { code { (code) } } }
            }
        }
    }
}

/// The log as a file, which is noted as one that was handed out by the API.
pub(crate) async fn export(visitor: Visitor) -> PageResult {
    // What is logged in somebody's name is not done by a link of somebody else's.
    if !page::comes_from_here(visitor.request()) {
        return Ok(see_other(&visitor.path("audit")));
    }
    page::export_audit(visitor.person(), visitor.request()).await
}
