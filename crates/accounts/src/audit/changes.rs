//! What an act has changed, as the log says it: no secret, and nothing personal that could not be erased.

use tigertrust_model::{ApiKey, AuditAction, FieldChange, KeyReach, Lifecycle, Timestamp, Workspace};

use crate::{
    format_rfc3339,
    sso::{Connection, Domain},
    webhooks::Webhook,
};

/// A field by its name, and its value as the log shows it.
pub(super) type Field = (&'static str, Option<String>);

/// The fields that differ; both sides name the same, in the same order.
fn differences<const N: usize>(before: [Field; N], after: [Field; N]) -> impl Iterator<Item = FieldChange> {
    before
        .into_iter()
        .zip(after)
        .filter_map(|((name, before), (_, after))| FieldChange::between(name, before, after))
}

/// The fields that something begins with.
pub(super) fn beginnings<const N: usize>(fields: [Field; N]) -> impl Iterator<Item = FieldChange> {
    fields
        .into_iter()
        .filter_map(|(name, value)| FieldChange::between(name, None, value))
}

/// What was done to a key; `None` if nothing was.
#[must_use]
pub fn of_key(before: &ApiKey, after: &ApiKey) -> Option<(AuditAction, Vec<FieldChange>)> {
    let changes: Vec<FieldChange> = differences(key_fields(before), key_fields(after))
        .chain(unshown(before, after))
        .collect();
    let action = match (&before.lifecycle, &after.lifecycle) {
        (Lifecycle::Active | Lifecycle::Deactivated, Lifecycle::Revoked { .. }) => AuditAction::KeyRevoked,
        (Lifecycle::Active, Lifecycle::Deactivated) => AuditAction::KeyDeactivated,
        (Lifecycle::Deactivated, Lifecycle::Active) => AuditAction::KeyActivated,
        _ if before.leak_reported_at.is_none() && after.leak_reported_at.is_some() => AuditAction::KeyLeaked,
        _ => AuditAction::KeyUpdated,
    };
    (!changes.is_empty()).then_some((action, changes))
}

/// What a key is made with.
#[must_use]
pub fn of_new_key(key: &ApiKey) -> Vec<FieldChange> {
    let kind = Some(FieldChange::set("type", key.kind));
    let owner = key.owner.map(|owner| FieldChange::set("ownerId", owner));
    kind.into_iter()
        .chain(owner)
        .chain(beginnings(key_fields(key)))
        .collect()
}

/// What is shown of a key, by field.
fn key_fields(key: &ApiKey) -> [Field; 10] {
    let (state, reason) = match &key.lifecycle {
        Lifecycle::Active => ("active", None),
        Lifecycle::Deactivated => ("deactivated", None),
        Lifecycle::Revoked { reason, .. } => ("revoked", reason.clone()),
    };
    // What a person calls its own keys goes with the person.
    let name = key.owner.is_none().then(|| key.name.clone());
    [
        ("name", name),
        ("state", Some(state.to_owned())),
        ("revocationReason", reason),
        ("scopes", list(key.scopes.iter())),
        ("expiresAt", time(key.expires_at)),
        ("allowedCidrs", list(&key.allowed_cidrs)),
        ("workspaceIds", reach(&key.reach)),
        ("limits.minute", key.limits.minute.map(|limit| limit.to_string())),
        ("limits.hour", key.limits.hour.map(|limit| limit.to_string())),
        ("leakReportedAt", time(key.leak_reported_at)),
    ]
}

fn unshown(before: &ApiKey, after: &ApiKey) -> impl Iterator<Item = FieldChange> {
    let name = after.owner.is_some() && before.name != after.name;
    [
        ("name", name),
        ("externalId", before.external_id != after.external_id),
        ("metadata", before.metadata != after.metadata),
    ]
    .into_iter()
    .filter(|(_, changed)| *changed)
    .map(|(name, _)| FieldChange::hidden(name))
}

fn reach(reach: &KeyReach) -> Option<String> {
    match reach {
        KeyReach::Instance => Some("instance".to_owned()),
        KeyReach::Workspaces { others, .. } => list(others),
    }
}

/// What was done to a workspace; `None` if nothing was.
#[must_use]
pub fn of_workspace(before: &Workspace, after: &Workspace) -> Option<(AuditAction, Vec<FieldChange>)> {
    let changes: Vec<FieldChange> = differences(workspace_fields(before), workspace_fields(after)).collect();
    let action = match (before.deleted_at, after.deleted_at) {
        (None, Some(_)) => AuditAction::WorkspaceDeleted,
        _ => AuditAction::WorkspaceUpdated,
    };
    (!changes.is_empty()).then_some((action, changes))
}

/// What a workspace is made with.
#[must_use]
pub fn of_new_workspace(workspace: &Workspace) -> Vec<FieldChange> {
    beginnings(workspace_fields(workspace)).collect()
}

fn workspace_fields(workspace: &Workspace) -> [Field; 5] {
    [
        ("name", Some(workspace.name.clone())),
        ("plan", Some(workspace.plan.to_string())),
        (
            "requireSecondFactor",
            Some(workspace.requires_second_factor.to_string()),
        ),
        (
            "leakResponse",
            workspace.leak_response.map(|response| response.to_string()),
        ),
        ("deletedAt", time(workspace.deleted_at)),
    ]
}

/// What was changed of a connection. How its provider is asked is named, not shown: it is long.
#[must_use]
pub fn of_connection(before: &Connection, after: &Connection) -> Vec<FieldChange> {
    let policy = |of: &Connection| {
        let role = of.policy.default_role.map(|role| role.to_string());
        let groups = list(
            of.policy
                .group_roles
                .iter()
                .map(|rule| format!("{}={}", rule.group, rule.role)),
        );
        let trusts = of.policy.trusts_second_factor.to_string();
        [
            ("name", Some(of.name.clone())),
            ("enabled", Some(of.enabled.to_string())),
            ("defaultRole", role),
            ("groupRoles", groups),
            ("trustsSecondFactor", Some(trusts)),
        ]
    };
    let provider = (before.provider != after.provider).then(|| FieldChange::hidden("provider"));
    differences(policy(before), policy(after))
        .chain(provider)
        .collect()
}

/// What was changed of a domain.
#[must_use]
pub fn of_domain(before: &Domain, after: &Domain) -> Vec<FieldChange> {
    let fields = |of: &Domain| {
        [
            ("verifiedAt", time(of.verified_at)),
            ("connectionId", of.connection.map(|id| id.to_string())),
            ("enforced", Some(of.enforced.is_some().to_string())),
            ("breakGlassUserId", of.enforced.map(|id| id.to_string())),
            ("joinRole", of.join_role.map(|role| role.to_string())),
        ]
    };
    differences(fields(before), fields(after)).collect()
}

/// What was changed of a webhook.
#[must_use]
pub fn of_webhook(before: &Webhook, after: &Webhook) -> Vec<FieldChange> {
    // Both may be the same: what differs is a secret, then.
    let url = (before.url != after.url).then(|| FieldChange {
        field: "url".to_owned(),
        before: Some(origin_of(&before.url)),
        after: Some(origin_of(&after.url)),
    });
    url.into_iter()
        .chain(differences(webhook_fields(before), webhook_fields(after)))
        .collect()
}

/// What a webhook is made with.
#[must_use]
pub fn of_new_webhook(webhook: &Webhook) -> Vec<FieldChange> {
    let url = FieldChange::set("url", origin_of(&webhook.url));
    [url]
        .into_iter()
        .chain(beginnings(webhook_fields(webhook)))
        .collect()
}

/// Scheme, host and port: many services have the secret in the rest.
fn origin_of(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

fn webhook_fields(webhook: &Webhook) -> [Field; 3] {
    let events = list(webhook.events.iter().map(|filter| filter.as_str().to_owned()));
    [
        ("description", webhook.description.clone()),
        ("events", events),
        ("enabled", Some(webhook.disabled.is_none().to_string())),
    ]
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(format_rfc3339)
}

/// The elements with spaces between; none for none.
pub(super) fn list(elements: impl IntoIterator<Item = impl ToString>) -> Option<String> {
    let elements: Vec<String> = elements.into_iter().map(|element| element.to_string()).collect();
    (!elements.is_empty()).then(|| elements.join(" "))
}
