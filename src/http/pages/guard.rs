//! What protects the claim pages: the headers of every answer, the pair of cookie and form key, and what the log may not show.

use super::view::{self, STYLE, Scene};
use super::visitor::scene_of;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error as ActixError, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// The media type of every page.
pub const HTML: &str = "text/html; charset=utf-8";

/// The headers of every answer that do not depend on the page.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::PERMISSIONS_POLICY, "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Wraps every claim page: adds the headers, and turns an error of any kind into a page.
pub async fn shield(req: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let scene = scene_of(req.request());
    let res = next.call(req).await?;
    let (status, is_page) = (res.status(), is_page(res.headers()));
    let mut res = if (status.is_client_error() || status.is_server_error()) && !is_page {
        // The response itself stays, and with it Allow, Retry-After and what the log says of the error.
        res.map_body(|head, _| {
            head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
            BoxBody::new(error_html(status, &scene))
        })
    } else {
        res.map_into_boxed_body()
    };
    protect(res.headers_mut());
    Ok(res)
}

/// The page for a request that failed before it got to one.
pub fn failure(status: StatusCode, scene: &Scene) -> HttpResponse {
    let mut response = HttpResponse::build(status).content_type(HTML).body(error_html(status, scene));
    protect(response.headers_mut());
    response
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html"))
}

fn error_html(status: StatusCode, scene: &Scene) -> String {
    view::failed(status, scene).map_or_else(|e| e.to_string(), |answer| answer.html)
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(value) = HeaderValue::from_str(&policy(None))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
}

/// The Content-Security-Policy of a page. Browsers apply `form-action` to every redirect that follows, and an application may
/// lead on to others: over https all are allowed, and the origin that the form leads to in any case.
#[must_use]
pub fn policy(form_target: Option<&str>) -> String {
    static STYLE_HASH: OnceLock<String> = OnceLock::new();
    let hash = STYLE_HASH.get_or_init(|| STANDARD.encode(Sha256::digest(STYLE)));
    let target = form_target.filter(|o| is_origin(o)).map_or_else(String::new, |o| format!(" {o}"));
    format!("default-src 'none'; style-src 'sha256-{hash}'; form-action 'self' https:{target}; frame-ancestors 'none'; base-uri 'none'")
}

/// Whether a text is a scheme and a host, so that nothing else gets into the policy.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|h| !h.is_empty() && h.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c)))
}

/// The name of the cookie. Browsers take one with the prefix from https only.
#[must_use]
pub fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Secure-rollbook_claim" } else { "rollbook_claim" }
}

/// The cookie that [`form_key`] is bound to, as sent with a request.
#[must_use]
pub fn cookie(headers: &HeaderMap, secure: bool) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let value = pairs.filter_map(|p| p.trim().split_once('=')).find(|(name, _)| *name == cookie_name(secure))?.1;
    // One that this server has not made is as good as none.
    (URL_SAFE_NO_PAD.decode(value).ok()?.len() == 16).then(|| value.to_owned())
}

/// What a form carries to prove that its page was opened in the browser that has the cookie.
#[must_use]
pub fn form_key(secret: &[u8], cookie: &str, path: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(secret, cookie, path).finalize().into_bytes())
}

/// Whether a form's key belongs to the cookie and the path. Takes the same time for every wrong one.
#[must_use]
pub fn key_fits(secret: &[u8], cookie: &str, path: &str, key: &str) -> bool {
    URL_SAFE_NO_PAD.decode(key).is_ok_and(|tag| mac(secret, cookie, path).verify_slice(&tag).is_ok())
}

fn mac(secret: &[u8], cookie: &str, path: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!("a key of any length will do"));
    mac.update(b"rollbook claim form\0");
    mac.update(cookie.as_bytes());
    mac.update(b"\0");
    mac.update(path.as_bytes());
    mac
}

