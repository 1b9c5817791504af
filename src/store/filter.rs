//! Filters as SQL.
//!
//! A few attributes have columns with indexes, group membership is rows, everything else is read from the JSON column
//! `fdoc`. No condition ever yields NULL, so that `not` means what it means in memory. JSON paths come from the schema
//! and stand in the text; whatever a client sent is a bind.

use super::backend::Dialect;
use super::sql::Sql;
use crate::domain::TenantId;
use crate::scim::filter::{Lit, Node};
use crate::scim::parse::Op;
use crate::scim::path::AttrRef;
use crate::scim::schema::Kind as Type;
use crate::scim::value::TICKS_PER_MICRO;
use crate::scim::{Attribute, EMPLOYEE_URN, ENTERPRISE_URN, Filter};

/// The condition on `resources r` that a filter means.
#[must_use]
pub fn compile(filter: &Filter, tenant: TenantId, dialect: Dialect) -> Sql<'_> {
    Compiler { tenant, dialect }.node(filter.node())
}

/// Whether a filter is one equality that an index answers with few rows.
#[must_use]
pub fn is_look_up(filter: &Filter) -> bool {
    let Node::Compare(attr, Op::Eq, _) = filter.node() else { return false };
    let email = attr.is_core("emails") && attr.sub_name() == "value";
    email || has_index(attr)
}

/// Whether an index narrows a filter down to few rows, so that the order is better made afterwards.
#[must_use]
pub fn is_selective(filter: &Filter) -> bool {
    selective(filter.node())
}

fn selective(node: &Node) -> bool {
    match node {
        Node::All(terms) => terms.iter().any(selective),
        Node::Any(terms) => terms.iter().all(selective),
        Node::Compare(attr, Op::Eq | Op::Sw, _) => {
            let by_value = ["emails", "members", "groups"].iter().any(|name| attr.is_core(name)) && attr.sub_name() == "value";
            by_value || has_index(attr)
        }
        Node::Element(attr, inner) => attr.is_core("emails") && required_value(inner).is_some(),
        Node::Not(_) | Node::Never | Node::Present(_) | Node::Compare(..) => false,
    }
}

fn has_index(attr: &AttrRef) -> bool {
    ["id", "userName", "externalId", "displayName"].iter().any(|name| attr.is_core(name))
}

/// The condition on `group_members m` and the member's row `e` that a filter inside `members[…]` means.
#[must_use]
pub fn on_member(filter: &Filter, dialect: Dialect) -> Sql<'_> {
    let c = Compiler { tenant: TenantId(0), dialect };
    logic(filter.node(), &|n| c.member_term(n))
}

#[derive(Clone, Copy)]
struct Compiler {
    tenant: TenantId,
    dialect: Dialect,
}

/// What a comparison reads, as SQL text.
struct Source {
    sql: String,
    /// A column with an index: compared bare, with NULL excluded beside it.
    column: bool,
}

impl Source {
    fn column(name: &str) -> Self {
        Self { sql: name.to_owned(), column: true }
    }
}

