//! Every setting, with its default and what is allowed.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::Path,
    str::FromStr,
    thread,
    time::Duration,
};

use ipnet::IpNet;
use tigertrust::{
    mail::PublicUrl,
    rate_limit::{Limits, ValkeySettings},
};
use tigertrust_accounts::{HygieneSettings, LeakPolicy, SessionSettings, UsageRetention};
use tigertrust_credentials::{CacheSettings, HashingSettings, KeyFormats, PasswordCost};
use tigertrust_http::{AppSettings, ServerSettings, TokenSettings, TrustedProxies};
use tigertrust_model::ScopeCatalog;
use tigertrust_storage::DatabaseUrl;

use super::{
    Asked, AuditSettings, Keyring, KeyringSource, Listen, MailSettings, SettingErrors, Source, TlsSettings,
    TraceSettings,
    forms::{flag, list, number, origins, secret, time, time_within, time_within_or},
    key_formats, keyring_source, limits, passkeys,
    reader::Reader,
    scopes, sso, usage,
};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// How.
    pub format: LogFormat,
    /// What: a level, or directives such as `info,tigertrust_storage=debug`.
    pub filter: String,
}

/// Who may do what with a file, as octal digits.
struct FileMode(u32);

impl FromStr for FileMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mode = u32::from_str_radix(text, 8).ok();
        mode.filter(|mode| *mode <= 0o777).map(Self).ok_or(())
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// The database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Connections to PostgreSQL.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may work on a statement.
    pub statement_timeout: Duration,
    /// Whether `serve` brings the schema up to date.
    pub migrate_on_start: bool,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: Listen,
    /// Who may connect to a Unix socket.
    pub socket_mode: u32,
    /// TLS by the server itself; none where it speaks plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Where to listen for who reads the figures; none if nobody does.
    pub metrics_listen: Option<SocketAddr>,
    /// The limits of the server.
    pub server: ServerSettings,
    /// Whose word on a client's address counts, and what happens to leaked keys.
    pub app: AppSettings,
    /// Mail.
    pub mail: MailSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// The secrets; none if no ring is configured, which only some commands can do without.
    pub keyring: Option<Keyring>,
    /// Where they come from.
    pub keyring_source: Option<KeyringSource>,
    /// Whether one of the trusted networks is of all addresses.
    pub proxies_believe_everybody: bool,
    /// How much is remembered.
    pub cache: CacheSettings,
    /// How long the feed of changes may be silent before nothing remembered is trusted.
    pub max_staleness: Duration,
    /// How much work the hash of a password is.
    pub password_cost: PasswordCost,
    /// How often keys may be used.
    pub limits: Limits,
    /// Where limits are shared with other servers; none where each counts for itself.
    pub shared_limits: Option<ValkeySettings>,
    /// How long it is kept how often keys were used.
    pub usage: UsageRetention,
    /// From when on a key is worth a look.
    pub hygiene: HygieneSettings,
    /// Whether webhooks may be sent to addresses that are not public.
    pub allow_private_webhooks: bool,
    /// Which scopes exist.
    pub catalog: ScopeCatalog,
    /// How keys are written that were made elsewhere.
    pub key_formats: KeyFormats,
    /// The audit log.
    pub audit: AuditSettings,
    /// Logs.
    pub log: LogSettings,
    /// Traces.
    pub traces: TraceSettings,
    /// Every setting, in the order in which they are read.
    pub asked: Vec<Asked>,
    /// What tells the value of each key that is set from another value.
    pub fingerprints: BTreeMap<String, [u8; 32]>,
}

impl Settings {
    /// Reads all settings. Paths that are not given stand in `data`.
    pub fn load(source: &Source, data: &Path) -> Result<Self, SettingErrors> {
        let mut reader = Reader::new(source)?;
        let settings = Self::read(&mut reader, data);
        reader.finish()?;
        settings.ok_or_else(|| SettingErrors(Vec::new()))
    }

    /// Every setting that there is where the source is as it is, right or wrong.
    #[cfg(test)]
    pub fn all_asked(source: &Source, data: &Path) -> Result<Vec<Asked>, SettingErrors> {
        let mut reader = Reader::new(source)?;
        drop(Self::read(&mut reader, data));
        Ok(reader.asked())
    }

    /// Reads all settings; none where there is no database to go on with, of which the reader knows.
    fn read(reader: &mut Reader, data: &Path) -> Option<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shipped = ServerSettings {
            workers: cores,
            ..ServerSettings::default()
        };
        let caches = CacheSettings::default();

