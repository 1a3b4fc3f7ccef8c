//! What was spent within one sliding window, in sixtieths of it.

use tigertrust_model::Timestamp;

use crate::{Quota, runs::Runs};

/// Into how many buckets a window is divided.
pub(crate) const BUCKETS: u64 = 60;
/// A run keeps its bucket modulo 64 in the upper bits and its count in the lower ones.
const INDEX_BITS: u32 = 6;
const COUNT_BITS: u32 = 32 - INDEX_BITS;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
const COUNT_MASK: u32 = (1 << COUNT_BITS) - 1;

/// What was spent, bucket by bucket; only those in which something was are kept, in 4 bytes each. A spend counts until the
/// sixtieth bucket after its own begins: for more than 59 and at most 60 sixtieths of the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The latest bucket that was looked at.
    newest: u64,
    runs: Runs,
    total: u32,
    /// In milliseconds; buckets of another length have other numbers.
    length: u32,
}

/// What a decision has to know of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How much counts.
    pub(crate) total: u32,
    /// The buckets of the first and of the last spend that counts.
    pub(crate) ends: Option<(u64, u64)>,
    /// The bucket in which the spend counts last after whose end there is room for what is asked; `None` where there is room
    /// now, or never.
    pub(crate) room_after: Option<u64>,
}

impl Window {
    /// Forgets what does not count any more, and takes account of another length of the window.
    pub(crate) fn advance(&mut self, quota: Quota, now: Timestamp) {
        if self.length == quota.window_millis() {
            self.expire(bucket_at(quota.window_millis(), now));
            return;
        }
        if self.total > 0 {
            self.expire(bucket_at(self.length, now));
        }
        // What counts in the earlier window counts in the new one, as if it were spent now.
        self.newest = bucket_at(quota.window_millis(), now);
        self.length = quota.window_millis();
        let total = self.total;
        self.clear();
        self.spend(total);
    }

    /// Time that goes backwards counts as the latest known.
    fn expire(&mut self, bucket: u64) {
        let passed = bucket.saturating_sub(self.newest);
        if passed >= BUCKETS {
            self.clear();
        } else if passed > 0 {
            let newest = self.newest;
            let is_over = |run| age(newest, run) + passed >= BUCKETS;
            let total = &mut self.total;
            self.runs
                .drop_while(is_over, |run| *total = total.saturating_sub(count(run)));
        }
        self.newest += passed;
    }

    fn clear(&mut self) {
        self.runs.clear();
        self.total = 0;
    }

    /// Whether there is room for `cost` within the limit.
    pub(crate) fn has_room(&self, quota: Quota, cost: u32) -> bool {
        self.total
            .checked_add(cost)
            .is_some_and(|total| total <= quota.limit())
    }

    /// Counts `cost` in the bucket that was advanced to.
    pub(crate) fn spend(&mut self, cost: u32) {
        if cost == 0 {
            return;
        }
        let newest = self.newest;
        let last = self.runs.last_mut().filter(|run| age(newest, **run) == 0);
        // No more than a bucket holds, so that the total is always what the buckets hold together.
        let present = last.as_ref().map_or(0, |run| count(**run));
        let fits = cost.min(COUNT_MASK.saturating_sub(present));
        match last {
            Some(run) => *run = pack(newest, present.saturating_add(fits)),
            None => self.runs.push(pack(newest, fits)),
        }
        self.total = self.total.saturating_add(fits);
    }

    pub(crate) fn read(&self, quota: Quota, cost: u32) -> Reading {
        let bucket_of = |run| self.bucket_of(run);
        Reading {
            total: self.total,
            ends: self
                .runs
                .first()
                .map(bucket_of)
                .zip(self.runs.last().map(bucket_of)),
            room_after: self.room_after(quota, cost).map(bucket_of),
        }
    }

    const fn bucket_of(&self, run: u32) -> u64 {
        self.newest.saturating_sub(age(self.newest, run))
    }

    /// The last run that has to go before there is room for `cost`.
    fn room_after(&self, quota: Quota, cost: u32) -> Option<u32> {
        let room = quota.limit().checked_sub(cost)?;
        let mut excess = self.total.checked_sub(room).filter(|excess| *excess > 0)?;
        self.runs.iter().find(|run| {
            excess = excess.saturating_sub(count(*run));
            excess == 0
        })
    }

    const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether nothing counts any more.
    pub(crate) fn is_over_at(&self, now: Timestamp) -> bool {
        let counts = |run| counts_for(self.length, self.bucket_of(run), now) > 0;
        !self.runs.last().is_some_and(counts)
    }

    /// Forgets what does not count any more, whatever quota will be asked.
    pub(crate) fn expire_at(&mut self, now: Timestamp) {
        if self.length > 0 {
            self.expire(bucket_at(self.length, now));
        }
    }

    /// Whether everything was spent at that time or before.
    pub(crate) fn is_before(&self, now: Timestamp) -> bool {
        self.is_empty() || self.newest <= bucket_at(self.length, now)
    }

    /// The length of the window in milliseconds, and what counts: bucket and count, oldest first.
    pub(crate) fn spends(&self) -> (u32, impl Iterator<Item = (u64, u32)>) {
        let spends = self.runs.iter().map(|run| (self.bucket_of(run), count(run)));
        (self.length, spends)
    }

    /// The opposite of [`spends`](Self::spends); `None` for what no window can hold.
    pub(crate) fn of_spends(length: u32, spends: &[(u64, u32)]) -> Option<Self> {
        let newest = spends.last().map_or(0, |(bucket, _)| *bucket);
        let mut window = Self {
            length,
            ..Self::default()
        };
        for (bucket, spent) in spends {
            let is_later = window.is_empty() || *bucket > window.newest;
            let fits = newest.checked_sub(*bucket).is_some_and(|age| age < BUCKETS)
                && (1..=COUNT_MASK).contains(spent);
            if !is_later || !fits {
                return None;
            }
            window.newest = *bucket;
            window.runs.push(pack(*bucket, *spent));
            window.total = window.total.checked_add(*spent)?;
        }
        Some(window)
    }

    pub(crate) const fn total(&self) -> u32 {
        self.total
    }

    /// Bytes on the heap.
    pub(crate) const fn heap(&self) -> usize {
        self.runs.heap()
    }
}

/// The number of the bucket that a time is in, of a window of that many milliseconds.
fn bucket_at(length: u32, time: Timestamp) -> u64 {
    // The end of the year 9999 in microseconds, times 60, is below 2^64.
    let length = u64::from(length.max(1)) * 1000;
    micros(time).saturating_mul(BUCKETS) / length
}

/// In how many microseconds what was spent in a bucket of a window of that many milliseconds counts no more.
pub(crate) fn counts_for(length: u32, bucket: u64, now: Timestamp) -> u64 {
    let end = (bucket + BUCKETS)
        .saturating_mul(u64::from(length) * 1000)
        .div_ceil(BUCKETS);
    end.saturating_sub(micros(now))
}

fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.unix_micros()).unwrap_or_default()
}

/// How many buckets before `newest` a run is; it is never 64 or more.
const fn age(newest: u64, run: u32) -> u64 {
    newest.wrapping_sub((run >> COUNT_BITS) as u64) & INDEX_MASK
}

const fn count(run: u32) -> u32 {
    run & COUNT_MASK
}

/// No count is above [`Quota::MAX_LIMIT`], which fits.
fn pack(bucket: u64, count: u32) -> u32 {
    let index = u32::try_from(bucket & INDEX_MASK).unwrap_or_default();
    (index << COUNT_BITS) | count.min(COUNT_MASK)
}
