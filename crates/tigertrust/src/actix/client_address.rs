//! Where a request comes from.

use std::{fmt, net::IpAddr};

use actix_web::{HttpRequest, http::header::HeaderName, web};
use tigertrust_wire::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

type Ask = dyn Fn(&HttpRequest) -> Option<IpAddr> + Send + Sync;

/// How the address of a client is learnt, as application data: `web::Data<ClientAddress>`. Without it, it is the address
/// that the connection comes from, which behind a reverse proxy is the proxy's.
///
/// ```
/// use actix_web::web;
/// use tigertrust::actix::ClientAddress;
///
/// // Only where a proxy is in front that overwrites the header: whoever calls directly could write anything there.
/// let behind_proxy = web::Data::new(ClientAddress::new(|request| {
///     request.headers().get("x-real-ip")?.to_str().ok()?.parse().ok()
/// }));
/// ```
pub struct ClientAddress(Box<Ask>);

impl ClientAddress {
    /// Learns the address by asking the request; `None` says that nobody knows.
    pub fn new(ask: impl Fn(&HttpRequest) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Box::new(ask))
    }

    /// Learns it from `X-Forwarded-For`, as far as the proxies that wrote it are trusted. What anybody else writes there is ignored.
    ///
    /// ```
    /// use tigertrust::actix::{ClientAddress, TrustedProxies};
    ///
    /// let behind_proxies = ClientAddress::behind(TrustedProxies::new(vec!["10.0.0.0/8".parse()?]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn behind(proxies: TrustedProxies) -> Self {
        Self::new(move |request| {
            let values: Vec<&[u8]> = request
                .headers()
                .get_all(FORWARDED_FOR)
                .map(|value| value.as_bytes())
                .collect();
            let peer = request.peer_addr()?.ip();
            Some(proxies.client(peer, values.into_iter()))
        })
    }

    pub(super) fn of(request: &HttpRequest) -> Option<IpAddr> {
        let address = match request.app_data::<web::Data<Self>>() {
            Some(told) => (told.0)(request),
            None => request.peer_addr().map(|peer| peer.ip()),
        };
        // An IPv4 client of an IPv6 socket is in the networks of its IPv4 address.
        address.map(|address| address.to_canonical())
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress").finish_non_exhaustive()
    }
}
