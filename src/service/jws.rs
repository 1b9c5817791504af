//! Signed tokens of others (RFC 7515, RFC 7519), and the public keys that they are checked with (RFC 7517).
//!
//! Which algorithms are allowed is decided by the key, never by the token alone; there is none for secrets, and no `none`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

/// Bytes of a token of somebody else.
const LONGEST: usize = 16 << 10;
/// Most keys of a set that an admin enters, and most bytes of it.
const MOST_KEYS: usize = 20;
const MOST_BYTES: usize = 32 << 10;
/// Microseconds that the clocks of two servers may differ.
pub const LEEWAY: i64 = 60 * 1_000_000;

/// What a token says of itself. Nothing of it is to be believed before [`verified`].
#[derive(Debug, Clone)]
pub struct Unchecked {
    /// The name of the key that it is signed with.
    pub kid: Option<String>,
    /// The kind of token, in lower case and without `application/`.
    pub typ: Option<String>,
    pub claims: Claims,
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A claim that is a time, in microseconds since the epoch. One that is no number is over at once, and not yet come.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<i64> {
        let seconds = self.0.get(name)?.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "a time too far away becomes the farthest one")]
        Some((seconds * 1_000_000.0) as i64)
    }

    /// Whether there is a claim of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whom it is for: one or several.
    #[must_use]
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The certificate that must be presented with it (RFC 8705 §3.1).
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.0.get("cnf")?.get("x5t#S256")?.as_str()
    }

    /// Checks that the token is in force: it must expire, and may say from when on it is good.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn in_force(&self, now: i64) -> Result<i64, &'static str> {
        let expires_at = self.time("exp").ok_or("exp is missing")?.saturating_add(LEEWAY);
        if expires_at <= now {
            return Err("it has expired");
        }
        if ["nbf", "iat"].iter().any(|name| self.has(name) && self.time(name).is_none_or(|t| t > now + LEEWAY)) {
            return Err("it is not yet good");
        }
        Ok(expires_at)
    }
}

/// Reads a token without believing it. None when it is no signed token in the compact form.
#[must_use]
pub fn read(token: &str) -> Option<Unchecked> {
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if signature.is_empty() || parts.next().is_some() {
        return None;
    }
    let header = object(header)?;
    // RFC 7515 §4.1.11: there is no extension that we know.
    if header.contains_key("crit") {
        return None;
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let typ = text("typ").map(str::to_ascii_lowercase).map(|t| t.trim_start_matches("application/").to_owned());
    Some(Unchecked { kid: text("kid").map(str::to_owned), typ, claims: Claims(object(claims)?) })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The claims of a token whose signature is that of a key of the set. Nothing else of it is checked.
///
/// # Errors
/// What is wrong with it.
pub fn verified(token: &str, set: &Value) -> Result<Claims, &'static str> {
    let unchecked = read(token).ok_or("it is no signed JWT")?;
    let usable = keys(set).filter(|k| !algorithms(k).is_empty());
    let candidates: Vec<&Value> = match &unchecked.kid {
        Some(kid) => usable.filter(|k| k.get("kid").and_then(Value::as_str) == Some(kid)).collect(),
        None => usable.collect(),
    };
    match candidates.as_slice() {
        [] => Err("the key that it is signed with is not known"),
        [_, _, ..] if unchecked.kid.is_none() => Err("it does not name its key (kid), and there are several"),
        some => some.iter().find_map(|key| claims(token, key)).ok_or("its signature does not fit the key"),
    }
}

fn keys(set: &Value) -> impl Iterator<Item = &Value> {
    set.get("keys").and_then(Value::as_array).into_iter().flatten()
}

fn claims(token: &str, key: &Value) -> Option<Claims> {
    let allowed = algorithms(key);
    let mut rules = Validation::new(*allowed.first()?);
    rules.algorithms = allowed.to_vec();
    // Times and audiences are checked by the caller, by the server's own clock.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let data = jsonwebtoken::decode::<Map<String, Value>>(token, &decoding(key)?, &rules).ok()?;
    Some(Claims(data.claims))
}

fn decoding(key: &Value) -> Option<DecodingKey> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match text("kty")? {
        "RSA" => DecodingKey::from_rsa_components(text("n")?, text("e")?).ok(),
        "EC" => DecodingKey::from_ec_components(text("x")?, text("y")?).ok(),
        "OKP" => DecodingKey::from_ed_components(text("x")?).ok(),
        _ => None,
    }
}

