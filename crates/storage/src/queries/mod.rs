//! The queries: one text, mounted once under each engine's module. `super` is the engine, with its schema, its
//! connection and what it does in a way of its own.

mod accounts;
mod audit;
mod audit_entries;
mod audit_of_person;
mod audit_outgoing;
mod audit_rows;
mod audit_store;
mod budgets;
mod changes;
mod clock_mark;
mod factors;
mod feed;
mod inspection;
mod invitations;
mod key_filter;
mod key_import;
mod keys;
mod lookups;
mod mail_tokens;
mod members;
mod nodes;
mod passkeys;
mod pool;
mod profile;
mod prune;
mod requests;
mod rows;
mod schema_state;
mod scim;
mod secret_uses;
mod sessions;
mod sign_in;
mod spends;
mod sso_arrival;
mod sso_connections;
mod sso_domains;
mod sso_sign_in;
mod standing;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod statements;
mod trust_rules;
mod usage;
mod usage_history;
mod uses;
mod webhook_outbox;
mod webhooks;

use std::sync::Arc;

use async_trait::async_trait;
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};
use futures_util::future::BoxFuture;
use tigertrust_accounts::FlowError;
use tigertrust_credentials::ports::{ChangeListener, StoreError};
use tigertrust_model::{
    Act, AuditAction, AuditEntry, AuditOutcome, Change, Entity, Granularity, Timestamp, WorkspaceId,
};
use tracing::Instrument;

use self::{audit::Auditor, clock_mark::MarkedClock};
pub(crate) use self::{
    changes::leap,
    pool::{Access, Pool},
    schema_state::applied_migrations,
    usage::CountRow,
    uses::UseRow,
};
use super::{
    Connection, Pools, Settings, add_counts, begin_write, execute_all, note_uses, schema, within_deadline,
};
use crate::{
    Dependent, SealedSample, SecretUse,
    audit_counts::AuditCounts,
    error::OrUnavailable,
    migrations::Known,
    storage::{ClockMark, Connections, Engine, StorageParts},
    tasks::Tasks,
};

/// The ports over one database.
pub(crate) struct Store {
    settings: Arc<Settings>,
    pools: Pools,
    tasks: Tasks,
    listener: Arc<dyn ChangeListener>,
    clock: Arc<MarkedClock>,
    auditor: Arc<Auditor>,
}

/// What came out of a unit of work that writes.
struct Written<T> {
    value: T,
    /// What caches have to hear of, and whose workspace it is the business of.
    changed: Vec<(Entity, Option<WorkspaceId>)>,
    /// What the audit log has to say of it.
    logged: Vec<AuditEntry>,
}

impl<T> Written<T> {
    /// Nobody can have cached what was written.
    const fn quietly(value: T) -> Self {
        Self::telling(Vec::new(), value)
    }

    /// Caches have to hear of all that.
    const fn telling(changed: Vec<(Entity, Option<WorkspaceId>)>, value: T) -> Self {
        Self {
            value,
            changed,
            logged: Vec::new(),
        }
    }

    fn changing(entity: Entity, workspace: Option<WorkspaceId>, value: T) -> Self {
        Self::telling(vec![(entity, workspace)], value)
    }

    /// Has the audit log say so: if it cannot, nothing was written.
    fn logging(mut self, entries: impl IntoIterator<Item = AuditEntry>) -> Self {
        self.logged.extend(entries);
        self
    }
}

impl Store {
    /// A store whose connections are made when they are first wanted.
    pub(crate) fn new(settings: Settings, tasks: Tasks, parts: StorageParts) -> Self {
        let StorageParts {
            clock,
            random,
            listener,
            audit: ring,
            ..
        } = parts;
        let settings = Arc::new(settings);
        // The pools start tasks of their own.
        let _runtime = tasks.runtime().enter();
        Self {
            pools: Pools::new(&settings),
            settings,
            tasks,
            listener,
            clock: Arc::new(MarkedClock::new(clock)),
            auditor: Arc::new(Auditor {
                ring,
                random,
                counts: AuditCounts::default(),
            }),
        }
    }

    /// Reads.
    async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        self.run(Access::Read, work).await
    }

    /// Writes what no cache has to hear of, in one statement at the end.
    async fn write_alone<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        self.run(Access::Write, work).await
    }

    /// Writes in one transaction: all of `work`, or nothing. Its change is told to the caches of this node before the
    /// caller gets an answer.
    async fn write<T, W>(&self, work: W) -> Result<T, FlowError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<Written<T>, FlowError>>
            + Send
            + 'static,
    {
        let (listener, auditor) = (Arc::clone(&self.listener), Arc::clone(&self.auditor));
        let clock = Arc::clone(&self.clock);
        self.run(Access::Write, move |connection| {
            Box::pin(transaction(connection, work, clock.now(), listener, auditor))
        })
        .await
    }

    /// Writes in one transaction what no cache has to hear of: all of `work`, or nothing.
    async fn write_unheard<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        self.write_undecided(move |connection| {
            Box::pin(async move { Ok(Written::quietly(work(connection).await?)) })
        })
        .await
    }

    /// As [`write`](Self::write), for what nothing but storage can refuse.
    async fn write_undecided<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<Written<T>, StoreError>>
            + Send
            + 'static,
    {
        let written = self
            .write(move |connection| Box::pin(async move { Ok(work(connection).await?) }))
            .await;
        written.map_err(|error| match error {
            FlowError::Store(error) => error,
            other => StoreError::unavailable(other),
        })
    }

    /// Reads without knowing the time that others have seen: for what has nothing to do with time, and may come before the schema.
    async fn read_untimed<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        self.run_untimed(Access::Read, work).await
    }

    async fn run<T, E, W>(&self, access: Access, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let clock = Arc::clone(&self.clock);
        self.run_untimed(access, move |connection| {
            Box::pin(async move {
                clock.learn(connection).await?;
                work(connection).await
            })
        })
        .await
    }

    async fn run_untimed<T, E, W>(&self, access: Access, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let pool = match access {
            Access::Read => self.pools.readers().clone(),
            Access::Write => self.pools.writers().clone(),
        };
        let settings = Arc::clone(&self.settings);
        let running = async move {
            let mut connection = pool.get().await?;
            within_deadline(&settings, &mut connection, work).await
        };
        self.tasks.run(running.instrument(access.span())).await?
    }
}

