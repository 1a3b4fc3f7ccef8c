//! Opening connections to PostgreSQL, in the clear or by TLS.

use std::{
    io,
    path::Path,
    sync::{Arc, OnceLock},
};

use diesel::{ConnectionError, ConnectionResult};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::{Config, NoTls, Socket, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Connection;
use crate::url::{DatabaseUrl, Encryption};

/// What the kernel is told, in seconds, so that a peer which vanished without a word is noticed: that is where the
/// database's own deadlines do not reach.
const SOCKET_DEADLINES: &[(&str, u64)] = &[
    ("tcp_user_timeout", 10),
    ("keepalives_idle", 5),
    ("keepalives_interval", 2),
    ("keepalives_retries", 3),
];

/// A new connection, as its URL says. It is not bounded in time.
pub(super) async fn dial(url: &DatabaseUrl) -> ConnectionResult<Connection> {
    let mut config: Config = url.for_driver(SOCKET_DEADLINES).parse().map_err(bad)?;
    match url.encryption() {
        Encryption::None => {
            config.ssl_mode(SslMode::Disable);
            connect(&config, NoTls).await
        }
        Encryption::Tls { roots } => {
            config.ssl_mode(SslMode::Require);
            let roots = match roots {
                // Read each time, since authorities are exchanged while a server runs.
                Some(file) => Arc::new(of_file(&file).map_err(bad)?),
                None => of_system().map_err(bad)?,
            };
            let config_of_tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(bad)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            connect(&config, MakeRustlsConnect::new(config_of_tls)).await
        }
    }
}

async fn connect<T>(config: &Config, tls: T) -> ConnectionResult<Connection>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(bad)?;
    Connection::try_from_client_and_connection(client, connection).await
}

/// The authorities of a PEM file.
fn of_file(file: &Path) -> io::Result<RootCertStore> {
    let wrong = |why: String| io::Error::other(format!("sslrootcert {}: {why}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// The authorities that the system trusts, read once.
fn of_system() -> io::Result<Arc<RootCertStore>> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err(io::Error::other(
            "the system trusts no certificates: install ca-certificates, or name the database's own authority by sslrootcert",
        ));
    }
    Ok(Arc::clone(roots))
}

/// With its causes: the driver says what it did, and what went wrong stands behind it.
fn bad(error: impl std::error::Error) -> ConnectionError {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !said.contains(&why) {
            said = format!("{said}: {why}");
        }
        cause = error.source();
    }
    ConnectionError::BadConnection(said)
}
