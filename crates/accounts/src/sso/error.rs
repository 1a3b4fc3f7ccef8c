//! Why single sign-on did not happen.

use tigertrust_credentials::ports::StoreError;
use tigertrust_model::RandomError;

use super::{ports::ArrivalRefusal, provider::ProviderError};
use crate::{FlowError, SignInError};

/// Why somebody does not come in by a provider, or a connection is not as somebody wants it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SsoError {
    /// There is no such connection, or it is not enabled.
    #[error("there is no such connection")]
    UnknownConnection,
    /// The browser that came back did not begin, or it took too long, or it comes a second time.
    #[error("no sign-in of this browser waits for the provider's answer")]
    NothingWaits,
    /// The provider says itself that it has refused.
    #[error("the provider has refused: {0}")]
    ProviderRefused(String),
    /// What came from the provider was not accepted, or nothing came.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The identity is right, and does not come in.
    #[error(transparent)]
    NotLetIn(#[from] ArrivalRefusal),
    /// Where to go on was not one of the places that are allowed.
    #[error("the address to go on to is not allowed")]
    ReturnTo,
    /// No key to seal secrets under is configured.
    #[error("the key ring holds no encryption key, so that no secret can be kept")]
    NoEncryptionKey,
    /// The secret of a connection cannot be read with the key ring.
    #[error("the secret of the connection cannot be opened")]
    Sealed,
    /// What stood against it otherwise.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<FlowError> for SsoError {
    fn from(error: FlowError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<StoreError> for SsoError {
    fn from(error: StoreError) -> Self {
        Self::SignIn(error.into())
    }
}

impl From<RandomError> for SsoError {
    fn from(error: RandomError) -> Self {
        Self::SignIn(error.into())
    }
}
