//! Comparing values: case folding and dateTimes.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// The form in which strings with `caseExact: false` are compared: full-width and half-width forms as ordinary letters
/// (RFC 8265 §3.3), full Unicode case folding, then NFC.
///
/// Both databases store this form, so that they compare exactly as the in-memory evaluator does.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    let decomposed: String = text.chars().flat_map(ordinary_width).nfd().collect();
    Cow::Owned(caseless::default_case_fold_str(&decomposed).nfc().collect())
}

/// A full-width or half-width form as the letter that it is a form of.
fn ordinary_width(c: char) -> impl Iterator<Item = char> {
    let form = ('\u{FF01}'..='\u{FFEE}').contains(&c);
    form.then(|| std::iter::once(c).nfkd()).into_iter().flatten().chain((!form).then_some(c))
}

/// How a dateTime was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateForm {
    /// As xsd:dateTime demands (RFC 7643 §2.3.5).
    Exact,
    /// A date without time, or an offset without a colon.
    Lenient,
}

/// Reads a dateTime: units of 100 nanoseconds since 1970-01-01T00:00:00Z, and how it was written.
///
/// A missing zone is read as UTC. Clients send up to seven digits of a second; further ones are cut off.
#[must_use]
pub fn date_time(text: &str) -> Option<(i64, DateForm)> {
    let date_text = text.get(..10)?;
    let date = NaiveDate::parse_from_str(date_text, "%Y-%m-%d").ok()?;
    if !date_text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some((ticks(date.and_hms_opt(0, 0, 0)?, 0)?, DateForm::Lenient));
    }
    let clock = rest.strip_prefix('T')?;
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (time, zone) = clock.split_at_checked(zone_at)?;
    let (offset, form) = zone_offset(zone)?;
    Some((ticks(date.and_time(clock_time(time)?), offset)?, form))
}

/// `hh:mm:ss` with an optional fraction of any length.
fn clock_time(text: &str) -> Option<chrono::NaiveTime> {
    let (hms, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if hms.len() != 8 || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("0000000".chars()).take(7).collect();
    let base = chrono::NaiveTime::parse_from_str(hms, "%H:%M:%S").ok()?;
    Some(base + TimeDelta::nanoseconds(digits.parse::<i64>().ok()? * 100))
}

/// Seconds east of UTC.
fn zone_offset(zone: &str) -> Option<(i64, DateForm)> {
    if zone.is_empty() || zone == "Z" {
        return Some((0, DateForm::Exact));
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.get(1..)?;
    let (hours, minutes, form) = match (digits.split_once(':'), digits.len()) {
        (Some((h, m)), 5) => (h, m, DateForm::Exact),
        (None, 4) => (digits.get(..2)?, digits.get(2..)?, DateForm::Lenient),
        _ => return None,
    };
    let (h, m): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (h <= 14 && m < 60).then_some((sign * (h * 3600 + m * 60), form))
}

fn ticks(local: NaiveDateTime, offset_seconds: i64) -> Option<i64> {
    let utc = local.checked_sub_signed(TimeDelta::seconds(offset_seconds))?.and_utc();
    Some(utc.timestamp() * TICKS_PER_SECOND + i64::from(utc.timestamp_subsec_nanos() / 100))
}

const TICKS_PER_SECOND: i64 = 10_000_000;
/// Units of [`date_time`] in a microsecond.
pub const TICKS_PER_MICRO: i64 = 10;

/// Writes microseconds since the epoch as an RFC 3339 dateTime in UTC.
#[must_use]
pub fn write_time(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).map_or_else(String::new, |t| t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_full_and_canonical() {
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("E\u{301}"), fold("\u{e9}"));
        assert_eq!(fold("ΣΑΣ"), fold("σας"));
        assert_eq!(fold("BJensen"), "bjensen");
        assert_eq!(fold("ＢＪｅｎｓｅｎ"), "bjensen");
    }

    #[test]
    fn date_times_as_clients_send_them() {
        let exact = |t| date_time(t).map(|(m, _)| m);
        assert_eq!(exact("1970-01-01T00:00:01Z"), Some(10_000_000));
        assert_eq!(exact("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(exact("1970-01-01T00:00:00.1234567Z"), Some(1_234_567));
        assert!(exact("0001-01-03T00:00:00.0000000Z").is_some());
        assert_eq!(date_time("2024-01-01").map(|d| d.1), Some(DateForm::Lenient));
        assert_eq!(date_time("2024-04-10T00:00:00+0000").map(|d| d.1), Some(DateForm::Lenient));
        for bad in ["", "2024", "2024-13-01T00:00:00Z", "2024-01-01 00:00:00", "2024-01-01T00:00:00+25:00", "2024-01-01T00:00Z"] {
            assert_eq!(exact(bad), None, "{bad}");
        }
    }
}
