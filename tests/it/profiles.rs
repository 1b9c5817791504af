//! Profiles: the interop profile and IPSIE's, requirement by requirement, and that they are chosen for each connection by itself.

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, PATCH, Reply, USER, group_path, id, user_path};
use crate::discovery::all;
use crate::harness::Server;
use rollbook::domain::settings::Passwords;
use rollbook::domain::{Idp, Scopes};
use serde_json::{Value, json};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0";
const STRICT: [Idp; 2] = [Idp::Interop, Idp::Ipsie];

/// A client of a new tenant of each strict profile.
fn strict(server: &Server) -> Vec<Client> {
    STRICT.into_iter().map(|idp| server.tenant_with_free_locations(idp)).collect()
}

fn post_user(c: &Client, more: &Value) -> Reply {
    let mut body = json!({"schemas": [USER], "userName": "sam@example.com"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    c.post("/Users", &body)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect()
}

fn found(c: &Client, path: &str, filter: &str) -> Vec<String> {
    let list = c.filter(path, filter).expect(200);
    assert_eq!(list["totalResults"], list["Resources"].as_array().unwrap().len(), "{filter}");
    list["Resources"].as_array().unwrap().iter().map(|r| id(r).to_owned()).collect()
}

on_both! {
    /// R258: `interopProfileConformant` is announced where the profile is kept, and nowhere else.
    fn only_who_keeps_it_announces_it(server) {
        for idp in Idp::ALL {
            let config = server.tenant_with(idp).get("/ServiceProviderConfig").expect(200);
            let announced = config.get("interopProfileConformant");
            assert_eq!(announced, STRICT.contains(&idp).then_some(&json!(true)), "{idp}");
        }
        assert_eq!(server.nobody().get("/ServiceProviderConfig").expect(200).get("interopProfileConformant"), None);
    }

    /// R258: three discovery endpoints; the id of a resource type is its name; every schema that a type has is at /Schemas.
    fn discovery_is_complete(server) {
        for c in strict(server) {
            c.get("/ServiceProviderConfig").expect(200);
            let schemas = all(&c, "/Schemas");
            for found in all(&c, "/ResourceTypes") {
                assert_eq!(found["id"], found["name"]);
                let extensions = found["schemaExtensions"].as_array().unwrap().iter().map(|e| &e["schema"]);
                for urn in extensions.chain([&found["schema"]]) {
                    assert!(schemas.iter().any(|s| s["id"] == *urn), "{urn}");
                    assert_eq!(&c.get(&format!("/Schemas/{}", urn.as_str().unwrap())).expect(200), schemas.iter().find(|s| s["id"] == *urn).unwrap());
                }
            }
            let config = c.get(&format!("/Schemas/{CORE}:ServiceProviderConfig")).expect(200);
            let own = config["attributes"].as_array().unwrap().iter().find(|a| a["name"] == "interopProfileConformant").unwrap();
            assert_eq!((&own["type"], &own["mutability"], &own["required"]), (&json!("boolean"), &json!("readOnly"), &json!(false)));
        }
        let plain = server.nobody().get(&format!("/Schemas/{CORE}:ServiceProviderConfig")).expect(200);
        assert!(!names(&plain["attributes"]).contains(&"interopProfileConformant"));
    }

    /// R258: every `type` of a multi-valued attribute says which values it takes.
    fn every_type_has_canonical_values(server) {
        for c in strict(server) {
            let mut types = 0;
            for schema in [USER, GROUP, ENTERPRISE, EMPLOYEE].map(|urn| c.get(&format!("/Schemas/{urn}")).expect(200)) {
                for attr in schema["attributes"].as_array().unwrap().iter().filter(|a| a["multiValued"] == true) {
                    for sub in attr["subAttributes"].as_array().unwrap().iter().filter(|s| s["name"] == "type") {
                        assert!(!sub["canonicalValues"].as_array().unwrap().is_empty(), "{}", attr["name"]);
                        types += 1;
                    }
                }
            }
            assert!(types >= 10, "{types}");
        }
    }

    /// R258: /Schemas is exact: what is listed and can be written is kept, and password, which is not, is not listed.
    fn schemas_are_exact(server) {
        for c in strict(server) {
            let schema = c.get(&format!("/Schemas/{USER}")).expect(200);
            let listed = names(&schema["attributes"]);
            assert!(!listed.contains(&"password"), "{listed:?}");
            for name in ["userName", "displayName", "active", "emails", "roles"] {
                assert!(listed.contains(&name), "{name}");
            }
            let strings: Vec<&Value> = schema["attributes"].as_array().unwrap().iter()
                .filter(|a| a["type"] == "string" && a["mutability"] == "readWrite" && a["name"] != "userName").collect();
            let values: serde_json::Map<String, Value> = strings.iter().map(|a| (a["name"].as_str().unwrap().to_owned(), json!("en"))).collect();
            let user = post_user(&c, &Value::Object(values.clone())).expect(201);
            for (name, value) in &values {
                assert_eq!(&user[name], value, "{name}");
            }
        }
    }

    /// R258: id and externalId are compared exactly, userName is not, in filters as in what must be unique.
    fn case_counts_where_the_rfc_says(server) {
        for c in strict(server) {
            let user = post_user(&c, &json!({"externalId": "Ext-1"})).expect(201);
            assert_eq!(found(&c, "/Users", r#"externalId eq "Ext-1""#), [id(&user)]);
            assert!(found(&c, "/Users", r#"externalId eq "ext-1""#).is_empty());
            assert_eq!(found(&c, "/Users", r#"userName eq "SAM@EXAMPLE.COM""#), [id(&user)]);
            c.get(&format!("/Users/{}", id(&user).to_uppercase())).expect_error(404, "");
            assert!(found(&c, "/Users", &format!("id eq \"{}\"", id(&user).to_uppercase())).is_empty());
            c.post("/Users", &json!({"schemas": [USER], "userName": "Sam@Example.com"})).expect_error(409, "uniqueness");
            c.post("/Users", &json!({"schemas": [USER], "userName": "other@example.com", "externalId": "ext-1"})).expect(201);
            let schema = c.get(&format!("/Schemas/{USER}")).expect(200);
            let name = schema["attributes"].as_array().unwrap().iter().find(|a| a["name"] == "userName").unwrap();
            assert_eq!((&name["caseExact"], &name["uniqueness"]), (&json!(false), &json!("server")));
        }
    }

    /// R258: an attribute or URN that no schema has is 400 invalidSyntax, wherever it stands, and nothing is changed.
    fn unknown_names_are_refused(server) {
        for c in strict(server) {
            let bad = [json!({"nope": 1}), json!({"name": {"nope": 1}}), json!({"emails": [{"value": "a@example.com", "nope": 1}]}),
                json!({"urn:example:x": {"a": 1}}), json!({"schemas": [USER, "urn:example:x"]}), json!({"schemas": [USER, ENTERPRISE], ENTERPRISE: {"nope": 1}}),
                json!({"password": "secret-1"}), json!({"password": null})];
            for more in &bad {
                let detail = post_user(&c, more).expect_error(400, "invalidSyntax");
                assert!(["nope", "urn:example:x", "password"].iter().any(|name| detail.contains(name)), "{detail}");
            }
            assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
            let user = post_user(&c, &json!({})).expect(201);
            for more in &bad {
                let mut body = json!({"schemas": [USER], "userName": "changed"});
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                c.put(&user_path(&user), &body).expect_error(400, "invalidSyntax");
            }
            for path in ["nope", "name.nope", "emails[value eq \"a\"].nope", "urn:example:x:a", &format!("{ENTERPRISE}:nope"), "password"] {
                for op in ["add", "replace", "remove"] {
                    let operation = json!({"op": op, "path": path, "value": "x"});
                    c.patch(&user_path(&user), &json!([{"op": "replace", "path": "title", "value": "T"}, operation])).expect_error(400, "invalidSyntax");
                }
            }
            let value = json!([{"op": "add", "path": "name", "value": {"nope": 1}}]);
            c.patch(&user_path(&user), &value).expect_error(400, "invalidSyntax");
            c.patch(&user_path(&user), &json!([{"op": "add", "path": ENTERPRISE, "value": {"nope": 1}}])).expect_error(400, "invalidSyntax");
            let odd = json!({"schemas": [PATCH, "urn:example:x"], "Operations": [{"op": "add", "path": "title", "value": "T"}]});
            c.send("PATCH", &user_path(&user), &[], Some(&odd.to_string())).expect_error(400, "invalidSyntax");
            assert_eq!(c.get(&user_path(&user)).expect(200), user, "nothing has changed");
            c.post("/Groups", &json!({"schemas": [GROUP], "displayName": "g", "nope": 1})).expect_error(400, "invalidSyntax");
            let group = c.group("g", &[]);
            c.patch(&group_path(&group), &json!([{"op": "add", "path": "nope", "value": 1}])).expect_error(400, "invalidSyntax");
        }
    }

    /// R258: bodies are application/scim+json, in both directions.
    fn one_media_type(server) {
        let body = json!({"schemas": [USER], "userName": "sam@example.com"}).to_string();
        for c in strict(server) {
            for wrong in ["application/json", "text/json"] {
                c.send("POST", "/Users", &[("content-type", wrong)], Some(&body)).expect_error(415, "");
            }
            c.send("POST", "/Users", &[("content-type", "")], Some(&body)).expect_error(415, "");
            let made = c.send("POST", "/Users", &[("content-type", "application/scim+json;charset=utf-8"), ("accept", "application/json")], Some(&body));
            let user = made.expect(201);
            for reply in [made, c.send("GET", &user_path(&user), &[("accept", "application/json")], None), c.get("/Users"), c.get("/Schemas")] {
                assert_eq!(reply.header("content-type"), "application/scim+json");
            }
        }
        let plain = server.tenant();
        plain.send("POST", "/Users", &[("content-type", "application/json")], Some(&body)).expect(201);
        assert_eq!(plain.send("GET", "/Users", &[("accept", "application/json")], None).header("content-type"), "application/json");
    }

    /// R258: `eq` and `and` work; an attribute that the type does not have is 400 invalidFilter.
    fn filters_are_strict(server) {
        for c in strict(server) {
            let user = post_user(&c, &json!({"title": "T", "schemas": [USER, ENTERPRISE], ENTERPRISE: {"department": "D"}})).expect(201);
            for filter in [r#"title eq "T" and userName eq "sam@example.com""#.to_owned(), format!("{ENTERPRISE}:department eq \"d\""),
                "active eq true and meta.resourceType eq \"User\"".to_owned()] {
                assert_eq!(found(&c, "/Users", &filter), [id(&user)], "{filter}");
            }
            for filter in [r#"nope eq "x""#, r#"name.nope eq "x""#, r#"members.value eq "x""#, r#"department eq "D""#, r#"password eq "x""#, "userName eq sam",
                r#"active eq "true""#, r#"emails[nope eq "x"]"#] {
                c.filter("/Users", filter).expect_error(400, "invalidFilter");
            }
            c.filter("/Groups", r#"userName eq "x""#).expect_error(400, "invalidFilter");
            let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "nope eq 1"});
            c.post("/Users/.search", &search).expect_error(400, "invalidFilter");
        }
    }

    /// R258: a page has at least 100 by default, and 100 when asked for, whatever the tenant has set.
    fn pages_have_a_hundred(server) {
        for idp in STRICT {
            let c = server.tenant_set(idp, |s| (s.page_default, s.page_max) = (Some(10), Some(100)));
            for n in 0..101 {
                c.group(&format!("g{n}"), &[]);
            }
            for path in ["/Groups", "/Groups?count=100", "/Groups?cursor"] {
                assert_eq!(c.get(path).expect(200)["itemsPerPage"], 100, "{path}");
            }
            assert_eq!(c.get("/Groups?startIndex=101").expect(200)["itemsPerPage"], 1);
            let pages = &c.get("/ServiceProviderConfig").expect(200)["pagination"];
            assert_eq!((&pages["defaultPageSize"], &pages["maxPageSize"], &pages["index"]), (&json!(100), &json!(100), &json!(true)));
        }
        let c = server.tenant_set(Idp::Auto, |s| s.page_default = Some(10));
        assert_eq!(c.get("/ServiceProviderConfig").expect(200)["pagination"]["defaultPageSize"], 10);
    }

    /// R258: an operation without a path is 400 invalidSyntax, and those beside it are not applied.
    fn every_operation_has_a_path(server) {
        for c in strict(server) {
            let user = post_user(&c, &json!({})).expect(201);
            let group = c.group("g", &[]);
            for op in ["add", "replace", "remove"] {
                for path in [None, Some(Value::Null)] {
                    let mut operation = json!({"op": op, "value": {"displayName": "x", "title": "x"}});
                    if let Some(path) = path {
                        operation["path"] = path;
                    }
                    let both = json!([{"op": "replace", "path": "displayName", "value": "y"}, operation]);
                    let detail = c.patch(&user_path(&user), &both).expect_error(400, "invalidSyntax");
                    assert!(detail.contains("operation 2") && detail.contains("path"), "{detail}");
                    c.patch(&group_path(&group), &both).expect_error(400, "invalidSyntax");
                }
            }
            c.patch(&group_path(&group), &json!([{"op": "add", "value": {"members": [{"value": id(&user)}]}}])).expect_error(400, "invalidSyntax");
            assert_eq!(c.get(&user_path(&user)).expect(200), user);
            assert_eq!(c.get(&group_path(&group)).expect(200), group);
        }
    }

    /// R258: replacing a complex value replaces all of it; adding to it keeps the rest. A list is replaced or appended to.
    fn complex_values_are_replaced_whole(server) {
        for c in strict(server) {
            let mails = json!([{"value": "a@example.com", "type": "work"}]);
            let user = post_user(&c, &json!({"name": {"givenName": "G", "familyName": "F"}, "emails": mails})).expect(201);
            let place = user_path(&user);
            let after = c.patch(&place, &json!([{"op": "replace", "path": "name", "value": {"givenName": "H"}}])).expect(200);
            assert_eq!(after["name"], json!({"givenName": "H"}));
            let after = c.patch(&place, &json!([{"op": "add", "path": "name", "value": {"middleName": "M"}}])).expect(200);
            assert_eq!(after["name"], json!({"givenName": "H", "middleName": "M"}));
            let after = c.patch(&place, &json!([{"op": "replace", "path": "name.givenName", "value": "I"}])).expect(200);
            assert_eq!(after["name"], json!({"givenName": "I", "middleName": "M"}));
            for department in ["D", "E"] {
                let value = json!({if department == "D" { "costCenter" } else { "department" }: department});
                let after = c.patch(&place, &json!([{"op": "replace", "path": ENTERPRISE, "value": value}])).expect(200);
                assert_eq!(after[ENTERPRISE], value);
            }
            let more = json!([{"value": "b@example.com", "type": "home"}]);
            let after = c.patch(&place, &json!([{"op": "add", "path": "emails", "value": more}])).expect(200);
            assert_eq!(after["emails"].as_array().unwrap().len(), 2);
            let after = c.patch(&place, &json!([{"op": "replace", "path": "emails", "value": more}])).expect(200);
            assert_eq!(after["emails"], more);
            for op in ["add", "replace"] {
                let reply = c.patch(&place, &json!([{"op": op, "path": "emails", "value": {"value": "c@example.com"}}]));
                reply.expect_error(400, "invalidValue");
            }
        }
    }

    /// R258: for a simple attribute add and replace are the same.
    fn add_and_replace_are_the_same_for_simple_values(server) {
        for c in strict(server) {
            let user = post_user(&c, &json!({"title": "a"})).expect(201);
            for (op, title, active) in [("add", "b", false), ("replace", "c", true), ("add", "d", false)] {
                let after = c.patch(&user_path(&user), &json!([{"op": op, "path": "title", "value": title}, {"op": op, "path": "active", "value": active}]));
                let after = after.expect(200);
                assert_eq!((&after["title"], &after["active"]), (&json!(title), &json!(active)));
            }
        }
    }

    /// R258: a filter in a path is followed by a sub-attribute, and names one value. Members are the exception: one can only
    /// be removed as a whole.
    fn filters_in_paths_end_in_a_sub_attribute(server) {
        for c in strict(server) {
            let mails = json!([{"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "type": "home"}, {"value": "c@example.com", "type": "home"}]);
            let user = post_user(&c, &json!({"emails": mails})).expect(201);
            let place = user_path(&user);
            for op in ["add", "replace", "remove"] {
                let whole = json!([{"op": op, "path": "emails[type eq \"work\"]", "value": {"value": "x@example.com"}}]);
                c.patch(&place, &whole).expect_error(400, "invalidPath");
                let many = json!([{"op": op, "path": "emails[type eq \"home\"].value", "value": "x@example.com"}]);
                c.patch(&place, &many).expect_error(400, "invalidFilter");
            }
            assert_eq!(c.get(&place).expect(200), user);
            let after = c.patch(&place, &json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "d@example.com"}])).expect(200);
            assert_eq!(after["emails"][0]["value"], "d@example.com");
            let absent = json!([{"op": "replace", "path": "emails[type eq \"other\"].value", "value": "x@example.com"}]);
            c.patch(&place, &absent).expect_error(400, "noTarget");
            let group = c.group("g", &[id(&user)]);
            let after = c.patch(&group_path(&group), &json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(&user))}])).expect(200);
            assert_eq!(after["members"], json!([]));
        }
    }

    /// R258: a PATCH deletes nobody; DELETE does: 404 for every method, in no list, and the name is free again.
    fn deleted_is_gone(server) {
        for c in strict(server) {
            let user = post_user(&c, &json!({"externalId": "e"})).expect(201);
            let place = user_path(&user);
            c.patch(&place, &json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
            assert_eq!(c.get(&place).expect(200)["active"], false);
            assert_eq!(c.delete(&place).status, 204);
            c.get(&place).expect_error(404, "");
            c.delete(&place).expect_error(404, "");
            c.patch(&place, &json!([{"op": "replace", "path": "active", "value": true}])).expect_error(404, "");
            c.put(&place, &json!({"schemas": [USER], "userName": "sam@example.com"})).expect_error(404, "");
            assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
            assert!(found(&c, "/Users", r#"userName eq "sam@example.com""#).is_empty());
            let again = post_user(&c, &json!({"externalId": "another"})).expect(201);
            assert_ne!(id(&again), id(&user));
            let group = c.group("g", &[]);
            assert_eq!(c.delete(&group_path(&group)).status, 204);
            c.get(&group_path(&group)).expect_error(404, "");
            c.group("g", &[]);
        }
    }

    /// R258: what is taken is 409 uniqueness, for POST and for PATCH.
    fn conflicts_are_409(server) {
        for c in strict(server) {
            post_user(&c, &json!({})).expect(201);
            post_user(&c, &json!({})).expect_error(409, "uniqueness");
            let other = c.user("other");
            let reply = c.patch(&user_path(&other), &json!([{"op": "replace", "path": "userName", "value": "SAM@example.com"}]));
            reply.expect_error(409, "uniqueness");
        }
    }

    // -- IPSIE ---------------------------------------------------------------

    /// R259: no password and nothing else that opens an account: in no schema, not accepted, not shown, not searched.
    fn no_credentials(server) {
        let c = server.tenant_with(Idp::Ipsie);
        let schemas = c.get("/Schemas").expect(200).to_string();
        for name in ["password", "claimLink", "accessCode"] {
            assert!(!schemas.contains(&format!("\"name\":\"{name}\"")), "{name}");
        }
        let detail = post_user(&c, &json!({"password": "secret-1"})).expect_error(400, "invalidSyntax");
        assert!(detail.contains("password") && !detail.contains("secret-1"), "{detail}");
        post_user(&c, &json!({"schemas": [USER, EMPLOYEE], EMPLOYEE: {"accessCode": "x"}})).expect_error(400, "invalidSyntax");
        let user = post_user(&c, &json!({})).expect(201);
        for path in ["password", &format!("{EMPLOYEE}:claimLink")] {
            let reply = c.patch(&user_path(&user), &json!([{"op": "add", "path": path, "value": "x"}]));
            reply.expect_error(400, "invalidSyntax");
            c.filter("/Users", &format!("{path} pr")).expect_error(400, "invalidFilter");
        }
        let reader = server.client(&c.tenant, Scopes { read: true, write: false, secrets: true });
        let shown = reader.get(&format!("{}?attributes={EMPLOYEE}:claimLink,{EMPLOYEE}:accessCode", user_path(&user))).expect(200);
        assert!(shown[EMPLOYEE].get("claimLink").is_none() && shown[EMPLOYEE].get("accessCode").is_none(), "{shown}");
        for profile in [Idp::Ipsie, Idp::Interop] {
            let keeping = server.tenant_set(profile, |s| s.passwords = Passwords::Keep);
            post_user(&keeping, &json!({"password": "secret-1"})).expect_error(400, "invalidSyntax");
            assert_eq!(keeping.get("/ServiceProviderConfig").expect(200)["changePassword"]["supported"], false);
        }
        let other = server.tenant_with(Idp::Interop).get("/Schemas").expect(200).to_string();
        assert!(other.contains("claimLink"), "the interop profile alone says nothing of it");
    }

    /// R259: a PATCH takes at least 50 operations on members, whatever the tenant has set.
    fn fifty_member_operations(server) {
        let c = server.tenant_set(Idp::Ipsie, |s| s.patch_operations = Some(10));
        let users: Vec<Value> = (0..50).map(|n| c.user(&format!("u{n}"))).collect();
        let group = c.group("g", &[]);
        let add: Vec<Value> = users.iter().map(|u| json!({"op": "add", "path": "members", "value": [{"value": id(u)}]})).collect();
        let after = c.patch(&group_path(&group), &json!(add)).expect(200);
        assert_eq!(after["members"].as_array().unwrap().len(), 50);
        let remove: Vec<Value> = users.iter().map(|u| json!({"op": "remove", "path": format!("members[value eq \"{}\"]", id(u))})).collect();
        assert_eq!(c.patch(&group_path(&group), &json!(remove)).expect(200)["members"], json!([]));
        let bounded = server.tenant_set(Idp::Auto, |s| s.patch_operations = Some(10));
        bounded.patch(&group_path(&bounded.group("g", &[])), &json!(remove)).expect_error(413, "");
    }

    /// R259: groups may have nobody, and no two the same name.
    fn groups_of_nobody(server) {
        let c = server.tenant_with(Idp::Ipsie);
        let group = c.post("/Groups", &json!({"schemas": [GROUP], "displayName": "g"})).expect(201);
        assert_eq!(group["members"], json!([]));
        c.post("/Groups", &json!({"schemas": [GROUP], "displayName": "h", "members": []})).expect(201);
        c.post("/Groups", &json!({"schemas": [GROUP], "displayName": "G"})).expect_error(409, "uniqueness");
    }

    /// R259: the filters that the profile lists, for users and for groups.
    fn listed_filters(server) {
        let c = server.tenant_with(Idp::Ipsie);
        let user = post_user(&c, &json!({"externalId": "e1", "emails": [{"value": "sam@example.com", "type": "work"}]})).expect(201);
        let other = c.user("other");
        let group = c.post("/Groups", &json!({"schemas": [GROUP], "displayName": "Staff", "externalId": "g1", "members": [{"value": id(&user)}]})).expect(201);
        c.group("Others", &[id(&other)]);
        for filter in [r#"username eq "sam@example.com""#, r#"externalId eq "e1""#, r#"emails[value eq "sam@example.com"]"#,
            r#"emails[type eq "work" and value eq "sam@example.com"]"#] {
            assert_eq!(found(&c, "/Users", filter), [id(&user)], "{filter}");
        }
        assert!(found(&c, "/Users", r#"emails[type eq "home" and value eq "sam@example.com"]"#).is_empty());
        for filter in [r#"displayName eq "staff""#.to_owned(), r#"externalId eq "g1""#.to_owned(), format!("members[value eq \"{}\"]", id(&user))] {
            assert_eq!(found(&c, "/Groups", &filter), [id(&group)], "{filter}");
        }
        assert_eq!(c.get(&user_path(&user)).expect(200)["id"], user["id"]);
        assert_eq!(c.get("/Groups?excludedAttributes=members").expect(200)["Resources"][0].get("members"), None);
    }

    /// R259: userName, displayName, active and externalId are there; one PATCH switches somebody off and on, and changes several
    /// attributes.
    fn activation_and_several_attributes(server) {
        let c = server.tenant_with(Idp::Ipsie);
        let user = post_user(&c, &json!({"displayName": "Sam", "externalId": "e1", "active": true})).expect(201);
        assert_eq!(json!([user["userName"], user["displayName"], user["active"], user["externalId"]]), json!(["sam@example.com", "Sam", true, "e1"]));
        let change = |active: bool, title: &str| {
            json!([{"op": "replace", "path": "active", "value": active}, {"op": "replace", "path": "title", "value": title},
                {"op": "replace", "path": "displayName", "value": title}])
        };
        for (active, title) in [(false, "off"), (true, "on")] {
            let after = c.patch(&user_path(&user), &change(active, title)).expect(200);
            assert_eq!(json!([after["active"], after["title"], after["displayName"]]), json!([active, title, title]));
            assert_eq!(c.get(&user_path(&user)).expect(200), after);
        }
    }

    /// AK-02: `bulk.maxOperations` is taken for the size of a PATCH by one client: none, or not small.
    fn bulk_operations_are_no_small_number(server) {
        for idp in Idp::ALL {
            let most = server.tenant_with(idp).get("/ServiceProviderConfig").expect(200)["bulk"]["maxOperations"].as_u64().unwrap();
            assert!(most == 0 || most >= 100, "{idp}: {most}");
        }
    }
}
