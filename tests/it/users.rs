//! Creating and reading users: common attributes, the values of a user, its extensions (RFC 7643 §2, §3, §4; RFC 7644 §3.3).

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, Reply, USER, group_path, id, user_path, without_roll};
use crate::harness::Server;
use rollbook::domain::Idp;
use serde_json::{Value, json};

/// The tolerances that fired in a tenant, by name, those of the newest request first.
pub fn fired(server: &Server, client: &Client) -> Vec<String> {
    let name = |n: &Value| n["quirk"].as_str().unwrap().to_owned();
    let entries = server.notes(&client.tenant);
    entries.iter().flat_map(|e| serde_json::from_str::<Vec<Value>>(&e.notes).unwrap().iter().map(name).collect::<Vec<_>>()).collect()
}

/// Tries to create a user with one more attribute; all schemas are declared.
fn create_with(c: &Client, name: &str, value: &Value) -> Reply {
    let mut body = json!({"schemas": [USER, ENTERPRISE, EMPLOYEE], "userName": "valued"});
    body[name] = value.clone();
    c.post("/Users", &body)
}

/// Every attribute of a user that a client can write, `password` and `invited` excepted.
pub fn everything() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE, EMPLOYEE], "userName": "Bjensen@Example.com", "externalId": "Ext-1",
        "name": {"formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara", "middleName": "Jane",
                 "honorificPrefix": "Ms.", "honorificSuffix": "III"},
        "displayName": "Babs Jensen", "nickName": "Babs", "profileUrl": "https://Login.example.com/bjensen", "title": "Tour Guide",
        "userType": "Employee", "preferredLanguage": "en-US", "locale": "en-US", "timezone": "America/Los_Angeles", "active": false,
        "emails": [{"value": "Bjensen@example.com", "display": "B", "type": "work", "primary": true}, {"value": "babs@jensen.org",
        "type": "home"}],
        "phoneNumbers": [{"value": "555-1234", "display": "5", "type": "Work"}, {"value": "tel:+1-201-555-0123", "type": "satellite"}],
        "ims": [{"value": "someaimhandle", "type": "aim"}],
        "photos": [{"value": "https://photos.example.com/F", "type": "photo"}, {"value": "../photos/T", "type": "thumbnail"}],
        "addresses": [{"formatted": "100 Universal City Plaza\nHollywood, CA", "streetAddress": "100 Universal City Plaza",
        "locality": "Hollywood",
                       "region": "CA", "postalCode": "91608", "country": "USA", "type": "work", "primary": true}],
        "entitlements": [{"value": "e1", "display": "E", "type": "x", "primary": false}],
        "roles": [{"value": "r1"}, {"value": "r1", "type": "other"}],
        "x509Certificates": [{"value": "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAw", "type": "t"}],
        ENTERPRISE: {"employeeNumber": "701984", "costCenter": "4130", "organization": "Universal Studios", "division": "Theme Park",
                     "department": "Tour Operations", "manager": {"value": "26118915"}},
        EMPLOYEE: {"hireDate": "2024-01-01", "terminationDate": "2999-12-31", "location": "Zürich", "authMethod": "sso",
                   "managerEmail": "Boss@example.com"}
    })
}

