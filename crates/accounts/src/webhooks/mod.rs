//! Webhooks: programs of a workspace that are told what happens there, in the form of
//! [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! Whatever stores an event stores with it, in the same transaction, one [`Delivery`] for every webhook that wants it: the outbox.
//! An [`Outbox`] brings them out. Nothing is lost by a crash, and what was sent just before one is sent again: at least once, under
//! the id of the event.

mod delivery;
mod error;
mod filter;
mod flows;
mod outbox;
mod ports;
mod secret;
mod webhook;

pub use self::{
    delivery::{
        DELIVERED_KEPT, Delivery, DeliveryState, FAILING_FOR, OutgoingEvent, TEST_KIND, UNDELIVERED_KEPT,
        UnknownDeliveryState, retry_after,
    },
    error::WebhookError,
    filter::{EventFilter, EventFilterError},
    flows::{IssuedWebhook, NewWebhook, ROTATION_OVERLAP, WebhookChanges, WebhookFlows, WebhookParts},
    outbox::{CLAIMED_FOR, Outbox, Then, Tried},
    ports::{
        Claim, DueQuery, DueWebhook, MAX_WEBHOOKS, SendError, WebhookCheck, WebhookEdit, WebhookMessage,
        WebhookSender, WebhookStore,
    },
    secret::{MalformedWebhookSecret, WebhookSecret},
    webhook::{DisabledBecause, StoredWebhook, UnknownReason, Webhook},
};
