//! Settings → API Keys: the list, a new key, and editing one.

use std::time::Duration;

use actix_web::{HttpResponse, http::Method};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tigertrust_accounts::{
    CreatedOnce, FlowError, IdempotencyKey, Violation,
    ports::{KeyDetails, Page},
};
use tigertrust_credentials::{KeyFormat, KeyFormats};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{
    KeyFilter, KeyId, KeyState, KeyType, Role, ScopeDefinition, SecretInfo, Timestamp, management,
};
use tigertrust_wire::{CreateKey, UpdateKey, format_rfc3339};

use super::key;
use crate::{
    components::{
        Input, badge, checkbox, choices, empty, input, key_state, next_page, radio, select, submit, summary,
        textarea, token,
    },
    form::{Fields, Filled},
    instant,
    layout::{self, Place},
    routes::{PathPages, asked, shown},
    visitor::{PageResult, Visitor, see_other},
};

/// How many keys a page lists.
const PAGE: u16 = 50;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When a new key ends, in days.
const EXPIRIES: [(&str, &str); 7] = [
    ("1", "In a day"),
    ("7", "In 7 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    ("never", "Never"),
    ("date", "On the date below"),
];

/// The list, a new key, and editing one.
pub(crate) fn routes() -> Vec<PathPages> {
    vec![
        shown("/w/{id}/keys", (Method::GET, "/api/keys"), list),
        asked("/w/{id}/keys/new", (Method::POST, "/api/keys"), new, create),
        asked(
            "/w/{id}/keys/{keyId}/edit",
            (Method::PATCH, "/api/keys/{id}"),
            edit,
            save,
        ),
    ]
}

/// The keys of the workspace.
pub(crate) async fn list(visitor: Visitor) -> PageResult {
    let query = visitor.query();
    // Whole keys are not for addresses: the history keeps those, and so do the logs of proxies.
    let formats = visitor.app().keys.formats();
    if let Some(start) = query.text("q").and_then(|text| start_of_key(formats, text)) {
        let asked = serde_urlencoded::to_string([("q", start)]).unwrap_or_default();
        return Ok(see_other(&format!("{}?{asked}", visitor.path("keys"))));
    }
    let form = Filled::of(&query);
    let now = visitor.now();
    let filter = KeyFilter {
        state: query
            .text("state")
            .and_then(|text| text.parse().ok())
            .map(|state: KeyState| (state, now)),
        kind: query.text("type").and_then(|text| text.parse().ok()),
        text: query.text("q").map(ToOwned::to_owned),
        external_id: None,
        unused_since: query
            .text("unused")
            .and_then(|days| days.parse().ok())
            .map(|days: u32| now.saturating_sub(DAY * days)),
    };
    let is_filtered = ["state", "type", "q", "unused"]
        .iter()
        .any(|name| query.text(name).is_some());
    let after = query.text("cursor").and_then(|text| text.parse::<KeyId>().ok());
    let page = Page {
        after,
        limit: PAGE + 1,
    };
    let mut keys = visitor
        .app()
        .keys
        .list(&visitor.actor(), None, filter, page)
        .await?;
    let more = keys.len() > usize::from(PAGE);
    keys.truncate(usize::from(PAGE));
    let next = keys
        .last()
        .filter(|_| more)
        .map(|last| next_path(&visitor, &query, last.key.id));
    let may_create = visitor.may(&management::KEYS_WRITE);
    let new = visitor.path("keys/new");
    let content = html! {
        div.page-head {
            div {
                h1 { "API Keys" }
                p.quiet { "What agents, services and CI prove with who they are." }
            }
            @if may_create { a.button.primary href=(new) { "Create API Key" } }
        }
        section.card.tight {
            form.card-head.filters.inline method="get" action=(visitor.path("keys")) role="search"
                hx-get=(visitor.path("keys")) hx-trigger="input changed delay:300ms, change" hx-target="#keys" hx-select="#keys"
                hx-swap="outerHTML" hx-push-url="true" hx-sync="this:replace" {
                (input(&form, &Input { name: "q", label: "Name, or first 8 characters", kind: "search", ..Input::default() }))
                (select(&form, &Input { name: "state", label: "State", ..Input::default() }, &[
                    ("", "All"), ("active", "Active"), ("deactivated", "Deactivated"), ("expired", "Expired"), ("revoked", "Revoked"),
                ]))
                (select(&form, &Input { name: "type", label: "Type", ..Input::default() }, &[
                    ("", "All"), ("agent", "Agent"), ("public", "Public"),
                ]))
                (select(&form, &Input { name: "unused", label: "Use", ..Input::default() }, &[
                    ("", "All"), ("30", "Not for 30 days"), ("90", "Not for 90 days"),
                ]))
                noscript { (submit("Filter")) }
            }
            div #keys {
                @if keys.is_empty() && is_filtered {
                    (empty("No key is like that", "Search for less, or look at all of them.", Some((&visitor.path("keys"), "Show all keys"))))
                } @else if keys.is_empty() {
                    @let (title, text) = nothing(visitor.role().is_some_and(Role::manages_keys), may_create);
                    (empty(title, text, may_create.then_some((new.as_str(), "Create your first key"))))
                } @else {
                    (table(&visitor, &keys, now))
                    (next_page(next))
                }
            }
        }
    };
    Ok(layout::respond(layout::framed(
        &visitor,
        Place::Keys,
        "API Keys",
        &content,
    )))
}

