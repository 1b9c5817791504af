//! The roll: the part of a user's row that the lifecycle is about.
//!
//! A quarantined user whom no identity provider sees has a kind of its own, and so has what is left after anonymisation;
//! no query of a client reads those.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::resources::{self, Record, Row, Tuple as RowTuple, Types as RowTypes};
use super::sql::Sql;
use crate::domain::{Hold, Member, Stage, State, TenantId};
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};

const VISIBLE: i16 = 1;
const HIDDEN: i16 = 3;
const FORMER: i16 = 4;

/// The columns of a [`Member`], of the table under the alias `r`.
pub(super) const COLUMNS: &str = "r.person, r.state, r.prior, r.ever_claimed, r.holds, r.quarantined_at, r.purge_at, r.warned_at, \
     r.invited, r.invited_at, r.claimed_at, r.generation, r.legal_hold, r.employee_key, r.terminates_at, r.location_raw, r.manager_ref, \
     r.admin, r.mail";

type Time = Nullable<BigInt>;
type Word = Nullable<Text>;
pub(super) type Types = (
    Word,
    Nullable<SmallInt>,
    Nullable<SmallInt>,
    Nullable<Bool>,
    Word,
    Time,
    Time,
    Time,
    Nullable<Bool>,
    Time,
    Time,
    Time,
    Word,
    Word,
    Time,
    Word,
    Word,
    Nullable<Bool>,
    Word,
);
pub(super) type Tuple = (
    Option<String>,
    Option<i16>,
    Option<i16>,
    Option<bool>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<bool>,
    Option<String>,
);

/// The member in a row; `None` for a group.
pub(super) fn member(id: &str, kind: i16, t: Tuple) -> Option<Member> {
    let state = state(t.1?, t.2, kind);
    Some(Member {
        person: t.0?,
        id: id.to_owned(),
        state,
        ever_claimed: t.3.unwrap_or(false),
        holds: t.4.as_deref().map(holds).unwrap_or_default(),
        quarantined_at: t.5,
        purge_at: t.6,
        warned_at: t.7,
        invited: t.8,
        invited_at: t.9,
        claimed_at: t.10,
        generation: t.11.unwrap_or(0),
        legal_hold: t.12,
        employee_key: t.13,
        terminates_at: t.14,
        location: t.15,
        manager_ref: t.16,
        admin: t.17.unwrap_or(false),
        mail: t.18,
    })
}

fn state(code: i16, prior: Option<i16>, kind: i16) -> State {
    let stage = |code| match code {
        3 => Stage::Claimed,
        2 => Stage::Invited,
        _ => Stage::Uninvited,
    };
    match code {
        5 => State::Deprovisioned,
        4 => State::Quarantined { prior: stage(prior.unwrap_or(1)), hidden: kind == HIDDEN },
        other => stage(other).into(),
    }
}

/// The number of a state without quarantine.
#[must_use]
pub fn stage_code(stage: Stage) -> i16 {
    match stage {
        Stage::Uninvited => 1,
        Stage::Invited => 2,
        Stage::Claimed => 3,
    }
}

/// The numbers of a state, and of the one before a quarantine.
fn codes(state: State) -> (i16, Option<i16>) {
    match state {
        State::Absent | State::Uninvited => (stage_code(Stage::Uninvited), None),
        State::Invited => (stage_code(Stage::Invited), None),
        State::Claimed => (stage_code(Stage::Claimed), None),
        State::Quarantined { prior, .. } => (4, Some(stage_code(prior))),
        State::Deprovisioned => (5, None),
    }
}

pub(super) fn kind_of(state: State) -> i16 {
    match state {
        State::Deprovisioned => FORMER,
        State::Quarantined { hidden: true, .. } => HIDDEN,
        State::Absent | State::Uninvited | State::Invited | State::Claimed | State::Quarantined { hidden: false, .. } => VISIBLE,
    }
}

fn holds(text: &str) -> Vec<Hold> {
    serde_json::from_str(text).unwrap_or_default()
}

fn holds_text(member: &Member) -> Option<String> {
    (!member.holds.is_empty()).then(|| serde_json::to_string(&member.holds).unwrap_or_default())
}

