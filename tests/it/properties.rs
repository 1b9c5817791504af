//! What holds for every PATCH and every choice of attributes, tried with random ones.

use crate::clients::{ENTERPRISE, PATCH, USER};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::schema::ResourceKind;
use rollbook::scim::{Projection, ResourceType, message, patch, resource};
use serde_json::{Map, Value, json};

type Doc = Map<String, Value>;

fn user() -> &'static ResourceType {
    ResourceType::of(ResourceKind::User)
}

fn reading() -> Reading {
    Reading::of(Declared::Rfc)
}

/// The document as it is stored.
fn canonical(body: &Value) -> Doc {
    resource::read(user(), body.as_object().unwrap().clone(), &mut reading()).unwrap()
}

fn patched(doc: &Doc, operations: &[Value]) -> Result<Doc, String> {
    let body = json!({"schemas": [PATCH], "Operations": operations});
    let mut out = doc.clone();
    let operations = message::patch_op(user(), body.as_object().unwrap().clone(), 100, &mut reading()).map_err(|e| e.detail)?;
    patch::apply(user(), "id", &mut out, operations, &mut reading()).map_err(|e| e.detail)?;
    Ok(out)
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zéß ]{0,5}[a-z]"
}

fn email() -> impl Strategy<Value = Value> {
    (select(vec!["work", "home", "other"]), 0..4u8, proptest::option::of(any::<bool>())).prop_map(|(kind, n, primary)| {
        let mut email = json!({"type": kind, "value": format!("m{n}@example.com")});
        if let Some(primary) = primary {
            email["primary"] = json!(primary);
        }
        email
    })
}

/// Addresses of which at most one is the primary one, none twice.
fn emails() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(email(), 0..4).prop_map(|list| {
        let (mut out, mut primary) = (Vec::<Value>::new(), false);
        for mut email in list {
            if email["primary"] == true && std::mem::replace(&mut primary, true) {
                email["primary"] = json!(false);
            }
            if !out.iter().any(|e| e["value"] == email["value"] && e["type"] == email["type"]) {
                out.push(email);
            }
        }
        out
    })
}

fn document() -> impl Strategy<Value = Doc> {
    let text = || proptest::option::of(words());
    (words(), text(), text(), text(), text(), emails(), any::<bool>()).prop_map(
        |(user_name, title, family, given, department, emails, active)| {
            let mut doc = json!({"schemas": [USER, ENTERPRISE], "userName": user_name, "active": active, "emails": emails});
            for (key, value) in [("title", title), ("nickName", family.clone())] {
                doc[key] = json!(value);
            }
            doc["name"] = json!({"familyName": family, "givenName": given});
            doc[ENTERPRISE] = json!({"department": department});
            canonical(&doc)
        },
    )
}

