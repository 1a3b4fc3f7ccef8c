//! Values read from the database, kept as long as the [`ChangeTracker`] vouches for them.

use std::{
    any::Any,
    fmt,
    hash::{BuildHasher, Hash},
    hint::black_box,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::{
    UnitWeighter, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use tigertrust_model::Workspace;

use crate::{
    CacheCounts, ChangeTracker,
    ports::{DependsOn, StoreError},
    tracker::{Epoch, Watch},
};

/// How often a look-up is repeated because what it read changed meanwhile, before it gives up.
const ATTEMPTS: u32 = 16;
/// How many unknown keys are remembered, and for how long. The checksum has turned away what is merely mistyped, but of keys that
/// were made elsewhere.
const UNKNOWN_CAPACITY: usize = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// A value that was looked up. What each use of it reads stands first, side by side.
#[repr(C)]
pub(crate) struct Remembered<V> {
    /// None where the value was true once and is not to be used again.
    watch: Option<Watch>,
    derived: Derived,
    written: OnceLock<Option<Box<str>>>,
    value: V,
}

/// What is made of a value once, for as long as it is remembered.
#[derive(Default)]
pub(crate) struct Derived(OnceLock<Box<dyn Any + Send + Sync>>);

impl Derived {
    /// What `make` makes, the first time. `None` if something of another type is kept here.
    pub(crate) fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl<V> Remembered<V> {
    fn new(value: V, watch: Option<Watch>) -> Self {
        Self {
            value,
            watch,
            derived: Derived::default(),
            written: OnceLock::new(),
        }
    }

    /// What is true for the moment, and not kept.
    pub(crate) fn of_the_moment(value: V) -> Self {
        Self::new(value, None)
    }

    /// Whether it was kept, and not true for the moment only.
    pub(crate) const fn is_kept(&self) -> bool {
        self.watch.is_some()
    }

    /// What callers make of a permit for the value.
    pub(crate) const fn derived(&self) -> &Derived {
        &self.derived
    }

    /// What callers write of a verdict on the value, once: what `make` answers.
    pub(crate) fn written(&self, make: impl FnOnce() -> Option<String>) -> Option<&str> {
        let written = self.written.get_or_init(|| make().map(String::into_boxed_str));
        written.as_deref()
    }

    /// Has memory fetch what callers wrote of a verdict.
    fn fetch_written(&self) {
        let text = self.written.get().and_then(Option::as_deref);
        black_box(text.and_then(|text| text.as_bytes().first().copied()));
    }
}

impl<V> Deref for Remembered<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V: fmt::Debug> fmt::Debug for Remembered<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// What can be remembered.
pub(crate) trait Remember: DependsOn {
    /// Has memory fetch what is looked at of it right after it was found.
    fn fetch(&self) {}
}

impl Remember for Workspace {}

/// A value in its place in the cache.
struct Place<V>(Arc<Remembered<V>>);

impl<V: Remember> Clone for Place<V> {
    /// To count one more who holds it is to wait for it. What its next holder looks at is asked for before, so that all of it comes in the
    /// time that one thing takes.
    fn clone(&self) -> Self {
        black_box(self.0.is_kept());
        self.0.fetch();
        self.0.fetch_written();
        Self(Arc::clone(&self.0))
    }
}

/// Why a look-up has no value.
enum Missing {
    NotFound,
    Failed(StoreError),
}

impl Missing {
    fn answer<T>(&self) -> Result<Option<T>, StoreError> {
        match self {
            Self::NotFound => Ok(None),
            Self::Failed(error) => Err(error.clone()),
        }
    }
}

/// What a look-up came to. That there is no value is only for those who wait for the same look-up, and taken out at once.
type Outcome<V> = Result<Place<V>, Arc<Missing>>;

/// What takes room: nothing that stays for a moment only may drive out what is of use.
#[derive(Clone, Copy)]
struct Weight;

impl<K, V> Weighter<K, Outcome<V>> for Weight {
    fn weight(&self, _: &K, outcome: &Outcome<V>) -> u64 {
        u64::from(outcome.is_ok())
    }
}

/// That nobody knew a key when it was looked up.
#[derive(Clone, Copy)]
struct Unknown {
    /// How long that is believed, by the monotonic clock.
    until: Duration,
    /// Nor is it any longer once anything has changed: the key may have been imported, and then it is to be good at once.
    since: Epoch,
}

/// A bounded cache in front of look-ups.
pub(crate) struct TrackedCache<K, V, S> {
    tracker: Arc<ChangeTracker>,
    found: Cache<K, Outcome<V>, Weight, S>,
    unknown: Cache<K, Unknown, UnitWeighter, S>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V, S> TrackedCache<K, V, S>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Remember + Send + Sync + 'static,
    S: BuildHasher + Clone + Send + Sync + 'static,
{
    pub(crate) fn new(tracker: Arc<ChangeTracker>, capacity: usize, hasher: S) -> Self {
        Self {
            tracker,
            found: cache(capacity, Weight, hasher.clone()),
            unknown: cache(UNKNOWN_CAPACITY, UnitWeighter, hasher),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The value, from the cache where that may be trusted, else by `look_up`; `None` where there is none. Callers
    /// who miss the same key at once share one look-up.
    ///
    /// # Errors
    /// What `look_up` answers.
    pub(crate) async fn get<F>(
        &self,
        key: K,
        look_up: impl Fn() -> F,
    ) -> Result<Option<Arc<Remembered<V>>>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        if !self.tracker.is_fresh() {
            self.misses.fetch_add(1, Ordering::Relaxed);
            let found = look_up().await?;
            return Ok(found.map(|value| Arc::new(Remembered::of_the_moment(value))));
        }
        match self.found.get(&key) {
            Some(Ok(Place(found))) if self.is_current(&found) => return Ok(Some(self.hit(found))),
            Some(outcome) => self.forget(&key, &outcome),
            None if self.is_unknown(&key) => return Ok(self.hit(None)),
            None => {}
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        // Boxed, so that the many who find what they ask for do not carry it about.
        Box::pin(self.miss(key, look_up)).await
    }

    /// The value, if the cache has it and may be trusted.
    pub(crate) fn known(&self, key: &K) -> Option<Arc<Remembered<V>>> {
        let found = self.peek(key, self.tracker.monotonic())?;
        Some(self.hit(found))
    }

    /// As [`known`](Self::known), at a time of the monotonic clock that was read a moment ago. It is no [`hit`](Self::hit) yet.
    pub(crate) fn peek(&self, key: &K, now: Duration) -> Option<Arc<Remembered<V>>> {
        if !self.tracker.is_fresh_at(now) {
            return None;
        }
        let Place(found) = self.found.get(key)?.ok()?;
        Some(found).filter(|found| self.is_current(found))
    }

    /// Counts that the cache knew the answer.
    pub(crate) fn hit<T>(&self, answer: T) -> T {
        self.hits.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// How it has done until now.
    pub(crate) fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.found.len(),
        }
    }

    /// Whether a value that was got earlier is what [`get`](Self::get) would answer now.
    pub(crate) fn vouches_for(&self, found: &Remembered<V>) -> bool {
        self.tracker.is_fresh() && self.is_current(found)
    }

    fn is_current(&self, found: &Remembered<V>) -> bool {
        found
            .watch
            .as_ref()
            .is_some_and(|watch| self.tracker.is_current(watch))
    }

    fn is_unknown(&self, key: &K) -> bool {
        let (now, epoch) = (self.tracker.monotonic(), self.tracker.epoch());
        self.unknown
            .get(key)
            .is_some_and(|unknown| now < unknown.until && epoch == unknown.since)
    }

    async fn miss<F>(&self, key: K, look_up: impl Fn() -> F) -> Result<Option<Arc<Remembered<V>>>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        for _ in 0..ATTEMPTS {
            let outcome = match self.found.get_value_or_guard_async(&key).await {
                Ok(outcome) => outcome,
                // Whoever stops waiting drops the guard, and the next who waits gets one.
                Err(guard) => {
                    let since = self.tracker.epoch();
                    let outcome = self.read(&look_up).await.map_err(Arc::new);
                    if outcome
                        .as_ref()
                        .is_err_and(|missing| matches!(**missing, Missing::NotFound))
                    {
                        let until = self.tracker.monotonic() + UNKNOWN_FOR;
                        self.unknown.insert(key, Unknown { until, since });
                    }
                    // It is refused only where somebody took the place out meanwhile: then nobody waits for it.
                    let _ = guard.insert(outcome.clone());
                    outcome
                }
            };
            match &outcome {
                // Looked at again here, since the look-up may have been another caller's and older than this call.
                Ok(Place(found)) if self.is_current(found) => return Ok(Some(Arc::clone(found))),
                Ok(_) => self.forget(&key, &outcome),
                Err(missing) => {
                    self.forget(&key, &outcome);
                    return missing.answer();
                }
            }
        }
        Err(StoreError::unavailable(
            "what was looked up changed faster than it could be read",
        ))
    }

    /// Takes an outcome out, unless another stands in its place meanwhile.
    fn forget(&self, key: &K, outcome: &Outcome<V>) {
        self.found.remove_if(key, |own| match (own, outcome) {
            (Ok(Place(own)), Ok(Place(other))) => Arc::ptr_eq(own, other),
            (Err(own), Err(other)) => Arc::ptr_eq(own, other),
            _ => false,
        });
    }

    async fn read<F>(&self, look_up: &impl Fn() -> F) -> Result<Place<V>, Missing>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        let since = self.tracker.epoch();
        let value = look_up()
            .await
            .map_err(Missing::Failed)?
            .ok_or(Missing::NotFound)?;
        let watch = self.tracker.watch(value.entities(), since);
        Ok(Place(Arc::new(Remembered::new(value, Some(watch)))))
    }
}

fn cache<K, V, W, S>(capacity: usize, weighter: W, hasher: S) -> Cache<K, V, W, S>
where
    K: Eq + Hash,
    V: Clone,
    W: Weighter<K, V> + Clone,
    S: BuildHasher + Clone,
{
    let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
    Cache::with(capacity, weight, weighter, hasher, DefaultLifecycle::default())
}

impl<K, V, S> fmt::Debug for TrackedCache<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedCache")
            .field("tracker", &self.tracker)
            .finish_non_exhaustive()
    }
}
