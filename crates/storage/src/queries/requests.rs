//! Requests that name themselves, so that one sent twice is acted upon once.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{Earlier, KEPT, OnceOnly};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{KeyId, Timestamp};

use super::{
    super::Connection,
    Store,
    rows::Corrupt,
    schema::idempotent_requests::{self as requests, table},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// Remembers the request, unless one of that name is there: then that one is returned. Whoever comes while another makes
/// the same request waits for its end.
pub(super) async fn claim(
    connection: &mut Connection,
    once: &OnceOnly,
    key: KeyId,
) -> Result<Option<Earlier>, StoreError> {
    let own = table.find((once.caller.to_string(), once.name.clone()));
    let too_old = StoredTime::new(once.at.saturating_sub(KEPT));
    diesel::delete(own.filter(requests::created_at.le(too_old)))
        .execute(connection)
        .await
        .or_unavailable()?;
    let claimed = diesel::insert_into(table)
        .values((
            requests::caller.eq(once.caller.to_string()),
            requests::name.eq(once.name.clone()),
            requests::request.eq(once.request.to_vec()),
            requests::key_id.eq(StoredId::new(key.as_uuid())),
            requests::created_at.eq(StoredTime::new(once.at)),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .or_unavailable()?;
    if claimed == 1 {
        Ok(None)
    } else {
        find(connection, once).await
    }
}

/// The request of that caller and name, if it is not too old to count.
pub(super) async fn find(
    connection: &mut Connection,
    once: &OnceOnly,
) -> Result<Option<Earlier>, StoreError> {
    let too_old = StoredTime::new(once.at.saturating_sub(KEPT));
    let row: Option<(Vec<u8>, StoredId)> = table
        .find((once.caller.to_string(), once.name.clone()))
        .filter(requests::created_at.gt(too_old))
        .select((requests::request, requests::key_id))
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let Some((request, key)) = row else {
        return Ok(None);
    };
    let corrupt = Corrupt::new("idempotent_requests", Some(&once.name));
    Ok(Some(Earlier {
        request: request.try_into().map_err(|_| corrupt.at("request"))?,
        key: key
            .read()
            .map(KeyId::from_uuid)
            .ok_or_else(|| corrupt.at("key_id"))?,
    }))
}

impl Store {
    /// Forgets the requests that are older.
    pub(super) async fn forget_requests(&self, older_than: Timestamp) -> Result<(), StoreError> {
        self.write_alone(move |connection| {
            Box::pin(async move {
                diesel::delete(table.filter(requests::created_at.lt(StoredTime::new(older_than))))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }
}
