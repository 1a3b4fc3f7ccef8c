//! Where a request comes from.

use std::{fmt, net::IpAddr};

use actix_web::{HttpRequest, web};

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
