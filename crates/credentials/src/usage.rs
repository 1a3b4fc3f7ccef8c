//! How often keys are used, counted without a write for each request, and without a lock that keys share.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tigertrust_model::{KeyId, Outcome, Scope, ScopeSet, Timestamp, WorkspaceId};

use crate::ports::{ScopeUse, StoreError, UsageBatch, UsageCount, UsageStore};

/// How many counts are stored in one transaction.
const BATCH: usize = 1_000;
/// How many counts wait at the most while they cannot be stored. From there on a minute's count joins an earlier one of its key.
const MAX_WAITING: usize = 500_000;
/// How many wait at the very most: from there on those of keys of which nothing waits are lost.
const MAX_WAITING_AT_ALL: usize = 1_000_000;
/// How many keys wait with their counts in them, each of them kept for as long. Those before them are collected.
const MAX_TELLING: usize = 250_000;
/// The last scope of a key that is told apart: those after it count as used together with it.
const LAST_SCOPE: usize = 47;
const MICROS_A_MINUTE: i64 = 60_000_000;
const MINUTES_A_DAY: u32 = 24 * 60;

/// What a key did since its counts were last collected, and which of its scopes were asked for today.
#[derive(Debug, Default)]
pub(crate) struct KeyUsage {
    /// For each outcome a minute in the upper half, and how often it came about in that minute in the lower one.
    counts: [AtomicU64; Outcome::ALL.len()],
    /// A day in the upper 16 bits, and the scopes that have been asked for in that day, by their place. Good until the year 2149.
    asked: AtomicU64,
    /// Whether the log knows that there is something to collect.
    waits: AtomicBool,
}

/// A count of calls in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    minute: u32,
    calls: u32,
}

impl Counted {
    const fn unpack(packed: u64) -> Self {
        Self {
            minute: (packed >> 32) as u32,
            calls: packed as u32,
        }
    }

    const fn pack(self) -> u64 {
        ((self.minute as u64) << 32) | self.calls as u64
    }

    fn of(self, used: &impl Used) -> Calls {
        Calls {
            home: used.home_id(),
            number: self.calls.into(),
        }
    }
}

impl KeyUsage {
    /// Counts a call, and returns what was counted in an earlier minute, which has to make room.
    fn count(&self, outcome: Outcome, minute: u32) -> Option<Counted> {
        let place = self.counts.get(outcome.index())?;
        let mut packed = place.load(Ordering::Relaxed);
        loop {
            let earlier = Counted::unpack(packed);
            if earlier.minute == minute {
                // Another call may begin the next minute just now: then this one counts there.
                place.fetch_add(1, Ordering::SeqCst);
                return None;
            }
            let first = Counted { minute, calls: 1 }.pack();
            match place.compare_exchange_weak(packed, first, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return (earlier.calls > 0).then_some(earlier),
                Err(other) => packed = other,
            }
        }
    }

    /// Takes out what was counted. The minutes stay, so that a call that is being counted meanwhile has its own.
    fn collect(&self) -> impl Iterator<Item = (Outcome, Counted)> {
        // Before the counts: who counts after they were taken finds that nobody knows, and tells.
        self.waits.store(false, Ordering::SeqCst);
        let taken = Outcome::ALL
            .into_iter()
            .zip(&self.counts)
            .map(|(outcome, place)| {
                let packed = place.fetch_and(!u64::from(u32::MAX), Ordering::SeqCst);
                (outcome, Counted::unpack(packed))
            });
        taken.filter(|(_, counted)| counted.calls > 0)
    }

    /// Whether the log knows that there is something to collect.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }

    /// Whether the log has to hear of this key, for the first time since its counts were collected.
    fn has_to_tell(&self) -> bool {
        !self.waits() && !self.waits.swap(true, Ordering::SeqCst)
    }

    /// Notes that a scope was asked for, and says whether that is news of the day.
    fn is_first_asked(&self, scope: usize, day: u16) -> bool {
        let bit = 1 << scope.min(LAST_SCOPE);
        let asked = self.asked.load(Ordering::Relaxed);
        let today = u64::from(day) << 48;
        let is_of_today = asked >> 48 == u64::from(day);
        if is_of_today && asked & bit != 0 {
            return false;
        }
        // Of two at once one may be forgotten here, and is noted again.
        let known = if is_of_today { asked } else { today };
        self.asked.store(known | bit, Ordering::Relaxed);
        true
    }
}

