//! Users and groups as rows.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::roll;
use super::sql::Sql;
use crate::domain::{Member, TenantId};
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text};

/// Which kind of resource a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    User,
    Group,
    /// Of a type that the tenant has declared; its number, from [`super::types::FIRST`] on.
    Own(i16),
}

impl Kind {
    pub(super) fn code(self) -> i16 {
        match self {
            Self::User => 1,
            Self::Group => 2,
            Self::Own(code) => code,
        }
    }

    pub(super) fn of(code: i16) -> Self {
        match code {
            2 => Self::Group,
            own if own >= super::types::FIRST => Self::Own(own),
            _ => Self::User,
        }
    }
}

/// What is stored of a resource beside its key and times. Keys are case-folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub unique_key: Option<String>,
    pub display_key: Option<String>,
    pub external_id: Option<String>,
    /// `manager.value`.
    pub manager: Option<String>,
    /// The name that other resources show for this one.
    pub label: String,
    /// Whether `displayName` was made up from other attributes.
    pub label_derived: bool,
    /// The resource as clients see it, without `id`, `meta`, `groups` and `members`.
    pub doc: String,
    /// The same as filters see it.
    pub fdoc: String,
    pub emails: Vec<String>,
    /// What no other resource of the kind may have: attribute and value.
    pub unique: Vec<(String, String)>,
}

/// A resource as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub kind: Kind,
    pub id: String,
    pub version: i64,
    /// Times are microseconds since the epoch.
    pub created_at: i64,
    pub modified_at: i64,
    pub member_count: i64,
    pub manager: Option<String>,
    pub label: String,
    pub label_derived: bool,
    pub doc: String,
    /// A user's place in the roll.
    pub member: Option<Box<Member>>,
}

impl Row {
    /// The number under which the row is stored: a member that no identity provider sees has one of its own.
    fn code(&self) -> i16 {
        self.member.as_ref().map_or(self.kind.code(), |m| roll::kind_of(m.state))
    }
}

/// The columns of a [`Row`], of the table under the alias `r`. Those of the roll follow in [`roll::COLUMNS`].
const OWN_COLUMNS: &str =
    "r.kind, r.id, r.version, r.created_at, r.modified_at, r.member_count, r.manager, r.label, r.label_derived, r.doc, ";

/// Begins a statement that reads [`Row`]s.
pub(super) fn select() -> Sql<'static> {
    Sql::new("SELECT ").sql(OWN_COLUMNS).sql(roll::COLUMNS)
}

/// The SQL types of a [`Row`].
pub(super) type Types = (Own, roll::Types);
pub(super) type Tuple = (OwnTuple, roll::Tuple);
type Own = (SmallInt, Text, BigInt, BigInt, BigInt, BigInt, Nullable<Text>, Text, Bool, Text);
type OwnTuple = (i16, String, i64, i64, i64, i64, Option<String>, String, bool, String);

impl From<Tuple> for Row {
    fn from((own, member): Tuple) -> Self {
        let (kind, id, version, created_at, modified_at, member_count, manager, label, label_derived, doc) = own;
        let member = roll::member(&id, kind, member).map(Box::new);
        Self { kind: Kind::of(kind), id, version, created_at, modified_at, member_count, manager, label, label_derived, doc, member }
    }
}

fn by_id(tenant: TenantId, kind: Kind, id: &str) -> Sql<'_> {
    select()
        .sql(" FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = ")
        .small(kind.code())
        .sql(" AND r.id = ")
        .text(id)
}

/// One resource.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str) -> Result<Option<Row>, Error> {
    one(conn, by_id(tenant, kind, id), id)
}

/// The row, if there is one. No id has U+0000 in it, and PostgreSQL does not take it in a bind.
pub(super) fn one(conn: &mut Conn, sql: Sql<'_>, id: &str) -> Result<Option<Row>, Error> {
    if id.contains('\0') {
        return Ok(None);
    }
    let rows: Vec<Tuple> = sql.load::<Types, _>(conn)?;
    Ok(rows.into_iter().next().map(Row::from))
}

/// One resource, held until the end of the transaction.
///
/// # Errors
/// When the database fails.
pub fn lock(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str) -> Result<Option<Row>, Error> {
    let mut sql = by_id(tenant, kind, id);
    if conn.dialect() == Dialect::Postgres {
        sql = sql.sql(" FOR UPDATE");
    }
    one(conn, sql, id)
}

/// Adds a resource of version 1.
///
/// # Errors
/// [`Error::Duplicate`] when its unique key is taken.
pub fn insert(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str, record: &Record, now: i64) -> Result<(), Error> {
    let head = Sql::new("INSERT INTO resources (").sql(INSERTED).sql(") VALUES (");
    inserted(conn, head, tenant, kind.code(), id, record, now).sql(")").run(conn)?;
    Ok(())
}

/// The columns that a new row of any kind has.
pub(super) const INSERTED: &str = "tenant_id, kind, id, version, created_at, modified_at, member_count, unique_key, display_key, \
     external_id, manager, label, label_derived, doc, fdoc";

/// Their values.
pub(super) fn inserted<'a>(conn: &Conn, head: Sql<'a>, tenant: TenantId, kind: i16, id: &'a str, record: &'a Record, now: i64) -> Sql<'a> {
    head.big(tenant.0)
        .sql(", ")
        .small(kind)
        .sql(", ")
        .text(id)
        .sql(", 1, ")
        .big(now)
        .sql(", ")
        .big(now)
        .sql(", 0, ")
        .maybe_text(record.unique_key.as_deref())
        .sql(", ")
        .maybe_text(record.display_key.as_deref())
        .sql(", ")
        .maybe_text(record.external_id.as_deref())
        .sql(", ")
        .maybe_text(record.manager.as_deref())
        .sql(", ")
        .text(record.label.as_str())
        .sql(", ")
        .bool(record.label_derived)
        .sql(", ")
        .text(record.doc.as_str())
        .sql(", ")
        .text(record.fdoc.as_str())
        .sql(json_cast(conn))
}

