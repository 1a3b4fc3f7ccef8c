//! When what has last changed. Whoever remembers something that was true at a time asks here whether it may still be: the
//! verdicts do, and nothing here knows of them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_model::Entity;

use crate::lock::{read, write};

/// So many things that have changed are known; of more, those that changed longest ago are forgotten.
const MOST: usize = 100_000;
/// How long what has changed is of use to a token: its life, and the difference of two clocks.
const OF_USE_TO_TOKENS: Duration = Duration::from_secs(17 * 60);
/// The number of a block that has none: it is after all that are known.
pub(crate) const NO_NUMBER: u64 = u64::MAX;

/// A moment between two changes. What was asked for after it may know of none that came in later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// What has changed, as the feed told it.
#[derive(Debug)]
pub(crate) struct Changes {
    kept: Duration,
    /// How much was told so far. Moved on before the lock is left, so that who reads the old value was before the change.
    told: AtomicU64,
    record: RwLock<Record>,
}

/// When something was told: in order, and on the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Told {
    mark: Mark,
    at: Duration,
    /// Its number in the feed.
    number: u64,
}

#[derive(Debug)]
struct Record {
    by_entity: HashMap<Entity, Told>,
    in_order: BTreeMap<Mark, Entity>,
    reset: Option<Told>,
    /// From when on changes are told; of those before nothing is known.
    began: Option<Told>,
    /// All changes after this one are known; [`NO_NUMBER`] while that can be said of none.
    began_with: u64,
}

/// What a token was issued with, and how long ago.
#[cfg(feature = "tokens")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issued {
    /// The last change that was known.
    pub(crate) change: u64,
    /// In microseconds; less than 0 where the other clock is ahead.
    pub(crate) age: i64,
    /// By how much the clocks may differ, in microseconds.
    pub(crate) skew: i64,
}

impl Changes {
    /// Changes are kept as long as anything may be in use that was asked for before them, or any token that was issued before them.
    pub(crate) fn new(kept: Duration) -> Self {
        Self {
            kept,
            told: AtomicU64::new(0),
            record: RwLock::new(Record {
                by_entity: HashMap::new(),
                in_order: BTreeMap::new(),
                reset: None,
                began: None,
                began_with: NO_NUMBER,
            }),
        }
    }

    /// This moment. Take it before you ask.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.told.load(Ordering::Acquire))
    }

    /// Something has changed.
    pub(crate) fn note(&self, entity: Entity, now: Duration, number: u64) {
        self.tell(now, number, |record, told| {
            if let Some(before) = record.by_entity.insert(entity, told) {
                record.in_order.remove(&before.mark);
            }
            record.in_order.insert(told.mark, entity);
            record.forget_oldest(told, self.kept);
        });
    }

    /// Anything may have changed, up to this number.
    pub(crate) fn reset(&self, now: Duration, number: u64) {
        self.tell(now, number, Record::reset);
    }

    /// From now on changes are told, from after this number on; of those before nothing is known.
    pub(crate) fn begin(&self, now: Duration, number: u64) {
        self.tell(now, number, |record, told| {
            record.began = Some(told);
            record.began_with = number;
        });
    }

    /// All up to this number have been told.
    pub(crate) fn are_known_up_to(&self, number: u64) {
        let mut record = write(&self.record);
        if record.began_with == NO_NUMBER {
            record.began_with = number;
        }
    }

    /// Whether none of these has changed after something was issued. The numbers alone do not tell: those of a database that was
    /// restored come again.
    #[cfg(feature = "tokens")]
    pub(crate) fn have_left_alone(&self, depends_on: &[Entity], issued: Issued, now: Duration) -> bool {
        let came_after = |told: &Told, by: i64| {
            let since = now.saturating_sub(told.at).as_micros();
            issued
                .age
                .saturating_sub(i64::try_from(since).unwrap_or(i64::MAX))
                > by
        };
        let record = read(&self.record);
        let may_be_older = |reset: &Told| came_after(reset, issued.skew.saturating_neg());
        if issued.change < record.began_with || record.reset.as_ref().is_some_and(may_be_older) {
            return false;
        }
        depends_on
            .iter()
            .filter_map(|entity| record.by_entity.get(entity))
            .all(|told| told.number <= issued.change && !came_after(told, issued.skew))
    }

    /// Whether a change to one of these, or a reset, has come in since.
    pub(crate) fn is_overtaken(&self, depends_on: &[Entity], since: Mark) -> bool {
        self.mark() != since && read(&self.record).last(depends_on, |told| told.mark > since)
    }

    /// Whether one of these may have changed since without its being known.
    pub(crate) fn may_have_changed(&self, depends_on: &[Entity], since: Mark) -> bool {
        if self.mark() == since {
            return false;
        }
        let record = read(&self.record);
        record.began.is_some_and(|told| told.mark > since)
            || record.last(depends_on, |told| told.mark > since)
    }

    /// Whether all has been quiet about these for so long before a time, and was told.
    pub(crate) fn was_settled(&self, depends_on: &[Entity], time: Duration, quiet: Duration) -> bool {
        let record = read(&self.record);
        let has_begun = record
            .began
            .is_some_and(|told| told.at.saturating_add(quiet) <= time);
        has_begun && !record.last(depends_on, |told| told.at.saturating_add(quiet) >= time)
    }

    fn tell(&self, at: Duration, number: u64, tell: impl FnOnce(&mut Record, Told)) {
        let mut record = write(&self.record);
        let mark = Mark(self.told.load(Ordering::Acquire) + 1);
        tell(&mut record, Told { mark, at, number });
        self.told.store(mark.0, Ordering::Release);
    }
}

