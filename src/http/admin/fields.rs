//! What several bodies and answers have in common: scopes, times, a source by default, a reason.

use crate::domain::{Scopes, source};
use crate::error::{Error, Result};
use crate::scim::error::shown;
use crate::scim::value::{TICKS_PER_MICRO, date_time};
use crate::service::audit;

/// The source of whoever names none.
pub fn default_source() -> String {
    source::DEFAULT.to_owned()
}

/// The scopes of a list of words, the usual ones when it is empty.
///
/// # Errors
/// 400 that names what is no scope.
pub fn scopes(words: &[String], parse: fn(&str) -> std::result::Result<Scopes, String>) -> Result<Scopes> {
    if words.is_empty() { Ok(Scopes::ALL) } else { parse(&words.join(" ")).map_err(|e| Error::Invalid(format!("scopes: {e}"))) }
}

/// A time, in microseconds since the epoch.
///
/// # Errors
/// 400 that names the member which is none.
pub fn time(name: &str, text: Option<&str>) -> Result<Option<i64>> {
    let bad = |text: &str| Error::Invalid(format!("{name}: \"{}\" is no time; 2027-01-31T12:00:00Z is", shown(text)));
    text.map(|t| date_time(t).map(|(ticks, _)| ticks / TICKS_PER_MICRO).ok_or_else(|| bad(t))).transpose()
}

/// A reason that somebody gives: some words, or none.
///
/// # Errors
/// 400 when it is empty, too long, or has control characters.
pub fn reason(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    if text.trim().is_empty() {
        return Err(Error::Invalid("reason: 1 to 500 characters are expected".to_owned()));
    }
    audit::check_words("reason", &text)?;
    Ok(Some(text))
}
