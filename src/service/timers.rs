//! What the clock brings about. Every function does a few things in one transaction and says how many; none of them takes
//! input, and any of them may run again, or on several servers at once.

use super::audit::{self, Note};
use super::letters::{self, AHEAD, Detail};
use super::purge::{self, Step};
use super::roll::{self, Act};
use super::vault::Vault;
use super::{employment, members};
use crate::domain::lifecycle::{End, Event};
use crate::domain::settings::DAY;
use crate::domain::{Actor, Hold, Member, Reason, Source, State, TenantId, new_id};
use crate::error::{Error, Result};
use crate::store::due::Due;
use crate::store::purge::Freeze;
use crate::store::{self, Conn, Kind, Row, codes, counts, invitations, tenants};
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of one transaction.
const AT_ONCE: i64 = 50;
/// The time in which deactivations are counted together.
const WINDOW: i64 = 3600 * 1_000_000;

/// The clock, with what it needs.
pub struct Clockwork {
    pub vault: Arc<Vault>,
    pub now: i64,
}

impl Clockwork {
    pub(super) fn act(&self, conn: &mut Conn, tenant: TenantId, name: &'static str) -> Result<Option<Act>> {
        let tenant = tenants::get(conn, tenant)?;
        let act = |tenant| Act {
            tenant: Arc::new(tenant),
            vault: self.vault.clone(),
            actor: Actor::Timer(name),
            now: self.now,
            request_id: None,
            ledger: None,
        };
        Ok(tenant.map(act))
    }

    fn member(&self, conn: &mut Conn, tenant: TenantId, person: &str, name: &'static str) -> Result<Option<(Act, Row)>> {
        let Some(act) = self.act(conn, tenant, name)? else { return Ok(None) };
        Ok(store::roll::lock_person(conn, tenant, person)?.map(|row| (act, row)))
    }

    /// Links and codes that have run out.
    ///
    /// # Errors
    /// When the database fails.
    pub fn expire(&self, conn: &mut Conn) -> Result<usize> {
        let links = invitations::to_expire(conn, self.now, AT_ONCE)?;
        for link in &links {
            let found = self.member(conn, link.tenant, &link.person, "invitation expiry")?;
            if let Some((act, row)) = found {
                roll::happen(conn, &act, &row, Event::InvitationExpired, &Note::default())?;
            }
            // Of a member who is no longer invited no live link should be left; if one is, it must not come up again.
            invitations::end(conn, link.tenant, &link.person, End::Expired.as_str(), self.now)?;
        }
        let old = codes::to_expire(conn, self.now, AT_ONCE)?;
        for code in &old {
            codes::end(conn, code.tenant, &code.person, End::Expired.as_str(), self.now)?;
            if let Some((act, row)) = self.member(conn, code.tenant, &code.person, "code expiry")? {
                audit::remark(conn, &act, members::member(&row)?, "code_expired", &Note::default())?;
            }
        }
        Ok(links.len() + old.len())
    }

