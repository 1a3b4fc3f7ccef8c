//! Secrets that are replaced while they are in use: whoever holds the ring uses the new ones from then on.

use std::{fmt, ops::Deref, sync::Arc};

use arc_swap::{ArcSwap, Guard};

/// The secret for what is new, and the others for what is there.
pub(crate) struct Secrets<T> {
    current: T,
    others: Vec<T>,
}

impl<T> Secrets<T> {
    /// All of them, the current one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

/// A handle to the secrets. Its clones share them.
pub(crate) struct LiveRing<T>(Arc<ArcSwap<Secrets<T>>>);

impl<T> LiveRing<T> {
    /// Secrets of which the first is the current one; none of no secrets.
    pub(crate) fn new(secrets: Vec<T>) -> Option<Self> {
        let mut secrets = secrets.into_iter();
        let secrets = Secrets {
            current: secrets.next()?,
            others: secrets.collect(),
        };
        Some(Self(Arc::new(ArcSwap::from_pointee(secrets))))
    }

    /// The secrets of this moment.
    pub(crate) fn load(&self) -> Guard<Arc<Secrets<T>>> {
        self.0.load()
    }

    /// The current secret of this moment.
    pub(crate) fn current(&self) -> Current<T> {
        Current(self.0.load())
    }

    /// Takes the secrets of another ring in place of its own.
    pub(crate) fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }
}

impl<T: Clone> LiveRing<T> {
    /// As [`replace`](Self::replace), but keeps some of its own, behind the others.
    pub(crate) fn replace_but_keep(&self, other: &Self, is_kept: impl Fn(&T) -> bool) {
        let (own, new) = (self.load(), other.load());
        let kept = own.all().filter(|secret| is_kept(secret));
        self.0.store(Arc::new(Secrets {
            current: new.current.clone(),
            others: new.others.iter().chain(kept).cloned().collect(),
        }));
    }

    /// Makes the first secret that is wanted the current one.
    pub(crate) fn prefer(&self, is_wanted: impl Fn(&T) -> bool) {
        let secrets = self.load();
        let Some(at) = secrets.all().position(is_wanted) else {
            return;
        };
        let mut all: Vec<T> = secrets.all().cloned().collect();
        let current = all.remove(at);
        self.0.store(Arc::new(Secrets { current, others: all }));
    }
}

impl<T> Clone for LiveRing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for LiveRing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.load().all()).finish()
    }
}

/// The current secret of a ring, as it was when it was asked for.
pub struct Current<T>(Guard<Arc<Secrets<T>>>);

impl<T> Deref for Current<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.current
    }
}

impl<T: fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
