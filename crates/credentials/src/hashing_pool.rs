//! Where Argon2 runs: a few threads of its own with a short queue, so that a flood of logins costs neither the
//! machine's memory nor the async threads' time.
//!
//! The threads are the pool's own, and not the blocking ones of a runtime: those are many (a hash takes 19 MiB on
//! each), shared with everything else that blocks, and another set in each of actix's workers.

use std::{fmt, io, num::NonZeroUsize, sync::Arc, thread};

use tigertrust_model::{Clock, RandomError, RandomSource};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::{
    HashingMemory, HistogramSnapshot, Password, PasswordHash, PasswordHasher,
    hashing_queue::{Job, Queue},
};

/// How large a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingSettings {
    /// How many hashes are computed at once. More than the machine has cores makes each of them slower.
    pub threads: NonZeroUsize,
    /// How many more may wait.
    pub queue: usize,
}

/// Why the pool gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// As many as may wait are waiting. Told at once; a later attempt may succeed.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// The random source gave nothing for the salt.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The pool's threads have ended.
    #[error("passwords are no longer checked: the server is stopping")]
    Stopped,
}

/// What the verification of a password found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password is the account's.
    pub matches: bool,
    /// The hash to store in place of the old one: the password matched, and the configured cost has risen since.
    pub rehash: Option<PasswordHash>,
}

/// Hashes and verifies passwords on threads of its own. When the last handle is dropped the threads end, after the hash
/// that each is at.
#[derive(Clone)]
pub struct HashingPool(Arc<Handle>);

struct Handle(Arc<Queue>);

impl HashingPool {
    /// Starts the threads.
    ///
    /// # Errors
    /// What the operating system says when it gives no more threads.
    pub fn start(
        settings: HashingSettings,
        hasher: PasswordHasher,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue.saturating_add(settings.threads.get())));
        // Made first, so that the threads that did start end if one does not.
        let pool = Self(Arc::new(Handle(Arc::clone(&queue))));
        for number in 1..=settings.threads.get() {
            let (queue, hasher) = (Arc::clone(&queue), hasher.clone());
            let (clock, random) = (Arc::clone(&clock), Arc::clone(&random));
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || {
                    let mut memory = HashingMemory::default();
                    let next = |memory: &mut HashingMemory| {
                        queue.try_next().or_else(|| {
                            // Nothing is kept while nobody waits.
                            memory.release();
                            queue.next()
                        })
                    };
                    while let Some(job) = next(&mut memory) {
                        let began = clock.monotonic();
                        job.run(&hasher, &mut memory, &*random, || {
                            queue.finished(clock.monotonic().saturating_sub(began));
                        });
                    }
                })?;
        }
        Ok(pool)
    }

    /// Hashes a password under a fresh salt.
    ///
    /// # Errors
    /// [`HashingError`].
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError> {
        let (answer, answered) = oneshot::channel();
        self.0.0.push(Job::Hash { password, answer })?;
        let answered = answered.instrument(tracing::debug_span!("hash password"));
        Ok(answered.await.map_err(|_| HashingError::Stopped)??)
    }

    /// Verifies a password against an account's hash. Without one (the account does not exist, or has no password) the
    /// work is the same, and the answer no. If the caller goes away first, nothing is computed.
    ///
    /// # Errors
    /// [`HashingError`].
    pub async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<Verified, HashingError> {
        let (answer, answered) = oneshot::channel();
        self.0.0.push(Job::Verify {
            password,
            hash,
            answer,
        })?;
        let answered = answered.instrument(tracing::debug_span!("verify password"));
        Ok(answered.await.map_err(|_| HashingError::Stopped)??)
    }

    /// What the pool has to do, to be read at any time. It does not keep the threads alive.
    #[must_use]
    pub fn load(&self) -> HashingLoad {
        HashingLoad(Arc::clone(&self.0.0))
    }
}

/// What a [`HashingPool`] has to do.
#[derive(Clone)]
pub struct HashingLoad(Arc<Queue>);

impl HashingLoad {
    /// How many passwords are being hashed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.running()
    }

    /// How many passwords are waiting for a thread, those whose callers went away included.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.waiting()
    }

    /// How many have been refused since too many waited.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// How long each took that is done, without the wait before it.
    #[must_use]
    pub fn times(&self) -> HistogramSnapshot {
        self.0.times()
    }
}

