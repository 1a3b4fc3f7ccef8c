//! The audit log in files: whole, so that it can still be verified.

use serde::{Deserialize, Serialize};
use tigertrust_accounts::{from_hex, to_hex};
use tigertrust_model::{AuditEvent, AuditTarget, Chain, FieldChange, PersonalFields, Timestamp};

/// What the first line of a file says that it is.
const KIND: &str = "tigertrust-audit-archive/1";

/// The first line of a file: which part of which chain follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchiveHeader {
    kind: String,
    chain: String,
    /// The place of the event before the first one.
    after: u64,
    /// Its MAC; zeros for the beginning of the chain.
    after_mac: String,
}

impl ArchiveHeader {
    /// What follows the event with that place and MAC.
    #[must_use]
    pub fn new(chain: Chain, after: u64, mac: &[u8; 32]) -> Self {
        Self {
            kind: KIND.to_owned(),
            chain: chain.to_string(),
            after,
            after_mac: to_hex(mac),
        }
    }

    /// The chain, and the place and MAC of the event before the first one; none for the header of something else.
    #[must_use]
    pub fn read(&self) -> Option<(Chain, u64, [u8; 32])> {
        let known = self.kind == KIND;
        known
            .then(|| Some((self.chain.parse().ok()?, self.after, from_hex(&self.after_mac)?)))
            .flatten()
    }
}

/// An event with all that its MAC covers: a line after the first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchivedEvent {
    id: String,
    chain: String,
    sequence: u64,
    /// Microseconds since 1970, UTC.
    at: i64,
    action: String,
    outcome: String,
    code: Option<String>,
    actor_type: String,
    actor_id: Option<String>,
    credential_id: Option<String>,
    target: Option<(String, String)>,
    /// Field, before, after.
    changes: Vec<(String, Option<String>, Option<String>)>,
    count: u64,
    request_id: Option<String>,
    personal: Option<ArchivedPersonal>,
    personal_digest: String,
    key_id: String,
    mac: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchivedPersonal {
    salt: String,
    address: Option<String>,
    user_agent: Option<String>,
    details: Vec<(String, String)>,
}

impl From<AuditEvent> for ArchivedEvent {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id.to_string(),
            chain: event.chain.to_string(),
            sequence: event.seq,
            at: event.at.unix_micros(),
            action: event.action,
            outcome: event.outcome,
            code: event.code,
            actor_type: event.actor_kind,
            actor_id: event.actor,
            credential_id: event.credential,
            target: event.target.map(|target| (target.kind, target.id)),
            changes: event
                .changes
                .into_iter()
                .map(|change| (change.field, change.before, change.after))
                .collect(),
            count: event.count,
            request_id: event.request_id,
            personal: event.personal.map(|personal| ArchivedPersonal {
                salt: to_hex(&personal.salt),
                address: personal.address,
                user_agent: personal.user_agent,
                details: personal.details,
            }),
            personal_digest: to_hex(&event.personal_digest),
            key_id: event.key,
            mac: to_hex(&event.mac),
        }
    }
}

impl ArchivedEvent {
    /// The event; none for what is none.
    #[must_use]
    pub fn read(self) -> Option<AuditEvent> {
        let personal = match self.personal {
            None => None,
            Some(personal) => Some(PersonalFields {
                salt: from_hex(&personal.salt)?,
                address: personal.address,
                user_agent: personal.user_agent,
                details: personal.details,
            }),
        };
        Some(AuditEvent {
            id: self.id.parse().ok()?,
            chain: self.chain.parse().ok()?,
            seq: self.sequence,
            at: Timestamp::from_unix_micros(self.at),
            action: self.action,
            outcome: self.outcome,
            code: self.code,
            actor_kind: self.actor_type,
            actor: self.actor_id,
            credential: self.credential_id,
            target: self.target.map(|(kind, id)| AuditTarget { kind, id }),
            changes: self
                .changes
                .into_iter()
                .map(|(field, before, after)| FieldChange { field, before, after })
                .collect(),
            count: self.count,
            request_id: self.request_id,
            personal,
            personal_digest: from_hex(&self.personal_digest)?,
            key: self.key_id,
            mac: from_hex(&self.mac)?,
        })
    }
}
