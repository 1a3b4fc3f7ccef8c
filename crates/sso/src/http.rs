//! How this server speaks with providers.
//!
//! Whoever sets up a connection names the addresses, so this is a door out of the network the server is in. One client goes
//! through it: by https alone, to addresses that are public alone, following no redirection, and reading only so much for so long.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use openidconnect::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{HeaderValue, Request, StatusCode, Uri, header::USER_AGENT},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tigertrust_accounts::sso::{ProviderDocuments, ProviderError};
use tower_service::Service;
use url::{Host, Url};

use crate::address::AddressKind;

/// More than this is not read of any answer.
const MAX_ANSWER: usize = 256 * 1024;
/// More than this is not read of its header.
const MAX_HEADER: usize = 64 * 1024;

/// What the client may do.
#[derive(Clone, Copy, Debug)]
pub struct ProviderHttpSettings {
    /// Whether providers may be at addresses of private networks: for those in a network of one's own.
    pub allow_private: bool,
    /// Whether providers may be on this machine, by plain http too: for development and tests.
    pub allow_loopback: bool,
    /// Until when a connection must stand.
    pub connect_deadline: Duration,
    /// Until when an answer must be there, from the look-up of the name on.
    pub deadline: Duration,
}

impl Default for ProviderHttpSettings {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_loopback: false,
            connect_deadline: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
        }
    }
}

impl ProviderHttpSettings {
    fn allows(&self, address: IpAddr) -> bool {
        match AddressKind::of(address) {
            AddressKind::Public => true,
            AddressKind::Private => self.allow_private,
            AddressKind::Loopback => self.allow_loopback,
            AddressKind::Special => false,
        }
    }
}

/// The client for everything that providers publish and answer.
#[derive(Clone, Debug)]
pub struct ProviderHttp {
    client: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    settings: ProviderHttpSettings,
}

impl ProviderHttp {
    /// A client that trusts the certificates that the system trusts.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] if there can be none on this system.
    pub fn new(settings: ProviderHttpSettings) -> Result<Self, ProviderError> {
        let mut connector = HttpConnector::new_with_resolver(GuardedResolver(settings));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(settings.connect_deadline));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MAX_HEADER)
            .build(connector);
        Ok(Self { client, settings })
    }

    /// Whether the URL is one that may be spoken to, as far as its text shows: names are checked as they are looked up.
    pub(crate) fn check(&self, url: &str) -> Result<Url, ProviderError> {
        let refused = |why: &str| Err(ProviderError::Settings(why.to_owned()));
        let Ok(url) = Url::parse(url) else {
            return refused("an address of the provider is not a URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("an address of the provider has a user name or a password in it");
        }
        let (address, is_loopback) = match url.host() {
            Some(Host::Ipv4(address)) => (Some(IpAddr::V4(address)), address.is_loopback()),
            Some(Host::Ipv6(address)) => (Some(IpAddr::V6(address)), address.is_loopback()),
            Some(Host::Domain(name)) => (None, name == "localhost"),
            None => return refused("an address of the provider names no host"),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback && self.settings.allow_loopback => {}
            _ => return refused("the provider has to be spoken to by https"),
        }
        if address.is_some_and(|address| !self.settings.allows(address)) {
            return Err(not_allowed());
        }
        Ok(url)
    }

    /// Sends a request and reads the answer, whatever its status.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        tokio::time::timeout(self.settings.deadline, self.answer(request))
            .await
            .unwrap_or_else(|_| Err(unavailable("the provider did not answer in time")))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = uri(&self.check(&parts.uri.to_string())?)?;
        let name = HeaderValue::from_static(concat!("TigerTrust/", env!("CARGO_PKG_VERSION")));
        parts.headers.insert(USER_AGENT, name);
        let request = Request::from_parts(parts, Full::from(body));
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| unanswered(&error))?;

        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
            unavailable(if error.is::<LengthLimitError>() {
                "the provider's answer is longer than 256 KiB"
            } else {
                "the provider's answer broke off"
            })
        })?;
        Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
    }
}

