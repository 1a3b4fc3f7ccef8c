//! One key: how it is used, what it may do, and what ends it.

use std::time::Duration;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::json;
use tigertrust_accounts::{FlowError, UsageRange, audit::AuditFlows, ports::KeyDetails};
use tigertrust_credentials::{KeySecret, rate_limit::Decision};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{
    AuditFilter, Creator, Granularity, KeyId, KeyState, KeyType, Lifecycle, Role, SecretInfo, Timestamp,
    management,
};
use tigertrust_wire::{Code, Problem, RevokeKey, RotateKey, UpdateKey};

use super::{
    audit::names::Names,
    keys::{imported_as, kind_name, scopes, shown_of},
};
use crate::{
    chart,
    components::{
        Confirm, Input, confirm, copyable, copyable_lines, input, key_state, select, submit, summary, token,
        warning,
    },
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    pages::{audit_trail, trust_rules},
    routes::{Like, PathPages, asked, asked_once, shown},
    visitor::{PageResult, Visitor, see_other},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One key, and what is done to it.
pub(crate) fn routes() -> Vec<PathPages> {
    let edit: Like = (Method::PATCH, "/api/keys/{id}");
    vec![
        shown("/w/{id}/keys/{keyId}", (Method::GET, "/api/keys/{id}"), show),
        asked_once(
            "/w/{id}/keys/{keyId}/rotate",
            (Method::POST, "/api/keys/{id}/rotate"),
            ask_rotate,
            rotate,
        ),
        asked("/w/{id}/keys/{keyId}/active", edit, ask_switch, switch),
        asked(
            "/w/{id}/keys/{keyId}/revoke",
            (Method::POST, "/api/keys/{id}/revoke"),
            ask_revoke,
            revoke,
        ),
    ]
}

/// How long an old secret goes on once there is another, in seconds.
pub(super) const OVERLAPS: [(&str, &str); 6] = [
    ("0", "Not at all"),
    ("300", "For five minutes"),
    ("3600", "For an hour"),
    ("86400", "For a day"),
    ("604800", "For a week"),
    ("2592000", "For 30 days"),
];

/// Over what time a chart shows calls: the word in the address, what it is called, how long it is and by what.
const SPANS: [(&str, &str, Duration, Granularity); 3] = [
    ("hour", "Last hour", HOUR, Granularity::Minute),
    (
        "day",
        "Last 24 hours",
        Duration::from_secs(24 * 60 * 60),
        Granularity::Hour,
    ),
    (
        "month",
        "Last 30 days",
        Duration::from_secs(30 * 24 * 60 * 60),
        Granularity::Day,
    ),
];

/// The time that the address asks for; a day if it asks for none.
pub(super) fn range(visitor: &Visitor) -> Result<(&'static str, &'static str, UsageRange), ApiError> {
    let query = visitor.query();
    let asked = query.text("over").unwrap_or("day");
    let found = SPANS.iter().find(|(word, ..)| *word == asked);
    let (word, title, length, granularity) = found.or(SPANS.get(1)).ok_or_else(Problem::unavailable)?;
    let now = visitor.now();
    let range = UsageRange::new(Some(now.saturating_sub(*length)), None, Some(*granularity), now);
    let range = range.map_err(|error| Problem::new(Code::ValidationError, error.to_string()))?;
    Ok((word, title, range))
}

/// The links to the other times.
pub(super) fn spans(path: &str, current: &str) -> Markup {
    html! {
        nav.tabs aria-label="Time" {
            @for (word, title, ..) in &SPANS {
                a href={ (path) "?over=" (word) } aria-current=[(*word == current).then_some("true")] { (title) }
            }
        }
    }
}

pub(super) async fn found(visitor: &Visitor) -> Result<KeyDetails, ApiError> {
    Ok(visitor
        .app()
        .keys
        .get(&visitor.actor(), visitor.id("keyId")?)
        .await?)
}

fn path(visitor: &Visitor, id: KeyId, below: &str) -> String {
    visitor.path(&format!("keys/{id}{below}"))
}

/// Whether the person may change the key: as its owner, or by a role that reaches to all of them.
fn may_change(visitor: &Visitor, details: &KeyDetails) -> bool {
    let is_own = details.key.owner == Some(visitor.user().id);
    visitor.may(&management::KEYS_WRITE) && (is_own || visitor.role().is_some_and(Role::manages_keys))
}

/// The key.
pub(crate) async fn show(visitor: Visitor) -> PageResult {
    let details = found(&visitor).await?;
    let key = &details.key;
    let now = visitor.now();
    let state = key.state(now);
    let home = visitor.workspace()?;
    let is_at_home = key.reach.home() == Some(home.id);
    let standing = visitor.app().admission.standing(key, &home.plan).await;
    let usage = used(&visitor, key.id).await?;
    let history = match visitor.may(&management::AUDIT_READ) {
        false => None,
        true => {
            let filter = AuditFilter {
                target: Some(key.id.to_string()),
                ..AuditFilter::default()
            };
            let chain = AuditFlows::chain_of(&visitor.actor())?;
            Some(visitor.app().audit.list(chain, filter, None, 20).await?.events)
        }
    };
    let people = key.owner.map(Creator::User).into_iter().chain([key.created_by]);
    let names = Names::of_creators(&visitor, people)
        .await?
        .and_of(&visitor, history.as_deref().unwrap_or_default())
        .await?;
    let is_revoked = state == KeyState::Revoked;
    let rules = match key.kind {
        KeyType::Public => None,
        KeyType::Agent => {
            let may_change = may_change(&visitor, &details) && !is_revoked;
            Some(trust_rules::section(&visitor, key.id, may_change).await?)
        }
    };
    let at = |below: &str| path(&visitor, key.id, below);
    let content = html! {
        div.page-head {
            div {
                p { a href=(visitor.path("keys")) { "API Keys" } }
                div.title { h1 { (key.name) } (key_state(state)) }
            }
            @if may_change(&visitor, &details) && !is_revoked {
                div.actions {
                    a.button href=(at("/edit")) { "Edit" }
                    a.button href=(at("/rotate")) { "Rotate" }
                    a.button href=(at("/active")) { @if state == KeyState::Deactivated { "Activate" } @else { "Deactivate" } }
                    a.button.danger href=(at("/revoke")) { "Revoke" }
                }
            }
        }
        @if let Some(at) = key.leak_reported_at {
            (warning(&html! { p { "Somebody reported " (instant::from_now(at, now)) " that this key has leaked. Rotate it, or revoke it." } }))
        }
        @if let Lifecycle::Revoked { at, reason } = &key.lifecycle {
            (warning(&html! {
                p { "It was revoked on " (instant::at(*at)) @if let Some(reason) = reason { ": " (reason) } ". That is final." }
            }))
        }
        @if let Some((word, chart)) = usage {
            section.card #usage data-refresh hx-get={ (at("")) "?over=" (word) } hx-trigger="refresh" hx-select="#usage" hx-swap="outerHTML" {
                div.card-head { h2 { "Usage" } (spans(&at(""), word)) }
                (chart)
            }
        }
        div.grid {
            section.card {
                h2 { "Limits now" }
                (limits(&standing, state, is_at_home, home.plan.as_str()))
            }
            section.card {
                h2 { "Secrets" }
                (secrets(&details.secrets, state == KeyState::Revoked, now))
            }
            section.card {
                h2 { "About" }
                (about(&details, &names, now))
            }
        }
        @if let Some(rules) = rules { (rules) }
        @if let Some(events) = history {
            section.card.tight { h2 { "History" } (audit_trail(&visitor, &events, &names, now)) }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Keys,
        &key.name,
        &content,
    )))
}

