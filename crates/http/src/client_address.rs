//! Where a request comes from, in spite of the proxies before us.

use std::net::IpAddr;

use actix_web::{dev::RequestHead, http::header::HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The reverse proxies whose `X-Forwarded-For` is believed. What anybody else writes there is ignored.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: tigertrust_wire::TrustedProxies,
    unix_socket: bool,
}

impl TrustedProxies {
    /// Believes the proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks: tigertrust_wire::TrustedProxies::new(networks),
            unix_socket: false,
        }
    }

    /// Believes whoever connects to a Unix socket too: who may do that, the mode of its file says.
    #[must_use]
    pub fn with_unix_socket(self) -> Self {
        Self {
            unix_socket: true,
            ..self
        }
    }

    /// The client's address; none over a Unix socket, unless a trusted proxy tells it.
    pub(crate) fn client(&self, request: &RequestHead) -> Option<IpAddr> {
        let peer = request.peer_addr.map(|peer| peer.ip().to_canonical());
        match peer {
            Some(peer) if !self.networks.trusts(peer) => return Some(peer),
            None if !self.unix_socket => return None,
            _ => {}
        }
        let headers = request.headers.get_all(&FORWARDED_FOR);
        let values: Vec<&[u8]> = headers.map(|value| value.as_bytes()).collect();
        match peer {
            Some(peer) => Some(self.networks.client(peer, values.into_iter())),
            None => self.networks.client_of_trusted(values.into_iter()),
        }
    }
}
