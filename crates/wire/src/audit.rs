//! The audit log.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tigertrust_accounts::{
    audit::{Checkpoint as SignedCheckpoint, Landmark},
    from_hex, to_hex,
};
use tigertrust_model::{AuditEvent as Event, Timestamp};
use utoipa::ToSchema;

use crate::{format_rfc3339, parse_rfc3339, timestamp};

/// Something that was done, or refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// The event's id.
    #[schema(examples("evt_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// When it happened.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The chain: the workspace's id, or `instance`.
    #[schema(examples("ws_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub chain: String,
    /// What happened.
    #[schema(examples("key.revoked"))]
    pub action: String,
    /// `success`, or `refused`: then nothing was changed.
    #[schema(examples("success"))]
    pub outcome: String,
    /// Why it was refused.
    #[schema(examples("FORBIDDEN"))]
    pub code: Option<String>,
    /// Who did it.
    pub actor: AuditActor,
    /// On what.
    pub target: Option<AuditTarget>,
    /// What it changed.
    pub changes: Vec<AuditChange>,
    /// How often it happened, for what is counted together within a minute.
    pub count: u64,
    /// Where the request came from; null once that is erased.
    pub origin: Option<AuditOrigin>,
    /// What else there is to say, by name, such as the address that was invited; empty once that is erased.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
    /// The request.
    pub request_id: Option<String>,
    /// The MAC of the event and of the one before it, in hexadecimal.
    pub mac: String,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditActor {
    /// `user`, `key`, `provider`, `operator`, `system` or `anonymous`. A personal key acts as its user.
    #[schema(examples("user"))]
    pub r#type: String,
    /// Its id.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: Option<String>,
    /// The session or the key that it presented.
    #[schema(examples("ses_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub credential_id: Option<String>,
}

/// What something was done on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTarget {
    /// What kind of thing, such as `key`, `user` or `workspace`.
    #[schema(examples("key"))]
    pub r#type: String,
    /// Its id, or its name where it has none.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
}

/// A field that was changed. Both values are null where they are secret or personal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditChange {
    /// The field.
    #[schema(examples("state"))]
    pub field: String,
    /// What it was.
    #[schema(examples("active"))]
    pub before: Option<String>,
    /// What it is.
    #[schema(examples("revoked"))]
    pub after: Option<String>,
}

/// Where a request came from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditOrigin {
    /// The client's address.
    #[schema(examples("203.0.113.7"))]
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

impl From<&Event> for AuditEvent {
    fn from(event: &Event) -> Self {
        let personal = event.personal.as_ref();
        let details = personal.map(|personal| personal.details.as_slice());
        Self {
            id: event.id.to_string(),
            sequence: event.seq,
            at: event.at,
            chain: event.chain.to_string(),
            action: event.action.clone(),
            outcome: event.outcome.clone(),
            code: event.code.clone(),
            actor: AuditActor {
                r#type: event.actor_kind.clone(),
                id: event.actor.clone(),
                credential_id: event.credential.clone(),
            },
            target: event.target.as_ref().map(|target| AuditTarget {
                r#type: target.kind.clone(),
                id: target.id.clone(),
            }),
            changes: event
                .changes
                .iter()
                .map(|change| AuditChange {
                    field: change.field.clone(),
                    before: change.before.clone(),
                    after: change.after.clone(),
                })
                .collect(),
            count: event.count,
            origin: personal.map(|personal| AuditOrigin {
                address: personal.address.clone(),
                user_agent: personal.user_agent.clone(),
            }),
            details: details
                .unwrap_or_default()
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect(),
            request_id: event.request_id.clone(),
            mac: to_hex(&event.mac),
        }
    }
}

/// The headings of an export in CSV.
const HEADINGS: [&str; 18] = [
    "id",
    "sequence",
    "at",
    "chain",
    "action",
    "outcome",
    "code",
    "actorType",
    "actorId",
    "credentialId",
    "targetType",
    "targetId",
    "count",
    "address",
    "userAgent",
    "requestId",
    "changes",
    "details",
];

/// The first line of an export in CSV (RFC 4180).
#[must_use]
pub fn audit_csv_headings() -> String {
    let mut line = HEADINGS.join(",");
    line.push_str("\r\n");
    line
}

