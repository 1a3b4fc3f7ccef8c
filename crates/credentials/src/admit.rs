//! The one way in: from what a request presents to a [`Permit`]. The checks are numbered in their order: the first ones, which find the
//! key, are here, and those of a key that was found in [`examine`].

mod access_token;
mod at_once;
mod examine;
mod permit;
mod verify;

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use tigertrust_model::{
    ApiKey, Clock, KeyId, LastUse, Outcome, Plan, ScopeSet, Timestamp, Workspace, WorkspaceId,
};
use tigertrust_rate_limit::Decision;
use tracing::Instrument;

use crate::{
    AdmissionCounts, AuthError, ChangeTracker, KeyDigest, KeyFormats, Need, PepperRing, Presented,
    RateLimits, Refusal, Unauthorized,
    access_token::{AccessGrant, AccessTokens},
    cache::{Remembered, TrackedCache},
    checks::Checks,
    digest_hasher::HashesDigests,
    known_key::KnownKey,
    ports::{CredentialStore, StoreError, UsageStore, UseStore},
    schemes::Credential,
    usage::{KeyUsage, UsageLog, Used},
    uses::{MAX_USER_AGENT, Marked, UseLog, UseMark},
};

use self::{
    examine::{Attempt, Passed},
    permit::PermitWorkspace,
};

pub use self::{
    access_token::{AccessTokenRequest, IssueTokenError, IssuedAccessToken},
    permit::Permit,
    verify::{Verdict, Verification},
};

/// How much admission may remember.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// The most keys to keep.
    pub max_keys: usize,
    /// The most workspaces to keep, for instance keys.
    pub max_workspaces: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_keys: 200_000,
            max_workspaces: 20_000,
        }
    }
}

/// Decides who gets in.
pub struct Admission {
    peppers: PepperRing,
    formats: KeyFormats,
    clock: Arc<dyn Clock>,
    store: Arc<dyn CredentialStore>,
    keys: TrackedCache<KeyDigest, KnownKey, HashesDigests>,
    workspaces: TrackedCache<WorkspaceId, Workspace, std::hash::RandomState>,
    limits: Arc<RateLimits>,
    uses: UseLog<Remembered<KnownKey>>,
    usage: UsageLog<Remembered<KnownKey>>,
    checks: Checks,
    /// None before somebody has said how tokens are signed, and where nobody does.
    tokens: OnceLock<AccessTokens>,
}

/// What a call costs that was counted before, in the same request: its limits are not asked, and it is not counted again.
const COUNTED_BEFORE: Option<u32> = None;

impl Admission {
    /// An admission that looks keys up in `store` and trusts what it remembers as long as `tracker` vouches for it.
    /// The tracker must be the [`ChangeListener`](crate::ports::ChangeListener) of the same store.
    pub fn new(
        peppers: PepperRing,
        clock: Arc<dyn Clock>,
        store: Arc<dyn CredentialStore>,
        tracker: &Arc<ChangeTracker>,
        cache: CacheSettings,
        limits: Arc<RateLimits>,
    ) -> Self {
        Self {
            peppers,
            formats: KeyFormats::default(),
            clock,
            store,
            limits,
            uses: UseLog::new(),
            usage: UsageLog::new(),
            checks: Checks::default(),
            tokens: OnceLock::new(),
            keys: TrackedCache::new(Arc::clone(tracker), cache.max_keys, HashesDigests::default()),
            workspaces: TrackedCache::new(
                Arc::clone(tracker),
                cache.max_workspaces,
                std::hash::RandomState::new(),
            ),
        }
    }

    /// Lets keys of other formats in too, which were imported.
    #[must_use]
    pub fn with_formats(self, formats: KeyFormats) -> Self {
        Self { formats, ..self }
    }

    /// The formats of imported keys that are let in.
    #[must_use]
    pub const fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    /// How the limits of a key on a plan stand, as its next call will find them; nothing is spent.
    pub async fn standing(&self, key: &ApiKey, plan: &Plan) -> Decision {
        self.limits.standing(key, plan).await
    }

