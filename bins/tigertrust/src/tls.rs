//! TLS by the server itself, with a certificate that is replaced while it serves.

use std::{
    fmt, fs,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use crate::{
    config::{TlsSettings, cannot_read},
    failure::Failure,
};

/// A certificate and its key, out of files that are read anew when they change.
pub struct CertificateFiles {
    settings: TlsSettings,
    served: Arc<Served>,
    seen: Mutex<Seen>,
}

/// What was read the last time.
struct Seen {
    files: Pair,
    /// What was wrong then, so that the log says it once.
    error: Option<String>,
}

/// The bytes of both files.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// What connections that begin are answered with.
struct Served(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl CertificateFiles {
    /// Reads the files.
    pub fn open(settings: TlsSettings) -> Result<Self, Failure> {
        let files = Pair::read(&settings).map_err(Failure::new)?;
        let key = files.certified(&settings).map_err(Failure::new)?;
        Ok(Self {
            settings,
            served: Arc::new(Served(RwLock::new(Arc::new(key)))),
            seen: Mutex::new(Seen { files, error: None }),
        })
    }

    /// How a server speaks TLS with them: versions 1.2 and 1.3.
    pub fn server_config(&self) -> Result<ServerConfig, Failure> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Failure::new(format!("TLS: {error}")))?;
        Ok(builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.served) as Arc<dyn ResolvesServerCert>))
    }

    /// Takes the files up if they have changed. Connections that there are go on; a pair that cannot be used leaves the last one in place.
    pub fn take_up(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Pair::read(&self.settings).and_then(|files| {
            if files == seen.files {
                return Ok(None);
            }
            let key = files.certified(&self.settings)?;
            Ok(Some((files, key)))
        });
        match read {
            Ok(None) => seen.error = None,
            Ok(Some((files, key))) => {
                *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                *seen = Seen { files, error: None };
                tracing::info!(
                    path = %self.settings.certificate_file.display(),
                    "connections from now on get the new certificate"
                );
            }
            Err(error) => {
                if seen.error.as_ref() != Some(&error) {
                    tracing::error!(%error, "the new certificate cannot be used: the last one stays");
                    seen.error = Some(error);
                }
            }
        }
    }

    /// Looks again and again whether the files have changed, for ever.
    pub async fn watch(&self) {
        let mut ticks = interval(self.settings.check_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.take_up();
        }
    }
}

impl Pair {
    fn read(settings: &TlsSettings) -> Result<Self, String> {
        let read = |path: &std::path::Path| {
            fs::read(path).map_err(|error| cannot_read(&path.display().to_string(), &error))
        };
        Ok(Self {
            certificate: read(&settings.certificate_file)?,
            key: Zeroizing::new(read(&settings.key_file)?),
        })
    }

    /// The certificate with its key, if they belong together. Nothing of the key appears in an error.
    fn certified(&self, settings: &TlsSettings) -> Result<CertifiedKey, String> {
        let path = settings.certificate_file.display();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{path} is no certificate in PEM: {error}"))?;
        if chain.is_empty() {
            return Err(format!("{path} holds no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| format!("{} holds no private key in PEM", settings.key_file.display()))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            format!(
                "{path} and {} cannot be used together: {error}",
                settings.key_file.display()
            )
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
