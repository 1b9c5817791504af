//! Access codes: for people without an e-mail address, and for those who have lost their way in.

use super::audit::{self, Note};
use super::members;
use super::roll::{self, Act};
use crate::domain::lifecycle::{End, Event, Refused};
use crate::domain::settings::DAY;
use crate::domain::{Member, State, new_id};
use crate::error::{Error, Result};
use crate::store::codes::{self, Code};
use crate::store::{self, Conn, Row};

/// Letters that nobody takes for another, nor for a digit.
const ALPHABET: &[u8; 23] = b"ABCDEFGHJKMNPQRSTUVWXYZ";
const LENGTH: usize = 16;

/// A new code, each letter as likely as the other.
fn random() -> String {
    let mut code = String::with_capacity(LENGTH);
    while code.len() < LENGTH {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).unwrap_or_else(|_| unreachable!("the system has no randomness"));
        // 253 is the greatest multiple of 23 in a byte.
        let letters = bytes.iter().filter(|b| **b < 253).filter_map(|b| ALPHABET.get(usize::from(*b) % ALPHABET.len()));
        code.extend(letters.take(LENGTH - code.len()).map(|b| char::from(*b)));
    }
    code
}

/// The code as people read it: four groups of four.
#[must_use]
pub fn grouped(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    letters.chunks(4).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// The code that somebody typed, whatever its case and separators; `None` when it can be none.
#[must_use]
pub fn typed(text: &str) -> Option<String> {
    let code: String = text.chars().filter(|c| !c.is_whitespace() && !"-–—_.·".contains(*c)).map(|c| c.to_ascii_uppercase()).collect();
    (code.len() == LENGTH && code.bytes().all(|b| ALPHABET.contains(&b))).then_some(code)
}

/// Gives a member a new code; the old one is dead.
pub(super) fn renew(conn: &mut Conn, act: &Act, member: &Member) -> std::result::Result<(), store::Error> {
    let tenant = act.tenant.id;
    codes::end(conn, tenant, &member.person, End::Superseded.as_str(), act.now)?;
    let (id, code) = (new_id(), random());
    let code = Code {
        lookup: act.vault.code_lookup(&code),
        sealed: Some(act.vault.seal_code(tenant, &id, &code)),
        id,
        tenant,
        person: member.person.clone(),
        state: "live".to_owned(),
        created_at: act.now,
        expires_at: act.now + i64::from(act.tenant.settings.code_days) * DAY,
        ended_at: None,
    };
    codes::insert(conn, &code)
}

/// A code that can be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// The SCIM id of the member.
    pub id: String,
    pub name: String,
    pub employee: Option<String>,
    /// In four groups of four.
    pub code: String,
    /// Microseconds since the epoch.
    pub expires_at: i64,
}

/// Issues a code to a member: for somebody without an address who is not in yet, or for recovery. It is read at once.
///
/// # Errors
/// When there is no such member, or the member's state forbids it.
pub fn issue(conn: &mut Conn, act: &Act, key: &str) -> Result<Slip> {
    let row = new_code(conn, act, key)?;
    slip(conn, act, &row)?.ok_or(Error::Roll(Refused::NotInvited))
}

/// As [`issue`], for whoever may read it, and for whoever may not; then there is nothing to read.
///
/// # Errors
/// As [`issue`].
pub fn issue_for(conn: &mut Conn, act: &Act, key: &str, readable: bool) -> Result<Option<String>> {
    if readable {
        return Ok(Some(issue(conn, act, key)?.code));
    }
    new_code(conn, act, key).map(|_| None)
}

fn new_code(conn: &mut Conn, act: &Act, key: &str) -> Result<Row> {
    let row = members::named(conn, act, key)?;
    let member = members::member(&row)?;
    roll::happen(conn, act, &row, Event::IssueCode { has_email: member.mail.is_some() }, &Note::default())
}

/// The live code of a member, once more. Reading it is written into the history.
///
/// # Errors
/// When there is no such member, or no live code.
pub fn show(conn: &mut Conn, act: &Act, key: &str) -> Result<Slip> {
    let row = members::named(conn, act, key)?;
    let slip = slip(conn, act, &row)?;
    slip.ok_or_else(|| none(&row))
}

