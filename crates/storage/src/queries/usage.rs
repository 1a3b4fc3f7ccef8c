//! How often keys were used, as it is written and forgotten.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::{ExpressionMethods, Insertable, OptionalExtension, QueryDsl, upsert::excluded};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::ports::{ScopeUse, StoreError, UsageBatch, UsageCount, UsageStore};
use tigertrust_model::{Granularity, Outcome, Timestamp};
use uuid::Uuid;

use super::{
    super::Connection,
    Store, add_counts, execute_all,
    schema::{
        scope_uses,
        usage_counts::{self, bucket, granularity},
    },
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// A count of calls, as it is added to the one that is there.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = usage_counts)]
pub(crate) struct CountRow {
    pub(in super::super) key_id: StoredId,
    pub(in super::super) granularity: &'static str,
    pub(in super::super) bucket: StoredTime,
    pub(in super::super) outcome: &'static str,
    pub(in super::super) workspace_id: Option<StoredId>,
    pub(in super::super) calls: i64,
}

#[async_trait]
impl UsageStore for Store {
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError> {
        use diesel::query_dsl::methods::FilterDsl as _;

        let counts = rows(batch.counts);
        let mut scopes = batch.scopes;
        scopes.sort_unstable_by(|one, other| (one.key, &one.scope).cmp(&(other.key, &other.scope)));
        self.write_unheard(move |connection| {
            Box::pin(async move {
                add_counts(connection, counts).await.or_unavailable()?;
                let statements = scopes.into_iter().map(|ScopeUse { key, scope, day }| {
                    diesel::insert_into(scope_uses::table)
                        .values((
                            scope_uses::key_id.eq(StoredId::new(key.as_uuid())),
                            scope_uses::scope.eq(scope.to_string()),
                            scope_uses::last_day.eq(StoredTime::new(day)),
                        ))
                        .on_conflict((scope_uses::key_id, scope_uses::scope))
                        .do_update()
                        .set(scope_uses::last_day.eq(excluded(scope_uses::last_day)))
                        .filter(scope_uses::last_day.lt(excluded(scope_uses::last_day)))
                });
                execute_all(connection, statements.collect())
                    .await
                    .or_unavailable()
            })
        })
        .await
    }
}

/// The rows of all granularities, each once, in one order on every node: two that lock the same rows in different orders wait for each
/// other.
fn rows(counts: Vec<UsageCount>) -> Vec<CountRow> {
    // By key, length of the bucket, its start and the outcome: the home of the key, and how many calls.
    type Place = (Uuid, Granularity, Timestamp, Outcome);
    let mut sums: BTreeMap<Place, (Option<StoredId>, i64)> = BTreeMap::new();
    for count in counts {
        let home = count.home.map(|home| StoredId::new(home.as_uuid()));
        let calls = i64::try_from(count.calls).unwrap_or(i64::MAX);
        for length in Granularity::ALL {
            let start = length.start_of(count.minute);
            let (_, sum) = sums
                .entry((count.key.as_uuid(), length, start, count.outcome))
                .or_insert((home, 0));
            *sum = sum.saturating_add(calls);
        }
    }
    let row = |((key, length, start, outcome), (home, calls)): (Place, (_, i64))| CountRow {
        key_id: StoredId::new(key),
        granularity: length.as_str(),
        bucket: StoredTime::new(start),
        outcome: outcome.as_str(),
        workspace_id: home,
        calls,
    };
    sums.into_iter().map(row).collect()
}

impl Store {
    /// Removes the counts whose buckets began earlier, and with the days what is known of scopes since.
    pub(super) async fn prune_usage(
        &self,
        length: Granularity,
        older_than: Timestamp,
        batch: u32,
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let count = self
                .write_alone(move |connection| Box::pin(remove(connection, length, older_than, batch)))
                .await?;
            removed += u64::try_from(count).unwrap_or(0);
            if count < usize::try_from(batch.max(1)).unwrap_or(usize::MAX) {
                break;
            }
        }
        if length == Granularity::Day {
            self.write_alone(move |connection| Box::pin(forget_scopes(connection, older_than)))
                .await?;
        }
        Ok(removed)
    }
}

/// Removes the oldest buckets, as whole ones: so many that a batch of counts goes, or all that are too old.
async fn remove(
    connection: &mut Connection,
    length: Granularity,
    older_than: Timestamp,
    batch: u32,
) -> Result<usize, StoreError> {
    let old = || {
        usage_counts::table
            .filter(granularity.eq(length.as_str()))
            .filter(bucket.lt(StoredTime::new(older_than)))
    };
    let last: Option<StoredTime> = old()
        .select(bucket)
        .order(bucket)
        .offset(i64::from(batch.max(1)) - 1)
        .limit(1)
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    let until = last.unwrap_or(StoredTime::new(older_than));
    diesel::delete(old().filter(bucket.le(until)))
        .execute(connection)
        .await
        .or_unavailable()
}

async fn forget_scopes(connection: &mut Connection, older_than: Timestamp) -> Result<(), StoreError> {
    let old = scope_uses::table.filter(scope_uses::last_day.lt(StoredTime::new(older_than)));
    diesel::delete(old)
        .execute(connection)
        .await
        .map(drop)
        .or_unavailable()
}