/// What there is to say where no keys are to be seen: whose role does not reach to all sees its own.
const fn nothing(sees_all: bool, may_create: bool) -> (&'static str, &'static str) {
    match (sees_all, may_create) {
        (true, _) => (
            "There are no keys yet",
            "A key lets a program call your API. Create one, copy it once, and send it as X-Agent-API-Key.",
        ),
        (false, true) => (
            "You have no keys yet",
            "A key lets a program call the API in your name. Those of others are not listed here.",
        ),
        (false, false) => (
            "You have no keys",
            "Your role makes none. Those of others are not listed here.",
        ),
    }
}

/// The beginning of a key that is longer than what is shown of one.
fn start_of_key<'a>(formats: &KeyFormats, text: &'a str) -> Option<&'a str> {
    let shown = formats.of(text.as_bytes())?.shown();
    (text.len() > shown).then(|| text.get(..shown)).flatten()
}

fn next_path(visitor: &Visitor, query: &Fields, last: KeyId) -> String {
    let own = query
        .own()
        .filter(|(name, value)| !matches!(*name, "cursor" | "done") && !value.is_empty());
    let last = last.to_string();
    let pairs: Vec<(&str, &str)> = own.chain([("cursor", last.as_str())]).collect();
    let text = serde_urlencoded::to_string(pairs).unwrap_or_default();
    format!("{}?{text}", visitor.path("keys"))
}