/// Text binds need a cast before PostgreSQL takes them for JSON.
fn json_cast(conn: &Conn) -> &'static str {
    match conn.dialect() {
        Dialect::Postgres => "::text::jsonb",
        Dialect::Sqlite => "",
    }
}

/// Replaces what is stored of a resource and counts its version up; whether the version was still the expected one.
///
/// # Errors
/// [`Error::Duplicate`] when its new unique key is taken.
pub fn update(conn: &mut Conn, tenant: TenantId, row: &Row, record: &Record, now: i64) -> Result<bool, Error> {
    let touched = as_expected(set_record(conn, touch(now), record), tenant, row).run(conn)?;
    Ok(touched == 1)
}

/// Begins an update that counts the version up.
pub(super) fn touch(now: i64) -> Sql<'static> {
    Sql::new("UPDATE resources SET version = version + 1, modified_at = ").big(now)
}

/// Sets what is stored of a resource.
pub(super) fn set_record<'a>(conn: &Conn, sql: Sql<'a>, record: &'a Record) -> Sql<'a> {
    sql.sql(", unique_key = ")
        .maybe_text(record.unique_key.as_deref())
        .sql(", display_key = ")
        .maybe_text(record.display_key.as_deref())
        .sql(", external_id = ")
        .maybe_text(record.external_id.as_deref())
        .sql(", manager = ")
        .maybe_text(record.manager.as_deref())
        .sql(", label = ")
        .text(record.label.as_str())
        .sql(", label_derived = ")
        .bool(record.label_derived)
        .sql(", doc = ")
        .text(record.doc.as_str())
        .sql(", fdoc = ")
        .text(record.fdoc.as_str())
        .sql(json_cast(conn))
}

/// Ends an update of a row that must not have changed since it was read.
pub(super) fn as_expected<'a>(sql: Sql<'a>, tenant: TenantId, row: &'a Row) -> Sql<'a> {
    sql.sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = ")
        .small(row.code())
        .sql(" AND id = ")
        .text(row.id.as_str())
        .sql(" AND version = ")
        .big(row.version)
}

/// Counts the version up after a change to the members, whose number changed by `delta`.
///
/// # Errors
/// When the database fails.
pub fn members_changed(conn: &mut Conn, tenant: TenantId, group: &str, delta: i64, now: i64) -> Result<(), Error> {
    Sql::new("UPDATE resources SET version = version + 1, modified_at = ")
        .big(now)
        .sql(", member_count = member_count + ")
        .big(delta)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = 2 AND id = ")
        .text(group)
        .run(conn)?;
    Ok(())
}

/// Counts up the version of every group that has `member` directly, because what it shows of the member has changed.
///
/// # Errors
/// When the database fails.
pub fn touch_groups_of(conn: &mut Conn, tenant: TenantId, member: &str, now: i64) -> Result<(), Error> {
    Sql::new("UPDATE resources SET version = version + 1, modified_at = ")
        .big(now)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = 2 AND id IN (SELECT group_id FROM group_members WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND member_id = ")
        .text(member)
        .sql(")")
        .run(conn)?;
    Ok(())
}

/// Removes a resource's own row.
///
/// # Errors
/// When the database fails.
pub fn delete(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str) -> Result<(), Error> {
    Sql::new("DELETE FROM resources WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = ")
        .small(kind.code())
        .sql(" AND id = ")
        .text(id)
        .run(conn)?;
    Ok(())
}

/// The labels of those resources of a kind that exist, by id.
///
/// # Errors
/// When the database fails.
pub fn labels(conn: &mut Conn, tenant: TenantId, kind: Kind, ids: &[&str]) -> Result<Vec<(String, String)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Sql::new("SELECT r.id, r.label FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = ")
        .small(kind.code())
        .sql(" AND r.id IN (")
        .texts(ids)
        .sql(")")
        .load::<(Text, Text), _>(conn)
}

/// The names and addresses of those users that exist, by id.
///
/// # Errors
/// When the database fails.
pub fn named(conn: &mut Conn, tenant: TenantId, ids: &[&str]) -> Result<Vec<(String, String, Option<String>)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Sql::new("SELECT r.id, r.label, r.mail FROM resources r WHERE r.tenant_id = ")
        .big(tenant.0)
        .sql(" AND r.kind = 1 AND r.id IN (")
        .texts(ids)
        .sql(")")
        .load::<(Text, Text, Nullable<Text>), _>(conn)
}

/// Which of the ids exist, and what they are. They cannot be deleted before the transaction ends.
///
/// # Errors
/// When the database fails.
pub fn existing(conn: &mut Conn, tenant: TenantId, ids: &[&str]) -> Result<Vec<(String, Kind)>, Error> {
    const CHUNK: usize = 500;
    let mut found = Vec::with_capacity(ids.len());
    for part in ids.chunks(CHUNK) {
        let mut sql = Sql::new("SELECT r.id, r.kind FROM resources r WHERE r.tenant_id = ")
            .big(tenant.0)
            .sql(" AND r.kind IN (1, 2) AND r.id IN (")
            .texts(part)
            .sql(")");
        if conn.dialect() == Dialect::Postgres {
            sql = sql.sql(" ORDER BY r.id FOR KEY SHARE");
        }
        let rows: Vec<(String, i16)> = sql.load::<(Text, SmallInt), _>(conn)?;
        found.extend(rows.into_iter().map(|(id, kind)| (id, Kind::of(kind))));
    }
    Ok(found)
}
