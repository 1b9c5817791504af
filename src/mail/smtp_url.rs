//! Reads the URL of a mail server. Errors name host and port, never the password.

use std::net::IpAddr;
use url::{Host, Url};

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// With the first byte.
    Implicit,
    /// By STARTTLS, or nothing is sent.
    StartTls,
    /// Never; on the same machine only.
    None,
}

/// A mail server and how to speak with it.
pub(super) struct Server {
    /// Without brackets.
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

const FORMS: &str = "smtps://user:password@host:465 or smtp://user:password@host:587 is expected";

/// Reads a URL.
pub(super) fn parse(url: &str) -> Result<Server, String> {
    let url = Url::parse(url).map_err(|e| format!("the URL of the mail server cannot be read ({e}); {FORMS}"))?;
    let host = host(&url)?;
    let security = security(&url, &host)?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(format!(
            "the URL of the mail server {host} has a path; {FORMS}. Characters such as / and # of a password are written %2F and %23"
        ));
    }
    let port = url.port().unwrap_or(match security {
        Security::Implicit => 465,
        Security::StartTls => 587,
        Security::None => 25,
    });
    let credentials = credentials(&url, &host)?;
    Ok(Server { host, port, security, credentials })
}

fn host(url: &Url) -> Result<String, String> {
    match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => Ok(name.to_owned()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        _ => Err(format!("the URL of the mail server has no host; {FORMS}")),
    }
}

fn security(url: &Url, host: &str) -> Result<Security, String> {
    match (url.scheme(), url.query()) {
        ("smtps", None) => Ok(Security::Implicit),
        ("smtp", None) => Ok(Security::StartTls),
        ("smtp", Some("tls=none")) if is_here(host) => Ok(Security::None),
        ("smtp", Some("tls=none")) => {
            Err(format!("tls=none is allowed for a mail server on the same machine only (localhost, 127.0.0.1, [::1]), not for {host}"))
        }
        ("smtp" | "smtps", Some(_)) => {
            Err(format!("the URL of the mail server {host} has an unknown option; only smtp:// has one: ?tls=none"))
        }
        _ => Err(format!("the URL of a mail server begins with smtps:// or smtp://; {FORMS}")),
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// User and password, if any.
fn credentials(url: &Url, host: &str) -> Result<Option<(String, String)>, String> {
    let wrong = || format!("user or password in the URL of the mail server {host} is not percent-encoded UTF-8");
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(format!("the URL of the mail server {host} needs both a user and a password, or neither")),
        (user, Some(password)) => Ok(Some((decode(user).ok_or_else(wrong)?, decode(password).ok_or_else(wrong)?))),
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).filter(|(digits, _)| !digits.starts_with('+'))?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (String, u16, Security, bool) {
        let server = parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
        (server.host, server.port, server.security, server.credentials.is_some())
    }

    fn refused(url: &str) -> String {
        parse(url).err().unwrap_or_else(|| panic!("{url} was accepted"))
    }

    #[test]
    fn urls_say_how_to_speak() {
        assert_eq!(read("smtps://u:p@mail.example.com"), ("mail.example.com".into(), 465, Security::Implicit, true));
        assert_eq!(read("smtp://u:p@mail.example.com:2587/"), ("mail.example.com".into(), 2587, Security::StartTls, true));
        assert_eq!(read("smtp://mail.example.com"), ("mail.example.com".into(), 587, Security::StartTls, false));
        assert_eq!(read("smtp://localhost?tls=none"), ("localhost".into(), 25, Security::None, false));
        assert_eq!(read("smtp://[::1]:2525?tls=none"), ("::1".into(), 2525, Security::None, false));
    }

    #[test]
    fn credentials_are_decoded() {
        let server = parse("smtps://first%40example.com:p%2F%23%C3%A4+@mail.example.com").unwrap();
        assert_eq!(server.credentials, Some(("first@example.com".to_owned(), "p/#ä+".to_owned())));
        assert!(refused("smtps://u@mail.example.com").contains("mail.example.com"));
        assert!(refused("smtps://:p@mail.example.com").contains("both"));
        assert!(refused("smtps://u:%+1@mail.example.com").contains("UTF-8"));
        assert!(refused("smtps://u:%ff@mail.example.com").contains("UTF-8"));
    }

    #[test]
    fn nothing_goes_out_in_clear() {
        let open = ["mail.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "[::2]", "0.0.0.0"];
        for host in open {
            assert!(refused(&format!("smtp://{host}:25?tls=none")).contains("same machine"), "{host}");
        }
        assert!(refused("smtps://localhost?tls=none").contains("option"));
        assert!(refused("smtp://mail.example.com?tls=opportunistic").contains("option"));
        assert!(refused("smtp://mail.example.com?tls=none&x=y").contains("option"));
    }

    #[test]
    fn errors_keep_the_password() {
        let urls =
            ["http://u:s3cret@h", "smtp://u:s3cret@h/x", "smtp://u:s3cret@h?x", "smtp://u:s3cret@", "smtp://u:s3cret@h:99999", "s3cret"];
        for url in urls {
            assert!(!refused(url).contains("s3cret"), "{url}: {}", refused(url));
        }
    }
}