/// Adds a user with its place in the roll; whether it was added. It is not when its name is taken, or, with `wary`, when a
/// member that no identity provider sees has the same externalId or employee id: then somebody must look closer.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut Conn, tenant: TenantId, record: &Record, member: &Member, wary: bool, now: i64) -> Result<bool, Error> {
    let (state, prior) = codes(member.state);
    let holds = holds_text(member);
    let head = Sql::new("INSERT INTO resources (").sql(resources::INSERTED).sql(
        ", person, state, prior, ever_claimed, holds, quarantined_at, purge_at, invited, invited_at, generation, employee_key, \
         terminates_at, location_raw, manager_ref, admin, mail) SELECT ",
    );
    let mut sql = resources::inserted(conn, head, tenant, kind_of(member.state), &member.id, record, now)
        .sql(", ")
        .text(member.person.as_str())
        .sql(", ")
        .small(state)
        .sql(", ")
        .maybe_small(prior)
        .sql(", ")
        .bool(member.ever_claimed)
        .sql(", ")
        .maybe_text(holds.as_deref())
        .sql(", ")
        .maybe_big(member.quarantined_at)
        .sql(", ")
        .maybe_big(member.purge_at)
        .sql(", ")
        .maybe_bool(member.invited)
        .sql(", ")
        .maybe_big(member.invited_at)
        .sql(", ")
        .big(member.generation)
        .sql(", ")
        .maybe_text(member.employee_key.as_deref())
        .sql(", ")
        .maybe_big(member.terminates_at)
        .sql(", ")
        .maybe_text(member.location.as_deref())
        .sql(", ")
        .maybe_text(member.manager_ref.as_deref())
        .sql(", ")
        .bool(member.admin)
        .sql(", ")
        .maybe_text(member.mail.as_deref())
        .sql(" WHERE (1 = 1)");
    for (column, key) in [("external_id", &record.external_id), ("employee_key", &member.employee_key)] {
        if let Some(key) = key.as_ref().filter(|_| wary) {
            sql = sql.sql(" AND NOT EXISTS (SELECT 1 FROM resources h WHERE h.tenant_id = ").big(tenant.0);
            sql = sql.sql(" AND h.kind = 3 AND h.").sql(column).sql(" = ").text(key.as_str()).sql(")");
        }
    }
    Ok(sql.sql(" ON CONFLICT DO NOTHING").run(conn)? == 1)
}

/// Stores a member, and with it the resource where that has changed too; whether the version was still the expected one.
///
/// # Errors
/// [`Error::Duplicate`] when a new name is taken.
pub fn save(conn: &mut Conn, tenant: TenantId, row: &Row, record: Option<&Record>, member: &Member, now: i64) -> Result<bool, Error> {
    let holds = holds_text(member);
    let mut sql = resources::touch(now);
    if let Some(record) = record {
        sql = resources::set_record(conn, sql, record);
    }
    // A name that nobody sees is free for others.
    if member.state.is_hidden() {
        sql = sql.sql(if record.is_some() { "" } else { ", unique_key = NULL" });
    }
    let sql = resources::as_expected(set_member(sql, member, holds.as_deref()), tenant, row);
    Ok(sql.run(conn)? == 1)
}

fn set_member<'a>(sql: Sql<'a>, member: &'a Member, holds: Option<&'a str>) -> Sql<'a> {
    let (state, prior) = codes(member.state);
    sql.sql(", kind = ")
        .small(kind_of(member.state))
        .sql(", id = ")
        .text(member.id.as_str())
        .sql(", state = ")
        .small(state)
        .sql(", prior = ")
        .maybe_small(prior)
        .sql(", ever_claimed = ")
        .bool(member.ever_claimed)
        .sql(", holds = ")
        .maybe_text(holds)
        .sql(", quarantined_at = ")
        .maybe_big(member.quarantined_at)
        .sql(", purge_at = ")
        .maybe_big(member.purge_at)
        .sql(", warned_at = ")
        .maybe_big(member.warned_at)
        .sql(", invited = ")
        .maybe_bool(member.invited)
        .sql(", invited_at = ")
        .maybe_big(member.invited_at)
        .sql(", claimed_at = ")
        .maybe_big(member.claimed_at)
        .sql(", generation = ")
        .big(member.generation)
        .sql(", legal_hold = ")
        .maybe_text(member.legal_hold.as_deref())
        .sql(", employee_key = ")
        .maybe_text(member.employee_key.as_deref())
        .sql(", terminates_at = ")
        .maybe_big(member.terminates_at)
        .sql(", location_raw = ")
        .maybe_text(member.location.as_deref())
        .sql(", manager_ref = ")
        .maybe_text(member.manager_ref.as_deref())
        .sql(", admin = ")
        .bool(member.admin)
        .sql(", mail = ")
        .maybe_text(member.mail.as_deref())
}

