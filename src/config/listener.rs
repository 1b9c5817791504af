//! What of the configuration concerns connections: TLS, client certificates, and the proxies in front that are believed.

use super::{Config, ConfigError, variable};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::{IpAddr, SocketAddr};

/// `[tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the server's certificate, and those between it and its issuer after it. Without it, plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// A PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether plain HTTP may be spoken on an address that other machines reach.
    pub plain_http: bool,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    None,
    /// They are, and may go on without.
    Optional,
}

impl TlsConfig {
    /// The files of certificate and key, when the server speaks TLS.
    #[must_use]
    pub fn files(&self) -> Option<(&str, &str)> {
        Some((self.certificate.as_deref()?, self.key.as_deref()?))
    }

    /// Whether clients are asked for a certificate.
    #[must_use]
    pub fn asks_clients(&self) -> bool {
        self.client_certificates == ClientCertificates::Optional
    }

    /// What of the section contradicts itself: the key and why.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Some(("tls.key", "a certificate needs its key")),
            (None, Some(_)) => Some(("tls.certificate", "a key needs its certificate")),
            (None, None) if self.asks_clients() => {
                Some(("tls.client_certificates", "clients can show a certificate only where tls.certificate and tls.key are set"))
            }
            _ => None,
        }
    }
}

impl Config {
    /// Refuses to serve plain HTTP where other machines could read it.
    ///
    /// # Errors
    /// A sentence with the three ways out.
    pub fn may_serve(&self) -> Result<(), ConfigError> {
        let is_local = self.listen.parse::<SocketAddr>().is_ok_and(|a| a.ip().to_canonical().is_loopback());
        if is_local || self.tls.files().is_some() || self.tls.plain_http {
            return Ok(());
        }
        Err(ConfigError(format!(
            "listen (or {}): plain HTTP on {}, which other machines reach, would show them every token; set tls.certificate and tls.key, \
             or listen on a loopback address such as 127.0.0.1:8080 behind a proxy on the same machine, \
             or set tls.plain_http = true when a proxy on another machine ends TLS",
            variable("listen"),
            self.listen
        )))
    }

    /// What people see in front of every path when the server listens on `address`.
    #[must_use]
    pub fn origin(&self, address: &str) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("{}://{address}", self.scheme()))
    }

    /// What the server speaks: `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.files().is_some() { "https" } else { "http" }
    }
}

/// Reads and writes a list of networks.
pub(super) mod networks {
    use super::{Deserialize, Deserializer, IpNet, Serialize, Serializer, network};

    pub fn serialize<S: Serializer>(list: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let list = Vec::<String>::deserialize(from)?;
        list.iter().map(|text| network(text).map_err(serde::de::Error::custom)).collect()
    }
}

/// Reads an address or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = text.parse::<IpAddr>().map(IpNet::from).ok();
    one.or_else(|| text.parse().ok())
        .ok_or_else(|| format!("\"{text}\" is neither an address nor a network; 192.0.2.10 and 10.0.0.0/8 are examples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration of these lines: a key, a space, a value.
    fn from(lines: &[&str]) -> Result<Config, String> {
        let pairs: Vec<_> = lines.iter().map(|l| l.split_once(' ').unwrap()).collect();
        let look = |name: &str| pairs.iter().find(|(key, _)| variable(key) == name).map(|(_, v)| (*v).to_owned());
        Config::load(None, &look).map_err(|e| e.to_string())
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        assert!(from(&["tls.certificate a"]).unwrap_err().contains("tls.key (or ROLLBOOK_TLS_KEY)"));
        assert!(from(&["tls.key a"]).unwrap_err().contains("tls.certificate (or ROLLBOOK_TLS_CERTIFICATE)"));
        assert!(from(&["tls.client_certificates optional"]).unwrap_err().contains("tls.client_certificates"));
        assert!(from(&["tls.client_certificates required"]).unwrap_err().contains("client_certificates"));
        let whole = from(&["tls.certificate a", "tls.key b", "tls.client_certificates optional"]).unwrap();
        assert!(whole.tls.asks_clients());
        assert_eq!(whole.origin("192.0.2.1:443"), "https://192.0.2.1:443");
        assert_eq!(Config::default().origin("127.0.0.1:1"), "http://127.0.0.1:1");
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        let at = |listen: &str, more: &[&str]| from(&[more, &[&format!("listen {listen}")]].concat()).unwrap().may_serve();
        for loopback in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(at(loopback, &[]).is_ok(), "{loopback}");
        }
        for open in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[2001:db8::1]:80", "[::ffff:10.0.0.1]:80"] {
            let why = at(open, &[]).unwrap_err().to_string();
            assert!(["tls.certificate", "tls.key", "127.0.0.1", "tls.plain_http = true"].iter().all(|w| why.contains(w)), "{why}");
            assert!(at(open, &["tls.plain_http true"]).is_ok() && at(open, &["tls.certificate a", "tls.key b"]).is_ok(), "{open}");
        }
    }

    #[test]
    fn addresses_and_networks_are_read() {
        for (text, read) in [
            ("192.0.2.10", "192.0.2.10/32"),
            (" 10.0.0.0/8 ", "10.0.0.0/8"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), read);
        }
        for odd in ["", "proxy.example.com", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*", "10.0.0.1,10.0.0.2"] {
            assert!(network(odd).unwrap_err().contains("neither an address nor a network"), "{odd}");
        }
    }
}
