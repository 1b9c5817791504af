//! The grammar of filters and PATCH paths (RFC 7644 §3.4.2.2, §3.5.2): text to syntax tree, with offsets and limits.
//!
//! Names are not looked up here; see [`super::filter`].

use super::dialect::{Quirk, Reading};
use super::error::{Error, shown};
use serde_json::Number;

/// How large a filter may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes.
    pub length: usize,
    /// Nesting of parentheses and brackets.
    pub depth: usize,
    /// Conditions on an attribute.
    pub terms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { length: 8192, depth: 32, terms: 100 }
    }
}

/// A comparison operator. `ne` is `not` around [`Op::Eq`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
}

/// A filter as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Present(String),
    Compare(String, Op, Literal),
    /// `path[inner]`
    Element(String, Box<Expr>),
}

/// A PATCH path as it is written: `name`, `name[filter]` or `name[filter].sub`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub name: String,
    pub filter: Option<Expr>,
    pub sub: Option<String>,
}

/// Parses a filter.
///
/// # Errors
/// 400 `invalidFilter`, with the offset of the fault.
pub fn filter(text: &str, limits: Limits, reading: &mut Reading) -> Result<Expr, Error> {
    if text.len() > limits.length {
        return Err(Error::filter(format!("the filter has {} bytes; at most {} are accepted", text.len(), limits.length)));
    }
    let mut p = Parser { text, at: 0, depth: limits.depth, terms: limits.terms, reading };
    let expr = p.disjunction(false)?;
    p.spaces();
    if p.at < text.len() {
        return Err(p.fault("unexpected text"));
    }
    Ok(expr)
}

/// Parses a PATCH path.
///
/// # Errors
/// 400 `invalidPath`; 400 `invalidFilter` for a fault inside the brackets.
pub fn path(text: &str, limits: Limits, reading: &mut Reading) -> Result<Path, Error> {
    let text = text.trim();
    if text.len() > limits.length {
        return Err(Error::path(format!("the path has {} bytes; at most {} are accepted", text.len(), limits.length)));
    }
    let mut p = Parser { text, at: 0, depth: limits.depth, terms: limits.terms, reading };
    let bad = || Error::path(format!("\"{}\" is not a path", shown(text)));
    let name = p.name().map_err(|_| bad())?;
    let filter = match p.eat('[') {
        // An index, or no end: no filter at all.
        true if !p.rest().contains(']') || p.rest().starts_with(|c: char| c.is_ascii_digit()) => return Err(bad()),
        true => Some(p.bracket()?),
        false => None,
    };
    let sub = if filter.is_some() && p.eat('.') { Some(p.name().map_err(|_| bad())?) } else { None };
    if p.at < text.len() {
        return Err(bad());
    }
    Ok(Path { name, filter, sub })
}

struct Parser<'a, 'r> {
    text: &'a str,
    at: usize,
    depth: usize,
    terms: usize,
    reading: &'r mut Reading,
}