/// What has counts within it. It is kept until they are collected.
pub(crate) trait Used {
    fn usage(&self) -> &KeyUsage;
    fn key_id(&self) -> KeyId;
    fn home_id(&self) -> Option<WorkspaceId>;
    fn scopes(&self) -> &ScopeSet;
    /// Whether the next call with the key finds this again.
    fn is_remembered(&self) -> bool;
}

/// Counts that are not stored yet. A crash loses what has been counted and not flushed.
#[derive(Debug)]
pub(crate) struct UsageLog<U>(Mutex<Waiting<U>>);

/// What is counted together.
type Place = (KeyId, Outcome, u32);

/// How many calls, and the home of their key.
#[derive(Clone, Copy, Debug)]
struct Calls {
    home: Option<WorkspaceId>,
    number: u64,
}

#[derive(Debug)]
struct Waiting<U> {
    /// Who has something to collect, those first that have had it longest. Until its turn comes a key counts within itself, and needs
    /// nobody for it.
    telling: VecDeque<Arc<U>>,
    counts: BTreeMap<Place, Calls>,
    scopes: BTreeMap<(KeyId, Scope), u16>,
    /// After which count the next batch begins, so that each has its turn.
    turn: Option<Place>,
    lost: u64,
}

impl<U> Default for Waiting<U> {
    fn default() -> Self {
        Self {
            telling: VecDeque::new(),
            counts: BTreeMap::new(),
            scopes: BTreeMap::new(),
            turn: None,
            lost: 0,
        }
    }
}

impl<U: Used> Waiting<U> {
    /// Where too much waits, the calls of a minute join those of an earlier one: the hour or the day is the same mostly, the sum
    /// always. A key of which nothing waits has its count all the same, as long as there is room at all.
    fn add(&mut self, place: Place, calls: Calls) {
        let is_full = self.counts.len() >= MAX_WAITING;
        match self.counts.entry(place) {
            Entry::Occupied(mut known) => known.get_mut().number += calls.number,
            Entry::Vacant(free) if !is_full => {
                free.insert(calls);
            }
            Entry::Vacant(_) => {
                let (key, outcome, minute) = place;
                let before = (key, outcome, 0)..(key, outcome, minute);
                if let Some((_, earlier)) = self.counts.range_mut(before).next_back() {
                    earlier.number += calls.number;
                } else if self.counts.len() < MAX_WAITING_AT_ALL {
                    self.counts.insert(place, calls);
                } else {
                    self.lost += calls.number;
                }
            }
        }
    }

    fn note_scope(&mut self, key: KeyId, scope: Scope, day: u16) {
        let noted = self.scopes.entry((key, scope)).or_insert(day);
        *noted = day.max(*noted);
    }

    /// Collects until so many counts wait, from all for whom there is no room, and from some in any case, so that nobody waits for ever.
    fn collect(&mut self, limit: usize) {
        let missing = limit.saturating_sub(self.counts.len());
        let surplus = self.telling.len().saturating_sub(MAX_TELLING);
        let turn = missing.max(surplus).max(limit / 4).min(self.telling.len());
        let turn: Vec<Arc<U>> = self.telling.drain(..turn).collect();
        for used in turn {
            for (outcome, counted) in used.usage().collect() {
                let place = (used.key_id(), outcome, counted.minute);
                self.add(place, counted.of(&*used));
            }
        }
    }

    /// Takes out a batch: those first whose turn it is.
    fn take(&mut self, limit: usize) -> UsageBatch {
        let first = self.turn.map_or(Bound::Unbounded, Bound::Included);
        let rest = self.turn.into_iter().flat_map(|turn| self.counts.range(..turn));
        let places = self.counts.range((first, Bound::Unbounded)).chain(rest);
        let places: Vec<Place> = places
            .take(limit.saturating_add(1))
            .map(|(place, _)| *place)
            .collect();
        self.turn = places.get(limit).copied();
        let mut batch = UsageBatch::default();
        for place in places.into_iter().take(limit) {
            let Some(calls) = self.counts.remove(&place) else {
                continue;
            };
            let (key, outcome, minute) = place;
            batch.counts.push(UsageCount {
                key,
                home: calls.home,
                outcome,
                minute: minute_start(minute),
                calls: calls.number,
            });
        }
        while batch.scopes.len() < limit
            && let Some(((key, scope), day)) = self.scopes.pop_first()
        {
            let day = minute_start(u32::from(day) * MINUTES_A_DAY);
            batch.scopes.push(ScopeUse { key, scope, day });
        }
        batch
    }

