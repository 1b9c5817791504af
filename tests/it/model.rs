//! What a tenant's users and groups should be: the model that [`crate::model_runs`] compares servers with.
//!
//! It knows the RFC's words and the roll's, not how the server does it: resources are maps, every search looks at everything.
//! Ids are names such as `u7`; the runs know which id a server gave it.

use crate::clients::{GROUP, USER};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A user as its clients have written it.
#[derive(Debug, Clone)]
pub struct User {
    /// Without `id`, `meta`, `active`, `groups` and a derived `displayName`.
    pub doc: Map<String, Value>,
    pub active: bool,
    /// Whether a missing displayName is made of other names.
    pub derives: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Group {
    pub doc: Map<String, Value>,
    pub members: BTreeSet<String>,
}

/// A tenant.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, Group>,
    /// Who was deleted, with the groups that each was in, the last one at the end.
    gone: Vec<(User, Vec<String>)>,
    made: usize,
}

/// What a request must be answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A resource, by its name; whether the request has changed anything that it shows.
    Shown { status: u16, name: String, changed: bool },
    /// A success without a body.
    Empty(u16),
    /// An error with its scimType.
    Refused(u16, &'static str),
}

fn fold(text: &str) -> String {
    text.to_lowercase()
}

impl User {
    pub fn user_name(&self) -> &str {
        self.doc["userName"].as_str().unwrap()
    }

    fn external(&self) -> Option<&Value> {
        self.doc.get("externalId")
    }

    /// The name that groups show.
    pub fn label(&self) -> String {
        if let Some(name) = self.doc.get("displayName") {
            return name.as_str().unwrap().to_owned();
        }
        let part = |key: &str| self.doc.get("name").and_then(|n| n.get(key)).and_then(Value::as_str);
        let parts: Vec<&str> = [part("givenName"), part("familyName")].into_iter().flatten().collect();
        if parts.is_empty() { self.user_name().to_owned() } else { parts.join(" ") }
    }
}

impl World {
    fn fresh(&mut self, letter: char) -> String {
        self.made += 1;
        format!("{letter}{}", self.made)
    }

    fn named(&self, user_name: &str) -> Option<&String> {
        self.users.iter().find(|(_, u)| fold(u.user_name()) == fold(user_name)).map(|(id, _)| id)
    }

    // -- users -----------------------------------------------------------------------

    /// A POST. Whoever is deactivated comes back when the name and the source's key are the same.
    pub fn create_user(&mut self, mut doc: Map<String, Value>) -> Answer {
        let active = doc.remove("active").is_none_or(|a| a == true);
        if let Some(id) = self.named(doc["userName"].as_str().unwrap()).cloned() {
            let present = &self.users[&id];
            if present.active || doc.get("externalId").is_none() || doc.get("externalId") != present.external() {
                return Answer::Refused(409, "uniqueness");
            }
            self.users.insert(id.clone(), User { doc, active, derives: true });
            return Answer::Shown { status: 200, name: id, changed: true };
        }
        let name = self.fresh('u');
        let user = User { doc, active, derives: true };
        self.rejoin(&name, &user);
        self.users.insert(name.clone(), user);
        Answer::Shown { status: 201, name, changed: true }
    }

    /// Whoever was deleted and comes back, with the same name and the same key of the source, is in the old groups again.
    fn rejoin(&mut self, name: &str, user: &User) {
        let same = |(old, _): &(User, Vec<String>)| {
            old.external().is_some() && old.external() == user.external() && fold(old.user_name()) == fold(user.user_name())
        };
        let Some(at) = self.gone.iter().rposition(same) else { return };
        let (_, groups) = self.gone.remove(at);
        for group in groups {
            if let Some(group) = self.groups.get_mut(&group) {
                group.members.insert(name.to_owned());
            }
        }
    }

    /// A PUT. `active` stays when nothing is said of it.
    pub fn replace_user(&mut self, id: &str, mut doc: Map<String, Value>) -> Answer {
        let Some(present) = self.users.get(id) else { return Answer::Refused(404, "") };
        let active = doc.remove("active").map_or(present.active, |a| a == true);
        if present.derives && !present.doc.contains_key("displayName") && doc.get("displayName") == Some(&json!(present.label())) {
            doc.remove("displayName");
        }
        self.put(id, User { doc, active, derives: true })
    }

    fn put(&mut self, id: &str, after: User) -> Answer {
        if self.named(after.user_name()).is_some_and(|other| other != id) {
            return Answer::Refused(409, "uniqueness");
        }
        let before = self.show_user(id);
        self.users.insert(id.to_owned(), after);
        Answer::Shown { status: 200, name: id.to_owned(), changed: before != self.show_user(id) }
    }

    /// A PATCH. For some clients a value for an address that is not there makes one.
    pub fn patch_user(&mut self, id: &str, edit: &[Edit], creates: bool) -> Answer {
        let Some(mut after) = self.users.get(id).cloned() else { return Answer::Refused(404, "") };
        let named = after.doc.contains_key("displayName");
        for step in edit {
            if let Err(scim_type) = step.apply(&mut after, creates) {
                return Answer::Refused(400, scim_type);
            }
        }
        drop_repeated(&mut after.doc);
        // Whoever takes a given name away wants none; one that was never given is made up as before.
        after.derives = after.derives && !named || after.doc.contains_key("displayName");
        self.put(id, after)
    }

