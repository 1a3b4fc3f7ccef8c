//! The queue before the threads that hash passwords.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tigertrust_model::{RandomError, RandomSource};
use tokio::sync::oneshot;

use crate::{
    HashingError, HashingMemory, Histogram, HistogramSnapshot, Password, PasswordHash, PasswordHasher,
    Verified,
};

/// One password to hash or verify, and where the answer goes.
pub(crate) enum Job {
    Hash {
        password: Password,
        answer: oneshot::Sender<Result<PasswordHash, RandomError>>,
    },
    Verify {
        password: Password,
        hash: Option<PasswordHash>,
        answer: oneshot::Sender<Result<Verified, RandomError>>,
    },
}

impl Job {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Hash { answer, .. } => !answer.is_closed(),
            Self::Verify { answer, .. } => !answer.is_closed(),
        }
    }

    /// Tells that it has finished before it answers: whoever has the answer also finds room for the next password.
    pub(crate) fn run(
        self,
        hasher: &PasswordHasher,
        memory: &mut HashingMemory,
        random: &dyn RandomSource,
        finished: impl FnOnce(),
    ) {
        match self {
            Self::Hash { password, answer } => {
                let result = hasher.hash(&password, random);
                finished();
                // An answer that nobody waits for any more is dropped.
                drop(answer.send(result));
            }
            Self::Verify {
                password,
                hash,
                answer,
            } => {
                let result = verify(hasher, memory, &password, hash.as_ref(), random);
                finished();
                drop(answer.send(result));
            }
        }
    }
}

fn verify(
    hasher: &PasswordHasher,
    memory: &mut HashingMemory,
    password: &Password,
    hash: Option<&PasswordHash>,
    random: &dyn RandomSource,
) -> Result<Verified, RandomError> {
    let Some(hash) = hash else {
        let matches = hasher.refuse(password, memory);
        return Ok(Verified {
            matches,
            rehash: None,
        });
    };
    let matches = hasher.verify(password, hash, memory);
    let rehash = (matches && hasher.needs_rehash(hash))
        .then(|| hasher.hash(password, random))
        .transpose()?;
    Ok(Verified { matches, rehash })
}

/// What waits for a thread. A job whose caller went away is passed over, and makes room for another.
pub(crate) struct Queue {
    /// How many may be running or waiting, all told.
    limit: usize,
    state: Mutex<State>,
    wake: Condvar,
    times: Histogram,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    refused: u64,
    stopped: bool,
}

impl State {
    fn count(&self) -> usize {
        self.jobs.len() + self.running
    }

    fn take(&mut self) -> Option<Job> {
        while let Some(job) = self.jobs.pop_front() {
            if job.is_wanted() {
                self.running += 1;
                return Some(job);
            }
        }
        None
    }
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            wake: Condvar::new(),
            times: Histogram::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), HashingError> {
        let mut state = self.lock();
        if state.count() >= self.limit {
            state.jobs.retain(Job::is_wanted);
        }
        if state.count() >= self.limit {
            state.refused += 1;
            return Err(HashingError::Overloaded);
        }
        state.jobs.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    pub(crate) fn finished(&self, took: Duration) {
        self.times.observe(took);
        self.lock().running -= 1;
    }

    pub(crate) fn times(&self) -> HistogramSnapshot {
        self.times.snapshot()
    }

    pub(crate) fn running(&self) -> usize {
        self.lock().running
    }

    /// How many were refused, all told.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// How many wait, those included that nobody wants any more.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Drops what waits, and lets the threads end.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.jobs.clear();
        drop(state);
        self.wake.notify_all();
    }

    /// The next job that somebody still waits for, if there is one.
    pub(crate) fn try_next(&self) -> Option<Job> {
        self.lock().take()
    }

    /// The next job that somebody still waits for; `None` when the pool is gone.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            match state.take() {
                Some(job) => return Some(job),
                None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
