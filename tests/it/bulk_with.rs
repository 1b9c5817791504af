//! POST /Bulk together with what single requests have: the provisioning log, passwords, resource types of a tenant's own.

use crate::bulk::{bulk, change, new_user, statuses};
use crate::clients::{Client, USER, user_path};
use crate::custom_types::{DEVICE, with_devices};
use crate::harness::Server;
use crate::passwords::{SECRET, is, keeping};
use crate::provisioning_log::{list, stored};
use rollbook::store::journal::Entry;
use serde_json::{Value, json};

/// The rows that operations have left, once all are written.
fn rows(server: &Server, client: &Client, count: usize) -> Vec<Entry> {
    for _ in 0..100 {
        drop(server.notes(&client.tenant));
        let mut found = stored(server, &client.tenant);
        found.retain(|e| !e.path.ends_with("/Bulk"));
        if found.len() >= count {
            assert_eq!(found.len(), count, "{found:#?}");
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("there are not {count} rows: {:#?}", stored(server, &client.tenant));
}

fn id_of(result: &Value) -> &str {
    result["location"].as_str().unwrap().rsplit('/').next().unwrap()
}

on_both! {
    /// R201 R235: each operation leaves a row of its own, with what it changed or why it failed.
    fn operations_are_logged(server) {
        let c = server.tenant();
        let old = c.user("old@example.com");
        rows(server, &c, 1);
        let results = bulk(&c, &json!([
            new_user("new@example.com", &json!({"active": "True"})),
            new_user("old@example.com", &json!({})),
            change(&user_path(&old), &json!([{"op": "replace", "path": "title", "value": "Guide"}])),
            change(&user_path(&old), &json!([{"op": "replace", "path": "title", "value": "Guide"}])),
            {"method": "DELETE", "path": user_path(&old)},
        ]));
        assert_eq!(statuses(&results), ["201", "409", "200", "200", "204"]);
        let found = rows(server, &c, 6);
        let mut said: Vec<(&str, i16, bool)> = found.iter().skip(1).map(|e| (e.method.as_str(), e.status, e.changes.is_some())).collect();
        let mut wanted = [("POST", 201, true), ("POST", 409, false), ("PATCH", 200, true), ("PATCH", 200, false), ("DELETE", 204, true)];
        said.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(said, wanted);
        let made = found.iter().find(|e| e.status == 201 && e.target.as_deref() == Some(id_of(&results[0]))).unwrap();
        assert!(made.notes.as_ref().unwrap().contains("string_boolean"), "{made:?}");
        assert!(list(made.changes.as_ref()).iter().any(|c| c["path"] == "userName" && c["new"] == "new@example.com"), "{made:?}");
        let refused = found.iter().find(|e| e.status == 409).unwrap();
        assert_eq!(refused.scim_type.as_deref(), Some("uniqueness"));
        assert!(found.iter().all(|e| e.request_id == found[1].request_id || e.status == 201), "one request");
    }

    /// R232 R234: passwords in a bulk request are hashed and kept as in a single one; the same one again changes nothing.
    fn passwords_are_kept(server) {
        let c = keeping(server);
        let results = bulk(&c, &json!([
            new_user("sam", &json!({"password": SECRET})),
            new_user("kim", &json!({"password": "another long secret"})),
        ]));
        assert_eq!(statuses(&results), ["201", "201"]);
        let (sam, kim) = (id_of(&results[0]), id_of(&results[1]));
        is(server, &c, sam, Some(SECRET));
        is(server, &c, kim, Some("another long secret"));
        let version = |at: &Value| at["version"].as_str().unwrap().to_owned();
        let set = |id: &str, value: &str| change(&format!("/Users/{id}"), &json!([{"op": "replace", "path": "password", "value": value}]));
        let again = bulk(&c, &json!([set(sam, SECRET), set(kim, SECRET)]));
        assert_eq!(version(&again[0]), version(&results[0]), "the same password is no change");
        assert_ne!(version(&again[1]), version(&results[1]));
        is(server, &c, kim, Some(SECRET));
        let text = json!(results).to_string() + &json!(again).to_string();
        assert!(!text.contains("argon2") && !text.contains(SECRET), "{text}");
    }

    /// R196 R237: resources of a type that the tenant has declared can be created, named and changed like all others.
    fn own_types_take_part(server) {
        let c = with_devices(server);
        let device = |name: &str, owner: &str| {
            let data = json!({"schemas": [DEVICE], "displayName": name, "serial": name, "owner": {"value": owner}});
            json!({"method": "POST", "path": "/Devices", "bulkId": name, "data": data})
        };
        let mut twin = device("lamp", "x");
        twin["bulkId"] = json!("twin");
        let results = bulk(&c, &json!([
            device("lamp", "bulkId:sam"),
            new_user("sam", &json!({})),
            twin,
            change("/Devices/bulkId:lamp", &json!([{"op": "replace", "path": "weight", "value": 2.5}])),
        ]));
        assert_eq!(statuses(&results), ["201", "201", "409", "200"]);
        let lamp = c.get(&format!("/Devices/{}", id_of(&results[0]))).expect(200);
        assert_eq!((&lamp["weight"], &lamp["owner"]["value"]), (&json!(2.5), &json!(id_of(&results[1]))));
        assert_eq!(c.get("/Devices").expect(200)["totalResults"], 1);
        assert_eq!(c.get("/Users").expect(200)["Resources"][0]["schemas"][0], USER);
    }
}
