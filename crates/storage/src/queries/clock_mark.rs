//! The latest time that a server over this database has seen, so that time does not go back over a restart.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;
use tigertrust_accounts::{FlowError, format_rfc3339};
use tigertrust_credentials::{SteadyClock, ports::StoreError};
use tigertrust_model::{Act, AuditAction, AuditEntry, Chain, Clock, FieldChange, Timestamp};

use super::{
    Connection, Store, Written, applied_migrations,
    schema::{clock_mark, nodes},
};
use crate::{
    error::OrUnavailable,
    migrations::{Mark, MigrationError},
    storage::ClockMark,
    types::StoredTime,
};

/// There is one row.
const ROW: i32 = 1;
/// What no row says: that it was not read yet.
const UNKNOWN: i64 = -1;
/// Clocks that differ by less are not worth a refusal.
const DIFFERS: Duration = Duration::from_secs(1);

/// The clock of a store, and what it knows of the mark.
pub(super) struct MarkedClock {
    clock: Arc<SteadyClock>,
    resets: AtomicI64,
    /// Whether the database was out of reach: it may have been moved meanwhile.
    was_lost: AtomicBool,
}

impl MarkedClock {
    pub(super) const fn new(clock: Arc<SteadyClock>) -> Self {
        Self {
            clock,
            resets: AtomicI64::new(UNKNOWN),
            was_lost: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Has whoever comes next look whether the database is still to be worked on.
    pub(super) fn was_lost(&self) {
        self.was_lost.store(true, Ordering::SeqCst);
    }

    /// Reads the mark before anything else is read. Whoever has looked at the clock before that, and found it behind, has to ask
    /// again: what it took for valid may have expired.
    pub(super) async fn learn(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let is_known = AtomicI64::load(&self.resets, Ordering::Relaxed) != UNKNOWN;
        if is_known && !self.was_lost.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        // Beside a move nobody was let in who looked; whoever could not look then comes by here, and who was cut off from the database.
        if let Err(refusal) = ensure_unmarked(connection).await {
            self.was_lost();
            return Err(refusal);
        }
        if is_known {
            return Ok(());
        }
        let before = self.now();
        self.follow(read(connection).await?);
        if self.now().saturating_sub(DIFFERS) > before {
            return Err(StoreError::unavailable(
                "the clock of this machine was found to be behind the latest time that a server has seen: ask again",
            ));
        }
        Ok(())
    }

    /// Never goes back behind the mark, unless that was taken back since it was last read.
    fn follow(&self, mark: ClockMark) {
        let known = self.resets.swap(mark.resets, Ordering::Relaxed);
        if known == UNKNOWN || known == mark.resets {
            self.clock.raise(mark.latest);
        } else {
            self.clock.reset(mark.latest);
        }
    }
}

async fn ensure_unmarked(connection: &mut Connection) -> Result<(), StoreError> {
    let applied = applied_migrations(connection).await.or_unavailable()?;
    match Mark::among(&applied) {
        Some(mark) => Err(StoreError::unavailable(MigrationError::from(mark))),
        None => Ok(()),
    }
}

async fn read(connection: &mut Connection) -> Result<ClockMark, StoreError> {
    let (resets, latest): (i64, StoredTime) = clock_mark::table
        .find(ROW)
        .select((clock_mark::resets, clock_mark::latest))
        .first(connection)
        .await
        .or_unavailable()?;
    let latest = latest
        .read()
        .ok_or_else(|| StoreError::unavailable("clock_mark.latest holds no time"))?;
    Ok(ClockMark { resets, latest })
}

impl Store {
    pub(super) async fn take_up_time(&self) -> Result<(), StoreError> {
        let marked = Arc::clone(&self.clock);
        self.read_untimed(move |connection| {
            Box::pin(async move {
                marked.follow(read(connection).await?);
                Ok(())
            })
        })
        .await
    }

    pub(super) async fn keep_time(&self) -> Result<(), StoreError> {
        let marked = Arc::clone(&self.clock);
        self.write_alone(move |connection| {
            Box::pin(async move {
                let now = StoredTime::new(marked.now());
                let known = AtomicI64::load(&marked.resets, Ordering::Relaxed);
                let earlier = clock_mark::table
                    .find(ROW)
                    .filter(clock_mark::resets.eq(known))
                    .filter(clock_mark::latest.lt(now));
                diesel::update(earlier)
                    .set(clock_mark::latest.eq(now))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                marked.follow(read(connection).await?);
                Ok(())
            })
        })
        .await
    }

    pub(super) async fn clock_mark(&self) -> Result<ClockMark, StoreError> {
        self.read(|connection| Box::pin(read(connection))).await
    }

    pub(super) async fn reset_clock_mark(&self, act: Act) -> Result<ClockMark, FlowError> {
        let machine = self.clock.clock.machine();
        // The entry is to bear the time that counts from now on.
        self.clock.clock.reset(machine);
        self.write(move |connection| {
            Box::pin(async move {
                let row = clock_mark::table.find(ROW);
                diesel::update(row)
                    .set((
                        clock_mark::resets.eq(clock_mark::resets + 1),
                        clock_mark::latest.eq(StoredTime::new(machine)),
                    ))
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                // What servers said at the wrong time says nothing: who runs says it again.
                diesel::delete(nodes::table)
                    .execute(connection)
                    .await
                    .or_unavailable()?;
                let mark = read(connection).await?;
                let entry = AuditEntry::new(AuditAction::ClockReset, Chain::Instance, &act)
                    .changing([FieldChange::set("latest", format_rfc3339(machine))]);
                Ok(Written::quietly(mark).logging([entry]))
            })
        })
        .await
    }
}
