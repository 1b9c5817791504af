//! What is sent to the token endpoint, and by whom.

use super::super::body;
use super::{Result, unreadable};
use crate::service::jws;
use crate::service::oauth::{Proof, Refusal};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// Bytes of a form.
const FORM_BYTES: usize = 64 << 10;
/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The parameters of a request. One without a value counts as missing (RFC 6749 §3.2).
#[derive(Debug)]
pub struct Form(BTreeMap<String, String>);

/// A request that makes sense, not yet proved.
#[derive(Debug)]
pub struct Asked {
    pub client_id: String,
    pub proof: Proof,
    pub scope: Option<String>,
    /// The thumbprint of the certificate that was presented.
    pub presented: Option<String>,
}

impl Form {
    /// Reads the body, in which alone parameters may be.
    ///
    /// # Errors
    /// [`Refusal::Request`] that says what is wrong.
    pub async fn read(req: &HttpRequest, payload: Payload) -> Result<Self> {
        let media = req.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::Request("the body must be application/x-www-form-urlencoded".to_owned()));
        }
        if !req.query_string().is_empty() {
            return Err(Refusal::Request("parameters belong in the body, not in the URL".to_owned()));
        }
        body::check_length(req, FORM_BYTES).map_err(unreadable)?;
        Self::parse(&body::read(payload, FORM_BYTES).await.map_err(unreadable)?)
    }

    fn parse(body: &[u8]) -> Result<Self> {
        let mut out = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if out.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::Request(format!("the parameter {} is given twice", crate::scim::error::shown(&name))));
            }
        }
        out.retain(|_, value| !value.is_empty());
        Ok(Self(out))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Asked {
    /// Finds out what is asked for, and with what the client proves who it is: one thing only.
    ///
    /// # Errors
    /// A refusal that says what is wrong.
    pub fn of(req: &HttpRequest, form: &Form, presented: Option<String>) -> Result<Self> {
        let mut headers = req.headers().get_all(header::AUTHORIZATION).map(|v| v.to_str().unwrap_or_default());
        let basic = headers.next();
        if headers.next().is_some() {
            return Err(Refusal::Request("the Authorization header is given twice".to_owned()));
        }
        Self::read(form, basic, presented)
    }

    fn read(form: &Form, authorization: Option<&str>, presented: Option<String>) -> Result<Self> {
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(Refusal::GrantType("client_credentials is the only grant_type here".to_owned())),
            None => return Err(Refusal::Request("grant_type is missing".to_owned())),
        }
        let (client_id, proof) = proved(form, authorization, presented.as_deref())?;
        if form.get("client_id").is_some_and(|id| id != client_id) {
            return Err(Refusal::Request("client_id is another one than the client proves to be".to_owned()));
        }
        Ok(Self { client_id, proof, scope: form.get("scope").map(str::to_owned), presented })
    }
}

/// The id of a client and its proof.
fn proved(form: &Form, authorization: Option<&str>, presented: Option<&str>) -> Result<(String, Proof)> {
    let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
    if form.get("client_assertion_type").is_some() != assertion.is_some() {
        return Err(Refusal::Request("client_assertion and client_assertion_type go together".to_owned()));
    }
    match (authorization, secret, assertion) {
        (Some(header), None, None) => basic(header),
        (None, Some(secret), None) => Ok((named(form)?, Proof::Secret(secret.to_owned()))),
        (None, None, Some(token)) => signed(form, token),
        (None, None, None) => match presented {
            Some(thumbprint) => Ok((named(form)?, Proof::Certificate(thumbprint.to_owned()))),
            None => Err(Refusal::Client("the client does not say who it is, or does not prove it".to_owned())),
        },
        _ => Err(Refusal::Request("a client proves who it is in one way, and there are several here".to_owned())),
    }
}

fn named(form: &Form) -> Result<String> {
    form.get("client_id").map(str::to_owned).ok_or_else(|| Refusal::Request("client_id is missing".to_owned()))
}

fn signed(form: &Form, token: &str) -> Result<(String, Proof)> {
    if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refusal::Request(format!("client_assertion_type must be {ASSERTION_TYPE}")));
    }
    let read = jws::read(token).ok_or_else(|| Refusal::Client("client_assertion: it is no signed JWT".to_owned()))?;
    let id = read.claims.text("sub").ok_or_else(|| Refusal::Client("client_assertion: sub is missing".to_owned()))?;
    Ok((id.to_owned(), Proof::Assertion(token.to_owned())))
}

/// RFC 6749 §2.3.1: both parts are encoded as in a form, and then as RFC 7617 has it.
fn basic(header: &str) -> Result<(String, Proof)> {
    let bad = || Refusal::Client("the Authorization header is not that of a client: Basic is expected".to_owned());
    let (scheme, rest) = header.trim().split_once(' ').ok_or_else(bad)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(bad());
    }
    let text = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let (id, secret) = text.split_once(':').ok_or_else(bad)?;
    Ok((decoded(id), Proof::Secret(decoded(secret))))
}

/// A text without the encoding of forms.
fn decoded(text: &str) -> String {
    // As the name of a parameter, with what would end it put out of the way.
    let safe = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(safe.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT: &str = "grant_type=client_credentials";

    fn asked(body: &str, authorization: Option<&str>, presented: Option<&str>) -> Result<Asked> {
        Asked::read(&Form::parse(body.as_bytes())?, authorization, presented.map(str::to_owned))
    }

    #[test]
    fn basic_is_decoded_twice() {
        let header = |text: &str| format!("bASIC {}", STANDARD.encode(text));
        let read = |text: &str| match asked(GRANT, Some(&header(text)), None).unwrap() {
            Asked { client_id, proof: Proof::Secret(secret), .. } => (client_id, secret),
            other => panic!("{other:?}"),
        };
        assert_eq!(read("a%20b:c%3Ad+e"), ("a b".to_owned(), "c:d e".to_owned()));
        assert_eq!(read("a:b:c&d=e"), ("a".to_owned(), "b:c&d=e".to_owned()));
        for odd in ["Basic", "Basic ?", "Bearer abc", "", &header("no colon")] {
            assert!(matches!(asked(GRANT, Some(odd), None), Err(Refusal::Client(_))), "{odd}");
        }
    }

    #[test]
    fn a_certificate_is_one_way() {
        let asked_it = asked(&format!("{GRANT}&client_id=c"), None, Some("thumb")).unwrap();
        assert!(matches!(asked_it.proof, Proof::Certificate(t) if t == "thumb"));
        // With another proof it only binds the token.
        let asked_it = asked(&format!("{GRANT}&client_id=c&client_secret=s"), None, Some("thumb")).unwrap();
        assert!(matches!(asked_it.proof, Proof::Secret(_)) && asked_it.presented.as_deref() == Some("thumb"));
        assert!(matches!(asked(GRANT, None, Some("thumb")), Err(Refusal::Request(_))));
        assert!(matches!(asked(&format!("{GRANT}&client_id=c"), None, None), Err(Refusal::Client(_))));
    }

    #[test]
    fn parameters_without_a_value_are_missing() {
        assert!(matches!(asked("grant_type=", None, None), Err(Refusal::Request(_))));
        let read = asked(&format!("{GRANT}&client_id=c&client_secret=s&scope="), None, None).unwrap();
        assert_eq!(read.scope, None);
        assert!(matches!(asked(&format!("{GRANT}&other=&other="), None, None), Err(Refusal::Request(_))));
    }
}
