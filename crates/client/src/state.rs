//! Where a client stands, and whether what it remembers may be used.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_model::Clock;

use crate::{lock::lock, settings::Listeners};

/// Where a client stands with the feed of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Nothing was asked yet, or nothing is to be remembered.
    Idle,
    /// There is no feed: it is being opened, has ended, was refused, or was silent for longer than the staleness bound.
    Connecting,
    /// The feed has begun, and tells what was missed.
    CatchingUp,
    /// All changes are known: remembered verdicts are used.
    Following,
    /// The client was closed.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::CatchingUp => "catching up",
            Self::Following => "following",
            Self::Closed => "closed",
        })
    }
}

/// What the feed says of itself, for whoever decides on a verdict.
pub(crate) struct Status {
    clock: Arc<dyn Clock>,
    listeners: Listeners,
    staleness: Duration,
    position: Mutex<(State, String)>,
    is_following: AtomicBool,
    /// When the last line was read, in nanoseconds of the monotonic clock.
    heard_at: AtomicU64,
    /// From when on nothing can be remembered that another server, a moment behind, knew no better.
    follows_from: AtomicU64,
    is_running: AtomicBool,
}

impl Status {
    pub(crate) fn new(clock: Arc<dyn Clock>, staleness: Duration, listeners: Listeners) -> Self {
        Self {
            clock,
            listeners,
            staleness,
            position: Mutex::new((State::Idle, String::new())),
            is_following: AtomicBool::new(false),
            heard_at: AtomicU64::new(0),
            follows_from: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> State {
        let state = lock(&self.position).0;
        let now = self.clock.monotonic();
        if state != State::Following || self.is_fresh(now) {
            return state;
        }
        if nanos(now) < self.follows_from.load(Ordering::Acquire) {
            State::CatchingUp
        } else {
            State::Connecting
        }
    }

    /// Whether all changes are known, up to the staleness bound.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.is_following.load(Ordering::Acquire)
            && self.was_heard(now)
            && nanos(now) >= self.follows_from.load(Ordering::Acquire)
    }

    /// Whether the feed has not been silent for longer than the bound.
    pub(crate) fn was_heard(&self, now: Duration) -> bool {
        self.silence(now) <= self.staleness
    }

    /// For how long nothing was read.
    pub(crate) fn silence(&self, now: Duration) -> Duration {
        let heard_at = self.heard_at.load(Ordering::Acquire);
        Duration::from_nanos(nanos(now).saturating_sub(heard_at))
    }

    /// A line was read.
    pub(crate) fn hear(&self, now: Duration) {
        self.heard_at.store(nanos(now), Ordering::Release);
    }

    /// The feed has begun anew.
    pub(crate) fn follow_from(&self, time: Duration) {
        self.follows_from.store(nanos(time), Ordering::Release);
    }

    pub(crate) fn become_state(&self, state: State, why: &str) {
        {
            let mut position = lock(&self.position);
            if position.0 == State::Closed || (position.0 == state && position.1 == why) {
                return;
            }
            *position = (state, why.to_owned());
            self.is_following
                .store(state == State::Following, Ordering::Release);
        }
        self.listeners.tell_state(state, why);
    }

    /// Whether somebody follows the feed.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
    }

    /// Whether nobody followed it until now: whoever is told so has to.
    pub(crate) fn begin_run(&self) -> bool {
        !self.is_running.swap(true, Ordering::AcqRel)
    }

    /// Nobody follows it any more.
    pub(crate) fn end_run(&self) {
        self.become_state(State::Connecting, "nobody follows the feed");
        self.is_running.store(false, Ordering::Release);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