/// The slip of a member with a live code; that it was read is written into the history.
pub(super) fn slip(conn: &mut Conn, act: &Act, row: &Row) -> Result<Option<Slip>> {
    let Some(member) = row.member.as_deref() else { return Ok(None) };
    let Some(code) = codes::live(conn, act.tenant.id, &member.person)?.filter(|c| c.is_live(act.now)) else { return Ok(None) };
    open(conn, act, row, member, &code)
}

fn open(conn: &mut Conn, act: &Act, row: &Row, member: &Member, code: &Code) -> Result<Option<Slip>> {
    let Some(sealed) = &code.sealed else { return Ok(None) };
    let plain = act.vault.open_code(act.tenant.id, &code.id, sealed)?;
    audit::remark(conn, act, member, "code_read", &Note::default())?;
    let employee = super::employment::number(row);
    Ok(Some(Slip { id: row.id.clone(), name: row.label.clone(), employee, code: grouped(&plain), expires_at: code.expires_at }))
}

/// Every live code of a tenant, by the order of the members. Each reading is written into its member's history.
///
/// # Errors
/// When the database fails.
pub fn export(conn: &mut Conn, act: &Act) -> Result<Vec<Slip>> {
    let mut slips = Vec::new();
    for code in codes::all_live(conn, act.tenant.id, act.now)? {
        slips.extend(of(conn, act, &code)?);
    }
    Ok(slips)
}

/// The live codes of a tenant in the order of the members' permanent ids, after `after`, each with that id. Each reading is
/// written into its member's history.
///
/// # Errors
/// When the database fails.
pub fn page(conn: &mut Conn, act: &Act, after: &str, limit: i64) -> Result<Vec<(String, Option<Slip>)>> {
    let mut slips = Vec::new();
    for code in codes::page(conn, act.tenant.id, after, act.now, limit)? {
        slips.push((code.person.clone(), of(conn, act, &code)?));
    }
    Ok(slips)
}

fn of(conn: &mut Conn, act: &Act, code: &Code) -> Result<Option<Slip>> {
    let Some(row) = store::roll::lock_person(conn, act.tenant.id, &code.person)? else { return Ok(None) };
    match row.member.as_deref().filter(|m| matches!(m.state, State::Invited | State::Claimed)) {
        Some(member) => open(conn, act, &row, member, code),
        None => Ok(None),
    }
}

/// Revokes the live code of a member.
///
/// # Errors
/// When there is no such member, or no live code.
pub fn revoke(conn: &mut Conn, act: &Act, key: &str) -> Result<()> {
    let row = members::named(conn, act, key)?;
    let member = members::member(&row)?;
    if !codes::end(conn, act.tenant.id, &member.person, End::Revoked.as_str(), act.now)? {
        return Err(none(&row));
    }
    audit::remark(conn, act, member, "code_revoked", &Note::default())
}

fn none(row: &Row) -> Error {
    Error::missing("code", format!("{} has no live access code", row.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_letters_that_nobody_mistakes() {
        let code = random();
        assert_eq!(code.len(), 16);
        assert!(!code.contains(['I', 'L', 'O']) && code.chars().all(|c| c.is_ascii_uppercase()), "{code}");
        assert_ne!(code, random());
        let mut seen: Vec<char> = (0..200).flat_map(|_| random().chars().collect::<Vec<_>>()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 23, "every letter occurs");
    }

    #[test]
    fn codes_are_read_however_they_are_typed() {
        assert_eq!(grouped("ABCDEFGHJKMNPQRS"), "ABCD-EFGH-JKMN-PQRS");
        for text in ["ABCD-EFGH-JKMN-PQRS", "abcdefghjkmnpqrs", " abcd efgh\tjkmn_pqrs "] {
            assert_eq!(typed(text).as_deref(), Some("ABCDEFGHJKMNPQRS"), "{text}");
        }
        for text in ["", "ABCD", "ABCDEFGHJKMNPQRI", "ABCDEFGHJKMNPQR1", "ABCDEFGHJKMNPQRSS", "ÄBCDEFGHJKMNPQRS"] {
            assert_eq!(typed(text), None, "{text}");
        }
    }
}