    pub fn delete_user(&mut self, id: &str) -> Answer {
        let Some(user) = self.users.remove(id) else { return Answer::Refused(404, "") };
        let groups = self.groups.iter().filter(|(_, g)| g.members.contains(id)).map(|(name, _)| name.clone()).collect();
        self.gone.push((user, groups));
        for group in self.groups.values_mut() {
            group.members.remove(id);
        }
        Answer::Empty(204)
    }

    pub fn show_user(&self, id: &str) -> Value {
        let user = &self.users[id];
        let mut out = user.doc.clone();
        if !out.contains_key("displayName") && user.derives {
            out.insert("displayName".into(), json!(user.label()));
        }
        out.insert("id".into(), json!(id));
        out.insert("schemas".into(), json!([USER]));
        out.insert("active".into(), json!(user.active));
        let groups = self.groups_of(id);
        if !groups.is_empty() {
            out.insert("groups".into(), Value::Array(groups));
        }
        Value::Object(out)
    }

    /// The groups of a user, those too in which only a group of it is.
    fn groups_of(&self, id: &str) -> Vec<Value> {
        let direct: BTreeSet<&String> = self.groups.iter().filter(|(_, g)| g.members.contains(id)).map(|(id, _)| id).collect();
        let mut all = direct.clone();
        loop {
            let more: Vec<&String> =
                self.groups.iter().filter(|(_, g)| all.iter().any(|m| g.members.contains(*m))).map(|(id, _)| id).collect();
            let before = all.len();
            all.extend(more);
            if all.len() == before {
                break;
            }
        }
        let view = |g: &&String| {
            json!({"value": g, "$ref": format!("BASE/Groups/{g}"), "display": self.groups[*g].doc["displayName"],
                   "type": if direct.contains(*g) { "direct" } else { "indirect" }})
        };
        all.iter().map(view).collect()
    }

    // -- groups ------------------------------------------------------------------------

    fn exists(&self, id: &str) -> bool {
        self.users.contains_key(id) || self.groups.contains_key(id)
    }

    /// Those of the ids that may be members of a group. A strict client is told of those that do not exist.
    fn known(&self, group: &str, ids: &[String], strict: bool) -> Result<BTreeSet<String>, Answer> {
        if ids.iter().any(|id| id == group) || strict && ids.iter().any(|id| !self.exists(id)) {
            return Err(Answer::Refused(400, "invalidValue"));
        }
        Ok(ids.iter().filter(|id| self.exists(id)).cloned().collect())
    }

    pub fn create_group(&mut self, doc: Map<String, Value>, members: &[String], strict: bool) -> Answer {
        let members = match self.known("", members, strict) {
            Ok(members) => members,
            Err(refused) => return refused,
        };
        let name = self.fresh('g');
        self.groups.insert(name.clone(), Group { doc, members });
        Answer::Shown { status: 201, name, changed: true }
    }

    pub fn replace_group(&mut self, id: &str, doc: Map<String, Value>, members: &[String], strict: bool) -> Answer {
        self.edit_group(id, |world, group| {
            *group = Group { doc, members: world.known(id, members, strict)? };
            Ok(())
        })
    }

    pub fn patch_group(&mut self, id: &str, edit: &[GroupEdit], strict: bool) -> Answer {
        self.edit_group(id, |world, group| {
            for step in edit {
                match step {
                    GroupEdit::Rename(name) => drop(group.doc.insert("displayName".into(), json!(name))),
                    GroupEdit::Add(ids) => group.members.extend(world.known(id, ids, strict)?),
                    GroupEdit::Remove(gone) => drop(group.members.remove(gone)),
                    GroupEdit::Replace(ids) => group.members = world.known(id, ids, strict)?,
                    GroupEdit::Clear => group.members.clear(),
                }
            }
            Ok(())
        })
    }

    fn edit_group(&mut self, id: &str, edit: impl FnOnce(&Self, &mut Group) -> Result<(), Answer>) -> Answer {
        let Some(mut after) = self.groups.get(id).cloned() else { return Answer::Refused(404, "") };
        if let Err(refused) = edit(self, &mut after) {
            return refused;
        }
        let before = self.show_group(id);
        self.groups.insert(id.to_owned(), after);
        Answer::Shown { status: 200, name: id.to_owned(), changed: before != self.show_group(id) }
    }

    pub fn delete_group(&mut self, id: &str) -> Answer {
        if self.groups.remove(id).is_none() {
            return Answer::Refused(404, "");
        }
        for group in self.groups.values_mut() {
            group.members.remove(id);
        }
        Answer::Empty(204)
    }

