//! Webhooks and their deliveries.

mod acts;
mod form;
mod one;

use actix_web::http::Method;
use maud::{Markup, html};
use tigertrust_accounts::{
    ports::Page,
    webhooks::{Delivery, DeliveryState, DisabledBecause, Webhook},
};
use tigertrust_http::ApiError;
use tigertrust_model::{Timestamp, WebhookId};

use super::audit::words::label;
use crate::{
    components::{badge, empty},
    instant,
    layout::{self, Place},
    routes::{Like, PathPages, asked, asked_once, shown},
    visitor::{PageResult, Visitor},
};

/// What a page says after something was done: see [`notice`](crate::notice).
pub(crate) const NOTICES: &[(&str, &str)] = &[
    ("webhook-saved", "The webhook is saved."),
    (
        "webhook-enabled",
        "The webhook is switched on. What has waited for it is sent now.",
    ),
    (
        "webhook-disabled",
        "The webhook is switched off. Nothing is sent to it, nor kept for it.",
    ),
    (
        "webhook-tested",
        "A test event is on its way. What comes of it is shown among the deliveries.",
    ),
    (
        "webhook-redelivered",
        "The event is sent once more. What comes of it is shown among the deliveries.",
    ),
    ("webhook-removed", "The webhook is deleted."),
];

/// Every path with its pages.
pub(crate) fn routes() -> Vec<PathPages> {
    let all = "/api/workspaces/{id}/webhooks";
    let one = "/api/workspaces/{id}/webhooks/{webhookId}";
    let edit: Like = (Method::PATCH, one);
    vec![
        shown("/w/{id}/webhooks", (Method::GET, all), list),
        asked_once(
            "/w/{id}/webhooks/new",
            (Method::POST, all),
            form::new,
            form::create,
        ),
        shown("/w/{id}/webhooks/{webhookId}", (Method::GET, one), one::show),
        asked(
            "/w/{id}/webhooks/{webhookId}/edit",
            edit.clone(),
            form::edit,
            form::save,
        ),
        asked(
            "/w/{id}/webhooks/{webhookId}/enabled",
            edit,
            acts::ask_switch,
            acts::switch,
        ),
        asked_once(
            "/w/{id}/webhooks/{webhookId}/secret",
            (
                Method::POST,
                "/api/workspaces/{id}/webhooks/{webhookId}/rotate-secret",
            ),
            acts::ask_rotate,
            acts::rotate,
        ),
        asked(
            "/w/{id}/webhooks/{webhookId}/test",
            (Method::POST, "/api/workspaces/{id}/webhooks/{webhookId}/test"),
            acts::ask_test,
            acts::test,
        ),
        asked(
            "/w/{id}/webhooks/{webhookId}/delete",
            (Method::DELETE, one),
            acts::ask_remove,
            acts::remove,
        ),
        asked(
            "/w/{id}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
            (
                Method::POST,
                "/api/workspaces/{id}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
            ),
            acts::ask_redeliver,
            acts::redeliver,
        ),
    ]
}

/// The webhook that the address names.
async fn found(visitor: &Visitor) -> Result<Webhook, ApiError> {
    let (actor, workspace, id) = (visitor.actor(), visitor.workspace_id()?, visitor.id("webhookId")?);
    Ok(visitor.app().webhooks.get(&actor, workspace, id).await?)
}

fn path(visitor: &Visitor, id: WebhookId, below: &str) -> String {
    visitor.path(&format!("webhooks/{id}{below}"))
}

/// What people call it: where it leads, if they call it nothing.
fn name(webhook: &Webhook) -> &str {
    webhook.description.as_deref().unwrap_or(&webhook.url)
}

/// The webhooks of the workspace.
pub(crate) async fn list(visitor: Visitor) -> PageResult {
    let (actor, workspace) = (visitor.actor(), visitor.workspace_id()?);
    let flows = &visitor.app().webhooks;
    let webhooks = flows.list(&actor, workspace).await?;
    let mut rows = Vec::with_capacity(webhooks.len());
    for webhook in webhooks {
        let newest = Page {
            after: None,
            limit: 1,
        };
        let last = flows
            .deliveries(&actor, workspace, webhook.id, None, newest)
            .await;
        rows.push((webhook, last?.pop()));
    }
    let now = visitor.now();
    let new = visitor.path("webhooks/new");
    let content = html! {
        div.page-head {
            div {
                h1 { "Webhooks" }
                p.quiet { "Programs of yours that are told what happens in this workspace." }
            }
            @if !rows.is_empty() { a.button.primary href=(new) { "Create webhook" } }
        }
        section.card.tight {
            @if rows.is_empty() {
                (empty(
                    "There are no webhooks yet",
                    "A webhook posts what happens here to a URL of yours, signed, so that your program can act on it: a key was revoked, a \
                     member has left.",
                    Some((new.as_str(), "Create your first webhook")),
                ))
            } @else {
                (table(&visitor, &rows, now))
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Webhooks,
        "Webhooks",
        &content,
    )))
}

fn table(visitor: &Visitor, rows: &[(Webhook, Option<Delivery>)], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Webhook" }
                        th scope="col" { "Hears of" }
                        th scope="col" { "State" }
                        th scope="col" { "Last delivery" }
                    }
                }
                tbody {
                    @for (webhook, last) in rows {
                        tr {
                            th scope="row" data-label="Webhook" {
                                div {
                                    a href=(path(visitor, webhook.id, "")) { (name(webhook)) }
                                    @if webhook.description.is_some() { p.quiet.small { (webhook.url) } }
                                }
                            }
                            td data-label="Hears of" { (hears_of(webhook)) }
                            td data-label="State" { div { (state(webhook, now)) } }
                            td data-label="Last delivery" {
                                div {
                                    @match last {
                                        None => span.quiet { "none yet" },
                                        Some(delivery) => {
                                            (delivery_state(delivery.state)) " " (kind(&delivery.event.kind))
                                            p.quiet.small { (instant::from_now(delivery.event.at, now)) }
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
}

/// What it wants to hear of.
fn hears_of(webhook: &Webhook) -> Markup {
    html! {
        span.tags {
            @for filter in &webhook.events {
                (badge("", if filter.as_str() == "*" { "everything" } else { filter.as_str() }))
            }
        }
    }
}

/// Whether anything is sent to it, and why not.
fn state(webhook: &Webhook, now: Timestamp) -> Markup {
    html! {
        @match (webhook.disabled, webhook.failing_since) {
            (None, None) => (badge("good", "enabled")),
            (None, Some(since)) => {
                (badge("warn", "failing"))
                p.quiet.small { "Nothing has come through since " (instant::from_now(since, now)) "." }
            }
            (Some((at, because)), _) => {
                (badge(if because == DisabledBecause::Asked { "warn" } else { "bad" }, "disabled"))
                p.quiet.small {
                    @match because {
                        DisabledBecause::Asked => "Somebody switched it off ",
                        DisabledBecause::Gone => "The receiver answered that it wants no more (410) ",
                        DisabledBecause::Failing => "Nothing had come through for five days ",
                    }
                    (instant::from_now(at, now)) "."
                }
            }
        }
    }
}

/// How far a delivery has come.
fn delivery_state(state: DeliveryState) -> Markup {
    let class = match state {
        DeliveryState::Pending => "warn",
        DeliveryState::Delivered => "good",
        DeliveryState::Dead => "bad",
    };
    badge(class, state.as_str())
}

/// What a delivery tells of.
fn kind(kind: &str) -> &str {
    match kind {
        tigertrust_accounts::webhooks::TEST_KIND => "Test event",
        kind => label(kind),
    }
}
