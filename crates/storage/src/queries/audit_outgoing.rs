//! The audit log: what webhooks are told of it.

use serde::Serialize;
use tigertrust_accounts::webhooks::OutgoingEvent;
use tigertrust_model::AuditEvent;

/// An event without what is personal: once it was sent, nobody could erase that.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    workspace_id: String,
    sequence: u64,
    outcome: &'a str,
    code: Option<&'a str>,
    actor: Actor<'a>,
    target: Option<Target<'a>>,
    changes: Vec<Change<'a>>,
    count: u64,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Actor<'a> {
    r#type: &'a str,
    id: Option<&'a str>,
    credential_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Target<'a> {
    r#type: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    field: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

/// An event of a workspace as its webhooks are told of it.
pub(super) fn outgoing(event: &AuditEvent) -> OutgoingEvent {
    let data = Data {
        workspace_id: event.chain.to_string(),
        sequence: event.seq,
        outcome: &event.outcome,
        code: event.code.as_deref(),
        actor: Actor {
            r#type: &event.actor_kind,
            id: event.actor.as_deref(),
            credential_id: event.credential.as_deref(),
        },
        target: event.target.as_ref().map(|target| Target {
            r#type: &target.kind,
            id: &target.id,
        }),
        changes: event
            .changes
            .iter()
            .map(|change| Change {
                field: &change.field,
                before: change.before.as_deref(),
                after: change.after.as_deref(),
            })
            .collect(),
        count: event.count,
        request_id: event.request_id.as_deref(),
    };
    OutgoingEvent {
        id: event.id,
        kind: event.action.clone(),
        at: event.at,
        // Texts and numbers can always be written.
        data: serde_json::to_string(&data).unwrap_or_default(),
    }
}
