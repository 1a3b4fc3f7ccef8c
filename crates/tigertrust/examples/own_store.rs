//! Keys in a store of one's own: TigerTrust checks them, and has no database.
//!
//! ```text
//! cargo run -p tigertrust --no-default-features --example own_store
//! ```

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tigertrust::{
    ApiKey, Changes, Entity, Gate, KeyId, KeyReach, KeySecret, KeyType, Metadata, Need, OsRandom, Plan,
    RandomSource, Scope, Workspace, WorkspaceId,
    model::{Creator, KeyLimits, Lifecycle},
    ports::{CredentialStore, KeyDigest, KeyRecord, StoreError, async_trait},
};

/// The tables. A real service would have a database here.
#[derive(Default)]
pub struct Tables {
    keys: Mutex<HashMap<KeyDigest, KeyRecord>>,
    workspaces: Mutex<HashMap<WorkspaceId, Workspace>>,
}

fn open<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What TigerTrust asks: each is one look-up by an indexed column.
#[async_trait]
impl CredentialStore for Tables {
    async fn find_key(&self, digests: &[KeyDigest]) -> Result<Option<KeyRecord>, StoreError> {
        let keys = open(&self.keys);
        Ok(digests.iter().find_map(|digest| keys.get(digest)).cloned())
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        Ok(open(&self.workspaces).get(&id).cloned())
    }
}

/// What makes and ends keys.
pub struct Keys {
    tables: Arc<Tables>,
    gate: Gate,
    changes: Changes,
}

impl Keys {
    /// Keys of new, empty tables.
    pub fn open(pepper: &str) -> Result<Self, Box<dyn Error>> {
        let tables = Arc::new(Tables::default());
        let (gate, changes) = Gate::over(Arc::clone(&tables) as Arc<dyn CredentialStore>)
            .pepper("p1", pepper)
            // All changes are made below, and told. Where other processes write too, leave this out and call `changes.caught_up`.
            .every_change_is_told()
            .build()?;
        Ok(Self {
            tables,
            gate,
            changes,
        })
    }

    /// What checks keys: for a `tigertrust::tower::AuthLayer`, or a `web::Data` of actix-web.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The tables themselves.
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }

    /// Makes a workspace on plan `free`, which says how often its keys may be used.
    pub fn create_workspace(&self, name: &str) -> Result<Workspace, Box<dyn Error>> {
        let now = self.gate.clock().now();
        let random: &dyn RandomSource = &OsRandom;
        let workspace = Workspace {
            id: WorkspaceId::new(now, random)?,
            name: name.to_owned(),
            plan: Plan::free(),
            requires_second_factor: false,
            leak_response: None,
            created_at: now,
            deleted_at: None,
        };
        open(&self.tables.workspaces).insert(workspace.id, workspace.clone());
        Ok(workspace)
    }

    /// Makes a key. Its secret is in the answer and nowhere else.
    pub fn create(&self, home: &Workspace, scopes: &[&str]) -> Result<(KeyId, KeySecret), Box<dyn Error>> {
        let now = self.gate.clock().now();
        let (secret, digest) = self.gate.new_secret(KeyType::Agent)?;
        let scopes = scopes.iter().map(|scope| scope.parse::<Scope>());
        let key = ApiKey {
            id: KeyId::new(now, &OsRandom)?,
            kind: KeyType::Agent,
            name: "certificates".to_owned(),
            reach: KeyReach::workspaces(home.id, []),
            owner: None,
            scopes: scopes.collect::<Result<_, _>>()?,
            lifecycle: Lifecycle::Active,
            expires_at: None,
            allowed_cidrs: Vec::new(),
            limits: KeyLimits::default(),
            external_id: None,
            metadata: Metadata::default(),
            display: secret.parsed().display(),
            created_by: Creator::Operator,
            created_at: now,
            updated_at: now,
            leak_reported_at: None,
        };
        let id = key.id;
        let record = KeyRecord {
            key,
            secret_digest: digest,
            secret_ends_at: None,
            workspaces: vec![home.clone()],
            owner: None,
        };
        open(&self.tables.keys).insert(digest, record);
        self.changes.changed(Entity::Key(id));
        Ok((id, secret))
    }

    /// Revokes a key. Once this has returned it is refused.
    pub fn revoke(&self, id: KeyId) -> Result<(), Box<dyn Error>> {
        let now = self.gate.clock().now();
        for record in open(&self.tables.keys).values_mut() {
            if record.key.id == id {
                record.key.revoke(now, Some("left in a log".to_owned()))?;
            }
        }
        self.changes.changed(Entity::Key(id));
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Made once, and kept with the other secrets of the service.
    let pepper = tigertrust::generate_pepper()?;
    let keys = Keys::open(&pepper)?;
    let workspace = keys.create_workspace("Acme")?;
    let (id, secret) = keys.create(&workspace, &["certificates:read"])?;
    let need = Need {
        scope: Some("certificates:read".parse()?),
        ..Need::any_caller()
    };
    let permit = keys.gate().admit_key(secret.reveal(), &need).await?;
    let place = permit.workspace().map(|workspace| workspace.name.as_str());
    println!("{id} may, in {}", place.unwrap_or_default());
    keys.revoke(id)?;
    match keys.gate().admit_key(secret.reveal(), &need).await {
        Ok(_) => println!("{id} still may"),
        Err(refusal) => println!("{id} may not: {refusal}"),
    }
    keys.gate().close().await;
    Ok(())
}
