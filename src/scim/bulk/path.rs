//! Where the path of an operation leads.

use crate::scim::error::{Error, shown};
use crate::scim::schema::ResourceType;
use crate::scim::types::Types;
use std::sync::Arc;

/// A resource in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    Known(String),
    /// The resource that another operation creates.
    Bulk(String),
}

/// What a path names: all resources of a type, or one.
#[derive(Debug, Clone)]
pub struct Place {
    pub rt: Arc<ResourceType>,
    pub id: Option<Id>,
}

/// Reads a path: `/Users`, `/Users/ID`, `/Groups/bulkId:NAME`, or the same as a URL below `base`.
///
/// # Errors
/// 400 `invalidValue` for a path to elsewhere or with a query, 404 for one that leads nowhere or to what is no resource.
pub fn locate(types: &Types, base: &str, path: &str) -> Result<Place, Error> {
    let below = path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let inside = below.unwrap_or(path);
    if below.is_none() && (path.contains("://") || path.starts_with("//")) {
        return Err(Error::value(format!("path is {}, which is not below {base}", shown(path))));
    }
    if inside.contains(['?', '#']) {
        return Err(Error::value(format!("path is {}; an operation's path has no query", shown(path))));
    }
    let inside = inside.trim_matches('/');
    let (endpoint, id) = inside.split_once('/').map_or((inside, None), |(endpoint, id)| (endpoint, Some(id)));
    let rt = match endpoint {
        "Bulk" | ".search" | "Me" => return Err(Error::status(404, format!("/{endpoint} cannot be part of a bulk request"))),
        _ => types.at(endpoint).cloned(),
    };
    let nowhere = || Error::status(404, format!("there is nothing at {}", shown(path)));
    let rt = rt.ok_or_else(nowhere)?;
    let id = match id {
        None => None,
        Some(id) => match id.strip_prefix(super::references::MARK) {
            Some(name) => Some(Id::Bulk(name.to_owned())),
            None if id.contains('/') || id == ".search" => return Err(nowhere()),
            None => Some(Id::Known(id.to_owned())),
        },
    };
    Ok(Place { rt, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://host/scim/v2";

    #[test]
    fn paths_lead_to_resources() {
        let id = |path: &str| locate(&Types::standard(), BASE, path).map(|place| (place.rt.name.clone(), place.id));
        let known = |id: &str| Some(Id::Known(id.to_owned()));
        assert_eq!(id("/Users"), Ok(("User".to_owned(), None)));
        assert_eq!(id("Users/"), Ok(("User".to_owned(), None)));
        assert_eq!(id("/Groups/1"), Ok(("Group".to_owned(), known("1"))));
        assert_eq!(id("https://host/scim/v2/Users/1"), Ok(("User".to_owned(), known("1"))));
        assert_eq!(id("/Groups/bulkId:a/b"), Ok(("Group".to_owned(), Some(Id::Bulk("a/b".to_owned())))));
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for (path, status) in [
            ("", 404),
            ("/", 404),
            ("/users", 404),
            ("/Users/1/2", 404),
            ("/Users/.search", 404),
            ("/Bulk", 404),
            ("/.search", 404),
            ("/Me", 404),
            ("/Nothing/1", 404),
            ("/scim/v2/Users/1", 404),
            ("../v2/Users/1", 404),
            ("/Users?filter=x", 400),
            ("/Users/1#x", 400),
            ("https://other/scim/v2/Users/1", 400),
            ("https://host/scim/v22/Users/1", 400),
            ("//host/scim/v2/Users/1", 400),
        ] {
            assert_eq!(locate(&Types::standard(), BASE, path).map(|_| ()).unwrap_err().status, status, "{path}");
        }
    }
}
