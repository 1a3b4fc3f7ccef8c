//! When secrets were last used.

use async_trait::async_trait;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl,
    dsl::{exists, not},
};
use tigertrust_credentials::{
    KeyDigest,
    ports::{StoreError, UseStore},
};
use tigertrust_model::LastUse;

use super::{
    Store, execute_all,
    schema::{api_key_secrets as secrets, api_keys, users},
};
use crate::{error::OrUnavailable, types::StoredTime};

#[async_trait]
impl UseStore for Store {
    async fn record_uses(&self, mut uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
        // In one order on every node: two that lock the same rows in different orders wait for each other.
        uses.sort_unstable_by_key(|(digest, _)| *digest.as_bytes());
        self.write_unheard(move |connection| {
            Box::pin(async move {
                let statements = uses.into_iter().map(|(digest, last_use)| {
                    let at = StoredTime::new(last_use.at);
                    let earlier = secrets::last_used_at.is_null().or(secrets::last_used_at.lt(at));
                    // A node may have noted a use before it heard that the owner was erased, and bring it after.
                    let of_erased = api_keys::table
                        .inner_join(users::table.on(users::id.nullable().eq(api_keys::owner_id)))
                        .filter(api_keys::id.eq(secrets::key_id))
                        .filter(users::erased_at.is_not_null());
                    let secret = secrets::table
                        .find(digest.as_bytes().to_vec())
                        .filter(earlier)
                        .filter(not(exists(of_erased)));
                    diesel::update(secret).set((
                        secrets::last_used_at.eq(Some(at)),
                        secrets::last_used_address.eq(last_use.address.map(|address| address.to_string())),
                        secrets::last_used_user_agent.eq(last_use.user_agent),
                    ))
                });
                execute_all(connection, statements.collect())
                    .await
                    .or_unavailable()
            })
        })
        .await
    }
}
