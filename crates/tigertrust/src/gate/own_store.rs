//! A gate over a store of the embedder's own.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use tigertrust_credentials::{
    Admission, CacheSettings, ChangeTracker, KeyDigest, OsRandom, Pepper, PepperError, PepperRing,
    RateLimits, SteadyClock, SystemClock,
    ports::{ChangeListener, CredentialStore, StoreError, UsageBatch, UsageStore, UseStore},
};
use tigertrust_model::{Clock, KeyTypes, LastUse, RandomSource, ScopeCatalog};
use tigertrust_rate_limit::{Limits, RateLimiter};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{Changes, Gate, GateParts};
use crate::{BuildError, settings};

/// How often what waits of how keys were used is stored, and what limits no longer need is forgotten.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

impl Gate {
    /// Says what a gate over a store of your own is to be. The store answers two questions, each with one look-up:
    /// [`CredentialStore::find_key`] and [`CredentialStore::find_workspace`].
    pub fn over(store: Arc<dyn CredentialStore>) -> GateBuilder {
        GateBuilder {
            store,
            ring: None,
            peppers: Vec::new(),
            catalog: None,
            scopes: Vec::new(),
            cache: CacheSettings::default(),
            max_staleness: settings::MAX_STALENESS,
            every_change_is_told: false,
            limits: Limits::default(),
            uses: Arc::new(Nowhere),
            usage: Arc::new(Nowhere),
            clock: None,
            random: None,
            runtime: None,
        }
    }
}

/// Puts a [`Gate`] over a store of your own together. What is wrong with a setting is told by [`build`](Self::build).
///
/// A pepper has to be named; all else has a default. What is remembered is trusted only where the gate is told of changes: by
/// [`every_change_is_told`](Self::every_change_is_told), or by [`Changes::caught_up`] again and again. Otherwise every request asks the
/// store.
#[must_use = "nothing happens before `build`"]
pub struct GateBuilder {
    store: Arc<dyn CredentialStore>,
    ring: Option<PepperRing>,
    peppers: Vec<(String, Result<Pepper, PepperError>)>,
    catalog: Option<ScopeCatalog>,
    scopes: Vec<(String, String, KeyTypes)>,
    cache: CacheSettings,
    max_staleness: Duration,
    every_change_is_told: bool,
    limits: Limits,
    uses: Arc<dyn UseStore>,
    usage: Arc<dyn UsageStore>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn RandomSource>>,
    runtime: Option<Handle>,
}

impl GateBuilder {
    /// A pepper: a secret that key digests are computed under, in base64url of 32 bytes or more, and an id. Keep it outside the store:
    /// without it no stored key is valid any more, with it alone a stolen store gives nothing away.
    ///
    /// The first one that is given digests new keys, those after it still verify older ones.
    pub fn pepper(mut self, id: &str, secret: &str) -> Self {
        self.peppers.push((id.to_owned(), Pepper::new(id, secret)));
        self
    }

    /// All peppers at once, in place of [`pepper`](Self::pepper).
    pub fn peppers(mut self, ring: PepperRing) -> Self {
        self.ring = Some(ring);
        self
    }

    /// A scope of the application: its name (`invoices:read`), what it allows in a sentence, and which types of key may hold it. Where no
    /// scope is given, the shipped application scopes are there. Keys are yours to make: the scopes are there so that a route which needs
    /// another one is told to the operator.
    pub fn scope(mut self, name: &str, description: &str, types: KeyTypes) -> Self {
        self.scopes.push((name.to_owned(), description.to_owned(), types));
        self
    }

