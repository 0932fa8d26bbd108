//! Proxies in front of us that may speak for the caller's scheme and host.
//!
//! `X-Forwarded-Proto` and `X-Forwarded-Host` decide what absolute URLs look like, so they are
//! believed only from addresses that the operator names. From anyone else they are ignored.

use std::net::IpAddr;

use http::HeaderMap;

/// The trusted addresses and networks.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug)]
struct Network {
    address: u128,
    mask: u128,
}

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork(pub String);

impl std::fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is neither an IP address nor a network such as 10.0.0.0/8",
            self.0
        )
    }
}

impl std::error::Error for InvalidNetwork {}

impl TrustedProxies {
    /// Reads addresses (`10.1.2.3`) and networks (`10.0.0.0/8`, `fd00::/8`).
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetwork> {
        networks
            .into_iter()
            .map(|text| network(text).ok_or_else(|| InvalidNetwork(text.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.0
            .iter()
            .any(|network| address & network.mask == network.address & network.mask)
    }

    /// What a trusted proxy says about the caller: scheme and host, each where it is given. With
    /// several proxies in a row the first value is the caller's.
    pub(crate) fn forwarded<'h>(
        &self,
        peer: Option<IpAddr>,
        headers: &'h HeaderMap,
    ) -> (Option<&'h str>, Option<&'h str>) {
        if self.0.is_empty() || !peer.is_some_and(|peer| self.contains(peer)) {
            return (None, None);
        }
        let first = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            let value = value.split(',').next()?.trim();
            (!value.is_empty()).then_some(value)
        };
        let scheme =
            first("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https"));
        (scheme, first("x-forwarded-host"))
    }
}

fn network(text: &str) -> Option<Network> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    // IPv4 addresses are the last 32 bits of mapped IPv6 ones.
    let (width, outer) = match address {
        IpAddr::V4(_) => (32, 96),
        IpAddr::V6(_) => (128, 0),
    };
    let length = length.unwrap_or(width);
    if length > width {
        return None;
    }
    let mask = u128::MAX.checked_shl(128 - outer - length).unwrap_or(0);
    Some(Network {
        address: bits(address),
        mask,
    })
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_peers_are_believed() {
        let proxies = TrustedProxies::parse(["10.0.0.0/8", "192.168.1.7", "fd00::/8"]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers.insert(
            "x-forwarded-host",
            "sms.example.com, inner".parse().unwrap(),
        );
        for (peer, is_trusted) in [
            ("10.255.0.1", true),
            ("::ffff:10.1.1.1", true),
            ("11.0.0.1", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            let told = proxies.forwarded(Some(peer.parse().unwrap()), &headers);
            let expected = if is_trusted {
                (Some("https"), Some("sms.example.com"))
            } else {
                (None, None)
            };
            assert_eq!(told, expected, "{peer}");
        }
        assert_eq!(proxies.forwarded(None, &headers), (None, None));
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_length() {
        for text in ["0.0.0.0/0", "::/0", "10.0.0.1/32", "::1/128", "127.0.0.1"] {
            assert!(TrustedProxies::parse([text]).is_ok(), "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0/8",
            "host",
            "10.0.0.0/-1",
        ] {
            assert_eq!(
                TrustedProxies::parse([text]).unwrap_err(),
                InvalidNetwork(text.to_owned())
            );
        }
        let everyone = TrustedProxies::parse(["0.0.0.0/0"]).unwrap();
        assert!(everyone.contains("8.8.8.8".parse().unwrap()));
        assert!(!everyone.contains("2001:db8::1".parse().unwrap()));
    }
}
