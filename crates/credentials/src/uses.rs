//! When secrets were last used, noted without a write for each request.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use tigertrust_model::{LastUse, Timestamp};

use crate::{KeyDigest, ports::StoreError, ports::UseStore};

/// The longest `User-Agent` that is kept, in characters.
pub const MAX_USER_AGENT: usize = 200;
/// How many uses are stored in one transaction.
const BATCH: usize = 500;

/// The second in which a secret's use was last noted, and that use until it is stored. Whoever puts one where there was none has
/// the log know of it.
#[derive(Debug, Default)]
pub(crate) struct UseMark {
    second: AtomicI64,
    pending: Mutex<Option<LastUse>>,
}

impl UseMark {
    /// Whether this is the first use in its second.
    fn is_first_in(&self, now: Timestamp) -> bool {
        let second = now.unix_micros().div_euclid(1_000_000);
        let noted = self.second();
        second != noted
            && self
                .second
                .compare_exchange(noted, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The second in which the use was last noted, since 1970.
    pub(crate) fn second(&self) -> i64 {
        self.second.load(Ordering::Relaxed)
    }

    fn pending(&self) -> MutexGuard<'_, Option<LastUse>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has a mark within it. It is kept until its use is stored.
pub(crate) trait Marked {
    fn mark(&self) -> &UseMark;
}

/// Uses that are not stored yet: at most one for each secret, however often it is used. A crash loses what has been noted
/// and not flushed.
#[derive(Debug)]
pub(crate) struct UseLog<M>(Mutex<Waiting<M>>);

/// The secrets whose use waits to be stored; the use itself may change meanwhile.
#[derive(Debug)]
struct Waiting<M> {
    uses: HashMap<KeyDigest, Arc<M>>,
    /// What is in `uses`, by when it came in, so that each has its turn.
    turns: VecDeque<KeyDigest>,
}

/// A use that is being stored, and where it came from.
type Taken<M> = (KeyDigest, LastUse, Arc<M>);

impl<M: Marked> Waiting<M> {
    /// A secret that was looked up again waits once: its later use counts, and it keeps its turn.
    fn insert(&mut self, digest: KeyDigest, used: &Arc<M>) {
        match self.uses.insert(digest, Arc::clone(used)) {
            None => self.turns.push_back(digest),
            Some(earlier) if !Arc::ptr_eq(&earlier, used) => {
                let (earlier, mut pending) = (earlier.mark().pending().take(), used.mark().pending());
                if earlier.as_ref().map(|last_use| last_use.at) > pending.as_ref().map(|last_use| last_use.at)
                {
                    *pending = earlier;
                }
            }
            Some(_) => {}
        }
    }

    /// Takes back what could not be stored, unless there is something later.
    fn restore(&mut self, batch: Vec<Taken<M>>) {
        for (digest, last_use, used) in batch.into_iter().rev() {
            if let Entry::Vacant(place) = self.uses.entry(digest) {
                used.mark().pending().get_or_insert(last_use);
                place.insert(used);
                self.turns.push_front(digest);
            }
        }
    }

    fn take(&mut self, limit: usize) -> Vec<Taken<M>> {
        let count = limit.min(self.turns.len());
        let turns = self.turns.drain(..count);
        turns
            .filter_map(|digest| {
                let used = self.uses.remove(&digest)?;
                let last_use = used.mark().pending().take()?;
                Some((digest, last_use, used))
            })
            .collect()
    }
}

impl<M: Marked> UseLog<M> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Waiting {
            uses: HashMap::new(),
            turns: VecDeque::new(),
        }))
    }

    /// Notes a use, at most once a second for each secret.
    pub(crate) fn note(
        &self,
        digest: &KeyDigest,
        used: &Arc<M>,
        now: Timestamp,
        describe: impl FnOnce() -> LastUse,
    ) {
        let mark = used.mark();
        if mark.is_first_in(now) {
            let last_use = describe();
            let earlier = mark.pending().replace(last_use);
            if earlier.is_none() {
                self.waiting().insert(*digest, used);
            }
        }
    }

    /// Stores what has been noted so far, and keeps what could not be stored for the next time.
    pub(crate) async fn flush(&self, store: &dyn UseStore) -> Result<(), StoreError> {
        self.flush_some(store, usize::MAX).await
    }

    /// As [`flush`](Self::flush), for so many secrets at the most, those first that have waited longest. No more is taken
    /// out than is being stored, so that whoever stops waiting loses nothing.
    pub(crate) async fn flush_some(&self, store: &dyn UseStore, limit: usize) -> Result<(), StoreError> {
        let mut left = self.waiting().turns.len().min(limit);
        while left > 0 {
            let batch = self.waiting().take(BATCH.min(left));
            left = left.saturating_sub(BATCH);
            let uses = batch
                .iter()
                .map(|(digest, last_use, _)| (*digest, last_use.clone()));
            if let Err(error) = store.record_uses(uses.collect()).await {
                self.waiting().restore(batch);
                return Err(error);
            }
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn noted(&self) -> HashMap<KeyDigest, LastUse> {
        let waiting = self.waiting();
        let uses = waiting.uses.iter();
        uses.filter_map(|(digest, used)| Some((*digest, used.mark().pending().clone()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Marked for UseMark {
        fn mark(&self) -> &UseMark {
            self
        }
    }

    #[test]
    fn a_use_is_noted_once_a_second() {
        let (log, mark) = (UseLog::new(), Arc::new(UseMark::default()));
        let digest = KeyDigest::from_bytes([1; 32]);
        let mut noted = 0;
        for millis in [1_000, 1_400, 1_999, 2_000, 2_001, 5_000] {
            let now = Timestamp::from_unix_micros(millis * 1000);
            log.note(&digest, &mark, now, || {
                noted += 1;
                LastUse {
                    at: now,
                    address: None,
                    user_agent: None,
                }
            });
        }
        assert_eq!(noted, 3);
        assert_eq!(log.noted().len(), 1);
        assert_eq!(log.noted()[&digest].at, Timestamp::from_unix_micros(5_000_000));
    }

    struct Failing(Mutex<usize>);

    #[async_trait::async_trait]
    impl UseStore for Failing {
        async fn record_uses(&self, uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
            let mut allowed = self.0.lock().unwrap();
            *allowed = allowed
                .checked_sub(uses.len())
                .ok_or_else(|| StoreError::unavailable("down"))?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_cannot_be_stored_is_kept() {
        let log = UseLog::new();
        for number in 0..1200_u16 {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            let now = Timestamp::from_unix_micros(7_000_000);
            let last_use = || LastUse {
                at: now,
                address: None,
                user_agent: None,
            };
            log.note(
                &KeyDigest::from_bytes(bytes),
                &Arc::new(UseMark::default()),
                now,
                last_use,
            );
        }
        assert!(log.flush(&Failing(Mutex::new(600))).await.is_err());
        assert_eq!(log.noted().len(), 700);
        assert!(log.flush(&Failing(Mutex::new(700))).await.is_ok());
        assert_eq!(log.noted().len(), 0);
    }

    #[derive(Default)]
    struct Stored(Mutex<Vec<u8>>);

    #[async_trait::async_trait]
    impl UseStore for Stored {
        async fn record_uses(&self, uses: Vec<(KeyDigest, LastUse)>) -> Result<(), StoreError> {
            let numbers = uses.iter().map(|(digest, _)| digest.as_bytes()[0]);
            self.0.lock().unwrap().extend(numbers);
            Ok(())
        }
    }

    #[tokio::test]
    async fn each_has_its_turn_where_not_all_are_stored() {
        let (log, stored) = (UseLog::new(), Stored::default());
        for second in 1..=3 {
            let now = Timestamp::from_unix_micros(second * 1_000_000);
            for number in 0..10 {
                let last_use = || LastUse {
                    at: now,
                    address: None,
                    user_agent: None,
                };
                log.note(
                    &KeyDigest::from_bytes([number; 32]),
                    &Arc::new(UseMark::default()),
                    now,
                    last_use,
                );
            }
            log.flush_some(&stored, 4).await.unwrap();
        }
        assert_eq!(*stored.0.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        assert_eq!(log.noted().len(), 6);
        log.flush(&stored).await.unwrap();
        assert_eq!(log.noted().len(), 0);
    }
}
