//! Query parameters, pages and their cursors.

use super::problem::Result;
use crate::error::Error;
use crate::scim::error::shown;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Things of a page when the caller names no number, and most of them.
const LIMIT: i64 = 100;
const MOST: i64 = 1000;

/// The query parameters of a request.
#[derive(Debug, Clone)]
pub struct Params(BTreeMap<String, String>);

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The key of the last thing before the page; empty for the first page.
    pub after: String,
    pub limit: i64,
}

impl Params {
    /// Reads a query that may have these parameters.
    ///
    /// # Errors
    /// 400 that names a parameter which is not one of them, or is there twice.
    pub fn read(query: &str, known: &[&str]) -> Result<Self> {
        let mut out = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let takes = if known.is_empty() { "none is taken here".to_owned() } else { format!("these are: {}", known.join(", ")) };
                return Err(Error::Invalid(format!("\"{}\" is no parameter; {takes}", shown(&name))).into());
            }
            if value.contains('\0') {
                return Err(Error::Invalid(format!("{name}: U+0000 is in it")).into());
            }
            if out.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Error::Invalid(format!("the parameter {name} is given twice")).into());
            }
        }
        Ok(Self(out))
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a parameter is true.
    ///
    /// # Errors
    /// 400 when it is neither true nor false.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Error::Invalid(format!("{name}: \"{}\" is neither true nor false", shown(other))).into()),
        }
    }

    /// The page that is asked for, by `cursor` and `limit`.
    ///
    /// # Errors
    /// 400 that names the one that makes no sense.
    pub fn page(&self) -> Result<Page> {
        let bad_limit = || Error::Invalid(format!("limit: a number from 1 to {MOST} is expected"));
        let limit = match self.get("limit") {
            None => LIMIT,
            Some(text) => text.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(bad_limit)?,
        };
        let bad_cursor = || Error::Invalid("cursor: this is not one that a page has given".to_owned());
        let after = match self.get("cursor") {
            None | Some("") => String::new(),
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?;
                String::from_utf8(bytes).ok().filter(|key| !key.contains('\0')).ok_or_else(bad_cursor)?
            }
        };
        Ok(Page { after, limit })
    }
}

/// The cursor that leads on after the thing of that key.
#[must_use]
pub fn cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

impl Page {
    /// How many are to be asked for, so that it shows whether there are more.
    #[must_use]
    pub fn one_more(&self) -> i64 {
        self.limit + 1
    }

    /// The JSON of a page, from what was found when [`Self::one_more`] were asked for.
    #[must_use]
    pub fn render<T>(&self, mut found: Vec<T>, key: impl Fn(&T) -> String, view: impl Fn(&T) -> Value) -> Value {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| cursor(&key(last)));
        json!({"items": found.iter().map(view).collect::<Vec<_>>(), "next_cursor": next})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on() {
        let page = Params::read("limit=2", &["cursor", "limit"]).unwrap().page().unwrap();
        let shown = page.render(vec!["a", "b", "c"], |k| (*k).to_owned(), |k| Value::from(*k));
        assert_eq!(shown["items"], json!(["a", "b"]));
        let query = format!("cursor={}", shown["next_cursor"].as_str().unwrap());
        assert_eq!(Params::read(&query, &["cursor", "limit"]).unwrap().page().unwrap(), Page { after: "b".into(), limit: 100 });
        assert_eq!(page.render(vec!["a", "b"], |k| (*k).to_owned(), |k| Value::from(*k))["next_cursor"], Value::Null);
    }

    #[test]
    fn faults_name_the_parameter() {
        let fault = |query: &str| Params::read(query, &["cursor", "limit"]).and_then(|p| p.page()).unwrap_err().to_string();
        assert!(fault("limt=1").contains("limt"));
        assert!(fault("limit=0").contains("limit"));
        assert!(fault("limit=x").contains("limit"));
        assert!(fault("cursor=!").contains("cursor"));
        assert!(fault("limit=1&limit=2").contains("twice"));
    }
}