/// Events as lines of CSV (RFC 4180), to come after [`audit_csv_headings`]. What a spreadsheet would take for a formula is
/// written behind an apostrophe, and no cell holds a control character.
#[must_use]
pub fn audit_csv(events: &[Event]) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for event in events {
        let body = AuditEvent::from(event);
        let (target, origin) = (body.target.as_ref(), body.origin.as_ref());
        let json = |value: &Map<String, Value>| serde_json::to_string(value).unwrap_or_default();
        let cells = [
            body.id,
            body.sequence.to_string(),
            format_rfc3339(body.at),
            body.chain,
            body.action,
            body.outcome,
            body.code.unwrap_or_default(),
            body.actor.r#type,
            body.actor.id.unwrap_or_default(),
            body.actor.credential_id.unwrap_or_default(),
            target.map(|target| target.r#type.clone()).unwrap_or_default(),
            target.map(|target| target.id.clone()).unwrap_or_default(),
            body.count.to_string(),
            origin
                .and_then(|origin| origin.address.clone())
                .unwrap_or_default(),
            origin
                .and_then(|origin| origin.user_agent.clone())
                .unwrap_or_default(),
            body.request_id.unwrap_or_default(),
            serde_json::to_string(&body.changes).unwrap_or_default(),
            json(&body.details),
        ];
        // It goes into memory, which takes all.
        let _ = writer.write_record(cells.iter().map(|cell| harmless(cell)));
    }
    writer
        .into_inner()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

/// Events as lines of JSON.
#[must_use]
pub fn audit_ndjson(events: &[Event]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        text.push_str(&serde_json::to_string(&AuditEvent::from(event)).unwrap_or_default());
        text.push('\n');
        text
    })
}

/// A cell that does nothing in a spreadsheet but stand there.
fn harmless(cell: &str) -> String {
    let text: String = cell
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect();
    // Also behind white space, which some spreadsheets pass over.
    if text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
    {
        return format!("'{text}");
    }
    text
}

/// How far a chain had come at a time, signed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The chain: a workspace's id, or `instance`.
    #[schema(examples("ws_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub chain: String,
    /// The place of the last event; 0 where there was none.
    pub sequence: u64,
    /// Its MAC, in hexadecimal.
    pub mac: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The pepper that the key of the signature is derived from.
    pub key_id: String,
    /// What the signature is verified with: 32 bytes in base64.
    pub public_key: String,
    /// Ed25519 (RFC 8032), in base64, over what the guide on the audit log says.
    pub signature: String,
}

impl From<&SignedCheckpoint> for Checkpoint {
    fn from(checkpoint: &SignedCheckpoint) -> Self {
        Self {
            chain: checkpoint.chain.to_string(),
            sequence: checkpoint.landmark.seq,
            mac: to_hex(&checkpoint.landmark.mac),
            at: format_rfc3339(checkpoint.at),
            key_id: checkpoint.key.clone(),
            public_key: STANDARD.encode(checkpoint.public_key),
            signature: STANDARD.encode(checkpoint.signature),
        }
    }
}

impl Checkpoint {
    /// The checkpoint as it was signed; none for what is none.
    #[must_use]
    pub fn read(&self) -> Option<SignedCheckpoint> {
        Some(SignedCheckpoint {
            chain: self.chain.parse().ok()?,
            landmark: Landmark {
                seq: self.sequence,
                mac: from_hex(&self.mac)?,
            },
            at: parse_rfc3339(&self.at).ok()?,
            key: self.key_id.clone(),
            public_key: STANDARD.decode(&self.public_key).ok()?.try_into().ok()?,
            signature: STANDARD.decode(&self.signature).ok()?.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_forges_a_line() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u{ff1d}1"] {
            assert!(
                harmless(cell).starts_with('\'') || harmless(cell).starts_with('\u{fffd}'),
                "{cell:?}"
            );
        }
        assert_eq!(harmless("a\r\nb\u{1b}[31m"), "a\u{fffd}\u{fffd}b\u{fffd}[31m");
        assert_eq!(harmless("key.revoked"), "key.revoked");
    }
}
