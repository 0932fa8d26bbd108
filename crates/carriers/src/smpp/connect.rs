//! Connecting to a host that has several addresses.
//!
//! One that swallows packets must not use up the time of the others: each gets a slice of it, and IPv6
//! and IPv4 take turns, because it is usually a whole family that leads nowhere.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Addresses that are tried: more slices would be too short for a slow SMSC.
const ADDRESSES_MAX: usize = 4;

/// Connects to the first address that takes it, within `limit` for all of them.
pub(super) async fn connect(
    addresses: impl Iterator<Item = SocketAddr>,
    source: Option<IpAddr>,
    limit: Duration,
) -> io::Result<TcpStream> {
    let addresses = order(addresses, source);
    let slice = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last_error = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        let connected = timeout(slice, connect_to(address, source)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

async fn connect_to(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.connect(address).await
}

/// What can be reached from `source`, families in turn. Which one is first is the resolver's choice.
fn order(addresses: impl Iterator<Item = SocketAddr>, source: Option<IpAddr>) -> Vec<SocketAddr> {
    let is_reachable =
        |address: &SocketAddr| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
    let addresses: Vec<_> = addresses.filter(is_reachable).collect();
    let is_ipv4_first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == is_ipv4_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let in_turn = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        pair => Some(pair),
    });
    let in_turn = in_turn.flat_map(|(first, second)| first.into_iter().chain(second));
    in_turn.take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_source_has_one() {
        let order = |given: &str, source: Option<&str>| {
            let given = given.split_whitespace();
            let given = given.map(|address| SocketAddr::new(address.parse().unwrap(), 2775));
            let ordered = order(given, source.map(|source| source.parse().unwrap()));
            let ordered = ordered.iter().map(|address| address.ip().to_string());
            ordered.collect::<Vec<_>>().join(" ")
        };
        // Columns: what the resolver says, our source address, what is tried.
        for (given, source, tried) in [
            ("", None, ""),
            ("1.0.0.1", None, "1.0.0.1"),
            ("::1 ::2 ::3 ::4 ::5 1.0.0.1", None, "::1 1.0.0.1 ::2 ::3"),
            ("1.0.0.1 ::1 1.0.0.2", None, "1.0.0.1 ::1 1.0.0.2"),
            ("::1 1.0.0.1 1.0.0.2", Some("1.0.0.9"), "1.0.0.1 1.0.0.2"),
            ("1.0.0.1", Some("::9"), ""),
        ] {
            assert_eq!(order(given, source), tried, "{given} from {source:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
        // A listener that never accepts drops what comes once its queue is full.
        let full = TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(1).unwrap();
        let deaf = full.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(Ok(stream)) =
            timeout(Duration::from_millis(200), TcpStream::connect(deaf)).await
        {
            queue.push(stream);
        }
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = open.local_addr().map(|address| (open, address)).unwrap();
        let limit = Duration::from_secs(1);
        let connected = connect([deaf, open.1].into_iter(), None, limit);
        let connected = timeout(limit, connected).await.unwrap().unwrap();
        assert_eq!(connected.peer_addr().unwrap(), open.1);
    }
}
