//! What servers say of themselves, as rows.

use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use serde::Deserialize;
use tigertrust_credentials::{NodeNote, RunningNode, RunningRing, ports::StoreError};
use tigertrust_model::{NodeId, Timestamp};

use super::{rows::Corrupt, schema::nodes};
use crate::types::{StoredId, StoredJson, StoredTime};

/// The ring of a server, as JSON. What a newer release says beside it is left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RingJson {
    peppers: Vec<String>,
    encryption_keys: Vec<String>,
    signing_keys: Vec<String>,
}

/// What a server says, to be stored.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = nodes, treat_none_as_null = true)]
pub(super) struct Said {
    seen_at: StoredTime,
    name: Option<String>,
    ring: StoredJson,
    ring_since: StoredTime,
}

impl Said {
    pub(super) fn new(note: &NodeNote, at: Timestamp) -> Self {
        let RunningRing {
            peppers,
            encryption_keys,
            signing_keys,
        } = &note.ring;
        let ring = serde_json::json!({
            "peppers": peppers,
            "encryptionKeys": encryption_keys,
            "signingKeys": signing_keys,
        });
        Self {
            seen_at: StoredTime::new(at),
            name: note.name.clone(),
            ring: StoredJson(ring.to_string()),
            ring_since: StoredTime::new(note.ring_since),
        }
    }
}

/// A server that was heard of.
#[derive(Queryable, Selectable)]
#[diesel(table_name = nodes)]
pub(super) struct NodeRow {
    id: StoredId,
    seen_at: StoredTime,
    name: Option<String>,
    ring: Option<StoredJson>,
    ring_since: Option<StoredTime>,
}

impl NodeRow {
    pub(super) fn read(self) -> Result<RunningNode, StoreError> {
        let id = self.id.read().map(NodeId::from_uuid);
        let corrupt = Corrupt::new("nodes", id);
        let note = match (self.ring, self.ring_since) {
            (Some(ring), Some(since)) => {
                // What cannot be read says nothing, so that one row does not shut out whoever asks for all.
                let ring = serde_json::from_str::<RingJson>(&ring.0).ok();
                ring.zip(since.read()).map(|(ring, since)| NodeNote {
                    name: self.name,
                    ring: RunningRing {
                        peppers: ring.peppers,
                        encryption_keys: ring.encryption_keys,
                        signing_keys: ring.signing_keys,
                    },
                    ring_since: since,
                })
            }
            // A server of an older release says nothing.
            _ => None,
        };
        Ok(RunningNode {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            seen_at: corrupt.time(self.seen_at, "seen_at")?,
            note,
        })
    }
}
