//! Claims: what an invitation's link or an access code opens, and opening it.
//!
//! A stranger is told nothing: a link that never was, one of somebody who does not know of an account yet, and one of
//! somebody who is gone are answered alike.

pub mod password;
pub mod throttle;

use super::audit::{self, Note};
use super::roll::{self, Act};
use super::vault::Vault;
use super::{codes, employment, letters, mapping, members, tokens};
use crate::domain::lifecycle::{Event, Link, Login, Refused};
use crate::domain::settings::PasswordRule;
use crate::domain::{Actor, State, Tenant};
use crate::error::{Error, Result};
use crate::scim::value::fold;
use crate::store::codes::Origin;
use crate::store::{self, Conn, Row, invitations, tenants};
pub use password::{Fault as PasswordFault, Secret};
use serde_json::Value;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use throttle::Throttle;

/// What claims need of the deployment.
#[derive(Clone)]
pub struct Door {
    pub vault: Arc<Vault>,
    /// What people see before `/claim`, without a slash at the end.
    pub origin: Arc<str>,
    pub throttle: Arc<Throttle>,
}

/// One visit of a claim page.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The visitor's IP address, for rate limits.
    pub address: String,
    pub request_id: String,
    /// Microseconds since the epoch.
    pub now: i64,
}

/// What a link or code opens.
#[derive(Debug, Clone)]
pub struct Welcome {
    pub organisation: String,
    /// May be empty.
    pub name: String,
    pub user_name: String,
    pub locale: String,
    pub login: LoginStep,
    /// Host name of where one goes afterwards.
    pub application: Option<String>,
    /// Help text or address of the tenant.
    pub support: Option<String>,
    /// Origin of where one goes afterwards, such as `https://app.example.com`.
    pub redirect_origin: Option<String>,
}

/// How the member will sign in later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    None,
    Password { required: bool, shortest: usize },
    Sso,
}

/// What a look finds.
#[derive(Debug, Clone)]
pub enum Seen {
    Open(Welcome),
    Used { organisation: String, application: Option<String> },
    Gone { organisation: String, support: Option<String> },
    Unknown,
    TooMany { seconds: u64 },
}

/// What came of a claim.
#[derive(Debug, Clone)]
pub enum Done {
    Claimed { redirect: Option<String>, organisation: String },
    Sso { redirect: String },
    Used { organisation: String, application: Option<String> },
    Gone { organisation: String, support: Option<String> },
    Unknown,
    TooMany { seconds: u64 },
    BadPassword(Welcome, password::Fault),
}

impl From<Seen> for Done {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Used { organisation, application } => Self::Used { organisation, application },
            Seen::Gone { organisation, support } => Self::Gone { organisation, support },
            Seen::TooMany { seconds } => Self::TooMany { seconds },
            Seen::Unknown | Seen::Open(_) => Self::Unknown,
        }
    }
}

/// Whom a link or code is for.
struct Found {
    tenant: Arc<Tenant>,
    row: Row,
    live: bool,
}

impl Found {
    fn act(&self, door: &Door, visit: &Visit) -> Act {
        let request_id = Some(visit.request_id.clone());
        Act { tenant: self.tenant.clone(), vault: door.vault.clone(), actor: Actor::Member, now: visit.now, request_id, ledger: None }
    }

    fn state(&self) -> State {
        self.row.member.as_ref().map_or(State::Absent, |m| m.state)
    }

    fn login(&self) -> Login {
        if employment::uses_sso(&self.row) { Login::Sso } else { Login::Password }
    }

    fn used(&self) -> Seen {
        Seen::Used { organisation: self.tenant.organisation().to_owned(), application: self.tenant.settings.application_url.clone() }
    }

    fn gone(&self) -> Seen {
        Seen::Gone { organisation: self.tenant.organisation().to_owned(), support: self.tenant.settings.support.clone() }
    }

    fn welcome(&self) -> Welcome {
        let (settings, doc) = (&self.tenant.settings, mapping::parsed(&self.row));
        let text = |key: &str| doc.get(key).and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
        let sso = self.login() == Login::Sso;
        let url = if sso { settings.sso_url.as_ref().or(settings.application_url.as_ref()) } else { settings.application_url.as_ref() };
        let login = match settings.password {
            _ if sso => LoginStep::Sso,
            PasswordRule::None => LoginStep::None,
            rule => LoginStep::Password { required: rule == PasswordRule::Required, shortest: usize::from(settings.password_length) },
        };
        Welcome {
            organisation: self.tenant.organisation().to_owned(),
            name: self.row.label.clone(),
            user_name: text("userName").unwrap_or_default(),
            locale: text("preferredLanguage").or_else(|| text("locale")).unwrap_or_else(|| settings.locale.clone()),
            login,
            application: url.and_then(|u| origin_of(u)).and_then(|o| o.split_once("://").map(|(_, host)| host.to_owned())),
            support: settings.support.clone(),
            redirect_origin: url.and_then(|u| origin_of(u)),
        }
    }
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.is_empty()).then(|| format!("{scheme}://{host}"))
}

