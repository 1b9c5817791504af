//! The names that requests go by: the patterns of the route table. A path itself is never a name, because it holds ids, tokens and
//! whatever anybody sends.

/// Every route. What has none of these is [`OTHER`]. A test compares them with the route table.
pub const ROUTES: [&str; 76] = [
    "/scim/v2/Users",
    "/scim/v2/Users/{id}",
    "/scim/v2/Groups",
    "/scim/v2/Groups/{id}",
    "/scim/v2/Users/.search",
    "/scim/v2/Groups/.search",
    "/scim/v2/.search",
    "/scim/v2/Bulk",
    "/scim/v2/Me",
    "/scim/v2/ServiceProviderConfig",
    "/scim/v2/ServiceProviderConfigs",
    "/scim/v2/ResourceTypes",
    "/scim/v2/ResourceTypes/{name}",
    "/scim/v2/Schemas",
    "/scim/v2/Schemas/{urn}",
    "/scim/v2/{endpoint}",
    "/scim/v2/{endpoint}/{id}",
    "/scim/v2/{endpoint}/.search",
    "/scim/v2",
    "/claim",
    "/claim/{token}",
    "/claim/code/{code}",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/oauth/token",
    "/admin",
    "/admin/openapi.json",
    "/admin/v1/keys",
    "/admin/v1/keys/{id}",
    "/admin/v1/setup",
    "/admin/v1/tenants",
    "/admin/v1/tenants/{tenant}",
    "/admin/v1/tenants/{tenant}/groups",
    "/admin/v1/tenants/{tenant}/groups/{id}",
    "/admin/v1/tenants/{tenant}/groups/{id}/members",
    "/admin/v1/tenants/{tenant}/locations",
    "/admin/v1/tenants/{tenant}/locations/{name}",
    "/admin/v1/tenants/{tenant}/schemas",
    "/admin/v1/tenants/{tenant}/schemas/{urn}",
    "/admin/v1/tenants/{tenant}/resource_types",
    "/admin/v1/tenants/{tenant}/resource_types/{name}",
    "/admin/v1/tenants/{tenant}/deletion",
    "/admin/v1/tenants/{tenant}/keys",
    "/admin/v1/tenants/{tenant}/keys/{id}",
    "/admin/v1/tenants/{tenant}/sources",
    "/admin/v1/tenants/{tenant}/sources/{source}",
    "/admin/v1/tenants/{tenant}/tokens",
    "/admin/v1/tenants/{tenant}/tokens/{id}",
    "/admin/v1/tenants/{tenant}/tokens/{id}/rotation",
    "/admin/v1/tenants/{tenant}/clients",
    "/admin/v1/tenants/{tenant}/clients/{id}",
    "/admin/v1/tenants/{tenant}/issuers",
    "/admin/v1/tenants/{tenant}/issuers/{id}",
    "/admin/v1/tenants/{tenant}/members",
    "/admin/v1/tenants/{tenant}/members/{member}",
    "/admin/v1/tenants/{tenant}/members/{member}/timeline",
    "/admin/v1/tenants/{tenant}/members/{member}/invitation",
    "/admin/v1/tenants/{tenant}/members/{member}/suspension",
    "/admin/v1/tenants/{tenant}/members/{member}/claim",
    "/admin/v1/tenants/{tenant}/members/{member}/legal_hold",
    "/admin/v1/tenants/{tenant}/members/{member}/erasure",
    "/admin/v1/tenants/{tenant}/members/{member}/names",
    "/admin/v1/tenants/{tenant}/members/{member}/code",
    "/admin/v1/tenants/{tenant}/jobs",
    "/admin/v1/tenants/{tenant}/jobs/{id}",
    "/admin/v1/tenants/{tenant}/jobs/{id}/failures",
    "/admin/v1/tenants/{tenant}/audit",
    "/admin/v1/tenants/{tenant}/tolerances",
    "/admin/v1/tenants/{tenant}/requests",
    "/admin/v1/tenants/{tenant}/requests/{id}",
    "/admin/v1/tenants/{tenant}/explanations",
    "/admin/v1/tenants/{tenant}/codes",
    "/admin/v1/tenants/{tenant}/mails",
    "/admin/v1/tenants/{tenant}/mails/{id}",
    "/admin/v1/tenants/{tenant}/freezes",
    "/admin/v1/tenants/{tenant}/freezes/confirmation",
];
/// Routes that are asked by machines every few seconds.
const PROBES: [&str; 2] = ["/health", "/ready"];
/// The name of everything else.
pub const OTHER: &str = "other";
/// How many names there are.
pub const COUNT: usize = ROUTES.len() + PROBES.len() + 1;

/// The name of a request's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route(usize);

impl Route {
    /// The route of a path. `/scim` without a version goes by the name of the latest one.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let place = match path.strip_prefix("/scim").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            Some(rest) => {
                let rest = rest.strip_prefix("/v2").filter(|r| r.is_empty() || r.starts_with('/')).unwrap_or(rest);
                all().position(|route| route.strip_prefix("/scim/v2").is_some_and(|pattern| fits(pattern, rest)))
            }
            None => all().position(|route| !route.starts_with("/scim") && fits(route, path)),
        };
        Self(place.unwrap_or(COUNT - 1))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        all().nth(self.0).unwrap_or(OTHER)
    }

    /// Its place among [`COUNT`].
    #[must_use]
    pub fn place(self) -> usize {
        self.0
    }
}

fn all() -> impl Iterator<Item = &'static str> {
    ROUTES.into_iter().chain(PROBES)
}

/// Whether a path has the parts of a pattern. Slashes too many do not count, as in the route table.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (parts(pattern), parts(path));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            // Searching is a route of its own, not a resource of that name.
            (Some(w), Some(g)) if w == g || w.starts_with('{') && g != ".search" => {}
            _ => return false,
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_names() {
        for (path, name) in [
            ("/scim/v2/Users", "/scim/v2/Users"),
            ("/scim/Users/", "/scim/v2/Users"),
            ("/scim/v2//Users/0190", "/scim/v2/Users/{id}"),
            ("/scim/v2/Users/.search", "/scim/v2/Users/.search"),
            ("/scim", "/scim/v2"),
            ("/scim/v2/", "/scim/v2"),
            ("/scim/v2/Schemas/urn:x", "/scim/v2/Schemas/{urn}"),
            ("/scim/v2/Devices", "/scim/v2/{endpoint}"),
            ("/scim/Devices/0190", "/scim/v2/{endpoint}/{id}"),
            ("/scim/v2/Devices/.search", "/scim/v2/{endpoint}/.search"),
            ("/claim", "/claim"),
            ("/claim/abc", "/claim/{token}"),
            ("/claim/code/abc", "/claim/code/{code}"),
            ("/health", "/health"),
            ("/ready", "/ready"),
        ] {
            assert_eq!(Route::of(path).name(), name, "{path}");
        }
    }

    #[test]
    fn everything_else_is_other() {
        for path in ["", "/", "/scimx", "/scim/v2/Users/1/2", "/Users", "/claim/code/a/b", "/metrics", "/admin/x"] {
            assert_eq!(Route::of(path).name(), OTHER, "{path}");
        }
    }

    #[test]
    fn every_pattern_is_its_own_name() {
        for route in all() {
            assert_eq!(Route::of(&route.replace(['{', '}'], "")).name(), route);
        }
    }
}
