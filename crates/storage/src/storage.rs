//! One database, whichever engine.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tigertrust_accounts::{
    FlowError,
    audit::AuditStore,
    ports::{
        AccountStore, InvitationStore, KeyStore, MailTokenStore, MemberStore, PasskeyStore, ProfileStore,
        SignInStore, UsageHistory,
    },
    sso::SsoStore,
    trust_rules::TrustRuleStore,
    webhooks::WebhookStore,
};
use tigertrust_credentials::{
    AuditRing, EncryptionRing, Sealed, SealedPlace, SteadyClock,
    ports::{
        ChangeListener, ChangeLog, CredentialStore, SessionStore, SpendStore, StoreError, UsageStore,
        UseStore,
    },
};
use tigertrust_model::{Act, AuditAction, AuditOutcome, Granularity, RandomSource, Timestamp};
use tokio::runtime::Handle;
use tokio_util::sync::DropGuard;

#[cfg(feature = "postgres")]
use crate::postgres;
#[cfg(feature = "sqlite")]
use crate::sqlite;
use crate::{
    DatabaseUrl, OpenError, Options,
    migrations::{self, Known},
    tasks::Tasks,
    url,
};

/// What an engine does beside the ports.
#[async_trait]
pub(crate) trait Engine:
    CredentialStore
    + KeyStore
    + AccountStore
    + MemberStore
    + InvitationStore
    + ProfileStore
    + SignInStore
    + MailTokenStore
    + PasskeyStore
    + SsoStore
    + AuditStore
    + WebhookStore
    + TrustRuleStore
    + SessionStore
    + UseStore
    + UsageStore
    + UsageHistory
    + SpendStore
    + ChangeLog
{
    async fn ping(&self) -> Result<(), StoreError>;
    async fn applied_migrations(&self) -> Result<Vec<String>, StoreError>;
    async fn facts(&self) -> Result<Vec<(&'static str, String)>, StoreError>;
    async fn try_to_write(&self) -> Result<(), StoreError>;
    async fn hears_itself(&self) -> Result<bool, StoreError>;
    async fn take_up_time(&self) -> Result<(), StoreError>;
    async fn keep_time(&self) -> Result<(), StoreError>;
    async fn clock_mark(&self) -> Result<ClockMark, StoreError>;
    async fn reset_clock_mark(&self, act: Act) -> Result<ClockMark, FlowError>;
    fn connections(&self) -> Connections;
    fn audited(&self) -> Vec<(AuditAction, AuditOutcome, u64)>;
    fn found_tampered(&self) -> u64;
    fn known_migrations(&self) -> Vec<Known>;
    async fn secret_uses(&self) -> Result<Vec<SecretUse>, StoreError>;
    async fn secrets_in_use(&self) -> Result<Vec<(Dependent, String)>, StoreError>;
    async fn sealed_under(&self, key: String) -> Result<Vec<SealedSample>, StoreError>;
    async fn prune_changes(&self, older_than: Timestamp, batch: u32) -> Result<u64, StoreError>;
    async fn forget_requests(&self, older_than: Timestamp) -> Result<(), StoreError>;
    async fn prune_sign_ins(&self, at: Timestamp, batch: u32) -> Result<(), StoreError>;
    async fn prune_usage(
        &self,
        granularity: Granularity,
        older_than: Timestamp,
        batch: u32,
    ) -> Result<u64, StoreError>;
    /// Tells the listener of every change, until it is dropped.
    fn feed(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

impl url::Engine {
    pub(crate) const fn not_built_in(self) -> OpenError {
        OpenError::NotBuiltIn(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// What needs a secret of the key ring to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependent {
    /// The secret of an API key that is neither revoked nor expired: a pepper.
    ApiKey,
    /// An event of the audit log, to be verified: a pepper.
    AuditEvent,
    /// The end of a chain of the audit log, to go on: a pepper.
    AuditHead,
    /// An authenticator app: an encryption key.
    AuthenticatorApp,
    /// A connection with an identity provider: an encryption key.
    Connection,
    /// What a webhook is signed with: an encryption key.
    Webhook,
    /// A challenge that a passkey answers, for five minutes: an encryption key.
    PasskeyChallenge,
}

/// How much of something depends on a secret of the key ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// What.
    pub dependent: Dependent,
    /// The secret's id.
    pub id: String,
    /// How many rows.
    pub count: u64,
}

/// Something that is sealed, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSample {
    column: &'static str,
    row: String,
    sealed: Sealed,
}

impl SealedSample {
    pub(crate) const fn new(column: &'static str, row: String, sealed: Sealed) -> Self {
        Self { column, row, sealed }
    }

    pub(crate) fn key_id(&self) -> &str {
        self.sealed.key_id()
    }

    /// Whether the key of a ring is the one that it was sealed under, as far as the ring holds one of that id.
    #[must_use]
    pub fn opens_with(&self, ring: &EncryptionRing) -> bool {
        let place = SealedPlace {
            column: self.column,
            row: &self.row,
        };
        ring.open(&self.sealed, place).is_ok()
    }
}

/// Connections for requests; the feed has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How many are at work.
    pub in_use: u32,
    /// How many are open, and wait for work.
    pub idle: u32,
    /// How often one had to be waited for, since the program began.
    pub waited: u64,
    /// How often nobody got one in time, since the program began.
    pub timed_out: u64,
}

/// How the schema of a database compares with what this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// They are the same.
    Current,
    /// These migrations, by name, have not been run.
    Pending(Vec<String>),
    /// A newer program has run these migrations, by version. They only add, so that this program goes on working.
    Expanded(Vec<String>),
    /// A newer program has run these migrations, by version, and this one cannot work with what they changed.
    Newer(Vec<String>),
    /// An instance was being moved into the database, and not all of it is there.
    HalfMoved,
    /// The instance in the database was moved into another one, which is served in its place.
    MovedAway,
}

/// The latest time that the servers over a database have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMark {
    /// How often it was taken back.
    pub resets: i64,
    /// The time.
    pub latest: Timestamp,
}

