//! Which addresses webhooks may reach.
//!
//! Customers choose the URLs, so without a guard they could reach what only this machine can
//! reach: the operator's network, a cloud's metadata service, this process. The guard judges
//! addresses, not names, and does so when a connection is made: the address that was judged is the
//! one that is connected to, so a DNS answer can't change in between.
//!
//! The ranges are those of the IANA registries of special-purpose addresses
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `…ipv6-special-registry`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use postrider_core::serde_as_text;

/// The operator's decision about special addresses.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allows_all: bool,
    allowed: Vec<Network>,
}

impl Guard {
    pub fn new(allow_private_networks: bool, allow_networks: &[Network]) -> Self {
        Self {
            allows_all: allow_private_networks,
            allowed: allow_networks.to_vec(),
        }
    }

    pub fn permits(&self, address: IpAddr) -> bool {
        self.allows_all
            || is_public(address)
            || self.allowed.iter().any(|network| network.contains(address))
    }
}

/// Whether an address is an ordinary one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !V4_SPECIAL.iter().any(|&(network, prefix)| {
            same_prefix_v4(address, Ipv4Addr::from_octets(network), prefix)
        }),
        // All that is global unicast today lies in 2000::/3. What is outside includes the ways to
        // write an IPv4 address as an IPv6 one: mapped (::ffff:0:0/96), compatible (::/96) and
        // NAT64 (64:ff9b::/96, 64:ff9b:1::/48).
        IpAddr::V6(address) => {
            same_prefix_v6(
                address,
                Ipv6Addr::from_segments([0x2000, 0, 0, 0, 0, 0, 0, 0]),
                3,
            ) && !V6_SPECIAL.iter().any(|&(segments, prefix)| {
                same_prefix_v6(address, Ipv6Addr::from_segments(segments), prefix)
            })
        }
    }
}

#[rustfmt::skip]
const V4_SPECIAL: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),        // this network, unspecified
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by carrier-grade NAT
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link-local, metadata services
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved
    ([255, 255, 255, 255], 32), // broadcast
];

/// Inside 2000::/3.
#[rustfmt::skip]
const V6_SPECIAL: [([u16; 8], u8); 4] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),      // protocol assignments, Teredo
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),  // documentation
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),      // 6to4, holds an IPv4 address
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),      // documentation
];

/// A network in CIDR notation, as `10.1.0.0/16`; a single address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix_v4(network, address, self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_prefix_v6(network, address, self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix_v4(a: Ipv4Addr, b: Ipv4Addr, prefix: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    (a.to_bits() ^ b.to_bits()) & mask == 0
}

fn same_prefix_v6(a: Ipv6Addr, b: Ipv6Addr, prefix: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    (a.to_bits() ^ b.to_bits()) & mask == 0
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a network like 10.1.0.0/16 or fd00::/8, got {0:?}")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| invalid())?,
            None => bits,
        };
        (prefix <= bits)
            .then_some(Self { address, prefix })
            .ok_or_else(invalid)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

serde_as_text! {
    Network = str::parse;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn special_addresses_are_refused_from_the_first_to_the_last() {
        let guard = Guard::default();
        #[rustfmt::skip]
        let rows = [
            // last public before, first special, last special, first public after
            ("1.0.0.0",        "0.0.0.0",       "0.255.255.255",   "1.0.0.0"),
            ("9.255.255.255",  "10.0.0.0",      "10.255.255.255",  "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0",    "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255","127.0.0.0",     "127.255.255.255", "128.0.0.0"),
            ("169.253.255.255","169.254.0.0",   "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0",    "172.31.255.255",  "172.32.0.0"),
            ("192.167.255.255","192.168.0.0",   "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0",    "198.19.255.255",  "198.20.0.0"),
            ("223.255.255.255","224.0.0.0",     "255.255.255.255", "1.1.1.1"),
            ("2000::",         "::",            "1fff:ffff::",     "2600::1"),
            ("3ffe::1",        "3fff::1",       "3fff:fff::1",     "3fff:1000::1"),
            ("2003::1",        "2002::1",       "2002:ffff::1",    "2003::1"),
            ("2600::1",        "4000::",        "ffff::",          "2606:4700::1111"),
        ];
        for (before, first, last, after) in rows {
            assert!(guard.permits(ip(before)), "{before}");
            assert!(!guard.permits(ip(first)), "{first}");
            assert!(!guard.permits(ip(last)), "{last}");
            assert!(guard.permits(ip(after)), "{after}");
        }
    }

    #[test]
    fn an_ipv4_address_does_not_hide_in_an_ipv6_one() {
        let guard = Guard::default();
        for address in [
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
        ] {
            assert!(!guard.permits(ip(address)), "{address}");
        }
    }

    #[test]
    fn the_operator_opens_some_networks_or_all() {
        let guard = Guard::new(
            false,
            &["10.1.0.0/16".parse().unwrap(), "fd00::5".parse().unwrap()],
        );
        assert!(guard.permits(ip("10.1.255.255")));
        assert!(!guard.permits(ip("10.2.0.0")));
        assert!(guard.permits(ip("fd00::5")));
        assert!(!guard.permits(ip("fd00::6")));
        let open = Guard::new(true, &[]);
        assert!(open.permits(ip("127.0.0.1")) && open.permits(ip("fd00::6")));
    }

    #[test]
    fn a_network_survives_its_text() {
        for text in ["10.1.0.0/16", "0.0.0.0/0", "::/0", "fd00::5/128"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "fd00::/129",
            "example.com/8",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
