//! The audit log: read, and archived.

use std::collections::BTreeSet;

use async_trait::async_trait;
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    FlowError,
    audit::{AuditStore, MAX_PAGE, Segment},
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditAction, AuditCursor, AuditEntry, AuditEvent, AuditFilter, Chain, ChainHead, FieldChange,
};

use super::{
    Store, Written, audit,
    audit_rows::{EventRow, HeadRow, chain_of, id_of, signed},
    schema::{audit_events as events, audit_heads as heads},
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[async_trait]
impl AuditStore for Store {
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.write_undecided(move |connection| {
            Box::pin(async move {
                let entries = audit::without_the_erased(connection, entries).await?;
                Ok(Written::quietly(()).logging(entries))
            })
        })
        .await
    }

    async fn list_audit(
        &self,
        chain: Chain,
        filter: AuditFilter,
        after: Option<AuditCursor>,
        limit: u16,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let rows: Vec<EventRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    let mut query = events::table
                        .filter(events::chain_id.eq(id_of(chain)))
                        .order((events::created_at.desc(), events::seq.desc()))
                        .limit(i64::from(limit.min(MAX_PAGE)))
                        .select(EventRow::as_select())
                        .into_boxed();
                    match filter.actions.as_deref() {
                        None => {}
                        // By itself, so that the index gives the order.
                        Some([action]) => query = query.filter(events::action.eq(action.as_str())),
                        Some(actions) => {
                            let names: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
                            query = query.filter(events::action.eq_any(names));
                        }
                    }
                    if let Some(actor) = filter.actor {
                        // An id says by itself what it is of, so that one index will do.
                        query = if ["ses_", "key_"].iter().any(|prefix| actor.starts_with(prefix)) {
                            query.filter(events::credential_id.eq(actor))
                        } else {
                            query.filter(events::actor_id.eq(actor))
                        };
                    }
                    if let Some(target) = filter.target {
                        query = query.filter(events::target_id.eq(target));
                    }
                    if let Some(outcome) = filter.outcome {
                        query = query.filter(events::outcome.eq(outcome.as_str()));
                    }
                    if let Some(from) = filter.from {
                        query = query.filter(events::created_at.ge(StoredTime::new(from)));
                    }
                    if let Some(until) = filter.until {
                        query = query.filter(events::created_at.lt(StoredTime::new(until)));
                    }
                    if let Some(AuditCursor { at, seq }) = after {
                        let at = StoredTime::new(at);
                        query = query
                            .filter(events::created_at.le(at))
                            .filter(events::created_at.lt(at).or(events::seq.lt(signed(seq))));
                    }
                    query.load(connection).await.or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(EventRow::read).collect()
    }

    async fn read_chain(&self, chain: Chain, after: u64, limit: u16) -> Result<Vec<AuditEvent>, StoreError> {
        let rows: Vec<EventRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    events::table
                        .filter(events::chain_id.eq(id_of(chain)))
                        .filter(events::seq.gt(signed(after)))
                        .order(events::seq.asc())
                        .limit(i64::from(limit.min(MAX_PAGE)))
                        .select(EventRow::as_select())
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(EventRow::read).collect()
    }

    async fn chain_head(&self, chain: Chain) -> Result<Option<ChainHead>, StoreError> {
        let row: Option<HeadRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    heads::table
                        .find(id_of(chain))
                        .select(HeadRow::as_select())
                        .first(connection)
                        .await
                        .optional()
                        .or_unavailable()
                })
            })
            .await?;
        row.map(HeadRow::read).transpose()
    }

    async fn chain_heads(&self) -> Result<Vec<ChainHead>, StoreError> {
        let rows: Vec<HeadRow> = self
            .read(|connection| {
                Box::pin(async move {
                    heads::table
                        .order(heads::chain_id.asc())
                        .select(HeadRow::as_select())
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(HeadRow::read).collect()
    }

    async fn stored_chains(&self) -> Result<Vec<Chain>, StoreError> {
        let ids: Vec<StoredId> = self
            .read(|connection| {
                Box::pin(async move {
                    let mut ids: Vec<StoredId> = heads::table
                        .select(heads::chain_id)
                        .load(connection)
                        .await
                        .or_unavailable()?;
                    let of_events: Vec<StoredId> = events::table
                        .select(events::chain_id)
                        .distinct()
                        .load(connection)
                        .await
                        .or_unavailable()?;
                    ids.extend(of_events);
                    Ok(ids)
                })
            })
            .await?;
        let chains: BTreeSet<Chain> = ids.into_iter().filter_map(chain_of).collect();
        Ok(chains.into_iter().collect())
    }

    async fn restart_chain(&self, act: Act, chain: Chain) -> Result<(), FlowError> {
        let ring = self.auditor.ring.clone();
        self.write(move |connection| {
            Box::pin(async move {
                // Its seal is what is wrong: whatever is there is taken for what it is.
                let known = audit::take(connection, chain).await.or_unavailable()?;
                let last: Option<EventRow> = events::table
                    .filter(events::chain_id.eq(id_of(chain)))
                    .order(events::seq.desc())
                    .select(EventRow::as_select())
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                let known = match known {
                    Some(row) => row.read()?,
                    None => audit::lock(connection, &ring, chain).await?,
                };
                let (seq, mac) = match last {
                    Some(row) => row.read().map(|last| (last.seq, last.mac))?,
                    None => (known.archived, known.archived_mac),
                };
                let (archived, known_seq) = (known.archived.min(seq), known.seq);
                let head = ChainHead {
                    seq,
                    mac,
                    archived,
                    ..known
                };
                audit::seal_head(connection, &ring, head).await?;
                let entry = AuditEntry::new(AuditAction::AuditRestarted, chain, &act).changing(
                    FieldChange::between("sequence", Some(known_seq.to_string()), Some(seq.to_string())),
                );
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn drop_archived(&self, act: Act, segment: Segment) -> Result<(), FlowError> {
        let ring = self.auditor.ring.clone();
        let Segment { chain, seq, mac } = segment;
        self.write(move |connection| {
            Box::pin(async move {
                let head = audit::lock(connection, &ring, chain).await?;
                let held: Option<Vec<u8>> = events::table
                    .find((id_of(chain), signed(seq)))
                    .select(events::mac)
                    .first(connection)
                    .await
                    .optional()
                    .or_unavailable()?;
                if seq <= head.archived || held.as_deref() != Some(mac.as_slice()) {
                    return Err(FlowError::NotFound);
                }
                let gone = events::table
                    .filter(events::chain_id.eq(id_of(chain)))
                    .filter(events::seq.le(signed(seq)));
                diesel::delete(gone).execute(connection).await.or_unavailable()?;
                let head = ChainHead {
                    archived: seq,
                    archived_mac: mac,
                    ..head
                };
                audit::seal_head(connection, &ring, head).await?;
                let entry = AuditEntry::new(AuditAction::AuditArchived, chain, &act)
                    .changing([FieldChange::set("archivedUpTo", seq)]);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn reseal_heads(&self) -> Result<(), StoreError> {
        let ring = self.auditor.ring.clone();
        for head in self.chain_heads().await? {
            if head.key == ring.current() {
                continue;
            }
            let ring = ring.clone();
            self.write_unheard(move |connection| {
                Box::pin(async move {
                    let head = audit::lock(connection, &ring, head.chain).await?;
                    audit::seal_head(connection, &ring, head).await
                })
            })
            .await?;
        }
        Ok(())
    }
}
