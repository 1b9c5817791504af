//! Filters and orders on what the roll says of its members: both databases must find what the in-memory evaluator finds in the
//! users as they are shown.

use crate::clients::{Client, EMPLOYEE, USER, id, user_path};
use crate::harness::Server;
use crate::oracle::{attr, key};
use rollbook::domain::lifecycle::Event;
use rollbook::domain::{Actor, Idp};
use rollbook::error::Error;
use rollbook::scim::ResourceType;
use rollbook::scim::dialect::{Declared, Reading};
use rollbook::scim::parse::Limits;
use rollbook::scim::schema::ResourceKind;
use rollbook::scim::{filter, matches};
use rollbook::service::audit::Note;
use rollbook::service::{Act, members, roll, tenants};
use rollbook::store::backend;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const BOOLEANS: [&str; 3] = ["invited", "claimed", "canDelete"];
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
const TIMES: [&str; 4] = ["inviteDate", "claimDate", "deactivateDate", "quarantineUntil"];

/// Lets a member claim the account, as single sign-on does.
pub fn claim(server: &Server, client: &Client, user: &Value) {
    let mut conn = server.connect();
    let tenant = Arc::new(tenants::named(&mut conn, &client.tenant).unwrap());
    let act = Act { tenant, vault: server.app.vault.clone(), actor: Actor::Member, now: server.app.now(), request_id: None, ledger: None };
    backend::write(&mut conn, |c| {
        let row = members::named(c, &act, id(user))?;
        roll::happen(c, &act, &row, Event::ClaimSso, &Note::default()).map(drop)
    })
    .map_err(|e: Error| e.to_string())
    .unwrap();
}

fn invited(client: &Client, name: &str) -> Value {
    let body = json!({"schemas": [USER, EMPLOYEE], "userName": format!("{name}@example.com"), EMPLOYEE: {"invited": true}});
    client.post("/Users", &body).expect(201)
}

fn set(client: &Client, user: &Value, path: &str, value: &Value) {
    client.patch(&user_path(user), &json!([{"op": "replace", "path": path, "value": value}])).expect(200);
}

/// Members in every state, and some that no filter may find.
fn fill(server: &Server, client: &Client) {
    let own = |name: &str| format!("{EMPLOYEE}:{name}");
    client.user("unaware");
    client.user("unaware.too");
    invited(client, "waiting");
    let back = invited(client, "taken-back");
    set(client, &back, &own("invited"), &json!(false));
    let silent = invited(client, "unassigned");
    client.patch(&user_path(&silent), &json!([{"op": "remove", "path": own("invited")}])).expect(200);
    client.user_with(json!({"userName": "gone", "active": false}));
    let gone = invited(client, "gone-while-invited");
    set(client, &gone, "active", &json!(false));
    for (name, changes) in [("there", &[][..]), ("left", &[false]), ("returned", &[false, true])] {
        let user = invited(client, name);
        claim(server, client, &user);
        for active in changes {
            set(client, &user, "active", &json!(active));
        }
    }
    let hidden = invited(client, "deleted");
    claim(server, client, &hidden);
    assert_eq!(client.delete(&user_path(&hidden)).status, 204);
    let other = server.tenant();
    claim(server, &other, &invited(&other, "elsewhere"));
}

fn all(client: &Client) -> Vec<Value> {
    client.get("/Users?count=1000").expect(200)["Resources"].as_array().unwrap().clone()
}

fn user() -> &'static ResourceType {
    ResourceType::of(ResourceKind::User)
}

/// The ids that the in-memory evaluator finds; `None` when the filter makes no sense.
fn expected(docs: &[Value], text: &str) -> Option<BTreeSet<String>> {
    let filter = filter::resolve(user(), text, Limits::default(), &mut Reading::of(Declared::Rfc)).ok()?;
    Some(docs.iter().filter(|d| matches::resource(&filter, d.as_object().unwrap())).map(|d| id(d).to_owned()).collect())
}

