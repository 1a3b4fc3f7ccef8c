//! What a client can be told.

use std::{
    env, fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use reqwest::Url;
use tigertrust_model::{Clock, Entity, RandomSource};

use crate::{BuildError, Client, OsRandom, ServiceKey, State, SystemClock, key_format};

/// How often a quiet feed gives a sign of life, and by how much one server may be behind another.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
const MOST_LEASED: u32 = 1_000_000;

/// Something that has come in by the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// A key, a person or a workspace has changed.
    Of(Entity),
    /// Anything may have: changes were missed, or one came in that this client cannot read.
    Everything,
}

/// How short-lived tokens are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tokens {
    /// By the client itself, as long as it knows all that has changed since a token was issued.
    #[default]
    Offline,
    /// The server is asked about each, so that limits count.
    Online,
}

type OnState = Arc<dyn Fn(State, &str) + Send + Sync>;
type OnChange = Arc<dyn Fn(Change) + Send + Sync>;

/// Who is told of states and changes. What they do must not end the feed: a panic of theirs is ignored.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    state: Option<OnState>,
    change: Option<OnChange>,
}

impl Listeners {
    pub(crate) fn tell_state(&self, state: State, why: &str) {
        tracing::info!(%state, why, "the feed of changes");
        if let Some(listener) = &self.state {
            let _ = catch_unwind(AssertUnwindSafe(|| listener(state, why)));
        }
    }

    pub(crate) fn tell_change(&self, change: Change) {
        if let Some(listener) = &self.change {
            let _ = catch_unwind(AssertUnwindSafe(|| listener(change)));
        }
    }
}

/// Settings that were checked.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Without a slash at the end.
    pub(crate) url: String,
    pub(crate) api_key: ServiceKey,
    pub(crate) deadline: Duration,
    pub(crate) staleness: Duration,
    pub(crate) settle: Duration,
    pub(crate) cache_size: usize,
    pub(crate) lease: u32,
    pub(crate) life: Duration,
    #[cfg_attr(
        not(feature = "tokens"),
        allow(
            dead_code,
            reason = "without that feature the server is asked about each token"
        )
    )]
    pub(crate) tokens: Tokens,
    /// Who issues tokens.
    #[cfg_attr(
        not(feature = "tokens"),
        allow(
            dead_code,
            reason = "without that feature the server is asked about each token"
        )
    )]
    pub(crate) issuer: String,
    pub(crate) key_prefixes: Vec<String>,
    pub(crate) listeners: Listeners,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
}

impl Settings {
    /// Whether anything is to be remembered.
    pub(crate) fn remembers(&self) -> bool {
        self.cache_size > 0 && self.lease > 1 && !self.life.is_zero()
    }

    /// Whether tokens are verified without asking, for which the feed has to be followed.
    #[cfg(feature = "tokens")]
    pub(crate) fn verifies_tokens(&self) -> bool {
        self.tokens == Tokens::Offline && self.remembers()
    }
}

/// Makes a [`Client`]. What is not set has the default of the handbook; the address of the server and the service's own key
/// come from `TIGERTRUST_URL` and `TIGERTRUST_API_KEY` of the environment then.
#[derive(Clone)]
#[must_use = "nothing is made before `build`"]
pub struct ClientBuilder {
    url: Option<String>,
    api_key: Option<ServiceKey>,
    deadline: Duration,
    staleness: Duration,
    settle: Duration,
    cache_size: usize,
    lease: u32,
    life: Duration,
    tokens: Tokens,
    issuer: Option<String>,
    key_prefixes: Vec<String>,
    listeners: Listeners,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn RandomSource>>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            deadline: Duration::from_secs(2),
            staleness: Duration::from_secs(3),
            settle: SIGN_OF_LIFE,
            cache_size: 10_000,
            lease: 10,
            life: Duration::from_secs(60),
            tokens: Tokens::Offline,
            issuer: None,
            key_prefixes: Vec::new(),
            listeners: Listeners::default(),
            clock: None,
            random: None,
        }
    }
}

impl ClientBuilder {
    /// The address of the server, such as `https://auth.example.com`, with a path or without.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The service's own key: an agent key with `keys:verify`. Better left to the environment than written into code.
    pub fn api_key(mut self, key: impl Into<ServiceKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// How long a call may take, with all that is repeated; 2 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// For how long remembered verdicts are used without a sign of life of the feed; 3 s. More than a second.
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness;
        self
    }

    /// For how long after a change nothing new is remembered of what it concerns; 1 s, and no less. More behind a load
    /// balancer: see the handbook.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// How many questions are remembered; 10,000. With 0 none is.
    pub fn cache_size(mut self, questions: usize) -> Self {
        self.cache_size = questions;
        self
    }

    /// How many uses are counted at once for a verdict that is remembered; 10, and 1,000,000 at the most. With 1 none is
    /// remembered.
    pub fn lease(mut self, uses: u32) -> Self {
        self.lease = uses;
        self
    }

    /// How long a verdict is remembered at the most; 60 s. With 0 none is.
    pub fn life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// Whether short-lived tokens are verified by the client itself, or the server is asked about each; [`Tokens::Offline`].
    /// Without the feature `tokens` the server is asked always.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Who issues tokens: the server's `public_url`, without a slash at the end. By default `TIGERTRUST_ISSUER` of the
    /// environment, or else the address of the server.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// What keys may begin with beside `ak_` and `ck_`: the prefixes of imported ones, an empty one for those that have none;
    /// none.
    pub fn key_prefixes(mut self, prefixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.key_prefixes = prefixes.into_iter().map(Into::into).collect();
        self
    }

