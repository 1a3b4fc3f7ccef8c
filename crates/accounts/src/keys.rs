//! The life-cycle of API keys.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ipnet::IpNet;
use tigertrust_credentials::{KeySecret, PepperRing, ports::CredentialStore};
use tigertrust_model::{
    ApiKey, Clock, KeyFilter, KeyId, KeyReach, KeyType, Lifecycle, Metadata, RandomSource, ScopeCatalog,
    ScopeSet, SecretInfo, Timestamp, WorkspaceId,
};

use crate::{
    Actor, FlowError, Violation,
    key_edit::{apply, ensure_grantable, ensure_holds},
    ports::{KeyDetails, KeyStore, KeyView, Page, StoredSecret},
    validation::Validation,
};

const MAX_WORKSPACES: usize = 100;
pub(crate) const MAX_NAME: usize = 100;
pub(crate) const MAX_EXTERNAL_ID: usize = 255;
const MAX_REASON: usize = 500;
/// The longest that an old secret may go on beside a new one.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Where a new key is to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReachRequest {
    /// In the workspace that the caller acts in, and in these others, as the caller wrote their ids.
    Caller {
        /// Ids of workspaces, not checked yet.
        others: Vec<String>,
    },
    /// In a workspace that the operator names, and in these others.
    Workspace {
        /// The home.
        home: WorkspaceId,
        /// Ids of workspaces, not checked yet.
        others: Vec<String>,
    },
    /// In whichever workspace a request names. Only the operator may ask for it.
    Instance,
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What people call it: 1 to 100 characters.
    pub name: String,
    /// Agent or public.
    pub kind: KeyType,
    /// Scopes as the caller wrote them.
    pub scopes: Vec<String>,
    /// From when on it is refused; must be in the future.
    pub expires_at: Option<Timestamp>,
    /// Where it may act.
    pub reach: ReachRequest,
    /// Networks that it may be used from, as the caller wrote them; everywhere if there is none.
    pub allowed_cidrs: Vec<String>,
    /// The name that the owning application knows it by: 1 to 255 characters.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    pub metadata: Metadata,
}

/// What is to change of a key; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChanges {
    /// Another name.
    pub name: Option<String>,
    /// On or off.
    pub active: Option<bool>,
    /// Other scopes, as the caller wrote them.
    pub scopes: Option<Vec<String>>,
    /// Another expiry, or none any more.
    pub expires_at: Option<Option<Timestamp>>,
    /// Other workspaces beside the home, as the caller wrote their ids.
    pub workspace_ids: Option<Vec<String>>,
    /// Other networks, as the caller wrote them.
    pub allowed_cidrs: Option<Vec<String>>,
    /// Another external id, or none any more.
    pub external_id: Option<Option<String>>,
    /// Other metadata.
    pub metadata: Option<Metadata>,
}

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
    keys: Arc<dyn KeyStore>,
    workspaces: Arc<dyn CredentialStore>,
    catalog: Arc<ScopeCatalog>,
    peppers: PepperRing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn RandomSource>,
}

