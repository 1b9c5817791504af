//! The tables: the same on both databases.

use crate::harness::{Db, Fresh};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use rollbook::domain::{Idp, Scopes, TenantId, Token, TokenKind};
use rollbook::store::sql::Sql;
use rollbook::store::tables::{Shape, TABLES};
use rollbook::store::{Conn, Database, Dialect, Error, Field, Kind, Record, backend, resources, tenants, tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Columns whose types differ, with the reason.
const OTHER_TYPES: [(&str, &str, &str, &str, &str); 2] = [
    ("tenants", "id", "integer", "bigint", "SQLite counts up in a column of this very type only"),
    ("resources", "fdoc", "text", "jsonb", "PostgreSQL filters on binary JSON"),
];

/// The table of diesel's own.
const BOOKKEEPING: &str = "__diesel_schema_migrations";

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    columns: BTreeMap<String, Column>,
    primary_key: Vec<String>,
    indexes: BTreeSet<Index>,
}

#[derive(Debug, PartialEq, Eq)]
struct Column {
    kind: String,
    nullable: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Index {
    /// Empty when a constraint made it.
    name: String,
    columns: Vec<String>,
    unique: bool,
    partial: bool,
}

type Tables = BTreeMap<String, Table>;
type ColumnRow = (String, String, String, bool, i32);
type IndexRow = (String, String, String, bool, bool, bool);

/// A database with the tables in it.
fn migrated(db: Db) -> (Fresh, Conn) {
    let fresh = Fresh::new(db);
    let mut conn = Database::parse(&fresh.url).unwrap().connect().unwrap();
    backend::migrate(&mut conn).unwrap();
    (fresh, conn)
}

/// Table, column, type, whether it may be null, place in the primary key from 1 on.
fn columns(conn: &mut Conn) -> Vec<ColumnRow> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => {
            "SELECT m.name, c.name, lower(c.type), NOT c.\"notnull\", c.pk \
             FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
        }
        Dialect::Postgres => {
            "SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable = 'YES', COALESCE(k.ordinal_position, 0)::int \
             FROM information_schema.columns c \
             LEFT JOIN information_schema.table_constraints t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
               AND t.constraint_type = 'PRIMARY KEY' \
             LEFT JOIN information_schema.key_column_usage k ON k.constraint_name = t.constraint_name \
               AND k.table_name = c.table_name AND k.column_name = c.column_name \
             WHERE c.table_schema = 'public'"
        }
    };
    Sql::new(sql).load::<(Text, Text, Text, Bool, Integer), ColumnRow>(conn).unwrap()
}

/// Table, index, column, whether it is unique, whether it is partial, whether the column is its first; without primary keys.
fn indexes(conn: &mut Conn) -> Vec<IndexRow> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => {
            "SELECT m.name, CASE l.origin WHEN 'c' THEN l.name ELSE '' END, c.name, l.\"unique\", l.partial, c.seqno = 0 \
             FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) c \
             WHERE m.type = 'table' AND l.origin <> 'pk' ORDER BY m.name, l.name, c.seqno"
        }
        Dialect::Postgres => {
            "SELECT t.relname::text, CASE WHEN o.oid IS NULL THEN i.relname::text ELSE '' END, a.attname::text, x.indisunique, \
               x.indpred IS NOT NULL, k.place = 1 \
             FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
             JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public' \
             LEFT JOIN pg_constraint o ON o.conindid = x.indexrelid AND o.contype = 'u' \
             CROSS JOIN unnest(x.indkey::int[]) WITH ORDINALITY k (attnum, place) \
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum \
             WHERE NOT x.indisprimary ORDER BY t.relname, i.relname, k.place"
        }
    };
    Sql::new(sql).load::<(Text, Text, Text, Bool, Bool, Bool), IndexRow>(conn).unwrap()
}

fn tables(conn: &mut Conn) -> Tables {
    let mut out = Tables::new();
    let mut keys: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    for (table, column, kind, nullable, place) in columns(conn).into_iter().filter(|c| c.0 != BOOKKEEPING) {
        if place > 0 {
            keys.entry(table.clone()).or_default().insert(place, column.clone());
        }
        out.entry(table).or_default().columns.insert(column, Column { kind, nullable });
    }
    for (table, key) in keys {
        out.get_mut(&table).unwrap().primary_key = key.into_values().collect();
    }
    let mut found: Vec<(String, Index)> = Vec::new();
    for (table, name, column, unique, partial, first) in indexes(conn).into_iter().filter(|c| c.0 != BOOKKEEPING) {
        match found.last_mut() {
            Some((_, index)) if !first => index.columns.push(column),
            _ => found.push((table, Index { name, columns: vec![column], unique, partial })),
        }
    }
    for (table, index) in found {
        out.get_mut(&table).unwrap().indexes.insert(index);
    }
    out
}