    /// Checks a request against what its route needs. The first check that fails gives the answer.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit(&self, presented: &Presented<'_>, need: &Need) -> Result<Permit, Refusal> {
        self.admit_at(Some(1), presented, need).await
    }

    /// Checks a request again against something else than before: as [`admit`](Self::admit), but its rate limits are not asked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_uncounted(&self, presented: &Presented<'_>, need: &Need) -> Result<Permit, Refusal> {
        self.admit_at(COUNTED_BEFORE, presented, need).await
    }

    async fn admit_at(
        &self,
        cost: Option<u32>,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<Permit, Refusal> {
        // 1. One credential, well formed, its checksum right.
        let refused = |why| {
            if cost.is_some() {
                self.checks.refused(&why);
            }
            why
        };
        let secret = match presented.credential(&self.formats).map_err(refused)? {
            Credential::Key(secret) => secret,
            // Boxed, so that keys do not carry it about.
            Credential::Token(token) => {
                return Box::pin(self.admit_token(cost, presented, token, need)).await;
            }
        };
        let digest = self.peppers.current().digest(&secret);
        let record = match self.keys.known(&digest) {
            Some(record) => record,
            // Boxed, so that the many whom the cache knows do not carry it about.
            None => Box::pin(self.find(cost, presented, digest, &|| self.peppers.digests(&secret)))
                .await
                .map_err(refused)?,
        };
        self.permit(record, None, cost, presented, need).await
    }

    /// The key that a request presents and the cache does not know.
    async fn find(
        &self,
        cost: Option<u32>,
        presented: &Presented<'_>,
        digest: KeyDigest,
        digests: &(dyn Fn() -> Vec<KeyDigest> + Sync),
    ) -> Result<Arc<Remembered<KnownKey>>, AuthError> {
        // 2. Look-ups for a network that has failed too often share a narrow lane.
        let look_up = self.limits.failures.enter(presented.client).await?;
        // 3. It exists.
        let record = match self.look_up(digest, digests).await {
            Ok(record) => record,
            Err(why @ AuthError::Unavailable(_)) => return Err(why),
            Err(why) => return Err(look_up.failed(why)),
        };
        // Whoever presents a key that is no good tries a key, whatever it is no good for.
        let now = self.clock.now();
        let Err(why) = record.check_state(now) else {
            return Ok(record);
        };
        let why = look_up.failed(why);
        if cost.is_some() {
            self.count_refusal(&record, now, &why);
        }
        Err(why)
    }

    /// Checks a request again that was admitted some time ago: as [`admit`](Self::admit), but what it spent was spent then.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn admit_again(
        &self,
        earlier: &Permit,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<Permit, Refusal> {
        let admitted = self.admit_at(COUNTED_BEFORE, presented, need).await;
        admitted.map(|permit| Permit {
            limits: earlier.limits,
            ..permit
        })
    }

    /// Whether a permit stands: nothing that it was given for has changed since, and its key is still good.
    #[must_use]
    pub fn vouches_for(&self, permit: &Permit) -> bool {
        let workspace_stands = match &permit.workspace {
            PermitWorkspace::Of(_) | PermitWorkspace::Open => true,
            PermitWorkspace::Named(workspace) => self.workspaces.vouches_for(workspace),
        };
        let now = self.clock.now();
        workspace_stands
            && self.keys.vouches_for(&permit.record)
            && permit.record.check_state(now).is_ok()
            && permit.token.as_ref().is_none_or(|token| token.is_current(now))
    }

    async fn permit(
        &self,
        record: Arc<Remembered<KnownKey>>,
        token: Option<Arc<AccessGrant>>,
        cost: Option<u32>,
        presented: &Presented<'_>,
        need: &Need,
    ) -> Result<Permit, Refusal> {
        let now = self.clock.now();
        let attempt = Attempt::of(presented, token.as_deref());
        let examined = self.examine(&record, now, cost, attempt, need).await;
        if cost.is_some() {
            self.count(&record, now, &examined);
        }
        let Passed {
            workspace, limits, ..
        } = examined?;
        self.note_use(&record, now, presented.client, presented.user_agent);
        Ok(Permit {
            record,
            token,
            workspace,
            limits,
        })
    }

    fn count(&self, record: &Arc<Remembered<KnownKey>>, now: Timestamp, examined: &Result<Passed, Refusal>) {
        match examined {
            Ok(passed) => {
                self.checks.passed();
                self.usage.count(record, now, Outcome::Valid, passed.scope);
            }
            Err(refusal) => {
                self.checks.refused(&refusal.why);
                self.count_refusal(record, now, &refusal.why);
            }
        }
    }

    fn count_refusal(&self, record: &Arc<Remembered<KnownKey>>, now: Timestamp, why: &AuthError) {
        if let Some(outcome) = why.outcome() {
            self.usage.count(record, now, outcome, None);
        }
    }

    /// What it has done until now.
    #[must_use]
    pub fn counts(&self) -> AdmissionCounts {
        AdmissionCounts {
            checks: self.checks.counts(),
            keys: self.keys.counts(),
            workspaces: self.workspaces.counts(),
            look_ups: self.checks.look_ups.snapshot(),
        }
    }

    /// Stores how often keys were used, `limit` counts at the most, and answers how many it were: to be called about once a second.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be stored is tried again the next time.
    pub async fn flush_some_usage(&self, store: &dyn UsageStore, limit: usize) -> Result<usize, StoreError> {
        self.usage.flush_some(store, limit).await
    }

    /// Stores how often keys were used, all of it: to be called at the end.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be stored is tried again the next time.
    pub async fn flush_usage(&self, store: &dyn UsageStore) -> Result<(), StoreError> {
        self.usage.flush(store).await
    }

    /// How many counts wait to be stored.
    #[must_use]
    pub fn waiting_usage_counts(&self) -> usize {
        self.usage.waiting_counts()
    }

    /// How many calls were not counted, since too many counts waited to be stored.
    #[must_use]
    pub fn lost_usage(&self) -> u64 {
        self.usage.lost()
    }

    /// Stores when secrets were last used, for `limit` of them at the most, those first that have waited longest: to be
    /// called every few seconds.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be stored is tried again the next time.
    pub async fn flush_some_uses(&self, store: &dyn UseStore, limit: usize) -> Result<(), StoreError> {
        self.uses.flush_some(store, limit).await
    }

    /// Stores when secrets were last used, for all of them: to be called at the end.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be stored is tried again the next time.
    pub async fn flush_uses(&self, store: &dyn UseStore) -> Result<(), StoreError> {
        self.uses.flush(store).await
    }

    fn note_use(
        &self,
        record: &Arc<Remembered<KnownKey>>,
        now: Timestamp,
        address: Option<IpAddr>,
        agent: Option<&[u8]>,
    ) {
        self.uses.note(&record.secret_digest, record, now, || LastUse {
            at: now,
            address,
            user_agent: agent.map(|agent| self.formats.shown(agent, MAX_USER_AGENT)),
        });
    }

    async fn look_up(
        &self,
        digest: KeyDigest,
        digests: &(dyn Fn() -> Vec<KeyDigest> + Sync),
    ) -> Result<Arc<Remembered<KnownKey>>, AuthError> {
        let found = self
            .keys
            .get(digest, || {
                let asked = async {
                    // Earlier peppers cost time only where the cache does not know the key.
                    let began = self.clock.monotonic();
                    let found = self.store.find_key(&digests()).await;
                    let took = self.clock.monotonic().saturating_sub(began);
                    self.checks.look_ups.observe(took);
                    Ok(found?.map(KnownKey::new))
                };
                asked.instrument(tracing::debug_span!("look up key"))
            })
            .await?;
        found.ok_or(AuthError::Unauthorized(Unauthorized::Unknown))
    }
}

impl Marked for Remembered<KnownKey> {
    fn mark(&self) -> &UseMark {
        &self.mark
    }
}

impl Used for Remembered<KnownKey> {
    fn usage(&self) -> &KeyUsage {
        &self.usage
    }

    fn key_id(&self) -> KeyId {
        self.key.id
    }

    fn home_id(&self) -> Option<WorkspaceId> {
        self.key.reach.home()
    }

    fn scopes(&self) -> &ScopeSet {
        &self.key.scopes
    }

    fn is_remembered(&self) -> bool {
        self.is_kept()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("peppers", &self.peppers)
            .finish_non_exhaustive()
    }
}
