//! Webhooks of workspaces, and how events come into the outbox.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{
    Conflict, FlowError, audit,
    ports::Page,
    webhooks::{
        Claim, Delivery, DeliveryState, DisabledBecause, DueQuery, DueWebhook, EventFilter, MAX_WEBHOOKS,
        OutgoingEvent, StoredWebhook, Tried, Webhook, WebhookCheck, WebhookEdit, WebhookStore,
    },
};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{
    Act, AuditAction, AuditEntry, Creator, EventId, FieldChange, Role, Timestamp, WebhookId, WorkspaceId,
};

use super::{
    super::{Connection, lock_workspace},
    Store, Written,
    members::ensure_open,
    rows::Corrupt,
    schema::{webhook_deliveries as deliveries, webhooks},
    standing, webhook_outbox as outbox,
};
use crate::{
    error::OrUnavailable,
    types::{StoredId, StoredJson, StoredTime},
};

/// A webhook.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhooks)]
pub(super) struct WebhookRow {
    id: StoredId,
    workspace_id: StoredId,
    url: String,
    description: Option<String>,
    events: StoredJson,
    disabled_at: Option<StoredTime>,
    disabled_because: Option<String>,
    failing_since: Option<StoredTime>,
    secret: String,
    previous_secret: Option<String>,
    previous_secret_until: Option<StoredTime>,
    created_by: String,
    created_at: StoredTime,
    updated_at: StoredTime,
}

impl From<&StoredWebhook> for WebhookRow {
    fn from(stored: &StoredWebhook) -> Self {
        let webhook = &stored.webhook;
        let events = serde_json::Value::from_iter(webhook.events.iter().map(EventFilter::as_str));
        Self {
            id: StoredId::new(webhook.id.as_uuid()),
            workspace_id: StoredId::new(webhook.workspace.as_uuid()),
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            events: StoredJson(events.to_string()),
            disabled_at: webhook.disabled.map(|(at, _)| StoredTime::new(at)),
            disabled_because: webhook.disabled.map(|(_, why)| why.as_str().to_owned()),
            failing_since: webhook.failing_since.map(StoredTime::new),
            secret: stored.secret.to_text(),
            previous_secret: stored
                .previous_secret
                .as_ref()
                .map(tigertrust_credentials::Sealed::to_text),
            previous_secret_until: webhook.previous_secret_until.map(StoredTime::new),
            created_by: webhook.created_by.to_string(),
            created_at: StoredTime::new(webhook.created_at),
            updated_at: StoredTime::new(webhook.updated_at),
        }
    }
}

impl WebhookRow {
    pub(super) fn read(self) -> Result<StoredWebhook, StoreError> {
        let id = self.id.read().map(WebhookId::from_uuid);
        let corrupt = Corrupt::new("webhooks", id);
        let workspace = self.workspace_id.read().map(WorkspaceId::from_uuid);
        let disabled_at = corrupt.optional_time(self.disabled_at, "disabled_at")?;
        let because = self.disabled_because.map(|why| why.parse::<DisabledBecause>());
        let because = because.transpose().map_err(|_| corrupt.at("disabled_because"))?;
        let previous = self.previous_secret.map(|secret| secret.parse());
        Ok(StoredWebhook {
            webhook: Webhook {
                id: id.ok_or_else(|| corrupt.at("id"))?,
                workspace: workspace.ok_or_else(|| corrupt.at("workspace_id"))?,
                url: self.url,
                description: self.description,
                events: read_filters(&self.events).ok_or_else(|| corrupt.at("events"))?,
                disabled: disabled_at.zip(because),
                failing_since: corrupt.optional_time(self.failing_since, "failing_since")?,
                previous_secret_until: corrupt
                    .optional_time(self.previous_secret_until, "previous_secret_until")?,
                created_by: self.created_by.parse().map_err(|_| corrupt.at("created_by"))?,
                created_at: corrupt.time(self.created_at, "created_at")?,
                updated_at: corrupt.time(self.updated_at, "updated_at")?,
            },
            secret: self.secret.parse().map_err(|_| corrupt.at("secret"))?,
            previous_secret: previous.transpose().map_err(|_| corrupt.at("previous_secret"))?,
        })
    }
}