        let listen = reader.read_or(
            "server.listen",
            "an address and a port such as 127.0.0.1:8080, or unix: and an absolute path such as unix:/run/tigertrust/api.sock",
            Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080))),
            |text| text.parse().ok(),
        );
        let socket_mode = reader.read_or(
            "server.socket_mode",
            "the mode of a file in octal such as \"0660\"",
            FileMode(0o660),
            |text| text.parse().ok(),
        );
        let server = ServerSettings {
            workers: number(reader, "server.workers", shipped.workers, 1, 1024),
            max_connections: number(
                reader,
                "server.max_connections",
                shipped.max_connections,
                1,
                1_000_000,
            ),
            request_timeout: time(reader, "server.request_timeout", shipped.request_timeout),
            keep_alive: time(reader, "server.keep_alive", shipped.keep_alive),
            shutdown_timeout: time(reader, "server.shutdown_timeout", shipped.shutdown_timeout),
        };
        let tls = TlsSettings::read(reader);
        let metrics_listen = reader.read(
            "metrics.listen",
            "an address and a port such as 127.0.0.1:9464",
            |text| text.parse().ok(),
        );
        let proxies_believe_everybody = reader
            .peek_list(PROXIES_KEY)
            .iter()
            .any(|network| network.trim().ends_with("/0"));
        let mut app = app(reader);
        let mail = MailSettings::read(reader, &app.issuer);
        // A proxy may change `Host`: where people find this server, its own pages come from.
        app.origins
            .extend(mail.public_url.as_ref().map(PublicUrl::origin));
        app.relying_party = passkeys::read(reader, mail.public_url.as_ref());
        app.sso = Some(sso::read(
            reader,
            mail.public_url.as_ref(),
            &listen.local_url(tls.is_some()),
        ));
        let local = format!("sqlite://{}", data.join("tigertrust.db").display());
        let url = secret(
            reader,
            ["database.url", "database.url_file"],
            "a postgres:// or sqlite:// URL",
            DatabaseUrl::from_str,
        )
        .or_else(|| DatabaseUrl::from_str(&local).ok());
        reader.default_is("database.url", &local);
        let pool_size = number(reader, "database.pool_size", 10, 1, 1000);
        let acquire_timeout = time(reader, "database.acquire_timeout", Duration::from_secs(2));
        let statement_timeout = time(reader, "database.statement_timeout", Duration::from_secs(5));
        let migrate_on_start = flag(reader, "database.migrate_on_start");
        let (keyring, keyring_source) = keyring_source::read(reader, &data.join("keyring.toml")).unzip();
        let cache = CacheSettings {
            max_keys: number(reader, "cache.max_keys", caches.max_keys, 0, 100_000_000),
            max_workspaces: number(
                reader,
                "cache.max_workspaces",
                caches.max_workspaces,
                0,
                100_000_000,
            ),
        };
        let max_staleness = time(reader, "cache.max_staleness", Duration::from_secs(5));
        let password_cost = password_cost(reader);
        let limits = limits::read(reader);
        let shared_limits = limits::read_shared(reader);
        let retention = usage::read_retention(reader);
        let hygiene = usage::read_hygiene(reader);
        let allow_private_webhooks = flag(reader, "webhooks.allow_private_addresses");
        let catalog = scopes::read(reader);
        let key_formats = key_formats::read(reader);
        let audit = AuditSettings::read(reader);
        let log = LogSettings {
            format: reader.read_or(
                "log.format",
                "human or json",
                LogFormat::Human,
                |text| match text {
                    "human" => Some(LogFormat::Human),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                },
            ),
            filter: reader.read_or(
                "log.filter",
                "a level (error, warn, info, debug, trace) or directives such as info,tigertrust_http=debug",
                "info,actix_server=warn,actix_http=off".to_owned(),
                |text| {
                    tracing_subscriber::EnvFilter::try_new(text)
                        .ok()
                        .map(|_| text.to_owned())
                },
            ),
        };
        let traces = TraceSettings::read(reader);
        if url.is_none() {
            reader.refuse(
                "database.url",
                "default",
                "the path of the data folder cannot stand in a URL; set database.url",
            );
        }
        let database = DatabaseSettings {
            url: url?,
            pool_size,
            acquire_timeout,
            statement_timeout,
            migrate_on_start,
        };
        let issuer = mail.public_url.as_ref().map(|url| url.as_str().to_owned());
        let signing = keyring.as_ref().and_then(|ring| ring.signing.clone());
        let app = AppSettings {
            tokens: signing.map(|ring| TokenSettings {
                ring,
                issuer: issuer.unwrap_or_else(|| listen.local_url(tls.is_some())),
            }),
            encryption: keyring.as_ref().and_then(|ring| ring.encryption.clone()),
            ..app
        };
        Some(Self {
            listen,
            socket_mode: socket_mode.0,
            tls,
            metrics_listen,
            server,
            app,
            mail,
            database,
            keyring,
            keyring_source,
            proxies_believe_everybody,
            cache,
            max_staleness,
            password_cost,
            limits,
            shared_limits,
            usage: retention,
            hygiene,
            allow_private_webhooks,
            catalog,
            key_formats,
            audit,
            log,
            traces,
            asked: reader.asked(),
            fingerprints: reader.fingerprints(),
        })
    }
}