fn locked(conn: &Conn, sql: Sql<'static>) -> Sql<'static> {
    if conn.dialect() == Dialect::Postgres { sql.sql(" FOR UPDATE") } else { sql }
}

pub(super) fn of_tenant(tenant: TenantId) -> Sql<'static> {
    resources::select().sql(" FROM resources r WHERE r.tenant_id = ").big(tenant.0)
}

/// The member with that SCIM id, seen by identity providers or not, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn lock(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Row>, Error> {
    let sql = locked(conn, of_tenant(tenant).sql(" AND r.kind IN (1, 3, 4) AND r.id = ").text(id.to_owned()));
    resources::one(conn, sql, id)
}

/// The member that is this person, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn lock_person(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<Row>, Error> {
    // Nearly everybody still has the id that it came with.
    let row = lock(conn, tenant, person)?;
    if row.is_some() {
        return Ok(row);
    }
    let sql = of_tenant(tenant).sql(" AND r.person = ").text(person.to_owned()).sql(" AND r.person <> r.id");
    let sql = locked(conn, sql);
    resources::one(conn, sql, person)
}

/// The member that is this person, for looking at.
///
/// # Errors
/// When the database fails.
pub fn find_person(conn: &mut Conn, tenant: TenantId, person: &str) -> Result<Option<Row>, Error> {
    let row = find(conn, tenant, person)?;
    if row.is_some() {
        return Ok(row);
    }
    resources::one(conn, of_tenant(tenant).sql(" AND r.person = ").text(person.to_owned()).sql(" AND r.person <> r.id"), person)
}

/// The member with that SCIM id, seen by identity providers or not, for looking at.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<Row>, Error> {
    resources::one(conn, of_tenant(tenant).sql(" AND r.kind IN (1, 3, 4) AND r.id = ").text(id.to_owned()), id)
}

/// The user whom identity providers see under that name, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn lock_named(conn: &mut Conn, tenant: TenantId, unique_key: &str) -> Result<Option<Row>, Error> {
    let sql = locked(conn, of_tenant(tenant).sql(" AND r.kind = 1 AND r.unique_key = ").text(unique_key.to_owned()));
    resources::one(conn, sql, unique_key)
}

/// Members that no identity provider sees and that have this externalId or this employee id.
///
/// # Errors
/// When the database fails.
pub fn hidden_like(conn: &mut Conn, tenant: TenantId, external_id: Option<&str>, employee: Option<&str>) -> Result<Vec<Row>, Error> {
    let mut found = Vec::new();
    for (column, key) in [(" AND r.external_id = ", external_id), (" AND r.employee_key = ", employee)] {
        let Some(key) = key else { continue };
        let sql = locked(conn, of_tenant(tenant).sql(" AND r.kind = 3").sql(column).text(key.to_owned()));
        let rows: Vec<RowTuple> = sql.load::<RowTypes, _>(conn)?;
        found.extend(rows.into_iter().map(Row::from));
    }
    Ok(found)
}

/// Members by userName or address, however they are to be seen; for people who look somebody up.
///
/// # Errors
/// When the database fails.
pub fn find_by_key(conn: &mut Conn, tenant: TenantId, key: &str) -> Result<Vec<Row>, Error> {
    let by_name = of_tenant(tenant).sql(" AND r.kind = 1 AND r.unique_key = ").text(key.to_owned());
    let by_mail = of_tenant(tenant)
        .sql(" AND r.kind IN (1, 3) AND r.id IN (SELECT e.resource_id FROM resource_emails e WHERE e.tenant_id = ")
        .big(tenant.0)
        .sql(" AND e.value_key = ")
        .text(key.to_owned())
        .sql(") ORDER BY r.id");
    let mut rows: Vec<RowTuple> = by_name.load::<RowTypes, _>(conn)?;
    if rows.is_empty() {
        rows = by_mail.load::<RowTypes, _>(conn)?;
    }
    Ok(rows.into_iter().map(Row::from).collect())
}

/// Users whose manager is this one, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn reports(conn: &mut Conn, tenant: TenantId, manager: &str) -> Result<Vec<Row>, Error> {
    let sql = of_tenant(tenant).sql(" AND r.manager = ").text(manager.to_owned()).sql(" AND r.kind IN (1, 3) ORDER BY r.id");
    let sql = locked(conn, sql);
    let rows: Vec<RowTuple> = sql.load::<RowTypes, _>(conn)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// The id of a user's manager.
