//! Refusals: those that are told at once, and those of which there may be many.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tigertrust_credentials::{
    ClientNetwork,
    ports::{StoreError, UsageBatch, UsageCount, UsageStore},
};
use tigertrust_model::{Act, AuditAction, AuditEntry, AuditTarget, Chain, Origin, Outcome, Principal};

use super::AuditStore;

/// How many different refusals are kept apart until they are stored; those beyond are counted without their address.
const MAX_KINDS: usize = 10_000;
/// How many are stored in one transaction.
const BATCH: usize = 200;

/// What makes two refusals the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    chain: Chain,
    action: AuditAction,
    actor: Option<String>,
    credential: Option<String>,
    target: Option<String>,
    code: Option<String>,
    network: ClientNetwork,
}

impl Kind {
    fn of(entry: &AuditEntry) -> Self {
        Self {
            chain: entry.chain,
            action: entry.action,
            actor: entry.act.by.id(),
            credential: entry.act.by.credential(),
            target: entry.target.as_ref().map(|target| target.id.clone()),
            code: entry.code.clone(),
            network: ClientNetwork::of(entry.act.from.address),
        }
    }
}

/// Logs what was refused. Whoever is refused often is logged once a minute, with the number.
#[derive(Clone)]
pub struct RefusalLog {
    store: Arc<dyn AuditStore>,
    waiting: Arc<Mutex<HashMap<Kind, AuditEntry>>>,
}

impl RefusalLog {
    /// A log that ends in the store.
    #[must_use]
    pub fn new(store: Arc<dyn AuditStore>) -> Self {
        Self {
            store,
            waiting: Arc::default(),
        }
    }

    /// Logs a refusal at once. Whether that succeeds or not, it is refused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn append(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.store.append_audit(vec![entry]).await
    }

    /// Counts a refusal, to be stored with others like it.
    pub fn count(&self, mut entry: AuditEntry) {
        let mut waiting = self.waiting();
        if waiting.len() >= MAX_KINDS && !waiting.contains_key(&Kind::of(&entry)) {
            entry.act.from = Origin::default();
        }
        let kind = Kind::of(&entry);
        waiting
            .entry(kind)
            .and_modify(|known| known.count = known.count.saturating_add(entry.count))
            .or_insert(entry);
    }

    /// Stores what was counted. What cannot be stored is kept for the next time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        let mut by_chain: BTreeMap<Chain, Vec<AuditEntry>> = BTreeMap::new();
        for entry in std::mem::take(&mut *self.waiting()).into_values() {
            by_chain.entry(entry.chain).or_default().push(entry);
        }
        let mut failed = Ok(());
        // A chain that cannot be written on holds up no other.
        for entries in by_chain.into_values() {
            for batch in entries.chunks(BATCH) {
                if let Err(error) = self.store.append_audit(batch.to_vec()).await {
                    batch.iter().cloned().for_each(|entry| self.count(entry));
                    failed = Err(error);
                }
            }
        }
        failed
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Kind, AuditEntry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores how often keys were used, and has the log say which of them were refused.
pub struct LoggedUsage {
    store: Arc<dyn UsageStore>,
    refusals: RefusalLog,
}

impl LoggedUsage {
    /// Over a store and a log.
    #[must_use]
    pub const fn new(store: Arc<dyn UsageStore>, refusals: RefusalLog) -> Self {
        Self { store, refusals }
    }
}

#[async_trait]
impl UsageStore for LoggedUsage {
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError> {
        let refused: Vec<UsageCount> = batch
            .counts
            .iter()
            .filter(|count| count.outcome != Outcome::Valid)
            .cloned()
            .collect();
        self.store.add_usage(batch).await?;
        for count in refused {
            let act = Act {
                by: Principal::Key {
                    id: count.key,
                    owner: None,
                },
                from: Origin::default(),
            };
            let entry = AuditEntry::new(AuditAction::KeyRefused, count.home, &act)
                .on(count.key)
                .refused(count.outcome.as_str())
                .times(count.calls);
            self.refusals.count(entry);
        }
        Ok(())
    }
}

impl fmt::Debug for LoggedUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedUsage").finish_non_exhaustive()
    }
}

impl fmt::Debug for RefusalLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusalLog").finish_non_exhaustive()
    }
}

/// A request for a change that was refused.
#[derive(Clone, Debug)]
pub struct RefusedRequest {
    /// The operation: its method and the pattern of its path.
    pub operation: String,
    /// Why: the code of the answer.
    pub code: String,
}

impl RefusedRequest {
    /// As the log says it.
    #[must_use]
    pub fn entry(self, chain: Chain, act: &Act) -> AuditEntry {
        AuditEntry::new(AuditAction::RequestRefused, chain, act)
            .on(AuditTarget::new("operation", self.operation))
            .refused(self.code)
    }
}
