//! Orders (RFC 7644 §3.4.2.3) as SQL: absent values last when ascending, first when descending, ties broken by id.

use super::backend::Dialect;
use super::resources::Kind;
use super::sql::Sql;
use crate::scim::path::AttrRef;
use crate::scim::schema::Kind as Type;
use crate::scim::value::TICKS_PER_MICRO;

/// What to sort by: the attribute for each kind of resource that has it.
#[derive(Debug, Clone)]
pub struct Sort {
    pub by: Vec<(Kind, AttrRef)>,
    /// Whether rows of other kinds are in the list too; they have no value.
    pub mixed: bool,
    pub descending: bool,
}

/// The last row of a page, from which the next one goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub kind: i16,
    pub id: String,
    /// The sort key as text; `None` when the row has no value or nothing is sorted by.
    pub key: Option<String>,
}

impl Position {
    /// After the resource of that id, where nothing is sorted by.
    #[must_use]
    pub fn after_id(kind: super::Kind, id: &str) -> Self {
        Self { kind: kind.code(), id: id.to_owned(), key: None }
    }
}

impl Sort {
    /// The sort key of a row.
    pub(super) fn key(&self, dialect: Dialect) -> String {
        match self.by.as_slice() {
            [(_, only)] if !self.mixed => expression(only, dialect),
            several => {
                let cases = several.iter().map(|(kind, attr)| format!(" WHEN {} THEN {}", kind.code(), expression(attr, dialect)));
                format!("(CASE r.kind{} END)", cases.collect::<String>())
            }
        }
    }

    /// The sort key as text, from which it can be read again.
    pub(super) fn key_text(&self, dialect: Dialect) -> String {
        let key = self.key(dialect);
        match dialect {
            // A cast would round it.
            Dialect::Sqlite if self.is_decimal() => format!("(CASE WHEN {key} IS NOT NULL THEN printf('%!.17g', {key}) END)"),
            Dialect::Sqlite | Dialect::Postgres => format!("CAST({key} AS TEXT)"),
        }
    }

    fn is_decimal(&self) -> bool {
        self.by.first().is_some_and(|(_, a)| a.leaf().kind == Type::Decimal)
    }

    fn is_number(&self) -> bool {
        self.by.first().is_some_and(|(_, a)| matches!(a.leaf().kind, Type::Boolean | Type::Integer | Type::DateTime))
    }

    pub(super) fn order_by(&self, dialect: Dialect) -> String {
        let key = self.key(dialect);
        if self.descending {
            return format!("({key} IS NULL) DESC, {key} DESC, r.kind, r.id");
        }
        format!("({key} IS NULL), {key}, r.kind, r.id")
    }

    /// The condition that a row comes after `last`.
    pub(super) fn after<'a>(&self, last: &'a Position, dialect: Dialect) -> Sql<'a> {
        let key = self.key(dialect);
        let tie = || Sql::new("(r.kind, r.id) > (").small(last.kind).sql(", ").text(last.id.as_str()).sql(")");
        let Some(text) = &last.key else {
            let nulls = Sql::new("((").made(key.clone()).sql(" IS NULL AND ").and(tie()).sql(")");
            return if self.descending { nulls.sql(" OR ").made(key).sql(" IS NOT NULL)") } else { nulls.sql(")") };
        };
        let bind = |sql: Sql<'a>| match text.parse() {
            Ok(number) if self.is_number() => sql.big(number),
            _ if self.is_decimal() => sql.double(text.parse().unwrap_or_default()),
            _ => sql.text(text.as_str()),
        };
        let beyond = if self.descending { " < " } else { " > " };
        let mut out = bind(Sql::new("(").made(key.clone()).sql(beyond));
        out = bind(out.sql(" OR (").made(key.clone()).sql(" = ")).sql(" AND ").and(tie()).sql(")");
        if self.descending { out.sql(")") } else { out.sql(" OR ").made(key).sql(" IS NULL)") }
    }
}

