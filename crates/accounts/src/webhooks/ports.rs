//! What webhooks need of storage, and of whatever sends them.

use async_trait::async_trait;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Act, Creator, EventId, Role, Timestamp, UserId, WebhookId, WorkspaceId};

use super::{Delivery, DeliveryState, DisabledBecause, OutgoingEvent, StoredWebhook, Tried, WebhookSecret};
use crate::{FlowError, ports::Page};

/// How many webhooks a workspace may have.
pub const MAX_WEBHOOKS: usize = 20;

/// Decides inside the transaction, by what the word of whoever asks is worth; an error stores nothing.
pub type WebhookCheck = Box<dyn FnOnce(Option<Role>) -> Result<(), FlowError> + Send>;

/// As [`WebhookCheck`], and changes the webhook.
pub type WebhookEdit = Box<dyn FnOnce(&mut StoredWebhook, Option<Role>) -> Result<(), FlowError> + Send>;

/// Which webhooks are asked for, to send to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueQuery {
    /// Those that took long the last time, or the others.
    pub slow: bool,
    /// Those after it, by their ids.
    pub after: Option<WebhookId>,
    /// None of these.
    pub except_webhooks: Vec<WebhookId>,
    /// None of these workspaces.
    pub except_workspaces: Vec<WorkspaceId>,
    /// None of workspaces that these people own.
    pub except_owners: Vec<UserId>,
    /// How many at most.
    pub limit: u16,
}

/// A webhook to which something is to be sent, and who is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueWebhook {
    /// Which one it is.
    pub id: WebhookId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Who owns the workspace.
    pub owners: Vec<UserId>,
}

/// A delivery that is one's own to send until a time.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Where to, and what it is signed with.
    pub webhook: StoredWebhook,
    /// What to send.
    pub delivery: Delivery,
    /// From when on others may send it.
    pub until: Timestamp,
}

/// Webhooks, and the outbox of what they are to be told.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Stores a webhook if `check` agrees.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if the workspace does not exist or is deleted, what `check` answers,
    /// [`Conflict::TooManyWebhooks`](crate::Conflict::TooManyWebhooks) and [`FlowError::Store`].
    async fn insert_webhook(
        &self,
        act: Act,
        webhook: StoredWebhook,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<(), FlowError>;

    /// The webhooks of a workspace, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_webhooks(&self, workspace: WorkspaceId) -> Result<Vec<StoredWebhook>, StoreError>;

    /// A webhook of a workspace.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Option<StoredWebhook>, StoreError>;

    /// Changes a webhook as `edit` says, and returns it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `edit` answers, and [`FlowError::Store`].
    async fn edit_webhook(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        by: Option<Creator>,
        edit: WebhookEdit,
    ) -> Result<StoredWebhook, FlowError>;

    /// Removes a webhook with its deliveries, if `check` agrees.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `check` answers, and [`FlowError::Store`].
    async fn remove_webhook(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<(), FlowError>;

    /// Puts an event into the outbox, for every webhook of the workspace that wants it. For what is stored by itself; what
    /// changes something else is put there with that change.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn announce(
        &self,
        workspace: WorkspaceId,
        event: OutgoingEvent,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Puts an event into the outbox for one webhook, whatever its filter, and returns the delivery.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], what `check` answers,
    /// [`Conflict::WebhookDisabled`](crate::Conflict::WebhookDisabled) and [`FlowError::Store`].
    async fn send_to(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        event: OutgoingEvent,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<Delivery, FlowError>;

    /// A page of the deliveries to a webhook, those of the newest events first; none where the workspace has no such webhook.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list_deliveries(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        state: Option<DeliveryState>,
        page: Page<EventId>,
    ) -> Result<Option<Vec<Delivery>>, StoreError>;

    /// Has a delivery sent as if it had never been, at once, and returns it.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    async fn send_again(
        &self,
        act: Act,
        workspace: WorkspaceId,
        id: WebhookId,
        event: EventId,
        by: Option<Creator>,
        check: WebhookCheck,
    ) -> Result<Delivery, FlowError>;

    /// The webhooks to which something is to be sent, by their ids.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due_webhooks(&self, at: Timestamp, query: DueQuery) -> Result<Vec<DueWebhook>, StoreError>;

    /// Claims what is to be sent to a webhook, until a time: each delivery is claimed by one alone.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim_deliveries(
        &self,
        id: WebhookId,
        at: Timestamp,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<Claim>, StoreError>;

    /// Notes what came of a claim, unless it is not one any more. Returns why the webhook was disabled with that, if it was.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note_try(&self, claim: Claim, tried: Tried) -> Result<Option<DisabledBecause>, StoreError>;

    /// Forgets deliveries that have been kept for long enough, some `batch` of them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn forget_deliveries(&self, at: Timestamp, batch: u32) -> Result<(), StoreError>;
}

/// What is sent to a webhook.
#[derive(Clone, Debug)]
pub struct WebhookMessage {
    /// Where to.
    pub url: String,
    /// What happened.
    pub event: OutgoingEvent,
    /// What it is signed with: with each of them.
    pub secrets: Vec<WebhookSecret>,
    /// What time it is.
    pub at: Timestamp,
}

/// No answer came: why, in words for whoever set the webhook up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SendError(pub String);

/// Sends to webhooks, and to no address that is not to be spoken to.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Whether something may be sent to the URL, as far as its text shows.
    ///
    /// # Errors
    /// What is wrong with it, as what stands after "must be".
    fn check(&self, url: &str) -> Result<String, &'static str>;

    /// Sends, and returns the status of the answer, whatever it is.
    ///
    /// # Errors
    /// [`SendError`].
    async fn send(&self, message: &WebhookMessage) -> Result<u16, SendError>;
}
