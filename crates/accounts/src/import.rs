//! Keys that were made elsewhere and go on here: of them only the SHA-256 is known.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use tigertrust_credentials::{KeyDigest, KeyFormat, KeyHash};
use tigertrust_model::{
    ApiKey, KeyDisplay, KeyId, KeyLimits, KeyReach, Lifecycle, Metadata, Timestamp, WorkspaceId,
};

use zeroize::Zeroizing;

use crate::{
    Actor, FlowError, KeyFlows, Violation,
    key_edit::{ensure_grantable, ensure_limited},
    keys::{MAX_EXTERNAL_ID, MAX_NAME},
    ports::{HeldSecret, ImportedKey, ImportedKeys, KeyView, StoredSecret},
    validation::Validation,
};

/// The most keys that are imported at once.
pub const MAX_IMPORT: usize = 200;
const LAST: usize = 4;

/// What is known of a key that was made elsewhere.
#[derive(Clone)]
pub struct ForeignKey {
    /// The SHA-256 of the whole key, in hexadecimal digits, base64 or base64url.
    pub hash: Zeroizing<String>,
    /// The id of the format that it has; where there is one format alone it need not be named.
    pub format: Option<String>,
    /// How the key begins, as far as that is known: to be shown, and to tell a key of another format.
    pub start: Option<String>,
    /// The last 4 characters, if they are known.
    pub last_four: Option<String>,
    /// What people call it: 1 to 100 characters.
    pub name: String,
    /// Scopes as the caller wrote them.
    pub scopes: Vec<String>,
    /// Whether it is in use.
    pub active: bool,
    /// From when on it is refused. One that is expired is imported as such, so that its users learn why it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was made; now, if that is not known.
    pub created_at: Option<Timestamp>,
    /// Networks that it may be used from, as the caller wrote them; everywhere if there is none.
    pub allowed_cidrs: Vec<String>,
    /// Limits of its own, where they are lower than its plan's.
    pub limits: KeyLimits,
    /// The name that the owning application knows it by: 1 to 255 characters.
    pub external_id: Option<String>,
    /// What the owning application keeps with it.
    pub metadata: Metadata,
}

impl fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Where keys are imported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportInto {
    /// The workspace that the caller acts in.
    Caller,
    /// One that the operator names.
    Workspace(WorkspaceId),
}

/// What became of a key that was to be imported, or would become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is a new key; in a trial it has no id.
    Created(Option<KeyId>),
    /// It is there already, as this key; without an id in a trial, for what stands twice in one request.
    Exists(Option<KeyId>),
    /// It is not imported, for these reasons.
    Refused(Vec<Violation>),
}

