//! The latest changes in order, for those who follow them over the network.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tigertrust_model::Change;
use tokio::sync::watch;

use crate::ports::ChangeListener;

/// How many changes are kept. Who is further behind has to ask the database.
const KEPT: usize = 4096;

/// The latest changes of this node's database. It listens beside the [`ChangeTracker`](crate::ChangeTracker).
pub struct RecentChanges {
    recent: Mutex<Recent>,
    head: watch::Sender<Option<u64>>,
}

struct Recent {
    is_closed: bool,
    /// The number of the latest change; none before the feed was first heard.
    head: Option<u64>,
    /// Ends with the head, without gaps.
    changes: VecDeque<Change>,
}

/// What came after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// These changes, oldest first; perhaps none yet.
    Changes(Vec<Change>),
    /// What is not kept here: only the [`ChangeLog`](crate::ports::ChangeLog) may know.
    Older,
    /// Nothing, since there has been no such change: the database is an older copy of itself.
    Unheard,
}

impl RecentChanges {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let recent = Recent {
            is_closed: false,
            head: None,
            changes: VecDeque::new(),
        };
        Self {
            recent: Mutex::new(recent),
            head: watch::Sender::new(None),
        }
    }

    /// The number of the latest change, to be watched; none before the feed was first heard.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Option<u64>> {
        self.head.subscribe()
    }

    /// What came after the change of that number.
    #[must_use]
    pub fn after(&self, last: u64) -> After {
        let recent = self.recent();
        let Some(behind) = recent.head.map(|head| head.checked_sub(last)) else {
            return After::Older;
        };
        let Some(behind) = behind.map(|behind| usize::try_from(behind).unwrap_or(usize::MAX)) else {
            return After::Unheard;
        };
        match recent.changes.len().checked_sub(behind) {
            Some(skip) => After::Changes(recent.changes.iter().skip(skip).copied().collect()),
            None => After::Older,
        }
    }

    /// Tells those who follow that this node stops.
    pub fn close(&self) {
        self.recent().is_closed = true;
        self.head.send_modify(|_| {});
    }

    /// Whether the node stops, so that nobody should follow it any longer.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.recent().is_closed
    }

    // Every step leaves the list consistent.
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RecentChanges {
    fn default() -> Self {
        Self::new()
    }
}

impl ChangeListener for RecentChanges {
    fn apply(&self, changes: &[Change]) {
        let mut recent = self.recent();
        let before = recent.head;
        for change in changes {
            // The node's own writes are told at once and may run ahead; the feed tells all of them in order.
            if recent.head.is_some_and(|head| head + 1 == change.seq) {
                recent.head = Some(change.seq);
                recent.changes.push_back(*change);
            }
        }
        let surplus = recent.changes.len().saturating_sub(KEPT);
        recent.changes.drain(..surplus);
        if recent.head != before {
            self.head.send_replace(recent.head);
        }
    }

    fn reset(&self, head: u64) {
        let mut recent = self.recent();
        recent.head = Some(head);
        recent.changes.clear();
        self.head.send_replace(recent.head);
    }

    fn caught_up(&self, _: Duration) {}
}

/// Tells two, one after the other.
impl<A: ChangeListener, B: ChangeListener> ChangeListener for (Arc<A>, Arc<B>) {
    fn apply(&self, changes: &[Change]) {
        self.0.apply(changes);
        self.1.apply(changes);
    }

    fn reset(&self, head: u64) {
        self.0.reset(head);
        self.1.reset(head);
    }

    fn caught_up(&self, as_of: Duration) {
        self.0.caught_up(as_of);
        self.1.caught_up(as_of);
    }
}

impl fmt::Debug for RecentChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentChanges")
            .field("head", &self.recent().head)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tigertrust_model::{Entity, KeyId};
    use uuid::Uuid;

    use super::*;

    fn change(seq: u64) -> Change {
        Change {
            seq,
            entity: Entity::Key(KeyId::from_uuid(Uuid::from_u128(u128::from(seq)))),
            workspace: None,
        }
    }

    fn numbers(after: After) -> Vec<u64> {
        match after {
            After::Changes(changes) => changes.iter().map(|change| change.seq).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn changes_are_kept_in_order_whatever_runs_ahead() {
        let recent = RecentChanges::new();
        recent.apply(&[change(1)]);
        assert_eq!(recent.after(0), After::Older);
        recent.reset(4);
        recent.apply(&[change(6)]);
        recent.apply(&[change(5), change(6), change(7)]);
        recent.apply(&[change(6)]);
        assert_eq!(numbers(recent.after(4)), [5, 6, 7]);
        assert_eq!(numbers(recent.after(6)), [7]);
        assert_eq!(numbers(recent.after(7)), [0; 0]);
        assert_eq!(recent.after(3), After::Older);
        assert_eq!(recent.after(8), After::Unheard);
        assert_eq!(*recent.head().borrow(), Some(7));
    }

    #[test]
    fn no_more_is_kept_than_is_said() {
        let recent = RecentChanges::new();
        recent.reset(0);
        let last = u64::try_from(KEPT).unwrap() + 10;
        recent.apply(&(1..=last).map(change).collect::<Vec<_>>());
        assert_eq!(recent.after(9), After::Older);
        assert_eq!(numbers(recent.after(10)).len(), KEPT);
    }
}