/// Whether the browser says that another site sends the form. With our Referrer-Policy browsers say `Origin: null`, which
/// tells nothing; then `Sec-Fetch-Site` does.
#[must_use]
pub fn is_foreign(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let host = text("host").unwrap_or_default();
    let elsewhere = |o: &str| {
        let same = o.eq_ignore_ascii_case(origin) || o.split_once("://").is_some_and(|(_, h)| h.eq_ignore_ascii_case(host));
        !(same || o == "null")
    };
    text("sec-fetch-site").is_some_and(|s| !["same-origin", "none"].contains(&s)) || text("origin").is_some_and(elsewhere)
}

/// Whether a path may hold a token or code, however it is written: then the log does not show it.
#[must_use]
pub fn is_private(path: &str) -> bool {
    // The admin API speaks of claims too, and of nothing secret.
    !path.starts_with("/admin/v1/") && path.split('/').any(|segment| decoded(segment).eq_ignore_ascii_case(b"claim"))
}

/// A part of a path without percent-encoding.
fn decoded(segment: &str) -> Vec<u8> {
    let mut rest = segment.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|h| std::str::from_utf8(h).ok());
        let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_key_fits_one_cookie_and_one_path() {
        let key = form_key(b"secret", "cookie", "/claim/a");
        assert!(key_fits(b"secret", "cookie", "/claim/a", &key));
        for (secret, cookie, path) in [("other", "cookie", "/claim/a"), ("secret", "other", "/claim/a"), ("secret", "cookie", "/claim/b")] {
            assert!(!key_fits(secret.as_bytes(), cookie, path, &key));
        }
        for key in ["", "x", &key[1..], "====", &key.to_lowercase()] {
            assert!(!key_fits(b"secret", "cookie", "/claim/a", key), "{key}");
        }
    }

    #[test]
    fn only_a_cookie_of_ours_is_read() {
        let ours = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(cookie(&headers(&[("cookie", "a=b; rollbook_claim=AAAAAAAAAAAAAAAAAAAAAA; c")]), false).as_deref(), Some(ours));
        assert_eq!(cookie(&headers(&[("cookie", "rollbook_claim=AAAAAAAAAAAAAAAAAAAAAA")]), true), None);
        assert_eq!(cookie(&headers(&[("cookie", "__Secure-rollbook_claim=AAAAAAAAAAAAAAAAAAAAAA")]), true).as_deref(), Some(ours));
        assert_eq!(cookie(&headers(&[("cookie", "rollbook_claim=short")]), false), None);
        assert_eq!(cookie(&headers(&[]), false), None);
    }

    #[test]
    fn another_site_is_known() {
        let at =
            |more: &[(&'static str, &'static str)]| is_foreign(&headers(&[more, &[("host", "in:8080")]].concat()), "https://out.example");
        assert!(!at(&[]));
        assert!(!at(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(!at(&[("origin", "https://out.example")]) && !at(&[("origin", "http://in:8080")]) && !at(&[("sec-fetch-site", "none")]));
        assert!(at(&[("origin", "https://evil.example")]) && at(&[("origin", "https://out.example.evil.example")]));
        assert!(at(&[("sec-fetch-site", "cross-site")]) && at(&[("sec-fetch-site", "same-site")]));
        assert!(at(&[("origin", "null"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn nothing_but_an_origin_gets_into_the_policy() {
        assert!(policy(Some("https://app.example.com:8443")).contains("form-action 'self' https: https://app.example.com:8443; "));
        for odd in
            ["", "https://", "javascript:x", "https://a; script-src *", "https://a b", "https://a,b", "*", "https://a/b", "https://*.a"]
        {
            assert!(policy(Some(odd)).contains("form-action 'self' https:; "), "{odd}");
        }
    }

    #[test]
    fn private_paths_are_known_however_they_are_written() {
        for path in ["/claim", "/claim/x", "//claim//x", "/%63laim/x", "/%63%6C%61%69%6D/x", "/Claim/x", "/prefix/claim/x", "/./claim/x"] {
            assert!(is_private(path), "{path}");
        }
        for path in ["/", "/health", "/scim/v2/Users", "/claims", "/%", "/%6", "/%zz", "/%63laimx"] {
            assert!(!is_private(path), "{path}");
        }
    }
}