/// The value that a resource is sorted by: of a multi-valued attribute the primary element's, else the first one's.
fn expression(attr: &AttrRef, dialect: Dialect) -> String {
    if let Some(column) = column(attr) {
        return column;
    }
    let names: Vec<&str> = attr.extension.as_ref().map(|e| e.id.as_str()).into_iter().chain([attr.attr.name.as_str()]).collect();
    match dialect {
        Dialect::Sqlite => sqlite(attr, &names),
        Dialect::Postgres => postgres(attr, &names),
    }
}

fn column(attr: &AttrRef) -> Option<String> {
    if attr.attr.own {
        return None;
    }
    if attr.extension.is_some() {
        // A truth value is a number here, so that both databases order it.
        let column = super::filter::roll_column(attr)?;
        let truth = attr.leaf().kind == Type::Boolean;
        return Some(if truth { format!("(CASE WHEN {column} THEN 1 WHEN NOT {column} THEN 0 END)") } else { column });
    }
    Some(match (attr.attr.name.as_str(), attr.sub_name()) {
        ("id", _) => "r.id".to_owned(),
        ("userName", _) => "r.unique_key".to_owned(),
        ("externalId", _) => "r.external_id".to_owned(),
        ("displayName", _) => "r.display_key".to_owned(),
        ("meta", "created") => format!("(r.created_at * {TICKS_PER_MICRO})"),
        ("meta", "lastModified") => format!("(r.modified_at * {TICKS_PER_MICRO})"),
        _ => return None,
    })
}

fn sqlite(attr: &AttrRef, names: &[&str]) -> String {
    let path: String = names.iter().map(|n| format!(".\"{n}\"")).collect();
    let sub = attr.sub.as_ref().map(|s| format!(".\"{}\"", s.name)).unwrap_or_default();
    let typed = |value: String| if attr.leaf().kind == Type::Decimal { format!("CAST({value} AS REAL)") } else { value };
    if !attr.attr.multi_valued {
        return typed(format!("json_extract(r.fdoc, '${path}{sub}')"));
    }
    if !has_primary(attr) {
        return typed(format!("json_extract(r.fdoc, '${path}[0]{sub}')"));
    }
    typed(format!(
        "(CASE WHEN EXISTS (SELECT 1 FROM json_each(r.fdoc, '${path}') x WHERE json_extract(x.value, '$.primary') = 1) \
         THEN (SELECT json_extract(x.value, '${sub}') FROM json_each(r.fdoc, '${path}') x WHERE json_extract(x.value, '$.primary') = 1 LIMIT 1) \
         ELSE json_extract(r.fdoc, '${path}[0]{sub}') END)"
    ))
}

/// Whether one element can be marked as the first among them.
fn has_primary(attr: &AttrRef) -> bool {
    attr.attr.sub("primary").is_some_and(|sub| sub.name == "primary" && sub.kind == Type::Boolean)
}

fn postgres(attr: &AttrRef, names: &[&str]) -> String {
    let path: String = names.iter().map(|n| format!(" -> '{n}'")).collect();
    let cast = match attr.leaf().kind {
        Type::Boolean => "::boolean::int::bigint",
        Type::Integer | Type::DateTime => "::bigint",
        Type::Decimal => "::float8",
        Type::String | Type::Reference | Type::Binary | Type::Complex => " COLLATE \"C\"",
    };
    let sub = attr.sub.as_ref().map_or_else(|| " #>> '{}'".to_owned(), |s| format!(" ->> '{}'", s.name));
    if !attr.attr.multi_valued {
        return format!("((r.fdoc{path}{sub}){cast})");
    }
    if !has_primary(attr) {
        return format!("((r.fdoc{path} -> 0{sub}){cast})");
    }
    format!(
        "((CASE WHEN EXISTS (SELECT 1 FROM jsonb_array_elements(r.fdoc{path}) x(value) WHERE (x.value ->> 'primary')::boolean) \
         THEN (SELECT x.value{sub} FROM jsonb_array_elements(r.fdoc{path}) x(value) WHERE (x.value ->> 'primary')::boolean LIMIT 1) \
         ELSE r.fdoc{path} -> 0{sub} END){cast})"
    )
}
