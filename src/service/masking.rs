//! Takes the values out of what is written down about a request: names, addresses and whatever else tells of a person. What the request
//! was about stays: attributes, operators, numbers of a page, ids.

use std::fmt::Write;

/// What stands for a value.
const GONE: &str = "…";

/// Words that tell of nobody, in lower case.
const HARMLESS: [&str; 20] = [
    "", "true", "false", "yes", "no", "add", "remove", "replace", "delete", "work", "home", "other", "mobile", "fax", "pager", "direct",
    "indirect", "user", "group", "*",
];

/// Whether a text has the form of our ids.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let at = |(i, b): (usize, u8)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(at)
}

fn tells_of_nobody(text: &str) -> bool {
    let type_of_media = ["application/", "text/", "urn:"].iter().any(|head| text.starts_with(head)) && !text.contains('@');
    HARMLESS.contains(&text.to_ascii_lowercase().as_str()) || is_id(text) || type_of_media
}

/// A sentence without the values in it: what stands in quotes, behind `the id` or `the number`, in paths, and every address.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, part) in text.split('"').enumerate() {
        if i.is_multiple_of(2) {
            plain(&mut out, part);
        } else {
            let _ = write!(out, "\"{}\"", if tells_of_nobody(part) { part } else { GONE });
        }
    }
    out
}

fn plain(out: &mut String, text: &str) {
    let mut before = ["", ""];
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let (bare, end) = word.split_at(word.trim_end_matches([',', ';', ':', '.']).len());
        let named = matches!(before, ["the", "id" | "number"]);
        if word.contains('@') || (named && !tells_of_nobody(bare)) {
            out.push_str(GONE);
        } else if bare.starts_with('/') {
            out.push_str(&path(bare, ""));
        } else {
            out.push_str(bare);
        }
        out.push_str(end);
        before = [before[1], word];
    }
}

/// Path and query without values.
#[must_use]
pub fn path(path: &str, query: &str) -> String {
    let mut out = String::new();
    for (i, part) in path.split('/').filter(|p| !p.is_empty()).enumerate() {
        out.push('/');
        out.push_str(if is_place(i, part) { part } else { GONE });
    }
    if out.is_empty() {
        out.push('/');
    }
    for (i, (name, value)) in form_urlencoded::parse(query.as_bytes()).take(MOST_PARAMETERS).enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        let plain_name = name.len() <= MOST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        out.push_str(if plain_name { &name } else { GONE });
        out.push('=');
        out.push_str(&parameter(&name, &value));
    }
    out
}

const MOST_PARAMETERS: usize = 20;
const MOST_NAME: usize = 40;

/// Whether a part of a path says where something is, and not who.
fn is_place(i: usize, part: &str) -> bool {
    const WORDS: [&str; 4] = ["v2", ".search", "User", "Group"];
    // `/scim/v2` and the endpoint behind it; the address may have been entered twice.
    let endpoint = i < 5 && part.len() <= MOST_NAME && part.bytes().all(|b| b.is_ascii_alphabetic());
    let first = i < 3 || part.starts_with(|c: char| c.is_ascii_uppercase());
    WORDS.contains(&part) || is_id(part) || part.starts_with("urn:") || (endpoint && first)
}

fn parameter(name: &str, value: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "startindex" | "count" if value.len() <= 20 && value.bytes().all(|b| b.is_ascii_digit() || b == b'-') => value.to_owned(),
        "sortorder" | "sortby" | "attributes" | "excludedattributes" | "filter" => {
            let text = if name.eq_ignore_ascii_case("filter") { filter(value) } else { names(value) };
            shortened(&text, 500)
        }
        _ if value.is_empty() => String::new(),
        _ => GONE.to_owned(),
    }
}

/// A list of attributes, and nothing else.
fn names(text: &str) -> String {
    let shown = |name: &str| if is_attribute(name.trim()) { name.trim().to_owned() } else { GONE.to_owned() };
    text.split(',').map(shown).collect::<Vec<_>>().join(",")
}

fn is_attribute(word: &str) -> bool {
    !word.is_empty() && word.len() <= 200 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:$-".contains(&b))
}

const OPERATORS: [&str; 10] = ["eq", "ne", "co", "sw", "ew", "pr", "gt", "ge", "lt", "le"];

fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|k| word.eq_ignore_ascii_case(k))
}

/// A filter without its literals.
#[must_use]
pub fn filter(text: &str) -> String {
    let tokens = tokens(text);
    let mut out = String::with_capacity(text.len());
    for (i, token) in tokens.iter().enumerate() {
        let solid = |t: &&&str| !t.trim().is_empty();
        let before = tokens.iter().take(i).rev().find(solid).copied().unwrap_or_default();
        let after = tokens.iter().skip(i + 1).find(solid).copied().unwrap_or_default();
        out.push_str(&shown(token, before, after));
    }
    out
}

