//! The rule, beside an exact log of arrivals.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

use std::time::Duration;

use proptest::prelude::*;
use tigertrust_model::Timestamp;
use tigertrust_rate_limit::{Decision, Quota, Quotas, State, decide};

const START: Timestamp = Timestamp::from_unix_micros(1_790_000_000_123_457);

fn after(micros: u64) -> Timestamp {
    START.saturating_add(Duration::from_micros(micros))
}

/// Every admitted spend with its time: what the buckets stand for, kept exactly.
struct ExactLog {
    quota: Quota,
    /// The time of a spend, and how much was spent before it and by it.
    spends: Vec<(u64, u64)>,
}

impl ExactLog {
    fn new(quota: Quota) -> Self {
        Self {
            quota,
            spends: vec![(0, 0)],
        }
    }

    /// What was admitted in the last so many sixtieths of the window.
    fn within(&self, sixtieths: u64, now: u64) -> u64 {
        let length = micros(self.quota.window());
        let is_before = |(at, _): &(u64, u64)| (now - at) * 60 >= length * sixtieths;
        let before = self.spends.partition_point(is_before);
        self.total() - self.spends[before.saturating_sub(1)].1
    }

    fn total(&self) -> u64 {
        self.spends[self.spends.len() - 1].1
    }

    fn spend(&mut self, now: u64, cost: u32) {
        self.spends.push((now, self.total() + u64::from(cost)));
    }
}

/// A gap of one of the scales of [`gap`] and a cost, out of a random number: a million arrivals are made faster than by strategies.
fn arrival(random: u64) -> (u64, u32) {
    let scale = [
        0,
        2_000,
        200_000,
        200_000,
        2_000_000,
        2_000_000,
        60_000_000,
        4_000_000_000,
    ][(random % 8) as usize];
    let gap = if scale == 0 { 0 } else { (random >> 16) % scale };
    let cost = if random & 0x700 == 0 {
        u32::try_from((random >> 11) % 12).unwrap()
    } else {
        1
    };
    (gap, cost)
}

/// Gaps of every scale, so that buckets are hit, skipped and left behind.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        8 => 1_u64..2_000,
        8 => 1_u64..200_000,
        4 => 1_u64..2_000_000,
        2 => 1_u64..60_000_000,
        1 => 1_u64..4_000_000_000,
    ]
}

fn quotas() -> impl Strategy<Value = Quotas> {
    let windows = (1_000_u64..120_000, 1_000_u64..7_200_000);
    (1_u32..80, 1_u32..400, windows, any::<bool>()).prop_map(|(minute, hour, (short, long), has_hour)| {
        Quotas {
            minute: Quota::new(minute, Duration::from_millis(short)).unwrap(),
            hour: has_hour.then(|| Quota::new(hour, Duration::from_millis(long)).unwrap()),
        }
    })
}

proptest! {
    // More than a million arrivals, whoever asks for fewer or more cases.
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn decisions_agree_with_an_exact_log_of_a_million_arrivals(
        quotas in quotas(),
        arrivals in proptest::collection::vec(any::<u64>(), 4_000),
    ) {
        let mut state = State::default();
        let mut logs: Vec<ExactLog> = std::iter::once(quotas.minute).chain(quotas.hour).map(ExactLog::new).collect();
        // The log begins with a spend of nothing at 0, which has to be out of sight.
        let mut now = 10_000_000_000;
        for (gap, cost) in arrivals.into_iter().map(arrival) {
            now += gap;
            let decision = decide(&mut state, after(now), &quotas, cost);
            let limit = |log: &ExactLog| u64::from(log.quota.limit());
            // What has room in the whole of each window is admitted.
            let has_room = |log: &ExactLog| log.within(60, now) + u64::from(cost) <= limit(log);
            prop_assert!(decision.admitted || !logs.iter().all(has_room), "refused with room for it");
            for (log, (_, standing)) in logs.iter_mut().zip(decision.windows()) {
                if decision.admitted {
                    log.spend(now, cost);
                }
                // (a) No span of 59 sixtieths has more than the limit.
                let within = log.within(59, now);
                prop_assert!(within <= limit(log), "{within} in 59 sixtieths of {}", log.quota);
                // What is told to be left is between what the one span and the other leave.
                let remaining = u64::from(standing.remaining);
                prop_assert!(remaining <= limit(log) - within);
                prop_assert!(remaining >= limit(log).saturating_sub(log.within(60, now)));
            }
            prop_assert!(state.size() <= size_of::<State>() + 2 * 64 * 4);
        }
    }
}

