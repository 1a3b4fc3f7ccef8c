//! Webhooks: made, changed, tried and removed.

use std::{fmt, sync::Arc, time::Duration};

use tigertrust_credentials::{EncryptionRing, Sealed, SealedPlace};
use tigertrust_model::{AuditAction, Clock, EventId, RandomSource, Role, WebhookId, WorkspaceId, management};

use super::{
    Delivery, DeliveryState, DisabledBecause, EventFilter, Outbox, OutgoingEvent, StoredWebhook, TEST_KIND,
    Webhook, WebhookError, WebhookSecret,
    ports::{WebhookCheck, WebhookSender, WebhookStore},
};
use crate::{Actor, FlowError, Stewards, actor::Standing, ports::Page, validation::Validation};

/// For how long the secret before goes on where nobody says.
pub const ROTATION_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that it may.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MAX_URL: usize = 1_000;
const MAX_DESCRIPTION: usize = 100;
const MAX_FILTERS: usize = 50;

/// What a new webhook is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where it is sent to.
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it wants to hear of: `key.revoked`, `key.*`, `*`.
    pub events: Vec<String>,
}

/// What is to be another way with a webhook; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookChanges {
    /// Where it is sent to.
    pub url: Option<String>,
    /// What people call it, or that they do not.
    pub description: Option<Option<String>>,
    /// What it wants to hear of.
    pub events: Option<Vec<String>>,
    /// Whether anything is sent to it.
    pub enabled: Option<bool>,
}

/// A webhook with its secret, which is shown once.
#[derive(Debug)]
pub struct IssuedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// What it is signed with from now on.
    pub secret: WebhookSecret,
}

/// What [`WebhookFlows`] stand on.
#[derive(Clone)]
pub struct WebhookParts {
    /// Webhooks, and the outbox.
    pub store: Arc<dyn WebhookStore>,
    /// What sends.
    pub sender: Arc<dyn WebhookSender>,
    /// Who is told of webhooks that were disabled.
    pub stewards: Stewards,
    /// What secrets are sealed under; without it there can be no webhook.
    pub encryption: Option<EncryptionRing>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
}

/// Makes, lists, changes and tries webhooks.
#[derive(Clone)]
pub struct WebhookFlows(Arc<WebhookParts>);

impl WebhookFlows {
    /// Flows over the parts.
    #[must_use]
    pub fn new(parts: WebhookParts) -> Self {
        Self(Arc::new(parts))
    }

