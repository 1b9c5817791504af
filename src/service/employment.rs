//! The employee record: what of a user's document the roll has to know, and the values that are looked up for it.

use super::mapping::{self, Doc};
use super::roll::Act;
use crate::domain::settings::{LocationRule, TerminationRule, is_address};
use crate::domain::{Member, Settings};
use crate::error::Result;
use crate::scim::dialect::{Declared, Quirk, Reading};
use crate::scim::value::fold;
use crate::scim::{self, EMPLOYEE_URN, ENTERPRISE_URN};
use crate::store::{Conn, Row, locations, roll};
use chrono::{NaiveDate, NaiveTime, TimeZone};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// What the roll knows of a user's document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    pub mail: Option<String>,
    pub employee_key: Option<String>,
    /// When the termination date takes effect; microseconds since the epoch.
    pub terminates_at: Option<i64>,
    /// The location, as long as it is not a configured one.
    pub location: Option<String>,
    /// The manager's address, as long as nobody has it.
    pub manager_ref: Option<String>,
    pub admin: bool,
    /// What was noticed and is no fault: for the member's history.
    pub warnings: Vec<String>,
}

impl Facets {
    /// Gives them to a member.
    pub fn put_into(&self, member: &mut Member) {
        member.mail.clone_from(&self.mail);
        member.employee_key.clone_from(&self.employee_key);
        member.terminates_at = self.terminates_at;
        member.location.clone_from(&self.location);
        member.manager_ref.clone_from(&self.manager_ref);
        member.admin = self.admin;
    }
}

fn own<'a>(doc: &'a Doc, name: &str) -> Option<&'a str> {
    doc.get(EMPLOYEE_URN)?.get(name)?.as_str().map(str::trim).filter(|s| !s.is_empty())
}

fn own_mut(doc: &mut Doc) -> Option<&mut Doc> {
    doc.get_mut(EMPLOYEE_URN).and_then(Value::as_object_mut)
}

/// Whether a member signs in through single sign-on.
#[must_use]
pub fn uses_sso(row: &Row) -> bool {
    is_sso(&mapping::parsed(row))
}

/// Whether a document says that its member signs in through single sign-on.
#[must_use]
pub fn is_sso(doc: &Doc) -> bool {
    own(doc, "authMethod").is_some_and(|m| m.eq_ignore_ascii_case("sso"))
}

/// Whether what decides on the end of access differs between two documents.
#[must_use]
pub fn dates_differ(old: &Doc, new: &Doc) -> bool {
    let of =
        |doc: &Doc| (own(doc, "hireDate").map(str::to_owned), own(doc, "terminationDate").map(str::to_owned), doc.get("timezone").cloned());
    of(old) != of(new)
}

/// The employee number of a user.
#[must_use]
pub fn number(row: &Row) -> Option<String> {
    employee_number(&mapping::parsed(row)).map(str::to_owned)
}

fn employee_number(doc: &Doc) -> Option<&str> {
    doc.get(ENTERPRISE_URN)?.get("employeeNumber")?.as_str().map(str::trim).filter(|s| !s.is_empty())
}

/// Reads what the roll has to know, and settles in the document what is looked up: dates, location, manager.
/// `old` is the document before the change.
///
/// # Errors
/// 400 for a date that is none, and for a sign-in method that cannot be.
pub fn settle(conn: &mut Conn, act: &Act, id: &str, old: Option<&Doc>, doc: &mut Doc, reading: &mut Reading) -> Result<Facets> {
    let mut warnings = Vec::new();
    mapping::check_lengths(doc)?;
    check_method(doc, &act.tenant.settings)?;
    let terminates_at = termination(doc, &act.tenant.settings, reading, &mut warnings)?;
    let location = place(conn, act, doc)?;
    if location.is_some() {
        warnings.push("unknown_location: the location is not among the configured ones".to_owned());
    }
    let manager_ref = manager(conn, act, id, old, doc, &mut warnings)?;
    Ok(Facets {
        mail: mail(doc),
        employee_key: employee_number(doc).map(|n| fold(n).into_owned()),
        terminates_at,
        location,
        manager_ref,
        admin: is_admin(doc),
        warnings,
    })
}

/// What a stored document says by itself: what needs no look-up, and the location and the manager's address as they stand in it.
#[must_use]
pub fn told(doc: &Doc, settings: &Settings) -> Facets {
    let (mut copy, mut reading, mut warnings) = (doc.clone(), Reading::of(Declared::Auto), Vec::new());
    Facets {
        mail: mail(doc),
        employee_key: employee_number(doc).map(|n| fold(n).into_owned()),
        terminates_at: termination(&mut copy, settings, &mut reading, &mut warnings).ok().flatten(),
        location: own(doc, "location").map(str::to_owned),
        manager_ref: own(doc, "managerEmail").map(|a| fold(a).into_owned()),
        admin: is_admin(doc),
        warnings,
    }
}

