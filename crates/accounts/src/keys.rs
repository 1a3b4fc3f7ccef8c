//! The life-cycle of API keys.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ipnet::IpNet;
use tigertrust_credentials::{KeyFormats, KeySecret, PepperRing, ports::CredentialStore};
use tigertrust_model::{
    ApiKey, Clock, KeyFilter, KeyId, KeyReach, KeyType, Lifecycle, RandomSource, ScopeCatalog, ScopeSet,
    SecretInfo, UserId, WorkspaceId,
};

use crate::{
    Actor, Conflict, Earlier, FlowError, IdempotencyKey, KeyChanges, NewKey, OnceOnly, OwnerRequest,
    ReachRequest, Violation,
    key_edit::{apply, ensure_grantable, ensure_holds, ensure_limited},
    new_key::Checked,
    ports::{KeyDetails, KeyStore, KeyView, MemberStore, Page, StoredSecret},
    validation::Validation,
};

const MAX_WORKSPACES: usize = 100;
pub(crate) const MAX_NAME: usize = 100;
pub(crate) const MAX_EXTERNAL_ID: usize = 255;
const MAX_REASON: usize = 500;
/// The longest that an old secret may go on beside a new one.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A new key and its secret, which is shown once.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key as it is kept.
    pub key: ApiKey,
    /// Its secret.
    pub secret: KeySecret,
}

impl IssuedKey {
    /// The key with what is kept of its secret.
    #[must_use]
    pub fn details(&self) -> KeyDetails {
        let secret = SecretInfo {
            display: self.key.display.clone(),
            format: self.secret.parsed().format().id().to_owned(),
            created_at: self.key.created_at,
            ends_at: None,
            last_use: None,
        };
        KeyDetails {
            key: self.key.clone(),
            secrets: vec![secret],
        }
    }
}

/// What came of a request that names itself.
#[derive(Debug)]
pub enum CreatedOnce {
    /// A new key.
    Issued(IssuedKey),
    /// The key that the same request made before. Its secret is not shown again.
    Before(KeyDetails),
}

/// A key with another secret, which is shown once.
#[derive(Debug)]
pub struct RotatedKey {
    /// The key, and what is kept of its secrets.
    pub details: KeyDetails,
    /// The new secret.
    pub secret: KeySecret,
}

/// Creates, lists, edits and revokes keys.
#[derive(Clone)]
pub struct KeyFlows {
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) credentials: Arc<dyn CredentialStore>,
    pub(crate) members: Arc<dyn MemberStore>,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) peppers: PepperRing,
    pub(crate) formats: KeyFormats,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
}

