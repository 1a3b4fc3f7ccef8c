//! One webhook, and what was sent to it.

use std::time::Duration;

use maud::{Markup, html};
use tigertrust_accounts::{
    ports::Page,
    webhooks::{Delivery, DeliveryState, Webhook},
};
use tigertrust_http::ApiError;
use tigertrust_model::{AuditCursor, EventId, Timestamp, management};

use super::{delivery_state, form::goes_on_until, found, hears_of, kind, name, path, state};
use crate::{
    components::{empty, next_page, token},
    instant,
    layout::{self, Place},
    pages::audit::names::Names,
    visitor::{PageResult, Visitor},
};

/// How many deliveries a page lists.
const PAGE: u16 = 25;

const SOON: Duration = Duration::from_secs(10);

/// Which deliveries are shown: the word in the address, and what it is called.
const STATES: [(&str, &str); 4] = [
    ("", "All"),
    ("pending", "Pending"),
    ("delivered", "Delivered"),
    ("dead", "Dead"),
];

/// A page of deliveries.
struct Deliveries {
    items: Vec<Delivery>,
    /// The state that was asked for; empty for all.
    state: &'static str,
    is_first: bool,
    next: Option<EventId>,
}

async fn deliveries(visitor: &Visitor, webhook: &Webhook) -> Result<Deliveries, ApiError> {
    let query = visitor.query();
    let asked = query.or_empty("state");
    let state = STATES.iter().map(|(word, _)| *word).find(|word| *word == asked);
    let state = state.unwrap_or_default();
    let after: Option<EventId> = query.text("cursor").and_then(|text| text.parse().ok());
    let page = Page {
        after,
        limit: PAGE + 1,
    };
    let (actor, only) = (visitor.actor(), state.parse::<DeliveryState>().ok());
    let flows = &visitor.app().webhooks;
    let mut items = flows
        .deliveries(&actor, webhook.workspace, webhook.id, only, page)
        .await?;
    let more = items.len() > usize::from(PAGE);
    items.truncate(usize::from(PAGE));
    Ok(Deliveries {
        next: items.last().filter(|_| more).map(|last| last.event.id),
        items,
        state,
        is_first: after.is_none(),
    })
}

/// The webhook.
pub(super) async fn show(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    let found = deliveries(&visitor, &webhook).await?;
    let names = Names::of_creators(&visitor, [webhook.created_by]).await?;
    let now = visitor.now();
    let at = |below: &str| path(&visitor, webhook.id, below);
    let is_enabled = webhook.disabled.is_none();
    let content = html! {
        div.page-head {
            div {
                p { a href=(visitor.path("webhooks")) { "Webhooks" } }
                h1 { (name(&webhook)) }
            }
            div.actions {
                @if is_enabled { a.button.primary href=(at("/test")) { "Send a test event" } }
                a.button href=(at("/edit")) { "Edit" }
                a.button href=(at("/secret")) { "New secret" }
                a.button href=(at("/enabled")) { @if is_enabled { "Disable" } @else { "Enable" } }
                a.button.danger href=(at("/delete")) { "Delete" }
            }
        }
        section.card { h2 { "Settings" } (settings(&webhook, &names, now)) }
        (sent(&visitor, &webhook, &found, now))
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Webhooks,
        name(&webhook),
        &content,
    )))
}

fn settings(webhook: &Webhook, names: &Names, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            dt { "State" } dd { (state(webhook, now)) }
            dt { "URL" } dd { code { (webhook.url) } }
            dt { "Hears of" } dd { (hears_of(webhook)) }
            @if let Some(until) = goes_on_until(webhook, now) {
                dt { "Secret" } dd { "The one before goes on until " (instant::at(until)) "." }
            }
            dt { "Created" }
            dd { (instant::at(webhook.created_at)) " by " (names.creator(webhook.created_by)) }
            dt { "Id" } dd { code { (webhook.id) } }
        }
    }
}

