//! The client.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::DropGuard;

use crate::{
    BuildError, ClientBuilder, NotAvailable, PresentedKey, Question, State, Verdict,
    core::{Answer, Awaited, Core},
    lock::lock,
    question::{Asked, Digest},
    secret::Revealed,
    settings::Settings,
};

/// Checks API keys with a TigerTrust server. One for each process is enough: clones are the same client. Close it at the end,
/// or drop all of them.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
    /// Ends the feed with the last clone.
    _open: Arc<DropGuard>,
}

impl Client {
    /// A client, to be told what is not as usual.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client of the server in `TIGERTRUST_URL`, with the service's own key in `TIGERTRUST_API_KEY`.
    ///
    /// # Errors
    /// [`BuildError`] if one of the two is missing or not what it should be.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    pub(crate) fn new(settings: Settings) -> Result<Self, BuildError> {
        let core = Arc::new(Core::new(settings)?);
        Ok(Self {
            _open: Arc::new(core.closing.clone().drop_guard()),
            core,
        })
    }

    /// Where the client stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.status.state()
    }

    /// What keys may begin with beside `ak_` and `ck_`.
    pub(crate) fn key_prefixes(&self) -> &[String] {
        &self.core.settings.key_prefixes
    }

    /// Opens the feed of changes now, and not with the first [`verify`](Self::verify). It is followed on the runtime of tokio that
    /// this is called in; outside of one nothing happens.
    pub fn start(&self) {
        self.core.start();
    }

    /// Ends the feed, and waits until nothing is under way, for up to a deadline. Every [`verify`](Self::verify) from then on is
    /// "not available".
    pub async fn close(&self) {
        let core = &self.core;
        core.is_closed.store(true, Ordering::Release);
        core.status.become_state(State::Closed, "the client was closed");
        core.closing.cancel();
        core.tasks.close();
        core.tasks.wait().await;
    }

    /// Says what a presented key or short-lived token is worth. Let a client in for a valid verdict alone.
    ///
    /// # Errors
    /// [`NotAvailable`]: nobody can say at the moment.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn verify(&self, key: &PresentedKey, question: &Question<'_>) -> Result<Verdict, NotAvailable> {
        let core = &self.core;
        let revealed = match key.reveal(&core.settings.key_prefixes) {
            Ok(revealed) => revealed,
            Err(malformed) => return Ok(malformed),
        };
        if core.is_closed.load(Ordering::Acquire) {
            return Err(NotAvailable::closed());
        }
        core.start();
        let now = core.now();
        let until = now.saturating_add(core.settings.deadline);
        #[cfg(feature = "tokens")]
        let now = match revealed {
            Revealed::Token(token) if core.settings.verifies_tokens() => {
                if let Some(verdict) = core.decide(token, question, until).await {
                    return Ok(verdict);
                }
                core.now()
            }
            _ => now,
        };
        let (Revealed::Key(key) | Revealed::Token(key)) = revealed;
        let digest = question.digest(key);
        if let Some(verdict) = self.remembered(&digest, now) {
            return Ok(verdict);
        }
        let looked_up = timeout(
            until.saturating_sub(now),
            self.look_up(&digest, key, question, until),
        )
        .await;
        looked_up.unwrap_or_else(|_| Err(NotAvailable::late()))
    }

    /// A remembered verdict that may be used, of which one use is taken.
    fn remembered(&self, digest: &Digest, now: Duration) -> Option<Verdict> {
        let core = &self.core;
        if !core.status.is_fresh(now) {
            return None;
        }
        let taken = core
            .accounts
            .take(digest, &core.changes, &*core.settings.clock, now);
        taken.map(Verdict::Valid)
    }

    /// Asks, or waits for those who ask the same.
    async fn look_up(
        &self,
        digest: &Digest,
        key: &str,
        question: &Question<'_>,
        until: Duration,
    ) -> Result<Verdict, NotAvailable> {
        while self.core.status.is_fresh(self.core.now()) {
            let (mut awaited, is_ours) = match self.join(digest) {
                Joined::Remembered(verdict) => return Ok(verdict),
                Joined::Others(awaited) => (awaited, false),
                Joined::Ours(answer, awaited) => {
                    let asked = Asked::new(key, question);
                    self.core.ask_for_all(*digest, asked, until, answer);
                    (awaited, true)
                }
            };
            let answered = awaited.wait_for(Option::is_some).await;
            let Some(outcome) = answered.ok().and_then(|answer| answer.clone()) else {
                // The runtime of those who asked has ended: somebody else has to.
                if is_ours { break } else { continue }
            };
            let outcome = outcome?;
            if is_ours || !outcome.verdict.is_valid() {
                return Ok(outcome.verdict);
            }
            if !outcome.is_kept {
                break;
            }
        }
        self.core.ask_once(&Asked::new(key, question), until).await
    }

    /// Looks once more, and finds out who asks, in one step: an answer may have come just now.
    fn join(&self, digest: &Digest) -> Joined {
        let core = &self.core;
        let mut asking = lock(&core.asking);
        if let Some(verdict) = self.remembered(digest, core.now()) {
            return Joined::Remembered(verdict);
        }
        if let Some(awaited) = asking.get(digest) {
            return Joined::Others(awaited.clone());
        }
        let (answer, awaited) = watch::channel(None);
        asking.insert(*digest, awaited.clone());
        Joined::Ours(answer, awaited)
    }
}

/// Who answers a question.
enum Joined {
    Remembered(Verdict),
    Others(Awaited),
    /// Whoever is told so has to ask.
    Ours(Answer, Awaited),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.core.settings.url)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
