//! The one way in: from what a request presents to a [`Permit`].

mod access_token;
mod at_once;

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use tigertrust_model::{
    ApiKey, Clock, KeyId, LastUse, Outcome, Plan, Scope, ScopeSet, Timestamp, Workspace, WorkspaceId,
};
use tigertrust_rate_limit::Decision;
use tracing::Instrument;

use crate::{
    AdmissionCounts, AuthError, ChangeTracker, HeaderValues, KeyDigest, KeyFormats, Need, ParsedKey,
    PepperRing, Presented, RateLimits, Refusal, Unauthorized, WorkspaceNeed,
    access_token::{AccessGrant, AccessTokens},
    cache::{Remembered, TrackedCache},
    checks::Checks,
    digest_hasher::HashesDigests,
    known_key::KnownKey,
    limits::Spent,
    ports::{CredentialStore, KeyRecord, StoreError, UsageStore, UseStore},
    schemes::Credential,
    usage::{KeyUsage, UsageLog, Used},
    uses::{Marked, UseLog, UseMark, user_agent},
};

pub use self::access_token::{AccessTokenRequest, IssueTokenError, IssuedAccessToken};

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
            user_agent: agent.map(user_agent),
        });
    }

    /// Checks a key that was presented to somebody else, and explains. The checks and their order are those of
    /// [`admit`](Self::admit).
    ///
    /// # Errors
    /// [`StoreError`]: a key is neither valid nor not while storage does not answer.
    pub async fn verify(&self, asked: &Verification<'_>) -> Result<Verdict, StoreError> {
        let refused = |record, refusal: Refusal| {
            Ok(Verdict {
                record,
                token: None,
                workspace: PermitWorkspace::Open,
                limits: refusal.limits().copied(),
                refusal: Some(refusal.why),
            })
        };
        let unknown = |why| {
            if asked.cost > 0 {
                self.checks.refused(&why);
            }
            match why {
                AuthError::Unavailable(error) => Err(error),
                why => refused(None, why.into()),
            }
        };
        let (record, token) = match self.find_presented(asked.key.as_bytes()).await {
            Ok(found) => found,
            Err(why) => return unknown(why),
        };
        // What belongs to another workspace answers as what nobody knows.
        if !asked.may_know_of(&record) {
            return unknown(AuthError::Unauthorized(Unauthorized::Unknown));
        }
        let (now, cost) = (self.clock.now(), Some(asked.cost));
        let attempt = asked.attempt(token.as_deref());
        let examined = self.examine(&record, now, cost, attempt, &asked.need).await;
        // Who only asks what a key is worth does not use it.
        if asked.cost > 0 {
            self.count(&record, now, &examined);
        }
        match examined {
            Ok(Passed {
                workspace, limits, ..
            }) => {
                if asked.cost > 0 {
                    self.note_use(&record, now, asked.client, None);
                }
                Ok(Verdict {
                    record: Some(record),
                    token,
                    workspace,
                    limits,
                    refusal: None,
                })
            }
            Err(Refusal {
                why: AuthError::Unavailable(error),
                ..
            }) => Err(error),
            Err(refusal) => refused(Some(record), refusal).map(|verdict| Verdict { token, ..verdict }),
        }
    }

    /// The key that somebody was shown, or whose token was.
    async fn find_presented(
        &self,
        value: &[u8],
    ) -> Result<(Arc<Remembered<KnownKey>>, Option<Arc<AccessGrant>>), AuthError> {
        if let Some(Ok(secret)) = ParsedKey::read(value, &self.formats) {
            let digest = self.peppers.current().digest(&secret);
            let record = self.look_up(digest, &|| self.peppers.digests(&secret)).await?;
            return Ok((record, None));
        }
        Box::pin(self.find_by_token(value)).await
    }

    /// The checks of a known key, from its state on, and how its limits stand if they were asked.
    async fn examine(
        &self,
        record: &KnownKey,
        now: Timestamp,
        cost: Option<u32>,
        attempt: Attempt<'_>,
        need: &Need,
    ) -> Result<Passed, Refusal> {
        // 4–6. It is not revoked, not expired, active, and its workspace and owner are there.
        record.check_state(now)?;
        if attempt.token.is_some_and(|token| !token.is_current(now)) {
            return Err(AuthError::TokenExpired.into());
        }
        // 7. It has not called too often.
        let limits = match cost {
            None => None,
            Some(cost) => match self.limits.spend(record, need.charge, cost).await {
                Spent::Admitted(decision) => Some(decision),
                Spent::Refused(decision) => return Err(Refusal::over_limit(decision)),
            },
        };
        match self.examine_use(record, attempt, need).await {
            Ok((workspace, scope)) => Ok(Passed {
                workspace,
                limits,
                scope,
            }),
            Err(why) => Err(Refusal::new(why, limits)),
        }
    }

    /// The checks of what a key that is good is used for. Answers with where it acts, and which of its scopes was asked for, by its place.
    async fn examine_use(
        &self,
        record: &KnownKey,
        attempt: Attempt<'_>,
        need: &Need,
    ) -> Result<(PermitWorkspace, Option<usize>), AuthError> {
        check_caller(record, attempt, need)?;
        // 10. It may act in the workspace that was named, or in its own, and meets its demand.
        let workspace = match own_workspace(record, attempt.named(), need.workspace)? {
            ActsIn::Own(workspace) => workspace,
            ActsIn::Elsewhere(id) => self.named_workspace(id).await?,
        };
        let scope = check_rights(record, &workspace, attempt, need)?;
        Ok((workspace, scope))
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

    /// A workspace that an instance key names.
    async fn named_workspace(&self, id: WorkspaceId) -> Result<PermitWorkspace, AuthError> {
        let found = self.workspaces.get(id, || self.store.find_workspace(id)).await?;
        found
            .filter(|workspace| workspace.deleted_at.is_none())
            .map(PermitWorkspace::Named)
            .ok_or(AuthError::WorkspaceAccessDenied)
    }
}

