//! How often keys were used, as their owners see it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::{Clock, Granularity, KeyId, Outcome, Scope, Timestamp};

use crate::{
    Actor, FlowError,
    ports::{KeyStore, KeyView},
};

/// The most buckets that one answer holds.
pub const MAX_USAGE_BUCKETS: u64 = 2_000;

/// How many calls came to each outcome; none that did not come about.
pub type Outcomes = BTreeMap<Outcome, u64>;

/// How long counts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRetention {
    /// Counts by the minute.
    pub minutes: Duration,
    /// Counts by the hour.
    pub hours: Duration,
    /// Counts by the day.
    pub days: Duration,
}

impl UsageRetention {
    /// How long counts of the granularity are kept.
    #[must_use]
    pub const fn of(&self, granularity: Granularity) -> Duration {
        match granularity {
            Granularity::Minute => self.minutes,
            Granularity::Hour => self.hours,
            Granularity::Day => self.days,
        }
    }
}

impl Default for UsageRetention {
    /// Two days of minutes, sixty days of hours, four hundred days.
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self {
            minutes: days(2),
            hours: days(60),
            days: days(400),
        }
    }
}

/// Which calls are asked for: those from the one time until before the other, both at borders of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRange {
    /// The start of the first bucket.
    pub from: Timestamp,
    /// The end of the last one.
    pub to: Timestamp,
    /// How long each is.
    pub granularity: Granularity,
}

/// Why there is no such range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageRangeError {
    /// It ends before it begins.
    #[error("must be before `to`")]
    Empty,
    /// It has too many buckets.
    #[error("must not be so far before `to`: an answer has {MAX_USAGE_BUCKETS} buckets at the most, {}", advice(*fits))]
    TooLong {
        /// The finest granularity by which it has few enough, if there is one.
        fits: Option<Granularity>,
    },
}

fn advice(fits: Option<Granularity>) -> String {
    fits.map_or_else(
        || "ask for a part of the time".to_owned(),
        |granularity| format!("ask for granularity={granularity}"),
    )
}

impl UsageRange {
    /// The buckets that hold the time between. If nobody says, they end at `now`, are hours, and go back an hour for minutes, a day
    /// for hours and thirty days for days.
    ///
    /// # Errors
    /// [`UsageRangeError`].
    pub fn new(
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        granularity: Option<Granularity>,
        now: Timestamp,
    ) -> Result<Self, UsageRangeError> {
        let granularity = granularity.unwrap_or(Granularity::Hour);
        // What is counted at this very moment belongs to it.
        let to = to.unwrap_or_else(|| now.saturating_add(Duration::from_micros(1)));
        let from = from.unwrap_or_else(|| {
            to.saturating_sub(match granularity {
                Granularity::Minute => Duration::from_secs(60 * 60),
                Granularity::Hour => Duration::from_secs(24 * 60 * 60),
                Granularity::Day => Duration::from_secs(30 * 24 * 60 * 60),
            })
        });
        if from >= to {
            return Err(UsageRangeError::Empty);
        }
        let range = |granularity: Granularity| Self {
            from: granularity.start_of(from),
            to: granularity.end_of(to),
            granularity,
        };
        let fits = |range: &Self| range.buckets() <= MAX_USAGE_BUCKETS;
        let asked = range(granularity);
        if fits(&asked) {
            return Ok(asked);
        }
        let coarser = Granularity::ALL.into_iter().filter(|other| *other > granularity);
        Err(UsageRangeError::TooLong {
            fits: coarser.map(range).find(fits).map(|range| range.granularity),
        })
    }

    fn buckets(&self) -> u64 {
        let micros = self.to.unix_micros().saturating_sub(self.from.unix_micros());
        let micros = u128::try_from(micros).unwrap_or(0);
        u64::try_from(micros / self.granularity.length().as_micros()).unwrap_or(u64::MAX)
    }

    fn starts(&self) -> impl Iterator<Item = Timestamp> {
        let (length, to) = (self.granularity.length(), self.to);
        let next = move |start: &Timestamp| Some(start.saturating_add(length));
        std::iter::successors(Some(self.from), next).take_while(move |start| *start < to)
    }
}

/// How many calls there were in a length of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageBucket {
    /// Its start.
    pub start: Timestamp,
    /// The calls.
    pub outcomes: Outcomes,
}

/// How often keys were used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When.
    pub range: UsageRange,
    /// From when on counts of this granularity are kept: there are none from before.
    pub kept_since: Timestamp,
    /// All calls of the range.
    pub outcomes: Outcomes,
    /// Each bucket of the range, also where nothing was counted.
    pub buckets: Vec<UsageBucket>,
}

/// How often one key was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// The key.
    pub key: KeyId,
    /// What people call it.
    pub name: String,
    /// Its calls.
    pub outcomes: Outcomes,
}

/// Which keys were used most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageByKey {
    /// When.
    pub range: UsageRange,
    /// From when on counts of this granularity are kept: there are none from before.
    pub kept_since: Timestamp,
    /// All calls of the range, of all keys.
    pub outcomes: Outcomes,
    /// The busiest keys, the busiest first.
    pub keys: Vec<KeyUsage>,
}

/// When a scope of a key was last asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastScopeUse {
    /// The key.
    pub key: KeyId,
    /// The scope, as the key held it.
    pub scope: Scope,
    /// The start of the day.
    pub day: Timestamp,
}

