//! How many resources a tenant has, without counting them.

use super::backend::Conn;
use super::error::Error;
use super::resources::Kind;
use super::sql::Sql;
use crate::domain::TenantId;

/// Slots of one count: parallel writers of PostgreSQL seldom wait for the same one, which is held until a commit is on disk.
pub(super) const SLOTS: i16 = 64;

/// Makes the slots of a new tenant.
///
/// # Errors
/// When the database fails.
pub fn create(conn: &mut Conn, tenant: TenantId) -> Result<(), Error> {
    create_for(conn, tenant, Kind::User)?;
    create_for(conn, tenant, Kind::Group)
}

/// Makes the slots of a new kind of resource.
///
/// # Errors
/// When the database fails.
pub fn create_for(conn: &mut Conn, tenant: TenantId, kind: Kind) -> Result<(), Error> {
    for slot in 0..SLOTS {
        Sql::new("INSERT INTO resource_counts (tenant_id, kind, slot, total) VALUES (")
            .big(tenant.0)
            .sql(", ")
            .small(kind.code())
            .sql(", ")
            .small(slot)
            .sql(", 0)")
            .run(conn)?;
    }
    Ok(())
}

/// Removes the slots of a kind of resource.
///
/// # Errors
/// When the database fails.
pub fn remove(conn: &mut Conn, tenant: TenantId, kind: Kind) -> Result<(), Error> {
    let sql = Sql::new("DELETE FROM resource_counts WHERE tenant_id = ").big(tenant.0).sql(" AND kind = ").small(kind.code());
    sql.run(conn).map(drop)
}

/// Counts one resource more, or one less.
///
/// # Errors
/// When the database fails.
pub fn change(conn: &mut Conn, tenant: TenantId, kind: Kind, id: &str, by: i64) -> Result<(), Error> {
    // The last digits of a UUID are random.
    let slot = id.get(id.len().saturating_sub(2)..).and_then(|digits| i16::from_str_radix(digits, 16).ok()).unwrap_or(0) % SLOTS;
    Sql::new("UPDATE resource_counts SET total = total + ")
        .big(by)
        .sql(" WHERE tenant_id = ")
        .big(tenant.0)
        .sql(" AND kind = ")
        .small(kind.code())
        .sql(" AND slot = ")
        .small(slot)
        .run(conn)?;
    Ok(())
}

/// How many resources of the kinds there are.
///
/// # Errors
/// When the database fails.
pub fn total(conn: &mut Conn, tenant: TenantId, kinds: &[Kind]) -> Result<i64, Error> {
    let mut sum = 0;
    for kind in kinds {
        sum += Sql::new("SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM resource_counts WHERE tenant_id = ")
            .big(tenant.0)
            .sql(" AND kind = ")
            .small(kind.code())
            .number(conn)?;
    }
    Ok(sum)
}
