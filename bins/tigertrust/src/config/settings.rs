//! Every setting, with its default and what is allowed.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
    str::FromStr,
    thread,
    time::Duration,
};

use config::{Value, ValueKind};
use ipnet::IpNet;
use serde::Deserialize;
use tigertrust::{
    mail::PublicUrl,
    rate_limit::{Limits, ValkeySettings},
};
use tigertrust_accounts::{HygieneSettings, LeakPolicy, LeakResponse, SessionSettings, UsageRetention};
use tigertrust_credentials::{CacheSettings, HashingSettings, KeyFormats, PasswordCost};
use tigertrust_http::{AppSettings, ServerSettings, TokenSettings, TrustedProxies};
use tigertrust_model::{KeyType, Scope, ScopeCatalog, ScopeDefinition};
use tigertrust_storage::DatabaseUrl;

use super::{
    AuditSettings, Keyring, KeyringSource, Listen, MailSettings, SettingErrors, Source, TlsSettings,
    TraceSettings, key_formats, keyring_source, limits, passkeys, reader::Reader, sso, usage,
};
use crate::duration;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// How.
    pub format: LogFormat,
    /// What: a level, or directives such as `info,tigertrust_storage=debug`.
    pub filter: String,
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
    /// Every key with where its value comes from.
    pub origins: Vec<(String, String)>,
    /// What tells the value of each key that is set from another value.
    pub fingerprints: BTreeMap<String, [u8; 32]>,
}

const DURATION: &str = "a length of time such as 5s, out of ms, s, m, h and d, of a day at the most";
/// What is longer is a mistake, and would be too long for the arithmetic of clocks.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Settings {
    /// Reads all settings. Paths that are not given stand in `data`.
    pub fn load(source: &Source, data: &Path) -> Result<Self, SettingErrors> {
        let mut reader = Reader::new(source)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shipped = ServerSettings {
            workers: cores,
            ..ServerSettings::default()
        };
        let caches = CacheSettings::default();

        let listen = reader
            .read(
                "server.listen",
                "an address and a port such as 127.0.0.1:8080, or unix: and an absolute path such as unix:/run/tigertrust/api.sock",
                |text| text.parse().ok(),
            )
            .unwrap_or_else(|| Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080))));
        let socket_mode = reader
            .read(
                "server.socket_mode",
                "the mode of a file in octal such as \"0660\"",
                |text| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777),
            )
            .unwrap_or(0o660);
        let server = ServerSettings {
            workers: number(&mut reader, "server.workers", shipped.workers, 1, 1024),
            max_connections: number(
                &mut reader,
                "server.max_connections",
                shipped.max_connections,
                1,
                1_000_000,
            ),
            request_timeout: time(&mut reader, "server.request_timeout", shipped.request_timeout),
            keep_alive: time(&mut reader, "server.keep_alive", shipped.keep_alive),
            shutdown_timeout: time(&mut reader, "server.shutdown_timeout", shipped.shutdown_timeout),
        };
        let tls = TlsSettings::read(&mut reader);
        let metrics_listen = reader.read(
            "metrics.listen",
            "an address and a port such as 127.0.0.1:9464",
            |text| text.parse().ok(),
        );
        let proxies_believe_everybody = reader
            .peek_list("server.trusted_proxies")
            .iter()
            .any(|network| network.trim().ends_with("/0"));
        let mut app = app(&mut reader);
        let mail = MailSettings::read(&mut reader, &app.issuer);
        // A proxy may change `Host`: where people find this server, its own pages come from.
        app.origins
            .extend(mail.public_url.as_ref().map(PublicUrl::origin));
        app.relying_party = passkeys::read(&mut reader, mail.public_url.as_ref());
        app.sso = Some(sso::read(
            &mut reader,
            mail.public_url.as_ref(),
            &listen.local_url(tls.is_some()),
        ));
        let url = secret(
            &mut reader,
            ["database.url", "database.url_file"],
            DatabaseUrl::from_str,
        )
        .or_else(|| {
            DatabaseUrl::from_str(&format!("sqlite://{}", data.join("tigertrust.db").display())).ok()
        });
        let pool_size = number(&mut reader, "database.pool_size", 10, 1, 1000);
        let acquire_timeout = time(&mut reader, "database.acquire_timeout", Duration::from_secs(2));
        let statement_timeout = time(&mut reader, "database.statement_timeout", Duration::from_secs(5));
        let migrate_on_start = reader
            .read("database.migrate_on_start", "true or false", |text| {
                text.parse().ok()
            })
            .unwrap_or(false);
        let (keyring, keyring_source) = keyring_source::read(&mut reader, &data.join("keyring.toml")).unzip();
        let cache = CacheSettings {
            max_keys: number(&mut reader, "cache.max_keys", caches.max_keys, 0, 100_000_000),
            max_workspaces: number(
                &mut reader,
                "cache.max_workspaces",
                caches.max_workspaces,
                0,
                100_000_000,
            ),
        };
        let max_staleness = time(&mut reader, "cache.max_staleness", Duration::from_secs(5));
        let password_cost = password_cost(&mut reader);
        let limits = limits::read(&mut reader);
        let shared_limits = limits::read_shared(&mut reader);
        let retention = usage::read_retention(&mut reader);
        let hygiene = usage::read_hygiene(&mut reader);
        let allow_private_webhooks = reader
            .read("webhooks.allow_private_addresses", "true or false", |text| {
                text.parse().ok()
            })
            .unwrap_or(false);
        let catalog = scopes(&mut reader);
        let key_formats = key_formats::read(&mut reader);
        let audit = AuditSettings::read(&mut reader);
        let log = LogSettings {
            format: reader
                .read("log.format", "human or json", |text| match text {
                    "human" => Some(LogFormat::Human),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                })
                .unwrap_or(LogFormat::Human),
            filter: reader
                .read("log.filter", "a level (error, warn, info, debug, trace) or directives such as info,tigertrust_http=debug", |text| {
                    tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned())
                })
                .unwrap_or_else(|| "info,actix_server=warn,actix_http=off".to_owned()),
        };
        let traces = TraceSettings::read(&mut reader);
        if url.is_none() {
            reader.refuse(
                "database.url",
                "default",
                "the path of the data folder cannot stand in a URL; set database.url",
            );
        }
        let origins = reader.known();
        let fingerprints = reader.fingerprints();
        reader.finish()?;
        let Some(url) = url else {
            return Err(SettingErrors(Vec::new()));
        };
        let database = DatabaseSettings {
            url,
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
        Ok(Self {
            listen,
            socket_mode,
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
            origins,
            fingerprints,
        })
    }
}

fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
    reader: &mut Reader,
    key: &'static str,
    default: T,
    least: T,
    most: T,
) -> T {
    reader
        .read(key, &format!("a number from {least} to {most}"), |text| {
            text.parse().ok().filter(|value| (least..=most).contains(value))
        })
        .unwrap_or(default)
}

pub(super) fn time(reader: &mut Reader, key: &'static str, default: Duration) -> Duration {
    reader
        .read(key, DURATION, |text| {
            duration::parse(text)
                .ok()
                .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
        })
        .unwrap_or(default)
}

/// A secret from its setting, or from the file that another setting names.
pub(super) fn secret<T, E: std::fmt::Display>(
    reader: &mut Reader,
    [key, file_key]: [&str; 2],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let plain = reader.read_secret(key, &parse);
    let Some((path, origin)) = reader.take_any(file_key) else {
        return plain;
    };
    if plain.is_some() {
        reader.refuse(file_key, &origin, &format!("{key} is set too: keep one of them"));
        return plain;
    }
    let read = path
        .into_string()
        .map_err(|_| "must be the path of a file".to_owned())
        .and_then(|path| {
            let text =
                fs::read_to_string(&path).map_err(|error| format!("{path:?} cannot be read: {error}"))?;
            parse(text.trim_end()).map_err(|error| format!("{path:?}: {error}"))
        });
    read.map_err(|detail| reader.refuse(file_key, &origin, &detail))
        .ok()
}

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
        cookie_name: reader
            .read(
                "sessions.cookie_name",
                "a name out of letters, digits, . - and _",
                |text| {
                    let named = (1..=64).contains(&text.len())
                        && text
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
                    named.then(|| text.to_owned())
                },
            )
            .unwrap_or(shipped.cookie_name),
        sessions: SessionSettings {
            lifetime: long_time(reader, "sessions.lifetime").unwrap_or(shipped.sessions.lifetime),
            idle_timeout: long_time(reader, "sessions.idle_timeout"),
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
        issuer: reader
            .read("sessions.issuer", "1 to 50 characters without a colon", |text| {
                let named = (1..=50).contains(&text.chars().count())
                    && !text.chars().any(|letter| letter.is_control() || letter == ':');
                named.then(|| text.to_owned())
            })
            .unwrap_or(shipped.issuer),
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

/// A time of up to a year; none where nobody says.
fn long_time(reader: &mut Reader, key: &'static str) -> Option<Duration> {
    let allowed = "a length of time such as 12h or 7d, of five minutes at the least and a year at the most";
    reader.read(key, allowed, |text| {
        let within = Duration::from_secs(5 * 60)..=Duration::from_secs(365 * 24 * 60 * 60);
        duration::parse(text)
            .ok()
            .filter(|duration| within.contains(duration))
    })
}

pub(super) fn origins(reader: &mut Reader, key: &str) -> Vec<String> {
    let Some((value, origin)) = reader.take_any(key) else {
        return Vec::new();
    };
    let texts = list(value).unwrap_or_default();
    let is_origin = |text: &String| {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        host.is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
                })
        })
    };
    if texts.is_empty() || !texts.iter().all(is_origin) {
        let detail = "must be origins such as https://app.example.com, in small letters and without a path";
        reader.refuse(key, &origin, detail);
    }
    texts
}