/// What a [`Storage`] works with.
#[derive(Clone)]
pub struct StorageParts {
    /// Time. It is raised to what others over the database have seen.
    pub clock: Arc<SteadyClock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
    /// What the audit log is held together with.
    pub audit: AuditRing,
    /// Hears of the changes that are made through this storage before they are answered, and of all others through
    /// [`Storage::follow`].
    pub listener: Arc<dyn ChangeListener>,
    /// Where connections live, and whatever must not end with its caller.
    pub runtime: Handle,
}

/// One database, behind the ports of the crates that decide.
///
/// Nothing here depends on its caller: a read or write that was begun comes to its end even if the caller is dropped.
pub struct Storage {
    engine: Arc<dyn Engine>,
    tasks: Tasks,
}

impl Storage {
    /// A storage over the database. It connects when it is first asked something, so that the database need not be up
    /// yet; only a SQLite file has to be there.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(url: &DatabaseUrl, options: Options, parts: StorageParts) -> Result<Self, OpenError> {
        if options.pool_size == 0 {
            return Err(OpenError::Zero("the size of the pool"));
        }
        if options.acquire_timeout.is_zero() {
            return Err(OpenError::Zero("the time to wait for a connection"));
        }
        let tasks = Tasks::new(parts.runtime.clone());
        let engine: Arc<dyn Engine> = match url.engine() {
            #[cfg(feature = "postgres")]
            url::Engine::Postgres => {
                let settings = postgres::Settings::new(url, options);
                Arc::new(postgres::Store::new(settings, tasks.clone(), parts))
            }
            #[cfg(feature = "sqlite")]
            url::Engine::Sqlite => {
                let settings = sqlite::Settings::new(url, options)?;
                Arc::new(sqlite::Store::new(settings, tasks.clone(), parts))
            }
            #[allow(unreachable_patterns, reason = "every engine may be built in")]
            missing => return Err(missing.not_built_in()),
        };
        Ok(Self { engine, tasks })
    }

    /// What admission looks up.
    #[must_use]
    pub fn credentials(&self) -> Arc<dyn CredentialStore> {
        Arc::clone(&self.engine) as Arc<dyn CredentialStore>
    }

    /// Keys.
    #[must_use]
    pub fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::clone(&self.engine) as Arc<dyn KeyStore>
    }

    /// Trust rules of keys.
    #[must_use]
    pub fn trust_rules(&self) -> Arc<dyn TrustRuleStore> {
        Arc::clone(&self.engine) as Arc<dyn TrustRuleStore>
    }

    /// Where uses of secrets are kept.
    #[must_use]
    pub fn uses(&self) -> Arc<dyn UseStore> {
        Arc::clone(&self.engine) as Arc<dyn UseStore>
    }

    /// Where it is kept how often keys were used.
    #[must_use]
    pub fn usage(&self) -> Arc<dyn UsageStore> {
        Arc::clone(&self.engine) as Arc<dyn UsageStore>
    }

    /// How often keys were used.
    #[must_use]
    pub fn usage_history(&self) -> Arc<dyn UsageHistory> {
        Arc::clone(&self.engine) as Arc<dyn UsageHistory>
    }

    /// What is kept of rate limits while no server runs, and which servers do.
    #[must_use]
    pub fn spends(&self) -> Arc<dyn SpendStore> {
        Arc::clone(&self.engine) as Arc<dyn SpendStore>
    }

    /// The log of changes.
    #[must_use]
    pub fn changes(&self) -> Arc<dyn ChangeLog> {
        Arc::clone(&self.engine) as Arc<dyn ChangeLog>
    }

    /// People and workspaces.
    #[must_use]
    pub fn accounts(&self) -> Arc<dyn AccountStore> {
        Arc::clone(&self.engine) as Arc<dyn AccountStore>
    }

    /// Who is a member of which workspace.
    #[must_use]
    pub fn members(&self) -> Arc<dyn MemberStore> {
        Arc::clone(&self.engine) as Arc<dyn MemberStore>
    }

    /// Who is invited into which workspace.
    #[must_use]
    pub fn invitations(&self) -> Arc<dyn InvitationStore> {
        Arc::clone(&self.engine) as Arc<dyn InvitationStore>
    }

    /// People's own accounts.
    #[must_use]
    pub fn profiles(&self) -> Arc<dyn ProfileStore> {
        Arc::clone(&self.engine) as Arc<dyn ProfileStore>
    }

    /// Signing in.
    #[must_use]
    pub fn sign_ins(&self) -> Arc<dyn SignInStore> {
        Arc::clone(&self.engine) as Arc<dyn SignInStore>
    }

    /// Links in mails.
    #[must_use]
    pub fn mail_tokens(&self) -> Arc<dyn MailTokenStore> {
        Arc::clone(&self.engine) as Arc<dyn MailTokenStore>
    }

    /// Passkeys.
    #[must_use]
    pub fn passkeys(&self) -> Arc<dyn PasskeyStore> {
        Arc::clone(&self.engine) as Arc<dyn PasskeyStore>
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> Arc<dyn AuditStore> {
        Arc::clone(&self.engine) as Arc<dyn AuditStore>
    }

    /// Single sign-on.
    #[must_use]
    pub fn sso(&self) -> Arc<dyn SsoStore> {
        Arc::clone(&self.engine) as Arc<dyn SsoStore>
    }

    /// Webhooks, and the outbox of what they are to be told.
    #[must_use]
    pub fn webhooks(&self) -> Arc<dyn WebhookStore> {
        Arc::clone(&self.engine) as Arc<dyn WebhookStore>
    }

    /// Sessions, as requests look them up.
    #[must_use]
    pub fn sessions(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.engine) as Arc<dyn SessionStore>
    }

    /// Removes sessions, waiting logins, links in mails and failed proofs that are over: at most `batch` of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_sign_ins(&self, at: Timestamp, batch: u32) -> Result<(), StoreError> {
        self.engine.prune_sign_ins(at, batch).await
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.engine.ping().await
    }

    /// How many connections there are at this moment.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.engine.connections()
    }

    /// How much was written into the audit log since the program began.
    #[must_use]
    pub fn audited(&self) -> Vec<(AuditAction, AuditOutcome, u64)> {
        self.engine.audited()
    }

    /// How often nothing was done since the program began, since the end of an audit log is not as it was left.
    #[must_use]
    pub fn found_tampered(&self) -> u64 {
        self.engine.found_tampered()
    }

    /// What depends on which secret of the key ring; the ids may be of secrets that no ring holds. It counts rows one by one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn secret_uses(&self) -> Result<Vec<SecretUse>, StoreError> {
        self.engine.secret_uses().await
    }

    /// Which secrets of the key ring requests may need, and what for. It looks through less than [`secret_uses`](Self::secret_uses): keys
    /// that have ended are among those that need one, and the events of the audit log, which need one to be verified, are not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn secrets_in_use(&self) -> Result<Vec<(Dependent, String)>, StoreError> {
        self.engine.secrets_in_use().await
    }

    /// Some of what is sealed under the encryption key with the id, to see whether a key of that id is the right one: a few of
    /// authenticator apps, connections and webhooks each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sealed_under(&self, key: &str) -> Result<Vec<SealedSample>, StoreError> {
        self.engine.sealed_under(key.to_owned()).await
    }

    /// How the schema compares with what this program knows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        let applied = self.engine.applied_migrations().await?;
        Ok(migrations::compare(&self.engine.known_migrations(), &applied))
    }

    /// What the database says of itself, by name: `version` and `now`, an RFC 3339 time of the database's own clock, on both engines;
    /// `synchronous_commit`, `fsync` and `in_recovery` on PostgreSQL; `journal_mode` and `synchronous` on SQLite.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn facts(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        self.engine.facts().await
    }

    /// Tries whether the database takes writes, and leaves it as it is.
    ///
    /// # Errors
    /// [`StoreError`]: why not.
    pub async fn try_to_write(&self) -> Result<(), StoreError> {
        self.engine.try_to_write().await
    }

    /// Whether what is announced is heard: not so through a pooler that parts a session's transactions. SQLite announces nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hears_itself(&self) -> Result<bool, StoreError> {
        self.engine.hears_itself().await
    }

    /// Raises the clock to the latest time that others over the database have seen. Nothing else is read before that was done once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_up_time(&self) -> Result<(), StoreError> {
        self.engine.take_up_time().await
    }

    /// Stores how late it is, and takes from others how late it is for them: to be done every few seconds, and at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_time(&self) -> Result<(), StoreError> {
        self.engine.keep_time().await
    }

    /// The latest time that was stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock_mark(&self) -> Result<ClockMark, StoreError> {
        self.engine.clock_mark().await
    }

    /// Takes the latest time back to what the clock of this machine says, and logs that. Servers that run follow when they next
    /// [`keep_time`](Self::keep_time).
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn reset_clock_mark(&self, act: Act) -> Result<ClockMark, FlowError> {
        self.engine.reset_clock_mark(act).await
    }

    /// Starts to tell the listener of every change, whoever made it, beginning with a
    /// [`reset`](ChangeListener::reset). Where the database cannot be asked, it tries until it can; meanwhile the listener
    /// hears nothing.
    #[must_use = "the feed stops when its handle is dropped"]
    pub fn follow(&self) -> FeedHandle {
        let stop = self.tasks.run_until_stopped(Arc::clone(&self.engine).feed());
        FeedHandle(stop.drop_guard())
    }

    /// Takes away the changes that are older, at most `batch` in one transaction, and returns how many those were. A node
    /// or client that has not heard of them must start afresh.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_changes(&self, older_than: Timestamp, batch: u32) -> Result<u64, StoreError> {
        self.engine.prune_changes(older_than, batch).await
    }

    /// Takes away the counts of usage of a granularity whose buckets began earlier, about `batch` in one transaction, and returns how
    /// many those were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_usage(
        &self,
        granularity: Granularity,
        older_than: Timestamp,
        batch: u32,
    ) -> Result<u64, StoreError> {
        self.engine.prune_usage(granularity, older_than, batch).await
    }

    /// Forgets the requests that named themselves and are older: they may be made again from now on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_requests(&self, older_than: Timestamp) -> Result<(), StoreError> {
        self.engine.forget_requests(older_than).await
    }

    /// Stops the feed, takes no more work and waits for what is under way.
    pub async fn close(&self) {
        self.tasks.close().await;
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// A feed of changes that is running. It stops when this is dropped, and with [`Storage::close`].
#[derive(Debug)]
pub struct FeedHandle(#[allow(dead_code, reason = "it acts when it is dropped")] DropGuard);
