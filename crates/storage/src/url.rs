//! Where the database is.

use std::{fmt, str::FromStr};

#[cfg(feature = "postgres")]
use std::{net::IpAddr, path::PathBuf};

#[cfg(feature = "postgres")]
use tokio_postgres::config::Host;

#[cfg(feature = "postgres")]
const SSL_MODE: &str = "sslmode";
#[cfg(feature = "postgres")]
const SSL_ROOT_CERT: &str = "sslrootcert";
/// What libpq calls the certificates that the system trusts.
#[cfg(feature = "postgres")]
const SYSTEM_ROOTS: &str = "system";

/// Where the database is: `postgres://user:password@host:port/name`, `postgresql://…`, or `sqlite://` and the path of a
/// file (`sqlite://./here.db`, `sqlite:///var/lib/there.db`), taken as it stands. `Debug` and `Display` show no password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    place: Place,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Postgres(Postgres),
    Sqlite { path: String },
}

/// The parts of a PostgreSQL URL, as they stand there, split where the driver splits them.
#[derive(Clone, PartialEq, Eq)]
struct Postgres {
    user: Option<String>,
    password: Option<String>,
    hosts: String,
    database: String,
    query: Option<String>,
}

/// Whether what is said to PostgreSQL is encrypted. There is no way between: who cannot tell the server from somebody in the middle
/// gains little by encrypting.
#[cfg(feature = "postgres")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// It is not.
    None,
    /// By TLS, with a server whose certificate is for the host of the URL and comes from one of the roots: those of a PEM file, or
    /// else those of the system.
    Tls { roots: Option<PathBuf> },
}

/// Which engine a URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Sqlite,
}

/// Why a text is not the URL of a database. Holds nothing of the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another scheme, or none.
    #[error("must begin with postgres://, postgresql:// or sqlite://")]
    Scheme,
    /// `sqlite://` without a path, or with SQLite's name for a database in memory.
    #[error("must name a file after sqlite://, since several connections share the database")]
    NoFile,
    /// A path cannot hold a NUL.
    #[error("must not hold a NUL character")]
    Nul,
    /// The part before the host is ambiguous.
    #[error("must have @, / and ? in the user name and the password written as %40, %2F and %3F")]
    Credentials,
    /// A way to encrypt that there is not.
    #[error(
        "must say sslmode=disable, or sslmode=verify-full (require is the same here): no connection is encrypted without knowing to \
         whom"
    )]
    SslMode,
    /// A name that the driver reads and we would not.
    #[error("must have the names of its parameters written as they are, without %")]
    Parameter,
    /// Roots without encryption would look as if there were some.
    #[error("must say sslmode=verify-full where it names sslrootcert or sslnegotiation")]
    SslRootCert,
}

impl DatabaseUrl {
    /// The whole URL, password included.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) const fn engine(&self) -> Engine {
        match self.place {
            Place::Postgres(_) => Engine::Postgres,
            Place::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// Takes the password out of what a driver said.
    pub(crate) fn scrub(&self, said: &str) -> String {
        match &self.place {
            Place::Postgres(Postgres {
                password: Some(password),
                ..
            }) if !password.is_empty() => said.replace(password.as_str(), "***"),
            _ => said.to_owned(),
        }
    }

    /// The path of the file, for SQLite.
    #[cfg(feature = "sqlite")]
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.place {
            Place::Postgres(_) => None,
            Place::Sqlite { path } => Some(path),
        }
    }