    /// Reminders that are due.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remind(&self, conn: &mut Conn) -> Result<usize> {
        let due = invitations::to_remind(conn, self.now, AT_ONCE)?;
        for link in &due {
            let found = self.member(conn, link.tenant, &link.person, "reminder")?;
            let invited = found.filter(|(_, row)| row.member.as_ref().is_some_and(|m| m.state == State::Invited));
            match invited {
                Some((act, row)) if link.is_live(self.now) => {
                    roll::happen(conn, &act, &row, Event::AutoRemind, &Note::default()).map(drop)?;
                }
                _ => invitations::reminded(conn, link.tenant, &link.person, None)?,
            }
        }
        Ok(due.len())
    }

    /// Termination dates that have come.
    ///
    /// # Errors
    /// When the database fails.
    pub fn terminate(&self, conn: &mut Conn) -> Result<usize> {
        let due = store::due::due(conn, Due::Termination, self.now, AT_ONCE)?;
        for (tenant, person) in &due {
            let Some((act, mut row)) = self.member(conn, *tenant, person, "termination date")? else { continue };
            let Some(member) = row.member.as_deref_mut() else { continue };
            member.terminates_at = None;
            let member = member.clone();
            match roll::guard_last_admin(conn, &act, &member) {
                Err(Error::Scim(why)) => {
                    // Looked at again tomorrow; meanwhile somebody else may have become an admin.
                    let member = Member { terminates_at: Some(self.now + DAY), ..member };
                    audit::remark(conn, &act, &member, "termination_refused", &Note::because(why.detail))?;
                    roll::save(conn, &act, &row, None, &member)?;
                }
                guarded => {
                    guarded?;
                    let hold = Hold { source: Source::Scim, reason: Reason::Terminated, since: self.now };
                    let row = roll::happen(conn, &act, &row, Event::Deactivate(hold), &Note::because("the termination date has come"))?;
                    // A hold that was there already changes nothing but the date.
                    if row.member.as_deref() == Some(&member) {
                        roll::save(conn, &act, &row, None, &member)?;
                    }
                }
            }
        }
        Ok(due.len())
    }

    /// Managers whose address somebody has by now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn bind_managers(&self, conn: &mut Conn) -> Result<usize> {
        let found = store::due::resolvable(conn, AT_ONCE)?;
        let mut bound = 0;
        for (tenant, person, _) in &found {
            let Some((act, row)) = self.member(conn, *tenant, person, "manager look-up")? else { continue };
            let Some(member) = row.member.as_deref() else { continue };
            let Some(address) = member.manager_ref.clone() else { continue };
            let Some(manager) = employment::holder_of(conn, &act, &address)? else { continue };
            bound += 1;
            if employment::closes_cycle(conn, &act, &row.id, Some(&manager))? {
                let after = Member { manager_ref: None, ..member.clone() };
                let why = "manager_cycle: the manager reports to this person, so that it was not stored";
                audit::remark(conn, &act, &after, "warning", &Note::because(why))?;
                roll::save(conn, &act, &row, None, &after)?;
            } else {
                audit::remark(conn, &act, member, "manager_found", &Note::default())?;
                roll::set_manager(conn, &act, &row, &manager)?;
            }
        }
        Ok(bound)
    }

    /// One step of one anonymisation; whether there was any.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sweep(&self, conn: &mut Conn) -> Result<bool> {
        let Some((tenant, person)) = store::due::due(conn, Due::Purge, self.now, 1)?.pop() else { return Ok(false) };
        let Some(act) = self.act(conn, tenant, "sweep")? else { return Ok(false) };
        let step = purge::next_step(conn, &act, &person)?;
        if step == Some(Step::PurgeCopies) {
            log::info!("tenant={} person={person} anonymised", act.tenant.name);
        }
        Ok(step.is_some())
    }

    /// Tells admins who will be anonymised soon; of whom they were told now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn announce(&self, conn: &mut Conn) -> Result<usize> {
        let due = store::due::to_announce(conn, self.now + AHEAD, AT_ONCE)?;
        let mut acts: HashMap<TenantId, Option<Act>> = HashMap::new();
        for (tenant, person) in &due {
            let Some((act, row)) = self.member(conn, *tenant, person, "digest")? else { continue };
            store::due::announced(conn, *tenant, &row.id, self.now)?;
            let told = members::announces(act.tenant.settings.quarantine_days);
            acts.entry(*tenant).or_insert_with(|| told.then_some(act));
        }
        for act in acts.into_values().flatten() {
            letters::enqueue_for_admins(conn, &act, letters::Kind::Digest, None, None)?;
        }
        Ok(due.len())
    }

    /// The tenants in which unusually many were deactivated within the hour. Only reads, and may read much.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unusual(&self, conn: &mut Conn) -> Result<Vec<Unusual>> {
        let mut found = Vec::new();
        for (tenant, gone, hidden, first) in store::due::quarantined_since(conn, self.now - WINDOW)? {
            let base = counts::total(conn, tenant, &[Kind::User])? + hidden;
            if is_unusual(gone, base) {
                found.push(Unusual { tenant, gone, base, first });
            }
        }
        Ok(found)
    }

    /// Keeps those from being anonymised until an admin has looked. Access ended when they were deactivated; that is never
    /// held up.
    ///
    /// # Errors
    /// When the database fails.
    pub fn freeze(&self, conn: &mut Conn, found: &[Unusual]) -> Result<()> {
        for u in found {
            let known = store::purge::freezes(conn, u.tenant)?;
            // What an admin has confirmed stays confirmed for the hour in which it lies.
            match known.iter().find(|f| f.to_at >= u.first) {
                Some(f) if f.confirmed_at.is_none() && f.members != u.gone => {
                    store::purge::extend_freeze(conn, u.tenant, &f.id, self.now, u.gone.max(f.members))?;
                }
                Some(_) => {}
                None => {
                    if let Some(act) = self.act(conn, u.tenant, "freeze")? {
                        open_freeze(conn, &act, u)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A tenant in which unusually many were deactivated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusual {
    tenant: TenantId,
    /// How many, of how many.
    gone: i64,
    base: i64,
    /// When the first of them was; microseconds since the epoch.
    first: i64,
}

fn open_freeze(conn: &mut Conn, act: &Act, &Unusual { gone, base, first, .. }: &Unusual) -> Result<()> {
    let freeze = Freeze {
        id: new_id(),
        from_at: first,
        to_at: act.now,
        members: gone,
        base,
        opened_at: act.now,
        confirmed_at: None,
        confirmed_by: None,
    };
    log::warn!(
        "tenant={} {gone} of {base} members were deactivated within an hour: nobody of them is anonymised before an admin confirms it",
        act.tenant.name
    );
    store::purge::open_freeze(conn, act.tenant.id, &freeze)?;
    letters::enqueue_for_admins(conn, act, letters::Kind::Frozen, None, Some(&Detail { count: gone, base, ..Detail::default() }))
}

/// More than a tenth, and more than ten; of few people, more than half, and at least three.
fn is_unusual(gone: i64, base: i64) -> bool {
    if base < 10 {
        return gone >= 3 && gone * 2 > base;
    }
    gone > 10.max(base / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unusual() {
        for (gone, base) in [(3, 5), (9, 9), (11, 10), (11, 50), (101, 1000)] {
            assert!(is_unusual(gone, base), "{gone} of {base}");
        }
        for (gone, base) in [(2, 2), (3, 9), (10, 12), (10, 50), (100, 1000)] {
            assert!(!is_unusual(gone, base), "{gone} of {base}");
        }
    }
}