fn catalogue(db: Db) -> Tables {
    tables(&mut migrated(db).1)
}

/// Both databases have the same tables, columns, keys and indexes.
#[test]
fn schema_parity() {
    let mut sqlite = catalogue(Db::Sqlite);
    let postgres = catalogue(Db::Postgres);
    assert!(sqlite.len() > 5 && sqlite.values().any(|t| t.indexes.len() > 1), "the catalogue was not read: {sqlite:?}");
    for (table, column, here, there, _) in OTHER_TYPES {
        let column = sqlite.get_mut(table).unwrap().columns.get_mut(column).unwrap();
        assert_eq!(column.kind, here);
        there.clone_into(&mut column.kind);
    }
    let names = |t: &Tables| t.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres));
    for (name, table) in &sqlite {
        assert_eq!(table, &postgres[name], "{name}");
    }
}

/// The migrations of both databases go by the same names, and all of those in the folders are built in.
#[test]
fn migrations_have_the_same_names() {
    let built_in = backend::migration_names(Dialect::Sqlite);
    assert!(!built_in.is_empty());
    assert_eq!(built_in, backend::migration_names(Dialect::Postgres));
    for db in ["sqlite", "postgres"] {
        assert_eq!(built_in, folders(db), "{db}");
    }
}

fn folders(db: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(db);
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A migration can be taken back: nothing is left, and it can be run again.
#[test]
fn migrations_can_be_taken_back() {
    for (db, folder) in [(Db::Sqlite, "sqlite"), (Db::Postgres, "postgres")] {
        let (_fresh, mut conn) = migrated(db);
        let before = tables(&mut conn);
        let read = |name: &str, file: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder).join(name).join(file);
            std::fs::read_to_string(path).unwrap()
        };
        for name in folders(folder).iter().rev() {
            conn.batch_execute(&read(name, "down.sql")).unwrap();
        }
        assert!(tables(&mut conn).is_empty(), "{db:?}");
        for name in folders(folder) {
            conn.batch_execute(&read(&name, "up.sql")).unwrap();
        }
        assert_eq!(tables(&mut conn), before, "{db:?}");
    }
}

/// Every table has a primary key.
#[test]
fn tables_have_primary_keys() {
    for db in [Db::Sqlite, Db::Postgres] {
        let without: Vec<_> = catalogue(db).into_iter().filter(|(_, t)| t.primary_key.is_empty()).collect();
        assert!(without.is_empty(), "{db:?}: {without:?}");
    }
}

/// PostgreSQL compares text byte by byte, as SQLite does, whatever the locale of the database.
#[test]
fn text_is_compared_by_bytes() {
    let (_fresh, mut conn) = migrated(Db::Postgres);
    let sql = "SELECT table_name || '.' || column_name, collation_name::text FROM information_schema.columns \
               WHERE table_schema = 'public' AND data_type IN ('text', 'character varying') AND table_name <> '__diesel_schema_migrations'";
    let rows: Vec<(String, Option<String>)> = Sql::new(sql).load::<(Text, Nullable<Text>), _>(&mut conn).unwrap();
    assert!(rows.len() > 20, "{rows:?}");
    let other: Vec<_> = rows.iter().filter(|(_, collation)| collation.as_deref() != Some("C")).collect();
    assert!(other.is_empty(), "without COLLATE \"C\": {other:?}");
}

/// What is taken is known by its field, on both databases.
#[test]
fn violations_name_the_field() {
    for db in [Db::Sqlite, Db::Postgres] {
        let (_fresh, mut conn) = migrated(db);
        let mut tenant = |name: &str| backend::write(&mut conn, |c| tenants::insert(c, name, Idp::Auto, false, 0));
        let (first, second) = (tenant("acme").unwrap().id, tenant("other").unwrap().id);
        assert_eq!(field(tenant("acme")), Field::TenantName, "{db:?}");

        let record = |key: &str| Record {
            unique_key: Some(key.into()),
            doc: "{}".into(),
            fdoc: "{}".into(),
            label: "x".into(),
            ..Record::default()
        };
        let mut resource = |tenant: TenantId, kind: Kind, id: &str, key: &str| {
            backend::write(&mut conn, |c| resources::insert(c, tenant, kind, id, &record(key), 0))
        };
        resource(first, Kind::User, "1", "a").unwrap();
        assert_eq!(field(resource(first, Kind::User, "2", "a")), Field::UniqueKey, "{db:?}");
        assert_eq!(field(resource(first, Kind::User, "1", "b")), Field::Other, "{db:?}: the id, not the name");
        resource(first, Kind::Group, "3", "a").unwrap();
        resource(second, Kind::User, "1", "a").unwrap();
        resource(first, Kind::User, "4", "b").unwrap();
        let renamed = backend::write(&mut conn, |c| {
            let row = resources::find(c, first, Kind::User, "4")?.unwrap();
            resources::update(c, first, &row, &record("a"), 1)
        });
        assert_eq!(field(renamed), Field::UniqueKey, "{db:?}");

        let mut token = |id: &str| backend::write(&mut conn, |c| tokens::insert(c, &kept(id, first)));
        token("1").unwrap();
        assert_eq!(field(token("2")), Field::Other, "{db:?}");
    }
}

