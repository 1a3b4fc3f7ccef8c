//! When secrets were last used.

use async_trait::async_trait;
use tigertrust_credentials::{
    KeyDigest,
    ports::{StoreError, UseStore},
};
use tigertrust_model::LastUse;

use super::{Store, note_uses};
use crate::{error::OrUnavailable, types::StoredTime};

/// When and how a secret was last used.
pub(crate) struct UseRow {
    pub(in super::super) digest: [u8; 32],
    pub(in super::super) at: StoredTime,
    pub(in super::super) address: Option<String>,
    pub(in super::super) user_agent: Option<String>,
}

#[async_trait]
impl UseStore for Store {
    async fn record_uses(&self, mut uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
        // In one order on every node: two that lock the same rows in different orders wait for each other.
        uses.sort_unstable_by_key(|(digest, _)| *digest.as_bytes());
        let rows = uses.into_iter().map(|(digest, last_use)| UseRow {
            digest: *digest.as_bytes(),
            at: StoredTime::new(last_use.at),
            address: last_use.address.map(|address| address.to_string()),
            user_agent: last_use.user_agent,
        });
        let rows: Vec<UseRow> = rows.collect();
        self.write_unheard(move |connection| {
            Box::pin(async move { note_uses(connection, rows).await.or_unavailable() })
        })
        .await
    }
}