impl KeyFlows {
    /// Imports keys that were made elsewhere: those that are not there yet and whose record is valid. Others are told of one by
    /// one. A trial stores nothing, and tells what would be done.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] for too many keys, or if no format is configured, [`FlowError::Forbidden`] for who makes personal keys
    /// alone, [`FlowError::WorkspaceDenied`], [`FlowError::Store`] and [`FlowError::Random`].
    pub async fn import(
        &self,
        actor: &Actor,
        into: ImportInto,
        records: Vec<ForeignKey>,
        is_trial: bool,
    ) -> Result<Vec<Imported>, FlowError> {
        if records.is_empty() || records.len() > MAX_IMPORT {
            let detail = format!("must have 1 to {MAX_IMPORT} entries");
            return Err(FlowError::invalid("/keys", detail));
        }
        if self.formats.iter().len() == 0 {
            let detail = "no format of imported keys is configured: see keys.formats in the configuration";
            return Err(FlowError::invalid("/keys", detail));
        }
        let home = self.import_home(actor, into).await?;
        let mut outcomes: Vec<Option<Imported>> = Vec::with_capacity(records.len());
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            match self.check(actor, home, record)? {
                Ok(key) => {
                    keys.push(key);
                    outcomes.push(None);
                }
                Err(violations) => outcomes.push(Some(Imported::Refused(violations))),
            }
        }
        let refused = outcomes.iter().flatten().count();
        let valid = if keys.is_empty() {
            Vec::new()
        } else if is_trial {
            self.foresee(home, &keys).await?
        } else {
            let batch = ImportedKeys { home, keys, refused };
            let held = self.keys.import_keys(actor.act(), batch).await?;
            held.into_iter().map(|held| outcome(home, held)).collect()
        };
        let mut valid = valid.into_iter();
        Ok(outcomes
            .into_iter()
            .filter_map(|refused| refused.or_else(|| valid.next()))
            .collect())
    }

    async fn import_home(&self, actor: &Actor, into: ImportInto) -> Result<WorkspaceId, FlowError> {
        match (into, actor.view()?) {
            (ImportInto::Workspace(home), KeyView::Everything) => {
                self.ensure_exists(home, "/workspaceId").await?;
                Ok(home)
            }
            (ImportInto::Caller, KeyView::Workspace(home)) => Ok(home),
            (ImportInto::Caller, KeyView::Own { .. }) => Err(FlowError::forbidden(
                "",
                "a member makes personal keys alone, and imported keys are the workspace's",
            )),
            (ImportInto::Workspace(_), _) | (ImportInto::Caller, KeyView::Everything) => {
                Err(FlowError::WorkspaceDenied(Vec::new()))
            }
        }
    }

    /// What would become of the keys.
    async fn foresee(&self, home: WorkspaceId, keys: &[ImportedKey]) -> Result<Vec<Imported>, FlowError> {
        let digests = keys.iter().flat_map(all_digests).collect();
        let known: HashMap<KeyDigest, HeldSecret> =
            self.keys.find_secrets(digests).await?.into_iter().collect();
        let mut before = HashSet::with_capacity(keys.len());
        let foreseen = keys.iter().map(|key| {
            let held = all_digests(key).find_map(|digest| known.get(&digest));
            let is_first = before.insert(key.secret.digest);
            match held {
                Some(held) => outcome(home, *held),
                None if is_first => Imported::Created(None),
                None => Imported::Exists(None),
            }
        });
        Ok(foreseen.collect())
    }

    /// The key that a record describes, or what is wrong with it.
    fn check(
        &self,
        actor: &Actor,
        home: WorkspaceId,
        record: ForeignKey,
    ) -> Result<Result<ImportedKey, Vec<Violation>>, FlowError> {
        let now = self.clock.now();
        let mut validation = Validation::of_keys(&self.formats);
        let hash = KeyHash::read(&record.hash);
        if let Err(why) = hash {
            validation.refuse("/hash", why.to_string());
        }
        let format = self.format_of(&record, &mut validation);
        validation.line("/name", &record.name, MAX_NAME);
        if let Some(external_id) = &record.external_id {
            validation.line("/externalId", external_id, MAX_EXTERNAL_ID);
        }
        validation.metadata(&record.metadata);
        validation.limits(record.limits);
        if record.created_at.is_some_and(|at| at > now) {
            validation.refuse("/createdAt", "must not be in the future");
        }
        let allowed_cidrs = validation.networks(&record.allowed_cidrs);
        let (Ok(hash), Some(format)) = (hash, format) else {
            return refused(validation.finish());
        };
        let display = display(&record, format, &mut validation);
        let scopes = validation.scopes(&record.scopes, format.kind(), &self.catalog);
        let checked = validation
            .finish()
            .and_then(|()| ensure_grantable(actor, &scopes))
            .and_then(|()| ensure_limited(actor, record.limits));
        if checked.is_err() {
            return refused(checked);
        }
        let pepper = self.peppers.current();
        let digest = pepper.digest_of_hash(&hash);
        let mut elsewise = self.peppers.digests_of_hash(&hash);
        elsewise.retain(|other| *other != digest);
        let key = ApiKey {
            id: KeyId::new(now, &*self.random)?,
            kind: format.kind(),
            name: record.name,
            reach: KeyReach::workspaces(home, []),
            owner: None,
            scopes,
            lifecycle: if record.active {
                Lifecycle::Active
            } else {
                Lifecycle::Deactivated
            },
            expires_at: record.expires_at,
            allowed_cidrs,
            limits: record.limits,
            external_id: record.external_id,
            metadata: record.metadata,
            display: display.clone(),
            created_by: actor.creator(),
            created_at: record.created_at.unwrap_or(now),
            updated_at: now,
            leak_reported_at: None,
        };
        let secret = StoredSecret {
            digest,
            pepper_id: pepper.id().to_owned(),
            format: format.id().to_owned(),
            display,
        };
        Ok(Ok(ImportedKey {
            key,
            secret,
            elsewise,
        }))
    }

    /// The format whose prefix the key is known to have.
    fn format_by_start(&self, record: &ForeignKey) -> Option<&KeyFormat> {
        let start = record.start.as_deref()?;
        let has_prefix =
            |format: &&KeyFormat| !format.prefix().is_empty() && start.starts_with(format.prefix());
        self.formats.iter().find(has_prefix)
    }

    /// The format that a record names, that its beginning tells, or the only one there is.
    fn format_of(&self, record: &ForeignKey, validation: &mut Validation) -> Option<&KeyFormat> {
        let known = || {
            let ids: Vec<&str> = self.formats.iter().map(KeyFormat::id).collect();
            ids.join(", ")
        };
        let mut all = self.formats.iter();
        let found = match (&record.format, all.next(), all.next()) {
            (Some(id), ..) => self.formats.find(id),
            (None, only, None) => only,
            (None, ..) if self.format_by_start(record).is_some() => self.format_by_start(record),
            (None, ..) => {
                validation.refuse(
                    "/format",
                    format!("must name the format of the key, one of {}", known()),
                );
                return None;
            }
        };
        if found.is_none() {
            validation.refuse("/format", format!("no such format: there is {}", known()));
        }
        found
    }
}

