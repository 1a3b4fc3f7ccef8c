//! What kinds of address there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// On the internet.
    Public,
    /// In a network of one's own.
    Private,
    /// On this machine.
    Loopback,
    /// Where nobody can be who is meant, and metadata of clouds often is: never spoken to.
    Special,
}

const LOOPBACK_V4: Ipv4Net = v4([127, 0, 0, 0], 8);

/// RFC 1918, and the addresses that providers of access share among their customers (RFC 6598).
const PRIVATE_V4: [Ipv4Net; 4] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
];

/// The other entries of IANA's registry of special addresses that are not reached globally, multicast and what is reserved.
const SPECIAL_V4: [Ipv4Net; 12] = [
    // Metadata of Alibaba's cloud, within what else is private.
    v4([100, 100, 100, 200], 32),
    // What Azure's machines ask of their host, within what is public.
    v4([168, 63, 129, 16], 32),
    v4([0, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// Metadata of Amazon's cloud.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
const UNIQUE_LOCAL_V6: Ipv6Net = v6([0xfc00, 0], 7);
/// All that is given out to be reached globally.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

/// What is special within [`GLOBAL_V6`]: protocols (Teredo among them), documentation, 6to4.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0x0db8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

/// An IPv4 address behind a translator (RFC 6052).
const TRANSLATED: Ipv6Net = v6([0x0064, 0xff9b], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b]: [u16; 2], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

impl AddressKind {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let is_in = |networks: &[Ipv4Net]| networks.iter().any(|network| network.contains(&address));
        if LOOPBACK_V4.contains(&address) {
            Self::Loopback
        } else if is_in(&SPECIAL_V4) {
            Self::Special
        } else if is_in(&PRIVATE_V4) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some(embedded) = embedded_v4(address) {
            Self::of_v4(embedded)
        } else if address.is_loopback() {
            Self::Loopback
        } else if UNIQUE_LOCAL_V6.contains(&address) && address != METADATA_V6 {
            Self::Private
        } else if GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        {
            Self::Public
        } else {
            Self::Special
        }
    }
}

/// The IPv4 address that one of IPv6 stands for: what counts is whom it reaches.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if TRANSLATED.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        Some(Ipv4Addr::new(a, b, c, d))
    } else {
        address.to_ipv4_mapped()
    }
}

#[cfg(test)]
mod tests {
    use super::AddressKind::{self, Loopback, Private, Public, Special};

    #[test]
    fn every_address_is_of_one_kind() {
        let table = [
            (
                Public,
                "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
                 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 \
                 198.20.0.0 223.255.255.255 2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 \
                 64:ff9b::8.8.8.8",
            ),
            (
                Private,
                "10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 \
                 fc00:: fdff:ffff:: ::ffff:10.0.0.1 ::ffff:192.168.1.1 64:ff9b::10.0.0.1",
            ),
            (
                Loopback,
                "127.0.0.0 127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1",
            ),
            (
                Special,
                "0.0.0.0 0.255.255.255 169.254.0.0 169.254.169.254 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 \
                 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::2 ::127.0.0.1 ::10.0.0.1 \
                 ::ffff:0:0 ::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b:1::1 100::1 2001::1 2001:1ff::1 \
                 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 3fff::1 4000::1 5f00::1 fe80::1 fec0::1 ff02::1",
            ),
        ];
        for (kind, addresses) in table {
            for address in addresses.split_whitespace() {
                assert_eq!(AddressKind::of(address.parse().unwrap()), kind, "{address}");
            }
        }
    }
}