impl fmt::Debug for HashingLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingLoad")
            .field("running", &self.running())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HashingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingPool").field("load", &self.load()).finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::{Mutex, mpsc},
        task::{Context, Waker},
    };

    use super::*;
    use crate::{OsRandom, PasswordCost, SystemClock};

    /// A random source that tells when it is asked, and answers when it may.
    struct Gate {
        asked: mpsc::Sender<()>,
        may_answer: Mutex<mpsc::Receiver<()>>,
    }

    impl RandomSource for Gate {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            self.asked.send(()).unwrap();
            self.may_answer.lock().unwrap().recv().map_err(|_| RandomError)?;
            OsRandom.fill(bytes)
        }
    }

    fn pool(threads: usize, queue: usize, random: Arc<dyn RandomSource>) -> HashingPool {
        let settings = HashingSettings {
            threads: NonZeroUsize::new(threads).unwrap(),
            queue,
        };
        HashingPool::start(
            settings,
            PasswordHasher::new(),
            Arc::new(SystemClock::default()),
            random,
        )
        .unwrap()
    }

    fn gated(queue: usize) -> (HashingPool, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (asked, was_asked) = mpsc::channel();
        let (let_answer, may_answer) = mpsc::channel();
        let gate = Gate {
            asked,
            may_answer: Mutex::new(may_answer),
        };
        (pool(1, queue, Arc::new(gate)), was_asked, let_answer)
    }

    fn password() -> Password {
        Password::presented("correct horse battery staple")
    }

    /// Starts what the future does, and nothing more.
    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_hash_made_in_the_pool_is_verified_in_it() {
        let pool = pool(2, 2, Arc::new(OsRandom));
        let hash = pool.hash(password()).await.unwrap();
        let verified = pool.verify(password(), Some(hash.clone())).await.unwrap();
        assert_eq!(
            verified,
            Verified {
                matches: true,
                rehash: None
            }
        );
        let other = Password::presented("another password");
        assert!(!pool.verify(other, Some(hash)).await.unwrap().matches);
        assert!(!pool.verify(password(), None).await.unwrap().matches);
        assert_eq!(pool.load().times().count(), 4);
    }

    #[tokio::test]
    async fn a_cheap_hash_is_renewed_only_for_who_knows_the_password() {
        let dear = PasswordCost {
            passes: 3,
            ..PasswordCost::MIN
        };
        let settings = HashingSettings {
            threads: NonZeroUsize::MIN,
            queue: 0,
        };
        let hasher = PasswordHasher::with_cost(dear).unwrap();
        let pool = HashingPool::start(
            settings,
            hasher.clone(),
            Arc::new(SystemClock::default()),
            Arc::new(OsRandom),
        )
        .unwrap();
        let cheap = PasswordHasher::new().hash(&password(), &OsRandom).unwrap();
        let wrong = Password::presented("another password");
        assert_eq!(
            pool.verify(wrong, Some(cheap.clone())).await.unwrap().rehash,
            None
        );
        let renewed = pool
            .verify(password(), Some(cheap))
            .await
            .unwrap()
            .rehash
            .unwrap();
        let mut memory = HashingMemory::default();
        assert!(hasher.verify(&password(), &renewed, &mut memory) && !hasher.needs_rehash(&renewed));
    }

    #[test]
    fn beyond_the_queue_a_caller_is_refused_at_once() {
        let (pool, was_asked, _let_answer) = gated(1);
        let mut running = pin!(pool.hash(password()));
        assert!(poll(running.as_mut()).is_none());
        was_asked.recv().unwrap();
        let mut waiting = pin!(pool.hash(password()));
        assert!(poll(waiting.as_mut()).is_none());
        let load = pool.load();
        assert_eq!((load.running(), load.queued(), load.refused()), (1, 1, 0));
        let refused = poll(pin!(pool.verify(password(), None)));
        assert_eq!(refused, Some(Err(HashingError::Overloaded)));
        assert_eq!(load.refused(), 1);
    }

    #[test]
    fn a_caller_who_went_away_leaves_room_and_costs_nothing() {
        let (pool, was_asked, let_answer) = gated(1);
        let mut running = Box::pin(pool.hash(password()));
        assert!(poll(running.as_mut()).is_none());
        was_asked.recv().unwrap();
        let mut dropped = Box::pin(pool.hash(password()));
        assert!(poll(dropped.as_mut()).is_none());
        drop(dropped);
        let mut waiting = Box::pin(pool.hash(password()));
        assert!(poll(waiting.as_mut()).is_none());
        assert_eq!(pool.load().queued(), 1);
        let_answer.send(()).unwrap();
        // The one that waits is next, and not the one whose caller is gone.
        was_asked.recv().unwrap();
        drop(waiting);
        let_answer.send(()).unwrap();
        drop(running);
        drop(pool);
        // The thread has ended, and asked nothing more.
        assert!(was_asked.recv().is_err());
    }

    #[test]
    fn whoever_still_waits_when_the_pool_ends_is_told() {
        let (pool, was_asked, _let_answer) = gated(1);
        let queue = Arc::clone(&pool.0.0);
        let mut running = Box::pin(pool.hash(password()));
        assert!(poll(running.as_mut()).is_none());
        was_asked.recv().unwrap();
        let (answer, mut answered) = oneshot::channel();
        let job = Job::Hash {
            password: password(),
            answer,
        };
        queue.push(job).unwrap();
        drop(running);
        drop(pool);
        assert!(matches!(
            answered.try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        ));
    }

    #[tokio::test]
    async fn without_randomness_there_is_an_error_and_not_a_hash() {
        let (asked, _was_asked) = mpsc::channel();
        let (_, may_answer) = mpsc::channel();
        let gate = Gate {
            asked,
            may_answer: Mutex::new(may_answer),
        };
        let pool = pool(1, 0, Arc::new(gate));
        assert_eq!(
            pool.hash(password()).await,
            Err(HashingError::Random(RandomError))
        );
    }
}
