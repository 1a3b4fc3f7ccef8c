//! How often keys were used, as it is read.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{SqlTypeOf, sql},
    expression::SqlLiteral,
    sql_types::BigInt,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    KeyUsage, LastScopeUse, Outcomes, UsageBucket, UsageRange,
    ports::{KeyView, UsageHistory},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Granularity, KeyId, Outcome, Timestamp, UserId};

use super::{
    super::Connection,
    Store,
    rows::Corrupt,
    schema::{
        api_keys as keys, scope_uses,
        usage_counts::{bucket, granularity, key_id, outcome, table, workspace_id},
    },
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// The counts of a range that a view holds. A macro, since the type of such a query cannot be named in reason.
macro_rules! within {
    ($query:expr, $view:expr, $range:expr) => {{
        let range: UsageRange = $range;
        let mut query = $query
            .filter(granularity.eq(range.granularity.as_str()))
            .filter(bucket.ge(StoredTime::new(range.from)))
            .filter(bucket.lt(StoredTime::new(range.to)))
            .into_boxed();
        if let Some(home) = $view.workspace() {
            query = query.filter(workspace_id.eq(StoredId::new(home.as_uuid())));
        }
        if let KeyView::Own { owner, .. } = $view {
            let own = keys::table
                .filter(keys::owner_id.eq(StoredId::new(owner.as_uuid())))
                .select(keys::id);
            query = query.filter(key_id.eq_any(own));
        }
        query
    }};
}

/// PostgreSQL's own sum of whole numbers is none of its whole numbers.
fn calls() -> SqlLiteral<BigInt> {
    sql("CAST(SUM(calls) AS BIGINT)")
}

#[async_trait]
impl UsageHistory for Store {
    async fn usage(
        &self,
        view: KeyView,
        only: Option<KeyId>,
        range: UsageRange,
    ) -> Result<Vec<UsageBucket>, StoreError> {
        let rows = self
            .read(move |connection| {
                Box::pin(async move {
                    let sums = table
                        .group_by((bucket, outcome))
                        .select((bucket, outcome, calls()))
                        .order(bucket);
                    let mut sums = within!(sums, view, range);
                    if let Some(key) = only {
                        sums = sums.filter(key_id.eq(StoredId::new(key.as_uuid())));
                    }
                    sums.load::<(StoredTime, String, i64)>(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        let mut buckets: Vec<UsageBucket> = Vec::new();
        for (start, outcome_name, number) in rows {
            let corrupt = Corrupt::new("usage_counts", Some(&outcome_name));
            let start = corrupt.time(start, "bucket")?;
            let counted = read(&outcome_name, number)?;
            match buckets.last_mut() {
                Some(last) if last.start == start => last.outcomes.extend([counted]),
                _ => buckets.push(UsageBucket {
                    start,
                    outcomes: Outcomes::from([counted]),
                }),
            }
        }
        Ok(buckets)
    }

    async fn busiest_keys(
        &self,
        view: KeyView,
        range: UsageRange,
        limit: u16,
    ) -> Result<Vec<KeyUsage>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let busiest = table
                    .group_by(key_id)
                    .select(key_id)
                    .order((calls().desc(), key_id))
                    .limit(i64::from(limit));
                let busiest: Vec<StoredId> = within!(busiest, view, range)
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let names = names(connection, &busiest).await?;
                let sums = table
                    .group_by((key_id, outcome))
                    .select((key_id, outcome, calls()));
                let sums: Vec<(StoredId, String, i64)> = within!(sums, view, range)
                    .filter(key_id.eq_any(busiest.clone()))
                    .load(connection)
                    .await
                    .or_unavailable()?;
                let mut of_key: HashMap<StoredId, Outcomes> = HashMap::new();
                for (key, outcome_name, number) in sums {
                    of_key
                        .entry(key)
                        .or_default()
                        .extend([read(&outcome_name, number)?]);
                }
                busiest
                    .into_iter()
                    .map(|stored| {
                        Ok(KeyUsage {
                            key: read_key("usage_counts", stored)?,
                            name: names.get(&stored).cloned().unwrap_or_default(),
                            outcomes: of_key.remove(&stored).unwrap_or_default(),
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    async fn scope_uses(&self, of: Vec<KeyId>) -> Result<Vec<LastScopeUse>, StoreError> {
        let of = stored(&of);
        let rows: Vec<(StoredId, String, StoredTime)> = self
            .read(move |connection| {
                Box::pin(async move {
                    scope_uses::table
                        .filter(scope_uses::key_id.eq_any(of))
                        .select((scope_uses::key_id, scope_uses::scope, scope_uses::last_day))
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        let read = |(key, scope, day): (StoredId, String, StoredTime)| {
            let key = read_key("scope_uses", key)?;
            let corrupt = Corrupt::new("scope_uses", Some(key));
            Ok(LastScopeUse {
                key,
                scope: scope.parse().map_err(|_| corrupt.at("scope"))?,
                day: corrupt.time(day, "last_day")?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    async fn first_days(&self, of: Vec<KeyId>) -> Result<Vec<(KeyId, Timestamp)>, StoreError> {
        let of = stored(&of);
        let rows: Vec<(StoredId, StoredTime)> = self
            .read(move |connection| {
                Box::pin(async move {
                    table
                        .filter(granularity.eq(Granularity::Day.as_str()))
                        .filter(key_id.eq_any(of))
                        .group_by(key_id)
                        .select((key_id, sql::<SqlTypeOf<bucket>>("MIN(bucket)")))
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        let read = |(key, day): (StoredId, StoredTime)| {
            let key = read_key("usage_counts", key)?;
            let day = Corrupt::new("usage_counts", Some(key)).time(day, "bucket")?;
            Ok((key, day))
        };
        rows.into_iter().map(read).collect()
    }
}

/// How often those keys of a person were used that were, since the start of a day.
pub(super) async fn of_person(
    connection: &mut Connection,
    owner: UserId,
    since: Timestamp,
) -> Result<Vec<KeyUsage>, StoreError> {
    let own = keys::table
        .filter(keys::owner_id.eq(StoredId::new(owner.as_uuid())))
        .select(keys::id);
    let sums: Vec<(StoredId, String, i64)> = table
        .filter(key_id.eq_any(own))
        .filter(granularity.eq(Granularity::Day.as_str()))
        .filter(bucket.ge(StoredTime::new(Granularity::Day.start_of(since))))
        .group_by((key_id, outcome))
        .select((key_id, outcome, calls()))
        .load(connection)
        .await
        .or_unavailable()?;
    let mut of_key: BTreeMap<StoredId, Outcomes> = BTreeMap::new();
    for (key, outcome_name, number) in sums {
        let counted = read(&outcome_name, number)?;
        of_key.entry(key).or_default().extend([counted]);
    }
    let used: Vec<StoredId> = of_key.keys().copied().collect();
    let names = names(connection, &used).await?;
    of_key
        .into_iter()
        .map(|(key, outcomes)| {
            Ok(KeyUsage {
                key: read_key("usage_counts", key)?,
                name: names.get(&key).cloned().unwrap_or_default(),
                outcomes,
            })
        })
        .collect()
}

async fn names(
    connection: &mut Connection,
    of: &[StoredId],
) -> Result<HashMap<StoredId, String>, StoreError> {
    let rows: Vec<(StoredId, String)> = keys::table
        .filter(keys::id.eq_any(of.to_vec()))
        .select((keys::id, keys::name))
        .load(connection)
        .await
        .or_unavailable()?;
    Ok(rows.into_iter().collect())
}

fn stored(ids: &[KeyId]) -> Vec<StoredId> {
    ids.iter().map(|id| StoredId::new(id.as_uuid())).collect()
}

fn read_key(name: &'static str, stored: StoredId) -> Result<KeyId, StoreError> {
    let key = stored.read().map(KeyId::from_uuid);
    key.ok_or_else(|| Corrupt::new(name, None::<KeyId>).at("key_id"))
}

fn read(outcome_name: &str, number: i64) -> Result<(Outcome, u64), StoreError> {
    let corrupt = Corrupt::new("usage_counts", Some(outcome_name));
    let parsed = outcome_name.parse().map_err(|_| corrupt.at("outcome"))?;
    let number = u64::try_from(number).map_err(|_| corrupt.at("calls"))?;
    Ok((parsed, number))
}
