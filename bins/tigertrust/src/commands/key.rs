//! `tigertrust key`.

use serde_json::{Map, Value};
use tigertrust::TigerTrust;
use tigertrust_accounts::{Actor, FlowError, NewKey, OwnerRequest, ReachRequest, ports::Page as PageRequest};
use tigertrust_credentials::KeyFormats;
use tigertrust_model::{
    IdError, KeyDisplay, KeyFilter, KeyId, KeyLimits, Metadata, Scope, ScopeCatalog, WorkspaceId,
};
use tigertrust_wire::{IssuedKey, Key as Body, Page, format_rfc3339};

use super::{instance, key_report::report, user::find_person};
use crate::{
    cli::{Common, CreateKey, Key, PageArgs},
    failure::Failure,
    nearest::nearest,
    output,
};

pub async fn run(common: &Common, verb: Key) -> Result<(), Failure> {
    let instance = instance(common).await?;
    let done = match verb {
        Key::Create(args) => create(common, &instance, *args).await,
        Key::List {
            workspace,
            state,
            kind,
            search,
            external_id,
            unused_since,
            page,
        } => {
            let now = instance.clock().now();
            let filter = KeyFilter {
                state: state.map(|state| (state, now)),
                kind,
                text: search,
                external_id,
                unused_since: unused_since.map(|since| since.at(now)),
            };
            list(common, &instance, workspace, filter, &page).await
        }
        Key::Rotate { id, overlap } => {
            let id = key_id(instance.keys().formats(), &id)?;
            let rotated = instance.keys().rotate(&Actor::operator(), id, overlap).await;
            let rotated = rotated.map_err(|error| unknown(id, error))?;
            let body = IssuedKey::new(&rotated.details, &rotated.secret, instance.clock().now());
            output::print(common.output, &body, describe_issued)
        }
        Key::Show { id } => {
            let id = key_id(instance.keys().formats(), &id)?;
            let key = instance
                .keys()
                .get(&Actor::operator(), id)
                .await
                .map_err(|error| unknown(id, error))?;
            output::print(common.output, &Body::new(&key, instance.clock().now()), describe)
        }
        Key::Report { workspace } => report(common, &instance, workspace).await,
        Key::Revoke { id, reason } => {
            let id = key_id(instance.keys().formats(), &id)?;
            let key = instance.keys().revoke(&Actor::operator(), id, reason).await;
            let key = key.map_err(|error| unknown(id, error))?;
            output::print(common.output, &Body::new(&key, instance.clock().now()), describe)
        }
    };
    instance.close().await;
    done
}

/// Names a scope that does not exist, and what was most likely meant.
fn ensure_known(scopes: &[String], catalog: &ScopeCatalog) -> Result<(), Failure> {
    // What is no scope at all is refused, with what one is, where the key is made.
    let mut scopes = scopes.iter().filter_map(|text| text.parse::<Scope>().ok());
    let Some(unknown) = scopes.find(|scope| !catalog.knows(scope)) else {
        return Ok(());
    };
    let known: Vec<&str> = catalog.iter().map(|known| known.scope.as_str()).collect();
    let advice = match nearest(unknown.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Err(Failure::new(format!(
        "no such scope {:?}; {advice}",
        unknown.as_str()
    )))
}

async fn create(common: &Common, instance: &TigerTrust, args: CreateKey) -> Result<(), Failure> {
    ensure_known(&args.scopes, instance.catalog())?;
    let reach = if args.instance {
        ReachRequest::Instance
    } else {
        let home = match args.workspace {
            Some(id) => id,
            None => only_workspace(instance).await?,
        };
        ReachRequest::Workspace {
            home,
            others: args.also_in,
        }
    };
    let owner = match &args.owner {
        Some(owner) => OwnerRequest::Person(find_person(instance, owner).await?),
        None => OwnerRequest::Workspace,
    };
    let new = NewKey {
        name: args.name,
        kind: args.kind,
        owner,
        scopes: args.scopes,
        expires_at: args.expires_at.or_else(|| {
            args.expires_in
                .map(|duration| instance.clock().now().saturating_add(duration))
        }),
        reach,
        allowed_cidrs: args.allow_from,
        limits: KeyLimits {
            minute: args.limit_minute,
            hour: args.limit_hour,
        },
        external_id: args.external_id,
        metadata: metadata(args.metadata.as_deref())?,
    };
    let issued = instance.keys().create(&Actor::operator(), new).await?;
    let body = IssuedKey::new(&issued.details(), &issued.secret, instance.clock().now());
    output::print(common.output, &body, describe_issued)
}

pub async fn only_workspace(instance: &TigerTrust) -> Result<WorkspaceId, Failure> {
    let some = instance
        .workspaces()
        .list(
            &Actor::operator(),
            PageRequest {
                after: None,
                limit: 2,
            },
        )
        .await?;
    match some.as_slice() {
        [only] => Ok(only.id),
        [] => Err(Failure::new(
            "there is no workspace: `tigertrust workspace create` makes one",
        )),
        _ => Err(Failure::new(
            "there is more than one workspace: name one with --workspace (`tigertrust workspace list`)",
        )),
    }
}

fn metadata(text: Option<&str>) -> Result<Metadata, Failure> {
    let Some(text) = text else {
        return Ok(Metadata::default());
    };
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("--metadata must be a JSON object: {error}")))?;
    Ok(Metadata::from_json_object(serde_json::to_string(&object)?))
}