    /// Takes back what could not be stored.
    fn restore(&mut self, batch: UsageBatch) {
        for count in batch.counts {
            let place = (count.key, count.outcome, minute_of(count.minute));
            let calls = Calls {
                home: count.home,
                number: count.calls,
            };
            self.add(place, calls);
        }
        for ScopeUse { key, scope, day } in batch.scopes {
            self.note_scope(key, scope, day_of(minute_of(day)));
        }
    }
}

impl<U: Used> UsageLog<U> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Counts a call, and notes the scope of the key, by its place, that it asked for.
    pub(crate) fn count(&self, used: &Arc<U>, now: Timestamp, outcome: Outcome, scope: Option<usize>) {
        let minute = minute_of(now);
        let usage = used.usage();
        if used.is_remembered() {
            let earlier = usage.count(outcome, minute);
            let has_to_tell = usage.has_to_tell();
            if earlier.is_some() || has_to_tell {
                let mut waiting = self.waiting();
                if let Some(earlier) = earlier {
                    let place = (used.key_id(), outcome, earlier.minute);
                    waiting.add(place, earlier.of(&**used));
                }
                if has_to_tell {
                    waiting.telling.push_back(Arc::clone(used));
                }
            }
        } else {
            // It took a look-up, and there is one of these for each call.
            let one = Counted { minute, calls: 1 };
            self.waiting()
                .add((used.key_id(), outcome, minute), one.of(&**used));
        }
        if let Some(scope) = scope
            && usage.is_first_asked(scope, day_of(minute))
        {
            self.note_scope(used.as_ref(), scope, day_of(minute));
        }
    }

    fn note_scope(&self, used: &U, scope: usize, day: u16) {
        let count = if scope < LAST_SCOPE { 1 } else { usize::MAX };
        let mut waiting = self.waiting();
        for scope in used.scopes().iter().skip(scope.min(LAST_SCOPE)).take(count) {
            waiting.note_scope(used.key_id(), scope.clone(), day);
        }
    }

    /// Stores what has been counted so far, and keeps what could not be stored for the next time.
    pub(crate) async fn flush(&self, store: &dyn UsageStore) -> Result<(), StoreError> {
        self.flush_some(store, usize::MAX).await.map(drop)
    }

    /// As [`flush`](Self::flush), for so many counts at the most; answers how many it were. No more is taken out than is being stored.
    pub(crate) async fn flush_some(&self, store: &dyn UsageStore, limit: usize) -> Result<usize, StoreError> {
        let all = {
            let mut waiting = self.waiting();
            waiting.collect(limit);
            waiting.counts.len().max(waiting.scopes.len()).min(limit)
        };
        let mut left = all;
        while left > 0 {
            let batch = self.waiting().take(BATCH.min(left));
            left = left.saturating_sub(BATCH);
            if let Err(error) = store.add_usage(batch.clone()).await {
                self.waiting().restore(batch);
                return Err(error);
            }
        }
        Ok(all)
    }

    /// How many counts wait to be stored, those of a key that waits for its turn as one.
    pub(crate) fn waiting_counts(&self) -> usize {
        let waiting = self.waiting();
        waiting.counts.len() + waiting.telling.len()
    }

    /// How many calls were not counted, since too much waited to be stored.
    pub(crate) fn lost(&self) -> u64 {
        self.waiting().lost
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<U>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The minutes from 1970 to the time.
fn minute_of(time: Timestamp) -> u32 {
    u32::try_from(time.unix_micros() / MICROS_A_MINUTE).unwrap_or(0)
}

fn minute_start(minute: u32) -> Timestamp {
    Timestamp::from_unix_micros(i64::from(minute) * MICROS_A_MINUTE)
}

/// The days from 1970 to the minute.
fn day_of(minute: u32) -> u16 {
    u16::try_from(minute / MINUTES_A_DAY).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, thread};

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::*;

    struct OneKey {
        number: u128,
        usage: KeyUsage,
        scopes: ScopeSet,
        is_remembered: bool,
    }

    impl OneKey {
        fn new(number: u128) -> Self {
            let scopes = (0..60).map(|scope| format!("s{scope:02}:read").parse().unwrap());
            Self {
                number,
                usage: KeyUsage::default(),
                scopes: scopes.collect(),
                is_remembered: true,
            }
        }
    }

    impl Used for OneKey {
        fn usage(&self) -> &KeyUsage {
            &self.usage
        }

        fn key_id(&self) -> KeyId {
            KeyId::from_uuid(Uuid::from_u128(self.number))
        }

        fn home_id(&self) -> Option<WorkspaceId> {
            Some(WorkspaceId::from_uuid(Uuid::from_u128(7)))
        }

        fn scopes(&self) -> &ScopeSet {
            &self.scopes
        }

        fn is_remembered(&self) -> bool {
            self.is_remembered
        }
    }

    /// Adds up what it is given, once it has failed so often.
    #[derive(Default)]
    struct Sums {
        failures: AtomicUsize,
        counts: Mutex<BTreeMap<(u128, Outcome, u32), u64>>,
        scopes: Mutex<BTreeMap<String, u16>>,
        largest_batch: AtomicUsize,
    }

    impl Sums {
        fn of(&self, number: u128, outcome: Outcome) -> Vec<(u32, u64)> {
            let counts = self.counts.lock().unwrap();
            let own = counts
                .iter()
                .filter(|((key, other, _), _)| (*key, *other) == (number, outcome));
            own.map(|((_, _, minute), calls)| (*minute, *calls)).collect()
        }
    }

    #[async_trait]
    impl UsageStore for Sums {
        async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError> {
            let left = self.failures.load(Ordering::SeqCst);
            if left > 0 {
                self.failures.store(left - 1, Ordering::SeqCst);
                return Err(StoreError::unavailable("down"));
            }
            self.largest_batch.fetch_max(batch.counts.len(), Ordering::SeqCst);
            for count in batch.counts {
                let place = (
                    count.key.as_uuid().as_u128(),
                    count.outcome,
                    minute_of(count.minute),
                );
                *self.counts.lock().unwrap().entry(place).or_default() += count.calls;
            }
            let mut scopes = self.scopes.lock().unwrap();
            for used in batch.scopes {
                scopes.insert(used.scope.to_string(), day_of(minute_of(used.day)));
            }
            Ok(())
        }
    }

    fn minute(minute: u32) -> Timestamp {
        minute_start(minute)
    }

    #[tokio::test]
    async fn each_minute_has_its_own_count_and_each_outcome() {
        let (log, key, sums) = (UsageLog::new(), Arc::new(OneKey::new(1)), Sums::default());
        for (at, outcome) in [
            (5, Outcome::Valid),
            (5, Outcome::Valid),
            (6, Outcome::Valid),
            (5, Outcome::Valid),
            (6, Outcome::KeyRevoked),
        ] {
            log.count(&key, minute(at), outcome, None);
        }
        log.flush(&sums).await.unwrap();
        log.flush(&sums).await.unwrap();
        assert_eq!(sums.of(1, Outcome::Valid), [(5, 3), (6, 1)]);
        assert_eq!(sums.of(1, Outcome::KeyRevoked), [(6, 1)]);
        assert_eq!(log.waiting_counts(), 0);
    }

    #[tokio::test]
    async fn calls_at_once_are_counted_exactly_while_they_are_collected() {
        const THREADS: u32 = 4;
        const CALLS: u32 = 20_000;
        let (log, key, sums) = (UsageLog::new(), Arc::new(OneKey::new(1)), Sums::default());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for call in 0..CALLS {
                        // Now and then it is the next minute.
                        log.count(&key, minute(5 + call / 1_000), Outcome::Valid, Some(0));
                    }
                });
            }
            for _ in 0..200 {
                log.waiting().collect(usize::MAX);
            }
        });
        log.flush(&sums).await.unwrap();
        let calls: u64 = sums.of(1, Outcome::Valid).iter().map(|(_, calls)| calls).sum();
        assert_eq!(calls, u64::from(THREADS * CALLS));
    }

    #[tokio::test]
    async fn what_cannot_be_stored_is_kept_and_added_to() {
        let (log, key) = (UsageLog::new(), Arc::new(OneKey::new(1)));
        let sums = Sums {
            failures: AtomicUsize::new(2),
            ..Sums::default()
        };
        for _ in 0..3 {
            log.count(&key, minute(5), Outcome::Valid, Some(3));
            let _ = log.flush(&sums).await;
        }
        assert_eq!(sums.of(1, Outcome::Valid), [(5, 3)]);
        assert_eq!(sums.scopes.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn batches_are_bounded_and_each_count_has_its_turn() {
        let (log, sums) = (UsageLog::new(), Sums::default());
        let keys: Vec<_> = (0..2_500).map(|number| Arc::new(OneKey::new(number))).collect();
        let count_all = || {
            for key in &keys {
                log.count(key, minute(5), Outcome::Valid, None);
            }
        };
        for _ in 0..5 {
            count_all();
            log.flush_some(&sums, 500).await.unwrap();
        }
        assert_eq!(sums.counts.lock().unwrap().len(), keys.len());
        log.flush(&sums).await.unwrap();
        assert_eq!(sums.of(2_499, Outcome::Valid), [(5, 5)]);
        assert_eq!(sums.largest_batch.load(Ordering::SeqCst), BATCH);
    }

    #[tokio::test]
    async fn a_key_counts_within_itself_until_its_turn_comes() {
        let (log, sums) = (UsageLog::new(), Sums::default());
        let keys: Vec<_> = (0..10).map(|number| Arc::new(OneKey::new(number))).collect();
        let count_all = || {
            for key in &keys {
                log.count(key, minute(5), Outcome::Valid, None);
            }
        };
        count_all();
        assert_eq!(log.flush_some(&sums, 4).await.unwrap(), 4);
        assert_eq!(log.waiting().telling.len(), 6);
        count_all();
        // Those that were stored stand behind the others now.
        assert_eq!(log.waiting_counts(), 10);
        assert_eq!(log.flush_some(&sums, 6).await.unwrap(), 6);
        let stored = |number| sums.of(number, Outcome::Valid);
        assert_eq!((stored(0), stored(9)), (vec![(5, 1)], vec![(5, 2)]));
        log.flush(&sums).await.unwrap();
        assert_eq!(stored(0), [(5, 2)]);
        assert_eq!(log.waiting_counts(), 0);
    }

    #[tokio::test]
    async fn a_key_that_is_not_remembered_is_counted_all_the_same() {
        let (log, sums) = (UsageLog::new(), Sums::default());
        for _ in 0..3 {
            let key = OneKey {
                is_remembered: false,
                ..OneKey::new(1)
            };
            log.count(&Arc::new(key), minute(5), Outcome::Valid, None);
        }
        assert!(log.waiting().telling.is_empty());
        log.flush(&sums).await.unwrap();
        assert_eq!(sums.of(1, Outcome::Valid), [(5, 3)]);
    }

    #[tokio::test]
    async fn a_scope_is_noted_once_a_day_and_the_last_ones_together() {
        let (log, key, sums) = (UsageLog::new(), Arc::new(OneKey::new(1)), Sums::default());
        let noted = || log.waiting().scopes.len();
        for scope in [3, 3, 46] {
            log.count(&key, minute(5), Outcome::Valid, Some(scope));
        }
        assert_eq!(noted(), 2);
        log.flush(&sums).await.unwrap();
        log.count(&key, minute(6), Outcome::Valid, Some(3));
        assert_eq!(noted(), 0);
        log.count(&key, minute(5 + MINUTES_A_DAY), Outcome::Valid, Some(3));
        assert_eq!(noted(), 1);
        log.flush(&sums).await.unwrap();
        assert_eq!(sums.scopes.lock().unwrap().get("s03:read"), Some(&1));
        log.count(&key, minute(5 + MINUTES_A_DAY), Outcome::Valid, Some(55));
        assert_eq!(noted(), 13);
    }
}