fn sent(visitor: &Visitor, webhook: &Webhook, found: &Deliveries, now: Timestamp) -> Markup {
    let home = path(visitor, webhook.id, "");
    let own = match found.state {
        "" => home.clone(),
        state => format!("{home}?state={state}"),
    };
    // Later pages stay as they are, while somebody reads them.
    let refresh = found.is_first.then_some(own.as_str());
    let next = found.next.map(|last| {
        let joint = if found.state.is_empty() { "?" } else { "&" };
        format!("{own}{joint}cursor={last}")
    });
    html! {
        section.card.tight #deliveries data-refresh[refresh.is_some()] hx-get=[refresh] hx-trigger="refresh" hx-select="#deliveries"
            hx-swap="outerHTML" {
            div.card-head {
                h2 { "Deliveries" }
                nav.tabs aria-label="State" {
                    @for (word, title) in &STATES {
                        a href={ (home) @if !word.is_empty() { "?state=" (word) } "#deliveries" } aria-current=[(*word == found.state).then_some("true")] { (title) }
                    }
                }
            }
            @if found.items.is_empty() && found.state.is_empty() && found.is_first {
                (empty("Nothing was sent yet", "What happens in the workspace, and this webhook wants to hear of, is listed here. Send a test event to try it.", None))
            } @else if found.items.is_empty() {
                (empty("There is none", "No delivery is in that state.", Some((&home, "Show all deliveries"))))
            } @else {
                (table(visitor, webhook, &found.items, now))
                (next_page(next))
            }
            p.card-head.quiet.small {
                "What was delivered is listed for seven days, what was not for thirty. What fails is tried eleven times, over three days."
            }
        }
    }
}

fn table(visitor: &Visitor, webhook: &Webhook, items: &[Delivery], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Event" }
                        th scope="col" { "Happened" }
                        th scope="col" { "State" }
                        th scope="col" { "Last try" }
                        th scope="col" { "Next try" }
                        th scope="col" { span.visually-hidden { "What can be done" } }
                    }
                }
                tbody {
                    @for delivery in items {
                        tr {
                            th scope="row" data-label="Event" { div { (event(visitor, delivery)) } }
                            td data-label="Happened" { (instant::from_now(delivery.event.at, now)) }
                            td data-label="State" { (delivery_state(delivery.state)) }
                            td data-label="Last try" { div { (last_try(delivery, now)) } }
                            td data-label="Next try" { (next_try(delivery, webhook.disabled.is_none(), now)) }
                            td.actions-cell {
                                @if delivery.state != DeliveryState::Pending && webhook.disabled.is_none() {
                                    form method="post" action=(path(visitor, webhook.id, &format!("/deliveries/{}/redeliver", delivery.event.id))) {
                                        (token(visitor))
                                        button.button.small type="submit" { "Send again" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What it tells of; with the way to what the log says, which has the place in its data.
fn event(visitor: &Visitor, delivery: &Delivery) -> Markup {
    let told = &delivery.event;
    let data: serde_json::Value = serde_json::from_str(&told.data).unwrap_or_default();
    let place = data.get("sequence").and_then(serde_json::Value::as_u64);
    let place = place
        .filter(|_| visitor.may(&management::AUDIT_READ))
        .map(|seq| AuditCursor { at: told.at, seq });
    html! {
        @match place {
            Some(place) => a href=(visitor.path(&format!("audit/{place}"))) { (kind(&told.kind)) },
            None => (kind(&told.kind)),
        }
        p.quiet.small { code { (told.kind) } }
        p.quiet.small { code { (told.id) } }
    }
}

fn next_try(delivery: &Delivery, is_enabled: bool, now: Timestamp) -> Markup {
    html! {
        @match delivery.due_at {
            None => span.quiet { "none" },
            Some(_) if !is_enabled => span.quiet { "once it is enabled" },
            Some(at) if at <= now.saturating_add(SOON) => "within seconds",
            Some(at) => (instant::from_now(at, now)),
        }
    }
}

fn last_try(delivery: &Delivery, now: Timestamp) -> Markup {
    let answered = match (delivery.last_status, &delivery.last_error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => error.clone(),
        (None, None) => String::new(),
    };
    html! {
        @match delivery.last_try_at {
            None => span.quiet { "not tried yet" },
            Some(at) => {
                (instant::from_now(at, now)) ": " (answered)
                p.quiet.small { (delivery.tries) @if delivery.tries == 1 { " try" } @else { " tries" } }
            }
        }
    }
}
