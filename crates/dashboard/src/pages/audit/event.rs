//! One event in full.

use maud::{Markup, html};
use tigertrust_accounts::{FlowError, audit::AuditFlows, to_hex};
use tigertrust_http::ApiError;
use tigertrust_model::{AuditCursor, AuditEvent, AuditFilter, AuditTarget, FieldChange, PersonalFields};
use tigertrust_wire::format_rfc3339;

use super::{names::Names, on_what, outcome, who, words::label};
use crate::{
    components::{badge, copyable},
    instant,
    layout::{self, Place},
    visitor::{PageResult, Visitor},
};

/// The event that the address names.
async fn found(visitor: &Visitor) -> Result<AuditEvent, ApiError> {
    let place: AuditCursor = visitor.id("event")?;
    // The list goes on behind where the event would be last: it comes first then.
    let filter = AuditFilter {
        from: Some(place.at),
        ..AuditFilter::default()
    };
    let before = AuditCursor {
        seq: place.seq.saturating_add(1),
        ..place
    };
    let chain = AuditFlows::chain_of(&visitor.actor())?;
    let log = &visitor.app().audit;
    let found = log.list(chain, filter, Some(before), 1).await?.events.pop();
    let found = found.filter(|event| event.seq == place.seq);
    Ok(found.ok_or(FlowError::NotFound)?)
}

/// The event.
pub(super) async fn show(visitor: Visitor) -> PageResult {
    let event = found(&visitor).await?;
    let names = Names::of(&visitor).await?;
    let names = names.and_of(&visitor, std::slice::from_ref(&event)).await?;
    let title = label(&event.action);
    let content = html! {
        div.page-head {
            div {
                p { a href=(visitor.path("audit")) { "Audit log" } }
                div.title {
                    h1 { (title) }
                    @if event.outcome != "success" { (badge("bad", &event.outcome)) }
                    @if event.count > 1 { (badge("", &format!("{} times", event.count))) }
                }
            }
        }
        div.grid {
            section.card { h2 { "What happened" } (what(&visitor, &event, &names)) }
            section.card { h2 { "From where" } (from_where(&event)) }
        }
        section.card.tight[!event.changes.is_empty()] { h2 { "Changes" } (changes(&event.changes)) }
        section.card { h2 { "Place in the chain" } (place(&event)) }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Audit,
        title,
        &content,
    )))
}

fn what(visitor: &Visitor, event: &AuditEvent, names: &Names) -> Markup {
    let seen = |parameter: &str, id: &str| {
        let text = serde_urlencoded::to_string([(parameter, id)]).unwrap_or_default();
        format!("{}?{text}", visitor.path("audit"))
    };
    html! {
        dl.facts {
            dt { "Action" } dd { code { (event.action) } }
            dt { "When" } dd { (instant::at(event.at)) p.quiet.small { code { (format_rfc3339(event.at)) } } }
            dt { "Outcome" } dd { (outcome(event)) }
            @if event.count > 1 {
                dt { "How often" } dd { (event.count) " times within a minute, counted together" }
            }
            dt { "Who" }
            dd {
                (who(event, names))
                @if let Some(id) = &event.actor {
                    @if let Some(email) = names.email(id) { p.quiet.small { (email) } }
                    @if event.actor_kind == "user" { p.quiet.small { code { (id) } } }
                    p { a href=(seen("actor", id)) { "All that they did" } }
                }
            }
            // A key of the workspace is both.
            @if let Some(id) = event.credential.as_ref().filter(|id| event.actor.as_ref() != Some(id)) {
                dt { @if id.starts_with("key_") { "By the key" } @else { "In the session" } }
                dd { code { (id) } p { a href=(seen("actor", id)) { "All that was done with it" } } }
            }
            dt { "On what" }
            dd {
                (on_what(visitor, event, names))
                @if let Some(target) = &event.target {
                    @if target.kind == "user" || target.kind == "workspace" { p.quiet.small { code { (target.id) } } }
                    p { a href=(seen("target", &target.id)) { "All that was done on it" } }
                    @if let Some(path) = page_of(target) { p { a href=(visitor.path(&path)) { "Go to it, as it is now" } } }
                }
            }
        }
    }
}

/// The page of what an event is about.
fn page_of(target: &AuditTarget) -> Option<String> {
    match target.kind.as_str() {
        "key" => Some(format!("keys/{}", target.id)),
        "webhook" => Some(format!("webhooks/{}", target.id)),
        _ => None,
    }
}

fn from_where(event: &AuditEvent) -> Markup {
    let none = html! { span.quiet { "not known" } };
    html! {
        dl.facts {
            @match &event.personal {
                None => {
                    dt { "Address" } dd { (erased()) }
                    dt { "User agent" } dd { (erased()) }
                }
                Some(PersonalFields { address, user_agent, details, .. }) => {
                    dt { "Address" } dd { @match address { Some(address) => code { (address) }, None => (none) } }
                    dt { "User agent" } dd { @match user_agent { Some(agent) => (agent), None => (none) } }
                    @for (name, value) in details { dt { (name) } dd { (value) } }
                }
            }
            dt { "Request" } dd { @match &event.request_id { Some(id) => code { (id) }, None => (none) } }
        }
        @if event.personal.is_none() {
            p.quiet { "What is personal goes with the account that it is about. The proof holds without it." }
        }
    }
}

fn erased() -> Markup {
    html! { span.quiet { "erased" } }
}

fn changes(changes: &[FieldChange]) -> Markup {
    let value = |value: Option<&str>| html! { @match value { Some(text) => code { (text) }, None => span.quiet { "nothing" } } };
    html! {
        @if changes.is_empty() {
            p.quiet { "It changed no fields." }
        } @else {
            div.scroll {
                table.stacking {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" } } }
                    tbody {
                        @for FieldChange { field, before, after } in changes {
                            tr {
                                th scope="row" data-label="Field" { (field) }
                                // What is secret or personal has no values in the log.
                                @if before.is_none() && after.is_none() {
                                    td data-label="Before" { span.quiet { "not shown" } }
                                    td data-label="After" { span.quiet { "changed, not shown" } }
                                } @else {
                                    td data-label="Before" { (value(before.as_deref())) }
                                    td data-label="After" { (value(after.as_deref())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn place(event: &AuditEvent) -> Markup {
    html! {
        dl.facts {
            dt { "Number" } dd { (event.seq) }
            dt { "Id" } dd { code { (event.id) } }
            dt { "Chain" } dd { code { (event.chain) } }
            dt { "Pepper" } dd { code { (event.key) } }
        }
        p.quiet { "The MAC covers the whole event and the one before it. Who has the database and not the key ring cannot make another that fits." }
        (copyable("mac", &to_hex(&event.mac), "the MAC"))
    }
}
