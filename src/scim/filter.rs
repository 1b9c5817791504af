//! Filters with every name, type and operator resolved against a schema.
//!
//! Holding a [`Filter`] is proof that it is sound: it can only be made by [`resolve`] and its relatives. The store compiles
//! it to SQL; [`super::matches`] evaluates it in memory and is the oracle for the store.

use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use super::matches;
use super::parse::{self, Expr, Limits, Literal, Op};
use super::path::{self, AttrRef, Target};
use super::schema::{Attribute, Kind, ResourceType, Returned};
use super::value::{DateForm, date_time, fold};
use std::sync::Arc;

/// A resolved filter.
#[derive(Debug, Clone)]
pub struct Filter(Node);

impl Filter {
    /// Its top.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0
    }
}

/// A node of a resolved filter.
#[derive(Debug, Clone)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// A term whose attribute the resource type does not have (root queries only), or an ordering against null.
    Never,
    Present(AttrRef),
    Compare(AttrRef, Op, Lit),
    /// One element of the multi-valued attribute satisfies the inner node.
    Element(AttrRef, Box<Node>),
}

/// A literal in the type of its attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Lit {
    /// As written.
    Exact(String),
    /// Case-folded, and as written.
    Folded(String, String),
    Bool(bool),
    Int(i64),
    Decimal(f64),
    /// In units of 100 nanoseconds since the epoch, and as written.
    Time(i64, String),
}

/// What a filter is resolved against.
#[derive(Clone, Copy)]
struct Scope<'a> {
    rt: &'a ResourceType,
    /// An unknown name is an error, unless other resource types may have it.
    unknown_is_error: bool,
    /// Inside brackets: the attribute whose sub-attributes are meant.
    element: Option<&'a AttrRef>,
}

/// Parses and resolves a filter on one resource type.
///
/// # Errors
/// 400 `invalidFilter` that names the attribute, the operator or the literal at fault.
pub fn resolve(rt: &ResourceType, text: &str, limits: Limits, reading: &mut Reading) -> Result<Filter, Error> {
    let expr = parse::filter(text, limits, reading)?;
    node(&expr, Scope { rt, unknown_is_error: true, element: None }, reading).map(Filter)
}

/// Resolves a parsed filter for one of several resource types: names that it does not have are without value.
///
/// # Errors
/// As [`resolve`], but not for unknown names.
pub fn resolve_shared(rt: &ResourceType, expr: &Expr, reading: &mut Reading) -> Result<Filter, Error> {
    node(expr, Scope { rt, unknown_is_error: false, element: None }, reading).map(Filter)
}

/// Resolves the filter between the brackets of a value path.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_element(rt: &ResourceType, attr: &AttrRef, expr: &Expr, reading: &mut Reading) -> Result<Filter, Error> {
    node(expr, Scope { rt, unknown_is_error: true, element: Some(attr) }, reading).map(Filter)
}

fn node(expr: &Expr, scope: Scope<'_>, reading: &mut Reading) -> Result<Node, Error> {
    Ok(match expr {
        Expr::And(terms) => Node::All(terms.iter().map(|t| node(t, scope, reading)).collect::<Result<_, _>>()?),
        Expr::Or(terms) => Node::Any(terms.iter().map(|t| node(t, scope, reading)).collect::<Result<_, _>>()?),
        Expr::Not(inner) => Node::Not(Box::new(node(inner, scope, reading)?)),
        Expr::Present(name) => scope.find(name, reading)?.map_or(Node::Never, Node::Present),
        Expr::Compare(name, op, literal) => match scope.find(name, reading)? {
            Some(attr) => of_type(scope, compare(attr, *op, literal, reading)?),
            // What is not there equals null.
            None if *op == Op::Eq && *literal == Literal::Null => Node::Not(Box::new(Node::Never)),
            None => Node::Never,
        },
        Expr::Element(name, inner) => element(name, inner, scope, reading)?,
    })
}

/// `meta.resourceType` is the same for every resource of a type.
fn of_type(scope: Scope<'_>, test: Node) -> Node {
    match &test {
        Node::Compare(attr, op, Lit::Exact(want)) if attr.is_core("meta") && attr.sub_name() == "resourceType" => {
            if matches::text(&scope.rt.name, *op, want) { Node::Not(Box::new(Node::Never)) } else { Node::Never }
        }
        _ => test,
    }
}

fn element(name: &str, inner: &Expr, scope: Scope<'_>, reading: &mut Reading) -> Result<Node, Error> {
    let Some(attr) = scope.find(name, reading)? else { return Ok(Node::Never) };
    if attr.sub.is_some() || !attr.attr.multi_valued {
        return Err(Error::filter(format!("{attr} is not multi-valued, so it cannot be followed by brackets")));
    }
    let inner = node(inner, Scope { element: Some(&attr), ..scope }, reading)?;
    Ok(Node::Element(attr.clone(), Box::new(inner)))
}

impl Scope<'_> {
    fn find(self, name: &str, reading: &mut Reading) -> Result<Option<AttrRef>, Error> {
        let found = match self.element {
            Some(attr) => sub_of(attr, name),
            None => match path::resolve(self.rt, name, reading) {
                Some(Target::Attr(attr)) => Some(attr),
                Some(Target::Extension(_)) | None => None,
            },
        };
        match found.filter(|attr| !reading.hides(&attr.attr)) {
            Some(attr) if attr.attr.returned == Returned::Never || attr.leaf().returned == Returned::Never => {
                Err(Error::filter(format!("{attr} cannot be used in a filter")))
            }
            Some(attr) if attr.is_core("meta") && matches!(attr.sub_name(), "version" | "location") => {
                Err(Error::filter(format!("{attr} cannot be used in a filter; use If-Match or the id")))
            }
            Some(attr) => Ok(Some(attr)),
            None if self.unknown_is_error => {
                let within = self.element.map_or(self.rt.name.clone(), ToString::to_string);
                Err(Error::filter(format!("\"{}\" is not an attribute of {within}", shown(name))))
            }
            None => Ok(None),
        }
    }
}

