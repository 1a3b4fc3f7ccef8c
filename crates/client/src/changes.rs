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

/// More changes than this within the time that they are kept, and all counts as changed.
const MOST: usize = 100_000;

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
}

#[derive(Debug, Default)]
struct Record {
    by_entity: HashMap<Entity, Told>,
    in_order: BTreeMap<Mark, Entity>,
    reset: Option<Told>,
    /// From when on changes are told; of those before nothing is known.
    began: Option<Told>,
}

impl Changes {
    /// Changes are kept as long as anything may be in use that was asked for before them.
    pub(crate) fn new(kept: Duration) -> Self {
        Self {
            kept,
            told: AtomicU64::new(0),
            record: RwLock::default(),
        }
    }

    /// This moment. Take it before you ask.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.told.load(Ordering::Acquire))
    }

    /// Something has changed.
    pub(crate) fn note(&self, entity: Entity, now: Duration) {
        self.tell(now, |record, told| {
            if let Some(before) = record.by_entity.insert(entity, told) {
                record.in_order.remove(&before.mark);
            }
            record.in_order.insert(told.mark, entity);
            record.forget_before(now.saturating_sub(self.kept));
            if record.by_entity.len() > MOST {
                record.reset(told);
            }
        });
    }

    /// Anything may have changed.
    pub(crate) fn reset(&self, now: Duration) {
        self.tell(now, Record::reset);
    }

    /// From now on changes are told.
    pub(crate) fn begin(&self, now: Duration) {
        self.tell(now, |record, told| record.began = Some(told));
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

    fn tell(&self, at: Duration, tell: impl FnOnce(&mut Record, Told)) {
        let mut record = write(&self.record);
        let mark = Mark(self.told.load(Ordering::Acquire) + 1);
        tell(&mut record, Told { mark, at });
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
    }

    fn forget_before(&mut self, time: Duration) {
        while let Some(oldest) = self.in_order.first_entry() {
            if self
                .by_entity
                .get(oldest.get())
                .is_some_and(|told| told.at >= time)
            {
                break;
            }
            let entity = oldest.remove();
            self.by_entity.remove(&entity);
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
        changes.note(key(1), at(100));
        assert!(changes.is_overtaken(&[key(2), key(1)], before));
        assert!(!changes.is_overtaken(&[key(2)], before));
        // At the very same time, but asked for afterwards.
        assert!(!changes.is_overtaken(&[key(1)], changes.mark()));
        changes.begin(at(100));
        assert!(changes.may_have_changed(&[key(2)], before));
        assert!(!changes.is_overtaken(&[key(2)], before));
    }

    #[test]
    fn a_key_and_a_person_and_a_workspace_are_three() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        let number = Uuid::from_u128(7);
        changes.note(Entity::User(UserId::from_uuid(number)), at(0));
        assert!(!changes.is_overtaken(&[key(7)], before));
        assert!(!changes.is_overtaken(&[Entity::Workspace(WorkspaceId::from_uuid(number))], before));
    }

    #[test]
    fn changes_are_kept_as_long_as_they_matter() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        changes.note(key(1), at(100));
        changes.note(key(2), at(200));
        changes.note(key(1), at(300));
        changes.note(key(3), at(1_250));
        assert!(!changes.is_overtaken(&[key(2)], before));
        assert!(changes.is_overtaken(&[key(1)], before));
        changes.reset(at(1_300));
        assert!(changes.is_overtaken(&[], before));
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_settled() {
        let changes = Changes::new(at(60_000));
        assert!(
            !changes.was_settled(&[], at(5_000), at(1_000)),
            "nothing was told yet"
        );
        changes.begin(at(0));
        changes.note(key(1), at(5_000));
        assert!(!changes.was_settled(&[key(1)], at(6_000), at(1_000)));
        assert!(changes.was_settled(&[key(2)], at(6_000), at(1_000)));
        assert!(changes.was_settled(&[key(1)], at(6_001), at(1_000)));
    }

    #[test]
    fn too_many_changes_count_for_everything() {
        let changes = Changes::new(at(1_000));
        let before = changes.mark();
        for number in 0..100_001 {
            changes.note(key(number), at(5_000));
        }
        assert!(changes.is_overtaken(&[], before));
    }
}
