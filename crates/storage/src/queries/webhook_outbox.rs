//! The outbox: what webhooks are to be told, who sends it, and what came of it.

use std::collections::HashMap;

use diesel::{
    ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    dsl::{exists, not},
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    ports::Page,
    webhooks::{
        Claim, DELIVERED_KEPT, Delivery, DeliveryState, DisabledBecause, DueQuery, DueWebhook, FAILING_FOR,
        OutgoingEvent, Then, Tried, UNDELIVERED_KEPT,
    },
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{EventId, Role, Timestamp, UserId, WebhookId, WorkspaceId};
use uuid::Uuid;

use super::{
    super::Connection,
    rows::Corrupt,
    schema::{memberships, webhook_deliveries as deliveries, webhooks, workspaces},
    webhooks::WebhookRow,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredTime},
};

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
struct DeliveryRow {
    webhook_id: StoredId,
    event_id: StoredId,
    kind: String,
    event_at: StoredTime,
    data: String,
    state: String,
    tries: i32,
    due_at: Option<StoredTime>,
    last_try_at: Option<StoredTime>,
    last_status: Option<i32>,
    last_error: Option<String>,
}

impl DeliveryRow {
    fn read(self) -> Result<Delivery, StoreError> {
        let event = self.event_id.read().map(EventId::from_uuid);
        let corrupt = Corrupt::new("webhook_deliveries", event);
        let webhook = self.webhook_id.read().map(WebhookId::from_uuid);
        let status = self.last_status.map(u16::try_from).transpose();
        Ok(Delivery {
            webhook: webhook.ok_or_else(|| corrupt.at("webhook_id"))?,
            event: OutgoingEvent {
                id: event.ok_or_else(|| corrupt.at("event_id"))?,
                kind: self.kind,
                at: corrupt.time(self.event_at, "event_at")?,
                data: self.data,
            },
            state: self.state.parse().map_err(|_| corrupt.at("state"))?,
            tries: u32::try_from(self.tries).map_err(|_| corrupt.at("tries"))?,
            due_at: corrupt.optional_time(self.due_at, "due_at")?,
            last_try_at: corrupt.optional_time(self.last_try_at, "last_try_at")?,
            last_status: status.map_err(|_| corrupt.at("last_status"))?,
            last_error: self.last_error,
        })
    }
}

