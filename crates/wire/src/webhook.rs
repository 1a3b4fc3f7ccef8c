//! Webhooks, and what was sent to them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use tigertrust_accounts::webhooks::{
    Delivery, IssuedWebhook as Issued, NewWebhook, ROTATION_OVERLAP, Webhook as Model, WebhookChanges,
};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{key::present, timestamp};

/// A webhook of a workspace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    #[schema(examples("wh_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Whose it is.
    pub workspace_id: String,
    /// Where it is sent to.
    #[schema(examples("https://app.example.com/webhooks/tigertrust"))]
    pub url: String,
    /// What people call it.
    pub description: Option<String>,
    /// What it wants to hear of: events such as `key.revoked`, families such as `key.*`, or `*`.
    #[schema(examples(json!(["key.*", "member.removed"])))]
    pub events: Vec<String>,
    /// Whether anything is sent to it.
    pub enabled: bool,
    /// Why nothing is sent to it: `asked`, since somebody has switched it off; `gone`, since the receiver answered 410; or
    /// `failing`, since nothing came through for five days.
    #[schema(examples("failing"))]
    pub disabled_reason: Option<&'static str>,
    /// Since when nothing is sent to it.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// Since when nothing has come through; null where the last try did.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Until when it is signed with the secret before the present one, too.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_secret_until: Option<Timestamp>,
    /// Who made it: the id of a person or of a key, or `operator`.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub created_by: String,
    /// When it was made.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl Webhook {
    /// The webhook, as it is at that time.
    #[must_use]
    pub fn new(webhook: &Model, now: Timestamp) -> Self {
        Self {
            id: webhook.id.to_string(),
            workspace_id: webhook.workspace.to_string(),
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            events: webhook.events.iter().map(ToString::to_string).collect(),
            enabled: webhook.disabled.is_none(),
            disabled_reason: webhook.disabled.map(|(_, why)| why.as_str()),
            disabled_at: webhook.disabled.map(|(at, _)| at),
            failing_since: webhook.failing_since,
            previous_secret_until: webhook.previous_secret_until.filter(|until| now < *until),
            created_by: webhook.created_by.to_string(),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// A webhook with what it is signed with, which is shown once.
#[derive(Serialize, ToSchema)]
pub struct IssuedWebhook {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// What it is signed with: `whsec_` and 32 bytes in base64. It is shown once.
    #[schema(value_type = String, examples("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))]
    pub secret: Zeroizing<String>,
}

impl IssuedWebhook {
    /// The webhook with its secret, as it is at that time.
    #[must_use]
    pub fn new(issued: &Issued, now: Timestamp) -> Self {
        Self {
            webhook: Webhook::new(&issued.webhook, now),
            secret: issued.secret.reveal(),
        }
    }
}

impl fmt::Debug for IssuedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedWebhook")
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// What a new webhook is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWebhook {
    /// Where it is sent to: by https, and to a public address.
    #[schema(max_length = 1000, examples("https://app.example.com/webhooks/tigertrust"))]
    pub url: String,
    /// What people call it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub description: Option<String>,
    /// What it wants to hear of: events such as `key.revoked`, families such as `key.*`, or `*`; all if it is not said.
    #[serde(default = "everything")]
    #[schema(min_items = 1, max_items = 50)]
    pub events: Vec<String>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

impl From<CreateWebhook> for NewWebhook {
    fn from(body: CreateWebhook) -> Self {
        Self {
            url: body.url,
            description: body.description,
            events: body.events,
        }
    }
}

/// What is to be another way with a webhook; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateWebhook {
    /// Where it is sent to.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 1000)]
    pub url: Option<String>,
    /// What people call it; null for nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub description: Option<Option<String>>,
    /// What it wants to hear of.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_items = 1, max_items = 50)]
    pub events: Option<Vec<String>>,
    /// Whether anything is sent to it.
    #[serde(default, deserialize_with = "present")]
    pub enabled: Option<bool>,
}

impl From<UpdateWebhook> for WebhookChanges {
    fn from(body: UpdateWebhook) -> Self {
        Self {
            url: body.url,
            description: body.description,
            events: body.events,
            enabled: body.enabled,
        }
    }
}

/// How a webhook gets another secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateWebhookSecret {
    /// For how many seconds it is signed with the old secret, too; 0 ends that at once. A day if it is not said.
    #[serde(default = "overlap")]
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub overlap_seconds: u64,
}

const fn overlap() -> u64 {
    ROTATION_OVERLAP.as_secs()
}

impl Default for RotateWebhookSecret {
    fn default() -> Self {
        Self {
            overlap_seconds: overlap(),
        }
    }
}

impl RotateWebhookSecret {
    /// For how long the old secret goes on.
    #[must_use]
    pub const fn overlap(&self) -> Duration {
        Duration::from_secs(self.overlap_seconds)
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// The event's id, which receivers see as `webhook-id`.
    #[schema(examples("evt_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// To which webhook.
    pub webhook_id: String,
    /// What happened.
    #[schema(examples("key.revoked"))]
    pub r#type: String,
    /// When it happened.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// `pending`: it is to be sent, for the first time or again; `delivered`; or `dead`: it was tried often enough.
    #[schema(examples("delivered"))]
    pub state: &'static str,
    /// How often it was tried since it was last to be sent.
    pub attempts: u32,
    /// When it is sent next, while it is pending.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was last tried.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_attempt_at: Option<Timestamp>,
    /// With which status the receiver answered then; null if it did not.
    pub last_status: Option<u16>,
    /// What was wrong then.
    pub last_error: Option<String>,
}

impl From<&Delivery> for WebhookDelivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.event.id.to_string(),
            webhook_id: delivery.webhook.to_string(),
            r#type: delivery.event.kind.clone(),
            timestamp: delivery.event.at,
            state: delivery.state.as_str(),
            attempts: delivery.tries,
            next_attempt_at: delivery.due_at,
            last_attempt_at: delivery.last_try_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error.clone(),
        }
    }
}
