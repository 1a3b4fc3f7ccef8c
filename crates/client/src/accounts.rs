//! What is remembered of questions.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tigertrust_model::{Clock, Entity, Timestamp};

use crate::{
    ValidVerdict,
    changes::{Changes, Mark},
    lock::lock,
    lru::Lru,
    question::Digest,
};

/// Into so many parts what is remembered is divided, each with a lock of its own.
const PARTS: usize = 16;
/// From so many questions on: of fewer it would matter which part one falls into.
const DIVIDED_FROM: usize = 4_096;

/// A verdict, and for how long it may be used. Times are those of the monotonic clock, but for `expires_at`.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) verdict: Arc<ValidVerdict>,
    pub(crate) depends_on: Vec<Entity>,
    /// The latest moment at which nothing had changed since it was asked for.
    pub(crate) mark: Mark,
    pub(crate) good_until: Duration,
    pub(crate) expires_at: Option<Timestamp>,
}

/// What is known of a question.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Uses that the server has counted and that were not served yet. They outlive the verdict.
    pub(crate) in_hand: u32,
    pub(crate) kept: Option<Kept>,
}

impl Account {
    /// Takes one use of the verdict, if it may be used.
    fn take(&mut self, changes: &Changes, clock: &dyn Clock, now: Duration) -> Option<Arc<ValidVerdict>> {
        let kept = self.kept.as_mut()?;
        if self.in_hand == 0 || now >= kept.good_until {
            return None;
        }
        if kept
            .expires_at
            .is_some_and(|expires_at| clock.now() >= expires_at)
        {
            return None;
        }
        let mark = changes.mark();
        if changes.may_have_changed(&kept.depends_on, kept.mark) {
            return None;
        }
        // What has come in until then need not be looked at again.
        kept.mark = mark;
        self.in_hand -= 1;
        Some(Arc::clone(&kept.verdict))
    }
}

/// The questions that were used last.
#[derive(Debug)]
pub(crate) struct Accounts(Box<[Mutex<Lru<Digest, Account>>]>);

impl Accounts {
    /// Room for so many questions, or a few more.
    pub(crate) fn new(most: usize) -> Self {
        let parts = if most < DIVIDED_FROM { 1 } else { PARTS };
        let part = || Mutex::new(Lru::new(most.div_ceil(parts)));
        Self((0..parts).map(|_| part()).collect())
    }

    /// Takes one use of a remembered verdict, if there is one that may be used.
    pub(crate) fn take(
        &self,
        digest: &Digest,
        changes: &Changes,
        clock: &dyn Clock,
        now: Duration,
    ) -> Option<Arc<ValidVerdict>> {
        lock(self.part(digest)?)
            .get_mut(digest)?
            .take(changes, clock, now)
    }

    /// Takes all that is known of a question out, to be asked about anew.
    pub(crate) fn remove(&self, digest: &Digest) -> Account {
        let account = self.part(digest).and_then(|part| lock(part).remove(digest));
        account.unwrap_or_default()
    }

    /// Keeps what is known of a question.
    pub(crate) fn insert(&self, digest: Digest, account: Account) {
        if let Some(part) = self.part(&digest) {
            lock(part).insert(digest, account);
        }
    }

    fn part(&self, digest: &Digest) -> Option<&Mutex<Lru<Digest, Account>>> {
        let [first, ..] = digest;
        self.0.get(usize::from(*first) % self.0.len().max(1))
    }
}