fn shown<'a>(token: &'a str, before: &str, after: &str) -> std::borrow::Cow<'a, str> {
    if let Some(inner) = token.strip_prefix('"') {
        let inner = inner.strip_suffix('"').unwrap_or(inner);
        return if tells_of_nobody(inner) { token.into() } else { format!("\"{GONE}\"").into() };
    }
    let literal = is_one_of(before, &OPERATORS) && !before.eq_ignore_ascii_case("pr");
    let keep = match token {
        "(" | ")" | "[" | "]" => true,
        _ if token.trim().is_empty() => true,
        _ if literal => is_one_of(token, &["true", "false", "null"]),
        _ if is_one_of(token, &OPERATORS) || is_one_of(token, &["and", "or", "not"]) => true,
        _ => is_attribute(token) && (is_one_of(after, &OPERATORS) || after == "["),
    };
    if keep { token.into() } else { GONE.into() }
}

/// Quoted strings, brackets, spaces and words.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => quoted(rest),
            '(' | ')' | '[' | ']' => 1,
            c if c.is_whitespace() => c.len_utf8(),
            _ => rest.find(|c: char| c.is_whitespace() || "\"()[]".contains(c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        out.push(token);
        rest = after;
    }
    out
}

/// Where a quoted string ends.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// At most so many characters of a text, and no control characters.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let mut out: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
    if text.chars().count() > most {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198f2a4-1111-7222-8333-444455556666";

    #[test]
    fn filters_lose_their_literals() {
        for (given, left) in [
            ("userName eq \"sam@example.com\"", "userName eq \"…\""),
            ("userName eq sam", "userName eq …"),
            ("displayName eq Sam Example", "displayName eq … …"),
            ("emails[type eq \"work\" and value co \"sam \\\" x\"]", "emails[type eq \"work\" and value co \"…\"]"),
            ("active eq true and not (title pr)", "active eq true and not (title pr)"),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber EQ 4711",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber EQ …",
            ),
            ("sam", "…"),
            ("userName eq \"sam", "userName eq \"…\""),
        ] {
            assert_eq!(filter(given), left, "{given}");
        }
        assert_eq!(filter(&format!("id eq \"{ID}\"")), format!("id eq \"{ID}\""));
    }

    #[test]
    fn paths_keep_places_and_ids() {
        let case = |p: &str, q: &str| path(p, q);
        assert_eq!(
            case("/scim/v2/Users", "startIndex=1&count=100&filter=userName+eq+%22sam%22"),
            "/scim/v2/Users?startIndex=1&count=100&filter=userName eq \"…\""
        );
        assert_eq!(
            case(&format!("/scim/v2/Users/{ID}"), "attributes=userName,emails%5Btype"),
            format!("/scim/v2/Users/{ID}?attributes=userName,…")
        );
        assert_eq!(case("/scim/v2/Users/sam@example.com", ""), "/scim/v2/Users/…");
        assert_eq!(case("/scim/v2/Users/sam", "cursor=abc&x=y&aadOptscim062020"), "/scim/v2/Users/…?cursor=…&x=…&aadOptscim062020=");
        assert_eq!(case("/scim/v2/scim/v2/Users", ""), "/scim/v2/scim/v2/Users");
        assert_eq!(case("/scim/v2/Schemas/urn:x:User", ""), "/scim/v2/Schemas/urn:x:User");
        assert_eq!(case("", ""), "/");
    }

    #[test]
    fn sentences_keep_what_they_say() {
        for (given, left) in [
            ("userName \"sam\" is taken", "userName \"…\" is taken"),
            ("active: the string \"False\" read as false", "active: the string \"False\" read as false"),
            ("op: \"Replace\" read as replace", "op: \"Replace\" read as replace"),
            ("there is no User with the id sam", "there is no User with the id …"),
            ("employeeNumber: the number 4711 read as a string", "employeeNumber: the number … read as a string"),
            ("sam@example.com, which is nobody", "…, which is nobody"),
            ("there is nothing at /scim/v2/Users/sam/example", "there is nothing at /scim/v2/Users/…/…"),
            ("emails[type eq \"work\"].value must be a string", "emails[type eq \"work\"].value must be a string"),
        ] {
            assert_eq!(sentence(given), left, "{given}");
        }
        assert_eq!(
            sentence(&format!("members: there is no resource with the id {ID}")),
            format!("members: there is no resource with the id {ID}")
        );
    }
}