async fn transaction<T, W>(
    connection: &mut Connection,
    work: W,
    now: Timestamp,
    listener: Arc<dyn ChangeListener>,
    auditor: Arc<Auditor>,
) -> Result<T, FlowError>
where
    T: Send + 'static,
    W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<Written<T>, FlowError>> + Send + 'static,
{
    type Manager = <Connection as AsyncConnection>::TransactionManager;

    begin_write(connection).await.or_unavailable()?;
    let done = match work(connection).await {
        Err(error) => Err(error),
        Ok(Written {
            value,
            changed,
            logged,
        }) => conclude(connection, changed, logged, now, &auditor)
            .await
            .map(|changes| (value, changes))
            .map_err(FlowError::from),
    };
    match done {
        Err(error) => {
            // If this fails too, the pool sees that a transaction is open and drops the connection.
            let _ = Manager::rollback_transaction(connection).await;
            Err(error)
        }
        Ok((value, changes)) => {
            Manager::commit_transaction(connection).await.or_unavailable()?;
            if !changes.is_empty() {
                listener.apply(&changes);
            }
            Ok(value)
        }
    }
}

/// Logs and numbers what was done. Other acts in the same workspaces wait from the first of these to the commit, and every other
/// change from the second: so both come last.
async fn conclude(
    connection: &mut Connection,
    changed: Vec<(Entity, Option<WorkspaceId>)>,
    logged: Vec<AuditEntry>,
    now: Timestamp,
    auditor: &Auditor,
) -> Result<Vec<Change>, StoreError> {
    audit::append(connection, auditor, logged, now).await?;
    changes::number(connection, &changed, now).await
}

#[async_trait]
impl Engine for Store {
    async fn ping(&self) -> Result<(), StoreError> {
        self.read_untimed(|connection| {
            Box::pin(async move {
                diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"))
                    .execute(connection)
                    .await
                    .or_unavailable()
                    .map(|_| ())
            })
        })
        .await
    }

    async fn applied_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.read_untimed(|connection| {
            Box::pin(async move { applied_migrations(connection).await.or_unavailable() })
        })
        .await
    }

    async fn facts(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        Self::facts(self).await
    }

    async fn try_to_write(&self) -> Result<(), StoreError> {
        Self::try_to_write(self).await
    }

    async fn hears_itself(&self) -> Result<bool, StoreError> {
        super::hears_itself(&self.settings).await
    }

    async fn take_up_time(&self) -> Result<(), StoreError> {
        Self::take_up_time(self).await
    }

    async fn keep_time(&self) -> Result<(), StoreError> {
        Self::keep_time(self).await
    }

    async fn clock_mark(&self) -> Result<ClockMark, StoreError> {
        Self::clock_mark(self).await
    }

    async fn reset_clock_mark(&self, act: Act) -> Result<ClockMark, FlowError> {
        Self::reset_clock_mark(self, act).await
    }

    fn connections(&self) -> Connections {
        self.pools.connections()
    }

    fn audited(&self) -> Vec<(AuditAction, AuditOutcome, u64)> {
        self.auditor.counts.read()
    }

    fn found_tampered(&self) -> u64 {
        self.auditor.counts.tampered()
    }

    fn known_migrations(&self) -> Vec<Known> {
        super::migrations::known()
    }

    async fn secret_uses(&self) -> Result<Vec<SecretUse>, StoreError> {
        Self::secret_uses(self).await
    }

    async fn sealed_under(&self, key: String) -> Result<Vec<SealedSample>, StoreError> {
        Self::sealed_under(self, key).await
    }

    async fn secrets_in_use(&self) -> Result<Vec<(Dependent, String)>, StoreError> {
        Self::secrets_in_use(self).await
    }

    async fn prune_changes(&self, older_than: Timestamp, batch: u32) -> Result<u64, StoreError> {
        self.prune(older_than, batch).await
    }

    async fn prune_sign_ins(&self, at: Timestamp, batch: u32) -> Result<(), StoreError> {
        Self::prune_sign_ins(self, at, batch).await
    }

    async fn prune_usage(
        &self,
        granularity: Granularity,
        older_than: Timestamp,
        batch: u32,
    ) -> Result<u64, StoreError> {
        Self::prune_usage(self, granularity, older_than, batch).await
    }

    async fn forget_requests(&self, older_than: Timestamp) -> Result<(), StoreError> {
        Self::forget_requests(self, older_than).await
    }

    fn feed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.follow().await })
    }
}