/// What a key may check; nothing when it is no key for signatures.
fn algorithms(key: &Value) -> &'static [Algorithm] {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let verifies = |ops: &Value| ops.as_array().is_some_and(|list| list.iter().any(|op| op == "verify"));
    if text("use").is_some_and(|u| u != "sig") || key.get("key_ops").is_some_and(|ops| !verifies(ops)) {
        return &[];
    }
    match (text("kty"), text("crv"), text("alg")) {
        (Some("RSA"), _, None) => &[Algorithm::RS256, Algorithm::PS256],
        (Some("RSA"), _, Some("RS256")) => &[Algorithm::RS256],
        (Some("RSA"), _, Some("PS256")) => &[Algorithm::PS256],
        (Some("EC"), Some("P-256"), None | Some("ES256")) => &[Algorithm::ES256],
        (Some("EC"), Some("P-384"), None | Some("ES384")) => &[Algorithm::ES384],
        (Some("OKP"), Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => &[Algorithm::EdDSA],
        _ => &[],
    }
}

/// Checks a key set that an admin enters.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_key_set(set: &Value) -> Result<(), String> {
    let count = keys(set).count();
    if !(1..=MOST_KEYS).contains(&count) || set.to_string().len() > MOST_BYTES {
        return Err(format!("a JWK set is expected: {{\"keys\": [...]}} with 1 to {MOST_KEYS} keys"));
    }
    for (n, key) in keys(set).enumerate() {
        let secret = ["d", "k", "p", "q", "dp", "dq", "qi"].into_iter().find(|name| key.get(name).is_some());
        if let Some(name) = secret {
            return Err(format!("key {n} has \"{name}\", which is private: enter the public key alone, and make a new pair"));
        }
        if algorithms(key).is_empty() || decoding(key).is_none() {
            return Err(format!("key {n} is no public key for RS256, PS256, ES256, ES384 or EdDSA"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_key_decides() {
        assert_eq!(algorithms(&json!({"kty": "RSA"})), [Algorithm::RS256, Algorithm::PS256]);
        assert_eq!(algorithms(&json!({"kty": "EC", "crv": "P-256", "use": "sig", "key_ops": ["verify"]})), [Algorithm::ES256]);
        let none = [
            json!({"kty": "oct", "k": "AAAA", "alg": "HS256"}),
            json!({"kty": "RSA", "alg": "HS256"}),
            json!({"kty": "RSA", "alg": "none"}),
            json!({"kty": "RSA", "use": "enc"}),
            json!({"kty": "RSA", "key_ops": ["encrypt"]}),
            json!({"kty": "EC", "crv": "P-256", "alg": "ES384"}),
            json!({"kty": "EC", "crv": "P-521"}),
            json!({"kty": "OKP", "crv": "X25519"}),
            json!("RSA"),
        ];
        for key in none {
            assert!(algorithms(&key).is_empty(), "{key}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let (head, body) = (part(&json!({"alg": "EdDSA", "typ": "application/AT+JWT", "kid": "k"})), part(&json!({"iss": "x"})));
        let read_it = read(&format!("{head}.{body}.AA")).unwrap();
        assert_eq!((read_it.kid.as_deref(), read_it.typ.as_deref()), (Some("k"), Some("at+jwt")));
        let crit = part(&json!({"alg": "EdDSA", "crit": ["b64"]}));
        for odd in ["", "rbk_x", "a.b", "a.b.c", &format!("{head}.{body}."), &format!("{head}.{body}.AA.AA"), &format!("{crit}.{body}.AA")]
        {
            assert!(read(odd).is_none(), "{odd}");
        }
        assert!(read(&format!("{head}.{}.AA", part(&json!({"a": "x".repeat(LONGEST)})))).is_none());
    }

    #[test]
    fn times_are_checked() {
        let at = |v: Value| Claims(v.as_object().unwrap().clone()).in_force(1_000 * 1_000_000);
        assert_eq!(at(json!({"exp": 1000})), Ok(1_060 * 1_000_000));
        assert!(at(json!({"exp": 940})).is_err() && at(json!({"exp": 941})).is_ok());
        assert!(at(json!({"exp": 2000, "nbf": 1060})).is_ok() && at(json!({"exp": 2000, "nbf": 1061})).is_err());
        assert!(at(json!({"exp": 2000, "nbf": "soon"})).is_err() && at(json!({"exp": "never"})).is_err() && at(json!({})).is_err());
        assert!(at(json!({"exp": 1e300})).is_ok() && at(json!({"exp": 2000, "iat": 1e300})).is_err());
    }

    #[test]
    fn private_keys_are_refused() {
        let set = |key: Value| check_key_set(&json!({"keys": [key]}));
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert!(set(json!({"kty": "OKP", "crv": "Ed25519", "x": x})).is_ok());
        assert!(set(json!({"kty": "OKP", "crv": "Ed25519", "x": x, "d": "AAAA"})).unwrap_err().contains("private"));
        assert!(set(json!({"kty": "oct", "k": "AAAA"})).is_err());
        assert!(set(json!({"kty": "OKP", "crv": "Ed25519"})).is_err());
        assert!(check_key_set(&json!({"keys": []})).is_err() && check_key_set(&json!({})).is_err());
    }
}
