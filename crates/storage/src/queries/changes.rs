//! The log of changes.

use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, dsl};
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager as _};
use tigertrust_credentials::ports::{ChangeLog, StoreError};
use tigertrust_model::{Change, Entity, KeyId, Timestamp, UserId, WorkspaceId};
use uuid::Uuid;

use super::{
    super::{
        Connection, announce, begin_write,
        schema::{change_head, changes},
    },
    Store,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

/// The one row of the head.
const HEAD: i16 = 1;

/// Takes the next numbers for changes and logs them. The head stays locked until the transaction ends, so this must be the
/// last thing in it.
pub(super) async fn number(
    connection: &mut Connection,
    changed: &[(Entity, Option<WorkspaceId>)],
    now: Timestamp,
) -> Result<Vec<Change>, StoreError> {
    let mut numbered = Vec::with_capacity(changed.len());
    for (entity, workspace) in changed {
        numbered.push(number_one(connection, *entity, *workspace, now).await?);
    }
    if !numbered.is_empty() {
        announce(connection).await.or_unavailable()?;
    }
    Ok(numbered)
}

async fn number_one(
    connection: &mut Connection,
    entity: Entity,
    workspace: Option<WorkspaceId>,
    now: Timestamp,
) -> Result<Change, StoreError> {
    let seq: i64 = diesel::update(change_head::table.find(HEAD))
        .set(change_head::seq.eq(change_head::seq + 1))
        .returning(change_head::seq)
        .get_result(connection)
        .await
        .or_unavailable()?;
    let (kind, id) = match entity {
        Entity::Key(id) => ("key", id.as_uuid()),
        Entity::User(id) => ("user", id.as_uuid()),
        Entity::Workspace(id) => ("workspace", id.as_uuid()),
    };
    diesel::insert_into(changes::table)
        .values((
            changes::seq.eq(seq),
            changes::kind.eq(kind),
            changes::entity_id.eq(StoredId::new(id)),
            changes::workspace_id.eq(workspace.map(|id| StoredId::new(id.as_uuid()))),
            changes::created_at.eq(StoredTime::new(now)),
        ))
        .execute(connection)
        .await
        .or_unavailable()?;
    Ok(Change {
        seq: positive(seq)?,
        entity,
        workspace,
    })
}

/// How far a database leaps ahead that was restored: further than it can have come since the copy was made, even at a thousand changes a
/// second for years, and still small enough for numbers in JSON to have thousands of such leaps.
const LEAP: i64 = 1 << 40;

/// Leaves a gap in the numbers, after which whoever followed the changes must start afresh: a database that was restored gives numbers
/// once more that others have heard already. The change at the end of the gap is of nothing, and is there because the newest always is.
pub(crate) async fn leap(connection: &mut Connection, now: Timestamp) -> Result<u64, StoreError> {
    type Manager = <Connection as AsyncConnection>::TransactionManager;

    begin_write(connection).await.or_unavailable()?;
    let leapt: Result<Vec<Change>, StoreError> = async {
        diesel::update(change_head::table.find(HEAD))
            .set(change_head::seq.eq(change_head::seq + LEAP))
            .execute(connection)
            .await
            .or_unavailable()?;
        let nothing = Entity::Workspace(WorkspaceId::from_uuid(Uuid::nil()));
        number(connection, &[(nothing, None)], now).await
    }
    .await;
    match leapt {
        Ok(leapt) => {
            Manager::commit_transaction(connection).await.or_unavailable()?;
            Ok(leapt.as_slice().first().map_or(0, |change| change.seq))
        }
        Err(error) => {
            let _ = Manager::rollback_transaction(connection).await;
            Err(error)
        }
    }
}

/// The number of the latest change; 0 before the first.
pub(super) async fn head(connection: &mut Connection) -> Result<u64, StoreError> {
    let seq = change_head::table
        .find(HEAD)
        .select(change_head::seq)
        .get_result(connection)
        .await
        .or_unavailable()?;
    positive(seq)
}

/// The first `limit` logged changes after the one numbered `last`; `None` for one that cannot be read.
pub(super) async fn after(
    connection: &mut Connection,
    last: u64,
    limit: i64,
) -> Result<Vec<Option<Change>>, StoreError> {
    let rows: Vec<ChangeRow> = changes::table
        .filter(changes::seq.gt(i64::try_from(last).unwrap_or(i64::MAX)))
        .select((
            changes::seq,
            changes::kind,
            changes::entity_id,
            changes::workspace_id,
        ))
        .order(changes::seq)
        .limit(limit)
        .load(connection)
        .await
        .or_unavailable()?;
    Ok(rows.into_iter().map(change).collect())
}

type ChangeRow = (i64, String, StoredId, Option<StoredId>);

fn change((seq, kind, id, workspace): ChangeRow) -> Option<Change> {
    let id = id.read()?;
    let workspace = match workspace {
        Some(workspace) => Some(WorkspaceId::from_uuid(workspace.read()?)),
        None => None,
    };
    let entity = match kind.as_str() {
        "key" => Entity::Key(KeyId::from_uuid(id)),
        "user" => Entity::User(UserId::from_uuid(id)),
        "workspace" => Entity::Workspace(WorkspaceId::from_uuid(id)),
        _ => return None,
    };
    Some(Change {
        seq: u64::try_from(seq).ok()?,
        entity,
        workspace,
    })
}

fn positive(seq: i64) -> Result<u64, StoreError> {
    u64::try_from(seq).map_err(|_| StoreError::Corrupt {
        table: "change_head",
        column: "seq",
        row: HEAD.to_string(),
    })
}

/// The changes, if all are readable and follow `told` without a gap.
pub(super) fn successors(told: u64, page: Vec<Option<Change>>) -> Option<Vec<Change>> {
    let page: Vec<Change> = page.into_iter().collect::<Option<_>>()?;
    let follow = (told + 1..)
        .zip(&page)
        .all(|(expected, change)| change.seq == expected);
    follow.then_some(page)
}

#[async_trait]
impl ChangeLog for Store {
    async fn changes_after(&self, last: u64, limit: u16) -> Result<Option<Vec<Change>>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let page = after(connection, last, i64::from(limit)).await?;
                Ok(successors(last, page))
            })
        })
        .await
    }
}

