//! For how long what somebody publishes is taken for true.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tigertrust_accounts::sso::ProviderError;
use tigertrust_model::Clock;
use tokio::sync::Mutex;

/// How long metadata and keys are taken for true.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How long keys that were just asked for are not asked for again, whatever key a token names: whoever sends tokens with made-up
/// keys must not have us ask the provider each time.
const PAUSE: Duration = Duration::from_secs(60);
/// How long a provider that failed is left alone.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Of how many providers this is remembered.
const MAX_PROVIDERS: usize = 1_000;

/// How new it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What is known, unless that was asked for long ago.
    Known,
    /// With keys that a token names and that are not known: asked for once more, unless that was a moment ago.
    NewKeys,
    /// As it is now.
    AsItIs,
}

/// What was published at some addresses.
pub(super) struct Published<T> {
    clock: Arc<dyn Clock>,
    known: Cache<String, Arc<Mutex<Known<T>>>>,
}

/// Whoever asks holds the lock meanwhile, so that everybody else waits for that answer and asks nothing.
struct Known<T> {
    published: Option<(Arc<T>, Duration)>,
    failure: Option<(ProviderError, Duration)>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            published: None,
            failure: None,
        }
    }
}

impl<T> Published<T> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: Cache::new(MAX_PROVIDERS),
        }
    }

    /// What is published under the name, got by `fetch` if what is known of it does not do.
    pub(super) async fn get<F>(
        &self,
        name: &str,
        wanted: Wanted,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<T>, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let now = self.clock.monotonic();
        let Ok(entry) = self
            .known
            .get_or_insert_with(name, || Ok::<_, Infallible>(Arc::default()));
        let mut known = entry.lock().await;
        if wanted != Wanted::AsItIs {
            let waited = self.clock.monotonic();
            if let Some((published, at)) = &known.published {
                // Whoever has waited for the answer to another takes it, too.
                let is_new = now.saturating_sub(*at) < PAUSE;
                if waited.saturating_sub(*at) < FRESH && (wanted == Wanted::Known || is_new) {
                    return Ok(Arc::clone(published));
                }
            }
            if let Some((error, at)) = &known.failure
                && waited.saturating_sub(*at) < PAUSE_AFTER_FAILURE
            {
                return Err(error.clone());
            }
        }
        let asked_at = self.clock.monotonic();
        match fetch().await {
            Ok(published) => {
                let published = Arc::new(published);
                *known = Known {
                    published: Some((Arc::clone(&published), asked_at)),
                    failure: None,
                };
                Ok(published)
            }
            Err(error) => {
                known.failure = Some((error.clone(), self.clock.monotonic()));
                Err(error)
            }
        }
    }
}