async fn list(
    common: &Common,
    instance: &TigerTrust,
    workspace: Option<WorkspaceId>,
    filter: KeyFilter,
    page: &PageArgs<KeyId>,
) -> Result<(), Failure> {
    let found = instance
        .keys()
        .list(&Actor::operator(), workspace, filter, page.request())
        .await?;
    let now = instance.clock().now();
    let body = Page::of(
        found,
        page.limit,
        |details| details.key.id.to_string(),
        |details| Body::new(details, now),
    );
    output::print(common.output, &body, |body| {
        let rows = body.items.iter().map(|key| {
            let expires = key.expires_at.map_or_else(|| "never".to_owned(), format_rfc3339);
            let shown = display(&key.start, &key.last_four);
            [
                key.id.clone(),
                name_of(&key.r#type),
                name_of(&key.state),
                shown,
                expires,
                key.name.clone(),
            ]
        });
        let table = output::table(["ID", "TYPE", "STATE", "KEY", "EXPIRES", "NAME"], rows);
        with_cursor(table, body.next_cursor.as_deref())
    })
}

/// A list's text, with how to see more of it.
pub fn with_cursor(table: String, cursor: Option<&str>) -> String {
    cursor.map_or(table.clone(), |cursor| {
        format!("{table}\nMore: --cursor {cursor}")
    })
}

fn describe(key: &Body) -> String {
    let owner = key.owner_id.clone();
    let workspaces = if key.instance {
        "(instance key)".to_owned()
    } else {
        key.workspace_ids.join(", ")
    };
    let mut lines = vec![
        ("Id", key.id.clone()),
        ("Name", key.name.clone()),
        ("Type", name_of(&key.r#type)),
        ("State", name_of(&key.state)),
        (
            "Begins",
            if key.start.is_empty() {
                "not known".to_owned()
            } else {
                key.start.clone()
            },
        ),
        ("Workspaces", workspaces),
        (
            "Scopes",
            if key.scopes.is_empty() {
                "none".to_owned()
            } else {
                key.scopes.join(", ")
            },
        ),
        (
            "Expires",
            key.expires_at.map_or_else(|| "never".to_owned(), format_rfc3339),
        ),
        (
            "Created",
            format!("{} by {}", format_rfc3339(key.created_at), key.created_by),
        ),
    ];
    if let Some(owner) = owner {
        lines.push(("Owner", owner));
    }
    if let Some(format) = key.secrets.first().and_then(|secret| secret.format.clone()) {
        lines.push(("Imported as", format));
    }
    if !key.allowed_cidrs.is_empty() {
        lines.push(("From", key.allowed_cidrs.join(", ")));
    }
    let own = [(key.limits.minute, "a minute"), (key.limits.hour, "an hour")];
    let own: Vec<String> = own
        .into_iter()
        .filter_map(|(limit, window)| Some(format!("{} {window}", limit?)))
        .collect();
    if !own.is_empty() {
        lines.push(("Limits", own.join(", ")));
    }
    if let Some(used) = key.last_used_at {
        lines.push(("Last used", format_rfc3339(used)));
    }
    for secret in key.secrets.iter().filter(|secret| secret.ends_at.is_some()) {
        let ends = secret.ends_at.map_or_else(String::new, format_rfc3339);
        let used = secret.last_used_at.map_or_else(
            || "never used".to_owned(),
            |at| format!("last used {}", format_rfc3339(at)),
        );
        lines.push((
            "Old secret",
            format!(
                "{} ends {ends}, {used}",
                display(&secret.start, &secret.last_four)
            ),
        ));
    }
    if let Some(external_id) = &key.external_id {
        lines.push(("External id", external_id.clone()));
    }
    if let Some(at) = key.leak_reported_at {
        lines.push(("Leak report", format_rfc3339(at)));
    }
    if let Some(at) = key.revoked_at {
        let reason = key
            .revocation_reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        lines.push(("Revoked", format!("{}{reason}", format_rfc3339(at))));
    }
    lines
        .into_iter()
        .map(|(label, value)| format!("{label:<12}{value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What is shown of a secret.
fn display(start: &str, last_four: &str) -> String {
    let display = KeyDisplay {
        start: start.to_owned(),
        last_four: last_four.to_owned(),
    };
    display.to_string()
}

/// A key with its secret.
fn describe_issued(issued: &IssuedKey<'_>) -> String {
    format!(
        "{}\n\nKey         {}   (shown once: store it now)",
        describe(&issued.record),
        issued.key
    )
}

/// Reads an id. Whoever takes a secret for one is not to see it printed.
fn key_id(formats: &KeyFormats, text: &str) -> Result<KeyId, Failure> {
    if let Some(format) = formats.of(text.as_bytes()) {
        let start: String = text.chars().take(format.shown()).collect();
        return Err(Failure::new(format!(
            "this is a key's secret, not its id: find the id with `tigertrust key list --search {start}`"
        )));
    }
    text.parse()
        .map_err(|error: IdError| Failure::new(format!("the key's id {text:?} {error}")))
}

/// The wire's name of a unit-like value.
fn name_of(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn unknown(id: KeyId, error: FlowError) -> Failure {
    match error {
        FlowError::NotFound => Failure::new(format!("there is no key {id}")),
        other => other.into(),
    }
}
