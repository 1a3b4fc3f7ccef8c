//! A webhook is made, and changed.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::{
    FlowError, Violation,
    webhooks::{EventFilter, IssuedWebhook, Webhook},
};
use tigertrust_http::{ApiError, page};
use tigertrust_model::Timestamp;
use tigertrust_wire::{CreateWebhook, UpdateWebhook};

use super::{found, name, path};
use crate::{
    components::{
        Input, checkbox, copyable, copyable_lines, input, submit, summary, textarea, token, warning,
    },
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    pages::{audit::words::families, keys::is_of_form},
    visitor::{PageResult, Visitor, see_other},
};

/// The pattern of all events.
const EVERYTHING: &str = "*";

/// The fields that say for themselves what is wrong with them.
const FIELDS: [&str; 3] = ["url", "description", "events"];

const IN_PYTHON: &str = r#"import os
from standardwebhooks.webhooks import Webhook

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
# The body as it came, before it is parsed. What is not signed, or old, raises an error.
event = webhook.verify(request.get_data(), dict(request.headers))"#;

const IN_JAVASCRIPT: &str = r#"import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
// The body as it came, before it is parsed. What is not signed, or old, throws an error.
const event = webhook.verify(body, request.headers);"#;

/// Where a webhook is made.
pub(super) async fn new(visitor: Visitor) -> PageResult {
    Ok(new_page(&visitor, &Filled::empty(), None))
}

fn new_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let content = html! {
        div.page-head { h1 { "Create webhook" } }
        (summary(form, &FIELDS))
        form.card method="post" action=(visitor.path("webhooks/new")) {
            (token(visitor))
            (settings(form, None, refused))
            div.actions { (submit("Create webhook")) a.button.quiet href=(visitor.path("webhooks")) { "Cancel" } }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Webhooks, "Create webhook", &content),
        refused,
    )
}

fn settings(form: &Filled, webhook: Option<&Webhook>, refused: Option<&ApiError>) -> Markup {
    let description = webhook.and_then(|webhook| webhook.description.as_deref());
    let hint = "Events are posted there, by https and to a public address, unless the operator of this server allows others.";
    html! {
        (input(form, &Input {
            name: "url", label: "URL", kind: "url", required: true, hint, value: webhook.map_or("", |webhook| &webhook.url), ..Input::default()
        }))
        (input(form, &Input {
            name: "description", label: "Description", hint: "What you call it. May be left out.", value: description.unwrap_or_default(),
            ..Input::default()
        }))
        (events(form, webhook, refused))
    }
}

/// The patterns that have a box.
fn patterns() -> Vec<(String, String)> {
    let everything = (EVERYTHING.to_owned(), "Everything that happens".to_owned());
    let families = families().into_iter();
    let families = families.map(|family| (format!("{}.*", family.name), family.title.to_owned()));
    [everything].into_iter().chain(families).collect()
}

/// What a form wants to hear of: the boxes, then what was typed.
fn wanted(fields: &Fields) -> Vec<&str> {
    fields.all("events").chain(fields.lines("others")).collect()
}

/// Refuses everything beside something: whoever ticked single boxes does not mean everything.
fn ensure_all_or_some(wanted: &[&str]) -> Result<(), ApiError> {
    let (all, some): (Vec<&str>, Vec<&str>) = wanted.iter().partition(|pattern| **pattern == EVERYTHING);
    if all.is_empty() || some.is_empty() {
        return Ok(());
    }
    let detail =
        "“Everything that happens” holds the others too: choose either it alone, or the others without it";
    Err(FlowError::Invalid(vec![Violation::new("/events", detail)]).into())
}

/// What it is to hear of: nothing, if nobody has said yet.
fn events(form: &Filled, webhook: Option<&Webhook>, refused: Option<&ApiError>) -> Markup {
    let was_sent = form.fields.raw("url").is_some();
    let held: Vec<&str> = match webhook {
        None => Vec::new(),
        Some(webhook) => webhook.events.iter().map(EventFilter::as_str).collect(),
    };
    let patterns = patterns();
    let is_checked = |pattern: &str| match was_sent {
        true => form.fields.all("events").any(|chosen| chosen == pattern),
        false => held.contains(&pattern),
    };
    let has_box = |pattern: &&&str| patterns.iter().any(|(boxed, _)| boxed == **pattern);
    let others: Vec<&str> = held.iter().filter(|pattern| !has_box(pattern)).copied().collect();
    html! {
        fieldset.field {
            legend { "Hears of" }
            p.hint { "What comes into the audit log, under the same names. A webhook is not told of what is done to itself." }
            div.columns {
                @for (pattern, title) in &patterns { (checkbox("events", pattern, title, pattern, is_checked(pattern))) }
            }
            (mistakes(&form.fields, refused))
        }
        (textarea(form, &Input {
            name: "others", label: "Single events", hint: "One a line, such as key.revoked or member.removed.", value: &others.join("\n"),
            ..Input::default()
        }, 3))
    }
}

/// What is wrong with what it is to hear of, and with which of it.
fn mistakes(fields: &Fields, refused: Option<&ApiError>) -> Markup {
    let wanted = wanted(fields);
    let errors = refused.into_iter().flat_map(|error| &error.problem().errors);
    let errors = errors.filter_map(|error| Some((error.pointer.strip_prefix("/events")?, &error.detail)));
    html! {
        @for (place, detail) in errors {
            @let index = place.trim_start_matches('/').parse::<usize>().ok();
            p.error {
                @if let Some(pattern) = index.and_then(|index| wanted.get(index)) { code { (pattern) } " " }
                (detail)
            }
        }
    }
}