/// Compares what the server finds with what memory finds. `sensible` says whether the filter has a meaning.
fn agree(client: &Client, docs: &[Value], text: &str, sensible: bool) -> usize {
    let reply = client.filter("/Users", text);
    let expected = expected(docs, text);
    assert_eq!(expected.is_some(), sensible, "{text}");
    let Some(expected) = expected else {
        reply.expect_error(400, "invalidFilter");
        return 0;
    };
    let list = reply.expect(200);
    let found: Vec<&Value> = list["Resources"].as_array().unwrap().iter().collect();
    assert_eq!(found.iter().map(|d| id(d).to_owned()).collect::<BTreeSet<_>>(), expected, "{text}");
    assert_eq!(list["totalResults"], found.len(), "{text}");
    // What was found is shown as it is shown anywhere.
    assert!(found.iter().all(|d| docs.contains(d)), "{text}");
    found.len()
}

/// Fails unless some of the filters tell the members apart.
fn agree_on_all(client: &Client, docs: &[Value], texts: &[String], sensible: bool) {
    let found: Vec<usize> = texts.iter().map(|text| agree(client, docs, text, sensible)).collect();
    assert!(!sensible || found.iter().any(|n| (1..docs.len()).contains(n)), "{texts:?} find all or nothing");
}

fn present(name: &str) -> [String; 3] {
    ["pr", "eq null", "ne null"].map(|test| format!("{EMPLOYEE}:{name} {test}"))
}