impl<'a> Parser<'a, '_> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn fault(&self, what: &str) -> Error {
        let rest = self.rest();
        let near = if rest.is_empty() { "the end".to_owned() } else { format!("\"{}\"", shown(rest)) };
        Error::filter(format!("{what} at offset {} of the filter, at {near}", self.at))
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// The next run of characters that are neither space nor bracket.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        rest.get(..rest.find([' ', '(', ')', '[', ']']).unwrap_or(rest.len())).unwrap_or("")
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.word().eq_ignore_ascii_case(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| self.fault("nested too deeply"))?;
        let result = inner(self);
        self.depth += 1;
        result
    }

    fn disjunction(&mut self, in_element: bool) -> Result<Expr, Error> {
        let mut terms = vec![self.conjunction(in_element)?];
        while self.connective("or") {
            terms.push(self.conjunction(in_element)?);
        }
        Ok(one_or(terms, Expr::Or))
    }

    fn conjunction(&mut self, in_element: bool) -> Result<Expr, Error> {
        let mut terms = vec![self.term(in_element)?];
        while self.connective("and") {
            terms.push(self.term(in_element)?);
        }
        Ok(one_or(terms, Expr::And))
    }

    fn connective(&mut self, word: &str) -> bool {
        let before = self.at;
        self.spaces();
        let found = self.keyword(word);
        if !found {
            self.at = before;
        }
        found
    }

    fn term(&mut self, in_element: bool) -> Result<Expr, Error> {
        self.spaces();
        if self.eat('(') {
            return self.parenthesis(in_element);
        }
        let start = self.at;
        if self.keyword("not") {
            self.spaces();
            if self.eat('(') {
                return Ok(Expr::Not(Box::new(self.parenthesis(in_element)?)));
            }
            self.at = start;
        }
        self.attribute_term(in_element)
    }

    fn parenthesis(&mut self, in_element: bool) -> Result<Expr, Error> {
        let inner = self.deeper(|p| p.disjunction(in_element))?;
        self.spaces();
        if self.eat(')') { Ok(inner) } else { Err(self.fault("\")\" is missing")) }
    }

    fn bracket(&mut self) -> Result<Expr, Error> {
        let inner = self.deeper(|p| p.disjunction(true))?;
        self.spaces();
        if self.eat(']') { Ok(inner) } else { Err(self.fault("\"]\" is missing")) }
    }

    fn attribute_term(&mut self, in_element: bool) -> Result<Expr, Error> {
        self.terms = self.terms.checked_sub(1).ok_or_else(|| self.fault("too many conditions (filter_terms)"))?;
        let name = self.name()?;
        if self.eat('[') {
            if in_element {
                return Err(self.fault("brackets inside brackets are not allowed"));
            }
            let inner = self.bracket()?;
            return self.element(name, inner);
        }
        self.comparison(name)
    }

    /// `path[inner]`, or the tolerated `path[inner].sub op value`.
    fn element(&mut self, name: String, inner: Expr) -> Result<Expr, Error> {
        let dot = self.at;
        if !self.eat('.') {
            return Ok(Expr::Element(name, Box::new(inner)));
        }
        let sub = self.name()?;
        let test = self.comparison(sub.clone())?;
        if !self.reading.allow(Quirk::ValuePathSuffix, || format!("{name}[…].{sub}: read as a condition inside the brackets")) {
            self.at = dot;
            return Err(self.fault("a sub-attribute cannot follow the brackets in a filter"));
        }
        Ok(Expr::Element(name, Box::new(Expr::And(vec![inner, test]))))
    }

    fn comparison(&mut self, name: String) -> Result<Expr, Error> {
        if !self.rest().starts_with(' ') {
            return Err(self.fault("an operator is missing"));
        }
        self.spaces();
        if self.keyword("pr") {
            return Ok(Expr::Present(name));
        }
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let op = match lower.as_str() {
            "eq" | "ne" => Op::Eq,
            "co" => Op::Co,
            "sw" => Op::Sw,
            "ew" => Op::Ew,
            "gt" => Op::Gt,
            "ge" => Op::Ge,
            "lt" => Op::Lt,
            "le" => Op::Le,
            "" => return Err(self.fault("an operator is missing")),
            _ => return Err(self.fault(&format!("\"{}\" is not an operator", shown(word)))),
        };
        self.at += word.len();
        if !self.rest().starts_with(' ') {
            return Err(self.fault("a value is missing"));
        }
        self.spaces();
        let value = self.literal()?;
        let test = Expr::Compare(name, op, value);
        Ok(if lower == "ne" { Expr::Not(Box::new(test)) } else { test })
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        if self.rest().starts_with('"') {
            return self.quoted().map(Literal::String);
        }
        let word = self.word();
        let value = match word {
            "" => return Err(self.fault("a value is missing")),
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            "null" => Literal::Null,
            _ => match serde_json::from_str::<Number>(word) {
                Ok(n) => Literal::Number(n),
                Err(_) => self.unquoted(word)?,
            },
        };
        self.at += word.len();
        Ok(value)
    }

    fn unquoted(&mut self, word: &str) -> Result<Literal, Error> {
        let bare = !word.starts_with('\'') && !word.contains('"');
        if bare && self.reading.allow(Quirk::UnquotedLiteral, || format!("filter: \"{}\" read as a string", shown(word))) {
            return Ok(Literal::String(word.to_owned()));
        }
        Err(self.fault("a string must stand in double quotes"))
    }

    /// A JSON string.
    fn quoted(&mut self) -> Result<String, Error> {
        let rest = self.rest();
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    let text: String =
                        serde_json::from_str(rest.get(..=i).unwrap_or("")).map_err(|_| self.fault("a bad escape in the string"))?;
                    if text.contains('\0') {
                        return Err(self.fault("U+0000 in the string"));
                    }
                    self.at += i + 1;
                    return Ok(text);
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        Err(self.fault("the string has no end"))
    }

    /// An attribute path: letters, digits, `$ - _ . :`, beginning with a letter or `$`.
    fn name(&mut self) -> Result<String, Error> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "$-_.:".contains(c))).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or("");
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$') || name.ends_with(['.', ':']) {
            return Err(self.fault("an attribute name is missing"));
        }
        self.at += end;
        Ok(name.to_owned())
    }
}

fn one_or(mut terms: Vec<Expr>, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        Some(last) => {
            terms.push(last);
            many(terms)
        }
        None => many(terms),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Declared;
    use super::*;

    fn parse(text: &str) -> Result<Expr, Error> {
        filter(text, Limits::default(), &mut Reading::of(Declared::Rfc))
    }

    #[test]
    fn and_binds_tighter_than_or() {
        let all = parse("a pr or b pr and c pr").unwrap();
        assert_eq!(all, parse("a pr or (b pr and c pr)").unwrap());
        assert_ne!(all, parse("(a pr or b pr) and c pr").unwrap());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{}a pr{}", "(".repeat(33), ")".repeat(33));
        assert!(parse(&deep).unwrap_err().detail.contains("too deeply"));
        let long = format!("a eq \"{}\"", "x".repeat(9000));
        assert!(parse(&long).unwrap_err().detail.contains("at most 8192"));
    }

    #[test]
    fn paths_of_patch() {
        let p = |t: &str| path(t, Limits::default(), &mut Reading::of(Declared::Rfc));
        let full = p(r#"emails[type eq "work"].value"#).unwrap();
        assert_eq!((full.name.as_str(), full.sub.as_deref()), ("emails", Some("value")));
        for bad in ["", "emails[0]", "emails[", ".x", "a b", "emails[type eq \"x\"]value", "a."] {
            assert!(p(bad).is_err(), "{bad}");
        }
    }
}