/// The address for mail: the primary one, else the first, else a userName that is an address.
#[must_use]
pub fn mail(doc: &Doc) -> Option<String> {
    let list = doc.get("emails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let primary = list.iter().find(|e| e.get("primary") == Some(&Value::Bool(true)));
    let listed = primary.into_iter().chain(list).filter_map(|e| e.get("value")?.as_str());
    let name = doc.get("userName").and_then(Value::as_str);
    listed.chain(name).map(str::trim).find(|a| is_address(a)).map(str::to_owned)
}

/// Whether somebody has the role `admin`.
fn is_admin(doc: &Doc) -> bool {
    let roles = doc.get("roles").and_then(Value::as_array);
    roles.into_iter().flatten().filter_map(|r| r.get("value")?.as_str()).any(|r| r.trim().eq_ignore_ascii_case("admin"))
}

fn check_method(doc: &Doc, settings: &Settings) -> Result<()> {
    let Some(method) = own(doc, "authMethod") else { return Ok(()) };
    let sso = method.eq_ignore_ascii_case("sso");
    if !sso && !method.eq_ignore_ascii_case("password") {
        return Err(scim::Error::value(format!("authMethod is \"{}\"; password or sso is expected", scim::error::shown(method))).into());
    }
    if sso && !mail(doc).is_some_and(|a| settings.trusts(&a)) && settings.domains == crate::domain::settings::DomainRule::Verified {
        return Err(scim::Error::value("domain_not_verified: authMethod sso needs an address in a verified domain").into());
    }
    Ok(())
}

// -- dates ---------------------------------------------------------------------

/// When the termination date takes effect. A later hire date means that somebody came back.
fn termination(doc: &mut Doc, settings: &Settings, reading: &mut Reading, warnings: &mut Vec<String>) -> Result<Option<i64>> {
    let hired = date(doc, "hireDate", reading, warnings)?;
    let Some(ended) = date(doc, "terminationDate", reading, warnings)? else { return Ok(None) };
    if hired.is_some_and(|h| h > ended) {
        warnings.push("hireDate is after terminationDate: the person was hired again, nothing is scheduled".to_owned());
        return Ok(None);
    }
    let last = if settings.termination == TerminationRule::EndOfDay { ended.succ_opt() } else { Some(ended) };
    let zone = doc.get("timezone").and_then(Value::as_str).and_then(|z| z.parse::<chrono_tz::Tz>().ok());
    let zone = zone.or_else(|| settings.time_zone.parse().ok()).unwrap_or(chrono_tz::UTC);
    Ok(last.map(|day| midnight(day, zone)))
}

/// The first moment of a day in a time zone. Where clocks go forward at midnight, the day begins an hour later.
fn midnight(day: NaiveDate, zone: chrono_tz::Tz) -> i64 {
    let start = day.and_time(NaiveTime::MIN);
    let moment = (0..=3).find_map(|hours| zone.from_local_datetime(&(start + chrono::Duration::hours(hours))).earliest());
    moment.map_or_else(|| start.and_utc().timestamp_micros(), |m| m.timestamp_micros())
}

/// A date, as it was written: of a date with a time, the date. Another text is kept only where that is tolerated.
fn date(doc: &mut Doc, name: &str, reading: &mut Reading, warnings: &mut Vec<String>) -> Result<Option<NaiveDate>> {
    let Some(text) = own(doc, name).map(str::to_owned) else { return Ok(None) };
    let day = text.get(..10).filter(|_| text.len() == 10 || text.as_bytes().get(10) == Some(&b'T'));
    let Some(date) = day.and_then(real_date) else {
        let shown = scim::error::shown(&text);
        if !reading.allow(Quirk::FreeTextDate, || format!("{name}: \"{shown}\" is no date and has no effect")) {
            return Err(scim::Error::value(format!("{name} is \"{shown}\"; a date as YYYY-MM-DD is expected")).into());
        }
        warnings.push(format!("{name} is no date as YYYY-MM-DD: nothing is scheduled"));
        return Ok(None);
    };
    if let (true, Some(own)) = (text.len() > 10, own_mut(doc)) {
        own.insert(name.to_owned(), Value::from(date.to_string()));
    }
    Ok(Some(date))
}

fn real_date(text: &str) -> Option<NaiveDate> {
    let digits = text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    if digits { NaiveDate::parse_from_str(text, "%Y-%m-%d").ok() } else { None }
}

// -- location ------------------------------------------------------------------

/// A location's name as it is compared: without spaces around it, in Unicode's composed form.
#[must_use]
pub fn place_name(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Leaves a configured location in the document and takes another out of it; the latter, as it was sent.
pub(super) fn place(conn: &mut Conn, act: &Act, doc: &mut Doc) -> Result<Option<String>> {
    let Some(sent) = own(doc, "location").map(place_name) else { return Ok(None) };
    let known = act.tenant.settings.locations == LocationRule::Free || locations::exists(conn, act.tenant.id, &sent)?;
    let Some(own) = own_mut(doc) else { return Ok(None) };
    if known {
        own.insert("location".to_owned(), Value::from(sent));
        return Ok(None);
    }
    own.remove("location");
    Ok(Some(sent))
}

// -- manager -------------------------------------------------------------------

/// Binds the manager by address; the address, if nobody has it yet. A manager named by id goes before one named by address.
fn manager(conn: &mut Conn, act: &Act, id: &str, old: Option<&Doc>, doc: &mut Doc, warnings: &mut Vec<String>) -> Result<Option<String>> {
    let by_id = mapping::manager(doc).map(str::to_owned);
    let id_before = old.and_then(mapping::manager).map(str::to_owned);
    if by_id.is_some() && by_id != id_before {
        if closes_cycle(conn, act, id, by_id.as_deref())? {
            mapping::set_manager(doc, None);
            warnings.push("manager_cycle: the manager reports to this person, so that it was not stored".to_owned());
        }
        return Ok(None);
    }
    let Some(address) = own(doc, "managerEmail").map(|a| fold(a).into_owned()) else { return Ok(None) };
    let address_before = old.and_then(|o| own(o, "managerEmail")).map(|a| fold(a).into_owned());
    if by_id.is_some() && address_before.as_ref() == Some(&address) {
        return Ok(None);
    }
    let Some(found) = holder_of(conn, act, &address)? else {
        // The address is a new one: whoever had the old one is no longer the manager.
        if by_id.is_some() {
            mapping::set_manager(doc, None);
        }
        return Ok(Some(address));
    };
    let cycle = closes_cycle(conn, act, id, Some(&found))?;
    mapping::set_manager(doc, (!cycle).then_some(found.as_str()));
    if cycle {
        warnings.push("manager_cycle: the manager reports to this person, so that it was not stored".to_owned());
    }
    Ok(None)
}

/// `manager` and `managerEmail` say the same. A PATCH that takes one of them away, and leaves the other, means both.
pub(super) fn part_with_manager(old: &Doc, new: &mut Doc) {
    let (had, has) = (mapping::manager(old), mapping::manager(new));
    let (address_before, address) = (own(old, "managerEmail"), own(new, "managerEmail"));
    if had.is_some() && has.is_none() && address == address_before {
        if let Some(own) = own_mut(new) {
            own.remove("managerEmail");
        }
    } else if had.is_some() && has == had && address_before.is_some() && address.is_none() {
        mapping::set_manager(new, None);
    }
}

/// The user with this address: the one who gets mail there, before others.
pub(super) fn holder_of(conn: &mut Conn, act: &Act, address: &str) -> Result<Option<String>> {
    let mut rows = roll::find_by_key(conn, act.tenant.id, address)?;
    rows.retain(|r| r.member.as_ref().is_some_and(|m| !m.state.is_hidden()));
    let same = |r: &&Row| r.member.as_ref().and_then(|m| m.mail.as_deref()).is_some_and(|m| fold(m) == address);
    Ok(rows.iter().find(same).or(rows.first()).map(|r| r.id.clone()))
}

/// Whether somebody would report to themselves, by however many steps.
pub(super) fn closes_cycle(conn: &mut Conn, act: &Act, id: &str, manager: Option<&str>) -> Result<bool> {
    /// No company is deeper; a longer chain is a cycle among others.
    const DEEPEST: usize = 100;
    let mut next = manager.map(str::to_owned);
    for _ in 0..DEEPEST {
        match next {
            None => return Ok(false),
            Some(above) if above == id => return Ok(true),
            Some(above) => next = roll::manager_of(conn, act.tenant.id, &above)?,
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_dates_are_dates() {
        assert_eq!(real_date("2024-02-29"), NaiveDate::from_ymd_opt(2024, 2, 29));
        for bad in ["2023-02-29", "2024-13-01", "2024-1-1", "24-01-01", "+024-01-01", "2024/01/01", "x"] {
            assert_eq!(real_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_begins_where_the_person_is() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let at = |zone: &str| midnight(day, zone.parse().unwrap());
        assert_eq!(at("UTC") - at("Australia/Melbourne"), 11 * 3_600_000_000);
        assert_eq!(at("America/Los_Angeles") - at("UTC"), 8 * 3_600_000_000);
        // Here the clocks went from 23:59 to 01:00.
        let skipped = NaiveDate::from_ymd_opt(2017, 10, 15).unwrap();
        let begins = chrono::DateTime::from_timestamp_micros(midnight(skipped, "America/Sao_Paulo".parse().unwrap())).unwrap();
        assert_eq!(begins.to_rfc3339(), "2017-10-15T03:00:00+00:00");
    }
}