///
/// # Errors
/// When the database fails.
pub fn manager_of(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<Option<String>, Error> {
    let rows: Vec<Option<String>> = Sql::new("SELECT r.manager FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = 1 AND r.id = ")
        .text(id)
        .load::<Nullable<Text>, _>(conn)?;
    Ok(rows.into_iter().next().flatten())
}

/// Whether somebody whom identity providers see has this employee id.
///
/// # Errors
/// When the database fails.
pub fn employee_exists(conn: &mut Conn, tenant: TenantId, employee_key: &str) -> Result<bool, Error> {
    let rows: Vec<String> = Sql::new("SELECT r.id FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = 1 AND r.employee_key = ")
        .text(employee_key)
        .limit(1)
        .load::<Text, _>(conn)?;
    Ok(!rows.is_empty())
}

/// Whether an active admin other than this member is left who has come as far.
///
/// # Errors
/// When the database fails.
pub fn other_admin(conn: &mut Conn, tenant: TenantId, id: &str, stage: Stage) -> Result<bool, Error> {
    let rows: Vec<String> = Sql::new("SELECT r.id FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        // The sum keeps planners on the index of admins.
        .sql(" AND r.admin AND r.kind + 0 = 1 AND r.state < 4 AND r.state >= ")
        .small(stage_code(stage))
        .sql(" AND r.id <> ")
        .text(id)
        .limit(1)
        .load::<Text, _>(conn)?;
    Ok(!rows.is_empty())
}

/// Users whose location could not be matched and reads like this, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn located(conn: &mut Conn, tenant: TenantId) -> Result<Vec<Row>, Error> {
    let sql = of_tenant(tenant).sql(" AND r.location_raw IS NOT NULL AND r.kind IN (1, 3) ORDER BY r.id");
    let sql = locked(conn, sql);
    let rows: Vec<RowTuple> = sql.load::<RowTypes, _>(conn)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// How many members a tenant has in each state: state, hidden, number.
///
/// # Errors
/// When the database fails.
pub fn tally(conn: &mut Conn, tenant: TenantId) -> Result<Vec<(State, i64)>, Error> {
    let rows: Vec<(i16, i16, i64)> = Sql::new("SELECT r.state, r.kind, COUNT(*) FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind IN (1, 3, 4) GROUP BY r.state, r.kind ORDER BY r.state, r.kind")
        .load::<(SmallInt, SmallInt, BigInt), _>(conn)?;
    Ok(rows.into_iter().map(|(code, kind, n)| (state(code, None, kind), n)).collect())
}

/// Records that nothing is left to do for a member who is anonymised.
///
/// # Errors
/// When the database fails.
pub fn finished(conn: &mut Conn, tenant: TenantId, id: &str) -> Result<(), Error> {
    Sql::new("UPDATE resources SET purge_at = NULL WHERE tenant_id = ").big(tenant.0).sql(" AND kind = 4 AND id = ").text(id).run(conn)?;
    Ok(())
}

/// Takes away what is stored of a member who is anonymised; a row with the permanent id stays, until [`finished`] due at once.
///
/// # Errors
/// When the database fails.
pub fn forget(conn: &mut Conn, tenant: TenantId, row: &Row, label: &str, now: i64) -> Result<(), Error> {
    let sql = resources::touch(now)
        .sql(", purge_at = ")
        .big(now)
        .sql(", kind = ")
        .small(FORMER)
        .sql(", state = 5, prior = NULL, unique_key = NULL, display_key = NULL, external_id = NULL, manager = NULL, label = ")
        .text(label)
        .sql(
            ", label_derived = FALSE, doc = '{}', fdoc = '{}', ever_claimed = ever_claimed, holds = NULL, warned_at = NULL, \
              invited = FALSE, legal_hold = NULL, employee_key = NULL, terminates_at = NULL, location_raw = NULL, manager_ref = NULL, \
              admin = FALSE, mail = NULL",
        );
    resources::as_expected(sql, tenant, row).run(conn)?;
    Ok(())
}

/// Removes a member's row.
///
/// # Errors
/// When the database fails.
pub fn remove(conn: &mut Conn, tenant: TenantId, row: &Row) -> Result<(), Error> {
    resources::as_expected(Sql::new("DELETE FROM resources"), tenant, row).run(conn)?;
    Ok(())
}