on_both! {
    /// R001 R002 R033 R034 R037 R038 R039 R040 R085 R093 R203: what a create answers with, and a read after it.
    fn create_and_read(server) {
        let c = server.tenant();
        let reply = c.post("/Users", &json!({"schemas": [USER], "userName": "Bjensen"}));
        let user = reply.expect(201);
        let url = format!("{}/Users/{}", c.base, id(&user));
        for place in [reply.header("location"), reply.header("content-location"), user["meta"]["location"].as_str().unwrap()] {
            assert_eq!(place, url);
        }
        assert_eq!(reply.header("etag"), user["meta"]["version"]);
        assert!(reply.header("etag").starts_with("W/\""));
        assert_eq!(user["meta"]["resourceType"], "User");
        assert_eq!(user["meta"]["created"], user["meta"]["lastModified"]);
        assert_eq!((&user["schemas"], &user["userName"]), (&json!([USER, EMPLOYEE]), &json!("Bjensen")));
        assert!(!id(&user).is_empty() && !id(&user).contains("bulkId"));
        let read = c.get(&user_path(&user));
        assert_eq!(read.expect(200), user);
        assert_eq!((read.header("etag"), read.header("content-location")), (reply.header("etag"), &*url));
        assert_eq!(c.get(&url).expect(200), user);
    }

    /// R009 R013 R015 R019 R022 R025 R043 R047 R049 R060: every attribute comes back as it was sent.
    fn everything_round_trips(server) {
        let c = server.tenant_with_free_locations(Idp::Auto);
        let sent = everything();
        let user = c.post("/Users", &sent).expect(201);
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
        let mut own = user.clone();
        without_roll(&mut own);
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&own[name], value, "{name}");
        }
        assert_eq!(own.as_object().unwrap().len(), sent.as_object().unwrap().len() + 2, "{user}");
    }

    /// R026 R033 R036 R051 R060 R084 R091: read-only values in a create are ignored.
    fn read_only_values(server) {
        let c = server.tenant();
        let boss = c.user("boss");
        let user = c.user_with(json!({
            "userName": "a", "id": "mine", "groups": [{"value": "g"}],
            "meta": {"resourceType": "Group", "created": "2001-01-01T00:00:00Z", "lastModified": "2001-01-01T00:00:00Z", "location": "x",
            "version": "v"},
            ENTERPRISE: {"manager": {"value": id(&boss), "displayName": "Somebody"}}
        }));
        assert_ne!(user["id"], "mine");
        assert!(user.get("groups").is_none());
        assert_eq!(user["meta"]["resourceType"], "User");
        assert_eq!(user["meta"]["location"], format!("{}{}", c.base, user_path(&user)));
        assert!(user["meta"]["created"].as_str().unwrap() > "2020" && user["meta"]["lastModified"].as_str().unwrap() > "2020");
        assert!(user["meta"]["version"].as_str().unwrap().starts_with("W/"));
        assert_eq!(user[ENTERPRISE]["manager"]["displayName"], "boss");
        c.get("/Users/mine").expect_error(404, "");
    }

    /// R027 R044 R097: a password is accepted, not shown by any verb, and not written down with the note about it.
    fn passwords(server) {
        let c = server.tenant();
        let secret = "correct horse battery";
        let body = json!({"schemas": [USER], "userName": "a", "password": secret});
        let created = c.post("/Users?attributes=password,userName", &body);
        let path = user_path(&created.expect(201));
        let replies = [
            created, c.get(&path), c.get(&format!("{path}?attributes=password")), c.put(&path, &body), c.get("/Users"),
            c.patch(&path, &json!([{"op": "replace", "path": "password", "value": secret}])),
            c.patch(&path, &json!([{"op": "replace", "value": {"password": secret, "title": "t"}}])),
        ];
        for reply in &replies {
            assert!(reply.status < 300 && !reply.text.contains("password") && !reply.text.contains(secret), "{}", reply.text);
        }
        assert!(fired(server, &c).contains(&"password_dropped".to_owned()));
        assert!(server.notes(&c.tenant).iter().all(|e| !e.notes.contains(secret)));
    }

    /// R023: null, an empty list and an object without values are no value, and no value is not shown.
    fn no_value(server) {
        let c = server.tenant();
        let user = c.user_with(json!({
            "userName": "a", "title": null, "emails": [], "name": {"givenName": null}, "addresses": [{}], "roles": null, "ims": [null],
            ENTERPRISE: {"department": null, "manager": null}
        }));
        let names: Vec<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["id", "schemas", "userName", "active", "displayName", EMPLOYEE, "meta"], "{user}");
        assert_eq!(user["schemas"], json!([USER, EMPLOYEE]));
        assert_eq!(user[EMPLOYEE], json!({"state": "uninvited", "invited": false, "claimed": false, "canDelete": true}));
    }

    /// R024 R042 R087: userName is required and not empty; elsewhere an empty string is a value.
    fn required_attributes(server) {
        let c = server.tenant();
        for body in [json!({}), json!({"userName": null}), json!({"userName": ""}), json!({"userName": "  "}), json!({"userName": []})] {
            let mut body = body;
            body["schemas"] = json!([USER]);
            assert!(c.post("/Users", &body).expect_error(400, "invalidValue").contains("userName"));
        }
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
        assert_eq!(c.user_with(json!({"userName": "a", "nickName": ""}))["nickName"], "");
    }

    /// R010 R013 R014 R017 R020 R052 R087: a value of the wrong type is invalidValue, and the detail names the attribute.
    fn wrong_types(server) {
        let c = server.tenant_with(Idp::Rfc);
        let two = json!([{"value": "a", "primary": true}, {"value": "b", "primary": true}]);
        for (name, value) in [
            ("active", json!("true")), ("active", json!(1)), ("title", json!(5)), ("title", json!(true)), ("title", json!({"value": "x"})),
            ("title", json!(["x"])), ("name", json!("x")), ("name", json!([])), ("name", json!({"givenName": {"value": "x"}})),
            ("emails", json!("x")), ("emails", json!({"value": "x"})), ("emails", json!(["x"])), ("emails", json!([["x"]])),
            ("emails", json!([{"value": 5}])), ("emails", json!([{"value": "x", "primary": "true"}])), ("emails", two.clone()), ("roles",
            two),
            ("x509Certificates", json!([{"value": "not base64!"}])), (ENTERPRISE, json!("x")), (ENTERPRISE, json!({"manager": "x"})),
            (ENTERPRISE, json!({"department": 7})), (EMPLOYEE, json!({"hireDate": 2024})),
        ] {
            let reply = create_with(&c, name, &value);
            assert_eq!(reply.status, 400, "{name}: {value}");
            assert!(reply.expect_error(400, "invalidValue").contains(name), "{name}: {value}: {}", reply.text);
        }
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
    }

    /// R009: a date of the employee record is kept; of a date with a time, the date as it is written, in whatever zone.
    fn dates(server) {
        let c = server.tenant_with(Idp::Rfc);
        for (text, shown) in [
            ("2024-02-29", "2024-02-29"), ("2024-02-29T23:59:59Z", "2024-02-29"), ("2024-01-01T00:00:00+05:30", "2024-01-01"),
            ("2024-01-01T00:00:00.5-08:00", "2024-01-01"), ("2024-01-01T00:00:00", "2024-01-01"),
        ] {
            let user = create_with(&c, EMPLOYEE, &json!({"hireDate": text, "terminationDate": text})).expect(201);
            assert_eq!((&user[EMPLOYEE]["hireDate"], &user[EMPLOYEE]["terminationDate"]), (&json!(shown), &json!(shown)));
            assert_eq!(c.get(&user_path(&user)).expect(200), user);
            assert_eq!(c.delete(&user_path(&user)).status, 204);
        }
    }

    /// R009 R087: what is no date is refused to the letter, and elsewhere kept with a note.
    fn what_is_no_date(server) {
        let (strict, lenient) = (server.tenant_with(Idp::Rfc), server.tenant());
        for name in ["hireDate", "terminationDate"] {
            for text in ["2023-02-29", "2024-13-01", "01.02.2024", "2024-1-1", "20240229", "soon", "2024-01-01 08:00"] {
                let value = json!({ name: text });
                assert!(create_with(&strict, EMPLOYEE, &value).expect_error(400, "invalidValue").contains(name));
                let user = create_with(&lenient, EMPLOYEE, &value).expect(201);
                assert_eq!((&user[EMPLOYEE][name], &user["active"]), (&json!(text), &json!(true)));
                assert_eq!(fired(server, &lenient).first().unwrap(), "free_text_date");
                assert_eq!(lenient.delete(&user_path(&user)).status, 204);
            }
        }
        assert_eq!(strict.get("/Users").expect(200)["totalResults"], 0);
    }

    /// R022: the same value is not shown twice; the same value under two types is.
    fn repeated_values(server) {
        let c = server.tenant();
        let (work, home) = (json!({"value": "a@example.com", "type": "work"}), json!({"value": "a@example.com", "type": "home"}));
        let user = c.user_with(json!({"userName": "a", "emails": [work, home, work]}));
        assert_eq!(user["emails"], json!([work, home]));
    }

    /// R005 R018 R061: names and URNs are read in any case and shown as the schemas spell them; order is nothing.
    fn names_in_any_case(server) {
        let c = server.tenant_with(Idp::Rfc);
        let body = json!({
            &*ENTERPRISE.to_uppercase(): {"DEPARTMENT": "d"}, "USERNAME": "Bjensen", "NAME": {"GIVENNAME": "Barbara"},
            "EMAILS": [{"Primary": true, "VALUE": "b@example.com"}], "EXTERNALID": "x", "Schemas": [ENTERPRISE.to_uppercase(),
            USER.to_lowercase()]
        });
        let user = c.post("/Users", &body).expect(201);
        assert_eq!(user["schemas"], json!([USER, ENTERPRISE, EMPLOYEE]));
        assert_eq!((&user["userName"], &user["externalId"], &user["name"]["givenName"]), (&json!("Bjensen"), &json!("x"),
            &json!("Barbara")));
        assert_eq!((&user["emails"][0]["value"], &user[ENTERPRISE]["department"]), (&json!("b@example.com"), &json!("d")));
    }

    /// R006: the same attribute twice, in whatever case, is invalidSyntax.
    fn attributes_given_twice(server) {
        let c = server.tenant();
        let extension = ENTERPRISE.to_lowercase();
        for body in [
            json!({"schemas": [USER], "userName": "a", "USERNAME": "b"}),
            json!({"schemas": [USER], "userName": "a", "name": {"givenName": "a", "GivenName": "a"}}),
            json!({"schemas": [USER], "userName": "a", "emails": [{"value": "a", "VALUE": "b"}]}),
            json!({"schemas": [USER], "userName": "a", ENTERPRISE: {"division": "a"}, &*extension: {"division": "b"}}),
            json!({"schemas": [USER], "userName": "a", ENTERPRISE: {"division": "a", "Division": "a"}}),
        ] {
            let reply = c.post("/Users", &body);
            assert_eq!(reply.status, 400, "{body}");
            reply.expect_error(400, "invalidSyntax");
        }
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 0);
    }

    /// R006: `schemas` given twice, and an attribute given as null and as a value, are no better.
    fn given_twice_with_null_or_as_schemas(server) {
        let c = server.tenant();
        let twice = [
            json!({"schemas": [USER], "userName": "a", "title": null, "TITLE": "t"}),
            json!({"schemas": [USER], "SCHEMAS": [USER], "userName": "b"}),
        ];
        let statuses = twice.map(|body| c.post("/Users", &body).status);
        assert_eq!(statuses, [400, 400]);
    }

    /// R002 R003 R087 R089 R090: `schemas` names the base schema and at most its extensions, each once.
    fn schemas_to_the_letter(server) {
        let c = server.tenant_with(Idp::Rfc);
        for schemas in [
            json!(null), json!([]), json!(USER), json!([5]), json!([USER, USER]), json!([GROUP]), json!([ENTERPRISE]), json!([USER, GROUP]),
            json!([USER, "urn:example:unknown"]),
        ] {
            let reply = c.post("/Users", &json!({"schemas": schemas, "userName": "a"}));
            assert_eq!(reply.status, 400, "{schemas}");
            reply.expect_error(400, "invalidSyntax");
        }
        c.post("/Users", &json!({"userName": "a"})).expect_error(400, "invalidSyntax");
        c.post("/Users", &json!({"schemas": [USER], "userName": "a", ENTERPRISE: {"division": "x"}})).expect_error(400, "invalidSyntax");
        c.post("/Groups", &json!({"schemas": [USER], "displayName": "g"})).expect_error(400, "invalidSyntax");
        assert_eq!(c.get("").expect(200)["totalResults"], 0);
        let user = c.post("/Users", &json!({"schemas": [ENTERPRISE, USER], "userName": "a"})).expect(201);
        assert_eq!(user["schemas"], json!([USER, EMPLOYEE]));
    }

    /// R061 R089 R090: a lenient tenant may leave schemas out or name unknown ones, with a note; never another base schema.
    fn schemas_leniently(server) {
        let c = server.tenant();
        let create = |body: Value, note: &str| {
            let user = c.post("/Users", &body).expect(201);
            assert!(note.is_empty() || fired(server, &c).first().is_some_and(|n| n == note), "{note}");
            user["schemas"].clone()
        };
        assert_eq!(create(json!({"userName": "a"}), "missing_schemas"), json!([USER, EMPLOYEE]));
        assert_eq!(create(json!({"schemas": [USER, "urn:example:x"], "userName": "b"}), "unknown_schema"), json!([USER, EMPLOYEE]));
        assert_eq!(create(json!({"schemas": [USER, USER], "userName": "c"}), ""), json!([USER, EMPLOYEE]));
        let undeclared = json!({"schemas": [USER], "userName": "d", ENTERPRISE: {"division": "x"}});
        assert_eq!(create(undeclared, "undeclared_extension"), json!([USER, ENTERPRISE, EMPLOYEE]));
        for schemas in [json!([GROUP]), json!([USER, GROUP])] {
            c.post("/Users", &json!({"schemas": schemas, "userName": "e"})).expect_error(400, "invalidSyntax");
        }
    }

    /// R060 R088 R091: unknown attributes are ignored with a note and not shown, whatever the tenant declares.
    fn unknown_attributes(server) {
        for idp in [Idp::Auto, Idp::Rfc] {
            let c = server.tenant_with(idp);
            let body = json!({
                "schemas": [USER], "userName": "a", "shoeSize": 44, "employeeNumber": "1", "name": {"givenName": "A", "shoe": {}},
                "emails": [{"value": "a@example.com", "verified": true}], "urn:example:x": {"y": 1}
            });
            let user = c.post("/Users", &body).expect(201);
            let names: Vec<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["id", "schemas", "userName", "name", "emails", "active", "displayName", EMPLOYEE, "meta"]);
            assert_eq!((&user["name"], &user["emails"]), (&json!({"givenName": "A"}), &json!([{"value": "a@example.com"}])));
            assert!(fired(server, &c).contains(&"unknown_attribute".to_owned()));
        }
    }

    /// R035: externalId is the client's: kept as it is, never set by the server, never checked to be unique.
    fn external_ids(server) {
        let c = server.tenant();
        let create = |name: &str, external: &str| c.user_with(json!({"userName": name, "externalId": external}));
        let (a, _, upper) = (create("a", "x"), create("b", "x"), create("c", "X"));
        assert_eq!((&a["externalId"], &upper["externalId"]), (&json!("x"), &json!("X")));
        assert!(c.user("d").get("externalId").is_none());
        assert_eq!(c.filter("/Users", "externalId eq \"x\"").expect(200)["totalResults"], 2);
    }

    /// R028 R042 R086: a userName is taken in every case and in every normal form of it.
    fn taken_user_names(server) {
        let c = server.tenant();
        c.user("Andr\u{e9}");
        for name in ["Andr\u{e9}", "ANDR\u{c9}", "andre\u{301}"] {
            c.post("/Users", &json!({"schemas": [USER], "userName": name})).expect_error(409, "uniqueness");
        }
        assert_eq!(c.get("/Users").expect(200)["totalResults"], 1);
        c.user("andre");
        server.tenant().user("Andr\u{e9}");
    }

    /// R042 R086 R232: userNames are compared as PRECIS prepares them, full width as half width.
    fn full_width_user_names(server) {
        let c = server.tenant();
        c.user("bjensen");
        c.post("/Users", &json!({"schemas": [USER], "userName": "ｂＪｅｎｓｅｎ"})).expect_error(409, "uniqueness");
    }

    /// R053: an inactive user can be read, found and listed.
    fn inactive_users(server) {
        let c = server.tenant();
        let user = c.user_with(json!({"userName": "a", "active": false}));
        assert_eq!(user["active"], false);
        assert_eq!(c.get(&user_path(&user)).expect(200), user);
        for filter in ["userName eq \"a\"", "active eq false"] {
            assert_eq!(c.filter("/Users", filter).expect(200)["Resources"], json!([user]));
        }
        assert_eq!(c.get("/Users").expect(200)["Resources"], json!([user]));
    }

    /// R084: a new user is active, and is called after its name or else its userName.
    fn defaults(server) {
        let c = server.tenant();
        let user = c.user("a");
        assert_eq!((&user["active"], &user["displayName"]), (&json!(true), &json!("a")));
        let named = c.user_with(json!({"userName": "b", "name": {"givenName": "Barbara", "familyName": "Jensen"}}));
        assert_eq!(named["displayName"], "Barbara Jensen");
    }

    /// R084: null in a create overrides the server's default.
    fn null_overrides_a_default(server) {
        let c = server.tenant();
        let user = c.user_with(json!({"userName": "a", "active": null}));
        assert!(user.get("active").is_none(), "{user}");
    }

    /// R093 R095: an id is read to the letter, and only below its own endpoint.
    fn unknown_ids(server) {
        let c = server.tenant();
        let (user, group) = (c.user("a"), c.group("g", &[]));
        let upper = id(&user).to_uppercase();
        assert_ne!(upper, id(&user));
        let ids = ["none", &*upper, id(&group), "%20", "a%2Fb", "..%2f", "é"];
        for unknown in ids {
            let reply = c.get(&format!("/Users/{unknown}"));
            assert_eq!(reply.status, 404, "{unknown}");
            reply.expect_error(404, "");
        }
        c.get(&format!("/Groups/{}", id(&user))).expect_error(404, "");
        c.get(&group_path(&group)).expect(200);
    }

    /// R093 R215: an id with U+0000 is 404 on every verb, on every database.
    fn nul_in_an_id(server) {
        let c = server.tenant();
        let nothing = json!([{"op": "remove", "path": "externalId"}]);
        for path in ["/Users/%00", "/Groups/a%00"] {
            let body = json!({"userName": "a", "displayName": "a"});
            for reply in [c.get(path), c.put(path, &body), c.patch(path, &nothing), c.delete(path)] {
                reply.expect_error(404, "");
            }
        }
    }

    /// R094: a filter on one resource is ignored.
    fn filter_on_one_resource(server) {
        let c = server.tenant();
        let user = c.user("a");
        assert_eq!(c.get(&format!("{}?filter=userName+eq+%22b%22", user_path(&user))).expect(200), user);
    }

    /// R016 R021 R060: a manager is shown with its URL and name; any URL of it names it; it need not exist.
    fn managers(server) {
        let c = server.tenant();
        let boss = c.user_with(json!({"userName": "boss", "displayName": "The Boss"}));
        let url = boss["meta"]["location"].as_str().unwrap();
        let expected = json!({"value": id(&boss), "$ref": url, "displayName": "The Boss"});
        let unversioned = url.replace("/v2/", "/");
        for (n, given) in [json!({"value": id(&boss)}), json!({"$ref": url}), json!({"$ref": unversioned})].into_iter().enumerate() {
            let user = c.user_with(json!({"userName": format!("u{n}"), ENTERPRISE: {"manager": given}}));
            assert_eq!(user[ENTERPRISE]["manager"], expected);
            assert_eq!(c.get(&user_path(&user)).expect(200), user);
            assert_eq!(c.get(user[ENTERPRISE]["manager"]["$ref"].as_str().unwrap()).expect(200), boss);
        }
        let lonely = c.user_with(json!({"userName": "lonely", ENTERPRISE: {"manager": {"value": "nobody"}}}));
        assert_eq!(lonely[ENTERPRISE]["manager"], json!({"value": "nobody"}));
    }

    /// R002 R030: every schema that a resource names is found below /Schemas.
    fn schemas_exist(server) {
        let c = server.tenant();
        let user = c.post("/Users", &everything()).expect(201);
        for urn in user["schemas"].as_array().unwrap() {
            assert_eq!(&c.get(&format!("/Schemas/{}", urn.as_str().unwrap())).expect(200)["id"], urn);
        }
    }
}
