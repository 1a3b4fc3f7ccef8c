//! When secrets were last used, noted without a write for each request.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use tigertrust_model::{LastUse, Timestamp};

use crate::{KeyDigest, ports::StoreError, ports::UseStore};

/// The longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 200;
/// How many uses are stored in one transaction.
const BATCH: usize = 500;

/// The second in which a secret's use was last noted. It is beside the facts that it stands with: a copy of them is equal
/// whatever its mark says.
#[derive(Debug, Default)]
pub struct UseMark(AtomicI64);

impl UseMark {
    /// Whether this is the first use in its second.
    fn is_first_in(&self, now: Timestamp) -> bool {
        let second = now.unix_micros().div_euclid(1_000_000);
        let noted = self.0.load(Ordering::Relaxed);
        second != noted
            && self
                .0
                .compare_exchange(noted, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl Clone for UseMark {
    fn clone(&self) -> Self {
        Self(AtomicI64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl PartialEq for UseMark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for UseMark {}

/// Uses that are not stored yet: at most one for each secret, however often it is used. A crash loses what has been noted
/// since the last flush.
#[derive(Debug, Default)]
pub(crate) struct UseLog(Mutex<HashMap<KeyDigest, LastUse>>);

impl UseLog {
    /// Notes a use, at most once a second for each secret.
    pub(crate) fn note(
        &self,
        digest: KeyDigest,
        mark: &UseMark,
        now: Timestamp,
        describe: impl FnOnce() -> LastUse,
    ) {
        if mark.is_first_in(now) {
            self.noted().insert(digest, describe());
        }
    }

    /// Stores what has been noted, and keeps what could not be stored for the next time.
    pub(crate) async fn flush(&self, store: &dyn UseStore) -> Result<(), StoreError> {
        // In order, so that two nodes that store the same secrets do not wait for each other.
        let mut uses: Vec<(KeyDigest, LastUse)> = mem::take(&mut *self.noted()).into_iter().collect();
        uses.sort_unstable_by(|(left, _), (right, _)| left.as_bytes().cmp(right.as_bytes()));
        let mut done = Ok(());
        for batch in uses.chunks(BATCH) {
            if done.is_ok() {
                done = store.record_uses(batch.to_vec()).await;
            }
            if done.is_err() {
                let mut noted = self.noted();
                for (digest, last_use) in batch {
                    noted.entry(*digest).or_insert_with(|| last_use.clone());
                }
            }
        }
        done
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<KeyDigest, LastUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `User-Agent` as it may be shown: no control characters, of bounded length.
pub(crate) fn user_agent(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_USER_AGENT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once_a_second() {
        let (log, mark) = (UseLog::default(), UseMark::default());
        let digest = KeyDigest::from_bytes([1; 32]);
        let mut noted = 0;
        for millis in [1_000, 1_400, 1_999, 2_000, 2_001, 5_000] {
            let now = Timestamp::from_unix_micros(millis * 1000);
            log.note(digest, &mark, now, || {
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

    #[test]
    fn a_user_agent_cannot_forge_a_line() {
        assert_eq!(user_agent(b"curl/8\r\n\x1b[31m \xff"), "curl/8[31m \u{fffd}");
        assert_eq!(user_agent(&[b'x'; 5000]).len(), MAX_USER_AGENT);
    }
}