proptest! {
    /// (b) Whoever paces himself evenly at the limit is never refused, whenever he begins.
    #[test]
    fn even_pace_at_the_limit_is_never_refused(limit in 1_u32..500, window in 1_000_u64..7_200_000, offset in 0_u64..10_000_000) {
        let quotas = Quotas::from(Quota::new(limit, Duration::from_millis(window)).unwrap());
        let mut state = State::default();
        for number in 0..u64::from(limit) * 5 {
            let now = offset + number * window * 1000 / u64::from(limit);
            prop_assert!(decide(&mut state, after(now), &quotas, 1).admitted, "arrival {number} at {now}");
        }
    }

    /// The wait that a refusal tells is enough, and a bucket less is not.
    #[test]
    fn the_wait_is_exact(
        quotas in quotas(),
        arrivals in proptest::collection::vec((gap(), 1_u32..12), 1..300),
    ) {
        let (mut state, mut now) = (State::default(), 0);
        for (gap, cost) in arrivals {
            now += gap;
            let refused = decide(&mut state, after(now), &quotas, cost);
            if refused.admitted {
                continue;
            }
            match refused.retry_after() {
                None => prop_assert!(refused.windows().any(|(_, standing)| cost > standing.quota.limit())),
                Some(wait) => {
                    let wait = u64::try_from(wait.as_micros()).unwrap();
                    let at = |time| decide(&mut state.clone(), after(time), &quotas, cost).admitted;
                    prop_assert!(at(now + wait));
                    prop_assert!(!at(now + wait - 1));
                }
            }
        }
    }

    /// When a window says that it has more, or is whole, it is so, and not a microsecond earlier.
    #[test]
    fn what_is_told_of_the_future_comes_true(
        quotas in quotas(),
        arrivals in proptest::collection::vec((gap(), 1_u32..5), 1..200),
    ) {
        let (mut state, mut now) = (State::default(), 0);
        for (gap, cost) in arrivals {
            now += gap;
            let decision = decide(&mut state, after(now), &quotas, cost);
            let ask = |time| decide(&mut state.clone(), after(time), &quotas, 0);
            for (name, standing) in decision.windows() {
                let of = |decision: Decision| decision.windows().find(|(other, _)| *other == name).map(|(_, standing)| *standing).unwrap();
                let (more, whole) = (micros(standing.more_in()), micros(standing.whole_in()));
                let limit = standing.quota.limit();
                prop_assert_eq!(of(ask(now + whole)).remaining, limit);
                if standing.remaining < limit {
                    prop_assert!(of(ask(now + more)).remaining > standing.remaining);
                    prop_assert_eq!(of(ask(now + more - 1)).remaining, standing.remaining);
                    prop_assert!(of(ask(now + whole - 1)).remaining < limit);
                }
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}

#[test]
fn what_one_window_refuses_spends_nothing_in_the_other() {
    let quotas = Quotas::per_minute_and_hour(2, 3);
    let mut state = State::default();
    let admitted: Vec<bool> = (0..4)
        .map(|_| decide(&mut state, START, &quotas, 1).admitted)
        .collect();
    assert_eq!(admitted, [true, true, false, false]);
    let later = after(61_000_000);
    let hour = |decision: Decision| decision.hour.unwrap().remaining;
    assert_eq!(hour(decide(&mut state, later, &quotas, 0)), 1);
    assert!(decide(&mut state, later, &quotas, 1).admitted);
    let refused = decide(&mut state, later, &quotas, 1);
    assert!(!refused.admitted);
    assert_eq!((refused.minute.remaining, hour(refused)), (1, 0));
    assert_eq!(refused.tightest().quota, Quota::per_hour(3));
}

#[test]
fn a_cost_of_nothing_is_a_question_and_one_above_the_limit_is_never_met() {
    let quotas = Quotas::per_minute_and_hour(5, 100);
    let mut state = State::default();
    assert!(decide(&mut state, START, &quotas, 0).admitted);
    assert_eq!(state, {
        let mut state = State::default();
        decide(&mut state, START, &quotas, 0);
        state
    });
    let refused = decide(&mut state, START, &quotas, 6);
    assert!(!refused.admitted);
    assert_eq!(refused.retry_after(), None);
    assert_eq!(refused.minute.remaining, 5);
}

#[test]
fn another_plan_counts_what_was_spent_under_the_one_before() {
    let mut state = State::default();
    let free = Quotas::per_minute_and_hour(60, 1_000);
    for _ in 0..60 {
        assert!(decide(&mut state, START, &free, 1).admitted);
    }
    let pro = Quotas::per_minute_and_hour(300, 10_000);
    assert_eq!(decide(&mut state, START, &pro, 1).minute.remaining, 239);
    // Lower again: over the limit, and told so.
    let refused = decide(&mut state, START, &free, 1);
    assert_eq!((refused.admitted, refused.minute.remaining), (false, 0));
    // Windows of another length take over what counts, as if it were spent now.
    let short = Quotas {
        minute: "100/2s".parse().unwrap(),
        hour: None,
    };
    assert_eq!(
        decide(&mut state, after(1_000_000), &short, 1).minute.remaining,
        38
    );
    assert_eq!(
        decide(&mut state, after(2_900_000), &short, 0).minute.remaining,
        38
    );
    assert_eq!(
        decide(&mut state, after(3_001_000), &short, 0).minute.remaining,
        100
    );
}

#[test]
fn time_that_goes_backwards_gives_nothing_back() {
    let quotas = Quotas::per_minute_and_hour(3, 1_000);
    let mut state = State::default();
    for _ in 0..3 {
        assert!(decide(&mut state, after(3_600_000_000), &quotas, 1).admitted);
    }
    assert!(!decide(&mut state, START, &quotas, 1).admitted);
    assert!(decide(&mut state, after(3_660_000_001), &quotas, 1).admitted);
}

#[test]
fn the_least_left_is_the_tightest_and_on_a_tie_the_longer_window() {
    let decide_with = |minute, hour, spend| {
        decide(
            &mut State::default(),
            START,
            &Quotas::per_minute_and_hour(minute, hour),
            spend,
        )
    };
    assert_eq!(decide_with(60, 1_000, 1).tightest().quota, Quota::per_minute(60));
    assert_eq!(decide_with(60, 60, 1).tightest().quota, Quota::per_hour(60));
    assert_eq!(decide_with(60, 40, 1).tightest().quota, Quota::per_hour(40));
}

#[test]
fn a_quiet_key_takes_little_and_a_busy_one_has_a_bound() {
    let quotas = Quotas::per_minute_and_hour(60, 1_000);
    let (mut quiet, mut busy) = (State::default(), State::default());
    decide(&mut quiet, START, &quotas, 1);
    for second in 0..4_000 {
        decide(&mut busy, after(second * 1_000_000), &quotas, 1);
    }
    assert!(quiet.size() <= 112, "{}", quiet.size());
    assert!(busy.size() <= 592, "{}", busy.size());
    assert!(!busy.is_empty_at(after(4_000_000_000)));
    assert!(busy.is_empty_at(after(7_600_000_000)));
}
