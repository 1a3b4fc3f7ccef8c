//! Wires the crates: from settings to flows and an application.

use std::sync::Arc;

use tigertrust_accounts::{KeyFlows, UserFlows, WorkspaceFlows};
use tigertrust_credentials::{Admission, ChangeTracker, OsRandom, SystemClock, ports::ChangeListener};
use tigertrust_http::{App, Parts};
use tigertrust_model::{Clock, RandomSource, ScopeCatalog};
use tigertrust_storage::{Options, SchemaState, Storage};
use tokio::runtime::Handle;

use crate::{config::Settings, failure::Failure};

/// One instance of TigerTrust over its database.
pub struct Instance {
    /// The database.
    pub storage: Storage,
    /// Keys.
    pub keys: KeyFlows,
    /// People.
    pub users: UserFlows,
    /// Workspaces.
    pub workspaces: WorkspaceFlows,
    /// Which scopes exist.
    pub catalog: Arc<ScopeCatalog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
    /// Decides who gets in.
    pub admission: Arc<Admission>,
    tracker: Arc<ChangeTracker>,
    settings: Settings,
}

impl Instance {
    /// Opens the instance. The database need not be reachable yet.
    pub fn open(settings: &Settings) -> Result<Self, Failure> {
        let keyring = settings.keyring.clone().ok_or_else(|| {
            Failure::new(
                "there is no key ring: set keyring_file to one (`tigertrust secrets create FILE` makes it), \
                 or run `tigertrust quickstart` for a first try",
            )
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn RandomSource> = Arc::new(OsRandom);
        let tracker = Arc::new(ChangeTracker::new(Arc::clone(&clock), settings.max_staleness));
        let storage = Storage::open(
            &settings.database.url,
            options(settings),
            Arc::clone(&clock),
            Arc::clone(&tracker) as Arc<dyn ChangeListener>,
            Handle::current(),
        )?;
        let catalog = Arc::new(settings.catalog.clone());
        let admission = Arc::new(Admission::new(
            keyring.peppers.clone(),
            Arc::clone(&clock),
            storage.credentials(),
            &tracker,
            settings.cache,
        ));
        Ok(Self {
            keys: KeyFlows::new(
                storage.keys(),
                storage.credentials(),
                Arc::clone(&catalog),
                keyring.peppers.clone(),
                Arc::clone(&clock),
                Arc::clone(&random),
            ),
            users: UserFlows::new(storage.accounts(), Arc::clone(&clock), Arc::clone(&random)),
            workspaces: WorkspaceFlows::new(storage.accounts(), Arc::clone(&clock), Arc::clone(&random)),
            storage,
            catalog,
            clock,
            random,
            tracker,
            admission,
            settings: settings.clone(),
        })
    }

    /// Opens the instance for a command that needs its database at once, with the schema that this program knows.
    pub async fn open_ready(settings: &Settings) -> Result<Self, Failure> {
        let instance = Self::open(settings)?;
        schema_failure(&instance.storage.schema_state().await?).map_or(Ok(instance), Err)
    }

    /// The application that a server serves.
    pub fn app(&self) -> Result<App, Failure> {
        let mut instance = [0; 8];
        self.random.fill(&mut instance)?;
        Ok(App::new(Parts {
            admission: Arc::clone(&self.admission),
            keys: self.keys.clone(),
            workspaces: self.workspaces.clone(),
            catalog: Arc::clone(&self.catalog),
            tracker: Arc::clone(&self.tracker),
            clock: Arc::clone(&self.clock),
            proxies: self.settings.proxies.clone(),
            instance,
        }))
    }
}

fn options(settings: &Settings) -> Options {
    let database = &settings.database;
    Options {
        pool_size: database.pool_size,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
        ..Options::default()
    }
}

/// Why the database's schema cannot be worked on, if so.
pub fn schema_failure(state: &SchemaState) -> Option<Failure> {
    match state {
        SchemaState::Current => None,
        SchemaState::Pending(missing) => Some(Failure::new(format!(
            "the database's schema is behind this program by {}: run `tigertrust migrate run`",
            count(missing.len())
        ))),
        SchemaState::Newer(unknown) => Some(Failure::new(format!(
            "the database's schema is ahead of this program by {} ({}): use the newer program that made it",
            count(unknown.len()),
            unknown.join(", ")
        ))),
    }
}

fn count(migrations: usize) -> String {
    if migrations == 1 {
        "1 migration".to_owned()
    } else {
        format!("{migrations} migrations")
    }
}
