//! Two tenants with the same data: nothing crosses.

use crate::clients::{Client, ENTERPRISE, GROUP, Reply, SEARCH, USER, group_path, id, user_path};
use crate::harness::Server;
use rollbook::domain::Idp;
use serde_json::{Value, json};

/// A tenant with a boss, Anna, who reports to the boss, and a group inside a group.
struct Tenant {
    client: Client,
    boss: Value,
    anna: Value,
    staff: Value,
    all: Value,
}

impl Tenant {
    fn new(server: &Server, idp: Idp) -> Self {
        let client = server.tenant_with(idp);
        let person = |name: &str| {
            json!({
                "userName": name, "externalId": format!("ext-{name}"), "displayName": format!("The {name}"), "title": "Engineer",
                "emails": [{"value": format!("{name}@example.com"), "type": "work"}]
            })
        };
        let boss = client.user_with(person("boss"));
        let mut anna = person("anna");
        anna[ENTERPRISE] = json!({"manager": {"value": id(&boss)}});
        anna["schemas"] = json!([USER, ENTERPRISE]);
        let anna = client.post("/Users", &anna).expect(201);
        let staff = json!({"schemas": [GROUP], "displayName": "Staff", "externalId": "ext-staff", "members": [{"value": id(&anna)}]});
        let staff = client.post("/Groups", &staff).expect(201);
        let all = client.group("All", &[id(&staff), id(&boss)]);
        let anna = client.get(&user_path(&anna)).expect(200);
        let boss = client.get(&user_path(&boss)).expect(200);
        Self { client, boss, anna, staff, all }
    }

    fn resources(&self) -> [&Value; 4] {
        [&self.boss, &self.anna, &self.staff, &self.all]
    }

    fn paths(&self) -> [String; 4] {
        [user_path(&self.boss), user_path(&self.anna), group_path(&self.staff), group_path(&self.all)]
    }

    /// Text with this tenant's ids in place of `{boss}` and so on.
    fn filled(&self, text: &str) -> String {
        let names = ["{boss}", "{anna}", "{staff}", "{all}"];
        names.iter().zip(self.resources()).fold(text.to_owned(), |text, (name, r)| text.replace(name, id(r)))
    }

    /// Fails when an answer has an id of this tenant.
    #[track_caller]
    fn is_not_in(&self, reply: &Reply) {
        let found = self.resources().into_iter().find(|r| reply.text.contains(id(r)));
        assert_eq!(found, None, "{}", reply.text);
    }

    /// Fails unless everything is as it was, the versions included.
    #[track_caller]
    fn is_unharmed(&self) {
        for (path, resource) in self.paths().iter().zip(self.resources()) {
            assert_eq!(self.client.get(path).expect(200), *resource);
        }
        assert_eq!(self.client.get("").expect(200)["totalResults"], 4);
    }
}

fn pair(server: &Server) -> (Tenant, Tenant) {
    (Tenant::new(server, Idp::Rfc), Tenant::new(server, Idp::Rfc))
}

/// Endpoint, filter, how many it matches when `{…}` is an id of the tenant that asks, and when it is another's.
const FILTERS: [(&str, &str, i64, i64); 32] = [
    ("/Users", "userName eq \"anna\"", 1, 1),
    ("/Users", "userName ne \"anna\"", 1, 1),
    ("/Users", "userName sw \"a\"", 1, 1),
    ("/Users", "externalId eq \"ext-anna\"", 1, 1),
    ("/Users", "emails eq \"anna@example.com\"", 1, 1),
    ("/Users", "emails.value eq \"anna@example.com\"", 1, 1),
    ("/Users", "emails[type eq \"work\" and value co \"example\"]", 2, 2),
    ("/Users", "not (emails.value eq \"anna@example.com\")", 1, 1),
    ("/Users", "userName eq \"anna\" or userName eq \"boss\"", 2, 2),
    ("/Users", "userName eq \"none\" or title pr", 2, 2),
    ("/Users", "not (userName eq \"anna\")", 1, 1),
    ("/Users", "not (userName eq \"none\")", 2, 2),
    ("/Users", "not (userName eq \"none\" and title pr) or id pr", 2, 2),
    ("/Users", "active pr or not (title pr)", 2, 2),
    ("/Users", "meta.created gt \"2000-01-01T00:00:00Z\"", 2, 2),
    ("/Users", "id eq \"{anna}\"", 1, 0),
    ("/Users", "id ne \"{anna}\"", 1, 2),
    ("/Users", "id eq \"{anna}\" or userName eq \"boss\"", 2, 1),
    ("/Users", "not (id eq \"{anna}\")", 1, 2),
    ("/Users", "groups.value eq \"{staff}\"", 1, 0),
    ("/Users", "groups[value eq \"{all}\"]", 2, 0),
    ("/Users", "not (groups.value eq \"{staff}\")", 1, 2),
    ("/Users", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"{boss}\"", 1, 0),
    ("/Users", "not (urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"{boss}\")", 1, 2),
    ("/Groups", "displayName eq \"Staff\"", 1, 1),
    ("/Groups", "externalId eq \"ext-staff\"", 1, 1),
    ("/Groups", "members.value eq \"{anna}\"", 1, 0),
    ("/Groups", "members[value eq \"{staff}\"]", 1, 0),
    ("/Groups", "not (members.value eq \"{anna}\")", 1, 2),
    ("/Groups", "members pr", 2, 2),
    ("", "id pr or displayName eq \"Staff\"", 4, 4),
    ("", "not (externalId eq \"ext-anna\")", 3, 3),
];

