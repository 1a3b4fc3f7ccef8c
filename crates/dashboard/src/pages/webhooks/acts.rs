//! What is done to a webhook: switched, given another secret, tried, sent again, deleted.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::webhooks::{DisabledBecause, Webhook};
use tigertrust_http::{ApiError, page};
use tigertrust_model::EventId;
use tigertrust_wire::{RotateWebhookSecret, UpdateWebhook};

use super::{
    form::{goes_on_until, issued_page},
    found, name, path,
};
use crate::{
    components::{Confirm, Input, confirm, select, submit, summary, token, warning},
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    pages::{key::OVERLAPS, keys::is_of_form},
    visitor::{PageResult, Visitor, see_other},
};

/// A page that asks, with what stood against it.
fn question(visitor: &Visitor, title: &str, content: &Markup, refused: Option<&ApiError>) -> HttpResponse {
    layout::answer(layout::framed(visitor, Place::Webhooks, title, content), refused)
}

/// The form of something that breaks nothing.
fn harmless(visitor: &Visitor, form: &Filled, ask: &Confirm<'_>) -> Markup {
    html! {
        section.card.narrow {
            h1 { (ask.title) }
            (summary(form, &["overlapSeconds"]))
            (ask.content)
            form method="post" action=(visitor.request().uri().path()) {
                (token(visitor))
                (ask.fields)
                div.actions { (submit(ask.button)) a.button.quiet href=(ask.back) { "Cancel" } }
            }
        }
    }
}

fn refusal(fields: &Fields, error: Option<&ApiError>) -> Filled {
    error.map_or_else(Filled::empty, |error| Filled::refused(fields, error))
}

/// Asks whether it is to be switched off or on.
pub(super) async fn ask_switch(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    let home = path(&visitor, webhook.id, "");
    let is_off = webhook.disabled.is_some();
    let fields = html! { input type="hidden" name="enabled" value=(is_off); };
    let page = match is_off {
        true => {
            let title = "Enable the webhook?";
            let content = html! {
                p { strong { (name(&webhook)) } " is told again of what happens. What has waited for it since before it was disabled is sent at once." }
                @if let Some((_, DisabledBecause::Gone | DisabledBecause::Failing)) = webhook.disabled {
                    (warning(&html! { p { "The server had switched it off. If the receiver is as it was, it does so again." } }))
                }
            };
            let ask = Confirm {
                title,
                content,
                fields,
                button: "Enable webhook",
                back: &home,
            };
            question(&visitor, title, &harmless(&visitor, &Filled::empty(), &ask), None)
        }
        false => {
            let title = "Disable the webhook?";
            let content = html! {
                p { strong { (name(&webhook)) } " is told of nothing until it is enabled again, and learns nothing of what happens meanwhile." }
                p.quiet { "What waits to be sent to it now is sent once it is enabled again." }
            };
            let ask = Confirm {
                title,
                content,
                fields,
                button: "Disable webhook",
                back: &home,
            };
            question(&visitor, title, &confirm(&visitor, &Filled::empty(), &ask), None)
        }
    };
    Ok(page)
}

/// Switches it off or on.
pub(super) async fn switch(visitor: Visitor, fields: Fields) -> PageResult {
    let (workspace, id) = (visitor.workspace_id()?, visitor.id("webhookId")?);
    let enabled = fields.or_empty("enabled") == "true";
    let changes = page::read::<UpdateWebhook>(&json!({ "enabled": enabled }))?;
    let flows = &visitor.app().webhooks;
    flows
        .update(&visitor.actor(), workspace, id, changes.into())
        .await?;
    tracing::info!(%workspace, webhook = %id, by = %visitor.user().id, "webhook edited");
    let word = if enabled {
        "webhook-enabled"
    } else {
        "webhook-disabled"
    };
    Ok(see_other(&path(&visitor, id, &format!("?done={word}"))))
}

/// Asks how long the old secret goes on.
pub(super) async fn ask_rotate(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    Ok(rotate_page(&visitor, &webhook, &Fields::default(), None))
}

fn rotate_page(
    visitor: &Visitor,
    webhook: &Webhook,
    fields: &Fields,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let title = "Give the webhook another secret";
    let form = refusal(fields, refused);
    let home = path(visitor, webhook.id, "");
    let ask = Confirm {
        title,
        content: html! {
            p { "Events for " strong { (name(webhook)) } " are signed with another secret from now on, and for a while with the old one as well: tell the receiver the new one within that time." }
            @if let Some(until) = goes_on_until(webhook, visitor.now()) {
                (warning(&html! { p { "There is an older secret still, which would go on until " (instant::at(until)) ". It ends at once." } }))
            }
        },
        fields: select(
            &form,
            &Input {
                name: "overlapSeconds",
                label: "The old secret goes on",
                hint: "Not at all, if somebody else has got to know it: the receiver refuses all events then until it has the new one.",
                value: "86400",
                ..Input::default()
            },
            &OVERLAPS,
        ),
        button: "Make a new secret",
        back: &home,
    };
    question(visitor, title, &harmless(visitor, &form, &ask), refused)
}

