//! `rollbook copy`: every row arrives, on either database, or none.

use crate::harness::{Db, Fresh};
use crate::program::{Place, failed, succeeded};
use crate::scenario::everything;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Nullable, Text};
use rollbook::service::{copy, verify};
use rollbook::store::sql::Sql;
use rollbook::store::tables::{Shape, TABLES, Table};
use rollbook::store::{Conn, Database, backend};
use serde_json::Value;

fn connect(url: &str) -> Conn {
    Database::parse(url).unwrap().connect().unwrap()
}

fn empty(db: Db) -> Fresh {
    if db == Db::Sqlite { Fresh::new(db) } else { Fresh::empty_postgres() }
}

/// Everything in a table, column by column, in the order of the key; read without the code under test.
fn contents(conn: &mut Conn, table: &Table) -> Vec<(&'static str, Vec<Option<String>>)> {
    let key = table.key.iter().map(|name| format!("x.{name}")).collect::<Vec<_>>().join(", ");
    let column = |(name, shape): &(&'static str, Shape)| {
        let text = match shape {
            Shape::Bool => format!("CASE WHEN {name} THEN 'yes' WHEN NOT {name} THEN 'no' END"),
            _ => format!("CAST({name} AS TEXT)"),
        };
        let sql = Sql::new("SELECT ").made(format!("{text} FROM {} x ORDER BY {key}", table.name));
        let mut cells: Vec<Option<String>> = sql.load::<Nullable<Text>, _>(conn).unwrap();
        if *shape == Shape::Json {
            // Compared as values: the order of keys and spaces differ.
            for cell in cells.iter_mut().flatten() {
                let value: std::collections::BTreeMap<String, Value> = serde_json::from_str(cell).unwrap();
                *cell = format!("{:?}", sorted(&serde_json::to_value(value).unwrap()));
            }
        }
        (*name, cells)
    };
    table.columns.iter().map(column).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs: std::collections::BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[track_caller]
fn same(a: &str, b: &str) {
    let (mut a, mut b) = (connect(a), connect(b));
    for table in TABLES {
        assert_eq!(contents(&mut a, table), contents(&mut b, table), "{}", table.name);
    }
}

fn bare(place: &Place, from: &str, to: &str) -> std::process::Output {
    place.bare(&["copy", "--from", from, "--to", to]).output().unwrap()
}

fn there_and_back(db: Db, other: Db) {
    let stage = everything(db);
    let place = Place::beside(&stage.server);
    let (there, back) = (empty(other), empty(db));
    let said = succeeded(&bare(&place, &place.url, &there.url));
    same(&place.url, &there.url);
    for table in TABLES {
        let n = contents(&mut connect(&there.url), table)[0].1.len();
        let line =
            said.lines().find(|l| l.split_whitespace().next() == Some(table.name)).unwrap_or_else(|| panic!("{}: {said}", table.name));
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words[2].len(), words[3]), (n.to_string().as_str(), 32, "ok"), "{line}");
    }
    assert!(said.contains("must be stopped") && said.contains("both sides are the same"), "{said}");
    succeeded(&bare(&place, &there.url, &back.url));
    same(&place.url, &back.url);
    let report = verify::run(&mut connect(&there.url), None, &mut |_, _, _| {}).unwrap();
    assert_eq!(report.total, 0, "{:#?}", report.faults);
    // The next tenant gets the next id.
    let moved = Place::new(Db::Sqlite);
    succeeded(&moved.bare(&["--database", &there.url, "tenant", "create", "next"]).output().unwrap());
    let ids: Vec<Option<String>> =
        Sql::new("SELECT CAST(id AS TEXT) FROM tenants ORDER BY id").load::<Nullable<Text>, _>(&mut connect(&there.url)).unwrap();
    assert_eq!(ids.iter().flatten().map(String::as_str).collect::<Vec<_>>(), ["1", "2", "3"]);
    // What is not empty is left alone.
    let refused = failed(&bare(&place, &place.url, &there.url));
    assert!(refused.contains("--to is not empty") && refused.contains("3 in tenants") && refused.contains("in resources"), "{refused}");
    assert!(failed(&bare(&place, &place.url, &place.url)).contains("are the same database"));
}