impl Record {
    /// Whether that is so of the reset, or of the last change to one of these.
    fn last(&self, depends_on: &[Entity], is_so: impl Fn(&Told) -> bool) -> bool {
        self.reset.as_ref().is_some_and(&is_so)
            || depends_on
                .iter()
                .any(|entity| self.by_entity.get(entity).is_some_and(&is_so))
    }

    fn reset(&mut self, told: Told) {
        self.by_entity.clear();
        self.in_order.clear();
        self.reset = Some(told);
        self.began_with = told.number;
    }

    /// Drops what is of no use any more, and what is too much. Verdicts that would still have needed it count as changed.
    fn forget_oldest(&mut self, told: Told, kept: Duration) {
        let longest = kept.max(OF_USE_TO_TOKENS);
        while let Some(oldest) = self.in_order.first_entry() {
            let Some(noted) = self.by_entity.get(oldest.get()).copied() else {
                oldest.remove();
                continue;
            };
            let age = told.at.saturating_sub(noted.at);
            if age <= longest && self.by_entity.len() <= MOST {
                break;
            }
            self.by_entity.remove(&oldest.remove());
            self.began_with = self.began_with.max(noted.number);
            if age <= kept {
                self.reset(told);
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_model::{KeyId, UserId, WorkspaceId};
    use uuid::Uuid;

    use super::*;

    fn key(number: u128) -> Entity {
        Entity::Key(KeyId::from_uuid(Uuid::from_u128(number)))
    }

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_change_counts_for_what_was_asked_for_before_it() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        assert!(!changes.may_have_changed(&[key(1)], before));
        changes.note(key(1), at(100), NO_NUMBER);
        assert!(changes.is_overtaken(&[key(2), key(1)], before));
        assert!(!changes.is_overtaken(&[key(2)], before));
        // At the very same time, but asked for afterwards.
        assert!(!changes.is_overtaken(&[key(1)], changes.mark()));
        changes.begin(at(100), NO_NUMBER);
        assert!(changes.may_have_changed(&[key(2)], before));
        assert!(!changes.is_overtaken(&[key(2)], before));
    }

    #[test]
    fn a_key_and_a_person_and_a_workspace_are_three() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        let number = Uuid::from_u128(7);
        changes.note(Entity::User(UserId::from_uuid(number)), at(0), NO_NUMBER);
        assert!(!changes.is_overtaken(&[key(7)], before));
        assert!(!changes.is_overtaken(&[Entity::Workspace(WorkspaceId::from_uuid(number))], before));
    }

    #[test]
    fn changes_are_kept_as_long_as_they_matter() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        changes.note(key(1), at(100), NO_NUMBER);
        changes.note(key(2), at(200), NO_NUMBER);
        changes.note(key(1), at(300), NO_NUMBER);
        changes.note(key(3), at(17 * 60_000 + 250), NO_NUMBER);
        assert!(!changes.is_overtaken(&[key(2)], before));
        assert!(changes.is_overtaken(&[key(1)], before));
        changes.reset(at(18 * 60_000), NO_NUMBER);
        assert!(changes.is_overtaken(&[], before));
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_settled() {
        let changes = Changes::new(at(60_000));
        assert!(
            !changes.was_settled(&[], at(5_000), at(1_000)),
            "nothing was told yet"
        );
        changes.begin(at(0), NO_NUMBER);
        changes.note(key(1), at(5_000), NO_NUMBER);
        assert!(!changes.was_settled(&[key(1)], at(6_000), at(1_000)));
        assert!(changes.was_settled(&[key(2)], at(6_000), at(1_000)));
        assert!(changes.was_settled(&[key(1)], at(6_001), at(1_000)));
    }

    #[test]
    fn too_many_changes_count_for_everything() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        for number in 0..100_001 {
            changes.note(key(number), at(5_000), NO_NUMBER);
        }
        assert!(changes.is_overtaken(&[], before));
    }