    /// What brings out what webhooks are to be told.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox(Arc::clone(&self.0))
    }

    /// The webhooks of a workspace, newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace that the actor does not act in, and [`FlowError::Store`].
    pub async fn list(&self, actor: &Actor, workspace: WorkspaceId) -> Result<Vec<Webhook>, WebhookError> {
        actor.acts_in(workspace)?;
        let stored = self.0.store.list_webhooks(workspace).await?;
        Ok(stored.into_iter().map(|stored| stored.webhook).collect())
    }

    /// A webhook of a workspace.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn get(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Webhook, WebhookError> {
        actor.acts_in(workspace)?;
        let stored = self.0.store.get_webhook(workspace, id).await?;
        Ok(stored.ok_or(FlowError::NotFound)?.webhook)
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::Forbidden`] for a key that may not read the audit log, [`WebhookError::NoEncryptionKey`],
    /// [`Conflict::TooManyWebhooks`](crate::Conflict::TooManyWebhooks), and others.
    pub async fn create(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        new: NewWebhook,
    ) -> Result<IssuedWebhook, WebhookError> {
        actor.acts_in(workspace)?;
        ensure_may_hear(actor)?;
        let mut validation = Validation::default();
        let url = self.read_url(&mut validation, &new.url);
        check_description(&mut validation, new.description.as_deref());
        let events = read_filters(&mut validation, &new.events);
        validation.finish()?;
        let now = self.0.clock.now();
        let id = WebhookId::new(now, &*self.0.random)?;
        let secret = WebhookSecret::generate(&*self.0.random)?;
        let webhook = Webhook {
            id,
            workspace,
            url,
            description: new.description,
            events,
            disabled: None,
            failing_since: None,
            previous_secret_until: None,
            created_by: actor.creator(),
            created_at: now,
            updated_at: now,
        };
        let stored = StoredWebhook {
            webhook: webhook.clone(),
            secret: self.seal(id, &secret)?,
            previous_secret: None,
        };
        let standing = actor.standing();
        self.0
            .store
            .insert_webhook(actor.act(), stored, standing.asker(), check(standing))
            .await?;
        Ok(IssuedWebhook { webhook, secret })
    }

    /// Changes a webhook. One that is switched on again gets what has waited for it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn update(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
        changes: WebhookChanges,
    ) -> Result<Webhook, WebhookError> {
        actor.acts_in(workspace)?;
        if changes.url.is_some() || changes.events.is_some() {
            ensure_may_hear(actor)?;
        }
        let mut validation = Validation::default();
        let url = changes.url.as_ref();
        let url = url.map(|url| self.read_url(&mut validation, url));
        if let Some(description) = &changes.description {
            check_description(&mut validation, description.as_deref());
        }
        let events = changes.events.as_ref();
        let events = events.map(|events| read_filters(&mut validation, events));
        validation.finish()?;
        let now = self.0.clock.now();
        let stored = self
            .edit(actor, workspace, id, move |stored| {
                let webhook = &mut stored.webhook;
                if let Some(url) = url {
                    webhook.url = url;
                }
                if let Some(description) = changes.description {
                    webhook.description = description;
                }
                if let Some(events) = events {
                    webhook.events = events;
                }
                match changes.enabled {
                    Some(true) if webhook.disabled.is_some() => {
                        webhook.disabled = None;
                        webhook.failing_since = None;
                    }
                    Some(false) if webhook.disabled.is_none() => {
                        webhook.disabled = Some((now, DisabledBecause::Asked));
                    }
                    _ => {}
                }
                webhook.updated_at = now;
            })
            .await?;
        Ok(stored.webhook)
    }

    /// Gives a webhook another secret. For the overlap it is signed with both, so that receivers can be told of the new one at
    /// leisure; of two that were there already, the older is dead.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn rotate_secret(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
        overlap: Duration,
    ) -> Result<IssuedWebhook, WebhookError> {
        actor.acts_in(workspace)?;
        if overlap > MAX_OVERLAP {
            let detail = format!("must be {} or fewer, which is 30 days", MAX_OVERLAP.as_secs());
            return Err(FlowError::invalid("/overlapSeconds", detail).into());
        }
        let now = self.0.clock.now();
        let secret = WebhookSecret::generate(&*self.0.random)?;
        let sealed = self.seal(id, &secret)?;
        let stored = self
            .edit(actor, workspace, id, move |stored| {
                let previous = std::mem::replace(&mut stored.secret, sealed);
                let goes_on = !overlap.is_zero();
                stored.previous_secret = Some(previous).filter(|_| goes_on);
                stored.webhook.previous_secret_until = goes_on.then(|| now.saturating_add(overlap));
                stored.webhook.updated_at = now;
            })
            .await?;
        Ok(IssuedWebhook {
            webhook: stored.webhook,
            secret,
        })
    }

    /// Removes a webhook, with what waits for it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and others.
    pub async fn remove(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<(), WebhookError> {
        actor.acts_in(workspace)?;
        let standing = actor.standing();
        let store = &self.0.store;
        Ok(store
            .remove_webhook(actor.act(), workspace, id, standing.asker(), check(standing))
            .await?)
    }

    /// Sends an event to a webhook that says nothing but that it is a test, whatever the webhook wants to hear of.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`Conflict::WebhookDisabled`](crate::Conflict::WebhookDisabled), and others.
    pub async fn test(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Delivery, WebhookError> {
        actor.acts_in(workspace)?;
        let now = self.0.clock.now();
        let event = OutgoingEvent {
            id: EventId::new(now, &*self.0.random)?,
            kind: TEST_KIND.to_owned(),
            at: now,
            // An id holds nothing that JSON would have to escape.
            data: format!(r#"{{"workspaceId":"{workspace}","webhookId":"{id}"}}"#),
        };
        let standing = actor.standing();
        let store = &self.0.store;
        Ok(store
            .send_to(
                actor.act(),
                workspace,
                id,
                event,
                standing.asker(),
                check(standing),
            )
            .await?)
    }

    /// A page of the deliveries to a webhook, those of the newest events first.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn deliveries(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
        state: Option<DeliveryState>,
        page: Page<EventId>,
    ) -> Result<Vec<Delivery>, WebhookError> {
        actor.acts_in(workspace)?;
        let found = self.0.store.list_deliveries(workspace, id, state, page).await?;
        Ok(found.ok_or(FlowError::NotFound)?)
    }

    /// Sends what was given up, or delivered, once more and at once, under the id that it had.
    ///
    /// # Errors
    /// As [`test`](Self::test).
    pub async fn redeliver(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
        event: EventId,
    ) -> Result<Delivery, WebhookError> {
        actor.acts_in(workspace)?;
        let standing = actor.standing();
        let by = standing.asker();
        let store = &self.0.store;
        Ok(store
            .send_again(actor.act(), workspace, id, event, by, check(standing))
            .await?)
    }

    async fn edit(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: WebhookId,
        edit: impl FnOnce(&mut StoredWebhook) + Send + 'static,
    ) -> Result<StoredWebhook, WebhookError> {
        let standing = actor.standing();
        let edit = Box::new(move |stored: &mut StoredWebhook, present: Option<Role>| {
            ensure_may(standing, present)?;
            edit(stored);
            Ok(())
        });
        let store = &self.0.store;
        Ok(store
            .edit_webhook(actor.act(), workspace, id, standing.asker(), edit)
            .await?)
    }

    /// Reads a URL as its standard writes it, without what parsers overlook.
    fn read_url(&self, validation: &mut Validation, url: &str) -> String {
        if url.len() > MAX_URL {
            validation.refuse("/url", format!("must have {MAX_URL} bytes or fewer"));
            return String::new();
        }
        validation.no_credential("/url", url);
        self.0.sender.check(url).unwrap_or_else(|wrong| {
            validation.refuse("/url", format!("must be {wrong}"));
            String::new()
        })
    }

    fn seal(&self, id: WebhookId, secret: &WebhookSecret) -> Result<Sealed, WebhookError> {
        let ring = self.0.encryption.as_ref().ok_or(WebhookError::NoEncryptionKey)?;
        let row = id.to_string();
        Ok(ring.seal(secret.as_bytes(), place(&row), &*self.0.random)?)
    }
}

/// Where a webhook's secret is kept. One that was replaced is moved into the column for that, and opened as what it was.
pub(super) const fn place(row: &str) -> SealedPlace<'_> {
    SealedPlace {
        column: "webhooks.secret",
        row,
    }
}

/// Whoever has a webhook made learns of all that happens: that is for those who may change the workspace.
fn ensure_may(standing: Standing, present: Option<Role>) -> Result<(), FlowError> {
    if standing.role(present)?.permits(&management::WORKSPACE_WRITE) {
        return Ok(());
    }
    Err(FlowError::forbidden("", "this needs the role admin or owner"))
}

/// A webhook is told what the audit log says: a key that may not read that must not have it sent somewhere.
fn ensure_may_hear(actor: &Actor) -> Result<(), FlowError> {
    if actor.key_grants(&management::AUDIT_READ) {
        return Ok(());
    }
    Err(FlowError::forbidden(
        "",
        "this needs the scope audit:read as well",
    ))
}

fn check(standing: Standing) -> WebhookCheck {
    Box::new(move |present| ensure_may(standing, present))
}

fn check_description(validation: &mut Validation, description: Option<&str>) {
    if let Some(description) = description {
        validation.line("/description", description, MAX_DESCRIPTION);
    }
}

/// A mistyped filter would never find anything.
fn is_of_something(filter: &EventFilter) -> bool {
    AuditAction::ALL
        .iter()
        .any(|action| filter.matches(action.as_str()))
}

fn read_filters(validation: &mut Validation, texts: &[String]) -> Vec<EventFilter> {
    if !(1..=MAX_FILTERS).contains(&texts.len()) {
        validation.refuse("/events", format!("must have 1 to {MAX_FILTERS} entries"));
        return Vec::new();
    }
    let mut filters = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<EventFilter>() {
            Ok(filter) if is_of_something(&filter) => filters.push(filter),
            Ok(_) => validation.refuse(
                format!("/events/{index}"),
                "names nothing that happens: an event such as key.revoked, or all that concerns one thing, such as key.*",
            ),
            Err(error) => validation.refuse(format!("/events/{index}"), error.to_string()),
        }
    }
    filters.sort_unstable();
    filters.dedup();
    filters
}

impl fmt::Debug for WebhookFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookFlows").finish_non_exhaustive()
    }
}