/// The checks of who calls, and from where.
fn check_caller(record: &KnownKey, attempt: Attempt<'_>, need: &Need) -> Result<(), AuthError> {
    // 8. It may be used from where the client is.
    if record.is_bound && !record.key.allows_address(attempt.client) {
        return Err(AuthError::AddressNotAllowed);
    }
    // 9. Its type may call here.
    if !need.types.contains(record.kind) {
        return Err(AuthError::WrongType { allowed: need.types });
    }
    Ok(())
}

/// Where a key acts, as far as the key says.
enum ActsIn {
    Own(PermitWorkspace),
    /// In one that has to be looked up.
    Elsewhere(WorkspaceId),
}

fn own_workspace(
    record: &KnownKey,
    named: HeaderValues<'_>,
    need: WorkspaceNeed,
) -> Result<ActsIn, AuthError> {
    let named = match named {
        HeaderValues::Absent if record.has_home => return Ok(ActsIn::Own(PermitWorkspace::Of(0))),
        HeaderValues::Absent if need != WorkspaceNeed::Required => {
            return Ok(ActsIn::Own(PermitWorkspace::Open));
        }
        HeaderValues::Absent => return Err(AuthError::WorkspaceMissing),
        HeaderValues::Repeated => return Err(AuthError::WorkspaceAccessDenied),
        HeaderValues::One(value) => value,
    };
    let id: WorkspaceId = std::str::from_utf8(named)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(AuthError::WorkspaceAccessDenied)?;
    if !record.has_home {
        return Ok(ActsIn::Elsewhere(id));
    }
    record
        .workspaces
        .iter()
        .position(|workspace| workspace.id == id && record.may_enter(workspace))
        .map(|place| ActsIn::Own(PermitWorkspace::Of(place)))
        .ok_or(AuthError::WorkspaceAccessDenied)
}

