//! Where a request comes from, in spite of the proxies before us.

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header::HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The reverse proxies whose `X-Forwarded-For` is believed. What anybody else writes there is ignored.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(tigertrust_wire::TrustedProxies);

impl TrustedProxies {
    /// Believes the proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(tigertrust_wire::TrustedProxies::new(networks))
    }

    /// The client's address.
    pub(crate) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if !self.0.trusts(peer) {
            return Some(peer);
        }
        let headers = request.headers().get_all(&FORWARDED_FOR);
        let values: Vec<&[u8]> = headers.map(|value| value.as_bytes()).collect();
        Some(self.0.client(peer, values.into_iter()))
    }
}