async fn used(visitor: &Visitor, id: KeyId) -> Result<Option<(&'static str, Markup)>, ApiError> {
    if !visitor.may(&management::USAGE_READ) {
        return Ok(None);
    }
    let (word, title, range) = range(visitor)?;
    let usage = visitor.app().usage.of_key(&visitor.actor(), id, range).await?;
    Ok(Some((word, chart::usage(&usage, title))))
}

fn limits(standing: &Decision, state: KeyState, is_at_home: bool, plan: &str) -> Markup {
    html! {
        @for (name, window) in standing.windows() {
            @let limit = window.quota.limit();
            div.stack {
                p { (window.remaining) " of " (limit) " calls are left this " (name) "." }
                meter min="0" max=(limit) low=(limit / 10) optimum=(limit) value=(window.remaining) aria-label={ "Left this " (name) } { (window.remaining) " of " (limit) }
            }
        }
        p.quiet {
            @if is_at_home { "Plan " (plan) "." } @else { "As on the plan " (plan) "; its home is another workspace, whose plan counts." }
            @if state != KeyState::Active { " It is refused as it is." }
        }
    }
}

/// The secrets of a key, newest first, and which of them is still used.
fn secrets(secrets: &[SecretInfo], is_revoked: bool, now: Timestamp) -> Markup {
    html! {
        ul.list {
            @for secret in secrets {
                li {
                    div {
                        p { (shown_of(secret)) }
                        p.quiet {
                            @if let Some(format) = imported_as(secret) { "imported as " (format) ", " }
                            "made " (instant::from_now(secret.created_at, now))
                            @match secret.ends_at {
                                None => {}
                                Some(at) if at > now && !is_revoked => { ", goes on until " (instant::at(at)) }
                                Some(_) => { ", replaced" }
                            }
                        }
                    }
                    div {
                        @match &secret.last_use {
                            None => p.quiet { "never used" },
                            Some(last) => {
                                p { "used " (instant::from_now(last.at, now)) }
                                p.quiet.small {
                                    @if let Some(address) = last.address { "from " (address) " " }
                                    @if let Some(agent) = &last.user_agent { (agent) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn about(details: &KeyDetails, names: &Names, now: Timestamp) -> Markup {
    let key = &details.key;
    html! {
        dl.facts {
            dt { "Id" } dd { code { (key.id) } }
            dt { "Type" } dd { (kind_name(key.kind)) }
            dt { "Scopes" } dd { @if key.scopes.is_empty() { "none" } @else { (scopes(key.scopes.iter().map(|scope| scope.as_str()))) } }
            dt { "Belongs to" } dd { @match key.owner { Some(owner) => (names.person(&owner.to_string())), None => "the workspace" } }
            dt { "Networks" }
            dd { @if key.allowed_cidrs.is_empty() { "everywhere" } @else { @for network in &key.allowed_cidrs { code { (network) } " " } } }
            dt { "Expires" } dd { @match key.expires_at { Some(at) => { (instant::at(at)) " (" (instant::distance(at, now)) ")" }, None => "never" } }
            dt { "Created" } dd { (instant::at(key.created_at)) " by " (names.creator(key.created_by)) }
            @if let Some(name) = &key.external_id { dt { "External id" } dd { code { (name) } } }
            @if key.metadata.as_json() != "{}" { dt { "Metadata" } dd { code { (key.metadata.as_json()) } } }
        }
    }
}

/// A key with its secret, shown this once.
pub(super) fn issued_page(
    visitor: &Visitor,
    details: &KeyDetails,
    secret: &KeySecret,
    title: &str,
) -> HttpResponse {
    let key = &details.key;
    let secret = secret.reveal();
    let base = visitor.base_url();
    let curl = format!("curl -H \"X-Agent-API-Key: {secret}\" {base}/api/auth/me");
    let content = html! {
        div.page-head { h1 { (title) } }
        section.card {
            (warning(&html! { p { strong { "Copy it now." } " It is shown this once: we keep a digest alone, and cannot show it again." } }))
            (copyable("secret", secret, "the key"))
            p { "Try it:" }
            (copyable_lines("curl", &curl, "the command"))
            p.quiet { "Send it as " code { "X-Agent-API-Key" } ", or as " code { "Authorization: Bearer" } "." }
            div.actions { a.button.primary href=(path(visitor, key.id, "")) { "I have copied it" } }
        }
    };
    layout::respond(layout::framed(visitor, Place::Keys, title, &content))
}

/// Asks how long the old secret goes on.
pub(crate) async fn ask_rotate(visitor: Visitor) -> PageResult {
    let details = found(&visitor).await?;
    Ok(rotate_page(&visitor, &details, &Filled::empty(), None))
}

fn rotate_page(
    visitor: &Visitor,
    details: &KeyDetails,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let key = &details.key;
    // Whoever reported it has the secret.
    let overlap = if key.leak_reported_at.is_some() {
        "0"
    } else {
        "86400"
    };
    let content = html! {
        section.card.narrow {
            h1 { "Rotate " (key.name) }
            (summary(form, &["overlapSeconds"]))
            p { "The key gets another secret under the same id, with the same scopes and limits. The old one goes on for a while, so that whoever uses it can follow." }
            form method="post" action=(path(visitor, key.id, "/rotate")) {
                (token(visitor))
                (select(form, &Input {
                    name: "overlapSeconds", label: "The old secret goes on", value: overlap,
                    hint: "Not at all, if it may have leaked: whoever still uses it is refused at once.", ..Input::default()
                }, &OVERLAPS))
                div.actions { (submit("Rotate")) a.button.quiet href=(path(visitor, key.id, "")) { "Cancel" } }
            }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Keys, "Rotate key", &content),
        refused,
    )
}

/// Gives the key another secret, and shows it.
pub(crate) async fn rotate(visitor: Visitor, fields: Fields) -> PageResult {
    let details = found(&visitor).await?;
    let id = details.key.id;
    let body = page::read::<RotateKey>(&json!({ "overlapSeconds": fields.number("overlapSeconds") }))?;
    let overlap = Duration::from_secs(body.overlap_seconds);
    match visitor.app().keys.rotate(&visitor.actor(), id, overlap).await {
        Ok(rotated) => {
            tracing::info!(key = %id, by = %visitor.user().id, "key rotated");
            Ok(issued_page(
                &visitor,
                &rotated.details,
                &rotated.secret,
                "The key has another secret",
            ))
        }
        Err(error) => {
            let error = ApiError::from(error);
            if !super::keys::is_of_form(&error) {
                return Err(error);
            }
            Ok(rotate_page(
                &visitor,
                &details,
                &Filled::refused(&fields, &error),
                Some(&error),
            ))
        }
    }
}

/// Asks whether the key is to be switched off or on.
pub(crate) async fn ask_switch(visitor: Visitor) -> PageResult {
    let details = found(&visitor).await?;
    let key = &details.key;
    let back = path(&visitor, key.id, "");
    let is_off = key.state(visitor.now()) == KeyState::Deactivated;
    let (title, text, button) = match is_off {
        true => (
            "Activate the key?",
            "It is accepted again, with all that it may do.",
            "Activate",
        ),
        false => (
            "Deactivate the key?",
            "Whoever uses it is refused within a second, until it is switched on again.",
            "Deactivate",
        ),
    };
    let content = confirm(
        &visitor,
        &Filled::empty(),
        &Confirm {
            title,
            content: html! { p { strong { (key.name) } ": " (text) } (last_used(&details, visitor.now())) },
            fields: html! { input type="hidden" name="active" value=(is_off); },
            button,
            back: &back,
        },
    );
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Keys,
        title,
        &content,
    )))
}

fn last_used(details: &KeyDetails, now: Timestamp) -> Markup {
    let last = details
        .secrets
        .iter()
        .filter_map(|secret| secret.last_use.as_ref())
        .max_by_key(|last| last.at);
    html! {
        @match last {
            None => p.quiet { "It was never used." },
            Some(last) => p {
                "It was last used " (instant::from_now(last.at, now))
                @if let Some(address) = last.address { " from " (address) }
                @if let Some(agent) = &last.user_agent { " by " (agent) }
                "."
            }
        }
    }
}

/// Switches the key off or on.
pub(crate) async fn switch(visitor: Visitor, fields: Fields) -> PageResult {
    let id: KeyId = visitor.id("keyId")?;
    let active = fields.or_empty("active") == "true";
    let changes = page::read::<UpdateKey>(&json!({ "active": active }))?;
    visitor
        .app()
        .keys
        .edit(&visitor.actor(), id, changes.into())
        .await?;
    tracing::info!(key = %id, by = %visitor.user().id, "key edited");
    let word = if active {
        "key-activated"
    } else {
        "key-deactivated"
    };
    Ok(see_other(&path(&visitor, id, &format!("?done={word}"))))
}

/// Asks whether the key is to be revoked.
pub(crate) async fn ask_revoke(visitor: Visitor) -> PageResult {
    let details = found(&visitor).await?;
    Ok(revoke_page(&visitor, &details, &Filled::empty(), None))
}

fn revoke_page(
    visitor: &Visitor,
    details: &KeyDetails,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let key = &details.key;
    let back = path(visitor, key.id, "");
    let content = confirm(
        visitor,
        form,
        &Confirm {
            title: "Revoke the key?",
            content: html! {
                p { strong { (key.name) } " is refused everywhere within a second, for good. Whoever still uses it stops working." }
                (last_used(details, visitor.now()))
                p.quiet { "To replace it without a break, rotate it. To switch it off for a while, deactivate it." }
            },
            fields: input(
                form,
                &Input {
                    name: "reason",
                    label: "Reason",
                    hint: "May be left out. Everybody who sees the key reads it.",
                    ..Input::default()
                },
            ),
            button: "Revoke",
            back: &back,
        },
    );
    layout::answer(
        layout::framed(visitor, Place::Keys, "Revoke key", &content),
        refused,
    )
}

/// Revokes the key.
pub(crate) async fn revoke(visitor: Visitor, fields: Fields) -> PageResult {
    let id: KeyId = visitor.id("keyId")?;
    let body = page::read::<RevokeKey>(&json!({ "reason": fields.text("reason") }))?;
    match visitor.app().keys.revoke(&visitor.actor(), id, body.reason).await {
        Ok(_) => {
            tracing::info!(key = %id, by = %visitor.user().id, "key revoked");
            Ok(see_other(&path(&visitor, id, "?done=key-revoked")))
        }
        Err(error @ FlowError::Invalid(_)) => {
            let (details, error) = (found(&visitor).await?, ApiError::from(error));
            Ok(revoke_page(
                &visitor,
                &details,
                &Filled::refused(&fields, &error),
                Some(&error),
            ))
        }
        Err(error) => Err(error.into()),
    }
}