/// Puts an event into the outbox for a webhook, at once to be sent, unless it is there.
pub(super) async fn put(
    connection: &mut Connection,
    webhook: WebhookId,
    event: &OutgoingEvent,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(deliveries::table)
        .values((
            deliveries::webhook_id.eq(StoredId::new(webhook.as_uuid())),
            deliveries::event_id.eq(StoredId::new(event.id.as_uuid())),
            deliveries::kind.eq(event.kind.clone()),
            deliveries::event_at.eq(StoredTime::new(event.at)),
            deliveries::data.eq(event.data.clone()),
            deliveries::state.eq(DeliveryState::Pending.as_str()),
            deliveries::tries.eq(0),
            deliveries::due_at.eq(Some(StoredTime::new(now))),
            deliveries::forget_at.eq(StoredTime::new(now.saturating_add(UNDELIVERED_KEPT))),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

/// Has a delivery sent as if it had never been.
pub(super) async fn renew(
    connection: &mut Connection,
    webhook: WebhookId,
    event: EventId,
    at: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(deliveries::table.find(key(webhook, event)))
        .set((
            deliveries::state.eq(DeliveryState::Pending.as_str()),
            deliveries::tries.eq(0),
            deliveries::due_at.eq(Some(StoredTime::new(at))),
            deliveries::forget_at.eq(StoredTime::new(at.saturating_add(UNDELIVERED_KEPT))),
        ))
        .execute(connection)
        .await
        .or_unavailable()
        .map(|_| ())
}

pub(super) async fn find(
    connection: &mut Connection,
    webhook: WebhookId,
    event: EventId,
) -> Result<Option<Delivery>, StoreError> {
    let row: Option<DeliveryRow> = deliveries::table
        .find(key(webhook, event))
        .select(DeliveryRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(DeliveryRow::read).transpose()
}

pub(super) async fn list(
    connection: &mut Connection,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    page: Page<EventId>,
) -> Result<Vec<Delivery>, StoreError> {
    let mut query = deliveries::table
        .filter(deliveries::webhook_id.eq(StoredId::new(webhook.as_uuid())))
        .order(deliveries::event_id.desc())
        .limit(i64::from(page.limit))
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(deliveries::state.eq(state.as_str()));
    }
    if let Some(after) = page.after {
        query = query.filter(deliveries::event_id.lt(StoredId::new(after.as_uuid())));
    }
    let rows: Vec<DeliveryRow> = query.load(connection).await.or_unavailable()?;
    rows.into_iter().map(DeliveryRow::read).collect()
}

/// The webhooks to which something is to be sent. It goes by the webhooks, of which there are few, so that one to which much is to
/// be sent costs no more than others.
pub(super) async fn due(
    connection: &mut Connection,
    at: Timestamp,
    query: DueQuery,
) -> Result<Vec<DueWebhook>, StoreError> {
    let except = stored(query.except_webhooks.iter().map(|id| id.as_uuid()));
    let except_workspaces = stored(query.except_workspaces.iter().map(|id| id.as_uuid()));
    let except_owners = stored(query.except_owners.iter().map(|id| id.as_uuid()));
    let waiting = deliveries::table
        .filter(deliveries::webhook_id.eq(webhooks::id))
        .filter(deliveries::due_at.le(Some(StoredTime::new(at))));
    let theirs = memberships::table
        .filter(memberships::workspace_id.eq(webhooks::workspace_id))
        .filter(memberships::role.eq(Role::Owner.as_str()))
        .filter(memberships::user_id.eq_any(except_owners));
    let mut due = webhooks::table
        .filter(webhooks::disabled_at.is_null())
        .filter(webhooks::slow.eq(query.slow))
        .filter(webhooks::id.ne_all(except))
        .filter(webhooks::workspace_id.ne_all(except_workspaces))
        .filter(not(exists(theirs)))
        .filter(exists(waiting))
        .order(webhooks::id)
        .limit(i64::from(query.limit))
        .select((webhooks::id, webhooks::workspace_id))
        .into_boxed();
    if let Some(after) = query.after {
        due = due.filter(webhooks::id.gt(StoredId::new(after.as_uuid())));
    }
    let due: Vec<(StoredId, StoredId)> = due.load(connection).await.or_unavailable()?;
    let owners = owners(connection, &due).await?;
    let read = due.into_iter().filter_map(|(id, workspace)| {
        Some(DueWebhook {
            id: WebhookId::from_uuid(id.read()?),
            workspace: WorkspaceId::from_uuid(workspace.read()?),
            owners: owners.get(&workspace).cloned().unwrap_or_default(),
        })
    });
    Ok(read.collect())
}

/// Who owns the workspaces of webhooks.
async fn owners(
    connection: &mut Connection,
    due: &[(StoredId, StoredId)],
) -> Result<HashMap<StoredId, Vec<UserId>>, StoreError> {
    let mut owners: HashMap<StoredId, Vec<UserId>> = HashMap::new();
    if due.is_empty() {
        return Ok(owners);
    }
    let workspaces: Vec<StoredId> = due.iter().map(|(_, workspace)| *workspace).collect();
    let rows: Vec<(StoredId, StoredId)> = memberships::table
        .filter(memberships::workspace_id.eq_any(workspaces))
        .filter(memberships::role.eq(Role::Owner.as_str()))
        .select((memberships::workspace_id, memberships::user_id))
        .load(connection)
        .await
        .or_unavailable()?;
    for (workspace, owner) in rows {
        owners
            .entry(workspace)
            .or_default()
            .extend(owner.read().map(UserId::from_uuid));
    }
    Ok(owners)
}

fn stored(ids: impl Iterator<Item = Uuid>) -> Vec<StoredId> {
    ids.map(StoredId::new).collect()
}

/// Claims what is to be sent to a webhook. Of two that want the same delivery, one finds that it is not due any more.
pub(super) async fn claim(
    transaction: &mut Connection,
    webhook: WebhookId,
    at: Timestamp,
    until: Timestamp,
    limit: u16,
) -> Result<Vec<Claim>, StoreError> {
    let stored = StoredId::new(webhook.as_uuid());
    let row: Option<WebhookRow> = webhooks::table
        .find(stored)
        .filter(webhooks::disabled_at.is_null())
        .select(WebhookRow::as_select())
        .first(transaction)
        .await
        .optional()
        .or_unavailable()?;
    let Some(row) = row else {
        return Ok(Vec::new());
    };
    let webhook = row.read()?;
    let due: Vec<DeliveryRow> = deliveries::table
        .filter(deliveries::webhook_id.eq(stored))
        .filter(deliveries::due_at.le(Some(StoredTime::new(at))))
        .order(deliveries::due_at)
        .limit(i64::from(limit))
        .select(DeliveryRow::as_select())
        .load(transaction)
        .await
        .or_unavailable()?;
    let mut claims = Vec::with_capacity(due.len());
    for row in due {
        let own = deliveries::table
            .find((row.webhook_id, row.event_id))
            .filter(deliveries::due_at.eq(row.due_at));
        let claimed = diesel::update(own)
            .set(deliveries::due_at.eq(Some(StoredTime::new(until))))
            .execute(transaction)
            .await
            .or_unavailable()?;
        if claimed == 1 {
            claims.push(Claim {
                webhook: webhook.clone(),
                delivery: row.read()?,
                until,
            });
        }
    }
    Ok(claims)
}

/// Notes what came of a claim, if it is one still, and what that says of the webhook.
pub(super) async fn note(
    transaction: &mut Connection,
    claim: &Claim,
    tried: Tried,
) -> Result<Option<DisabledBecause>, StoreError> {
    let (webhook, at) = (claim.webhook.webhook.id, tried.at);
    let (state, due_at, error, kept) = match &tried.then {
        Then::Delivered => (DeliveryState::Delivered, None, None, Some(DELIVERED_KEPT)),
        Then::Again { due_at, error } => (DeliveryState::Pending, Some(*due_at), Some(error), None),
        Then::Dead { error, .. } => (DeliveryState::Dead, None, Some(error), Some(UNDELIVERED_KEPT)),
    };
    let claimed = deliveries::table
        .find(key(webhook, claim.delivery.event.id))
        .filter(deliveries::due_at.eq(Some(StoredTime::new(claim.until))));
    let noted = diesel::update(claimed)
        .set((
            deliveries::state.eq(state.as_str()),
            deliveries::tries.eq(deliveries::tries + 1),
            deliveries::due_at.eq(due_at.map(StoredTime::new)),
            deliveries::last_try_at.eq(Some(StoredTime::new(at))),
            deliveries::last_status.eq(tried.status.map(i32::from)),
            deliveries::last_error.eq(error.cloned()),
            kept.map(|kept| deliveries::forget_at.eq(StoredTime::new(at.saturating_add(kept)))),
        ))
        .execute(transaction)
        .await
        .or_unavailable()?;
    if noted == 0 {
        return Ok(None);
    }
    took_long(transaction, webhook, tried.slow).await?;
    match tried.then {
        Then::Delivered => works(transaction, webhook).await.map(|()| None),
        Then::Dead { gone: true, .. } => disable(transaction, webhook, at, DisabledBecause::Gone).await,
        Then::Again { .. } | Then::Dead { .. } => fails(transaction, webhook, at).await,
    }
}

async fn took_long(transaction: &mut Connection, webhook: WebhookId, slow: bool) -> Result<(), StoreError> {
    let otherwise = webhooks::table
        .find(StoredId::new(webhook.as_uuid()))
        .filter(webhooks::slow.ne(slow));
    diesel::update(otherwise)
        .set(webhooks::slow.eq(slow))
        .execute(transaction)
        .await
        .or_unavailable()
        .map(|_| ())
}

/// Something has come through.
async fn works(transaction: &mut Connection, webhook: WebhookId) -> Result<(), StoreError> {
    let failing = webhooks::table
        .find(StoredId::new(webhook.as_uuid()))
        .filter(webhooks::failing_since.is_not_null());
    diesel::update(failing)
        .set(webhooks::failing_since.eq(None::<StoredTime>))
        .execute(transaction)
        .await
        .or_unavailable()
        .map(|_| ())
}

/// Something has not come through: a webhook that is in vain for days is disabled.
async fn fails(
    transaction: &mut Connection,
    webhook: WebhookId,
    at: Timestamp,
) -> Result<Option<DisabledBecause>, StoreError> {
    let own = webhooks::table.find(StoredId::new(webhook.as_uuid()));
    diesel::update(own.filter(webhooks::failing_since.is_null()))
        .set(webhooks::failing_since.eq(Some(StoredTime::new(at))))
        .execute(transaction)
        .await
        .or_unavailable()?;
    let since: Option<Option<StoredTime>> = own
        .select(webhooks::failing_since)
        .first(transaction)
        .await
        .optional()
        .or_unavailable()?;
    let since = since.flatten().and_then(StoredTime::read);
    if since.is_some_and(|since| since <= at.saturating_sub(FAILING_FOR)) {
        return disable(transaction, webhook, at, DisabledBecause::Failing).await;
    }
    Ok(None)
}

async fn disable(
    transaction: &mut Connection,
    webhook: WebhookId,
    at: Timestamp,
    because: DisabledBecause,
) -> Result<Option<DisabledBecause>, StoreError> {
    let enabled = webhooks::table
        .find(StoredId::new(webhook.as_uuid()))
        .filter(webhooks::disabled_at.is_null());
    let disabled = diesel::update(enabled)
        .set((
            webhooks::disabled_at.eq(Some(StoredTime::new(at))),
            webhooks::disabled_because.eq(Some(because.as_str())),
        ))
        .execute(transaction)
        .await
        .or_unavailable()?;
    Ok((disabled == 1).then_some(because))
}

/// Removes deliveries that have been kept for long enough, and webhooks of workspaces that were deleted so long ago that nothing is
/// to be told of them any more.
pub(super) async fn forget(
    transaction: &mut Connection,
    at: Timestamp,
    batch: u32,
) -> Result<(), StoreError> {
    // DELETE takes no LIMIT.
    let last: Option<StoredTime> = deliveries::table
        .filter(deliveries::forget_at.le(StoredTime::new(at)))
        .order(deliveries::forget_at)
        .offset(i64::from(batch))
        .select(deliveries::forget_at)
        .first(transaction)
        .await
        .optional()
        .or_unavailable()?;
    let last = last.unwrap_or(StoredTime::new(at));
    diesel::delete(deliveries::table.filter(deliveries::forget_at.le(last)))
        .execute(transaction)
        .await
        .or_unavailable()?;
    let long_ago = StoredTime::new(at.saturating_sub(UNDELIVERED_KEPT));
    let left = deliveries::table.filter(deliveries::webhook_id.eq(webhooks::id));
    let over: Vec<StoredId> = webhooks::table
        .inner_join(workspaces::table.on(workspaces::id.eq(webhooks::workspace_id)))
        .filter(workspaces::deleted_at.le(Some(long_ago)))
        .filter(not(exists(left)))
        .limit(i64::from(batch))
        .select(webhooks::id)
        .load(transaction)
        .await
        .or_unavailable()?;
    diesel::delete(webhooks::table.filter(webhooks::id.eq_any(over)))
        .execute(transaction)
        .await
        .or_unavailable()
        .map(|_| ())
}

fn key(webhook: WebhookId, event: EventId) -> (StoredId, StoredId) {
    (StoredId::new(webhook.as_uuid()), StoredId::new(event.as_uuid()))
}