fn read_filters(stored: &StoredJson) -> Option<Vec<EventFilter>> {
    let texts: Vec<String> = serde_json::from_str(&stored.0).ok()?;
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// A webhook that is told of events, and of which.
pub(super) struct Listening {
    id: WebhookId,
    filters: Vec<EventFilter>,
}

/// The webhooks of a workspace that are told of events.
pub(super) async fn enabled(
    connection: &mut Connection,
    workspace: WorkspaceId,
) -> Result<Vec<Listening>, StoreError> {
    let rows: Vec<(StoredId, StoredJson)> = webhooks::table
        .filter(webhooks::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .filter(webhooks::disabled_at.is_null())
        .select((webhooks::id, webhooks::events))
        .load(connection)
        .await
        .or_unavailable()?;
    let read = |(id, events): (StoredId, StoredJson)| {
        let id = id.read().map(WebhookId::from_uuid);
        let corrupt = Corrupt::new("webhooks", id);
        Ok(Listening {
            id: id.ok_or_else(|| corrupt.at("id"))?,
            filters: read_filters(&events).ok_or_else(|| corrupt.at("events"))?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Puts an event into the outbox, for every one of the webhooks that wants it: to be called in the transaction that stores
/// what happened. A webhook is not told what is `about` itself.
pub(super) async fn enqueue(
    connection: &mut Connection,
    enabled: &[Listening],
    event: &OutgoingEvent,
    about: Option<WebhookId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for webhook in enabled {
        let is_wanted = webhook.filters.iter().any(|filter| filter.matches(&event.kind));
        if is_wanted && about != Some(webhook.id) {
            outbox::put(connection, webhook.id, event, now).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl WebhookStore for Store {
    async fn insert_webhook(
        &self,
        act: Act,
        webhook: StoredWebhook,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<(), FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let workspace = webhook.webhook.workspace;
                check(hold(transaction, workspace, by).await?)?;
                let others: i64 = webhooks::table
                    .filter(webhooks::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                    .count()
                    .get_result(transaction)
                    .await
                    .or_unavailable()?;
                if usize::try_from(others).unwrap_or(usize::MAX) >= MAX_WEBHOOKS {
                    return Err(Conflict::TooManyWebhooks.into());
                }
                diesel::insert_into(webhooks::table)
                    .values(WebhookRow::from(&webhook))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::WebhookCreated, Some(workspace), &act)
                    .on(webhook.webhook.id)
                    .changing(audit::of_new_webhook(&webhook.webhook));
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn list_webhooks(&self, workspace: WorkspaceId) -> Result<Vec<StoredWebhook>, StoreError> {
        let rows: Vec<WebhookRow> = self
            .read(move |connection| {
                Box::pin(async move {
                    webhooks::table
                        .filter(webhooks::workspace_id.eq(StoredId::new(workspace.as_uuid())))
                        .order(webhooks::id.desc())
                        .select(WebhookRow::as_select())
                        .load(connection)
                        .await
                        .or_unavailable()
                })
            })
            .await?;
        rows.into_iter().map(WebhookRow::read).collect()
    }

    async fn get_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Option<StoredWebhook>, StoreError> {
        self.read(move |connection| Box::pin(find(connection, workspace, id)))
            .await
    }

    async fn edit_webhook(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        by: Option<Creator>,
        edit: WebhookEdit,
    ) -> Result<StoredWebhook, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let role = hold(transaction, workspace, by).await?;
                let found = lock(transaction, workspace, id).await?;
                let before = found.ok_or(FlowError::NotFound)?;
                let mut webhook = before.clone();
                edit(&mut webhook, role)?;
                let mut changes = audit::of_webhook(&before.webhook, &webhook.webhook);
                if before.secret != webhook.secret {
                    changes.push(FieldChange::hidden("secret"));
                }
                let row = WebhookRow::from(&webhook);
                diesel::update(webhooks::table.find(StoredId::new(id.as_uuid())))
                    .set((
                        webhooks::url.eq(row.url),
                        webhooks::description.eq(row.description),
                        webhooks::events.eq(row.events),
                        webhooks::disabled_at.eq(row.disabled_at),
                        webhooks::disabled_because.eq(row.disabled_because),
                        webhooks::failing_since.eq(row.failing_since),
                        webhooks::secret.eq(row.secret),
                        webhooks::previous_secret.eq(row.previous_secret),
                        webhooks::previous_secret_until.eq(row.previous_secret_until),
                        webhooks::updated_at.eq(row.updated_at),
                    ))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::WebhookUpdated, Some(workspace), &act).on(id);
                let entry = (!changes.is_empty()).then(|| entry.changing(changes));
                Ok(Written::quietly(webhook).logging(entry))
            })
        })
        .await
    }

    async fn remove_webhook(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<(), FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let role = hold(transaction, workspace, by).await?;
                find(transaction, workspace, id)
                    .await?
                    .ok_or(FlowError::NotFound)?;
                check(role)?;
                let stored = StoredId::new(id.as_uuid());
                diesel::delete(deliveries::table.filter(deliveries::webhook_id.eq(stored)))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                diesel::delete(webhooks::table.find(stored))
                    .execute(transaction)
                    .await
                    .or_unavailable()?;
                let entry = AuditEntry::new(AuditAction::WebhookRemoved, Some(workspace), &act).on(id);
                Ok(Written::quietly(()).logging([entry]))
            })
        })
        .await
    }

    async fn announce(
        &self,
        workspace: WorkspaceId,
        event: OutgoingEvent,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write_unheard(move |transaction| {
            Box::pin(async move {
                let enabled = enabled(transaction, workspace).await?;
                enqueue(transaction, &enabled, &event, None, at).await
            })
        })
        .await
    }

    async fn send_to(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        event: OutgoingEvent,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<Delivery, FlowError> {
        self.write(move |transaction| {
            Box::pin(async move {
                check(hold(transaction, workspace, by).await?)?;
                ensure_enabled(transaction, workspace, id).await?;
                outbox::put(transaction, id, &event, event.at).await?;
                let put = outbox::find(transaction, id, event.id).await?;
                let entry = sent(AuditAction::WebhookTested, workspace, &act, id, event.id);
                Ok(Written::quietly(put.ok_or(FlowError::NotFound)?).logging([entry]))
            })
        })
        .await
    }

    async fn list_deliveries(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        state: Option<DeliveryState>,
        page: Page<EventId>,
    ) -> Result<Option<Vec<Delivery>>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                if find(connection, workspace, id).await?.is_none() {
                    return Ok(None);
                }
                outbox::list(connection, id, state, page).await.map(Some)
            })
        })
        .await
    }

    async fn send_again(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        event: EventId,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<Delivery, FlowError> {
        let at = self.clock.now();
        self.write(move |transaction| {
            Box::pin(async move {
                check(hold(transaction, workspace, by).await?)?;
                ensure_enabled(transaction, workspace, id).await?;
                outbox::renew(transaction, id, event, at).await?;
                let renewed = outbox::find(transaction, id, event).await?;
                let entry = sent(AuditAction::WebhookRedelivered, workspace, &act, id, event);
                Ok(Written::quietly(renewed.ok_or(FlowError::NotFound)?).logging([entry]))
            })
        })
        .await
    }

    async fn due_webhooks(&self, at: Timestamp, query: DueQuery) -> Result<Vec<DueWebhook>, StoreError> {
        self.read(move |connection| Box::pin(outbox::due(connection, at, query)))
            .await
    }

    async fn claim_deliveries(
        &self,
        id: WebhookId,
        at: Timestamp,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<Claim>, StoreError> {
        self.write_unheard(move |transaction| Box::pin(outbox::claim(transaction, id, at, until, limit)))
            .await
    }

    async fn note_try(&self, claim: Claim, tried: Tried) -> Result<Option<DisabledBecause>, StoreError> {
        self.write_undecided(move |transaction| {
            Box::pin(async move {
                let disabled = outbox::note(transaction, &claim, tried).await?;
                let webhook = &claim.webhook.webhook;
                let entry = disabled.map(|because| {
                    let act = Act::of_system();
                    AuditEntry::new(AuditAction::WebhookDisabled, Some(webhook.workspace), &act)
                        .on(webhook.id)
                        .changing([FieldChange::set("disabledBecause", because)])
                });
                Ok(Written::quietly(disabled).logging(entry))
            })
        })
        .await
    }

    async fn forget_deliveries(&self, at: Timestamp, batch: u32) -> Result<(), StoreError> {
        self.write_unheard(move |transaction| Box::pin(outbox::forget(transaction, at, batch)))
            .await
    }
}

/// That somebody had an event sent.
fn sent(
    action: AuditAction,
    workspace: WorkspaceId,
    act: &Act,
    webhook: WebhookId,
    event: EventId,
) -> AuditEntry {
    AuditEntry::new(action, Some(workspace), act)
        .on(webhook)
        .changing([FieldChange::set("eventId", event)])
}

/// Holds the workspace until the transaction ends, and says what the word of whoever asks is worth there.
async fn hold(
    transaction: &mut Connection,
    workspace: WorkspaceId,
    by: Option<Creator>,
) -> Result<Option<Role>, FlowError> {
    lock_workspace(transaction, StoredId::new(workspace.as_uuid()))
        .await
        .or_unavailable()?;
    ensure_open(transaction, workspace).await?;
    Ok(standing::of(transaction, workspace, by).await?)
}

/// The webhook, locked by being written until the transaction ends: what came of a delivery is noted there by whoever sent it, who
/// holds no workspace.
async fn lock(
    transaction: &mut Connection,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<Option<StoredWebhook>, StoreError> {
    let own = webhooks::table
        .find(StoredId::new(id.as_uuid()))
        .filter(webhooks::workspace_id.eq(StoredId::new(workspace.as_uuid())));
    let row: Option<WebhookRow> = diesel::update(own)
        .set(webhooks::slow.eq(webhooks::slow))
        .returning(WebhookRow::as_returning())
        .get_result(transaction)
        .await
        .optional()
        .or_unavailable()?;
    row.map(WebhookRow::read).transpose()
}

async fn ensure_enabled(
    connection: &mut Connection,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<(), FlowError> {
    let found = find(connection, workspace, id).await?;
    if found.ok_or(FlowError::NotFound)?.webhook.disabled.is_some() {
        return Err(Conflict::WebhookDisabled.into());
    }
    Ok(())
}

async fn find(
    connection: &mut Connection,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<Option<StoredWebhook>, StoreError> {
    let row: Option<WebhookRow> = webhooks::table
        .find(StoredId::new(id.as_uuid()))
        .filter(webhooks::workspace_id.eq(StoredId::new(workspace.as_uuid())))
        .select(WebhookRow::as_select())
        .first(connection)
        .await
        .optional()
        .or_unavailable()?;
    row.map(WebhookRow::read).transpose()
}
