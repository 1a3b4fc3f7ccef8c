//! What providers publish of themselves, and for how long it is taken for true.

use std::sync::Arc;

use openidconnect::{JsonWebKeySet, core::CoreJsonWebKey};
use tigertrust_accounts::sso::{OidcSettings, ProviderDocuments, ProviderError};
use tigertrust_model::Clock;

use super::{
    claims::Metadata,
    issuer::Issuer,
    published::{Published, Wanted},
};
use crate::http::ProviderHttp;

/// A provider's metadata with its keys.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) metadata: Metadata,
    pub(super) issuer: Issuer,
}

/// What is known of the providers.
pub(super) struct Discovery {
    http: ProviderHttp,
    /// By the issuer that the settings name.
    known: Published<Provider>,
}

impl Discovery {
    pub(super) fn new(http: ProviderHttp, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            known: Published::new(clock),
        }
    }

    pub(super) fn http(&self) -> &ProviderHttp {
        &self.http
    }

    /// The provider, asked if it is not known or was asked long ago.
    pub(super) async fn provider(&self, settings: &OidcSettings) -> Result<Arc<Provider>, ProviderError> {
        self.provider_if(settings, Wanted::Known).await
    }

    /// The provider, asked once more for its keys if what is known is not of this very moment.
    pub(super) async fn provider_with_new_keys(
        &self,
        settings: &OidcSettings,
    ) -> Result<Arc<Provider>, ProviderError> {
        self.provider_if(settings, Wanted::NewKeys).await
    }

    /// The provider as it is now.
    pub(super) async fn provider_as_it_is(
        &self,
        settings: &OidcSettings,
    ) -> Result<Arc<Provider>, ProviderError> {
        self.provider_if(settings, Wanted::AsItIs).await
    }

    async fn provider_if(
        &self,
        settings: &OidcSettings,
        wanted: Wanted,
    ) -> Result<Arc<Provider>, ProviderError> {
        // What is accepted as metadata differs for Azure, whose issuer may be a template.
        let key = format!("{:?} {}", settings.preset, settings.issuer);
        self.known.get(&key, wanted, || self.fetch(settings)).await
    }

    async fn fetch(&self, settings: &OidcSettings) -> Result<Provider, ProviderError> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            settings.issuer.trim_end_matches('/')
        );
        let metadata: Metadata = serde_json::from_slice(&self.http.fetch(&url).await?).map_err(|_| {
            ProviderError::Unavailable(
                "what is published at the issuer is no OpenID Connect metadata".to_owned(),
            )
        })?;

        let issuer = Issuer::published(metadata.issuer().as_str(), settings)?;
        self.http.check(metadata.authorization_endpoint().as_str())?;
        if metadata.token_endpoint().is_none() {
            return Err(ProviderError::Unavailable(
                "the provider's metadata names no token endpoint".to_owned(),
            ));
        }

        let keys = self.http.fetch(metadata.jwks_uri().as_str()).await?;
        let keys: JsonWebKeySet<CoreJsonWebKey> = serde_json::from_slice(&keys)
            .map_err(|_| ProviderError::Unavailable("the provider's keys cannot be read".to_owned()))?;
        Ok(Provider {
            metadata: metadata.set_jwks(keys),
            issuer,
        })
    }
}
