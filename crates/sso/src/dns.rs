//! What a domain says of itself.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RData},
};
use tigertrust_accounts::sso::{DomainRecords, ProviderError};

/// Until when an answer must be there.
const DEADLINE: Duration = Duration::from_secs(5);

/// The domain name system.
pub struct Dns(Option<TokioResolver>);

impl Dns {
    /// As the system asks it. Where the system does not say whom to ask, nothing is found out, and all else goes on.
    #[must_use]
    pub fn from_system() -> Self {
        let resolver = Resolver::builder_tokio().ok().and_then(|mut builder| {
            // Whoever publishes a record and then has it checked wants to hear of it, not of what was there before.
            builder.options_mut().cache_size = 0;
            builder.build().ok()
        });
        if resolver.is_none() {
            tracing::warn!(
                "the system does not say whom to ask for domains: none can be verified by its record"
            );
        }
        Self(resolver)
    }

    /// By way of one server alone.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] if that cannot be.
    pub fn from_server(server: SocketAddr) -> Result<Self, ProviderError> {
        let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut name_server.connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_name_servers(vec![name_server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().cache_size = 0;
        let resolver = builder.build().map_err(|_| unusable())?;
        Ok(Self(Some(resolver)))
    }
}

#[async_trait]
impl DomainRecords for Dns {
    async fn txt(&self, name: &str) -> Result<Vec<String>, ProviderError> {
        let resolver = self.0.as_ref().ok_or_else(unusable)?;
        // A name that ends at the root is not tried below the system's own domains.
        let Ok(mut name) = Name::from_utf8(name) else {
            return Ok(Vec::new()); // no such name can exist
        };
        name.set_fqdn(true);
        match tokio::time::timeout(DEADLINE, resolver.txt_lookup(name)).await {
            Ok(Ok(found)) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                    _ => None,
                })
                .collect()),
            Ok(Err(error)) if error.is_no_records_found() => Ok(Vec::new()),
            Ok(Err(_)) => Err(ProviderError::Unavailable(
                "the domain name system does not answer".to_owned(),
            )),
            Err(_) => Err(ProviderError::Unavailable(
                "the domain name system did not answer in time".to_owned(),
            )),
        }
    }
}

fn unusable() -> ProviderError {
    ProviderError::Settings("the domain name system cannot be asked on this system".to_owned())
}
