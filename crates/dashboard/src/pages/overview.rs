//! What there is to see at once: calls and refusals, the busiest keys, and keys that are worth a look.

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::{
    Finding, KeyFinding, UsageByKey,
    ports::{KeyView, Page},
};
use tigertrust_model::{Timestamp, management};

use super::key::{range, spans};
use crate::{
    chart,
    components::{badge, empty},
    instant,
    layout::{self, Place},
    routes::{PathPages, shown},
    visitor::{PageResult, Visitor, see_other},
};

/// How many of the busiest keys are shown.
const BUSIEST: u16 = 8;
/// How many keys are looked at for what is worth a look.
const LOOKED_AT: u16 = 200;
/// How many of them are shown.
const FINDINGS: usize = 8;

/// The overview, and the way to it.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![
        shown("/", (Method::GET, "/api/auth/me"), home),
        shown("/w/{id}", (Method::GET, "/api/usage"), show),
    ]
}

/// To the overview of the workspace that the person acts in by default.
pub(crate) async fn home(visitor: Visitor) -> PageResult {
    match visitor.record().default_workspace() {
        Some(workspace) => Ok(see_other(&format!("/w/{workspace}"))),
        None => Ok(see_other("/workspaces")),
    }
}

/// The overview.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let (app, actor) = (visitor.app(), visitor.actor());
    let (word, title, range) = range(&visitor)?;
    let usage = app.usage.of_all(&actor, range).await?;
    let busiest = app.usage.by_key(&actor, range, BUSIEST).await?;
    let findings = match visitor.may(&management::KEYS_READ) {
        false => Vec::new(),
        true => {
            let page = Page {
                after: None,
                limit: LOOKED_AT + 1,
            };
            app.hygiene.report(&actor, None, page).await?.findings
        }
    };
    // Whoever does not manage the workspace's keys sees the calls of their own alone, and is not to take them for all.
    let own = matches!(actor.view()?, KeyView::Own { .. });
    let now = visitor.now();
    let (all, refused) = (chart::total(&usage.outcomes), chart::refused(&usage.outcomes));
    let may_create = visitor.may(&management::KEYS_WRITE);
    let content = html! {
        div.page-head {
            h1 { "Overview" }
            @if may_create { a.button.primary href=(visitor.path("keys/new")) { "Create API Key" } }
        }
        section.card #calls data-refresh hx-get={ (visitor.path("")) "?over=" (word) } hx-trigger="refresh" hx-select="#calls" hx-swap="outerHTML" {
            div.card-head { h2 { @if own { "Requests with your keys" } @else { "Requests" } } (spans(&visitor.path(""), word)) }
            @if all == 0 {
                (empty(
                    if own { "No calls with your keys in this time" } else { "No calls in this time" },
                    if own {
                        "Once a program sends a key of yours, its calls and refusals are shown here within seconds."
                    } else {
                        "Once a program sends a key, its calls and refusals are shown here within seconds."
                    },
                    may_create.then_some((visitor.path("keys/new").as_str(), "Create API Key")),
                ))
            } @else {
                dl.figures {
                    div.figure { dt { "Calls" } dd { (chart::short(all)) } }
                    div.figure { dt { "Refused" } dd { (chart::short(refused)) } }
                    div.figure { dt { "Refused, of all" } dd { (percent(refused, all)) } }
                    div.figure { dt { "Keys in use" } dd { (busiest.keys.len()) @if busiest.keys.len() == usize::from(BUSIEST) { "+" } } }
                }
                (chart::usage(&usage, title))
            }
        }
        div.grid {
            section.card.tight { h2 { "Busiest keys" } (busy(&visitor, &busiest)) }
            section.card.tight { h2 { "Worth a look" } (worth_a_look(&visitor, &findings, now)) }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Overview,
        "Overview",
        &content,
    )))
}

fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn busy(visitor: &Visitor, busiest: &UsageByKey) -> Markup {
    html! {
        @if busiest.keys.is_empty() {
            (empty("None yet", "The keys that call most are listed here.", None))
        } @else {
            div.scroll {
                table {
                    thead { tr { th scope="col" { "Key" } th.number scope="col" { "Calls" } th.number scope="col" { "Refused" } } }
                    tbody {
                        @for used in &busiest.keys {
                            tr {
                                th scope="row" { a href=(visitor.path(&format!("keys/{}", used.key))) { (used.name) } }
                                td.number { (chart::short(chart::total(&used.outcomes))) }
                                td.number { (chart::short(chart::refused(&used.outcomes))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn worth_a_look(visitor: &Visitor, findings: &[KeyFinding], now: Timestamp) -> Markup {
    html! {
        @if findings.is_empty() {
            (empty("Nothing", "Keys that were reported as leaked, expire soon, are not used, are old, or may do more than they are used for are listed here.", None))
        } @else {
            ul.list {
                @for found in findings.iter().take(FINDINGS) {
                    li {
                        a href=(visitor.path(&format!("keys/{}", found.key))) { (found.name) }
                        (finding(&found.finding, now))
                    }
                }
            }
            @if findings.len() > FINDINGS { p.card-head.quiet { "And " (findings.len() - FINDINGS) " more." } }
        }
    }
}

fn finding(finding: &Finding, now: Timestamp) -> Markup {
    match finding {
        Finding::Leaked { since } => badge(
            "bad",
            &format!("reported as leaked {}", instant::distance(*since, now)),
        ),
        Finding::Expiring { at, urgent } => badge(
            if *urgent { "bad" } else { "warn" },
            &format!("expires {}", instant::distance(*at, now)),
        ),
        Finding::Unused { never: true, since } => badge(
            "",
            &format!("never used, made {}", instant::distance(*since, now)),
        ),
        Finding::Unused { since, .. } => badge("", &format!("last used {}", instant::distance(*since, now))),
        Finding::OverScoped { scopes, .. } => {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            badge("warn", &format!("does not use {}", names.join(", ")))
        }
        Finding::Old { since } => badge("warn", &format!("secret made {}", instant::distance(*since, now))),
    }
}