    pub fn show_group(&self, id: &str) -> Value {
        let group = &self.groups[id];
        let mut out = group.doc.clone();
        out.insert("id".into(), json!(id));
        out.insert("schemas".into(), json!([GROUP]));
        out.insert("members".into(), group.members.iter().map(|m| self.show_member(m)).collect());
        Value::Object(out)
    }

    fn show_member(&self, id: &str) -> Value {
        let (endpoint, kind, label) = match self.users.get(id) {
            Some(user) => ("Users", "User", json!(user.label())),
            None => ("Groups", "Group", self.groups[id].doc["displayName"].clone()),
        };
        json!({"value": id, "$ref": format!("BASE/{endpoint}/{id}"), "type": kind, "display": label})
    }

    /// A user or a group.
    pub fn show(&self, id: &str) -> Value {
        if self.users.contains_key(id) { self.show_user(id) } else { self.show_group(id) }
    }
}

/// A step of a PATCH of a user.
#[derive(Debug, Clone)]
pub enum Edit {
    Active(bool),
    /// Replaces a simple attribute of the core.
    Set(&'static str, String),
    Unset(&'static str),
    SetFamilyName(String),
    AddEmail(Value),
    /// Replaces the value of the addresses of a type.
    SetEmail(&'static str, String),
    RemoveEmail(&'static str),
    /// Something that makes no sense, and the scimType that says so.
    Broken(Value, &'static str),
}

impl Edit {
    /// As the client sends it.
    pub fn operation(&self) -> Value {
        match self {
            Self::Active(active) => json!({"op": "replace", "path": "active", "value": active}),
            Self::Set(name, value) => json!({"op": "replace", "value": {*name: value}}),
            Self::Unset(name) => json!({"op": "remove", "path": name}),
            Self::SetFamilyName(name) => json!({"op": "replace", "path": "name.familyName", "value": name}),
            Self::AddEmail(email) => json!({"op": "add", "path": "emails", "value": [email]}),
            Self::SetEmail(kind, value) => json!({"op": "replace", "path": format!("emails[type eq \"{kind}\"].value"), "value": value}),
            Self::RemoveEmail(kind) => json!({"op": "remove", "path": format!("emails[type eq \"{kind}\"]")}),
            Self::Broken(operation, _) => operation.clone(),
        }
    }

    fn apply(&self, user: &mut User, creates: bool) -> Result<(), &'static str> {
        let doc = &mut user.doc;
        match self {
            Self::Active(active) => user.active = *active,
            Self::Set(name, value) => drop(doc.insert((*name).into(), json!(value))),
            Self::Unset(name) => drop(doc.remove(*name)),
            Self::SetFamilyName(value) => {
                doc.entry("name").or_insert_with(|| json!({}))["familyName"] = json!(value);
            }
            Self::AddEmail(email) => {
                let list = emails(doc);
                if !list.contains(email) {
                    list.push(email.clone());
                }
            }
            Self::SetEmail(kind, value) => {
                let mut found = false;
                for email in doc.get_mut("emails").and_then(Value::as_array_mut).into_iter().flatten().filter(|e| e["type"] == *kind) {
                    email["value"] = json!(value);
                    found = true;
                }
                if !found && !creates {
                    return Err("noTarget");
                }
                if !found {
                    emails(doc).push(json!({"type": kind, "value": value}));
                }
            }
            Self::RemoveEmail(kind) => {
                emails(doc).retain(|e| e["type"] != *kind);
                if emails(doc).is_empty() {
                    doc.remove("emails");
                }
            }
            Self::Broken(_, scim_type) => return Err(scim_type),
        }
        Ok(())
    }
}

/// The same address twice is one.
fn drop_repeated(doc: &mut Map<String, Value>) {
    let Some(list) = doc.get_mut("emails").and_then(Value::as_array_mut) else { return };
    let mut once: Vec<Value> = Vec::new();
    for email in list.drain(..) {
        if !once.contains(&email) {
            once.push(email);
        }
    }
    *list = once;
}

fn emails(doc: &mut Map<String, Value>) -> &mut Vec<Value> {
    doc.entry("emails").or_insert_with(|| json!([])).as_array_mut().unwrap()
}

/// A step of a PATCH of a group.
#[derive(Debug, Clone)]
pub enum GroupEdit {
    Rename(String),
    Add(Vec<String>),
    /// By a filter on `members`.
    Remove(String),
    Replace(Vec<String>),
    Clear,
}

impl GroupEdit {
    /// As the client sends it; ids in braces.
    pub fn operation(&self) -> Value {
        let list = |ids: &[String]| ids.iter().map(|id| json!({"value": format!("{{{id}}}")})).collect::<Vec<_>>();
        match self {
            Self::Rename(name) => json!({"op": "replace", "path": "displayName", "value": name}),
            Self::Add(ids) => json!({"op": "add", "path": "members", "value": list(ids)}),
            Self::Remove(id) => json!({"op": "remove", "path": format!("members[value eq \"{{{id}}}\"]")}),
            Self::Replace(ids) => json!({"op": "replace", "path": "members", "value": list(ids)}),
            Self::Clear => json!({"op": "remove", "path": "members"}),
        }
    }
}