/// What is shown of a key: what its record knows, and the prefix that its format has anyway.
fn display(record: &ForeignKey, format: &KeyFormat, validation: &mut Validation) -> KeyDisplay {
    let prefix = format.prefix();
    let start = record.start.as_deref().unwrap_or(prefix);
    let is_written = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_written(start) || !(start.starts_with(prefix) || prefix.starts_with(start)) {
        validation.refuse(
            "/start",
            format!(
                "must begin with {prefix:?}, as keys of the format {} do: nobody could use this key",
                format.id()
            ),
        );
    }
    let longer = if start.len() > prefix.len() { start } else { prefix };
    let last_four = record.last_four.as_deref().unwrap_or_default();
    if !last_four.is_empty() && (last_four.len() != LAST || !is_written(last_four)) {
        validation.refuse("/lastFour", "must be the last 4 characters of the key");
    }
    KeyDisplay {
        start: longer.chars().take(format.shown()).collect(),
        last_four: last_four.to_owned(),
    }
}

fn outcome(home: WorkspaceId, held: HeldSecret) -> Imported {
    match held.home {
        _ if held.is_new => Imported::Created(Some(held.key)),
        Some(its_home) if its_home == home => Imported::Exists(Some(held.key)),
        _ => Imported::Refused(vec![Violation::new(
            "/hash",
            "the key is in use outside of this workspace",
        )]),
    }
}

fn all_digests(key: &ImportedKey) -> impl Iterator<Item = KeyDigest> + '_ {
    std::iter::once(key.secret.digest).chain(key.elsewise.iter().copied())
}

/// What is wrong with a record is told of that record, and stands in nobody else's way.
fn refused<T>(checked: Result<(), FlowError>) -> Result<Result<T, Vec<Violation>>, FlowError> {
    match checked {
        Ok(()) => Ok(Err(Vec::new())),
        Err(FlowError::Invalid(violations) | FlowError::Forbidden(violations)) => Ok(Err(violations)),
        Err(error) => Err(error),
    }
}
