//! Where a request comes from, in spite of the proxies before us.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The reverse proxies whose `X-Forwarded-For` is believed. What anybody else writes there is ignored.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Believes the proxies in these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client's address: of the address that the connection comes from, and the values of `X-Forwarded-For` in the order in which they
    /// came. Each trusted proxy appends the address it was called from, so the list is read from its end, as long as whoever wrote an
    /// entry is trusted.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> IpAddr {
        self.before(peer.to_canonical(), entries(forwarded_for))
    }

    /// As [`client`](Self::client), where the connection comes from a trusted proxy that has no address, such as over a Unix socket. None
    /// where the proxy tells none.
    #[must_use]
    pub fn client_of_trusted<'a>(
        &self,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Option<IpAddr> {
        let mut entries = entries(forwarded_for);
        let peer = entries.next()??;
        Some(self.before(peer, entries))
    }

    /// Who stands before an address, as long as those who tell are trusted.
    fn before(&self, peer: IpAddr, entries: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for entry in entries {
            if !self.trusts(client) {
                break;
            }
            // What is no address says nothing; the proxy itself is then all that is known.
            let Some(address) = entry else {
                break;
            };
            client = address;
        }
        client
    }

    /// Whether an address is a proxy's.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The entries of all values from the end, those that are no address as none.
fn entries<'a>(values: impl DoubleEndedIterator<Item = &'a [u8]>) -> impl Iterator<Item = Option<IpAddr>> {
    let texts = values.rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
    texts.map(|entry| {
        let text = std::str::from_utf8(entry).ok()?;
        address(text.trim()).map(|address| address.to_canonical())
    })
}

/// An address, with or without the port that some proxies add.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded_for: &[&str]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let values = forwarded_for.iter().map(|value| value.as_bytes());
        proxies.client(peer.parse().unwrap(), values).to_string()
    }

    #[test]
    fn a_stranger_s_header_is_ignored() {
        assert_eq!(client("203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &[]), "203.0.113.9");
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_client_s() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(
            client("10.0.0.1", &["192.0.2.1, 198.51.100.7 ,10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(client("10.0.0.1", &["192.0.2.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::1", &["::ffff:192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, evil, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn who_has_no_address_but_is_trusted_tells_the_client_s_or_none() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |forwarded_for: &[&str]| {
            let values = forwarded_for.iter().map(|value| value.as_bytes());
            proxies
                .client_of_trusted(values)
                .map(|address| address.to_string())
        };
        assert_eq!(client(&["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            client(&["198.51.100.7, 192.0.2.1, 10.0.0.2"]).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(client(&["192.0.2.1, unknown"]), None);
        assert_eq!(client(&[]), None);
    }
}
