//! Webhooks: programs of a workspace that are told what happens there. [`TigerTrust::webhooks`](crate::TigerTrust::webhooks) makes and
//! changes them; what they are to be told is brought out beside the requests.

use std::sync::Arc;

pub use tigertrust_accounts::webhooks::{
    Delivery, DeliveryState, DisabledBecause, EventFilter, IssuedWebhook, NewWebhook, OutgoingEvent,
    ROTATION_OVERLAP, Webhook, WebhookChanges, WebhookError, WebhookFlows, WebhookSecret,
};
use tigertrust_accounts::{Stewards, webhooks::WebhookParts};
pub use tigertrust_credentials::{EncryptionKey, EncryptionKeyError, EncryptionRing};
use tigertrust_notify::webhooks::WebhookHttp;
pub use tigertrust_notify::webhooks::WebhookHttpError;
use tigertrust_storage::Storage;

use crate::{BuildError, instance::Foundation};

/// How webhooks are to be.
#[derive(Clone, Debug, Default)]
pub struct WebhookSettings {
    /// What their secrets are sealed under; without it there can be none.
    pub encryption: Option<EncryptionRing>,
    /// Whether receivers may be on this machine and in networks of one's own, there by plain http too.
    pub allow_private_addresses: bool,
}

/// The flows over a storage.
pub(crate) fn flows(
    foundation: &Foundation,
    storage: &Storage,
    stewards: Stewards,
) -> Result<WebhookFlows, BuildError> {
    let settings = &foundation.webhooks;
    Ok(WebhookFlows::new(WebhookParts {
        store: storage.webhooks(),
        sender: Arc::new(WebhookHttp::new(settings.allow_private_addresses)?),
        stewards,
        encryption: settings.encryption.clone(),
        clock: Arc::clone(&foundation.clock),
        random: Arc::clone(&foundation.random),
    }))
}