fn table(visitor: &Visitor, keys: &[KeyDetails], now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table.stacking {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Key" }
                        th scope="col" { "Type" }
                        th scope="col" { "State" }
                        th scope="col" { "Scopes" }
                        th scope="col" { "Last used" }
                        th scope="col" { "Expires" }
                    }
                }
                tbody {
                    @for KeyDetails { key, secrets } in keys {
                        tr {
                            th scope="row" data-label="Name" { a href=(visitor.path(&format!("keys/{}", key.id))) { (key.name) } }
                            td.whole data-label="Key" {
                                @if let Some(secret) = secrets.first() { (shown_of(secret)) @if let Some(format) = imported_as(secret) { " · " (format) } }
                            }
                            td data-label="Type" { (kind_name(key.kind)) @if key.owner.is_some() { " · personal" } }
                            td data-label="State" {
                                (key_state(key.state(now)))
                                @if key.leak_reported_at.is_some() { " " (badge("bad", "leaked")) }
                            }
                            td data-label="Scopes" { (scopes(key.scopes.iter().map(|scope| scope.as_str()))) }
                            td data-label="Last used" {
                                @match secrets.iter().filter_map(|secret| secret.last_use.as_ref()).map(|last| last.at).max() {
                                    Some(at) => (instant::from_now(at, now)),
                                    None => span.quiet { "never" },
                                }
                            }
                            td data-label="Expires" {
                                @match key.expires_at { Some(at) => (instant::from_now(at, now)), None => span.quiet { "never" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is shown of a secret.
pub(super) fn shown_of(secret: &SecretInfo) -> Markup {
    html! {
        @if secret.display.is_known() { code { (secret.display) } } @else { span.quiet { (secret.display) } }
    }
}

/// The format of a secret that was made elsewhere and imported.
pub(super) fn imported_as(secret: &SecretInfo) -> Option<&str> {
    (secret.format != KeyFormat::NATIVE_ID).then_some(secret.format.as_str())
}

/// Scopes as words of their own.
pub(super) fn scopes<'a>(scopes: impl Iterator<Item = &'a str>) -> Markup {
    html! { span.tags { @for scope in scopes { (badge("", scope)) } } }
}

/// The name of a type of keys, for people.
pub(super) const fn kind_name(kind: KeyType) -> &'static str {
    match kind {
        KeyType::Agent => "Agent",
        KeyType::Public => "Public",
    }
}

/// Where a key is made.
pub(crate) async fn new(visitor: Visitor) -> PageResult {
    Ok(new_page(&visitor, &Filled::empty(), None))
}

fn new_page(visitor: &Visitor, form: &Filled, refused: Option<&ApiError>) -> HttpResponse {
    let chosen = form.fields.text("type").unwrap_or("agent");
    let only_own = !visitor.role().is_some_and(Role::manages_keys);
    let once = page::form_name(visitor.app());
    let content = html! {
        div.page-head { h1 { "Create API Key" } }
        (summary(form, &["name", "type", "scopes", "expiresAt", "allowedCidrs", "externalId"]))
        form.card method="post" action=(visitor.path("keys/new")) {
            (token(visitor))
            input type="hidden" name="once" value=(form.fields.text("once").unwrap_or(&once));
            (input(form, &Input {
                name: "name", label: "Name", hint: "What it is for, such as “deploy job of the shop”.", required: true, ..Input::default()
            }))
            (choices(form, "type", "Type", "", &html! {
                (radio("type", "agent", "Agent", "Begins with ak_. For services, agents and CI, which keep it secret.", chosen != "public"))
                (radio("type", "public", "Public", "Begins with ck_. For clients that cannot keep a secret well; it may hold fewer scopes.", chosen == "public"))
            }))
            (scope_choices(visitor, form, &[]))
            (select(form, &Input { name: "expires", label: "Expires", value: "90", ..Input::default() }, &EXPIRIES))
            (input(form, &Input {
                name: "expiresAt", label: "Date", kind: "date", hint: "Only with “On the date below”; it ends as that day begins, in UTC.", ..Input::default()
            }))
            (cidrs(form, ""))
            @if only_own {
                input type="hidden" name="personal" value="yes";
                p.quiet { "The key is yours: it can never do more than you can at that moment, and ends with your membership." }
            } @else {
                (checkbox("personal", "yes", "Personal", "It can never do more than you can at that moment, and ends with your membership. Otherwise the key stays when you go.", form.fields.is_checked("personal")))
            }
            details open[form.fields.text("externalId").is_some()] {
                summary { "More" }
                (input(form, &Input {
                    name: "externalId", label: "External id", hint: "The name that your own application knows it by.", ..Input::default()
                }))
            }
            div.actions { (submit("Create key")) a.button.quiet href=(visitor.path("keys")) { "Cancel" } }
        }
    };
    let page = layout::framed(visitor, Place::Keys, "Create API Key", &content);
    layout::answer(page, refused)
}

fn cidrs(form: &Filled, value: &str) -> Markup {
    textarea(
        form,
        &Input {
            name: "allowedCidrs",
            label: "Networks",
            hint: "Where it may be used from, one a line, such as 203.0.113.0/24. From everywhere if there is none.",
            value,
            ..Input::default()
        },
        3,
    )
}

/// The scopes that there are, those of applications first.
fn scope_choices(visitor: &Visitor, form: &Filled, held: &[&str]) -> Markup {
    let catalog = &visitor.app().catalog;
    let group = |is_management: bool| {
        let scopes = catalog.iter();
        let of_group: Vec<&ScopeDefinition> = scopes
            .filter(|definition| {
                definition.scope.is_management() == is_management && visitor.may(&definition.scope)
            })
            .collect();
        of_group
    };
    let was_sent = form.fields.raw("name").is_some();
    let is_checked = |scope: &str| match was_sent {
        true => form.fields.all("scopes").any(|chosen| chosen == scope),
        false => held.contains(&scope),
    };
    let boxes = |definitions: &[&ScopeDefinition]| {
        html! {
            div.columns {
                @for definition in definitions {
                    @let only_agents = !definition.types.contains(KeyType::Public);
                    @let hint = format!("{}{}", definition.description, if only_agents { " (agent keys only)" } else { "" });
                    (checkbox("scopes", definition.scope.as_str(), definition.scope.as_str(), &hint, is_checked(definition.scope.as_str())))
                }
            }
        }
    };
    let (of_applications, of_management) = (group(false), group(true));
    // What is held and in no catalogue any more, or is a wildcard, stays what it is.
    let known = |scope: &&&str| {
        let mut all = of_applications.iter().chain(&of_management);
        all.any(|definition| definition.scope.as_str() == **scope)
    };
    let others: Vec<&str> = held.iter().filter(|scope| !known(scope)).copied().collect();
    choices(
        form,
        "scopes",
        "Scopes",
        "What it may do. It can never do more than you can.",
        &html! {
            (boxes(&of_applications))
            @for scope in &others { (checkbox("scopes", scope, scope, "", is_checked(scope))) }
            details open[of_management.iter().any(|definition| is_checked(definition.scope.as_str()))] {
                summary { "Managing TigerTrust itself (agent keys only)" }
                (boxes(&of_management))
            }
        },
    )
}

/// Makes the key, and shows its secret.
pub(crate) async fn create(visitor: Visitor, fields: Fields) -> PageResult {
    match try_create(&visitor, &fields).await {
        Ok(response) => Ok(response),
        Err(error) if is_of_form(&error) => Ok(new_page(
            &visitor,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

/// Whether a mistake is shown on the form: whoever sent it can mend it there.
pub(super) fn is_of_form(error: &ApiError) -> bool {
    use tigertrust_wire::Code;
    matches!(
        error.problem().code,
        Code::ValidationError | Code::Conflict | Code::Forbidden | Code::RateLimited
    )
}

async fn try_create(visitor: &Visitor, fields: &Fields) -> PageResult {
    let body = json!({
        "name": fields.or_empty("name"),
        "type": fields.or_empty("type"),
        "scopes": fields.all("scopes").collect::<Vec<_>>(),
        "expiresAt": expiry(fields, visitor.now())?,
        "allowedCidrs": fields.lines("allowedCidrs"),
        "externalId": fields.text("externalId"),
        "personal": fields.is_checked("personal"),
    });
    let new = page::read::<CreateKey>(&body)?;
    let name = format!("dashboard-{}", fields.or_empty("once"));
    // As it was sent: when it ends is counted from now, which is another time each time.
    let content = serde_urlencoded::to_string(fields.own().collect::<Vec<_>>()).unwrap_or_default();
    let once = IdempotencyKey::new(name.as_bytes(), content.into_bytes());
    let once = once.map_err(|_| FlowError::Invalid(vec![Violation::new("/name", "open this page anew")]))?;
    match visitor
        .app()
        .keys
        .create_once(&visitor.actor(), new.into(), &once)
        .await?
    {
        CreatedOnce::Issued(issued) => {
            tracing::info!(key = %issued.key.id, by = %issued.key.created_by, "key created");
            Ok(key::issued_page(
                visitor,
                &issued.details(),
                &issued.secret,
                "The key is created",
            ))
        }
        CreatedOnce::Before(details) => Ok(see_other(
            &visitor.path(&format!("keys/{}?done=key-shown", details.key.id)),
        )),
    }
}

fn expiry(fields: &Fields, now: Timestamp) -> Result<Option<String>, ApiError> {
    let invalid = |detail: &str| FlowError::Invalid(vec![Violation::new("/expiresAt", detail)]);
    let chosen = fields.or_empty("expires");
    if chosen != "date" && fields.text("expiresAt").is_some() {
        return Err(invalid("is not what was chosen above: choose “On the date below”, or clear it").into());
    }
    match chosen {
        "never" => Ok(None),
        "date" => match fields.text("expiresAt") {
            Some(date) => Ok(Some(format!("{date}T00:00:00Z"))),
            None => Err(invalid("choose the date").into()),
        },
        days => {
            let days: u32 = days.parse().map_err(|_| invalid("choose when it ends"))?;
            Ok(Some(format_rfc3339(now.saturating_add(DAY * days))))
        }
    }
}

/// Where a key is edited.
pub(crate) async fn edit(visitor: Visitor) -> PageResult {
    let details = key::found(&visitor).await?;
    Ok(edit_page(&visitor, &details, &Filled::empty(), None))
}

fn edit_page(
    visitor: &Visitor,
    details: &KeyDetails,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let key = &details.key;
    let path = visitor.path(&format!("keys/{}", key.id));
    let held: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let networks: Vec<String> = key.allowed_cidrs.iter().map(ToString::to_string).collect();
    let expires = key.expires_at.map(instant::date).unwrap_or_default();
    let content = html! {
        div.page-head { h1 { "Edit " (key.name) } }
        (summary(form, &["name", "scopes", "expiresAt", "allowedCidrs"]))
        form.card method="post" action={ (path) "/edit" } {
            (token(visitor))
            (input(form, &Input { name: "name", label: "Name", value: &key.name, required: true, ..Input::default() }))
            (scope_choices(visitor, form, &held))
            (input(form, &Input {
                name: "expiresAt", label: "Expires", kind: "date", value: &expires,
                hint: "It ends as that day begins, in UTC; never if there is no date.", ..Input::default()
            }))
            (cidrs(form, &networks.join("\n")))
            div.actions { (submit("Save")) a.button.quiet href=(path) { "Cancel" } }
        }
    };
    let page = layout::framed(visitor, Place::Keys, "Edit key", &content);
    layout::answer(page, refused)
}

/// Saves what was edited.
pub(crate) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    let details = key::found(&visitor).await?;
    let id = details.key.id;
    match try_save(&visitor, &fields, &details).await {
        Ok(()) => Ok(see_other(&visitor.path(&format!("keys/{id}?done=key-saved")))),
        Err(error) if is_of_form(&error) => Ok(edit_page(
            &visitor,
            &details,
            &Filled::refused(&fields, &error),
            Some(&error),
        )),
        Err(error) => Err(error),
    }
}

async fn try_save(visitor: &Visitor, fields: &Fields, details: &KeyDetails) -> Result<(), ApiError> {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!(fields.or_empty("name")));
    body.insert(
        "scopes".to_owned(),
        json!(fields.all("scopes").collect::<Vec<_>>()),
    );
    body.insert("allowedCidrs".to_owned(), json!(fields.lines("allowedCidrs")));
    // The page knows days alone: a time that was not touched stays to the second.
    let shown = details.key.expires_at.map(instant::date);
    if fields.text("expiresAt") != shown.as_deref() {
        let at = fields.text("expiresAt").map(|date| format!("{date}T00:00:00Z"));
        body.insert("expiresAt".to_owned(), json!(at));
    }
    let changes = page::read::<UpdateKey>(&Value::Object(body))?;
    let id = details.key.id;
    visitor
        .app()
        .keys
        .edit(&visitor.actor(), id, changes.into())
        .await?;
    tracing::info!(key = %id, by = %visitor.user().id, "key edited");
    Ok(())
}
