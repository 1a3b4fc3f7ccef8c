//! The decision: a pure function of what was spent, the time, the quotas and the cost.

use std::time::Duration;

use tigertrust_model::Timestamp;

use crate::{
    Quota, Quotas,
    window::{Reading, Window, counts_for},
};

/// What a subject has spent, as far as it counts: about 80 bytes, and 4 for each sixtieth of a window in which something was
/// spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) minute: Window,
    pub(crate) hour: Window,
}

impl State {
    /// Whether nothing counts any more at that time, so that the state says no more than a new one.
    #[must_use]
    pub fn is_empty_at(&self, now: Timestamp) -> bool {
        let is_over = |window: &Window| window.is_over_at(now);
        is_over(&self.minute) && is_over(&self.hour)
    }

    /// Forgets what does not count any more.
    pub(crate) fn advance(&mut self, now: Timestamp, quotas: &Quotas) {
        self.minute.advance(quotas.minute, now);
        if let Some(hour) = quotas.hour {
            self.hour.advance(hour, now);
        }
    }

    /// Spends without asking, at the time that was advanced to.
    pub(crate) fn spend(&mut self, quotas: &Quotas, cost: u32) {
        self.minute.spend(cost);
        if quotas.hour.is_some() {
            self.hour.spend(cost);
        }
    }

    /// Of each window, keeps the one in which more counts at that time.
    pub(crate) fn take_over(&mut self, other: Self, now: Timestamp) {
        for (own, mut other) in [(&mut self.minute, other.minute), (&mut self.hour, other.hour)] {
            own.expire_at(now);
            other.expire_at(now);
            if own.total() < other.total() {
                *own = other;
            }
        }
    }

    /// Bytes that the state takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        size_of::<Self>() + self.minute.heap() + self.hour.heap()
    }
}

/// Decides whether a call that costs so much is admitted, and spends it if so.
///
/// A window is a sixtieth at a time: what is spent counts for more than 59 and at most 60 sixtieths of it. So
/// - no span of 59 sixtieths of a window admits more than the limit, whatever the pattern of arrivals;
/// - who paces himself evenly at the limit is never refused;
/// - a refused call spends nothing, in no window;
/// - a cost of 0 is a question only.
///
/// Time that goes backwards counts as the latest that the state has seen. Where the quotas are others than before, what was spent
/// counts against them.
pub fn decide(state: &mut State, now: Timestamp, quotas: &Quotas, cost: u32) -> Decision {
    state.advance(now, quotas);
    let has_room = state.minute.has_room(quotas.minute, cost)
        && quotas.hour.is_none_or(|hour| state.hour.has_room(hour, cost));
    if has_room {
        state.spend(quotas, cost);
    }
    // Nobody waits for room for what was admitted.
    let asked = if has_room { 0 } else { cost };
    let minute = (quotas.minute, state.minute.read(quotas.minute, asked));
    let hour = quotas.hour.map(|hour| (hour, state.hour.read(hour, asked)));
    Decision::new(has_room, now, minute, hour, asked)
}

/// What became of a call, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether there was room for the cost in every window. Where not, nothing was spent.
    pub admitted: bool,
    /// The short window after the call.
    pub minute: Standing,
    /// The long window after the call.
    pub hour: Option<Standing>,
}

impl Decision {
    pub(crate) fn new(
        admitted: bool,
        now: Timestamp,
        minute: (Quota, Reading),
        hour: Option<(Quota, Reading)>,
        asked: u32,
    ) -> Self {
        let standing = |(quota, reading)| Standing::new(quota, now, reading, asked);
        Self {
            admitted,
            minute: standing(minute),
            hour: hour.map(standing),
        }
    }

    /// The windows with what clients call them, the short one first.
    pub fn windows(&self) -> impl Iterator<Item = (&'static str, &Standing)> {
        std::iter::once(("minute", &self.minute)).chain(self.hour.as_ref().map(|hour| ("hour", hour)))
    }

    /// The window with the least left; on a tie the longer one.
    #[must_use]
    pub fn tightest(&self) -> &Standing {
        match &self.hour {
            Some(hour)
                if (hour.remaining, self.minute.quota.window())
                    <= (self.minute.remaining, hour.quota.window()) =>
            {
                hour
            }
            _ => &self.minute,
        }
    }

    /// How long to wait until the refused call would be admitted by every window, if nothing else is spent meanwhile. `None`
    /// for a call that was admitted, and for one that costs more than a window ever has.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if self.admitted || self.windows().any(|(_, standing)| standing.room == Room::Never) {
            return None;
        }
        let waits = self.windows().filter_map(|(_, standing)| match standing.room {
            Room::In(micros) => Some(Duration::from_micros(micros)),
            Room::Now | Room::Never => None,
        });
        waits.max()
    }
}

/// How a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit and the window.
    pub quota: Quota,
    /// How much may be spent at once.
    pub remaining: u32,
    /// In microseconds.
    more_in: u64,
    /// In microseconds.
    whole_in: u64,
    room: Room,
}

/// When there is room for a refused call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Now,
    /// In so many microseconds.
    In(u64),
    Never,
}

impl Standing {
    fn new(quota: Quota, now: Timestamp, reading: Reading, cost: u32) -> Self {
        let wait = |bucket| counts_for(quota.window_millis(), bucket, now);
        let room = match reading.room_after {
            Some(bucket) => Room::In(wait(bucket)),
            None if cost > quota.limit() => Room::Never,
            None => Room::Now,
        };
        let (more_in, whole_in) = reading
            .ends
            .map_or((0, 0), |(first, last)| (wait(first), wait(last)));
        Self {
            quota,
            remaining: quota.limit().saturating_sub(reading.total),
            more_in,
            whole_in,
            room,
        }
    }

    /// How long until something of what was spent counts no more; nothing where nothing counts.
    #[must_use]
    pub const fn more_in(&self) -> Duration {
        Duration::from_micros(self.more_in)
    }

    /// How long until the quota is whole again, if nothing more is spent.
    #[must_use]
    pub const fn whole_in(&self) -> Duration {
        Duration::from_micros(self.whole_in)
    }

    /// Whether the window had no room for the call.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.room != Room::Now
    }
}