#[test]
fn from_sqlite_to_postgres_and_back() {
    there_and_back(Db::Sqlite, Db::Postgres);
}

#[test]
fn from_postgres_to_sqlite_and_back() {
    there_and_back(Db::Postgres, Db::Sqlite);
}

/// A trigger that does something to every new row of `locations`.
fn trigger(db: Db, refuse: bool) -> String {
    match (db, refuse) {
        (Db::Sqlite, true) => "CREATE TRIGGER t BEFORE INSERT ON locations BEGIN SELECT RAISE(ABORT, 'the disk is full'); END".into(),
        (Db::Sqlite, false) => "CREATE TRIGGER t AFTER INSERT ON locations BEGIN UPDATE locations SET created_at = 7; END".into(),
        (Db::Postgres, _) => {
            let body = if refuse { "RAISE EXCEPTION 'the disk is full'" } else { "NEW.created_at = 7; RETURN NEW" };
            format!(
                "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {}; END'; \
                     CREATE TRIGGER t BEFORE INSERT ON locations FOR EACH ROW EXECUTE FUNCTION t()",
                body.replace('\'', "''")
            )
        }
    }
}

/// What fails half-way leaves nothing, nor does what arrives as something else.
#[test]
fn a_copy_that_fails_leaves_nothing() {
    let stage = everything(Db::Sqlite);
    let place = Place::beside(&stage.server);
    for db in [Db::Sqlite, Db::Postgres] {
        for refuse in [true, false] {
            let target = empty(db);
            let mut conn = connect(&target.url);
            backend::migrate(&mut conn).unwrap();
            conn.batch_execute(&trigger(db, refuse)).unwrap();
            let why = failed(&outcome(&bare(&place, &place.url, &target.url)));
            assert!(why.contains(if refuse { "the disk is full" } else { "locations differs after it was copied" }), "{why}");
            for table in TABLES.iter().filter(|t| t.name != "auth_epoch") {
                assert!(contents(&mut conn, table)[0].1.is_empty(), "{db:?} {}", table.name);
            }
        }
    }
}

/// The output with nothing on standard error but the last line: how far it was comes before that.
fn outcome(output: &std::process::Output) -> std::process::Output {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let last = text.lines().last().unwrap_or_default().to_owned();
    std::process::Output { stderr: last.into_bytes(), ..output.clone() }
}

/// Whoever writes into the source meanwhile is noticed.
#[test]
fn writes_meanwhile_are_noticed() {
    for db in [Db::Sqlite, Db::Postgres] {
        let stage = everything(db);
        let target = empty(Db::Sqlite);
        let (from, to) = (Database::parse(&stage.server.config.database.url).unwrap(), Database::parse(&target.url).unwrap());
        let mut written = false;
        let refused = copy::copy(&from, &to, &mut |_, _, _| {
            if !std::mem::replace(&mut written, true) {
                stage.server.connect().batch_execute("INSERT INTO locations (tenant_id, name, created_at) VALUES (1, 'New', 1)").unwrap();
            }
        });
        let why = refused.unwrap_err().to_string();
        assert!(why.contains("locations: 1, then 2") && why.contains("stop every server"), "{why}");
        assert!(contents(&mut connect(&target.url), &TABLES[0])[0].1.is_empty());
    }
}

/// What is no database of ours, or an old one, is not copied.
#[test]
fn odd_sources() {
    let place = Place::new(Db::Sqlite);
    let target = empty(Db::Sqlite);
    let refused = |from: &str| failed(&outcome(&bare(&place, from, &target.url)));
    assert!(refused("sqlite:///nowhere/x.db").contains("there is no database"));
    assert!(refused("mysql://x").contains("--from: the database URL begins with"));
    place.write("empty.db", "");
    assert!(refused("sqlite://empty.db").contains("is no database of Rollbook"));
    place.acme();
    connect(&place.url).batch_execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '20261122%'").unwrap();
    assert!(refused(&place.url).contains("lacks 1 migration(s)"));
}
