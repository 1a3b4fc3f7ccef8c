//! The audit log: how acts come into it.

use std::{collections::BTreeMap, sync::Arc};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, SelectableHelper};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::audit::chain::{self, Place};
use tigertrust_credentials::{AuditRing, ports::StoreError};
use tigertrust_model::{
    AuditEntry, AuditEvent, Chain, ChainHead, Email, EventId, Origin, Principal, RandomSource, Timestamp,
};

use super::{
    super::Connection,
    audit_outgoing::outgoing,
    audit_rows::{EventRow, HeadRow, id_of},
    schema::{audit_events as events, audit_heads as heads, users},
    webhooks,
};
use crate::{audit_counts::AuditCounts, error::OrUnavailable, types::StoredId};

/// What the log is written with.
pub(super) struct Auditor {
    pub(super) ring: AuditRing,
    pub(super) random: Arc<dyn RandomSource>,
    pub(super) counts: AuditCounts,
}

impl Auditor {
    fn place(&self, at: Timestamp) -> Result<Place, StoreError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt).map_err(StoreError::unavailable)?;
        let id = EventId::new(at, &*self.random).map_err(StoreError::unavailable)?;
        Ok(Place { id, at, salt })
    }
}

/// Appends entries to their chains. The heads stay locked until the transaction ends, so this must come after all that may wait
/// for something else; and always in one order, since two that want each other's would wait for ever.
pub(super) async fn append(
    connection: &mut Connection,
    auditor: &Auditor,
    entries: Vec<AuditEntry>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut by_chain: BTreeMap<Chain, Vec<AuditEntry>> = BTreeMap::new();
    for entry in entries {
        by_chain.entry(entry.chain).or_default().push(entry);
    }
    for (chain, entries) in by_chain {
        let head = lock(connection, &auditor.ring, chain).await;
        let mut head = head.inspect_err(|error| {
            if matches!(error, StoreError::Corrupt { .. }) {
                auditor.counts.found_tampered();
            }
        })?;
        // An import logs hundreds of entries at once.
        let hooks = match chain {
            Chain::Workspace(workspace) => webhooks::enabled(connection, workspace).await?,
            Chain::Instance => Vec::new(),
        };
        for entry in entries {
            auditor.counts.add(&entry);
            let (event, next) = chain::append(&auditor.ring, head, entry, auditor.place(now)?);
            if !hooks.is_empty() {
                let about = event.target.as_ref().and_then(|target| target.id.parse().ok());
                webhooks::enqueue(connection, &hooks, &outgoing(&event), about, now).await?;
            }
            let mention = mention(&auditor.ring, &event);
            diesel::insert_into(events::table)
                .values(EventRow::from(event).mentioning(mention))
                .execute(connection)
                .await
                .or_unavailable()?;
            head = next;
        }
        put_head(connection, &head).await.or_unavailable()?;
    }
    Ok(())
}

/// What stands for the address that the event speaks of, if it does.
fn mention(ring: &AuditRing, event: &AuditEvent) -> Option<[u8; 32]> {
    let details = &event.personal.as_ref()?.details;
    let (_, address) = details.iter().find(|(name, _)| name == "email")?;
    let address: Email = address.parse().ok()?;
    Some(ring.mention(&address.canonical()))
}

/// The head of a chain, locked until the transaction ends. One that is not as it was written is not written on: what is missing
/// before it would never be noticed again.
pub(super) async fn lock(
    connection: &mut Connection,
    ring: &AuditRing,
    chain: Chain,
) -> Result<ChainHead, StoreError> {
    let row = match take(connection, chain).await.or_unavailable()? {
        Some(row) => Some(row),
        None => {
            diesel::insert_into(heads::table)
                .values(HeadRow::from(&chain::beginning(ring, chain)))
                .on_conflict(heads::chain_id)
                .do_nothing()
                .execute(connection)
                .await
                .or_unavailable()?;
            take(connection, chain).await.or_unavailable()?
        }
    };
    let row = row.ok_or_else(|| StoreError::unavailable("the head of an audit chain vanished"))?;
    let head = row.read()?;
    let Some(seal) = chain::seal_of(ring, &head) else {
        // Nothing is done here either, but nobody is accused: an old copy of the key ring is more likely.
        let problem = format!(
            "the audit log is sealed under the pepper {}, which is not in the key ring: put it back",
            head.key
        );
        tracing::error!(%chain, pepper = head.key, "the audit log is sealed under a pepper that is MISSING in the key ring");
        return Err(StoreError::unavailable(problem));
    };
    if seal == head.seal {
        Ok(head)
    } else {
        tracing::error!(%chain, "the audit log was tampered with, or this is the key ring of another database, which `tigertrust doctor` tells: nothing is done there that could not be logged. See `tigertrust audit verify` and `audit restart`");
        Err(StoreError::Corrupt {
            table: "audit_heads",
            column: "seal",
            row: chain.to_string(),
        })
    }
}

/// Locks the row by writing it: on both engines whoever comes next waits.
pub(super) async fn take(connection: &mut Connection, chain: Chain) -> QueryResult<Option<HeadRow>> {
    diesel::update(heads::table.find(id_of(chain)))
        .set(heads::seq.eq(heads::seq))
        .returning(HeadRow::as_returning())
        .get_result(connection)
        .await
        .optional()
}

/// Writes a head that is not sealed yet.
pub(super) async fn seal_head(
    connection: &mut Connection,
    ring: &AuditRing,
    head: ChainHead,
) -> Result<(), StoreError> {
    put_head(connection, &chain::sealed(ring, head))
        .await
        .or_unavailable()
}

async fn put_head(connection: &mut Connection, head: &ChainHead) -> QueryResult<()> {
    let row = HeadRow::from(head);
    diesel::update(heads::table.find(row.chain_id))
        .set(&row)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Leaves out where people were whose accounts were erased between what they did and its being stored.
pub(super) async fn without_the_erased(
    connection: &mut Connection,
    mut entries: Vec<AuditEntry>,
) -> Result<Vec<AuditEntry>, StoreError> {
    let person = |entry: &AuditEntry| match entry.act.by {
        Principal::User { id, .. } => Some(StoredId::new(id.as_uuid())),
        _ => None,
    };
    let people: Vec<StoredId> = entries.iter().filter_map(person).collect();
    if people.is_empty() {
        return Ok(entries);
    }
    let erased: Vec<StoredId> = users::table
        .filter(users::id.eq_any(people))
        .filter(users::erased_at.is_not_null())
        .select(users::id)
        .load(connection)
        .await
        .or_unavailable()?;
    for entry in &mut entries {
        if person(entry).is_some_and(|id| erased.contains(&id)) {
            entry.act.from = Origin::default();
            entry.personal.clear();
        }
    }
    Ok(entries)
}