/// Makes the webhook, and shows its secret.
pub(super) async fn create(visitor: Visitor, fields: Fields) -> PageResult {
    match try_create(&visitor, &fields).await {
        Ok(issued) => Ok(issued_page(&visitor, &issued, "The webhook is created")),
        Err(error) if is_of_form(&error) => Ok(new_page(
            &visitor,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_create(visitor: &Visitor, fields: &Fields) -> Result<IssuedWebhook, ApiError> {
    let (workspace, events) = (visitor.workspace_id()?, wanted(fields));
    ensure_all_or_some(&events)?;
    let body = json!({
        "url": fields.or_empty("url"),
        "description": fields.text("description"),
        "events": events,
    });
    let new = page::read::<CreateWebhook>(&body)?.into();
    let flows = &visitor.app().webhooks;
    let issued = flows.create(&visitor.actor(), workspace, new).await?;
    tracing::info!(%workspace, webhook = %issued.webhook.id, by = %visitor.user().id, "webhook made");
    Ok(issued)
}

/// A webhook with its secret, shown this once.
pub(super) fn issued_page(visitor: &Visitor, issued: &IssuedWebhook, title: &str) -> HttpResponse {
    let webhook = &issued.webhook;
    let secret = issued.secret.reveal();
    let home = path(visitor, webhook.id, "");
    let content = html! {
        div.page-head { h1 { (title) } }
        section.card {
            h2 { "Secret" }
            (warning(&html! { p { strong { "Copy it now." } " It is shown this once." } }))
            (copyable("secret", &secret, "the secret"))
            @if let Some(until) = goes_on_until(webhook, visitor.now()) {
                p { "Events are signed with the secret before as well, until " (instant::at(until)) "." }
            }
        }
        section.card {
            h2 { "Check the signature" }
            div.prose {
                p {
                    "Events are signed as " a href="https://www.standardwebhooks.com" rel="noreferrer" { "Standard Webhooks" }
                    " says. Its libraries check the signature, and refuse what is older than five minutes."
                }
            }
            h3 { "In Python" }
            (copyable_lines("python", IN_PYTHON, "the lines in Python"))
            h3 { "In JavaScript" }
            (copyable_lines("javascript", IN_JAVASCRIPT, "the lines in JavaScript"))
            div.prose {
                p.quiet {
                    "Without a library: what stands behind " code { "v1," } " in " code { "webhook-signature" } " is the HMAC-SHA-256, in base64, of "
                    code { "webhook-id" } ", " code { "webhook-timestamp" } " and the body with dots between, under what stands behind " code { "whsec_" }
                    ", decoded. An event may come more than once, under the same " code { "webhook-id" } "."
                }
            }
        }
        div.actions {
            a.button.primary href=(home) { "I have copied it" }
            @if webhook.disabled.is_none() { a.button href={ (home) "/test" } { "Send a test event" } }
        }
    };
    layout::respond(layout::framed(visitor, Place::Webhooks, title, &content))
}

/// Until when the secret before the present one goes on, if it does.
pub(super) fn goes_on_until(webhook: &Webhook, now: Timestamp) -> Option<Timestamp> {
    webhook.previous_secret_until.filter(|until| now < *until)
}

/// Where a webhook is changed.
pub(super) async fn edit(visitor: Visitor) -> PageResult {
    let webhook = found(&visitor).await?;
    Ok(edit_page(&visitor, &webhook, &Filled::empty(), None))
}

fn edit_page(
    visitor: &Visitor,
    webhook: &Webhook,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let content = html! {
        div.page-head { h1 { "Edit " (name(webhook)) } }
        (summary(form, &FIELDS))
        form.card method="post" action=(path(visitor, webhook.id, "/edit")) {
            (token(visitor))
            (settings(form, Some(webhook), refused))
            div.actions { (submit("Save")) a.button.quiet href=(path(visitor, webhook.id, "")) { "Cancel" } }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Webhooks, "Edit webhook", &content),
        refused,
    )
}

/// Saves what was changed.
pub(super) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    let webhook = found(&visitor).await?;
    match try_save(&visitor, &fields, &webhook).await {
        Ok(()) => Ok(see_other(&path(&visitor, webhook.id, "?done=webhook-saved"))),
        Err(error) if is_of_form(&error) => Ok(edit_page(
            &visitor,
            &webhook,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_save(visitor: &Visitor, fields: &Fields, webhook: &Webhook) -> Result<(), ApiError> {
    let (workspace, id, events) = (webhook.workspace, webhook.id, wanted(fields));
    ensure_all_or_some(&events)?;
    let body = json!({
        "url": fields.or_empty("url"),
        "description": fields.text("description"),
        "events": events,
    });
    let changes = page::read::<UpdateWebhook>(&body)?.into();
    let flows = &visitor.app().webhooks;
    flows.update(&visitor.actor(), workspace, id, changes).await?;
    tracing::info!(%workspace, webhook = %id, by = %visitor.user().id, "webhook edited");
    Ok(())
}