fn by_link(conn: &mut Conn, visit: &Visit, token: &str, hold: bool) -> Result<Option<Found>> {
    let hash = tokens::hash(token);
    let Some(link) = invitations::find_by_hash(conn, &hash)? else { return Ok(None) };
    let same: bool = link.hash.as_bytes().ct_eq(hash.as_bytes()).into();
    if !same {
        return Ok(None);
    }
    found(conn, link.tenant, &link.person, link.is_live(visit.now), hold)
}

fn by_code(conn: &mut Conn, door: &Door, visit: &Visit, typed: &str, hold: bool) -> Result<Option<Found>> {
    let Some(code) = codes::typed(typed) else { return Ok(None) };
    let lookup = door.vault.code_lookup(&code);
    let Some(code) = store::codes::find_by_lookup(conn, &lookup)? else { return Ok(None) };
    let same: bool = code.lookup.as_bytes().ct_eq(lookup.as_bytes()).into();
    if !same {
        return Ok(None);
    }
    found(conn, code.tenant, &code.person, code.is_live(visit.now), hold)
}

fn found(conn: &mut Conn, tenant: crate::domain::TenantId, person: &str, live: bool, hold: bool) -> Result<Option<Found>> {
    let Some(tenant) = tenants::get(conn, tenant)? else { return Ok(None) };
    let row = if hold { store::roll::lock_person(conn, tenant.id, person)? } else { store::roll::find_person(conn, tenant.id, person)? };
    let Some(row) = row else { return Ok(None) };
    // Where a domain is no longer trusted or the tenant is suspended, invitations rest.
    let suspended = tenant.suspended.is_some();
    let trusted = row.member.as_ref().and_then(|m| m.mail.as_deref()).is_none_or(|a| tenant.settings.trusts(a));
    Ok(Some(Found { tenant: Arc::new(tenant), row, live: live && trusted && !suspended }))
}

/// What a link opens. Changes nothing, however often it is asked.
///
/// # Errors
/// When the database fails.
pub fn look(conn: &mut Conn, visit: &Visit, token: &str) -> Result<Seen> {
    let Some(found) = by_link(conn, visit, token, false)? else { return Ok(Seen::Unknown) };
    Ok(match found.state() {
        State::Invited if found.live => Seen::Open(found.welcome()),
        State::Invited => found.gone(),
        State::Claimed => found.used(),
        State::Absent | State::Uninvited | State::Quarantined { .. } | State::Deprovisioned => Seen::Unknown,
    })
}

/// Claims by a link.
///
/// # Errors
/// When the database fails.
pub fn claim(conn: &mut Conn, door: &Door, visit: &Visit, token: &str, secret: Option<&Secret>) -> Result<Done> {
    let Some(found) = by_link(conn, visit, token, true)? else { return Ok(Done::Unknown) };
    let link = if found.live { Link::Live } else { Link::Dead };
    let act = found.act(door, visit);
    match finish(conn, door, &act, &found, Event::ClaimLink(link, found.login()), secret) {
        Err(Error::Roll(why)) => refused(conn, &act, &found, why),
        done => done,
    }
}

/// The answer to a claim that the lifecycle forbids; it is written into the history.
fn refused(conn: &mut Conn, act: &Act, found: &Found, why: Refused) -> Result<Done> {
    if why == Refused::UseSso {
        let settings = &found.tenant.settings;
        return Ok(match settings.sso_url.as_ref().or(settings.application_url.as_ref()) {
            Some(url) => Done::Sso { redirect: url.clone() },
            None => found.gone().into(),
        });
    }
    if let Some(member) = found.row.member.as_deref() {
        audit::remark(conn, act, member, "claim_refused", &Note::because(why.to_string()))?;
    }
    Ok(match why {
        Refused::Used => found.used().into(),
        Refused::Gone => found.gone().into(),
        _ => Done::Unknown,
    })
}

