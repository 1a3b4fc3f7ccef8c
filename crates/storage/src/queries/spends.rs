//! What is kept of rate limits while no server runs, and which servers do.

use async_trait::async_trait;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, SelectableHelper, dsl::count_star};
use diesel_async::RunQueryDsl;
use tigertrust_credentials::{
    NODE_LIVES_FOR, NodeNote, RunningNode,
    ports::{SpendStore, StoreError},
};
use tigertrust_model::{NodeId, Timestamp};

use super::{
    Store, execute_all,
    nodes::{NodeRow, Said},
    schema::{nodes, saved_spends},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl SpendStore for Store {
    async fn save_spends(&self, node: NodeId, pieces: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.write_unheard(move |connection| {
            Box::pin(async move {
                let statements = (0_i32..).zip(pieces).map(|(piece, states)| {
                    diesel::insert_into(saved_spends::table).values((
                        saved_spends::node_id.eq(StoredId::new(node.as_uuid())),
                        saved_spends::piece.eq(piece),
                        saved_spends::states.eq(states),
                    ))
                });
                execute_all(connection, statements.collect())
                    .await
                    .or_unavailable()
            })
        })
        .await
    }

    async fn take_spends(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.write_unheard(move |connection| {
            Box::pin(async move {
                let saved: Vec<(StoredId, i32, Vec<u8>)> = saved_spends::table
                    .select(saved_spends::all_columns)
                    .load(connection)
                    .await
                    .or_unavailable()?;
                // Others that are saved meanwhile stay, and so do those that another server takes: its row is gone then.
                let mut taken = Vec::with_capacity(saved.len());
                for (node, piece, states) in saved {
                    let removed = diesel::delete(saved_spends::table.find((node, piece)))
                        .execute(connection)
                        .await
                        .or_unavailable()?;
                    if removed > 0 {
                        taken.push(states);
                    }
                }
                Ok(taken)
            })
        })
        .await
    }

    async fn beat(
        &self,
        node: NodeId,
        note: NodeNote,
        now: Timestamp,
        dead_before: Timestamp,
    ) -> Result<u32, StoreError> {
        // Nobody was seen in the future: a clock was wrong, and is not any longer.
        let future = now.saturating_add(NODE_LIVES_FOR);
        self.write_unheard(move |connection| {
            Box::pin(async move {
                diesel::insert_into(nodes::table)
                    .values((nodes::id.eq(StoredId::new(node.as_uuid())), Said::new(&note, now)))
                    .on_conflict(nodes::id)
                    .do_update()
                    .set(Said::new(&note, now))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let is_dead = nodes::seen_at
                    .lt(StoredTime::new(dead_before))
                    .or(nodes::seen_at.gt(StoredTime::new(future)));
                diesel::delete(nodes::table.filter(is_dead))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let alive: i64 = nodes::table
                    .select(count_star())
                    .first(connection)
                    .await
                    .or_unavailable()?;
                Ok(u32::try_from(alive).unwrap_or(u32::MAX))
            })
        })
        .await
    }

    async fn nodes(&self, since: Timestamp) -> Result<Vec<RunningNode>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows: Vec<NodeRow> = nodes::table
                    .filter(nodes::seen_at.ge(StoredTime::new(since)))
                    .order(nodes::id)
                    .select(NodeRow::as_select())
                    .load(connection)
                    .await
                    .or_unavailable()?;
                rows.into_iter().map(NodeRow::read).collect()
            })
        })
        .await
    }

    async fn leave(&self, node: NodeId) -> Result<(), StoreError> {
        self.write_unheard(move |connection| {
            Box::pin(async move {
                diesel::delete(nodes::table.find(StoredId::new(node.as_uuid())))
                    .execute(connection)
                    .await
                    .map(|_| ())
                    .or_unavailable()
            })
        })
        .await
    }
}