    /// The URL as the driver takes it, for PostgreSQL: with parameters of ours where it says nothing of them, and without those of
    /// [`encryption`](Self::encryption).
    #[cfg(feature = "postgres")]
    pub(crate) fn for_driver(&self, defaults: &[(&str, u64)]) -> String {
        let Place::Postgres(parts) = &self.place else {
            return self.text.clone();
        };
        let mut parameters: Vec<String> = parts
            .parameters()
            .filter(|(name, _)| ![SSL_MODE, SSL_ROOT_CERT].contains(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        for (name, value) in defaults {
            if parts.parameter(name).is_none() {
                parameters.push(format!("{name}={value}"));
            }
        }
        let query = Some(parameters.join("&")).filter(|query| !query.is_empty());
        Postgres {
            query,
            ..parts.clone()
        }
        .assemble()
    }

    /// Whether what is said to PostgreSQL is encrypted.
    #[cfg(feature = "postgres")]
    pub(crate) fn encryption(&self) -> Encryption {
        match &self.place {
            // It was read before.
            Place::Postgres(parts) => parts.encryption().unwrap_or(Encryption::None),
            Place::Sqlite { .. } => Encryption::None,
        }
    }

    /// Whether what is said to the database crosses a network in the clear: to PostgreSQL on another host, without TLS.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn is_overheard(&self) -> bool {
        if self.engine() == Engine::Sqlite || self.encryption() != Encryption::None {
            return false;
        }
        // As the driver takes it: parameters name hosts too, and addresses in their place.
        let Ok(config) = self.for_driver(&[]).parse::<tokio_postgres::Config>() else {
            return false;
        };
        let addresses = config.get_hostaddrs();
        if addresses.is_empty() {
            !config.get_hosts().iter().all(is_this_machine)
        } else {
            !addresses.iter().all(IpAddr::is_loopback)
        }
    }

    /// The name of the database, and the URL of the database that is always there, for PostgreSQL.
    #[cfg(feature = "postgres")]
    pub(crate) fn maintenance(&self) -> Option<(String, Self)> {
        let Place::Postgres(parts) = &self.place else {
            return None;
        };
        let mut parts = parts.clone();
        let named = std::mem::replace(&mut parts.database, "postgres".to_owned());
        // Where no database is named, PostgreSQL takes the one that is called as the user.
        let by_user = parts.user.clone().filter(|_| named.is_empty());
        let database = percent_decode(&by_user.unwrap_or(named));
        let text = parts.assemble();
        let place = Place::Postgres(parts);
        Some((database, Self { text, place }))
    }
}

impl Postgres {
    /// Splits as tokio-postgres does: the credentials reach to the first `@`, wherever it stands.
    fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let (credentials, rest) = match text.split_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, text),
        };
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query.to_owned())),
            None => (rest, None),
        };
        // What is split in the wrong place would be shown, or sent to a host that is none.
        // A password without a host behind it would stand where a port does.
        let has_ports = address
            .split_once('/')
            .map_or(address, |(hosts, _)| hosts)
            .split(',')
            .all(|host| match host.rsplit_once(':') {
                Some((_, port)) => host.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()),
                None => true,
            });
        if !has_ports || address.contains('@') || credentials.is_some_and(|text| text.contains(['/', '?'])) {
            return Err(DatabaseUrlError::Credentials);
        }
        let (user, password) = match credentials.map(|text| text.split_once(':').ok_or(text)) {
            None => (None, None),
            Some(Err(user)) => (Some(user.to_owned()), None),
            Some(Ok((user, password))) => (Some(user.to_owned()), Some(password.to_owned())),
        };
        let (hosts, database) = address.split_once('/').unwrap_or((address, ""));
        Ok(Self {
            user,
            password,
            hosts: hosts.to_owned(),
            database: database.to_owned(),
            query,
        })
    }

    /// The parameters, as they stand there.
    #[cfg(feature = "postgres")]
    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.query.as_deref().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The last one of a name counts, as for the driver.
    #[cfg(feature = "postgres")]
    fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.parameters().filter(|(other, _)| *other == name);
        named.last().map(|(_, value)| value)
    }

    /// What `sslmode` and `sslrootcert` say, which mean what they mean to libpq, but that there are fewer modes.
    #[cfg(feature = "postgres")]
    fn encryption(&self) -> Result<Encryption, DatabaseUrlError> {
        // The driver decodes them: it would take for a mode what is none here.
        if self.parameters().any(|(name, _)| name.contains('%')) {
            return Err(DatabaseUrlError::Parameter);
        }
        let roots = self.parameter(SSL_ROOT_CERT).map(percent_decode);
        let negotiation = self.parameter("sslnegotiation");
        match self.parameter(SSL_MODE) {
            None | Some("disable") if roots.is_some() || negotiation.is_some() => {
                Err(DatabaseUrlError::SslRootCert)
            }
            None | Some("disable") => Ok(Encryption::None),
            Some("require" | "verify-full") => Ok(Encryption::Tls {
                roots: roots.filter(|roots| roots != SYSTEM_ROOTS).map(PathBuf::from),
            }),
            Some(_) => Err(DatabaseUrlError::SslMode),
        }
    }

    #[cfg(feature = "postgres")]
    fn assemble(&self) -> String {
        let mut text = "postgres://".to_owned();
        if let Some(user) = &self.user {
            text.push_str(user);
            if let Some(password) = &self.password {
                text.push(':');
                text.push_str(password);
            }
            text.push('@');
        }
        text.push_str(&self.hosts);
        if !self.database.is_empty() {
            text.push('/');
            text.push_str(&self.database);
        }
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(query);
        }
        text
    }
}