    #[cfg(feature = "tokens")]
    const SKEW: i64 = 60_000_000;

    /// Whether nothing has changed for something that was issued at a time, in milliseconds, with the last change known.
    #[cfg(feature = "tokens")]
    fn are_left_alone(changes: &Changes, entities: &[Entity], change: u64, issued_at: i64, now: u64) -> bool {
        let age = (i64::try_from(now).unwrap() - issued_at) * 1_000;
        let skew = SKEW;
        changes.have_left_alone(entities, Issued { change, age, skew }, at(now))
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn a_history_begins_with_a_number_and_tells_what_has_changed_after_another() {
        let changes = Changes::new(at(1_000));
        let left_alone =
            |change, entities: &[Entity]| are_left_alone(&changes, entities, change, 1_000, 1_000);
        let both = [key(1), key(9)];
        assert!(!left_alone(1_000, &both), "nothing has begun");
        changes.begin(at(0), 40);
        assert!(!left_alone(39, &both));
        assert!(left_alone(40, &both));
        changes.note(key(1), at(10), 41);
        changes.note(key(3), at(20), 42);
        assert!(!left_alone(40, &both));
        assert!(left_alone(41, &both));
        assert!(left_alone(40, &[key(2)]));
        changes.note(key(9), at(30), NO_NUMBER);
        assert!(
            !left_alone(1_000, &both),
            "a change without a number is after all"
        );
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn a_history_begins_anew_with_a_reset_and_only_for_what_was_issued_clearly_after_it() {
        let changes = Changes::new(at(1_000));
        changes.begin(at(0), 40);
        changes.reset(at(100_000), 20);
        let left_alone = |change, issued_at| are_left_alone(&changes, &[key(1)], change, issued_at, 170_000);
        assert!(!left_alone(50, 99_000));
        assert!(!left_alone(50, 159_000));
        assert!(left_alone(50, 160_000));
        assert!(!left_alone(19, 160_000));
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn a_history_begins_with_the_next_sign_of_life_where_a_reset_has_no_number() {
        let changes = Changes::new(at(1_000));
        changes.begin(at(0), 40);
        changes.reset(at(0), NO_NUMBER);
        let left_alone = || are_left_alone(&changes, &[key(1)], 60, 100_000, 100_000);
        assert!(!left_alone());
        changes.are_known_up_to(50);
        assert!(left_alone());
        changes.are_known_up_to(70);
        assert!(left_alone());
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn what_came_in_clearly_after_the_issue_counts_whatever_its_number() {
        let changes = Changes::new(at(1_000));
        changes.begin(at(0), 10);
        changes.note(key(1), at(100_000), 20);
        assert!(are_left_alone(&changes, &[key(1)], 1_000, 40_000, 200_000));
        assert!(!are_left_alone(&changes, &[key(1)], 1_000, 39_999, 200_000));
        // Issued by a clock that is ahead.
        assert!(are_left_alone(&changes, &[key(1)], 1_000, 260_000, 200_000));
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn a_history_begins_no_earlier_than_with_what_it_has_dropped() {
        let minutes = 60_000;
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        changes.begin(at(0), 0);
        changes.note(key(1), at(0), 7);
        changes.note(key(2), at(17 * minutes + 1), 8);
        let left_alone = |change| are_left_alone(&changes, &[key(3)], change, 18 * 60_000, 18 * minutes);
        assert!(!left_alone(6));
        assert!(left_alone(7));
        for number in 9..=100_008_u32 {
            changes.note(key(number.into()), at(17 * minutes + 2_000), number.into());
        }
        assert!(!left_alone(7));
        assert!(left_alone(8));
        assert!(
            !changes.is_overtaken(&[key(3)], before),
            "remembered verdicts need what was dropped no more"
        );
    }
}
