//! Where a request comes from: the address of the connection, or the one that trusted proxies pass on.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client that sent a request, as text; empty when the connection has none.
#[must_use]
pub fn address(req: &HttpRequest, trusted: &[IpNet]) -> String {
    req.peer_addr().map_or_else(String::new, |peer| origin(peer.ip(), req.headers(), trusted).to_string())
}

/// Follows `X-Forwarded-For` back from the connection as long as what wrote it is trusted: the first address that is not
/// counts. Where the way back ends, in an entry that is no address or in none at all, the last one that is known does.
fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut known = peer.to_canonical();
    for entry in entries(headers).rev() {
        if !is_trusted(known) {
            break;
        }
        let Some(before) = parse(entry) else { break };
        known = before;
    }
    known
}

/// What all headers of the name list, from the client to us. One that is no text counts as an entry that is no address.
fn entries(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = &str> {
    let values: Vec<&str> = headers.get_all(FORWARDED_FOR).map(|v| v.to_str().unwrap_or_default()).collect();
    values.into_iter().flat_map(|v| v.split(','))
}

/// Reads an address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']'));
    let address = match bare {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|a| a.ip())),
    };
    address.map(|a| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    /// The address for a connection from `peer` with these headers, behind proxies in 10.0.0.0/8 and 2001:db8:1::/48.
    fn seen(peer: &str, headers: &[&'static str]) -> String {
        let pair = |text: &&'static str| (HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(pair) {
            map.append(name, value);
        }
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"].map(|n| n.parse().unwrap());
        origin(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_who_it_is() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["10.0.0.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(seen("2001:db8:2::1", &["198.51.100.1"]), "2001:db8:2::1");
        assert_eq!(seen("192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn the_first_untrusted_address_from_the_right_counts() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9,198.51.100.1,10.9.9.9 , 10.0.0.2"]), "198.51.100.1");
    }

    #[test]
    fn many_headers_are_one_list() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.9", "198.51.100.1, 10.0.0.3", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1", "203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn ipv6_and_ports_are_read() {
        for (entry, read) in [
            ("2001:DB8:2::0:1", "2001:db8:2::1"),
            ("[2001:db8:2::1]", "2001:db8:2::1"),
            ("[2001:db8:2::1]:4711", "2001:db8:2::1"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("198.51.100.1, [2001:db8:1::2]:80", "198.51.100.1"),
            ("198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ] {
            assert_eq!(seen("2001:db8:1::1", &[entry]), read, "{entry}");
        }
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1", "an address of IPv4 on a socket of IPv6");
        assert_eq!(seen("::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    /// What a trusted proxy writes may be nonsense; what a stranger wrote before it is not taken for it.
    #[test]
    fn nonsense_ends_the_way_back() {
        let odd = [
            "unknown",
            "",
            ",",
            "198.51.100.1,",
            "198.51.100.1, _hidden",
            "198.51.100.256",
            "198.51.100.1 x",
            "[198.51.100.1]",
            "a, \u{e9}",
        ];
        for header in odd.into_iter().chain(["203.0.113.9, \"198.51.100.1\"", "198.51.100.1:99999", "[::1", "::1]", "fe80::1%eth0"]) {
            assert_eq!(seen("10.0.0.1", &[header]), "10.0.0.1", "{header}");
        }
        assert_eq!(seen("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9", "unknown"]), "10.0.0.1");
    }

    #[test]
    fn a_request_from_among_the_proxies_is_their_own() {
        assert_eq!(seen("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }
}