    /// Is told of each new state, and why it came about.
    pub fn on_state(mut self, listener: impl Fn(State, &str) + Send + Sync + 'static) -> Self {
        self.listeners.state = Some(Arc::new(listener));
        self
    }

    /// Is told of each change that has come in, once it counts.
    pub fn on_change(mut self, listener: impl Fn(Change) + Send + Sync + 'static) -> Self {
        self.listeners.change = Some(Arc::new(listener));
        self
    }

    /// Another clock than the machine's, for tests. Deadlines are kept by the timers of tokio whatever it says.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Another random source than the operating system's, for tests: pauses before repetitions are taken from it.
    pub fn random(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = Some(random);
        self
    }

    /// The client. It makes no call yet.
    ///
    /// # Errors
    /// [`BuildError`] without an address or a key, or with a setting outside of what is allowed.
    pub fn build(self) -> Result<Client, BuildError> {
        Client::new(self.check()?)
    }

    fn check(self) -> Result<Settings, BuildError> {
        allow("deadline", "more than 0", !self.deadline.is_zero())?;
        allow("staleness", "more than 1 s", self.staleness > SIGN_OF_LIFE)?;
        allow("settle", "1 s or more", self.settle >= SIGN_OF_LIFE)?;
        allow("lease", "1 to 1,000,000", (1..=MOST_LEASED).contains(&self.lease))?;
        allow(
            "key_prefixes",
            "prefixes of imported keys: 2 to 32 letters, digits, - and _, and none of ak_, ck_, tt_ and eyJ; or empty",
            self.key_prefixes
                .iter()
                .all(|prefix| key_format::is_further_prefix(prefix)),
        )?;
        let url = self.url.or_else(|| env::var("TIGERTRUST_URL").ok());
        let api_key = self
            .api_key
            .or_else(|| env::var("TIGERTRUST_API_KEY").ok().map(Into::into));
        let url = check_url(&url.unwrap_or_default())?;
        let issuer = self.issuer.or_else(|| env::var("TIGERTRUST_ISSUER").ok());
        let issuer = check_issuer(issuer.unwrap_or_else(|| url.clone()))?;
        Ok(Settings {
            url,
            api_key: check_key(api_key)?,
            deadline: self.deadline,
            staleness: self.staleness,
            settle: self.settle,
            cache_size: self.cache_size,
            lease: self.lease,
            life: self.life,
            tokens: self.tokens,
            issuer,
            key_prefixes: self.key_prefixes,
            listeners: self.listeners,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            random: self.random.unwrap_or_else(|| Arc::new(OsRandom)),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    // The address may be a key that was put in the wrong place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("deadline", &self.deadline)
            .field("staleness", &self.staleness)
            .field("settle", &self.settle)
            .field("cache_size", &self.cache_size)
            .field("lease", &self.lease)
            .field("life", &self.life)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

fn allow(setting: &'static str, allowed: &'static str, is_allowed: bool) -> Result<(), BuildError> {
    if is_allowed {
        Ok(())
    } else {
        Err(BuildError::Setting { setting, allowed })
    }
}

fn check_url(text: &str) -> Result<String, BuildError> {
    if text.is_empty() {
        return Err(BuildError::NoUrl);
    }
    let url = Url::parse(text).map_err(|_| BuildError::Url)?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host()
        && matches!(url.scheme(), "https" | "http");
    if !is_plain {
        return Err(BuildError::Url);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn check_issuer(issuer: String) -> Result<String, BuildError> {
    let address = issuer
        .strip_prefix("https://")
        .or_else(|| issuer.strip_prefix("http://"));
    let is_good = address.is_some_and(|address| {
        !address.is_empty() && !address.ends_with('/') && !address.contains(char::is_whitespace)
    });
    if is_good {
        Ok(issuer)
    } else {
        Err(BuildError::Issuer)
    }
}

fn check_key(key: Option<ServiceKey>) -> Result<ServiceKey, BuildError> {
    let key = key
        .filter(|key| !key.reveal().is_empty())
        .ok_or(BuildError::NoApiKey)?;
    if key_format::read(key.reveal().as_bytes()).is_none() {
        return Err(BuildError::ApiKey);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_address_without_a_slash_at_its_end() {
        for good in ["https://auth.example.com", "http://127.0.0.1:8080/auth"] {
            assert_eq!(check_issuer(good.to_owned()), Ok(good.to_owned()));
        }
        for wrong in [
            "",
            "https://",
            "auth.example.com",
            "https://a.example/",
            "https://a b",
        ] {
            assert_eq!(check_issuer(wrong.to_owned()), Err(BuildError::Issuer), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_plain_or_refused() {
        for (text, url) in [
            ("https://auth.example.com", "https://auth.example.com"),
            ("https://auth.example.com/", "https://auth.example.com"),
            ("http://[::1]:8080/auth/", "http://[::1]:8080/auth"),
        ] {
            assert_eq!(check_url(text), Ok(url.to_owned()));
        }
        for text in [
            "auth.example.com",
            "ftp://example.com",
            "https://user@example.com",
            "https://:word@example.com",
            "https://example.com/?key=1",
            "https://example.com?",
            "https://example.com/#here",
            "https://example.com:port",
            "https://[::1",
            "https://",
        ] {
            assert_eq!(check_url(text), Err(BuildError::Url), "{text}");
        }
        assert_eq!(check_url(""), Err(BuildError::NoUrl));
    }
}
