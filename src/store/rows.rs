//! Rows of any table, whatever they mean: read in pages, counted, compared and written. For what concerns all tables alike.

use super::backend::{Conn, Dialect};
use super::error::Error;
use super::sql::Sql;
use super::tables::{Shape, TABLES, Table};
use diesel::sql_types::{BigInt, Text};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Null,
    Number(i64),
    Flag(bool),
    Text(String),
}

/// A row with its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    table: &'static Table,
    cells: Vec<Cell>,
}

impl Line {
    fn cell(&self, column: &str) -> &Cell {
        let found = self.table.columns.iter().zip(&self.cells).find(|((name, _), _)| *name == column);
        found.map_or(&Cell::Null, |(_, cell)| cell)
    }

    /// A text; `None` when it is null.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        if let Cell::Text(text) = self.cell(column) { Some(text) } else { None }
    }

    /// A number; `None` when it is null.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<i64> {
        if let Cell::Number(number) = self.cell(column) { Some(*number) } else { None }
    }

    /// A truth value; `None` when it is null.
    #[must_use]
    pub fn flag(&self, column: &str) -> Option<bool> {
        if let Cell::Flag(flag) = self.cell(column) { Some(*flag) } else { None }
    }

    /// A sum of this and of the place of every value; equal rows have equal ones on both databases.
    #[must_use]
    pub fn checksum(&self) -> u128 {
        let mut hasher = Sha256::new();
        let mut part = |tag: u8, bytes: &[u8]| {
            hasher.update([tag]);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        for ((_, shape), cell) in self.table.columns.iter().zip(&self.cells) {
            match cell {
                Cell::Null => part(0, b""),
                Cell::Number(number) => part(1, &number.to_be_bytes()),
                Cell::Flag(flag) => part(2, &[u8::from(*flag)]),
                Cell::Text(text) if *shape == Shape::Json => part(4, canonical(text).as_bytes()),
                Cell::Text(text) => part(3, text.as_bytes()),
            }
        }
        let hash: [u8; 32] = hasher.finalize().into();
        hash.first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
    }
}

/// A JSON text as both databases would keep it: keys in order, numbers in one form. What is no JSON stays as it is.
#[must_use]
pub fn canonical(text: &str) -> String {
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| sorted(value).to_string())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        Value::Number(n) if !n.is_i64() && !n.is_u64() => {
            // 1e2 and 100 are one number; PostgreSQL writes the latter.
            let plain = n.as_f64().map(|f| format!("{f}"));
            let number: Option<serde_json::Number> = plain.and_then(|text| serde_json::from_str(&text).ok());
            Value::Number(number.unwrap_or(n))
        }
        other => other,
    }
}

/// How many rows a table has.
///
/// # Errors
/// When the database fails.
pub fn count(conn: &mut Conn, table: &Table) -> Result<i64, Error> {
    Sql::new("SELECT COUNT(*) FROM ").sql(table.name).number(conn)
}

/// What tells that somebody has written: how many rows every table has, and numbers that count up.
///
/// # Errors
/// When the database fails.
pub fn pulse(conn: &mut Conn) -> Result<Vec<(&'static str, i64)>, Error> {
    let mut all = Vec::with_capacity(TABLES.len() + 2);
    for table in TABLES {
        all.push((table.name, count(conn, table)?));
    }
    let sums = [
        ("versions of resources", "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM resources"),
        ("changes of tokens and tenants", "SELECT CAST(COALESCE(SUM(epoch), 0) AS BIGINT) FROM auth_epoch"),
    ];
    for (what, sql) in sums {
        all.push((what, Sql::new(sql).number(conn)?));
    }
    Ok(all)
}

fn bound<'a>(sql: Sql<'a>, shape: Shape, cell: &'a Cell) -> Sql<'a> {
    let number = if let Cell::Number(n) = cell { Some(*n) } else { None };
    match shape {
        Shape::Big => sql.maybe_big(number),
        Shape::Small => sql.maybe_small(number.and_then(|n| i16::try_from(n).ok())),
        Shape::Bool => sql.maybe_bool(if let Cell::Flag(flag) = cell { Some(*flag) } else { None }),
        Shape::Text | Shape::Json => sql.maybe_text(if let Cell::Text(text) = cell { Some(text) } else { None }),
    }
}

