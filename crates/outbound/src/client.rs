//! The client, and who may be spoken to.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    header::{HeaderValue, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tower_service::Service;
use tracing::Instrument;
use url::{Host, Url};

use crate::{
    OutboundError,
    address::AddressKind,
    trace::{self, Traceparent},
};

/// More than this is not read of any answer.
const MAX_ANSWER: usize = 256 * 1024;
/// More than this is not read of its header.
const MAX_HEADER: usize = 64 * 1024;

/// Who may be spoken to without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// This machine, by its address or as `localhost`, where it may be spoken to at all.
    ThisMachine,
    /// Every address that is not public and may be spoken to, by whatever name.
    NotPublic,
}

/// What the client may do.
#[derive(Clone, Copy, Debug)]
pub struct OutboundSettings {
    /// Whether addresses of private networks may be spoken to: for those in a network of one's own.
    pub allow_private: bool,
    /// Whether this machine may be spoken to: for development and tests.
    pub allow_loopback: bool,
    /// Who may be spoken to without TLS.
    pub plain: PlainHttp,
    /// Until when a connection must stand.
    pub connect_deadline: Duration,
    /// Until when an answer must be there, from the look-up of the name on.
    pub deadline: Duration,
    /// How receivers are told of the trace that a request belongs to; where they are not, requests make no span either.
    pub traceparent: Option<Traceparent>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_loopback: false,
            plain: PlainHttp::ThisMachine,
            connect_deadline: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
            traceparent: None,
        }
    }
}

impl OutboundSettings {
    fn allows(&self, address: IpAddr) -> bool {
        match AddressKind::of(address) {
            AddressKind::Public => true,
            AddressKind::Private => self.allow_private,
            AddressKind::Loopback => self.allow_loopback,
            AddressKind::Special => false,
        }
    }

    fn allows_plain(&self, address: IpAddr) -> bool {
        self.allows(address)
            && match AddressKind::of(address) {
                AddressKind::Loopback => true,
                AddressKind::Private => self.plain == PlainHttp::NotPublic,
                AddressKind::Public | AddressKind::Special => false,
            }
    }

    /// Whether a name may be spoken to without TLS, whatever it stands for: that is looked at once it is known.
    fn allows_plain_name(&self, name: &str) -> bool {
        match self.plain {
            PlainHttp::ThisMachine => self.allow_loopback && name == "localhost",
            PlainHttp::NotPublic => self.allow_loopback || self.allow_private,
        }
    }
}

/// The client for everything that is at addresses which others have named. A clone is another handle to the same client.
#[derive(Clone, Debug)]
pub struct OutboundHttp {
    secure: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    plain: Client<HttpConnector<GuardedResolver>, Full<Bytes>>,
    settings: OutboundSettings,
}