/// The checks of what the key may do where it acts. Answers with which of its scopes was asked for, by its place.
fn check_rights(
    record: &KnownKey,
    workspace: &PermitWorkspace,
    attempt: Attempt<'_>,
    need: &Need,
) -> Result<Option<usize>, AuthError> {
    let keeps_out = |workspace| record.lacks_second_factor(workspace);
    if record.is_personal && !need.workspace.is_own_account() && workspace.of(record).is_some_and(keeps_out) {
        return Err(AuthError::SecondFactorMissing);
    }
    // 11. It holds the scope, and so does its owner if it is personal.
    let Some(scope) = &need.scope else {
        return Ok(None);
    };
    if attempt
        .token
        .is_some_and(|token| !token.claims.scopes.grants(scope))
    {
        return Err(AuthError::MissingScope(scope.clone()));
    }
    let acts_in = workspace.of(record).map(|workspace| workspace.id);
    record
        .granting_in(acts_in, scope)
        .map(Some)
        .ok_or_else(|| AuthError::MissingScope(scope.clone()))
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

/// What a key is used for, from where, and by which token of it if not by itself.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    client: Option<IpAddr>,
    workspace: HeaderValues<'a>,
    token: Option<&'a AccessGrant>,
}

impl<'a> Attempt<'a> {
    fn of(presented: &Presented<'a>, token: Option<&'a AccessGrant>) -> Self {
        Self {
            client: presented.client,
            workspace: presented.workspace,
            token,
        }
    }

    /// The workspace that it names: a token's own, if it has one.
    fn named(&self) -> HeaderValues<'a> {
        match self.token.and_then(AccessGrant::workspace) {
            Some(own) => self.workspace.agreeing_with(own),
            None => self.workspace,
        }
    }
}

/// What a key that passed all checks may do.
struct Passed {
    workspace: PermitWorkspace,
    limits: Option<Decision>,
    /// Which of its scopes was asked for, by its place.
    scope: Option<usize>,
}

/// The proof that a request was admitted. Only [`Admission::admit`] makes one.
#[derive(Clone, Debug)]
pub struct Permit {
    record: Arc<Remembered<KnownKey>>,
    /// The token that was presented in place of the key.
    token: Option<Arc<AccessGrant>>,
    workspace: PermitWorkspace,
    limits: Option<Decision>,
}

#[derive(Clone, Debug)]
enum PermitWorkspace {
    /// One of the key's own, by its place in the record.
    Of(usize),
    /// The one that an instance key named.
    Named(Arc<Remembered<Workspace>>),
    /// None: an instance key that named none where none is needed.
    Open,
}

impl PermitWorkspace {
    fn of<'a>(&'a self, record: &'a KeyRecord) -> Option<&'a Workspace> {
        match self {
            Self::Of(index) => record.workspaces.get(*index),
            Self::Named(workspace) => Some(workspace),
            Self::Open => None,
        }
    }
}

impl Permit {
    /// The key that calls.
    #[must_use]
    pub fn key(&self) -> &KeyRecord {
        &self.record
    }

    /// How the key's limits stand after the call; none where they were not asked.
    #[must_use]
    pub const fn limits(&self) -> Option<&Decision> {
        self.limits.as_ref()
    }

