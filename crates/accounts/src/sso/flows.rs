//! What all of single sign-on stands on.

use std::{fmt, sync::Arc};

use tigertrust_credentials::{EncryptionRing, Sealed, SealedPlace};
use tigertrust_model::{Clock, ConnectionRef, RandomSource};
use zeroize::Zeroizing;

use super::{
    connection::{Connection, ProviderSettings, SamlConnection, StoredConnection},
    error::SsoError,
    ports::SsoStore,
    provider::{
        ClientSecret, DomainRecords, OidcRelyingParty, OidcSettings, ProviderDocuments, SamlServiceProvider,
        SamlSettings, SamlSigningKey,
    },
};
use crate::SignInFlows;

/// A connection of the whole server, with its secret.
#[derive(Clone, Debug)]
pub struct ConfiguredConnection {
    /// The connection. A client secret stands in its settings.
    pub connection: Connection,
    /// The key that requests are signed with.
    pub signing_key: Option<SamlSigningKey>,
}

/// What [`SsoFlows`] stand on.
#[derive(Clone)]
pub struct SsoParts {
    /// Connections, domains, and who arrives by them.
    pub store: Arc<dyn SsoStore>,
    /// What speaks OpenID Connect.
    pub oidc: Arc<dyn OidcRelyingParty>,
    /// What speaks SAML.
    pub saml: Arc<dyn SamlServiceProvider>,
    /// What fetches metadata.
    pub documents: Arc<dyn ProviderDocuments>,
    /// What looks domains up.
    pub records: Arc<dyn DomainRecords>,
    /// How people are signed in.
    pub sign_in: SignInFlows,
    /// What secrets are sealed under; without it no connection with a secret can be kept.
    pub encryption: Option<EncryptionRing>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn RandomSource>,
    /// Where this server is reached, without a slash at its end.
    pub public_url: String,
    /// Where else people may be sent on to: origins, without a slash at their end.
    pub return_origins: Vec<String>,
    /// The connections of the whole server.
    pub configured: Vec<ConfiguredConnection>,
}

/// Single sign-on.
#[derive(Clone)]
pub struct SsoFlows(pub(super) Arc<SsoParts>);

/// A connection that is ready to be asked: its secret is open.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) provider: OpenedProvider,
}

pub(super) enum OpenedProvider {
    Oidc(OidcSettings),
    Saml(Box<SamlSettings>, SamlConnection),
}

impl SsoFlows {
    /// Flows over the parts.
    #[must_use]
    pub fn new(parts: SsoParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The connections of the whole server that people can sign in by.
    pub fn configured(&self) -> impl Iterator<Item = &Connection> {
        let configured = self.0.configured.iter();
        configured
            .map(|configured| &configured.connection)
            .filter(|connection| connection.enabled)
    }

    /// Where this server is reached, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.public_url
    }

    /// A path of this server as people reach it.
    #[must_use]
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.0.public_url)
    }

    /// Where a connection's browser comes back to: `callback` of OpenID Connect, `acs` of SAML.
    pub(super) fn address(&self, connection: &Connection, end: &str) -> String {
        format!("{}{}/{end}", self.0.public_url, connection.path())
    }

    pub(super) fn open_configured(&self, configured: &ConfiguredConnection) -> Opened {
        let connection = configured.connection.clone();
        let provider = match &connection.provider {
            ProviderSettings::Oidc(oidc) => OpenedProvider::Oidc(oidc.clone()),
            ProviderSettings::Saml(saml) => {
                let settings = self.saml_settings(&connection, saml, configured.signing_key.clone());
                OpenedProvider::Saml(Box::new(settings), saml.clone())
            }
        };
        Opened { connection, provider }
    }

    pub(super) fn open_stored(&self, stored: StoredConnection) -> Result<Opened, SsoError> {
        let StoredConnection { connection, secret } = stored;
        let secret = secret
            .map(|secret| self.unseal(&connection.id, &secret))
            .transpose()?;
        let provider = match &connection.provider {
            ProviderSettings::Oidc(oidc) => {
                let text = secret.map(|secret| String::from_utf8(secret.to_vec()));
                let text = text.transpose().map_err(|_| SsoError::Sealed)?;
                OpenedProvider::Oidc(OidcSettings {
                    client_secret: text.map(ClientSecret::new),
                    ..oidc.clone()
                })
            }
            ProviderSettings::Saml(saml) => {
                let key = secret
                    .zip(saml.signing_certificate.clone())
                    .map(|(pkcs8, certificate)| SamlSigningKey { pkcs8, certificate });
                let settings = self.saml_settings(&connection, saml, key);
                OpenedProvider::Saml(Box::new(settings), saml.clone())
            }
        };
        Ok(Opened { connection, provider })
    }

    fn saml_settings(
        &self,
        connection: &Connection,
        saml: &SamlConnection,
        signing_key: Option<SamlSigningKey>,
    ) -> SamlSettings {
        SamlSettings {
            provider: saml.provider.clone(),
            entity_id: self.address(connection, "metadata"),
            acs_url: self.address(connection, "acs"),
            signing_key,
            attributes: saml.attributes.clone(),
        }
    }

    pub(super) fn seal(&self, id: &ConnectionRef, secret: &[u8]) -> Result<Sealed, SsoError> {
        let encryption = self.0.encryption.as_ref().ok_or(SsoError::NoEncryptionKey)?;
        let row = id.to_string();
        Ok(encryption.seal(secret, place(&row), &*self.0.random)?)
    }

    fn unseal(&self, id: &ConnectionRef, secret: &Sealed) -> Result<Zeroizing<Vec<u8>>, SsoError> {
        let encryption = self.0.encryption.as_ref().ok_or(SsoError::NoEncryptionKey)?;
        let row = id.to_string();
        encryption.open(secret, place(&row)).map_err(|_| SsoError::Sealed)
    }
}

/// Where a connection's secret is kept.
const fn place(row: &str) -> SealedPlace<'_> {
    SealedPlace {
        column: "sso_connections.secret",
        row,
    }
}

impl fmt::Debug for SsoFlows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsoFlows")
            .field("configured", &self.0.configured.len())
            .finish_non_exhaustive()
    }
}