impl KeyFlows {
    /// Flows over the given stores.
    pub fn new(
        keys: Arc<dyn KeyStore>,
        workspaces: Arc<dyn CredentialStore>,
        catalog: Arc<ScopeCatalog>,
        peppers: PepperRing,
        clock: Arc<dyn Clock>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            keys,
            workspaces,
            catalog,
            peppers,
            clock,
            random,
        }
    }

    /// Makes a key. Its scopes and workspaces are capped by those of the actor.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`FlowError::Forbidden`] for scopes beyond the actor's,
    /// [`FlowError::WorkspaceDenied`], [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn create(&self, actor: &Actor, new: NewKey) -> Result<IssuedKey, FlowError> {
        let (scopes, allowed_cidrs) = self.validate(&new)?;
        ensure_grantable(actor, &scopes)?;
        let reach = self.reach(actor, &new.reach).await?;
        let issued = self.issue(actor, new, scopes, allowed_cidrs, reach)?;
        self.keys
            .insert_key(issued.key.clone(), self.stored(&issued.secret))
            .await?;
        Ok(issued)
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
            Some(ids) => Some(self.others(actor, ids).await?),
        };
        let catalog = Arc::clone(&self.catalog);
        let editor = actor.clone();
        let edit = move |key: &mut ApiKey| apply(&editor, key, changes, others, &catalog, now);
        self.keys.edit_key(actor.view()?, id, Box::new(edit)).await
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
        let mut validation = Validation::default();
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
        self.keys.edit_key(actor.view()?, id, Box::new(edit)).await
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
                format!("must be {} or less", MAX_OVERLAP.as_secs()),
            );
        }
        validation.finish()?;
        let kind = self.get(actor, id).await?.key.kind;
        let secret = KeySecret::generate(kind, &*self.random)?;
        let (now, editor) = (self.clock.now(), actor.clone());
        let edit = move |key: &mut ApiKey| {
            key.ensure_editable()?;
            ensure_holds(&editor, key)?;
            key.updated_at = now;
            Ok(())
        };
        let stored = self.stored(&secret);
        let ends = now.saturating_add(overlap);
        let details = self
            .keys
            .rotate_key(actor.view()?, id, Box::new(edit), stored, ends)
            .await?;
        Ok(RotatedKey { details, secret })
    }

    fn validate(&self, new: &NewKey) -> Result<(ScopeSet, Vec<IpNet>), FlowError> {
        let mut validation = Validation::default();
        validation.line("/name", &new.name, MAX_NAME);
        validation.expiry(new.expires_at, self.clock.now());
        let allowed_cidrs = validation.networks(&new.allowed_cidrs);
        validation.metadata(&new.metadata);
        if let Some(external_id) = &new.external_id {
            validation.line("/externalId", external_id, MAX_EXTERNAL_ID);
        }
        let scopes = validation.scopes(&new.scopes, new.kind, &self.catalog);
        if new.reach == ReachRequest::Instance && new.kind != KeyType::Agent {
            validation.refuse("/type", "an instance key is an agent key");
        }
        validation.finish()?;
        Ok((scopes, allowed_cidrs))
    }

    async fn reach(&self, actor: &Actor, request: &ReachRequest) -> Result<KeyReach, FlowError> {
        match request {
            ReachRequest::Instance if matches!(actor, Actor::Operator) => Ok(KeyReach::Instance),
            ReachRequest::Instance => Err(FlowError::Forbidden(Vec::new())),
            ReachRequest::Caller { others } => match actor.view()? {
                KeyView::Workspace(home) => Ok(KeyReach::workspaces(home, self.others(actor, others).await?)),
                KeyView::Everything => Err(FlowError::WorkspaceDenied(Vec::new())),
            },
            ReachRequest::Workspace { home, others } => {
                self.ensure_exists(*home, "/workspaceId").await?;
                Ok(KeyReach::workspaces(*home, self.others(actor, others).await?))
            }
        }
    }

    /// Reads ids of workspaces that the actor may let a key into. Malformed, unknown and foreign ids get one answer.
    async fn others(&self, actor: &Actor, ids: &[String]) -> Result<Vec<WorkspaceId>, FlowError> {
        if ids.len() > MAX_WORKSPACES {
            let detail = format!("must have {MAX_WORKSPACES} entries or fewer");
            return Err(FlowError::Invalid(vec![Violation::new("/workspaceIds", detail)]));
        }
        let allowed = actor.workspaces();
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

    async fn ensure_exists(&self, id: WorkspaceId, pointer: &str) -> Result<(), FlowError> {
        let found = self.workspaces.find_workspace(id).await?;
        found
            .filter(|workspace| workspace.deleted_at.is_none())
            .map(|_| ())
            .ok_or_else(|| no_such_workspace(pointer))
    }

    pub(crate) fn issue(
        &self,
        actor: &Actor,
        new: NewKey,
        scopes: ScopeSet,
        allowed_cidrs: Vec<IpNet>,
        reach: KeyReach,
    ) -> Result<IssuedKey, FlowError> {
        let now = self.clock.now();
        let secret = KeySecret::generate(new.kind, &*self.random)?;
        let key = ApiKey {
            id: KeyId::new(now, &*self.random)?,
            kind: new.kind,
            name: new.name,
            reach,
            scopes,
            lifecycle: Lifecycle::Active,
            expires_at: new.expires_at,
            allowed_cidrs,
            external_id: new.external_id,
            metadata: new.metadata,
            display: secret.parsed().display(),
            created_by: actor.creator(),
            created_at: now,
            updated_at: now,
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
            format: parsed.format().id.to_owned(),
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
