//! Why a webhook is not as somebody wants it.

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::RandomError;

use crate::FlowError;

/// Why a webhook is not as somebody wants it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebhookError {
    /// No key to seal secrets under is configured.
    #[error("the key ring holds no encryption key, so that no secret of a webhook can be kept")]
    NoEncryptionKey,
    /// What stood against it otherwise.
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        Self::Flow(error.into())
    }
}

impl From<RandomError> for WebhookError {
    fn from(error: RandomError) -> Self {
        Self::Flow(error.into())
    }
}
