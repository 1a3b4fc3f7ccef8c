//! When secrets were last used.

use async_trait::async_trait;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::{
    KeyDigest,
    ports::{StoreError, UseStore},
};
use tigertrust_model::LastUse;

use super::{Store, schema::api_key_secrets as secrets};
use crate::{error::OrUnavailable, types::StoredTime};

#[async_trait]
impl UseStore for Store {
    async fn record_uses(&self, mut uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
        // In one order on every node: two that lock the same rows in different orders wait for each other.
        uses.sort_unstable_by_key(|(digest, _)| *digest.as_bytes());
        self.write_unheard(move |connection| {
            Box::pin(async move {
                for (digest, last_use) in uses {
                    let at = StoredTime::new(last_use.at);
                    let earlier = secrets::last_used_at.is_null().or(secrets::last_used_at.lt(at));
                    diesel::update(secrets::table.find(digest.as_bytes().to_vec()).filter(earlier))
                        .set((
                            secrets::last_used_at.eq(Some(at)),
                            secrets::last_used_address
                                .eq(last_use.address.map(|address| address.to_string())),
                            secrets::last_used_user_agent.eq(last_use.user_agent),
                        ))
                        .execute(connection)
                        .await
                        .or_unavailable()?;
                }
                Ok(())
            })
        })
        .await
    }
}