/// One conditional write: of several at the same time, one gets through.
fn finish(conn: &mut Conn, door: &Door, act: &Act, found: &Found, event: Event, secret: Option<&Secret>) -> Result<Done> {
    let member = found.row.member.as_deref().ok_or(Refused::Neutral)?;
    let decided = roll::decide(act, member, event)?;
    let welcome = found.welcome();
    if let LoginStep::Password { required, shortest } = welcome.login {
        match secret {
            Some(secret) => {
                if let Some(fault) = secret.fault(shortest, &[&welcome.user_name, &welcome.organisation]) {
                    return Ok(Done::BadPassword(welcome, fault));
                }
            }
            None if required => return Ok(Done::BadPassword(welcome, password::Fault::Missing)),
            None => {}
        }
        if let Some(secret) = secret {
            store::codes::set_password(conn, act.tenant.id, &member.person, secret.hash(), Origin::Claim, act.now)?;
        }
    }
    roll::carry_out(conn, act, &decided, Some(&found.row), &Note::default())?;
    roll::save(conn, act, &found.row, None, &decided.after)?;
    let redirect = match &found.tenant.settings.application_url {
        Some(url) => Some(with_token(
            url,
            &tokens::claim_token(conn, &door.origin, &found.tenant, &found.row, &origin_of(url).unwrap_or_default(), act.now)?,
        )),
        None => None,
    };
    Ok(Done::Claimed { redirect, organisation: welcome.organisation })
}

fn with_token(url: &str, token: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}rollbook_token={token}")
}

/// What a code opens. Uses nothing up, but counts against whoever guesses.
///
/// # Errors
/// When the database fails.
pub fn look_code(conn: &mut Conn, door: &Door, visit: &Visit, code: &str) -> Result<Seen> {
    if let Some(seconds) = door.throttle.refuses(&visit.address, visit.now) {
        return Ok(Seen::TooMany { seconds });
    }
    let found = by_code(conn, door, visit, code, false)?;
    if let Some(found) = found.filter(|f| f.live && matches!(f.state(), State::Invited | State::Claimed)) {
        return Ok(Seen::Open(found.welcome()));
    }
    door.throttle.failed(&visit.address, visit.now);
    Ok(Seen::Unknown)
}

/// Claims by a code; of a claimed account it sets a new password, and the admins hear of it.
///
/// # Errors
/// When the database fails.
pub fn claim_code(conn: &mut Conn, door: &Door, visit: &Visit, code: &str, secret: Option<&Secret>) -> Result<Done> {
    if let Some(seconds) = door.throttle.refuses(&visit.address, visit.now) {
        return Ok(Done::TooMany { seconds });
    }
    let Some(found) = by_code(conn, door, visit, code, true)?.filter(|f| f.live) else {
        door.throttle.failed(&visit.address, visit.now);
        return Ok(Done::Unknown);
    };
    let act = found.act(door, visit);
    if found.login() == Login::Sso {
        return refused(conn, &act, &found, Refused::UseSso);
    }
    let recovery = found.state() == State::Claimed;
    match finish(conn, door, &act, &found, Event::ClaimCode, secret) {
        Err(Error::Roll(why)) => {
            door.throttle.failed(&visit.address, visit.now);
            refused(conn, &act, &found, why)
        }
        Ok(done @ Done::Claimed { .. }) if recovery => {
            let person = found.row.member.as_ref().map(|m| m.person.as_str());
            letters::enqueue_for_admins(conn, &act, letters::Kind::Recovered, person, None)?;
            Ok(done)
        }
        done => done,
    }
}

/// Claims for somebody whom single sign-on has vouched for; a member who is claimed already simply signs in. `None` when
/// the person must be kept out: that is written into the history and told nobody else.
///
/// # Errors
/// When the database fails.
pub fn by_sso(conn: &mut Conn, act: &Act, user_name: &str) -> Result<Option<State>> {
    match store::roll::lock_named(conn, act.tenant.id, &fold(user_name))? {
        Some(row) => vouched_for(conn, act, &row),
        None => Ok(None),
    }
}

/// As [`by_sso`], for a member who is known already, by its id for example.
///
/// # Errors
/// When there is no such member.
pub fn by_sso_of(conn: &mut Conn, act: &Act, key: &str) -> Result<Option<State>> {
    let row = members::named(conn, act, key)?;
    vouched_for(conn, act, &row)
}

fn vouched_for(conn: &mut Conn, act: &Act, row: &Row) -> Result<Option<State>> {
    let Some(member) = row.member.as_deref() else { return Ok(None) };
    let trusted = member.mail.as_deref().is_none_or(|a| act.tenant.settings.trusts(a));
    let decided = if trusted { roll::decide(act, member, Event::ClaimSso) } else { Err(Refused::Denied) };
    match decided {
        Err(why) => {
            audit::remark(conn, act, member, "login_refused", &Note::because(why.to_string()))?;
            Ok(None)
        }
        Ok(decided) if !decided.changes() => {
            audit::remark(conn, act, member, "login", &Note::default())?;
            Ok(Some(member.state))
        }
        Ok(decided) => {
            roll::carry_out(conn, act, &decided, Some(row), &Note::default())?;
            Ok(roll::save(conn, act, row, None, &decided.after)?.member.map(|m| m.state))
        }
    }
}