impl KeyFlows {
    /// Flows over the given stores.
    pub fn new(
        keys: Arc<dyn KeyStore>,
        credentials: Arc<dyn CredentialStore>,
        members: Arc<dyn MemberStore>,
        catalog: Arc<ScopeCatalog>,
        peppers: PepperRing,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            keys,
            credentials,
            members,
            catalog,
            peppers,
            formats: KeyFormats::default(),
            clock,
            random,
        }
    }

    /// Lets keys of other formats be imported, and reported as leaked.
    #[must_use]
    pub fn with_formats(self, formats: KeyFormats) -> Self {
        Self { formats, ..self }
    }

    /// The formats of imported keys.
    #[must_use]
    pub const fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    /// Makes a key. Its scopes and workspaces are capped by those of the actor.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::Forbidden`] for scopes beyond the actor's,
    /// [`FlowError::WorkspaceDenied`], [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn create(&self, actor: &Actor, new: NewKey) -> Result<IssuedKey, FlowError> {
        let issued = self.prepare(actor, new).await?;
        self.keys
            .insert_key(actor.act(), issued.key.clone(), self.stored(&issued.secret), None)
            .await?;
        Ok(issued)
    }

    /// Makes a key, unless the same request of the same caller has made it within the last 24 hours.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`Conflict::IdempotencyKeyReused`] if the name was another request's.
    pub async fn create_once(
        &self,
        actor: &Actor,
        new: NewKey,
        request: &IdempotencyKey,
    ) -> Result<CreatedOnce, FlowError> {
        let once = request.of(actor, self.clock.now())?;
        // Looked for before anything is checked: what was right then may not be so now.
        if let Some(earlier) = self.keys.find_request(once.clone()).await? {
            return self.repeat(actor, &once, earlier).await;
        }
        let issued = self.prepare(actor, new).await?;
        let (key, secret) = (issued.key.clone(), self.stored(&issued.secret));
        match self
            .keys
            .insert_key(actor.act(), key, secret, Some(once.clone()))
            .await?
        {
            None => Ok(CreatedOnce::Issued(issued)),
            Some(earlier) => self.repeat(actor, &once, earlier).await,
        }
    }

    async fn repeat(
        &self,
        actor: &Actor,
        once: &OnceOnly,
        earlier: Earlier,
    ) -> Result<CreatedOnce, FlowError> {
        if earlier.request == once.request {
            self.get(actor, earlier.key).await.map(CreatedOnce::Before)
        } else {
            Err(Conflict::IdempotencyKeyReused.into())
        }
    }

    async fn prepare(&self, actor: &Actor, new: NewKey) -> Result<IssuedKey, FlowError> {
        let (scopes, allowed_cidrs) = self.validate(&new)?;
        ensure_grantable(actor, &scopes)?;
        ensure_limited(actor, new.limits)?;
        let reach = self.reach(actor, &new).await?;
        let owner = self.owner(actor, &new, &reach).await?;
        let checked = Checked {
            scopes,
            allowed_cidrs,
            reach,
            owner,
        };
        self.issue(actor, new, checked)
    }

    /// The key with the id, if the actor can see it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn get(&self, actor: &Actor, id: KeyId) -> Result<KeyDetails, FlowError> {
        self.keys
            .get_key(actor.view()?, id)
            .await?
            .ok_or(FlowError::NotFound)
    }

    /// A page of the keys that the actor can see, newest first; of one workspace if `only` names it.
    ///
    /// # Errors
    /// [`FlowError::Store`].
    pub async fn list(
        &self,
        actor: &Actor,
        only: Option<WorkspaceId>,
        filter: KeyFilter,
        page: Page<KeyId>,
    ) -> Result<Vec<KeyDetails>, FlowError> {
        let view = match (actor.view()?, only) {
            (KeyView::Everything, Some(workspace)) => KeyView::Workspace(workspace),
            (view, _) => view,
        };
        Ok(self.keys.list_keys(view, filter, page).await?)
    }

    /// Edits a key.
    ///
    /// # Errors
    /// As [`create`](Self::create), [`FlowError::NotFound`] and [`FlowError::Conflict`] for a revoked key.
    pub async fn edit(&self, actor: &Actor, id: KeyId, changes: KeyChanges) -> Result<KeyDetails, FlowError> {
        let now = self.clock.now();
        let others = match &changes.workspace_ids {
            None => None,
            Some(ids) => {
                let personal = self.get(actor, id).await?.key.owner.is_some();
                Some(self.others(actor, ids, personal).await?)
            }
        };
        let (catalog, formats) = (Arc::clone(&self.catalog), self.formats.clone());
        let editor = actor.clone();
        let edit = move |key: &mut ApiKey| apply(&editor, key, changes, others, &catalog, &formats, now);
        self.keys
            .edit_key(actor.act(), actor.view()?, id, Box::new(edit))
            .await
    }

    /// Ends a key for good. Doing it again changes nothing and is no error.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] for the reason, [`FlowError::NotFound`] and [`FlowError::Store`].
    pub async fn revoke(
        &self,
        actor: &Actor,
        id: KeyId,
        reason: Option<String>,
    ) -> Result<KeyDetails, FlowError> {
        let mut validation = Validation::of_keys(&self.formats);
        if let Some(reason) = &reason {
            validation.line("/reason", reason, MAX_REASON);
        }
        validation.finish()?;
        let current = self.get(actor, id).await?;
        if current.key.ensure_editable().is_err() {
            return Ok(current);
        }
        let now = self.clock.now();
        let edit = move |key: &mut ApiKey| {
            // Somebody may have been faster since; the first reason stands.
            if key.revoke(now, reason).is_ok() {
                key.updated_at = now;
            }
            Ok(())
        };
        self.keys
            .edit_key(actor.act(), actor.view()?, id, Box::new(edit))
            .await
    }

    /// Gives a key another secret under the same id. The old one goes on for the overlap, so that its users can follow.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] for the overlap, [`FlowError::Forbidden`] and [`FlowError::WorkspaceDenied`] if the key may
    /// do more than the actor, [`FlowError::NotFound`], [`FlowError::Conflict`] for a revoked key, [`FlowError::Store`]
    /// and [`FlowError::Random`].
    pub async fn rotate(&self, actor: &Actor, id: KeyId, overlap: Duration) -> Result<RotatedKey, FlowError> {
        let mut validation = Validation::default();
        if overlap > MAX_OVERLAP {
            validation.refuse(
                "/overlapSeconds",
                format!("must be {} or fewer, which is 30 days", MAX_OVERLAP.as_secs()),
            );
        }
        validation.finish()?;
        let kind = self.get(actor, id).await?.key.kind;
        let secret = KeySecret::generate(kind, &*self.random)?;
        let (now, editor) = (self.clock.now(), actor.clone());
        let edit = move |key: &mut ApiKey| {
            key.ensure_editable()?;
            ensure_holds(&editor, key)?;
            ensure_limited(&editor, key.limits)?;
            // What was reported is the secret that goes; the next one may be reported again.
            key.leak_reported_at = None;
            key.updated_at = now;
            Ok(())
        };
        let stored = self.stored(&secret);
        let ends = now.saturating_add(overlap);
        let details = self
            .keys
            .rotate_key(actor.act(), actor.view()?, id, Box::new(edit), stored, ends)
            .await?;
        Ok(RotatedKey { details, secret })
    }

    fn validate(&self, new: &NewKey) -> Result<(ScopeSet, Vec<IpNet>), FlowError> {
        let mut validation = Validation::of_keys(&self.formats);
        validation.line("/name", &new.name, MAX_NAME);
        validation.expiry(new.expires_at, self.clock.now());
        let allowed_cidrs = validation.networks(&new.allowed_cidrs);
        validation.metadata(&new.metadata);
        validation.limits(new.limits);
        if let Some(external_id) = &new.external_id {
            validation.line("/externalId", external_id, MAX_EXTERNAL_ID);
        }
        let scopes = validation.scopes(&new.scopes, new.kind, &self.catalog);
        if new.reach == ReachRequest::Instance && new.kind != KeyType::Agent {
            validation.refuse("/type", "an instance key is an agent key");
        }
        if new.reach == ReachRequest::Instance && new.owner != OwnerRequest::Workspace {
            validation.refuse("/personal", "an instance key belongs to no person");
        }
        validation.finish()?;
        Ok((scopes, allowed_cidrs))
    }

    async fn reach(&self, actor: &Actor, new: &NewKey) -> Result<KeyReach, FlowError> {
        let personal = new.owner != OwnerRequest::Workspace;
        match &new.reach {
            ReachRequest::Instance if actor.is_operator() => Ok(KeyReach::Instance),
            ReachRequest::Instance => Err(FlowError::Forbidden(Vec::new())),
            ReachRequest::Caller { others } => {
                let home = actor.view()?.workspace();
                let home = home.ok_or_else(|| FlowError::WorkspaceDenied(Vec::new()))?;
                let others = self.others(actor, others, personal).await?;
                Ok(KeyReach::workspaces(home, others))
            }
            ReachRequest::Workspace { home, others } => {
                self.ensure_exists(*home, "/workspaceId").await?;
                let others = self.others(actor, others, personal).await?;
                Ok(KeyReach::workspaces(*home, others))
            }
        }
    }

    /// The person that a new key is to belong to.
    async fn owner(
        &self,
        actor: &Actor,
        new: &NewKey,
        reach: &KeyReach,
    ) -> Result<Option<UserId>, FlowError> {
        let refuse = |detail: &str| FlowError::invalid("/personal", detail);
        match new.owner {
            OwnerRequest::Workspace if matches!(actor.view()?, KeyView::Own { .. }) => {
                let detail = "a member makes personal keys alone: set personal to true";
                Err(FlowError::forbidden("/personal", detail))
            }
            OwnerRequest::Workspace => Ok(None),
            OwnerRequest::Caller => match actor.person() {
                Some(person) => Ok(Some(person)),
                None => Err(refuse("the caller is no person, so the key cannot be personal")),
            },
            OwnerRequest::Person(person) if actor.is_operator() => {
                for workspace in reach.named() {
                    if self.members.role_in(workspace, person).await?.is_none() {
                        return Err(refuse("the person is no member of the workspace"));
                    }
                }
                Ok(Some(person))
            }
            OwnerRequest::Person(_) => Err(FlowError::Forbidden(Vec::new())),
        }
    }

    /// Reads ids of workspaces that the actor may let a key into. Malformed, unknown and foreign ids get one answer.
    async fn others(
        &self,
        actor: &Actor,
        ids: &[String],
        personal: bool,
    ) -> Result<Vec<WorkspaceId>, FlowError> {
        if ids.len() > MAX_WORKSPACES {
            let detail = format!("must have {MAX_WORKSPACES} entries or fewer");
            return Err(FlowError::invalid("/workspaceIds", detail));
        }
        let allowed = actor.workspaces(personal);
        let mut seen = HashSet::with_capacity(ids.len());
        for (index, text) in ids.iter().enumerate() {
            let pointer = format!("/workspaceIds/{index}");
            let id: WorkspaceId = text.parse().map_err(|_| no_such_workspace(&pointer))?;
            match &allowed {
                Some(allowed) if !allowed.contains(&id) => return Err(no_such_workspace(&pointer)),
                Some(_) => {}
                None if seen.contains(&id) => {}
                None => self.ensure_exists(id, &pointer).await?,
            }
            seen.insert(id);
        }
        Ok(seen.into_iter().collect())
    }

    pub(crate) async fn ensure_exists(&self, id: WorkspaceId, pointer: &str) -> Result<(), FlowError> {
        let found = self.credentials.find_workspace(id).await?;
        found
            .filter(|workspace| workspace.deleted_at.is_none())
            .map(|_| ())
            .ok_or_else(|| no_such_workspace(pointer))
    }

    pub(crate) fn issue(&self, actor: &Actor, new: NewKey, checked: Checked) -> Result<IssuedKey, FlowError> {
        let now = self.clock.now();
        let secret = KeySecret::generate(new.kind, &*self.random)?;
        let key = ApiKey {
            id: KeyId::new(now, &*self.random)?,
            kind: new.kind,
            name: new.name,
            reach: checked.reach,
            owner: checked.owner,
            scopes: checked.scopes,
            lifecycle: Lifecycle::Active,
            expires_at: new.expires_at,
            allowed_cidrs: checked.allowed_cidrs,
            limits: new.limits,
            external_id: new.external_id,
            metadata: new.metadata,
            display: secret.parsed().display(),
            created_by: actor.creator(),
            created_at: now,
            updated_at: now,
            leak_reported_at: None,
        };
        Ok(IssuedKey { key, secret })
    }

    /// What is stored of a secret.
    pub(crate) fn stored(&self, secret: &KeySecret) -> StoredSecret {
        let pepper = self.peppers.current();
        let parsed = secret.parsed();
        StoredSecret {
            digest: pepper.digest(&parsed),
            pepper_id: pepper.id().to_owned(),
            format: parsed.format().id().to_owned(),
            display: parsed.display(),
        }
    }
}

fn no_such_workspace(pointer: &str) -> FlowError {
    FlowError::WorkspaceDenied(vec![Violation::new(
        pointer,
        "no such workspace, or not the caller's",
    )])
}

impl std::fmt::Debug for KeyFlows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFlows")
            .field("peppers", &self.peppers)
            .finish_non_exhaustive()
    }
}