fn field<T: std::fmt::Debug>(result: Result<T, Error>) -> Field {
    match result.unwrap_err() {
        Error::Duplicate(field) => field,
        other => panic!("{other}"),
    }
}

fn kept(id: &str, tenant: TenantId) -> Token {
    Token {
        source: "default".into(),
        replaces: None,
        certificate: None,
        member: None,
        id: id.into(),
        tenant,
        kind: TokenKind::Opaque,
        name: "x".into(),
        hash: "the same".into(),
        scopes: Scopes::ALL,
        created_at: 0,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

/// The tables that the code names are those of the database: columns, types, nullability and keys.
#[test]
fn the_code_names_what_exists() {
    let postgres = catalogue(Db::Postgres);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/schema.rs")).unwrap();
    let named: Vec<&str> = text.split("diesel::table! {").skip(1).collect();
    assert!(!named.is_empty());
    for block in named {
        let (head, body) = block.split_once(" {\n").unwrap();
        let (name, key) = head.trim().trim_end_matches(')').split_once(" (").unwrap();
        let table = postgres.get(name).unwrap_or_else(|| panic!("there is no table {name}"));
        assert_eq!(key.split(", ").collect::<Vec<_>>(), table.primary_key, "the key of {name}");
        let columns: BTreeMap<_, _> = body.lines().filter_map(|l| l.trim().trim_end_matches(',').split_once(" -> ")).collect();
        let written = |c: &Column| {
            let kind = match c.kind.as_str() {
                "bigint" => "BigInt",
                "smallint" => "SmallInt",
                "boolean" => "Bool",
                "text" => "Text",
                other => panic!("{name}: no word for {other}"),
            };
            if c.nullable { format!("Nullable<{kind}>") } else { kind.to_owned() }
        };
        for (column, kind) in columns {
            let there = table.columns.get(column).unwrap_or_else(|| panic!("{name} has no column {column}"));
            assert_eq!(kind, written(there), "{name}.{column}");
        }
    }
}

/// The list of tables that copying goes by is that of both databases: names, columns, what they hold, keys; and what a table refers
/// to comes before it.
#[test]
fn the_list_of_tables_is_complete() {
    for db in [Db::Sqlite, Db::Postgres] {
        let mut there = catalogue(db);
        for table in TABLES {
            let found = there.remove(table.name).unwrap_or_else(|| panic!("{db:?}: there is no table {}", table.name));
            assert_eq!(table.key, found.primary_key, "{db:?}: the key of {}", table.name);
            let listed: BTreeMap<&str, Shape> = table.columns.iter().copied().collect();
            assert_eq!(listed.len(), found.columns.len(), "{db:?}: the columns of {}", table.name);
            for (name, column) in &found.columns {
                let shape = match column.kind.as_str() {
                    "bigint" | "integer" => Shape::Big,
                    "smallint" => Shape::Small,
                    "boolean" => Shape::Bool,
                    "jsonb" => Shape::Json,
                    "text" if (table.name, name.as_str()) == ("resources", "fdoc") => Shape::Json,
                    "text" => Shape::Text,
                    other => panic!("{}.{name}: no word for {other}", table.name),
                };
                assert_eq!(listed.get(name.as_str()), Some(&shape), "{db:?}: {}.{name}", table.name);
            }
        }
        assert!(there.is_empty(), "{db:?}: not in the list: {:?}", there.keys());
    }
    let (_fresh, mut conn) = migrated(Db::Sqlite);
    let sql = "SELECT m.name, f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let place = |name: &str| TABLES.iter().position(|t| t.name == name).unwrap();
    for (table, other) in Sql::new(sql).load::<(Text, Text), (String, String)>(&mut conn).unwrap() {
        assert!(place(&other) < place(&table), "{table} refers to {other}");
    }
}