/// Gives it another secret, and shows it.
pub(super) async fn rotate(visitor: Visitor, fields: Fields) -> PageResult {
    let webhook = found(&visitor).await?;
    let (workspace, id) = (webhook.workspace, webhook.id);
    let body =
        page::read::<RotateWebhookSecret>(&json!({ "overlapSeconds": fields.number("overlapSeconds") }))?;
    let flows = &visitor.app().webhooks;
    match flows
        .rotate_secret(&visitor.actor(), workspace, id, body.overlap())
        .await
        .map_err(ApiError::from)
    {
        Ok(rotated) => {
            tracing::info!(%workspace, webhook = %id, by = %visitor.user().id, "secret of a webhook rotated");
            Ok(issued_page(&visitor, &rotated, "The webhook has another secret"))
        }
        Err(error) if is_of_form(&error) => Ok(rotate_page(&visitor, &webhook, &fields, Some(&error))),
        Err(error) => Err(error),
    }
}

/// Asks whether a test event is to be sent.
pub(super) async fn ask_test(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    Ok(test_page(&visitor, &webhook, None))
}

fn test_page(visitor: &Visitor, webhook: &Webhook, refused: Option<&ApiError>) -> HttpResponse {
    let title = "Send a test event?";
    let home = path(visitor, webhook.id, "");
    let ask = Confirm {
        title,
        content: html! {
            p { strong { (name(webhook)) } " is sent the event " code { "webhook.test" } ", which says nothing but that it is a test, whatever it wants to hear of." }
        },
        fields: Markup::default(),
        button: "Send a test event",
        back: &home,
    };
    let form = refusal(&Fields::default(), refused);
    question(visitor, title, &harmless(visitor, &form, &ask), refused)
}

/// Sends one.
pub(super) async fn test(visitor: Visitor, _: Fields) -> PageResult {
    let webhook = found(&visitor).await?;
    let (workspace, id) = (webhook.workspace, webhook.id);
    let flows = &visitor.app().webhooks;
    let sent = flows.test(&visitor.actor(), workspace, id).await;
    match sent.map_err(ApiError::from) {
        Ok(_) => Ok(see_other(&path(&visitor, id, "?done=webhook-tested"))),
        Err(error) if is_of_form(&error) => Ok(test_page(&visitor, &webhook, Some(&error))),
        Err(error) => Err(error),
    }
}

/// Asks whether it is to be deleted.
pub(super) async fn ask_remove(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    let title = "Delete the webhook?";
    let home = path(&visitor, webhook.id, "");
    let ask = Confirm {
        title,
        content: html! {
            p { strong { (name(&webhook)) } " is told of nothing any more. What waits to be sent to it, and the list of its deliveries, go with it." }
            p.quiet { "To have it pause, disable it." }
        },
        fields: Markup::default(),
        button: "Delete webhook",
        back: &home,
    };
    let content = confirm(&visitor, &Filled::empty(), &ask);
    Ok(question(&visitor, title, &content, None))
}

/// Deletes it.
pub(super) async fn remove(visitor: Visitor, _: Fields) -> PageResult {
    let (workspace, id) = (visitor.workspace_id()?, visitor.id("webhookId")?);
    let flows = &visitor.app().webhooks;
    flows.remove(&visitor.actor(), workspace, id).await?;
    tracing::info!(%workspace, webhook = %id, by = %visitor.user().id, "webhook removed");
    Ok(see_other(&visitor.path("webhooks?done=webhook-removed")))
}

/// Asks whether an event is to be sent once more.
pub(super) async fn ask_redeliver(visitor: Visitor) -> PageResult {
    let (webhook, event) = (found(&visitor).await?, visitor.id("deliveryId")?);
    Ok(redeliver_page(&visitor, &webhook, event, None))
}

fn redeliver_page(
    visitor: &Visitor,
    webhook: &Webhook,
    event: EventId,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let title = "Send the event again?";
    let home = path(visitor, webhook.id, "");
    let ask = Confirm {
        title,
        content: html! {
            p { strong { (name(webhook)) } " is sent the event " code { (event) } " at once, under the id that it had: a receiver that has had it knows by that." }
        },
        fields: Markup::default(),
        button: "Send again",
        back: &home,
    };
    let form = refusal(&Fields::default(), refused);
    question(visitor, title, &harmless(visitor, &form, &ask), refused)
}

/// Sends it once more.
pub(super) async fn redeliver(visitor: Visitor, _: Fields) -> PageResult {
    let (webhook, event) = (found(&visitor).await?, visitor.id("deliveryId")?);
    let (workspace, id) = (webhook.workspace, webhook.id);
    let flows = &visitor.app().webhooks;
    let sent = flows.redeliver(&visitor.actor(), workspace, id, event).await;
    match sent.map_err(ApiError::from) {
        Ok(_) => {
            tracing::info!(%workspace, webhook = %id, %event, by = %visitor.user().id, "webhook sent again");
            Ok(see_other(&path(&visitor, id, "?done=webhook-redelivered")))
        }
        Err(error) if is_of_form(&error) => Ok(redeliver_page(&visitor, &webhook, event, Some(&error))),
        Err(error) => Err(error),
    }
}