/// Whether a host is this machine by its looks: a loopback address, or the folder of a socket.
#[cfg(feature = "postgres")]
fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Turns `%41` into `A`. What is no such sequence stays; what is not UTF-8 then is replaced.
#[cfg(feature = "postgres")]
fn percent_decode(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|value| (value, after)),
            _ => None,
        };
        match escaped {
            Some(((high, low), after)) => {
                decoded.push(high << 4 | low);
                rest = after;
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(feature = "postgres")]
fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| value.try_into().ok())
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('\0') {
            return Err(DatabaseUrlError::Nul);
        }
        let postgres = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"));
        let place = if let Some(rest) = postgres {
            let parts = Postgres::parse(rest)?;
            #[cfg(feature = "postgres")]
            parts.encryption()?;
            Place::Postgres(parts)
        } else if let Some(path) = text.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains(":memory:") {
                return Err(DatabaseUrlError::NoFile);
            }
            Place::Sqlite {
                path: path.to_owned(),
            }
        } else {
            return Err(DatabaseUrlError::Scheme);
        };
        Ok(Self {
            text: text.to_owned(),
            place,
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Sqlite { path } => write!(f, "sqlite://{path}"),
            Place::Postgres(parts) => {
                f.write_str("postgres://")?;
                if let Some(user) = &parts.user {
                    f.write_str(user)?;
                    f.write_str(if parts.password.is_some() { ":***@" } else { "@" })?;
                }
                // Parameters may hold a password too, so they are left out.
                write!(f, "{}/{}", parts.hosts, parts.database)
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_form_of_output_shows_a_password() {
        for text in [
            "postgres://jo:CANARY@db.example:5432/auth",
            "postgresql://jo:CANARY@db.example/auth?password=CANARY",
            "postgres://db.example/auth?password=CANARY",
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            let shown = format!("{url} {url:?}");
            assert!(!shown.contains("CANARY"), "{shown}");
            assert!(shown.contains("db.example"), "{shown}");
            assert_eq!(url.reveal(), text);
        }
        let url: DatabaseUrl = "postgres://jo:CANARY@db.example/auth".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://jo:***@db.example/auth");
        assert_eq!(url.scrub("no CANARY here"), "no *** here");
    }

    #[test]
    fn what_is_no_url_of_ours_is_refused_without_repeating_it() {
        for (text, error) in [
            ("", DatabaseUrlError::Scheme),
            ("mysql://jo@db/auth", DatabaseUrlError::Scheme),
            ("./file.db", DatabaseUrlError::Scheme),
            ("sqlite://", DatabaseUrlError::NoFile),
            ("sqlite://:memory:", DatabaseUrlError::NoFile),
            ("sqlite://a\0b", DatabaseUrlError::Nul),
            ("postgres://jo:CAN@RY@db/auth", DatabaseUrlError::Credentials),
            ("postgres://jo:CAN/RY@db/auth", DatabaseUrlError::Credentials),
            ("postgres://jo:CANARY/auth", DatabaseUrlError::Credentials),
            (
                "postgres://db/auth?password=CAN@RY",
                DatabaseUrlError::Credentials,
            ),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(error), "{text}");
            assert!(!error.to_string().contains("RY"));
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_sqlite_url_is_the_path_as_it_stands() {
        let path = |text: &str| text.parse::<DatabaseUrl>().unwrap().path().map(str::to_owned);
        assert_eq!(path("sqlite://./a b?.db").as_deref(), Some("./a b?.db"));
        assert_eq!(path("sqlite:///a.db").as_deref(), Some("/a.db"));
        assert_eq!(path("postgres://db/a"), None);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_maintenance_database_is_on_the_same_server() {
        let url: DatabaseUrl = "postgresql://jo:pw@db:1/my%20db?connect_timeout=9"
            .parse()
            .unwrap();
        let (name, maintenance) = url.maintenance().unwrap();
        assert_eq!(name, "my db");
        assert_eq!(
            maintenance.reveal(),
            "postgres://jo:pw@db:1/postgres?connect_timeout=9"
        );
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_driver_is_told_what_is_meant_for_it() {
        let with = |text: &str| {
            text.parse::<DatabaseUrl>()
                .unwrap()
                .for_driver(&[("connect_timeout", 2), ("keepalives_idle", 5)])
        };
        assert_eq!(
            with("postgres://jo:pw@db:1/a"),
            "postgres://jo:pw@db:1/a?connect_timeout=2&keepalives_idle=5"
        );
        assert_eq!(
            with("postgresql://db?"),
            "postgres://db?connect_timeout=2&keepalives_idle=5"
        );
        assert_eq!(
            with("postgres://db/a?sslrootcert=/a.pem&connect_timeout=9&sslmode=require"),
            "postgres://db/a?connect_timeout=9&keepalives_idle=5"
        );
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_connection_is_encrypted_to_somebody_known_or_not_at_all() {
        let encryption = |query: &str| {
            let url = format!("postgres://db.example/a{query}").parse::<DatabaseUrl>()?;
            Ok(url.encryption())
        };
        let tls = |roots: Option<&str>| {
            Ok(Encryption::Tls {
                roots: roots.map(PathBuf::from),
            })
        };
        assert_eq!(encryption(""), Ok(Encryption::None));
        assert_eq!(encryption("?sslmode=disable"), Ok(Encryption::None));
        assert_eq!(encryption("?sslmode=require"), tls(None));
        assert_eq!(encryption("?sslmode=verify-full"), tls(None));
        assert_eq!(encryption("?sslmode=verify-full&sslrootcert=system"), tls(None));
        assert_eq!(
            encryption("?sslrootcert=/etc/a%20b.pem&sslmode=verify-full"),
            tls(Some("/etc/a b.pem"))
        );
        for mode in ["prefer", "allow", "verify-ca", "", "VERIFY-FULL"] {
            assert_eq!(
                encryption(&format!("?sslmode={mode}")),
                Err(DatabaseUrlError::SslMode),
                "{mode}"
            );
        }
        for query in [
            "?sslrootcert=/a.pem",
            "?sslrootcert=/a.pem&sslmode=disable",
            "?sslnegotiation=direct",
        ] {
            assert_eq!(encryption(query), Err(DatabaseUrlError::SslRootCert), "{query}");
        }
        for query in [
            "?ssl%6Dode=require",
            "?sslmode=disable&ssl%6Dode=require",
            "?hos%74=db",
        ] {
            assert_eq!(encryption(query), Err(DatabaseUrlError::Parameter), "{query}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn what_leaves_the_machine_in_the_clear_is_known() {
        let is_overheard = |text: &str| text.parse::<DatabaseUrl>().unwrap().is_overheard();
        for url in [
            "postgres://db.example/a",
            "postgres://jo@10.0.0.7:5432/a?sslmode=disable",
            "postgres://localhost,db.example/a",
            "postgres:///a?host=db.example",
            "postgres://localhost/a?hostaddr=192.0.2.7",
            "postgres://db.example/a?host=localhost",
        ] {
            assert!(is_overheard(url), "{url}");
        }
        for url in [
            "sqlite:///a.db",
            "postgres://localhost:5432/a",
            "postgres://127.0.0.1/a",
            "postgres://db.example/a?hostaddr=127.0.0.1",
            "postgres://[::1]:5432/a",
            "postgres://%2Frun%2Fpostgresql/a",
            "postgres:///a?host=/run/postgresql",
            "postgres://db.example/a?sslmode=verify-full",
        ] {
            assert!(!is_overheard(url), "{url}");
        }
    }
}
