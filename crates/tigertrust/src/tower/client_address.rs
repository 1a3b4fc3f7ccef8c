//! Where a request comes from.

use std::{fmt, net::IpAddr, sync::Arc};

use http::{Extensions, HeaderName, request::Parts};
use tigertrust_wire::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

type Ask = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// How the address of a client is learnt, for [`AuthLayer::client_address`](super::AuthLayer::client_address). A service of tower does not
/// know it by itself: without this nobody knows it, so that keys that are bound to networks are refused, and all callers are one network
/// to the limit of failed credentials.
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use tigertrust::tower::{ClientAddress, TrustedProxies};
///
/// // The service is made with `into_make_service_with_connect_info::<SocketAddr>()`.
/// let direct = ClientAddress::from_extension(|peer: &ConnectInfo<SocketAddr>| Some(peer.0.ip()));
/// // Behind proxies in this network, which write `X-Forwarded-For`.
/// let behind_proxies = direct.behind(TrustedProxies::new(vec!["10.0.0.0/8".parse()?]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientAddress(Arc<Ask>);

impl ClientAddress {
    /// Learns the address by asking the request; `None` says that nobody knows.
    pub fn new(ask: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Learns the address of the connection from what the server has put into the extensions of the request: `ConnectInfo` of axum,
    /// `TcpConnectInfo` of tonic.
    pub fn from_extension<T: Send + Sync + 'static>(
        ask: impl Fn(&T) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |request| Extensions::get::<T>(&request.extensions).and_then(&ask))
    }

    /// The same, and where the connection comes from a trusted proxy, the address that `X-Forwarded-For` tells. What anybody else writes
    /// there is ignored.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self::new(move |request| {
            let peer = self.of(request)?;
            let values: Vec<&[u8]> = request
                .headers
                .get_all(FORWARDED_FOR)
                .into_iter()
                .map(|value| value.as_bytes())
                .collect();
            Some(proxies.client(peer, values.into_iter()))
        })
    }

    pub(super) fn of(&self, request: &Parts) -> Option<IpAddr> {
        // An IPv4 client of an IPv6 socket is in the networks of its IPv4 address.
        (self.0)(request).map(|address| address.to_canonical())
    }
}

impl Default for ClientAddress {
    /// Nobody knows it.
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress").finish_non_exhaustive()
    }
}
