//! The discovery documents (RFC 7644 §4, RFC 7643 §5–§7). What /Schemas says of each attribute is in `schemas.rs`.

use crate::clients::{Client, EMPLOYEE, ENTERPRISE, GROUP, LIST, USER, group_path, user_path};
use serde_json::{Value, json};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0";

/// The elements of a ListResponse that holds all there is.
pub fn all(c: &Client, path: &str) -> Vec<Value> {
    let list = c.get(path).expect(200);
    let items = list["Resources"].as_array().unwrap().clone();
    let expected =
        json!({"schemas": [LIST], "totalResults": items.len(), "startIndex": 1, "itemsPerPage": items.len(), "Resources": items});
    assert_eq!(list, expected);
    items
}

/// Every path of discovery.
fn paths() -> Vec<String> {
    let fixed = ["/ServiceProviderConfig", "/ServiceProviderConfigs", "/ResourceTypes", "/ResourceTypes/User", "/Schemas"];
    fixed.into_iter().map(str::to_owned).chain([format!("/Schemas/{GROUP}")]).collect()
}

on_both! {
    /// R063 R143: /ServiceProviderConfig is one object with everything that the RFCs require in it.
    fn service_provider_config(server) {
        let c = server.tenant();
        let config = c.get("/ServiceProviderConfig").expect(200);
        assert_eq!(config["schemas"], json!([format!("{CORE}:ServiceProviderConfig")]));
        for (feature, supported) in [("patch", true), ("bulk", true), ("filter", true), ("changePassword", false), ("sort", true),
            ("etag", true)] {
            assert_eq!(config[feature]["supported"], supported, "{feature}");
        }
        for number in ["/bulk/maxOperations", "/bulk/maxPayloadSize", "/filter/maxResults", "/pagination/defaultPageSize",
            "/pagination/maxPageSize"] {
            assert!(config.pointer(number).is_some_and(Value::is_u64), "{number}");
        }
        let pagination = &config["pagination"];
        assert_eq!((&pagination["cursor"], &pagination["index"], &pagination["defaultPaginationMethod"]), (&json!(true), &json!(true),
            &json!("index")));
        let schemes = config["authenticationSchemes"].as_array().unwrap();
        assert!(!schemes.is_empty());
        for scheme in schemes {
            assert!(["type", "name", "description"].iter().all(|k| scheme[k].as_str().is_some_and(|v| !v.is_empty())), "{scheme}");
        }
        assert_eq!(config["meta"], json!({"resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig",
            c.base)}));
        assert_eq!(c.get("/ServiceProviderConfigs").expect(200), config);
    }

    /// R064: what is announced as supported works.
    fn what_is_announced_works(server) {
        let c = server.tenant();
        let user = c.user("a");
        let reply = c.get(&user_path(&user));
        assert!(!reply.header("etag").is_empty());
        assert_eq!(c.patch(&user_path(&user), &json!([{"op": "add", "path": "title", "value": "t"}])).status, 200);
        for query in ["filter=userName+eq+%22a%22", "sortBy=userName", "cursor&count=1", "startIndex=1&count=1"] {
            assert_eq!(c.get(&format!("/Users?{query}")).expect(200)["Resources"].as_array().unwrap().len(), 1, "{query}");
        }
    }

    /// R037 R066 R069 R070 R072: the resource types, each with a schema that exists and an endpoint that answers.
    fn resource_types(server) {
        let c = server.tenant();
        let types = all(&c, "/ResourceTypes");
        let shown: Vec<_> = types.iter().map(|t| (&t["name"], &t["endpoint"], &t["schema"])).collect();
        assert_eq!(shown, [(&json!("User"), &json!("/Users"), &json!(USER)), (&json!("Group"), &json!("/Groups"), &json!(GROUP))]);
        let extensions = json!([{"schema": ENTERPRISE, "required": false}, {"schema": EMPLOYEE, "required": false}]);
        assert_eq!(types[0]["schemaExtensions"], extensions);
        let resources = [c.get(&user_path(&c.user("a"))).expect(200), c.get(&group_path(&c.group("g", &[]))).expect(200)];
        for (found, resource) in types.iter().zip(resources) {
            let name = found["name"].as_str().unwrap();
            assert_eq!((&found["id"], &found["schemas"]), (&found["name"], &json!([format!("{CORE}:ResourceType")])));
            let location = format!("{}/ResourceTypes/{name}", c.base);
            assert_eq!(found["meta"], json!({"resourceType": "ResourceType", "location": location}));
            assert_eq!(&c.get(&location).expect(200), found);
            assert_eq!((&resource["meta"]["resourceType"], &resource["schemas"][0]), (&found["name"], &found["schema"]));
            assert_eq!(c.get(found["endpoint"].as_str().unwrap()).expect(200)["Resources"][0], resource);
            let extensions = found["schemaExtensions"].as_array().into_iter().flatten().map(|e| &e["schema"]);
            for urn in extensions.chain([&found["schema"]]) {
                c.get(&format!("/Schemas/{}", urn.as_str().unwrap())).expect(200);
            }
        }
    }

    /// R004 R016 R030 R066: /Schemas lists every schema and no message; each is found by its URN.
    fn schemas(server) {
        let c = server.tenant();
        let schemas = all(&c, "/Schemas");
        let mut ids: Vec<&str> = schemas.iter().map(|s| s["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        let config = [format!("{CORE}:ResourceType"), format!("{CORE}:Schema"), format!("{CORE}:ServiceProviderConfig")];
        let mut expected = vec![USER, GROUP, ENTERPRISE, EMPLOYEE, &*config[0], &*config[1], &*config[2]];
        expected.sort_unstable();
        assert_eq!(ids, expected);
        for schema in &schemas {
            let location = format!("{}/Schemas/{}", c.base, schema["id"].as_str().unwrap());
            assert_eq!(schema["schemas"], json!([format!("{CORE}:Schema")]));
            assert_eq!(schema["meta"], json!({"resourceType": "Schema", "location": location}));
            assert_eq!(&c.get(&location).expect(200), schema);
        }
    }

    /// R066: one that does not exist is 404.
    fn unknown_ones(server) {
        let c = server.tenant();
        for path in ["/Schemas/urn:example:x", "/Schemas/User", "/ResourceTypes/Device", "/ResourceTypes/Users",
            "/ServiceProviderConfig/x"] {
            c.get(path).expect_error(404, "");
        }
        c.get("/Schemas/urn:ietf:params:scim:api:messages:2.0:PatchOp").expect_error(404, "");
    }

    /// R067: every query parameter but filter is ignored.
    fn ignored_parameters(server) {
        let c = server.tenant();
        for path in paths() {
            let plain = c.get(&path).expect(200);
            for query in ["startIndex=5&count=1", "count=0", "sortBy=name&sortOrder=descending", "attributes=name",
                "excludedAttributes=attributes", "cursor"] {
                assert_eq!(c.get(&format!("{path}?{query}")).expect(200), plain, "{path}?{query}");
            }
        }
    }

    /// R067: parameters are ignored also when they make no sense.
    fn senseless_parameters(server) {
        let c = server.tenant();
        for path in paths() {
            for query in ["count=many", "startIndex=x", "sortOrder=up", "attributes=a&excludedAttributes=b", "cursor=x&startIndex=1"] {
                assert_eq!(c.get(&format!("{path}?{query}")).status, 200, "{path}?{query}");
            }
        }
    }

    /// R068: a filter is 403.
    fn filters(server) {
        let c = server.tenant();
        for path in paths() {
            for query in ["filter=name+pr", "filter=", "FILTER=x", "count=1&filter=id+eq+%22User%22"] {
                let reply = c.get(&format!("{path}?{query}"));
                assert_eq!(reply.status, 403, "{path}?{query}");
                reply.expect_error(403, "");
            }
        }
    }

    /// R065: discovery can be read without a token, and is the same.
    fn without_a_token(server) {
        let c = server.tenant();
        for path in paths() {
            assert_eq!(server.nobody().get(&path).expect(200), c.get(&path).expect(200), "{path}");
        }
        server.nobody().get("/Users").expect_error(401, "");
    }
}
