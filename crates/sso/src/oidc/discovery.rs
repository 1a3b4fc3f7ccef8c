//! What providers publish of themselves, and for how long it is taken for true.

use std::{convert::Infallible, sync::Arc, time::Duration};

use openidconnect::{JsonWebKeySet, core::CoreJsonWebKey};
use quick_cache::sync::Cache;
use tigertrust_accounts::sso::{OidcSettings, ProviderDocuments, ProviderError};
use tigertrust_model::Clock;
use tokio::sync::Mutex;

use super::{claims::Metadata, issuer::Issuer};
use crate::http::ProviderHttp;

/// How long metadata and keys are taken for true.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long keys that were just asked for are not asked for again, whatever key a token names: whoever sends tokens with made-up
/// keys must not have us ask the provider each time.
const PAUSE: Duration = Duration::from_secs(60);
/// How long a provider that failed is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Of how many providers this is remembered.
const MAX_PROVIDERS: usize = 1_000;

/// A provider's metadata with its keys.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) metadata: Metadata,
    pub(super) issuer: Issuer,
    fetched_at: Duration,
}

/// What is known of the providers.
pub(super) struct Discovery {
    http: ProviderHttp,
    clock: Arc<dyn Clock>,
    /// By the issuer that the settings name.
    known: Cache<String, Arc<Mutex<Known>>>,
}

/// Whoever asks a provider holds the lock meanwhile, so that everybody else waits for that answer and asks nothing.
#[derive(Default)]
struct Known {
    provider: Option<Arc<Provider>>,
    failure: Option<(ProviderError, Duration)>,
}

impl Discovery {
    pub(super) fn new(http: ProviderHttp, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            clock,
            known: Cache::new(MAX_PROVIDERS),
        }
    }

    pub(super) fn http(&self) -> &ProviderHttp {
        &self.http
    }

    /// The provider, asked if it is not known or was asked long ago.
    pub(super) async fn provider(&self, settings: &OidcSettings) -> Result<Arc<Provider>, ProviderError> {
        self.provider_if(settings, |_| true).await
    }

    /// The provider, asked once more for its keys if what is known is not of this very moment.
    pub(super) async fn provider_with_new_keys(
        &self,
        settings: &OidcSettings,
    ) -> Result<Arc<Provider>, ProviderError> {
        let now = self.clock.monotonic();
        self.provider_if(settings, |provider| {
            now.saturating_sub(provider.fetched_at) < PAUSE
        })
        .await
    }

    /// The provider as it is now.
    pub(super) async fn provider_as_it_is(
        &self,
        settings: &OidcSettings,
    ) -> Result<Arc<Provider>, ProviderError> {
        let entry = self.entry(settings);
        let mut known = entry.lock().await;
        self.ask(settings, &mut known).await
    }

    async fn provider_if(
        &self,
        settings: &OidcSettings,
        suffices: impl Fn(&Provider) -> bool,
    ) -> Result<Arc<Provider>, ProviderError> {
        let entry = self.entry(settings);
        let mut known = entry.lock().await;
        let now = self.clock.monotonic();
        if let Some(provider) = &known.provider
            && now.saturating_sub(provider.fetched_at) < FRESH
            && suffices(provider)
        {
            return Ok(Arc::clone(provider));
        }
        if let Some((error, at)) = &known.failure
            && now.saturating_sub(*at) < PAUSE_AFTER_FAILURE
        {
            return Err(error.clone());
        }
        self.ask(settings, &mut known).await
    }

    fn entry(&self, settings: &OidcSettings) -> Arc<Mutex<Known>> {
        // What is accepted as metadata differs for Azure, whose issuer may be a template.
        let key = format!("{:?} {}", settings.preset, settings.issuer);
        let Ok(entry) = self
            .known
            .get_or_insert_with(&key, || Ok::<_, Infallible>(Arc::default()));
        entry
    }

    async fn ask(&self, settings: &OidcSettings, known: &mut Known) -> Result<Arc<Provider>, ProviderError> {
        match self.fetch(settings).await {
            Ok(provider) => {
                let provider = Arc::new(provider);
                *known = Known {
                    provider: Some(Arc::clone(&provider)),
                    failure: None,
                };
                Ok(provider)
            }
            Err(error) => {
                known.failure = Some((error.clone(), self.clock.monotonic()));
                Err(error)
            }
        }
    }

    async fn fetch(&self, settings: &OidcSettings) -> Result<Provider, ProviderError> {
        let fetched_at = self.clock.monotonic();
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
            fetched_at,
        })
    }
}