/// How long sessions may live.
const OF_SESSIONS: RangeInclusive<Duration> =
    Duration::from_secs(5 * 60)..=Duration::from_secs(365 * 24 * 60 * 60);

fn app(reader: &mut Reader) -> AppSettings {
    let shipped = AppSettings::default();
    let threads = number(
        reader,
        "passwords.hashing_threads",
        shipped.hashing.threads.get(),
        1,
        256,
    );
    AppSettings {
        proxies: proxies(reader),
        leaks: leaks(reader),
        cookie_name: reader.read_or(
            "sessions.cookie_name",
            "a name of 1 to 64 letters, digits, . - and _",
            shipped.cookie_name,
            |text| {
                let named = (1..=64).contains(&text.len())
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
                named.then(|| text.to_owned())
            },
        ),
        sessions: SessionSettings {
            lifetime: time_within_or(
                reader,
                "sessions.lifetime",
                &OF_SESSIONS,
                shipped.sessions.lifetime,
            ),
            idle_timeout: time_within(reader, "sessions.idle_timeout", &OF_SESSIONS),
        },
        hashing: HashingSettings {
            threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
            queue: number(
                reader,
                "passwords.hashing_queue",
                shipped.hashing.queue,
                0,
                10_000,
            ),
        },
        // Out of the key ring, once that is read.
        encryption: None,
        tokens: None,
        issuer: reader.read_or(
            "sessions.issuer",
            "1 to 50 characters without a colon",
            shipped.issuer,
            |text| {
                let named = (1..=50).contains(&text.chars().count())
                    && !text.chars().any(|letter| letter.is_control() || letter == ':');
                named.then(|| text.to_owned())
            },
        ),
        // By where people find this service, once that is read.
        relying_party: shipped.relying_party,
        origins: origins(reader, "server.allowed_origins"),
        // Once it is known where people find this service.
        sso: None,
        // Once they have started.
        traces: None,
    }
}

fn password_cost(reader: &mut Reader) -> PasswordCost {
    let (least, most) = (PasswordCost::MIN, PasswordCost::MAX_MEMORY_KIB);
    PasswordCost {
        memory_kib: number(
            reader,
            "passwords.memory_kib",
            least.memory_kib,
            least.memory_kib,
            most,
        ),
        passes: number(reader, "passwords.passes", least.passes, least.passes, 100),
        ..least
    }
}

fn leaks(reader: &mut Reader) -> LeakPolicy {
    let shipped = LeakPolicy::default();
    let mut response =
        |key, shipped| reader.read_or(key, "notify or revoke", shipped, |text| text.parse().ok());
    LeakPolicy {
        agent: response("keys.leaked_agent_keys", shipped.agent),
        public: response("keys.leaked_public_keys", shipped.public),
    }
}

const PROXIES_KEY: &str = "server.trusted_proxies";
const PROXIES: &str =
    "networks such as 10.0.0.0/8 or ::1/128, or \"unix\" for whoever connects to the Unix socket";

fn proxies(reader: &mut Reader) -> TrustedProxies {
    let Some((value, origin)) = reader.take_any(PROXIES_KEY, PROXIES) else {
        return TrustedProxies::default();
    };
    let mut texts = list(value);
    let before = texts.as_ref().map_or(0, Vec::len);
    if let Some(texts) = &mut texts {
        texts.retain(|text| text != "unix");
    }
    let unix_socket = texts.as_ref().is_some_and(|texts| texts.len() < before);
    let networks = texts.and_then(|texts| texts.iter().map(|text| network(text)).collect());
    if networks.is_none() {
        reader.refuse(PROXIES_KEY, &origin, &format!("must be {PROXIES}"));
    }
    let proxies = TrustedProxies::new(networks.unwrap_or_default());
    if unix_socket {
        proxies.with_unix_socket()
    } else {
        proxies
    }
}

/// A network, or a single address.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
