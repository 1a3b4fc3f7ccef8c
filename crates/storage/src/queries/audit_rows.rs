//! The audit log: its rows.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use serde::{Deserialize, Serialize};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    AuditEvent, AuditTarget, Chain, ChainHead, EventId, FieldChange, PersonalFields, WorkspaceId,
};
use uuid::Uuid;

use super::{
    rows::Corrupt,
    schema::{audit_events, audit_heads},
};
use crate::types::{StoredId, StoredTime};

/// What a chain is called in its rows: by its workspace, or zeros.
pub(super) fn id_of(chain: Chain) -> StoredId {
    StoredId::new(chain.workspace().map_or(Uuid::nil(), WorkspaceId::as_uuid))
}

pub(super) fn chain_of(id: StoredId) -> Option<Chain> {
    let id = id.read()?;
    Some(if id.is_nil() {
        Chain::Instance
    } else {
        Chain::Workspace(WorkspaceId::from_uuid(id))
    })
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = audit_events)]
pub(super) struct EventRow {
    chain_id: StoredId,
    seq: i64,
    id: StoredId,
    created_at: StoredTime,
    action: String,
    outcome: String,
    code: Option<String>,
    actor_kind: String,
    actor_id: Option<String>,
    credential_id: Option<String>,
    target_kind: Option<String>,
    target_id: Option<String>,
    changes: String,
    count: i64,
    request_id: Option<String>,
    salt: Option<Vec<u8>>,
    address: Option<String>,
    user_agent: Option<String>,
    details: Option<String>,
    personal_digest: Vec<u8>,
    key_id: String,
    mac: Vec<u8>,
    mentions: Option<Vec<u8>>,
}

impl EventRow {
    /// The same with what stands for the address that it speaks of.
    pub(super) fn mentioning(mut self, mention: Option<[u8; 32]>) -> Self {
        self.mentions = mention.map(|mention| mention.to_vec());
        self
    }
}

/// A change of a field, as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredChange {
    field: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A number that is never negative, as a database holds it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Text and lists of text can always be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl From<AuditEvent> for EventRow {
    fn from(event: AuditEvent) -> Self {
        let changes: Vec<StoredChange> = event
            .changes
            .into_iter()
            .map(|FieldChange { field, before, after }| StoredChange { field, before, after })
            .collect();
        let (target_kind, target_id) = event.target.map(|target| (target.kind, target.id)).unzip();
        let (salt, address, user_agent, details) = match event.personal {
            Some(personal) => (
                Some(personal.salt.to_vec()),
                personal.address,
                personal.user_agent,
                Some(json(&personal.details)),
            ),
            None => (None, None, None, None),
        };
        Self {
            chain_id: id_of(event.chain),
            seq: signed(event.seq),
            id: StoredId::new(event.id.as_uuid()),
            created_at: StoredTime::new(event.at),
            action: event.action,
            outcome: event.outcome,
            code: event.code,
            actor_kind: event.actor_kind,
            actor_id: event.actor,
            credential_id: event.credential,
            target_kind,
            target_id,
            changes: json(&changes),
            count: signed(event.count),
            request_id: event.request_id,
            salt,
            address,
            user_agent,
            details,
            personal_digest: event.personal_digest.to_vec(),
            key_id: event.key,
            mac: event.mac.to_vec(),
            mentions: None,
        }
    }
}

impl EventRow {
    pub(super) fn read(self) -> Result<AuditEvent, StoreError> {
        let chain = chain_of(self.chain_id);
        let row = chain.map(|chain| format!("{chain}, {}", self.seq));
        let corrupt = Corrupt::new("audit_events", row);
        let changes: Vec<StoredChange> =
            serde_json::from_str(&self.changes).map_err(|_| corrupt.at("changes"))?;
        let personal = match self.salt {
            None => None,
            Some(salt) => {
                let details = self.details.as_deref().map(serde_json::from_str).transpose();
                Some(PersonalFields {
                    salt: salt.try_into().map_err(|_| corrupt.at("salt"))?,
                    address: self.address,
                    user_agent: self.user_agent,
                    details: details.map_err(|_| corrupt.at("details"))?.unwrap_or_default(),
                })
            }
        };
        let target = self.target_kind.zip(self.target_id);
        Ok(AuditEvent {
            id: self
                .id
                .read()
                .map(EventId::from_uuid)
                .ok_or_else(|| corrupt.at("id"))?,
            chain: chain.ok_or_else(|| corrupt.at("chain_id"))?,
            seq: u64::try_from(self.seq).map_err(|_| corrupt.at("seq"))?,
            at: corrupt.time(self.created_at, "created_at")?,
            action: self.action,
            outcome: self.outcome,
            code: self.code,
            actor_kind: self.actor_kind,
            actor: self.actor_id,
            credential: self.credential_id,
            target: target.map(|(kind, id)| AuditTarget { kind, id }),
            changes: changes
                .into_iter()
                .map(|StoredChange { field, before, after }| FieldChange { field, before, after })
                .collect(),
            count: u64::try_from(self.count).map_err(|_| corrupt.at("count"))?,
            request_id: self.request_id,
            personal,
            personal_digest: self
                .personal_digest
                .try_into()
                .map_err(|_| corrupt.at("personal_digest"))?,
            key: self.key_id,
            mac: self.mac.try_into().map_err(|_| corrupt.at("mac"))?,
        })
    }
}

#[derive(Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = audit_heads, primary_key(chain_id))]
pub(super) struct HeadRow {
    pub(super) chain_id: StoredId,
    archived: i64,
    archived_mac: Vec<u8>,
    seq: i64,
    mac: Vec<u8>,
    key_id: String,
    seal: Vec<u8>,
}

impl From<&ChainHead> for HeadRow {
    fn from(head: &ChainHead) -> Self {
        Self {
            chain_id: id_of(head.chain),
            archived: signed(head.archived),
            archived_mac: head.archived_mac.to_vec(),
            seq: signed(head.seq),
            mac: head.mac.to_vec(),
            key_id: head.key.clone(),
            seal: head.seal.to_vec(),
        }
    }
}

impl HeadRow {
    pub(super) fn read(self) -> Result<ChainHead, StoreError> {
        let chain = chain_of(self.chain_id);
        let corrupt = Corrupt::new("audit_heads", chain);
        Ok(ChainHead {
            chain: chain.ok_or_else(|| corrupt.at("chain_id"))?,
            archived: u64::try_from(self.archived).map_err(|_| corrupt.at("archived"))?,
            archived_mac: self
                .archived_mac
                .try_into()
                .map_err(|_| corrupt.at("archived_mac"))?,
            seq: u64::try_from(self.seq).map_err(|_| corrupt.at("seq"))?,
            mac: self.mac.try_into().map_err(|_| corrupt.at("mac"))?,
            key: self.key_id,
            seal: self.seal.try_into().map_err(|_| corrupt.at("seal"))?,
        })
    }
}
