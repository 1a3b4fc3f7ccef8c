//! From what an embedder says to an instance.

use std::{str::FromStr, sync::Arc, time::Duration};

use tigertrust_accounts::{HygieneSettings, UsageRetention};
use tigertrust_credentials::{
    CacheSettings, KeyFormats, OsRandom, PasswordCost, PasswordHasher, Pepper, PepperError, PepperRing,
    SteadyClock, SystemClock,
};
use tigertrust_model::{Clock, KeyTypes, RandomSource, ScopeCatalog};
#[cfg(feature = "mail")]
use tigertrust_notify::{Letterhead, MailTransport};
use tigertrust_rate_limit::Limits;
#[cfg(feature = "valkey")]
use tigertrust_rate_limit::ValkeySettings;
use tigertrust_storage::{DatabaseUrl, DatabaseUrlError, Options, SchemaState, migrations};
use tokio::runtime::Handle;

use crate::{BuildError, TigerTrust, instance::Foundation, settings};

/// Puts a [`TigerTrust`] together. What is wrong with a setting is told by [`build`](Self::build).
///
/// A database and a pepper have to be named; all else has a default.
#[must_use = "nothing happens before `build`"]
pub struct Builder {
    database: Option<Result<DatabaseUrl, DatabaseUrlError>>,
    ring: Option<PepperRing>,
    peppers: Vec<(String, Result<Pepper, PepperError>)>,
    catalog: Option<ScopeCatalog>,
    scopes: Vec<(String, String, KeyTypes)>,
    formats: KeyFormats,
    cache: CacheSettings,
    max_staleness: Duration,
    limits: Limits,
    password_cost: PasswordCost,
    usage: UsageRetention,
    hygiene: HygieneSettings,
    name: Option<String>,
    #[cfg(feature = "valkey")]
    valkey: Option<ValkeySettings>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn RandomSource>>,
    #[cfg(feature = "mail")]
    mail: Option<(Letterhead, Arc<dyn MailTransport>)>,
    #[cfg(feature = "webhooks")]
    webhooks: crate::webhooks::WebhookSettings,
    options: Options,
    migrate: bool,
    runtime: Option<Handle>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            database: None,
            ring: None,
            peppers: Vec::new(),
            catalog: None,
            scopes: Vec::new(),
            formats: KeyFormats::default(),
            cache: CacheSettings::default(),
            max_staleness: settings::MAX_STALENESS,
            limits: Limits::default(),
            password_cost: PasswordCost::MIN,
            usage: UsageRetention::default(),
            hygiene: HygieneSettings::default(),
            name: None,
            #[cfg(feature = "valkey")]
            valkey: None,
            clock: None,
            random: None,
            #[cfg(feature = "mail")]
            mail: None,
            #[cfg(feature = "webhooks")]
            webhooks: crate::webhooks::WebhookSettings::default(),
            options: Options::default(),
            migrate: false,
            runtime: None,
        }
    }

    /// The database: `sqlite://./auth.db`, `sqlite:///var/lib/auth.db`, `postgres://user:password@host/name`.
    pub fn database(mut self, url: &str) -> Self {
        self.database = Some(DatabaseUrl::from_str(url));
        self
    }

    /// The database, by a URL that was read already.
    pub fn database_url(mut self, url: DatabaseUrl) -> Self {
        self.database = Some(Ok(url));
        self
    }

    /// How to use the database: the size of the pool, how long to wait.
    pub fn storage_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// A pepper: a secret that key digests are computed under, in base64url of 32 bytes or more, and the id that stored
    /// keys name it by. [`TigerTrust::generate_pepper`] makes a secret. Keep it outside the database: without it no stored
    /// key is valid any more, with it alone a stolen database gives nothing away.
    ///
    /// The first one that is given digests new keys, those after it still verify older ones.
    pub fn pepper(mut self, id: &str, secret: &str) -> Self {
        self.peppers.push((id.to_owned(), Pepper::new(id, secret)));
        self
    }

    /// All peppers at once, in place of [`pepper`](Self::pepper).
    pub fn peppers(mut self, ring: PepperRing) -> Self {
        self.ring = Some(ring);
        self
    }

    /// A scope of the application: its name (`invoices:read`), what it allows in a sentence, and which types of key may
    /// hold it. The management scopes are always there. Where no scope is given, so are the shipped application scopes:
    /// [`ScopeCatalog::shipped_application_scopes`].
    pub fn scope(mut self, name: &str, description: &str, types: KeyTypes) -> Self {
        self.scopes.push((name.to_owned(), description.to_owned(), types));
        self
    }

    /// All scopes at once, in place of [`scope`](Self::scope).
    pub fn catalog(mut self, catalog: ScopeCatalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// How keys are written that were made elsewhere: such can be imported by their SHA-256, and are let in then. If nobody says,
    /// only keys of this library's own are.
    pub fn key_formats(mut self, formats: KeyFormats) -> Self {
        self.formats = formats;
        self
    }

    /// How much is remembered of keys and workspaces.
    pub fn cache(mut self, cache: CacheSettings) -> Self {
        self.cache = cache;
        self
    }

    /// How long the feed of changes may be silent before nothing remembered is trusted and every request asks the
    /// database: the bound on how late a revocation can be noticed. 5 seconds if nobody says otherwise.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// How often keys may be used, by the plan of their workspace, and all other limits of rates. If nobody says otherwise: 60 a
    /// minute and 1,000 an hour on plan `free`, 300 and 10,000 on `pro`, 1,000 and 50,000 on `enterprise`.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the processes over one database keep what was spent of the limits, so that these hold over all of them. If nobody
    /// says, each process counts for itself.
    #[cfg(feature = "valkey")]
    pub fn share_limits(mut self, valkey: ValkeySettings) -> Self {
        self.valkey = Some(valkey);
        self
    }

    /// How much work the hash of a password is: 19 MiB and 2 passes if nobody says otherwise. Hashes that took less are made anew
    /// when their owners sign in.
    pub fn password_cost(mut self, cost: PasswordCost) -> Self {
        self.password_cost = cost;
        self
    }

    /// How long it is kept how often keys were used: by the minute for two days, by the hour for sixty and by the day for four hundred
    /// if nobody says otherwise.
    pub fn usage_retention(mut self, retention: UsageRetention) -> Self {
        self.usage = retention;
        self
    }

    /// From when on a key is worth a look, for [`TigerTrust::hygiene`].
    pub fn hygiene(mut self, settings: HygieneSettings) -> Self {
        self.hygiene = settings;
        self
    }

    /// What people know this process by, such as the name of its machine: `tigertrust secrets status` and `doctor` show it among the
    /// processes over the database.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where time comes from; the machine's clock if nobody says otherwise. Where it goes back, the instance's own does not: it goes on
    /// from the latest time that was seen, be it before a restart or by another process over the database.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where randomness comes from; the operating system if nobody says otherwise.
    pub fn random(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.random = Some(random);
        self
    }

    /// The way that mails to people go, and what they are written on. If nobody says, no mail is sent, and all else works
    /// as it does with mail.
    #[cfg(feature = "mail")]
    pub fn mail(mut self, letterhead: Letterhead, transport: Arc<dyn MailTransport>) -> Self {
        self.mail = Some((letterhead, transport));
        self
    }

    /// How webhooks are to be. If nobody says, there are none, since their secrets cannot be kept.
    #[cfg(feature = "webhooks")]
    pub fn webhooks(mut self, webhooks: crate::webhooks::WebhookSettings) -> Self {
        self.webhooks = webhooks;
        self
    }

    /// Whether [`build`](Self::build) makes the database where it is missing and brings its schema up to date. Processes
    /// that do so at once wait for each other.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// The tokio runtime on which connections live, with timers and I/O enabled; the one that builds if nobody says
    /// otherwise. It must be there as long as the instance is.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// An instance that is ready: the schema is the one that this program knows, and the feed of changes is heard.
    ///
    /// # Errors
    /// [`BuildError`]; nothing runs then. A setting that is wrong is found before the database is touched.
    pub async fn build(self) -> Result<TigerTrust, BuildError> {
        let migrate = self.migrate;
        let foundation = self.check()?;
        if migrate {
            migrations::create_database_if_missing(&foundation.url).await?;
            migrations::run(&foundation.url).await?;
        }
        let instance = TigerTrust::over(foundation)?;
        match instance.storage().schema_state().await? {
            SchemaState::Current | SchemaState::Expanded(_) => {}
            SchemaState::Pending(missing) => return Err(BuildError::SchemaBehind(missing)),
            SchemaState::Newer(unknown) => return Err(BuildError::SchemaAhead(unknown)),
            SchemaState::HalfMoved => return Err(BuildError::HalfMoved),
            SchemaState::MovedAway => return Err(BuildError::MovedAway),
        }
        instance.take_up_time().await?;
        instance.take_up_limits().await;
        instance.start();
        Ok(instance)
    }

    /// An instance whose database has not been asked for anything yet, and need not be up: what a server wants that must
    /// start all the same. Nothing is migrated. Until [`TigerTrust::start`] is called and the feed is heard, every
    /// request asks the database.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn open(self) -> Result<TigerTrust, BuildError> {
        TigerTrust::over(self.check()?)
    }

    fn check(self) -> Result<Foundation, BuildError> {
        let url = self.database.ok_or(BuildError::NoDatabase)??;
        let peppers = match self.ring {
            Some(ring) => ring,
            None => settings::ring(self.peppers)?,
        };
        let catalog = match self.catalog {
            Some(catalog) => catalog,
            None => settings::catalog(self.scopes)?,
        };
        settings::ensure_some_trust(self.max_staleness)?;
        let runtime = settings::runtime(self.runtime)?;
        let machine = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let steady = Arc::new(SteadyClock::new(machine));
        Ok(Foundation {
            url,
            options: self.options,
            peppers,
            catalog: Arc::new(catalog),
            formats: self.formats,
            cache: self.cache,
            max_staleness: self.max_staleness,
            limits: self.limits,
            hasher: PasswordHasher::with_cost(self.password_cost)?,
            usage: self.usage,
            hygiene: self.hygiene,
            name: self.name,
            #[cfg(feature = "valkey")]
            valkey: self.valkey,
            clock: Arc::clone(&steady) as Arc<dyn Clock>,
            steady,
            random: self.random.unwrap_or_else(|| Arc::new(OsRandom)),
            #[cfg(feature = "mail")]
            mail: self.mail,
            #[cfg(feature = "webhooks")]
            webhooks: self.webhooks,
            runtime,
        })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("database", &self.database)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}