    /// All scopes at once, in place of [`scope`](Self::scope).
    pub fn catalog(mut self, catalog: ScopeCatalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// How much is remembered of keys and workspaces.
    pub fn cache(mut self, cache: CacheSettings) -> Self {
        self.cache = cache;
        self
    }

    /// How long what is remembered may be trusted after the time that [`Changes::caught_up`] was told: the bound on how late a
    /// revocation can be noticed. 5 seconds if nobody says otherwise.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// All changes of the store are made in this process, which tells each by [`Changes::changed`]: what is remembered is trusted until it
    /// is told otherwise. Do not say so where another process writes to the store: what that revokes would stay valid here.
    pub fn every_change_is_told(mut self) -> Self {
        self.every_change_is_told = true;
        self
    }

    /// How often keys may be used, by the plan of their workspace, and all other limits of rates. Counts are kept in this process.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it is stored when secrets were last used; nowhere if nobody says.
    pub fn uses(mut self, uses: Arc<dyn UseStore>) -> Self {
        self.uses = uses;
        self
    }

    /// Where it is stored how often keys were used; nowhere if nobody says.
    pub fn usage(mut self, usage: Arc<dyn UsageStore>) -> Self {
        self.usage = usage;
        self
    }

    /// Where time comes from; the machine's clock if nobody says otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where randomness comes from; the operating system if nobody says otherwise.
    pub fn random(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = Some(random);
        self
    }

    /// The tokio runtime on which what runs beside the requests lives, with timers enabled; the one that builds if nobody says otherwise.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The gate, and the handle by which it is told of changes. The store has not been asked for anything yet.
    ///
    /// # Errors
    /// [`BuildError`]: what is wrong with a setting.
    pub fn build(self) -> Result<(Gate, Changes), BuildError> {
        let peppers = match self.ring {
            Some(ring) => ring,
            None => settings::ring(self.peppers)?,
        };
        let catalog = match self.catalog {
            Some(catalog) => catalog,
            None => settings::catalog(self.scopes)?,
        };
        settings::ensure_some_trust(self.max_staleness)?;
        let runtime = settings::runtime(self.runtime)?;
        let machine = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::new(machine));
        let max_staleness = if self.every_change_is_told {
            Duration::MAX
        } else {
            self.max_staleness
        };
        let tracker = Arc::new(ChangeTracker::new(Arc::clone(&clock), max_staleness));
        if self.every_change_is_told {
            tracker.caught_up(clock.monotonic());
        }
        let limits = Arc::new(RateLimits::new(
            self.limits,
            Arc::new(RateLimiter::new(Arc::clone(&clock))),
            Arc::clone(&clock),
        ));
        let admission = Arc::new(Admission::new(
            peppers.clone(),
            Arc::clone(&clock),
            self.store,
            &tracker,
            self.cache,
            Arc::clone(&limits),
        ));
        let records = Records {
            uses: self.uses,
            usage: self.usage,
        };
        let upkeep = Upkeep::start(records, Arc::clone(&admission), Arc::clone(&limits), &runtime);
        let gate = Gate::alone(GateParts {
            admission,
            limits,
            tracker: Arc::clone(&tracker),
            catalog: Arc::new(catalog),
            peppers,
            clock: Arc::clone(&clock),
            random: self.random.unwrap_or_else(|| Arc::new(OsRandom)),
            #[cfg(feature = "answers")]
            outages: tigertrust_credentials::OutageLog::new(Arc::clone(&clock)),
            upkeep: Some(upkeep),
        });
        Ok((gate, Changes::new(tracker, clock)))
    }
}

impl fmt::Debug for GateBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateBuilder")
            .field("max_staleness", &self.max_staleness)
            .field("every_change_is_told", &self.every_change_is_told)
            .finish_non_exhaustive()
    }
}

/// Where it is stored how keys were used.
#[derive(Clone)]
struct Records {
    uses: Arc<dyn UseStore>,
    usage: Arc<dyn UsageStore>,
}

impl Records {
    /// What fails is tried again the next time.
    async fn store(&self, admission: &Admission) {
        if let Err(error) = admission.flush_uses(&*self.uses).await {
            tracing::warn!(%error, "it could not be stored when keys were last used");
        }
        if let Err(error) = admission.flush_usage(&*self.usage).await {
            tracing::warn!(%error, "it could not be stored how often keys were used");
        }
    }
}

/// What runs beside the requests, until it is stopped or dropped.
pub(crate) struct Upkeep {
    records: Records,
    task: JoinHandle<()>,
}

impl Upkeep {
    fn start(records: Records, admission: Arc<Admission>, limits: Arc<RateLimits>, runtime: &Handle) -> Self {
        let storing = records.clone();
        let task = runtime.spawn(async move {
            let mut ticks = interval(UPKEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                storing.store(&admission).await;
                limits.sweep();
            }
        });
        Self { records, task }
    }

    pub(super) async fn close(&self, admission: &Admission) {
        self.task.abort();
        self.records.store(admission).await;
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps nothing: a gate that is not asked how keys were used must not gather it either.
struct Nowhere;

#[async_trait]
impl UseStore for Nowhere {
    async fn record_uses(&self, _: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl UsageStore for Nowhere {
    async fn add_usage(&self, _: UsageBatch) -> Result<(), StoreError> {
        Ok(())
    }
}