/// What was stored of how keys were used.
#[async_trait]
pub trait UsageHistory: Send + Sync {
    /// The calls of each bucket in which there are any, the earliest first: of the keys of the view, or of one of them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn usage(
        &self,
        view: KeyView,
        only: Option<KeyId>,
        range: UsageRange,
    ) -> Result<Vec<UsageBucket>, StoreError>;

    /// Those `limit` keys of the view that were used most, the busiest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn busiest_keys(
        &self,
        view: KeyView,
        range: UsageRange,
        limit: u16,
    ) -> Result<Vec<KeyUsage>, StoreError>;

    /// When scopes of the keys were last asked for.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn scope_uses(&self, keys: Vec<KeyId>) -> Result<Vec<LastScopeUse>, StoreError>;

    /// The first day that calls of the keys are known of; nothing for those that have none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn first_days(&self, keys: Vec<KeyId>) -> Result<Vec<(KeyId, Timestamp)>, StoreError>;
}

/// Shows how often keys were used. What was counted within about the last second may be missing.
#[derive(Clone)]
pub struct UsageFlows {
    history: Arc<dyn UsageHistory>,
    keys: Arc<dyn KeyStore>,
    retention: UsageRetention,
    clock: Arc<dyn Clock>,
}

impl UsageFlows {
    /// Flows over the given stores.
    pub fn new(
        history: Arc<dyn UsageHistory>,
        keys: Arc<dyn KeyStore>,
        retention: UsageRetention,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            history,
            keys,
            retention,
            clock,
        }
    }

    /// How often a key was used that the actor can see.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn of_key(&self, actor: &Actor, key: KeyId, range: UsageRange) -> Result<Usage, FlowError> {
        let view = actor.view()?;
        self.keys.get_key(view, key).await?.ok_or(FlowError::NotFound)?;
        self.usage(view, Some(key), range).await
    }

    /// How often the keys that the actor can see were used, all together.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn of_all(&self, actor: &Actor, range: UsageRange) -> Result<Usage, FlowError> {
        self.usage(actor.view()?, None, range).await
    }

    /// Which of the keys that the actor can see were used most.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn by_key(
        &self,
        actor: &Actor,
        range: UsageRange,
        limit: u16,
    ) -> Result<UsageByKey, FlowError> {
        let view = actor.view()?;
        let found = self.history.usage(view, None, range).await?;
        Ok(UsageByKey {
            range,
            kept_since: self.kept_since(range),
            outcomes: sum(&found),
            keys: self.history.busiest_keys(view, range, limit).await?,
        })
    }

    async fn usage(&self, view: KeyView, only: Option<KeyId>, range: UsageRange) -> Result<Usage, FlowError> {
        let found = self.history.usage(view, only, range).await?;
        let outcomes = sum(&found);
        let mut found = found.into_iter().peekable();
        let buckets = range.starts().map(|start| {
            found
                .next_if(|bucket| bucket.start == start)
                .unwrap_or_else(|| UsageBucket {
                    start,
                    outcomes: Outcomes::new(),
                })
        });
        Ok(Usage {
            range,
            kept_since: self.kept_since(range),
            outcomes,
            buckets: buckets.collect(),
        })
    }

    fn kept_since(&self, range: UsageRange) -> Timestamp {
        let kept = self.retention.of(range.granularity);
        range.granularity.end_of(self.clock.now().saturating_sub(kept))
    }
}

fn sum(buckets: &[UsageBucket]) -> Outcomes {
    let mut sum = Outcomes::new();
    for (outcome, calls) in buckets.iter().flat_map(|bucket| &bucket.outcomes) {
        *sum.entry(*outcome).or_default() += calls;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_micros(1_800_000_090_000_000);
    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn ago(duration: Duration) -> Option<Timestamp> {
        Some(NOW.saturating_sub(duration))
    }

    #[test]
    fn a_range_holds_whole_buckets_and_the_present_one() {
        let range = UsageRange::new(None, None, None, NOW).unwrap();
        assert_eq!(range.granularity, Granularity::Hour);
        assert_eq!(range.buckets(), 25);
        assert_eq!(range.starts().count(), 25);
        assert!(range.from < NOW.saturating_sub(24 * HOUR) && NOW < range.to);
        for (granularity, buckets) in [(Granularity::Minute, 61), (Granularity::Day, 31)] {
            let range = UsageRange::new(None, None, Some(granularity), NOW).unwrap();
            assert_eq!(range.buckets(), buckets);
        }
    }

    #[test]
    fn a_range_that_ends_now_holds_the_bucket_that_begins_now() {
        let hour = Granularity::Hour.start_of(NOW);
        let range = UsageRange::new(None, None, None, hour).unwrap();
        assert_eq!(range.to, hour.saturating_add(HOUR));
        let range = UsageRange::new(None, Some(hour), None, NOW).unwrap();
        assert_eq!(range.to, hour);
    }

    #[test]
    fn what_has_too_many_buckets_is_told_what_fits() {
        let error = |from, granularity| UsageRange::new(from, None, Some(granularity), NOW).unwrap_err();
        let too_long = |fits| UsageRangeError::TooLong { fits };
        let month = ago(30 * 24 * HOUR);
        assert_eq!(
            error(month, Granularity::Minute),
            too_long(Some(Granularity::Hour))
        );
        let years = ago(1_000 * 24 * HOUR);
        assert_eq!(
            error(years, Granularity::Minute),
            too_long(Some(Granularity::Day))
        );
        assert_eq!(error(years, Granularity::Hour), too_long(Some(Granularity::Day)));
        assert_eq!(error(Some(Timestamp::MIN), Granularity::Day), too_long(None));
        assert!(
            error(month, Granularity::Minute)
                .to_string()
                .ends_with("granularity=hour")
        );
    }

    #[test]
    fn a_range_does_not_end_before_it_begins() {
        let later = Some(NOW.saturating_add(HOUR));
        let error = UsageRange::new(later, None, None, NOW).unwrap_err();
        assert_eq!(error, UsageRangeError::Empty);
        assert!(UsageRange::new(Some(NOW), Some(NOW), None, NOW).is_err());
    }
}
