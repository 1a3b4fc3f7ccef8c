//! Values read from the database, kept as long as the [`ChangeTracker`] vouches for them.

use std::{
    any::Any,
    fmt,
    hash::{BuildHasher, Hash},
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use moka::future::Cache;

use crate::{
    ChangeTracker,
    ports::{DependsOn, StoreError},
    tracker::Watch,
};

/// How often a look-up is repeated because what it read changed meanwhile, before it gives up.
const ATTEMPTS: u32 = 16;
/// How many unknown keys are remembered, and for how long. The checksum has turned away what is merely mistyped.
const UNKNOWN_CAPACITY: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// A value that was looked up.
pub(crate) struct Remembered<V> {
    value: V,
    /// None where the value was true once and is not to be used again.
    watch: Option<Watch>,
    derived: Derived,
    explained: Derived,
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
            explained: Derived::default(),
        }
    }

    /// What callers make of a permit for the value.
    pub(crate) const fn derived(&self) -> &Derived {
        &self.derived
    }

    /// What callers make of a verdict on the value.
    pub(crate) const fn explained(&self) -> &Derived {
        &self.explained
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

/// Why a look-up put nothing into the cache.
enum Missing {
    NotFound,
    Failed(StoreError),
}

/// A bounded cache in front of look-ups.
pub(crate) struct TrackedCache<K, V, S> {
    tracker: Arc<ChangeTracker>,
    found: Cache<K, Arc<Remembered<V>>, S>,
    unknown: Cache<K, (), S>,
}

impl<K, V, S> TrackedCache<K, V, S>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: DependsOn + Send + Sync + 'static,
    S: BuildHasher + Clone + Send + Sync + 'static,
{
    pub(crate) fn new(tracker: Arc<ChangeTracker>, capacity: u64, hasher: S) -> Self {
        Self {
            tracker,
            found: Cache::builder()
                .max_capacity(capacity)
                .build_with_hasher(hasher.clone()),
            unknown: Cache::builder()
                .max_capacity(UNKNOWN_CAPACITY)
                .time_to_live(UNKNOWN_FOR)
                .build_with_hasher(hasher),
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
            let found = look_up().await?;
            return Ok(found.map(|value| Arc::new(Remembered::new(value, None))));
        }
        if let Some(found) = self.found.get(&key).await {
            if self.is_current(&found) {
                return Ok(Some(found));
            }
            self.found.invalidate(&key).await;
        } else if self.unknown.contains_key(&key) {
            return Ok(None);
        }
        self.miss(key, look_up).await
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

    async fn miss<F>(&self, key: K, look_up: impl Fn() -> F) -> Result<Option<Arc<Remembered<V>>>, StoreError>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        for _ in 0..ATTEMPTS {
            match self.found.try_get_with(key, self.read(&look_up)).await {
                // Looked at again here, since the look-up may have been another caller's and older than this call.
                Ok(found) if self.is_current(&found) => return Ok(Some(found)),
                Ok(_) => self.found.invalidate(&key).await,
                Err(missing) => match &*missing {
                    Missing::NotFound => {
                        self.unknown.insert(key, ()).await;
                        return Ok(None);
                    }
                    Missing::Failed(error) => return Err(error.clone()),
                },
            }
        }
        Err(StoreError::unavailable(
            "what was looked up changed faster than it could be read",
        ))
    }

    async fn read<F>(&self, look_up: &impl Fn() -> F) -> Result<Arc<Remembered<V>>, Missing>
    where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        let since = self.tracker.epoch();
        let value = look_up()
            .await
            .map_err(Missing::Failed)?
            .ok_or(Missing::NotFound)?;
        let watch = self.tracker.watch(value.entities(), since);
        Ok(Arc::new(Remembered::new(value, Some(watch))))
    }
}

impl<K, V, S> fmt::Debug for TrackedCache<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedCache")
            .field("tracker", &self.tracker)
            .finish_non_exhaustive()
    }
}