impl OutboundHttp {
    /// A client that trusts the certificates that the system trusts.
    ///
    /// # Errors
    /// [`OutboundError::NoTlsVersion`] if there can be none on this system.
    pub fn new(settings: OutboundSettings) -> Result<Self, OutboundError> {
        let secure = HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_only()
            .enable_http1()
            .wrap_connector(connector(settings, true));
        let mut clients = Client::builder(TokioExecutor::new());
        clients
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MAX_HEADER);
        Ok(Self {
            secure: clients.build(secure),
            plain: clients.build(connector(settings, false)),
            settings,
        })
    }

    /// Whether the URL is one that may be spoken to, as far as its text shows: names are checked as they are looked up.
    ///
    /// # Errors
    /// [`OutboundError`], of the address.
    pub fn check(&self, url: &str) -> Result<Url, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::NoUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Credentials);
        }
        let settings = &self.settings;
        let (address, allows_plain) = match url.host() {
            Some(Host::Ipv4(address)) => (Some(IpAddr::V4(address)), settings.allows_plain(address.into())),
            Some(Host::Ipv6(address)) => (Some(IpAddr::V6(address)), settings.allows_plain(address.into())),
            Some(Host::Domain(name)) => (None, settings.allows_plain_name(name)),
            None => return Err(OutboundError::NoHost),
        };
        match url.scheme() {
            "https" => {}
            "http" if allows_plain => {}
            _ => return Err(OutboundError::NoTls),
        }
        if address.is_some_and(|address| !settings.allows(address)) {
            return Err(OutboundError::NotPublic);
        }
        Ok(url)
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn send(&self, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        let span = trace::begin(&mut request, self.settings.traceparent);
        let sending = self.in_time(async {
            let (parts, body) = self.begin(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    OutboundError::TooLong
                } else {
                    OutboundError::BrokenOff
                }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes().into()))
        });
        let answer = sending.instrument(span.clone()).await;
        trace::end(&span, answer.as_ref().map(|answer| answer.status().as_u16()));
        answer
    }

    /// Posts to somebody of whose answer the status alone is of use: nothing else is read of it.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<u16, OutboundError> {
        let url = self.check(url)?;
        let mut request = Request::post(url.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).map_err(|_| OutboundError::NoUrl)?;
        let span = trace::begin(&mut request, self.settings.traceparent);
        let sending = self.in_time(async { Ok(self.begin(request).await?.status().as_u16()) });
        let status = sending.instrument(span.clone()).await;
        trace::end(&span, status.as_ref().copied());
        status
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, OutboundError>>,
    ) -> Result<T, OutboundError> {
        tokio::time::timeout(self.settings.deadline, answer)
            .await
            .unwrap_or(Err(OutboundError::TooSlow))
    }

    /// Sends a request, and returns once the answer has begun.
    async fn begin(&self, request: Request<Vec<u8>>) -> Result<Response<Incoming>, OutboundError> {
        let (mut parts, body) = request.into_parts();
        let url = self.check(&parts.uri.to_string())?;
        parts.uri = url.as_str().parse::<Uri>().map_err(|_| OutboundError::NoUrl)?;
        let name = HeaderValue::from_static(concat!("TigerTrust/", env!("CARGO_PKG_VERSION")));
        parts.headers.insert(USER_AGENT, name);
        let request = Request::from_parts(parts, Full::from(body));
        let answer = if url.scheme() == "https" {
            self.secure.request(request).await
        } else {
            self.plain.request(request).await
        };
        answer.map_err(|error| unanswered(&error))
    }
}

fn connector(settings: OutboundSettings, secure: bool) -> HttpConnector<GuardedResolver> {
    let mut connector = HttpConnector::new_with_resolver(GuardedResolver { settings, secure });
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(settings.connect_deadline));
    connector
}

fn tls() -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        tracing::warn!("the system trusts no certificates: nobody can be spoken to by https");
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| OutboundError::NoTlsVersion)?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Looks names up as the system does, and gives out only addresses that are allowed: the connection goes to none but these, whatever
/// the name stands for a moment later.
#[derive(Clone, Debug)]
struct GuardedResolver {
    settings: OutboundSettings,
    secure: bool,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { settings, secure } = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|address| {
                    if secure {
                        settings.allows(address.ip())
                    } else {
                        settings.allows_plain(address.ip())
                    }
                })
                .collect();
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

fn unanswered(error: &hyper_util::client::legacy::Error) -> OutboundError {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    if causes.any(|cause| cause.is::<NotAllowed>()) {
        OutboundError::NotPublic
    } else if error.is_connect() {
        OutboundError::Unreachable
    } else {
        OutboundError::BrokenOff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(allow_private: bool, allow_loopback: bool) -> OutboundHttp {
        OutboundHttp::new(OutboundSettings {
            allow_private,
            allow_loopback,
            ..OutboundSettings::default()
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

    #[test]
    fn within_ones_own_network_there_need_be_no_tls_but_for_what_is_public() {
        let own = OutboundHttp::new(OutboundSettings {
            allow_private: true,
            allow_loopback: true,
            plain: PlainHttp::NotPublic,
            ..OutboundSettings::default()
        })
        .unwrap();
        for (url, outcome) in [
            ("http://10.0.0.1/", None),
            ("http://127.0.0.1:8080/", None),
            ("http://billing:8080/hooks", None),
            ("http://8.8.8.8/", Some(OutboundError::NoTls)),
            ("http://169.254.169.254/", Some(OutboundError::NoTls)),
            ("https://169.254.169.254/", Some(OutboundError::NotPublic)),
        ] {
            assert_eq!(own.check(url).err(), outcome, "{url}");
        }
        let (public, private) = ("8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap());
        // A name is looked at once more, when it is known what it stands for.
        assert!(!own.settings.allows_plain(public) && own.settings.allows_plain(private));
        assert!(own.settings.allows(public));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_looked_up_and_refused() {
        let refused = http(true, false)
            .post("https://localhost/", &[], Vec::new())
            .await;
        assert_eq!(refused, Err(OutboundError::NotPublic));
    }
}