/// Operations that mean something by themselves, whatever stands before them.
fn operation() -> impl Strategy<Value = Value> {
    let verb = || select(vec!["add", "replace"]);
    let simple =
        || select(vec!["title".to_owned(), "nickName".to_owned(), "name.familyName".to_owned(), format!("{ENTERPRISE}:department")]);
    prop_oneof![
        (verb(), simple(), words()).prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value})),
        simple().prop_map(|path| json!({"op": "remove", "path": path})),
        (verb(), words(), words())
            .prop_map(|(op, title, given)| json!({"op": op, "value": {"title": title, "name": {"givenName": given}}})),
        (verb(), emails()).prop_map(|(op, list)| json!({"op": op, "path": "emails", "value": list})),
        (select(vec!["work", "home"]), words())
            .prop_map(|(kind, value)| json!({"op": "replace", "path": format!("emails[type eq \"{kind}\"].value"), "value": value})),
        (0..4u8).prop_map(|n| json!({"op": "remove", "path": format!("emails[value eq \"m{n}@example.com\"]")})),
        Just(json!({"op": "remove", "path": "emails"})),
        Just(json!({"op": "replace", "path": "nonsense", "value": 1})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// R157: operations are applied in order, each to the outcome of the one before: one request is what several would be.
    #[test]
    fn sequential_is_atomic(doc in document(), operations in proptest::collection::vec(operation(), 1..5)) {
        let mut stepwise = Ok(doc.clone());
        for operation in &operations {
            stepwise = stepwise.and_then(|doc| patched(&doc, std::slice::from_ref(operation)));
        }
        let at_once = patched(&doc, &operations);
        prop_assert_eq!(at_once.is_ok(), stepwise.is_ok());
        if let (Ok(at_once), Ok(stepwise)) = (at_once, stepwise) {
            prop_assert_eq!(at_once, stepwise);
        }
    }

    /// What was not there and is added can be removed again, and nothing else has changed.
    #[test]
    fn add_then_remove_is_identity(doc in document(), new in email(), title in words()) {
        let value = "fresh@example.com";
        let mut new = new;
        new["value"] = json!(value);
        // A new primary address takes the word away from the old one, for good.
        new["primary"] = json!(false);
        let back = [
            json!({"op": "add", "path": "emails", "value": [new]}),
            json!({"op": "remove", "path": format!("emails[value eq \"{value}\"]")}),
        ];
        prop_assert_eq!(&patched(&doc, &back).unwrap(), &doc);
        if !doc.contains_key("title") {
            let back = [json!({"op": "add", "path": "title", "value": title}), json!({"op": "remove", "path": "title"})];
            prop_assert_eq!(&patched(&doc, &back).unwrap(), &doc);
        }
    }

    /// R167: what is there already, put there again, changes nothing.
    #[test]
    fn what_is_there_changes_nothing(doc in document()) {
        for (key, value) in doc.iter().filter(|(key, _)| *key != "schemas") {
            for op in ["add", "replace"] {
                let by_path = json!({"op": op, "path": key, "value": value});
                let without = json!({"op": op, "value": {key: value}});
                prop_assert_eq!(&patched(&doc, &[by_path]).unwrap(), &doc, "{} {}", op, key);
                prop_assert_eq!(&patched(&doc, &[without]).unwrap(), &doc, "{} {}", op, key);
            }
        }
    }

    /// Sending the same operation twice is the same as sending it once.
    #[test]
    fn twice_is_once(doc in document(), operation in operation()) {
        if let Ok(once) = patched(&doc, std::slice::from_ref(&operation)) {
            // A replacement by a filter finds nothing the second time if it was the filtered part that it replaced.
            if let Ok(twice) = patched(&once, std::slice::from_ref(&operation)) {
                prop_assert_eq!(once, twice);
            }
        }
    }

    /// What a PATCH leaves can be read as it is.
    #[test]
    fn the_outcome_is_canonical(doc in document(), operations in proptest::collection::vec(operation(), 1..5)) {
        if let Ok(after) = patched(&doc, &operations) {
            prop_assert_eq!(&canonical(&Value::Object(after.clone())), &after);
        }
    }

    /// R097: what is asked for and what is left out when it is excluded are the whole, and only id and schemas are in both.
    #[test]
    fn chosen_and_excluded_are_the_whole(doc in document(), names in subsequence(NAMES.to_vec(), 1..NAMES.len())) {
        let mut doc = doc;
        doc.insert("id".into(), json!("x"));
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let chosen = shown(&names, &[], &doc);
        let others = shown(&[], &names, &doc);
        for (key, value) in &doc {
            let everywhere = key == "id" || key == "schemas";
            let (a, b) = (chosen.get(key), others.get(key));
            prop_assert!(everywhere || a.is_none() || b.is_none(), "{} is in both", key);
            prop_assert_eq!(a.or(b), Some(value));
        }
        prop_assert!(chosen.keys().chain(others.keys()).all(|key| doc.contains_key(key)));
    }

    /// The case of the names and their order do not matter, and a choice made twice is made once.
    #[test]
    fn a_choice_is_a_set(doc in document(), names in subsequence(NAMES.to_vec(), 1..NAMES.len())) {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let other: Vec<String> = names.iter().rev().map(|n| n.to_uppercase()).collect();
        let once = shown(&names, &[], &doc);
        prop_assert_eq!(&once, &shown(&other, &[], &doc));
        prop_assert_eq!(&once, &shown(&names, &[], &once));
        let without = shown(&[], &names, &doc);
        prop_assert_eq!(&without, &shown(&[], &other, &without));
    }
}

/// Whole attributes.
const NAMES: [&str; 7] = ["userName", "title", "nickName", "name", "emails", "active", ENTERPRISE];

fn shown(attributes: &[String], excluded: &[String], doc: &Doc) -> Doc {
    Projection::new(&[user()], attributes, excluded, &mut reading()).apply(user(), doc.clone())
}
