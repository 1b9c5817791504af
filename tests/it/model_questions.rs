//! What is asked of a tenant's users in the model's runs: filters, orders and pages, and what the model answers.

use crate::model::World;
use crate::model_runs::Dice;
use serde_json::Value;

/// A filter on users.
#[derive(Debug, Clone)]
pub enum Filter {
    Text(&'static str, &'static str, String),
    Active(bool),
    Present(&'static str),
    /// Members of a group, at any depth.
    In(String),
    WorkEmailEnds(String),
    Not(Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

/// Every text under a path of at most two names.
fn texts<'a>(user: &'a Value, path: &str) -> Vec<&'a str> {
    let (first, second) = path.split_once('.').unwrap_or((path, ""));
    let at = match &user[first] {
        Value::Array(list) => list.iter().map(|v| &v[second]).collect(),
        Value::Object(map) => map.get(second).into_iter().collect(),
        other => vec![other],
    };
    at.into_iter().filter_map(Value::as_str).collect()
}

impl Filter {
    /// A filter of some depth.
    pub fn any(dice: &mut Dice, world: &World, depth: usize) -> Self {
        if depth > 0 && dice.one_in(3) {
            let (a, b) = (Box::new(Self::any(dice, world, depth - 1)), Box::new(Self::any(dice, world, depth - 1)));
            return match dice.below(3) {
                0 => Self::Not(a),
                1 => Self::And(a, b),
                _ => Self::Or(a, b),
            };
        }
        let of_a_user = |dice: &mut Dice, path: &str| {
            let name = dice.of(&world.users.keys().collect::<Vec<_>>()).map(|s| (*s).clone());
            let found = name.map(|n| world.show_user(&n)).and_then(|u| texts(&u, path).first().map(|s| (*s).to_owned()));
            found.unwrap_or_else(|| "nobody".to_owned())
        };
        match dice.below(8) {
            0 => Self::Active(dice.one_in(2)),
            1 => Self::Present(dice.pick(&["title", "externalId", "emails", "name.familyName", "groups"])),
            2 => dice.of(&world.groups.keys().collect::<Vec<_>>()).map_or(Self::Active(true), |g| Self::In((*g).clone())),
            3 => Self::WorkEmailEnds(dice.pick(&["example.com", "example.org", "e"]).to_owned()),
            _ => {
                let path = dice.pick(&["userName", "displayName", "title", "externalId", "name.familyName", "emails.value"]);
                let op = dice.pick(&["eq", "ne", "sw", "co", "ew", "gt", "le"]);
                let whole = of_a_user(dice, path);
                let value = match op {
                    "sw" => whole.chars().take(2).collect(),
                    "co" => whole.chars().skip(1).take(2).collect(),
                    "ew" => whole.chars().skip(whole.chars().count().saturating_sub(2)).collect(),
                    _ => whole,
                };
                // Case counts for externalId and for nothing else of these.
                let value = if path != "externalId" && dice.one_in(2) { value.to_uppercase() } else { value };
                Self::Text(path, op, value)
            }
        }
    }

    /// As the client sends it; ids in braces.
    pub fn text(&self) -> String {
        match self {
            Self::Text(path, op, value) => format!("{path} {op} \"{value}\""),
            Self::Active(active) => format!("active eq {active}"),
            Self::Present(path) => format!("{path} pr"),
            Self::In(group) => format!("groups.value eq \"{{{group}}}\""),
            Self::WorkEmailEnds(end) => format!("emails[type eq \"work\" and value ew \"{end}\"]"),
            Self::Not(a) => format!("not ({})", a.text()),
            Self::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
        }
    }

    fn fits(&self, user: &Value) -> bool {
        match self {
            Self::Text(path, op, value) => compare(&texts(user, path), op, value, *path == "externalId"),
            Self::Active(active) => user["active"] == *active,
            Self::Present("emails" | "groups") if user.get("emails").is_none() && user.get("groups").is_none() => false,
            Self::Present(path @ ("emails" | "groups")) => user[*path].as_array().is_some_and(|list| !list.is_empty()),
            Self::Present(path) => !texts(user, path).is_empty(),
            Self::In(group) => user["groups"].as_array().into_iter().flatten().any(|g| g["value"] == group.as_str()),
            Self::WorkEmailEnds(end) => user["emails"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|e| e["type"] == "work" && e["value"].as_str().is_some_and(|v| v.to_lowercase().ends_with(end.as_str()))),
            Self::Not(a) => !a.fits(user),
            Self::And(a, b) => a.fits(user) && b.fits(user),
            Self::Or(a, b) => a.fits(user) || b.fits(user),
        }
    }
}

/// Whether one of the texts compares so; `ne` is the contrary of `eq`.
fn compare(found: &[&str], op: &str, value: &str, exact: bool) -> bool {
    let folded = |s: &str| if exact { s.to_owned() } else { s.to_lowercase() };
    let value = folded(value);
    let test = |s: &&str| {
        let s = folded(s);
        match op {
            "eq" => s == value,
            "sw" => s.starts_with(&value),
            "co" => s.contains(&value),
            "ew" => s.ends_with(&value),
            "gt" => s > value,
            _ => s <= value,
        }
    };
    if op == "ne" { !compare(found, "eq", &value, exact) } else { found.iter().any(test) }
}

/// A question for a list of users, in the order of their userNames.
#[derive(Debug, Clone)]
pub struct Question {
    pub filter: Option<Filter>,
    pub descending: bool,
    pub start: usize,
    pub count: usize,
}

impl Question {
    pub fn any(dice: &mut Dice, world: &World) -> Self {
        let filter = if dice.one_in(5) { None } else { Some(Filter::any(dice, world, 2)) };
        Self { filter, descending: dice.one_in(2), start: 1 + dice.below(6), count: dice.below(8) }
    }

    /// The query string; ids in braces.
    pub fn query(&self) -> String {
        let filter = self.filter.as_ref().map(|f| format!("&filter={}", escape(&f.text()))).unwrap_or_default();
        let order = if self.descending { "descending" } else { "ascending" };
        format!("?sortBy=userName&sortOrder={order}&startIndex={}&count={}{filter}", self.start, self.count)
    }

    /// How many there are, and the names of those on the page.
    pub fn answer(&self, world: &World) -> (usize, Vec<String>) {
        let mut found: Vec<(String, String)> = world
            .users
            .iter()
            .filter(|(id, _)| self.filter.as_ref().is_none_or(|f| f.fits(&world.show_user(id))))
            .map(|(id, user)| (user.user_name().to_lowercase(), id.clone()))
            .collect();
        found.sort();
        if self.descending {
            found.reverse();
        }
        let page = found.iter().skip(self.start - 1).take(self.count).map(|(_, id)| id.clone()).collect();
        (found.len(), page)
    }
}

/// For a query, with the braces of ids left alone.
fn escape(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace("%7B", "{").replace("%7D", "}")
}