/// `type` inside `emails[...]`; `value` inside a simple multi-valued attribute means the element itself.
fn sub_of(attr: &AttrRef, name: &str) -> Option<AttrRef> {
    if attr.attr.is_complex() {
        return attr.attr.sub(name).map(|s| attr.with_sub(s));
    }
    name.eq_ignore_ascii_case("value").then(|| attr.clone())
}

fn compare(attr: AttrRef, op: Op, literal: &Literal, reading: &mut Reading) -> Result<Node, Error> {
    let attr = if attr.leaf().is_complex() { default_sub(&attr, reading)? } else { attr };
    if *literal == Literal::Null {
        return Ok(if op == Op::Eq { Node::Not(Box::new(Node::Present(attr))) } else { Node::Never });
    }
    check_operator(&attr, op)?;
    let lit = typed(&attr, literal, reading)?;
    Ok(Node::Compare(attr, op, lit))
}

/// A complex attribute without a sub-attribute means its `value`.
fn default_sub(attr: &AttrRef, reading: &mut Reading) -> Result<AttrRef, Error> {
    let value = attr.attr.sub("value").map(|s| attr.with_sub(s));
    match value {
        Some(v) if attr.attr.multi_valued => Ok(v),
        Some(v) if reading.allow(Quirk::ComplexComparison, || format!("filter: {attr} read as {v}")) => Ok(v),
        _ => Err(Error::filter(format!("{attr} is complex; name one of its sub-attributes"))),
    }
}

fn check_operator(attr: &AttrRef, op: Op) -> Result<(), Error> {
    let ordering = matches!(op, Op::Gt | Op::Ge | Op::Lt | Op::Le);
    // What a server makes up of an id and its own address can only be told apart as a whole.
    let computed = attr.sub_name() == "$ref" && op != Op::Eq;
    let legal = match attr.leaf().kind {
        _ if computed => false,
        Kind::String | Kind::Reference => true,
        Kind::Boolean | Kind::Binary => op == Op::Eq,
        Kind::Integer | Kind::Decimal | Kind::DateTime => op == Op::Eq || ordering,
        Kind::Complex => false,
    };
    if legal {
        return Ok(());
    }
    Err(Error::filter(format!("the operator {} cannot be applied to {attr}, which is a {:?}", op_name(op), attr.leaf().kind)))
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Eq => "eq",
        Op::Co => "co",
        Op::Sw => "sw",
        Op::Ew => "ew",
        Op::Gt => "gt",
        Op::Ge => "ge",
        Op::Lt => "lt",
        Op::Le => "le",
    }
}

fn typed(attr: &AttrRef, literal: &Literal, reading: &mut Reading) -> Result<Lit, Error> {
    let leaf = attr.leaf();
    if let Some(lit) = exactly(leaf, literal) {
        return Ok(lit);
    }
    let bent = match (leaf.kind, literal) {
        (Kind::Boolean, Literal::String(s)) => bool_word(s).map(Lit::Bool),
        (Kind::String | Kind::Reference, Literal::Number(n)) => Some(string(leaf, &n.to_string())),
        (Kind::String | Kind::Reference, Literal::Bool(b)) => Some(string(leaf, &b.to_string())),
        (Kind::DateTime, Literal::String(s)) => date_time(s).map(|(t, _)| Lit::Time(t, s.clone())),
        (Kind::Integer, Literal::String(s)) => s.parse().ok().map(Lit::Int),
        (Kind::Decimal, Literal::String(s)) => s.parse().ok().map(Lit::Decimal),
        _ => None,
    };
    match bent {
        Some(lit) if reading.allow(Quirk::LiteralType, || format!("filter: the literal for {attr} read as a {:?}", leaf.kind)) => Ok(lit),
        _ => Err(Error::filter(format!("{attr} is a {:?}; the literal is not", leaf.kind))),
    }
}

fn exactly(leaf: &Arc<Attribute>, literal: &Literal) -> Option<Lit> {
    match (leaf.kind, literal) {
        (Kind::String | Kind::Reference | Kind::Binary, Literal::String(s)) => Some(string(leaf, s)),
        (Kind::Boolean, Literal::Bool(b)) => Some(Lit::Bool(*b)),
        (Kind::Integer, Literal::Number(n)) => n.as_i64().map(Lit::Int),
        (Kind::Decimal, Literal::Number(n)) => n.as_f64().map(Lit::Decimal),
        (Kind::DateTime, Literal::String(s)) => {
            date_time(s).filter(|(_, form)| *form == DateForm::Exact).map(|(t, _)| Lit::Time(t, s.clone()))
        }
        _ => None,
    }
}

fn string(leaf: &Attribute, text: &str) -> Lit {
    if leaf.case_exact || leaf.kind == Kind::Binary {
        return Lit::Exact(text.to_owned());
    }
    Lit::Folded(fold(text).into_owned(), text.to_owned())
}

/// `"True"`, `"false"` and the like.
#[must_use]
pub fn bool_word(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}
