//! What is over of signing in and inviting is removed, in bounded batches.

use std::time::Duration;

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::FAILURES_COUNT_FOR;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::Timestamp;

use super::{
    Store,
    schema::{
        invitations, mail_tokens, passkey_challenges, proof_budgets, sessions,
        sign_in_challenges as challenges, sso_replays, sso_requests,
    },
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// How long invitations are kept after they have expired.
const INVITATIONS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Deletes the rows of a table that are over since a time or longer: at most so many. Their keys are read first, since
/// `DELETE` takes no `LIMIT`.
macro_rules! prune {
    ($connection:ident, $limit:ident, $table:ident, $key:ident: $type:ty, $over:ident <= $at:expr) => {
        let over: Vec<$type> = $table::table
            .filter($table::$over.le(StoredTime::new($at)))
            .select($table::$key)
            .limit($limit)
            .load($connection)
            .await
            .or_unavailable()?;
        diesel::delete($table::table.filter($table::$key.eq_any(over)))
            .execute($connection)
            .await
            .or_unavailable()?;
    };
}

impl Store {
    /// Removes what is over of sessions, waiting logins, invitations, links in mails, challenges, sign-ins at providers and failed proofs: at most
    /// so many of each.
    pub(super) async fn prune_sign_ins(&self, at: Timestamp, batch: u32) -> Result<(), StoreError> {
        let limit = i64::from(batch);
        let invited = at.saturating_sub(INVITATIONS_KEPT);
        let failed = at.saturating_sub(FAILURES_COUNT_FOR);
        self.write_unheard(move |connection| {
            Box::pin(async move {
                prune!(connection, limit, sessions, id: StoredId, expires_at <= at);
                prune!(connection, limit, challenges, token: Vec<u8>, expires_at <= at);
                prune!(connection, limit, invitations, id: StoredId, expires_at <= invited);
                prune!(connection, limit, mail_tokens, token: Vec<u8>, expires_at <= at);
                prune!(connection, limit, passkey_challenges, challenge: Vec<u8>, expires_at <= at);
                prune!(connection, limit, sso_requests, state: Vec<u8>, expires_at <= at);
                prune!(connection, limit, sso_replays, id: Vec<u8>, expires_at <= at);
                prune!(connection, limit, proof_budgets, subject: String, updated_at <= failed);
                Ok(())
            })
        })
        .await
    }
}