/// The rows after one of them, in the order of the primary key.
///
/// # Errors
/// When the database fails, or a row cannot be read.
pub fn page(conn: &mut Conn, table: &'static Table, after: Option<&Line>, limit: i64) -> Result<Vec<Line>, Error> {
    let postgres = conn.dialect() == Dialect::Postgres;
    let columns = table.columns.iter().map(|(name, shape)| match shape {
        Shape::Json if postgres => format!("{name}::text"),
        _ => (*name).to_owned(),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let key = table.key.join(", ");
    let head = if postgres { format!("json_build_array({columns})::text") } else { format!("json_array({columns})") };
    let mut sql = Sql::new("SELECT ").made(head).sql(" FROM ").sql(table.name);
    if let Some(line) = after {
        sql = sql.made(format!(" WHERE ({key}) > ("));
        for (i, column) in table.key.iter().enumerate() {
            let shape = table.shape(column).unwrap_or(Shape::Text);
            sql = bound(if i > 0 { sql.sql(", ") } else { sql }, shape, line.cell(column));
        }
        sql = sql.sql(")");
    }
    let rows: Vec<String> = sql.made(format!(" ORDER BY {key}")).limit(limit).load::<Text, _>(conn)?;
    rows.iter().map(|text| line(table, text)).collect()
}

fn line(table: &'static Table, text: &str) -> Result<Line, Error> {
    let odd = |why: &str| Error::Db(format!("a row of {} cannot be read: {why}", table.name));
    let values: Vec<Value> = serde_json::from_str(text).map_err(|e| odd(&e.to_string()))?;
    let cells = table.columns.iter().zip(values).map(|((name, shape), value)| match (shape, value) {
        (_, Value::Null) => Ok(Cell::Null),
        (Shape::Bool, Value::Bool(flag)) => Ok(Cell::Flag(flag)),
        (Shape::Bool, Value::Number(n)) => Ok(Cell::Flag(n.as_i64() != Some(0))),
        (Shape::Big | Shape::Small, Value::Number(n)) => n.as_i64().map(Cell::Number).ok_or_else(|| odd(name)),
        (Shape::Text | Shape::Json, Value::String(text)) => Ok(Cell::Text(text)),
        _ => Err(odd(name)),
    });
    Ok(Line { table, cells: cells.collect::<Result<_, _>>()? })
}

/// How many rows of a table one statement takes: neither database takes more than some 32,000 values.
#[must_use]
pub fn at_once(table: &Table) -> i64 {
    const VALUES: usize = 15_000;
    i64::try_from((VALUES / table.columns.len().max(1)).clamp(1, 1000)).unwrap_or(1)
}

/// Adds rows.
///
/// # Errors
/// When the database refuses one.
pub fn insert(conn: &mut Conn, table: &'static Table, lines: &[Line]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let postgres = conn.dialect() == Dialect::Postgres;
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let mut sql = Sql::new("INSERT INTO ").sql(table.name).made(format!(" ({}) VALUES ", names.join(", ")));
    for (n, line) in lines.iter().enumerate() {
        sql = sql.sql(if n == 0 { "(" } else { ", (" });
        for (i, ((_, shape), cell)) in table.columns.iter().zip(&line.cells).enumerate() {
            sql = bound(if i > 0 { sql.sql(", ") } else { sql }, *shape, cell);
            if *shape == Shape::Json && postgres {
                sql = sql.sql("::text::jsonb");
            }
        }
        sql = sql.sql(")");
    }
    // Only the last statement of a table has another length.
    let whole = i64::try_from(lines.len()).is_ok_and(|n| n == at_once(table));
    let with_table = |e: Error| Error::Db(format!("{}: {e}", table.name));
    if whole { sql } else { sql.uncached() }.run(conn).map(drop).map_err(with_table)
}

/// Removes every row of a table.
///
/// # Errors
/// When the database refuses.
pub fn clear(conn: &mut Conn, table: &Table) -> Result<(), Error> {
    Sql::new("DELETE FROM ").sql(table.name).run(conn).map(drop)
}

/// The greatest id that a tenant ever had, as the database remembers it.
///
/// # Errors
/// When the database fails.
pub fn last_tenant(conn: &mut Conn) -> Result<i64, Error> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => "SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) FROM sqlite_sequence WHERE name = 'tenants'",
        Dialect::Postgres => "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tenants_id_seq",
    };
    let remembered = Sql::new(sql).number(conn)?;
    let greatest = Sql::new("SELECT CAST(COALESCE(MAX(id), 0) AS BIGINT) FROM tenants").number(conn)?;
    Ok(remembered.max(greatest))
}

/// Sets it.
///
/// # Errors
/// When the database refuses.
pub fn set_last_tenant(conn: &mut Conn, id: i64) -> Result<(), Error> {
    if id == 0 {
        return Ok(());
    }
    match conn.dialect() {
        Dialect::Sqlite => {
            Sql::new("DELETE FROM sqlite_sequence WHERE name = 'tenants'").run(conn)?;
            Sql::new("INSERT INTO sqlite_sequence (name, seq) VALUES ('tenants', ").big(id).sql(")").run(conn)?;
        }
        Dialect::Postgres => {
            let _: Vec<i64> = Sql::new("SELECT setval('tenants_id_seq', ").big(id).sql(")").load::<BigInt, _>(conn)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_one_form() {
        assert_eq!(canonical(r#"{"b": 1e2, "a": [1.50, {"d": null, "c": "x"}]}"#), r#"{"a":[1.5,{"c":"x","d":null}],"b":100}"#);
        assert_eq!(canonical("{"), "{");
        assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
    }

    #[test]
    fn every_value_counts() {
        let table = TABLES.iter().find(|t| t.name == "secrets").unwrap();
        let line = |cells: [Cell; 2]| Line { table, cells: cells.into() }.checksum();
        let text = |t: &str| Cell::Text(t.into());
        assert_eq!(line([text("a"), text("bc")]), line([text("a"), text("bc")]));
        let sums =
            [line([text("a"), text("bc")]), line([text("ab"), text("c")]), line([text("a"), Cell::Null]), line([text("bc"), text("a")])];
        let distinct: std::collections::BTreeSet<_> = sums.iter().collect();
        assert_eq!(distinct.len(), sums.len());
    }
}