/// An array in TOML, a list with commas in the environment.
pub(super) fn list(value: Value) -> Option<Vec<String>> {
    match &value.kind {
        ValueKind::String(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
        _ => value.try_deserialize().ok(),
    }
}

fn leaks(reader: &mut Reader) -> LeakPolicy {
    let shipped = LeakPolicy::default();
    let mut response = |key, shipped| {
        reader
            .read(key, "notify or revoke", |text| match text {
                "notify" => Some(LeakResponse::Notify),
                "revoke" => Some(LeakResponse::Revoke),
                _ => None,
            })
            .unwrap_or(shipped)
    };
    LeakPolicy {
        agent: response("keys.leaked_agent_keys", shipped.agent),
        public: response("keys.leaked_public_keys", shipped.public),
    }
}

fn proxies(reader: &mut Reader) -> TrustedProxies {
    let Some((value, origin)) = reader.take_any("server.trusted_proxies") else {
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
        let detail = "must be networks such as 10.0.0.0/8 or ::1/128, or \"unix\" for whoever connects to the Unix socket";
        reader.refuse("server.trusted_proxies", &origin, detail);
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeEntry {
    name: String,
    #[serde(default)]
    description: String,
    types: Vec<String>,
}

fn scopes(reader: &mut Reader) -> ScopeCatalog {
    let Some((value, origin)) = reader.take_any("scopes") else {
        return ScopeCatalog::default();
    };
    match read_scopes(value) {
        Ok(catalog) => catalog,
        Err(detail) => {
            reader.refuse("scopes", &origin, &detail);
            ScopeCatalog::default()
        }
    }
}

fn read_scopes(value: Value) -> Result<ScopeCatalog, String> {
    let entries: Vec<ScopeEntry> = value
        .try_deserialize()
        .map_err(|error| format!("must be tables [[scopes]] with name, description and types: {error}"))?;
    let mut definitions = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = &entry.name;
        let scope = name
            .parse::<Scope>()
            .map_err(|error| format!("{name:?} {error}"))?;
        let kinds = entry
            .types
            .iter()
            .map(|kind| kind.parse::<KeyType>())
            .collect::<Result<Vec<_>, _>>();
        let types = kinds
            .map_err(|error| format!("{name}: each of types {error}"))?
            .into_iter()
            .collect();
        definitions.push(ScopeDefinition {
            scope,
            description: entry.description,
            types,
        });
    }
    ScopeCatalog::new(definitions).map_err(|(scope, error)| format!("{scope}: {error}"))
}