impl Store {
    /// Takes away the changes before the first that is young enough, a batch at a time.
    pub(super) async fn prune(&self, older_than: Timestamp, batch: u32) -> Result<u64, StoreError> {
        let young = self
            .read(move |connection| {
                Box::pin(async move { first_kept(connection, older_than).await.or_unavailable() })
            })
            .await?;
        let Some(young) = young else {
            return Ok(0);
        };
        let batch = i64::from(batch.max(1));
        let mut removed = 0;
        loop {
            let count = self
                .write_alone(move |connection| {
                    Box::pin(async move { remove(connection, young, batch).await.or_unavailable() })
                })
                .await?;
            removed += u64::try_from(count).unwrap_or(0);
            if i64::try_from(count).unwrap_or(0) < batch {
                return Ok(removed);
            }
        }
    }
}

/// The number of the first change that stays; the newest always does. What goes is a whole beginning of the log, even if
/// the clocks of the nodes disagree.
async fn first_kept(connection: &mut Connection, older_than: Timestamp) -> QueryResult<Option<i64>> {
    let young: Option<i64> = changes::table
        .filter(changes::created_at.ge(StoredTime::new(older_than)))
        .select(dsl::min(changes::seq))
        .get_result(connection)
        .await?;
    if young.is_some() {
        return Ok(young);
    }
    changes::table
        .select(changes::seq)
        .order(changes::seq.desc())
        .first(connection)
        .await
        .optional()
}

/// Removes a batch of the oldest: numbers have no gaps, so it is a range of them.
async fn remove(connection: &mut Connection, before: i64, batch: i64) -> QueryResult<usize> {
    let oldest: Option<i64> = changes::table
        .select(dsl::min(changes::seq))
        .get_result(connection)
        .await?;
    let until = oldest.map_or(before, |oldest| before.min(oldest.saturating_add(batch)));
    diesel::delete(changes::table.filter(changes::seq.lt(until)))
        .execute(connection)
        .await
}