impl<'a> Compiler {
    fn node(self, node: &'a Node) -> Sql<'a> {
        logic(node, &move |n| self.term(n))
    }

    fn term(self, node: &'a Node) -> Sql<'a> {
        match node {
            Node::Present(attr) | Node::Compare(attr, ..) => self.attribute(attr, node),
            Node::Element(attr, inner) if attr.is_core("members") => self.group_with(inner),
            Node::Element(attr, inner) if attr.is_core("groups") => self.user_in(inner),
            Node::Element(attr, inner) => self.element(attr, inner),
            Node::All(_) | Node::Any(_) | Node::Not(_) | Node::Never => self.node(node),
        }
    }

    /// A test on an attribute outside brackets.
    fn attribute(self, attr: &'a AttrRef, node: &'a Node) -> Sql<'a> {
        if attr.is_core("members") {
            return self.group_with(node);
        }
        if attr.is_core("groups") {
            return self.user_in(node);
        }
        let manager = attr.attr.name == "manager" && attr.extension.as_ref().is_some_and(|e| e.id == ENTERPRISE_URN);
        if manager && matches!(attr.sub_name(), "$ref" | "displayName") {
            return self.managed_by(attr, node);
        }
        if let (true, Node::Compare(_, op @ (Op::Eq | Op::Sw), lit)) = (attr.is_core("emails") && attr.sub_name() == "value", node) {
            return self.with_email(*op, lit);
        }
        if let Some(source) = column(attr) {
            return self.test(&source, attr.leaf(), node);
        }
        let base = self.path("r.fdoc", &holder(attr));
        if !attr.attr.multi_valued {
            return self.single(&base, attr, node);
        }
        let open = self.each(&base);
        Sql::new("EXISTS (SELECT 1 FROM ").made(open).sql(" WHERE ").and(self.in_element(attr, node)).sql(")")
    }

    /// A singular attribute in JSON; a complex one is present when any sub-attribute is.
    fn single(self, base: &str, attr: &'a AttrRef, node: &'a Node) -> Sql<'a> {
        match &attr.sub {
            Some(sub) => self.json_test(base, Some(&sub.name), sub, node),
            None if attr.attr.is_complex() => any_sub(&attr.attr, |sub| self.json_test(base, Some(&sub.name), sub, node)),
            None => self.json_test(base, None, &attr.attr, node),
        }
    }

    /// `attr[inner]`. An equality on `emails.value` among its conditions brings the index in.
    fn element(self, attr: &'a AttrRef, inner: &'a Node) -> Sql<'a> {
        let open = self.each(&self.path("r.fdoc", &holder(attr)));
        let test = logic(inner, &move |n| self.in_element(attr, n));
        let exists = Sql::new("EXISTS (SELECT 1 FROM ").made(open).sql(" WHERE ").and(test).sql(")");
        let equal = attr.is_core("emails").then(|| required_value(inner)).flatten();
        match equal {
            Some(lit) => Sql::new("(").and(self.with_email(Op::Eq, lit)).sql(" AND ").and(exists).sql(")"),
            None => exists,
        }
    }

    /// A test on the element `x` of a multi-valued attribute.
    fn in_element(self, attr: &'a AttrRef, node: &'a Node) -> Sql<'a> {
        let tested = match node {
            Node::Present(a) | Node::Compare(a, ..) => a,
            _ => attr,
        };
        match &tested.sub {
            Some(sub) => self.json_test("x.value", Some(&sub.name), sub, node),
            None if tested.attr.is_complex() => any_sub(&tested.attr, |sub| self.json_test("x.value", Some(&sub.name), sub, node)),
            None => self.test(&Source { sql: self.element_itself(&tested.attr), column: false }, &tested.attr, node),
        }
    }

    /// An element that is a simple value.
    fn element_itself(self, attr: &Attribute) -> String {
        match self.dialect {
            Dialect::Sqlite if attr.kind == Type::Decimal => "CAST(x.value AS REAL)".to_owned(),
            Dialect::Sqlite => "x.value".to_owned(),
            Dialect::Postgres => typed("(x.value #>> '{}')", attr.kind),
        }
    }

    fn json_test(self, base: &str, key: Option<&str>, leaf: &Attribute, node: &'a Node) -> Sql<'a> {
        self.test(&Source { sql: self.scalar(base, key, leaf), column: false }, leaf, node)
    }

    /// `pr` or a comparison on a source that yields one value or NULL.
    fn test(self, source: &Source, leaf: &Attribute, node: &'a Node) -> Sql<'a> {
        match node {
            Node::Compare(_, op, lit) => self.compare(source, *op, lit),
            _ if matches!(leaf.kind, Type::String | Type::Reference | Type::Binary) && !is_number(source) => {
                Sql::new("COALESCE(").made(source.sql.clone()).sql(" <> '', FALSE)")
            }
            _ => Sql::new("(").made(source.sql.clone()).sql(" IS NOT NULL)"),
        }
    }

    fn compare(self, source: &Source, op: Op, lit: &'a Lit) -> Sql<'a> {
        let sql = || source.sql.clone();
        let guard = |test: Sql<'a>| {
            if source.column {
                Sql::new("(").made(sql()).sql(" IS NOT NULL AND ").and(test).sql(")")
            } else {
                Sql::new("COALESCE(").and(test).sql(", FALSE)")
            }
        };
        match lit {
            Lit::Exact(want) | Lit::Folded(want, _) => guard(self.text_test(&source.sql, op, want)),
            Lit::Bool(want) => guard(Sql::new("(").made(sql()).sql(" = ").bool(*want).sql(")")),
            Lit::Int(want) | Lit::Time(want, _) => guard(Sql::new("(").made(sql()).sql(symbol(op)).big(*want).sql(")")),
            Lit::Decimal(want) => guard(Sql::new("(").made(sql()).sql(symbol(op)).double(*want).sql(")")),
        }
    }

    fn text_test(self, source: &str, op: Op, want: &'a str) -> Sql<'a> {
        let source = source.to_owned();
        match op {
            Op::Co => Sql::new(self.position()).made(source).sql(", ").text(want).sql(") > 0"),
            Op::Sw => prefix(source, want),
            Op::Ew if want.is_empty() => Sql::new("(").made(source).sql(" IS NOT NULL)"),
            Op::Ew => self.suffix(source, want),
            other => Sql::default().made(source).sql(symbol(other)).text(want),
        }
    }

    fn position(self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "instr(",
            Dialect::Postgres => "strpos(",
        }
    }

    fn suffix(self, source: String, want: &'a str) -> Sql<'a> {
        let length = i64::try_from(want.chars().count()).unwrap_or(i64::MAX);
        match self.dialect {
            Dialect::Sqlite => Sql::new("substr(").made(source).sql(", ").big(-length).sql(") = ").text(want),
            Dialect::Postgres => Sql::new("right(").made(source).sql(", ").big(length).sql("::int) = ").text(want),
        }
    }

    // -- e-mail and membership -----------------------------------------------

    fn with_email(self, op: Op, lit: &'a Lit) -> Sql<'a> {
        let (Lit::Folded(want, _) | Lit::Exact(want)) = lit else { return Sql::new("(1 = 0)") };
        Sql::new("r.id IN (SELECT e.resource_id FROM resource_emails e WHERE e.tenant_id = ")
            .big(self.tenant.0)
            .sql(" AND ")
            .and(self.text_test("e.value_key", op, want))
            .sql(")")
    }

    /// Groups with a member that passes. The member's own row is read only for its name.
    fn group_with(self, node: &'a Node) -> Sql<'a> {
        let join = " JOIN resources e ON e.tenant_id = m.tenant_id AND e.kind = m.member_kind AND e.id = m.member_id";
        Sql::new("r.id IN (SELECT m.group_id FROM group_members m")
            .sql(if names(node, "display") { join } else { "" })
            .sql(" WHERE m.tenant_id = ")
            .big(self.tenant.0)
            .sql(" AND ")
            .and(logic(node, &move |n| self.member_term(n)))
            .sql(")")
    }

    fn member_term(self, node: &'a Node) -> Sql<'a> {
        let (Node::Present(attr) | Node::Compare(attr, ..)) = node else { return Sql::new("(1 = 0)") };
        let source = match attr.sub_name() {
            "display" => "e.display_key".to_owned(),
            "type" => "CASE m.member_kind WHEN 2 THEN 'group' ELSE 'user' END".to_owned(),
            _ => "m.member_id".to_owned(),
        };
        self.reference_test(attr, &source, node)
    }

    /// Users that are, directly or not, in a group that passes.
    fn user_in(self, node: &'a Node) -> Sql<'a> {
        if let Some(Lit::Exact(group)) = required_value(node).filter(|_| matches!(node, Node::Compare(..))) {
            return self.user_in_group(group);
        }
        Sql::new("r.id IN (WITH RECURSIVE up (member, grp, direct) AS (SELECT m.member_id, m.group_id, 1 FROM group_members m WHERE m.member_kind = 1 AND m.tenant_id = ")
            .big(self.tenant.0)
            .sql(" UNION SELECT up.member, g.group_id, 0 FROM up JOIN group_members g ON g.member_id = up.grp AND g.tenant_id = ")
            .big(self.tenant.0)
            .sql("), best (member, grp, direct) AS (SELECT member, grp, MAX(direct) FROM up GROUP BY member, grp) SELECT m.member FROM best m JOIN resources e ON e.kind = 2 AND e.id = m.grp AND e.tenant_id = ")
            .big(self.tenant.0)
            .sql(" WHERE ")
            .and(logic(node, &move |n| self.group_term(n)))
            .sql(")")
    }

    fn group_term(self, node: &'a Node) -> Sql<'a> {
        let (Node::Present(attr) | Node::Compare(attr, ..)) = node else { return Sql::new("(1 = 0)") };
        let source = match attr.sub_name() {
            "display" => "e.display_key".to_owned(),
            "type" => "CASE m.direct WHEN 1 THEN 'direct' ELSE 'indirect' END".to_owned(),
            _ => "m.grp".to_owned(),
        };
        self.reference_test(attr, &source, node)
    }

    /// `value` and `type` are always there; `$ref` is the URL that ends in the id.
    fn reference_test(self, attr: &AttrRef, source: &str, node: &'a Node) -> Sql<'a> {
        if let (Node::Compare(_, Op::Eq, Lit::Exact(url)), "$ref") = (node, attr.sub_name()) {
            let id = url.trim_end_matches('/').rsplit('/').next().unwrap_or(url);
            return Sql::new("(").made(source.to_owned()).sql(" = ").text(id).sql(")");
        }
        self.test(&Source::column(source), attr.leaf(), node)
    }

    /// Users whose manager exists and passes; `manager.value` itself is in the document.
    fn managed_by(self, attr: &AttrRef, node: &'a Node) -> Sql<'a> {
        let source = if attr.sub_name() == "$ref" { "e.id" } else { "e.display_key" };
        Sql::new("COALESCE(r.manager IN (SELECT e.id FROM resources e WHERE e.kind = 1 AND e.tenant_id = ")
            .big(self.tenant.0)
            .sql(" AND ")
            .and(self.reference_test(attr, source, node))
            .sql("), FALSE)")
    }

    /// Every user below one group: from the group down, by index.
    fn user_in_group(self, group: &'a str) -> Sql<'a> {
        Sql::new("r.id IN (WITH RECURSIVE down (id) AS (SELECT m.member_id FROM group_members m WHERE m.tenant_id = ")
            .big(self.tenant.0)
            .sql(" AND m.group_id = ")
            .text(group)
            .sql(" UNION SELECT m.member_id FROM down JOIN group_members m ON m.group_id = down.id AND m.tenant_id = ")
            .big(self.tenant.0)
            .sql(") SELECT id FROM down)")
    }

    // -- JSON ------------------------------------------------------------------

    /// The JSON value at a path of names below `base`.
    fn path(self, base: &str, names: &[&str]) -> String {
        match self.dialect {
            Dialect::Sqlite => {
                let path: String = names.iter().map(|n| format!(".\"{n}\"")).collect();
                format!("{base}|${path}")
            }
            Dialect::Postgres => {
                let path: String = names.iter().map(|n| format!(" -> '{n}'")).collect();
                format!("({base}{path})")
            }
        }
    }

    /// A table `x(value)` of the elements of the array at a path.
    fn each(self, path: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => {
                let (base, path) = path.split_once('|').unwrap_or((path, "$"));
                format!("json_each({base}, '{path}') x")
            }
            Dialect::Postgres => format!("jsonb_array_elements({path}) x(value)"),
        }
    }

    /// The simple value at a path, or at `key` below it.
    fn scalar(self, path: &str, key: Option<&str>, leaf: &Attribute) -> String {
        match self.dialect {
            Dialect::Sqlite => {
                let (base, path) = path.split_once('|').unwrap_or((path, "$"));
                let key = key.map(|k| format!(".\"{k}\"")).unwrap_or_default();
                let value = format!("json_extract({base}, '{path}{key}')");
                // A whole number is compared as what it is elsewhere: one with a point.
                if leaf.kind == Type::Decimal { format!("CAST({value} AS REAL)") } else { value }
            }
            Dialect::Postgres => {
                let text = match key {
                    Some(key) => format!("({path} ->> '{key}')"),
                    None => format!("({path} #>> '{{}}')"),
                };
                typed(&text, leaf.kind)
            }
        }
    }
}

/// The text of a JSON value as PostgreSQL compares values of the type.
fn typed(text: &str, kind: Type) -> String {
    match kind {
        Type::Boolean => format!("{text}::boolean"),
        Type::Integer | Type::DateTime => format!("{text}::bigint"),
        Type::Decimal => format!("{text}::float8"),
        Type::String | Type::Reference | Type::Binary | Type::Complex => format!("{text} COLLATE \"C\""),
    }
}

/// `and`, `or` and `not` around the terms that `term` compiles.
fn logic<'a>(node: &'a Node, term: &dyn Fn(&'a Node) -> Sql<'a>) -> Sql<'a> {
    let join = |terms: &'a [Node], word: &'static str| {
        let mut out = Sql::new("(");
        for (i, t) in terms.iter().enumerate() {
            out = if i > 0 { out.sql(word) } else { out }.and(logic(t, term));
        }
        out.sql(")")
    };
    match node {
        Node::All(terms) => join(terms, " AND "),
        Node::Any(terms) => join(terms, " OR "),
        Node::Not(inner) => Sql::new("NOT (").and(logic(inner, term)).sql(")"),
        Node::Never => Sql::new("(1 = 0)"),
        other => term(other),
    }
}

fn any_sub<'a>(attr: &'a Attribute, test: impl Fn(&'a Attribute) -> Sql<'a>) -> Sql<'a> {
    let mut out = Sql::new("(1 = 0");
    for sub in &attr.sub_attributes {
        out = out.sql(" OR ").and(test(sub));
    }
    out.sql(")")
}

/// Whether a condition is about this sub-attribute, among others.
fn names(node: &Node, sub: &str) -> bool {
    match node {
        Node::All(terms) | Node::Any(terms) => terms.iter().any(|t| names(t, sub)),
        Node::Not(inner) | Node::Element(_, inner) => names(inner, sub),
        Node::Present(attr) | Node::Compare(attr, ..) => attr.sub_name() == sub,
        Node::Never => false,
    }
}

fn is_number(source: &Source) -> bool {
    source.column && (source.sql.contains("created_at") || source.sql.contains("modified_at"))
}

/// The path of names that leads to an attribute in `fdoc`.
fn holder(attr: &AttrRef) -> Vec<&str> {
    let ext = attr.extension.as_ref().map(|e| e.id.as_str());
    ext.into_iter().chain([attr.attr.name.as_str()]).collect()
}

/// The attributes that have a column.
fn column(attr: &AttrRef) -> Option<Source> {
    if attr.attr.own {
        return None;
    }
    if attr.extension.is_some() {
        return roll_column(attr).map(|sql| Source::column(&sql));
    }
    match (attr.attr.name.as_str(), attr.sub_name()) {
        ("userName", _) => Some(Source::column("r.unique_key")),
        ("externalId", _) => Some(Source::column("r.external_id")),
        ("displayName", _) => Some(Source::column("r.display_key")),
        ("meta", "created") => Some(Source::column(&format!("(r.created_at * {TICKS_PER_MICRO})"))),
        ("meta", "lastModified") => Some(Source::column(&format!("(r.modified_at * {TICKS_PER_MICRO})"))),
        ("id" | "meta", _) => Some(Source::column("r.id")),
        _ => None,
    }
}

/// What the roll says of a user, which is in columns and not in the document.
pub(super) fn roll_column(attr: &AttrRef) -> Option<String> {
    let time = |column: &str| format!("(r.{column} * {TICKS_PER_MICRO})");
    if attr.extension.as_ref()?.id != EMPLOYEE_URN {
        return None;
    }
    Some(match attr.attr.name.as_str() {
        "state" => "(CASE r.state WHEN 1 THEN 'uninvited' WHEN 2 THEN 'invited' WHEN 3 THEN 'claimed' ELSE 'quarantined' END)".to_owned(),
        "invited" => "r.invited".to_owned(),
        "claimed" => "(COALESCE(r.prior, r.state) = 3)".to_owned(),
        "canDelete" => "(NOT r.ever_claimed OR r.state = 4)".to_owned(),
        "inviteDate" => time("invited_at"),
        "claimDate" => time("claimed_at"),
        "deactivateDate" => time("quarantined_at"),
        "quarantineUntil" => time("purge_at"),
        _ => return None,
    })
}

/// `value eq x` that must hold for the whole condition to hold.
fn required_value(node: &Node) -> Option<&Lit> {
    match node {
        Node::Compare(attr, Op::Eq, lit) if attr.sub_name() == "value" => Some(lit),
        Node::All(terms) => terms.iter().find_map(required_value),
        _ => None,
    }
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Gt => " > ",
        Op::Ge => " >= ",
        Op::Lt => " < ",
        Op::Le => " <= ",
        Op::Eq | Op::Co | Op::Sw | Op::Ew => " = ",
    }
}

/// A prefix is a range, so that an index serves it.
fn prefix(source: String, want: &str) -> Sql<'_> {
    let from = Sql::new("(").made(source.clone()).sql(" >= ").text(want);
    match successor(want) {
        Some(end) => from.sql(" AND ").made(source).sql(" < ").text(end).sql(")"),
        None => from.sql(")"),
    }
}

/// The least text that is greater than everything that begins with `text`, by code points.
fn successor(text: &str) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(successor("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(successor(""), None);
    }
}