impl<'c> AsyncHttpClient<'c> for ProviderHttp {
    type Error = ProviderError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[async_trait]
impl ProviderDocuments for ProviderHttp {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, ProviderError> {
        let url = self.check(url)?;
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = uri(&url)?;
        let response = self.send(request).await?;
        let status = response.status();
        if status.is_redirection() {
            return Err(unavailable(
                "the provider answered with a redirection, which is not followed",
            ));
        }
        if status != StatusCode::OK {
            return Err(unavailable(&format!(
                "the provider answered with status {}",
                status.as_u16()
            )));
        }
        Ok(response.into_body())
    }
}

fn uri(url: &Url) -> Result<Uri, ProviderError> {
    url.as_str()
        .parse()
        .map_err(|_| ProviderError::Settings("an address of the provider is not a URL".to_owned()))
}

fn tls() -> Result<ClientConfig, ProviderError> {
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        tracing::warn!("the system trusts no certificates: no provider can be spoken to by https");
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| ProviderError::Settings("no version of TLS can be spoken".to_owned()))?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Looks names up as the system does, and gives out only addresses that are allowed: the connection goes to none but these, whatever
/// the name stands for a moment later.
#[derive(Clone, Debug)]
struct GuardedResolver(ProviderHttpSettings);

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let settings = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| settings.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(NotAllowed.into());
            }
            Ok(allowed.into_iter())
        })
    }
}

/// A name stands for no address that is allowed.
#[derive(Debug)]
struct NotAllowed;

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address that is allowed")
    }
}

impl Error for NotAllowed {}

fn not_allowed() -> ProviderError {
    ProviderError::Settings("the provider is at an address that is not public".to_owned())
}

fn unavailable(why: &str) -> ProviderError {
    ProviderError::Unavailable(why.to_owned())
}

fn unanswered(error: &hyper_util::client::legacy::Error) -> ProviderError {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    if causes.any(|cause| cause.is::<NotAllowed>()) {
        not_allowed()
    } else if error.is_connect() {
        unavailable("the provider cannot be reached")
    } else {
        unavailable("the provider's answer broke off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(allow_private: bool, allow_loopback: bool) -> ProviderHttp {
        ProviderHttp::new(ProviderHttpSettings {
            allow_private,
            allow_loopback,
            ..ProviderHttpSettings::default()
        })
        .unwrap()
    }

    #[test]
    fn urls_are_refused_by_what_they_show() {
        let (public, private, loopback) = (http(false, false), http(true, false), http(false, true));
        for (url, by_public, by_private, by_loopback) in [
            ("https://login.example.com/a", true, true, true),
            ("https://8.8.8.8/", true, true, true),
            ("http://login.example.com/", false, false, false),
            ("http://8.8.8.8/", false, false, false),
            ("https://10.0.0.1/", false, true, false),
            ("http://10.0.0.1/", false, false, false),
            ("https://127.0.0.1/", false, false, true),
            ("http://127.0.0.1:8080/", false, false, true),
            ("http://localhost:8080/", false, false, true),
            ("http://localhost.example.com/", false, false, false),
            ("http://[::1]/", false, false, true),
            ("https://[::ffff:127.0.0.1]/", false, false, true),
            ("https://[fd00::1]/", false, true, false),
            // Other ways to write 127.0.0.1 and 169.254.169.254.
            ("https://2130706433/", false, false, true),
            ("https://0x7f.1/", false, false, true),
            ("https://0251.0376.0251.0376/", false, false, false),
            ("https://169.254.169.254/", false, false, false),
            ("https://user@login.example.com/", false, false, false),
            ("https://user:password@login.example.com/", false, false, false),
            ("ftp://login.example.com/", false, false, false),
            ("file:///etc/passwd", false, false, false),
            ("javascript:alert(1)", false, false, false),
            ("login.example.com", false, false, false),
        ] {
            for (http, accepts) in [
                (&public, by_public),
                (&private, by_private),
                (&loopback, by_loopback),
            ] {
                assert_eq!(http.check(url).is_ok(), accepts, "{url} by {:?}", http.settings);
            }
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_looked_up_and_refused() {
        assert_eq!(
            http(true, false).fetch("https://localhost/").await,
            Err(not_allowed())
        );
    }
}
