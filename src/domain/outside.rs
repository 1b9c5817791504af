//! Addresses of other servers: which of them this server asks at all.
//!
//! Admins enter such addresses, and this server stands where they may not look: it must not ask on their behalf what only its
//! own network can see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Characters of an address.
const LONGEST: usize = 500;

/// Checks an address. `trial` is for a server that is itself reached at a loopback address: it may ask its own machine, and
/// without TLS.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check(text: &str, trial: bool) -> Result<Url, String> {
    if text.len() > LONGEST {
        return Err(format!("at most {LONGEST} characters are expected"));
    }
    let url = Url::parse(text).map_err(|e| format!("this is no URL: {e}"))?;
    let loopback = url.host().as_ref().is_some_and(is_own);
    match url.scheme() {
        "https" => {}
        "http" if loopback && trial => {}
        _ => return Err("an https URL is expected".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL without user name and password is expected".to_owned());
    }
    if url.fragment().is_some() {
        return Err("a URL without a fragment is expected".to_owned());
    }
    let allowed = if loopback { trial } else { address(url.host().as_ref()).is_none_or(is_public) };
    if allowed { Ok(url) } else { Err("this address is inside a private network".to_owned()) }
}

/// Whether an origin leads to the machine that it is used on.
#[must_use]
pub fn is_loopback(origin: &str) -> bool {
    Url::parse(origin).is_ok_and(|url| url.host().as_ref().is_some_and(is_own))
}

fn is_own(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).to_canonical().is_loopback(),
    }
}

fn address(host: Option<&Host<&str>>) -> Option<IpAddr> {
    match host {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(*ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(*ip)),
        Some(Host::Domain(_)) | None => None,
    }
}

/// Whether everybody can reach an address: it is neither inside a network nor for a special use.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = a == 0 || a >= 224 || (a, b, c) == (192, 0, 0) || (a, b) == (198, 18) || (a, b) == (198, 19);
    !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_documentation() || shared || special)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Global unicast is 2000::/3. Of it, 2001:db8::/32 is for documentation, and what tunnels IPv4 can lead anywhere.
    (first & 0xe000) == 0x2000 && (first, second) != (0x2001, 0xdb8) && (first, second) != (0x2001, 0) && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses() {
        for good in ["https://idp.example.com/keys", "https://idp.example.com:8443/keys?a=b", "https://8.8.8.8/", "https://[2606:4700::1]/"]
        {
            assert!(check(good, false).is_ok() && check(good, true).is_ok(), "{good}");
        }
        for own in ["http://127.0.0.1:9/keys", "http://localhost/keys", "https://[::1]/keys"] {
            assert!(check(own, true).is_ok(), "{own}");
            assert!(check(own, false).is_err(), "{own}");
        }
    }

    #[test]
    fn bad_addresses() {
        let bad = [
            "",
            "x",
            "/keys",
            "http://idp.example.com/",
            "ftp://idp.example.com/",
            "file:///etc/passwd",
            "https://a:b@idp.example.com/",
            "https://a@idp.example.com/",
            "https://idp.example.com/#a",
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://172.16.0.1/",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://0x0a000001/",
            "https://167772161/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::]/",
            "https://224.0.0.1/",
            "https://[64:ff9b::a00:1]/",
        ];
        for bad in bad {
            assert!(check(bad, false).is_err() && check(bad, true).is_err(), "{bad}");
        }
        assert!(check(&format!("https://idp.example.com/{}", "a".repeat(500)), false).is_err());
    }

    #[test]
    fn trials_are_known() {
        for own in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "http://a.localhost"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["https://scim.example.com", "http://127.0.0.1.example.com", "http://0.0.0.0:8080", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