on_both! {
    /// R-ROLL-1: the roll that the filters below are tried on has every state, and shows of each what is so.
    fn every_state_is_shown(server) {
        let client = server.tenant();
        fill(server, &client);
        let docs = all(&client);
        let shown = |name: &str| {
            let doc = docs.iter().find(|d| d["userName"].as_str().unwrap().trim_end_matches("@example.com") == name).unwrap();
            let own = &doc[EMPLOYEE];
            let dates: Vec<bool> = TIMES.iter().map(|t| own.get(*t).is_some()).collect();
            (own["state"].as_str().unwrap(), own["invited"].as_bool(), own["claimed"].as_bool(), own["canDelete"].as_bool(), dates)
        };
        let (yes, no) = (Some(true), Some(false));
        let (invite, claim, quarantine) = ([true, false, false, false], [true, true, false, false], [true, true, true, true]);
        assert_eq!(shown("unaware"), ("uninvited", no, no, yes, vec![false; 4]));
        assert_eq!(shown("waiting"), ("invited", yes, no, yes, invite.to_vec()));
        assert_eq!(shown("taken-back"), ("uninvited", no, no, yes, invite.to_vec()));
        assert_eq!(shown("unassigned"), ("invited", None, no, yes, invite.to_vec()));
        assert_eq!(shown("gone"), ("quarantined", no, no, yes, vec![false, false, true, true]));
        assert_eq!(shown("gone-while-invited"), ("quarantined", yes, no, yes, vec![true, false, true, true]));
        assert_eq!(shown("there"), ("claimed", yes, yes, no, claim.to_vec()));
        assert_eq!(shown("left"), ("quarantined", yes, yes, yes, quarantine.to_vec()));
        assert_eq!(shown("returned"), ("claimed", yes, yes, no, claim.to_vec()));
        assert_eq!(docs.len(), 10);
    }

    /// R114-R119 R-ROLL-1: every operator on `state`, in any case of letters.
    fn filters_on_state(server) {
        let client = server.tenant_with(Idp::Rfc);
        fill(server, &client);
        let docs = all(&client);
        let words = ["uninvited", "invited", "claimed", "quarantined", "InVited", "", "i", "vited", "d", "absent", "deprovisioned", "z"];
        for op in OPERATORS {
            let texts = words.map(|word| format!("{EMPLOYEE}:state {op} \"{word}\""));
            agree_on_all(&client, &docs, &texts, true);
        }
        assert_eq!(present("state").map(|text| agree(&client, &docs, &text, true)), [docs.len(), 0, docs.len()]);
        agree_on_all(&client, &docs, &[format!("{EMPLOYEE}:state eq true"), format!("{EMPLOYEE}:state gt 5")], false);
    }

    /// R114-R119 R-ROLL-1: `eq`, `ne` and `pr` on the truths; the other operators are refused.
    fn filters_on_truths(server) {
        let client = server.tenant_with(Idp::Rfc);
        fill(server, &client);
        let docs = all(&client);
        for name in BOOLEANS {
            for op in OPERATORS {
                let texts = ["true", "false"].map(|word| format!("{EMPLOYEE}:{name} {op} {word}"));
                agree_on_all(&client, &docs, &texts, ["eq", "ne"].contains(&op));
            }
            for text in present(name) {
                agree(&client, &docs, &text, true);
            }
            agree_on_all(&client, &docs, &[format!("{EMPLOYEE}:{name} eq \"x\"")], false);
        }
        assert_eq!(agree(&client, &docs, &format!("{EMPLOYEE}:invited eq null"), true), 1);
    }

    /// R114-R119 R-ROLL-1: every operator on the dates, whatever the zone of the literal.
    fn filters_on_dates(server) {
        let client = server.tenant_with(Idp::Rfc);
        fill(server, &client);
        let docs = all(&client);
        for name in TIMES {
            let mut moments = vec!["2000-01-01T00:00:00Z".to_owned(), "9999-12-31T23:59:59Z".to_owned()];
            for at in docs.iter().filter_map(|d| d[EMPLOYEE][name].as_str()) {
                // The same moment, and one a tenth of a microsecond later.
                moments.extend([at.to_owned(), at.replace('Z', "-00:00"), at.replace('Z', "1Z")]);
            }
            for op in OPERATORS {
                let texts: Vec<String> = moments.iter().map(|at| format!("{EMPLOYEE}:{name} {op} \"{at}\"")).collect();
                agree_on_all(&client, &docs, &texts, !["co", "sw", "ew"].contains(&op));
            }
            agree_on_all(&client, &docs, &present(name), true);
            agree_on_all(&client, &docs, &[format!("{EMPLOYEE}:{name} gt \"soon\"")], false);
        }
    }

    /// R116 R120 R-ROLL-1: they are combined like any others.
    fn filters_on_several(server) {
        let client = server.tenant();
        fill(server, &client);
        let docs = all(&client);
        let own = |text: &str| text.replace('@', &format!("{EMPLOYEE}:"));
        let texts = [
            "@state eq \"quarantined\" and @claimed eq true", "@state eq \"claimed\" or userName eq \"unaware\"",
            "not (@state eq \"quarantined\") and @inviteDate pr", "not (@invited eq true)", "not (@claimDate pr or @deactivateDate pr)",
            "active eq false and not (@claimed eq false)", "@canDelete eq false and @quarantineUntil eq null",
        ].map(own);
        for text in &texts {
            assert!((1..docs.len()).contains(&agree(&client, &docs, text, true)), "{text}");
        }
    }

    /// R129 R131 R-ROLL-1: members are sorted by each of them, those without a value last, or first when descending.
    fn orders(server) {
        let client = server.tenant();
        fill(server, &client);
        let docs = all(&client);
        for name in ["state"].iter().chain(&BOOLEANS).chain(&TIMES) {
            let by = attr(&format!("{EMPLOYEE}:{name}"));
            for order in ["ascending", "descending"] {
                let mut expected: Vec<&Value> = docs.iter().collect();
                expected.sort_by(|a, b| {
                    let (x, y) = (key(a, &by), key(b, &by));
                    let ascending = x.is_none().cmp(&y.is_none()).then_with(|| x.cmp(&y));
                    if order == "descending" { ascending.reverse() } else { ascending }.then_with(|| id(a).cmp(id(b)))
                });
                let mut found = Vec::new();
                for page in 0..4 {
                    let start = page * 3 + 1;
                    let path = format!("/Users?sortBy={EMPLOYEE}:{name}&sortOrder={order}&startIndex={start}&count=3");
                    found.extend(client.get(&path).expect(200)["Resources"].as_array().unwrap().clone());
                }
                assert_eq!(found.iter().map(id).collect::<Vec<_>>(), expected.into_iter().map(id).collect::<Vec<_>>(), "{name} {order}");
            }
        }
    }
}