on_both! {
    /// R231: names that must be unique are so within a tenant; ids are over all of them.
    fn the_same_names_can_be_taken_twice(server) {
        let (a, b) = pair(server);
        a.client.post("/Users", &json!({"schemas": [USER], "userName": "ANNA"})).expect_error(409, "uniqueness");
        assert!(a.resources().iter().all(|x| b.resources().iter().all(|y| id(x) != id(y))));
        // Where group names must be unique, too.
        let (x, y) = (Tenant::new(server, Idp::Entra), Tenant::new(server, Idp::Entra));
        x.client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "Staff"})).expect_error(409, "uniqueness");
        y.is_unharmed();
    }

    /// R231: lists, pages, orders and counts are of one tenant.
    fn lists_and_counts(server) {
        let (a, b) = pair(server);
        a.client.user("one more");
        for (path, total) in [
            ("/Users", 2),
            ("/Groups", 2),
            ("", 4),
            ("/Users?count=0", 2),
            ("/Users?sortBy=userName&sortOrder=descending", 2),
            ("/Users?sortBy=emails.value", 2),
            ("?sortBy=id", 4),
            ("/Users?cursor", 2),
            ("?cursor&count=1", 4),
            ("/Users?startIndex=2&count=10", 2),
            ("/Users?startIndex=3&count=10", 2),
        ] {
            let reply = b.client.get(path);
            assert_eq!(reply.expect(200)["totalResults"], total, "{path}");
            a.is_not_in(&reply);
        }
        assert_eq!(a.client.get("/Users").expect(200)["totalResults"], 3);
    }

    /// R231: a filter, and the negation of one, finds resources of one tenant, and another's ids mean nothing in it.
    fn filters(server) {
        let (a, b) = pair(server);
        for (path, filter, own, foreign) in FILTERS {
            for (asked, expected) in [(b.filled(filter), own), (a.filled(filter), foreign)] {
                let search = json!({"schemas": [SEARCH], "filter": asked});
                for reply in [b.client.filter(path, &asked), b.client.post(&format!("{path}/.search"), &search)] {
                    let list = reply.expect(200);
                    assert_eq!(list["totalResults"], expected, "{path} {asked}");
                    assert_eq!(list["Resources"].as_array().map_or(0, Vec::len), usize::try_from(expected).unwrap(), "{path} {asked}");
                    a.is_not_in(&reply);
                }
            }
        }
    }

    /// R230: another tenant's resources are not found, and the members of a group are those of one tenant.
    fn resources_cannot_be_reached_by_id(server) {
        let (a, b) = pair(server);
        for path in a.paths() {
            let user = path.starts_with("/Users");
            let body = if user { json!({"schemas": [USER], "userName": "x"}) } else { json!({"schemas": [GROUP], "displayName": "x"}) };
            let change = json!([{"op": "replace", "path": "displayName", "value": "x"}]);
            for reply in [b.client.get(&path), b.client.put(&path, &body), b.client.patch(&path, &change), b.client.delete(&path)] {
                reply.expect_error(404, "");
            }
        }
        let foreign = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(&a.anna))}]);
        let status = b.client.patch(&group_path(&b.staff), &foreign).status;
        assert!([200, 204, 400].contains(&status), "{status}");
        assert_eq!(b.client.get(&group_path(&b.staff)).expect(200)["members"], b.staff["members"]);
        a.is_unharmed();
    }

    /// R231: another tenant's user or group is an unknown member.
    fn members(server) {
        let (a, b) = pair(server);
        for stranger in a.resources().map(id) {
            let member = json!([{"value": stranger}]);
            let group = json!({"schemas": [GROUP], "displayName": "New", "members": member});
            for reply in [
                b.client.patch(&group_path(&b.staff), &json!([{"op": "add", "path": "members", "value": member}])),
                b.client.patch(&group_path(&b.staff), &json!([{"op": "replace", "path": "members", "value": member}])),
                b.client.put(&group_path(&b.staff), &group),
                b.client.post("/Groups", &group),
            ] {
                let detail = reply.expect_error(400, "invalidValue");
                assert!(detail.contains("there is no resource with the id"), "{detail}");
            }
        }
        b.is_unharmed();
        a.is_unharmed();
    }

    /// R231: where unknown members are left out, another tenant's are.
    fn members_that_are_left_out(server) {
        let (a, b) = (Tenant::new(server, Idp::Rfc), Tenant::new(server, Idp::Entra));
        for stranger in [&a.anna, &a.staff] {
            let both = json!([{"value": id(stranger)}, {"value": id(&b.boss)}]);
            b.client.patch(&group_path(&b.staff), &json!([{"op": "add", "path": "members", "value": both}])).expect(204);
            let group = b.client.get(&group_path(&b.staff));
            assert_eq!(group.expect(200)["members"].as_array().unwrap().len(), 2);
            a.is_not_in(&group);
        }
        assert!(server.notes(&a.client.tenant).is_empty(), "notes are of one tenant");
        assert_eq!(server.notes(&b.client.tenant).len(), 2);
        a.is_unharmed();
    }

    /// R231: another tenant's user as manager shows nothing of that user.
    fn managers(server) {
        let (a, b) = pair(server);
        a.client.patch(&user_path(&a.boss), &json!([{"op": "replace", "path": "displayName", "value": "Secret name"}])).expect(200);
        let path = format!("{ENTERPRISE}:manager");
        let reply = b.client.patch(&user_path(&b.anna), &json!([{"op": "replace", "path": path, "value": {"value": id(&a.boss)}}]));
        assert!([200, 204, 400].contains(&reply.status), "{}", reply.text);
        for reply in [reply, b.client.get(&user_path(&b.anna)), b.client.get("/Users"), b.client.filter("", "displayName eq \"Secret name\"")] {
            assert!(!reply.text.contains("Secret name"), "{}", reply.text);
        }
        // Nor does what happens to that user touch the one who names it.
        let before = b.client.get(&user_path(&b.anna));
        a.client.patch(&user_path(&a.boss), &json!([{"op": "replace", "path": "displayName", "value": "Other name"}])).expect(200);
        assert_eq!(a.client.delete(&user_path(&a.boss)).status, 204);
        let after = b.client.get(&user_path(&b.anna));
        assert_eq!((before.header("etag"), before.json()), (after.header("etag"), after.json()));
    }

    /// R231: a cursor is of one tenant.
    fn cursors(server) {
        let (a, b) = pair(server);
        for path in ["/Users", "/Groups", ""] {
            let first = format!("{path}?cursor&count=1");
            let cursor = a.client.get(&first).expect(200)["nextCursor"].as_str().unwrap().to_owned();
            let next = format!("{path}?cursor={cursor}&count=1");
            b.client.get(&next).expect_error(400, "invalidCursor");
            let search = json!({"schemas": [SEARCH], "cursor": cursor, "count": 1});
            b.client.post(&format!("{path}/.search"), &search).expect_error(400, "invalidCursor");
            a.client.get(&next).expect(200);
        }
    }

    /// R231: a condition on another tenant's resource is never looked at.
    fn conditions(server) {
        let (a, b) = pair(server);
        for path in a.paths() {
            let tag = a.client.get(&path).header("etag").to_owned();
            for header in ["if-match", "if-none-match"] {
                for value in [tag.as_str(), "*", "W/\"other\""] {
                    for method in ["GET", "DELETE"] {
                        b.client.send(method, &path, &[(header, value)], None).expect_error(404, "");
                    }
                }
            }
        }
        a.is_unharmed();
    }

    /// R231: what happens in one tenant changes no version in another.
    fn changes_and_deletes(server) {
        let (a, b) = pair(server);
        let tags = || b.paths().map(|p| b.client.get(&p).header("etag").to_owned());
        let before = tags();
        let rename = json!([{"op": "replace", "path": "displayName", "value": "Renamed"}]);
        for path in a.paths() {
            assert!([200, 204].contains(&a.client.patch(&path, &rename).status));
        }
        assert!([200, 204].contains(&a.client.patch(&group_path(&a.staff), &json!([{"op": "remove", "path": "members"}])).status));
        b.is_unharmed();
        for path in a.paths() {
            assert_eq!(a.client.delete(&path).status, 204);
        }
        assert_eq!(a.client.get("").expect(200)["totalResults"], 0);
        b.is_unharmed();
        assert_eq!(tags(), before);
        // The names are free again in one tenant, and taken in the other.
        a.client.user("anna");
        b.client.post("/Users", &json!({"schemas": [USER], "userName": "anna"})).expect_error(409, "uniqueness");
    }
}