    /// The workspace that the request acts in; none only for an instance key on a route that needs none.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        self.workspace.of(&self.record)
    }

    /// What the caller may do there: for a personal key no more than its owner's role permits, by a token no more than that says.
    #[must_use]
    pub fn scopes(&self) -> Cow<'_, ScopeSet> {
        let scopes = self
            .record
            .scopes_in(self.workspace().map(|workspace| workspace.id));
        access_token::narrowed(scopes, self.token.as_deref())
    }

    /// Whether the caller may do there what the scope says.
    #[must_use]
    pub fn grants(&self, scope: &Scope) -> bool {
        self.record
            .grants_in(self.workspace().map(|workspace| workspace.id), scope)
            && self
                .token
                .as_ref()
                .is_none_or(|token| token.claims.scopes.grants(scope))
    }

    /// What `make` makes of the permit, kept beside the key for as long as that is remembered, so that it is not made for
    /// each request. `None`, and nothing is made, for another workspace than the key's own and for a token; `None` too if something of
    /// another type is kept there.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        match self.workspace {
            PermitWorkspace::Of(0) | PermitWorkspace::Open if self.token.is_none() => {
                self.record.derived().get_or_make(|| make(self))
            }
            _ => None,
        }
    }
}

/// What is asked about a key that was presented to somebody else.
#[derive(Clone)]
pub struct Verification<'a> {
    /// The key, as it was presented.
    pub key: &'a str,
    /// What it is to fulfil.
    pub need: Need,
    /// The workspace that it is to act in, as it was presented.
    pub workspace: Option<&'a str>,
    /// The address that the key was presented from, if the asker knows it.
    pub client: Option<IpAddr>,
    /// The workspace whose keys the asker may know of; `None` for all.
    pub home: Option<WorkspaceId>,
    /// What the use costs, of the quotas of the key's plan; nothing to ask only.
    pub cost: u32,
}

impl<'a> Verification<'a> {
    /// Whether the asker may know of a key: what belongs to another workspace is to him what nobody knows.
    fn may_know_of(&self, record: &KeyRecord) -> bool {
        self.home.is_none_or(|home| record.key.reach.home() == Some(home))
    }

    fn attempt(&self, token: Option<&'a AccessGrant>) -> Attempt<'a> {
        let named = self.workspace.map(str::as_bytes);
        Attempt {
            client: self.client,
            workspace: named.into_iter().collect(),
            token,
        }
    }
}

/// What a key that was presented to somebody else is worth. It is no [`Permit`]: it lets nobody in here.
#[derive(Clone, Debug)]
pub struct Verdict {
    record: Option<Arc<Remembered<KnownKey>>>,
    token: Option<Arc<AccessGrant>>,
    workspace: PermitWorkspace,
    limits: Option<Decision>,
    refusal: Option<AuthError>,
}

impl Verdict {
    /// Why the key is refused; `None` if it is good for what was asked.
    #[must_use]
    pub const fn refusal(&self) -> Option<&AuthError> {
        self.refusal.as_ref()
    }

    /// How the key's limits stand; none where it was refused before they were asked.
    #[must_use]
    pub const fn limits(&self) -> Option<&Decision> {
        self.limits.as_ref()
    }

    /// The key, if it is one that the asker may know of.
    #[must_use]
    pub fn key(&self) -> Option<&KeyRecord> {
        self.record.as_deref().map(|known| -> &KeyRecord { known })
    }

    /// The workspace that the key would act in.
    #[must_use]
    pub fn workspace(&self) -> Option<&Workspace> {
        self.record.as_ref().and_then(|record| self.workspace.of(record))
    }

    /// What the key may do there, or in its home where it is refused; nothing for a key that the asker may not know of.
    #[must_use]
    pub fn scopes(&self) -> Cow<'_, ScopeSet> {
        let Some(record) = &self.record else {
            return Cow::Owned(ScopeSet::default());
        };
        let workspace = self.workspace().or_else(|| record.home());
        let scopes = record.scopes_in(workspace.map(|workspace| workspace.id));
        access_token::narrowed(scopes, self.token.as_deref())
    }

    /// As [`Permit::derived`], for a key that is good. `None`, and nothing is made, for one that is refused too.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        match (&self.record, &self.refusal, &self.workspace) {
            (Some(record), None, PermitWorkspace::Of(0) | PermitWorkspace::Open) if self.token.is_none() => {
                record.explained().get_or_make(|| make(self))
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("peppers", &self.peppers)
            .finish_non_exhaustive()
    }
}
