//! Schemas and resource types that an admin declares for a tenant, at run time.
//!
//! A change is one transaction. It holds the tenant's row, which whoever writes by declared types holds too, so that nothing is written
//! by what is just being changed. What resources have of something that is taken away, [`usage`] finds and removes.

mod usage;

use super::roll::Act;
use super::{audit, kind_in, kind_of, types};
use crate::error::{Error, Result};
use crate::scim::schema::{ResourceKind, ResourceType, Schema};
use crate::scim::types::Declared;
use crate::scim::{Types, declare};
use crate::store::{Conn, Kind, counts, tenants, types as kept};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Most schemas that a tenant can declare.
const MOST_SCHEMAS: usize = 20;
/// Most resource types.
const MOST_TYPES: usize = 20;

/// A declaration with the number that counts its changes.
#[derive(Debug)]
pub struct Versioned<T> {
    pub what: Arc<T>,
    pub version: i64,
}

// -- reading -------------------------------------------------------------------

/// The schemas that a tenant has declared, oldest first.
///
/// # Errors
/// When the database fails.
pub fn schemas(conn: &mut Conn, act: &Act) -> Result<Vec<Versioned<Schema>>> {
    let versions = kept::schemas(conn, act.tenant.id)?;
    let all = types::load(conn, act.tenant.id)?;
    let version = |urn: &str| versions.iter().find(|k| k.key == urn).map_or(0, |k| k.version);
    Ok(all.own_schemas().iter().map(|s| Versioned { what: s.clone(), version: version(&s.id) }).collect())
}

/// One of them, by its URN.
///
/// # Errors
/// When there is none of that URN.
pub fn schema(conn: &mut Conn, act: &Act, urn: &str) -> Result<Versioned<Schema>> {
    let found = schemas(conn, act)?.into_iter().find(|s| s.what.id.eq_ignore_ascii_case(urn));
    found.ok_or_else(|| no_schema(act, urn))
}

/// All resource types of a tenant, those that every tenant has first.
///
/// # Errors
/// When the database fails.
pub fn resource_types(conn: &mut Conn, act: &Act) -> Result<Vec<Versioned<ResourceType>>> {
    let versions = kept::types(conn, act.tenant.id)?;
    let all = types::load(conn, act.tenant.id)?;
    let version = |kind: ResourceKind| versions.iter().find(|k| k.key == kind_of(kind)).map_or(0, |k| k.version);
    Ok(all.all().iter().map(|rt| Versioned { what: rt.clone(), version: version(rt.kind) }).collect())
}

/// One of them, by its name.
///
/// # Errors
/// When there is none of that name.
pub fn resource_type(conn: &mut Conn, act: &Act, name: &str) -> Result<Versioned<ResourceType>> {
    let found = resource_types(conn, act)?.into_iter().find(|rt| rt.what.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| no_type(act, name))
}

fn no_schema(act: &Act, urn: &str) -> Error {
    Error::missing("schema", format!("tenant \"{}\" has declared no schema {}", act.tenant.name, crate::scim::error::shown(urn)))
}

fn no_type(act: &Act, name: &str) -> Error {
    Error::missing("resource type", format!("tenant \"{}\" has no resource type \"{}\"", act.tenant.name, crate::scim::error::shown(name)))
}

// -- schemas -------------------------------------------------------------------

/// Declares a schema. With `extends`, the name of a resource type, it becomes an extension of that type, which resources may have or not.
///
/// # Errors
/// A sentence that names the place of the fault; 409 when there is a schema of that URN.
pub fn create_schema(conn: &mut Conn, act: &Act, body: &Map<String, Value>, extends: Option<&str>) -> Result<Versioned<Schema>> {
    let fresh = Arc::new(declare::schema(body).map_err(Error::Invalid)?);
    let urn = fresh.id.clone();
    let done = change(conn, act, false, |set| {
        if set.schemas.iter().any(|s| s.id.eq_ignore_ascii_case(&urn)) {
            return Err(Error::conflict("schema_exists", format!("there is already a schema {urn}")));
        }
        set.schemas.push(fresh.clone());
        match extends {
            Some(name) => set.extend(act, name, &urn),
            None => Ok(()),
        }
    })?;
    audit::admin(conn, act, "schema_declared", &done.told(&urn))?;
    schema(conn, act, &urn)
}

/// Changes a schema. What is taken from it and in use makes the change fail, or, with `force`, is taken from the resources too.
///
/// # Errors
/// As [`create_schema`]; when there is none of that URN, or its version is another one; 409 with the number of resources concerned.
pub fn replace_schema(
    conn: &mut Conn,
    act: &Act,
    urn: &str,
    version: Option<i64>,
    body: &Map<String, Value>,
    force: bool,
) -> Result<Versioned<Schema>> {
    kept::lock(conn, act.tenant.id)?;
    let before = schema(conn, act, urn)?;
    if version.is_some_and(|v| v != before.version) {
        return Err(Error::Stale);
    }
    let mut body = body.clone();
    let id = body.entry("id").or_insert_with(|| Value::from(before.what.id.as_str()));
    if id.as_str() != Some(&before.what.id) {
        return Err(Error::Invalid(format!("id: it is {}, and stays so", before.what.id)));
    }
    let fresh = Arc::new(declare::schema(&body).map_err(Error::Invalid)?);
    if fresh.document == before.what.document {
        return Ok(before);
    }
    let done = change(conn, act, force, |set| {
        set.schemas.iter_mut().filter(|s| s.id == fresh.id).for_each(|slot| *slot = fresh.clone());
        Ok(())
    })?;
    audit::admin(conn, act, "schema_changed", &done.told(&fresh.id))?;
    schema(conn, act, urn)
}

/// Removes a schema, and with it the extension that it is. In use it stays, unless `force` takes its values from the resources.
///
/// # Errors
/// When there is none of that URN; 409 with the number of resources concerned, or when it is the base of a type.
pub fn remove_schema(conn: &mut Conn, act: &Act, urn: &str, force: bool) -> Result<()> {
    let urn = schema(conn, act, urn)?.what.id.clone();
    let done = change(conn, act, force, |set| {
        if let Some(d) = set.declared.iter().find(|d| d.schema == urn) {
            let why = format!("{urn} is the base schema of the resource type {}; remove that first", d.name);
            return Err(Error::conflict("schema_in_use", why));
        }
        set.declared.iter_mut().for_each(|d| d.extensions.retain(|(e, _)| *e != urn));
        set.schemas.retain(|s| s.id != urn);
        Ok(())
    })?;
    audit::admin(conn, act, "schema_removed", &done.told(&urn))
}

// -- resource types --------------------------------------------------------------

/// Declares a resource type.
///
/// # Errors
/// A sentence that names the place of the fault; 409 when there is one of that name or at that endpoint.
pub fn create_type(conn: &mut Conn, act: &Act, body: &Map<String, Value>) -> Result<Versioned<ResourceType>> {
    let fresh = declare::resource_type(body, ResourceKind::Own(0)).map_err(Error::Invalid)?;
    let name = fresh.name.clone();
    let done = change(conn, act, false, |set| {
        let kind = ResourceKind::Own(set.next_kind());
        set.declared.push(Declared { kind, ..fresh.clone() });
        Ok(())
    })?;
    audit::admin(conn, act, "resource_type_declared", &done.told(&name))?;
    resource_type(conn, act, &name)
}

/// Changes a resource type: of users and groups which extensions they have, of others also endpoint and description. An extension that
/// is taken away and in use makes the change fail, or, with `force`, is taken from the resources too.
///
/// # Errors
/// As [`create_type`]; when there is none of that name, or its version is another one; 409 with the number of resources concerned.
pub fn replace_type(
    conn: &mut Conn,
    act: &Act,
    name: &str,
    version: Option<i64>,
    body: &Map<String, Value>,
    force: bool,
) -> Result<Versioned<ResourceType>> {
    kept::lock(conn, act.tenant.id)?;
    let before = resource_type(conn, act, name)?;
    if version.is_some_and(|v| v != before.version) {
        return Err(Error::Stale);
    }
    let mut body = body.clone();
    body.entry("name").or_insert_with(|| Value::from(before.what.name.as_str()));
    let fresh = declare::resource_type(&body, before.what.kind).map_err(Error::Invalid)?;
    for (key, is, was) in [("name", &fresh.name, &before.what.name), ("schema", &fresh.schema, &before.what.schema.id)] {
        if !is.eq_ignore_ascii_case(was) || (key == "name" && is != was) {
            return Err(Error::Invalid(format!("{key}: of {} it is {was}, and stays so", before.what.name)));
        }
    }
    let done = change(conn, act, force, |set| {
        *set.declared_of(&before.what) = fresh.clone();
        Ok(())
    })?;
    audit::admin(conn, act, "resource_type_changed", &done.told(&fresh.name))?;
    resource_type(conn, act, name)
}

/// Removes a resource type. With resources it stays, unless `force` removes them.
///
/// # Errors
/// When there is none of that name; 409 with the number of resources, or for users and groups.
pub fn remove_type(conn: &mut Conn, act: &Act, name: &str, force: bool) -> Result<()> {
    let before = resource_type(conn, act, name)?.what;
    if !before.is_own() {
        return Err(Error::conflict("built_in", format!("{} is built in, and stays", before.name)));
    }
    let done = change(conn, act, force, |set| {
        set.declared.retain(|d| d.kind != before.kind);
        Ok(())
    })?;
    audit::admin(conn, act, "resource_type_removed", &done.told(&before.name))
}

// -- carrying out ----------------------------------------------------------------

/// What a tenant has declared, while it is changed.
struct Set {
    schemas: Vec<Arc<Schema>>,
    declared: Vec<Declared>,
}

impl Set {
    fn of(conn: &mut Conn, act: &Act, all: &Types) -> Result<Self> {
        let mut declared = Vec::new();
        for k in kept::types(conn, act.tenant.id)? {
            declared.push(declare::stored_type(kind_in(k.key), &k.document).map_err(Error::Internal)?);
        }
        Ok(Self { schemas: all.own_schemas().to_vec(), declared })
    }

    fn next_kind(&self) -> i16 {
        let numbers = self.declared.iter().map(|d| if let ResourceKind::Own(n) = d.kind { n + 1 } else { 0 });
        numbers.max().unwrap_or(0).max(kept::FIRST)
    }

    /// The declaration of a type; users and groups begin without extensions.
    fn declared_of(&mut self, rt: &ResourceType) -> &mut Declared {
        let at = self.declared.iter().position(|d| d.kind == rt.kind).unwrap_or(self.declared.len());
        if at == self.declared.len() {
            self.declared.push(Declared {
                kind: rt.kind,
                name: rt.name.clone(),
                endpoint: rt.endpoint.clone(),
                description: rt.description.clone(),
                schema: rt.schema.id.clone(),
                extensions: Vec::new(),
            });
        }
        match self.declared.get_mut(at) {
            Some(found) => found,
            None => unreachable!("it was just put there"),
        }
    }

    fn extend(&mut self, act: &Act, name: &str, urn: &str) -> Result<()> {
        let all = Types::new(0, self.schemas.clone(), &self.declared);
        let rt = all.named(name).ok_or_else(|| no_type(act, name))?;
        self.declared_of(rt).extensions.push((urn.to_owned(), false));
        Ok(())
    }

    /// Refuses what does not go together, and spells URNs as the schemas do.
    fn check(&mut self) -> Result<()> {
        let own = self.declared.iter().filter(|d| matches!(d.kind, ResourceKind::Own(_))).count();
        if self.schemas.len() > MOST_SCHEMAS || own > MOST_TYPES {
            let why = format!("a tenant can declare {MOST_SCHEMAS} schemas and {MOST_TYPES} resource types");
            return Err(Error::conflict("too_many", why));
        }
        for (i, one) in self.schemas.iter().enumerate() {
            if let Some(other) = self.schemas.iter().skip(i + 1).find(|other| declare::collide(&one.id, &other.id)) {
                return Err(Error::Invalid(format!("id: {} cannot be told from an attribute of {}", other.id, one.id)));
            }
        }
        for d in &mut self.declared {
            check_type(d, &self.schemas)?;
        }
        self.check_names()
    }

    fn check_names(&self) -> Result<()> {
        let standard = [ResourceKind::User, ResourceKind::Group].map(ResourceType::of);
        for (i, d) in self.declared.iter().enumerate().filter(|(_, d)| matches!(d.kind, ResourceKind::Own(_))) {
            let earlier = self.declared.iter().take(i).map(|o| (&o.name, &o.endpoint));
            let taken = standard.iter().map(|rt| (&rt.name, &rt.endpoint)).chain(earlier);
            for (name, endpoint) in taken {
                if name.eq_ignore_ascii_case(&d.name) {
                    return Err(Error::conflict("type_exists", format!("there is already a resource type \"{name}\"")));
                }
                if endpoint.eq_ignore_ascii_case(&d.endpoint) {
                    return Err(Error::conflict("endpoint_taken", format!("{endpoint} is that of the resource type \"{name}\"")));
                }
            }
        }
        Ok(())
    }
}

fn check_type(d: &mut Declared, schemas: &[Arc<Schema>]) -> Result<()> {
    let find = |urn: &str| schemas.iter().find(|s| s.id.eq_ignore_ascii_case(urn));
    let unknown = |key: &str, urn: &str| Error::Invalid(format!("{key}: the tenant has declared no schema {urn}"));
    if matches!(d.kind, ResourceKind::Own(_)) {
        let base = find(&d.schema).ok_or_else(|| unknown("schema", &d.schema))?;
        declare::check_base(base).map_err(Error::Invalid)?;
        d.schema.clone_from(&base.id);
    }
    for (i, (urn, _)) in d.extensions.iter_mut().enumerate() {
        let place = format!("schemaExtensions[{i}].schema");
        let found = find(urn).ok_or_else(|| unknown(&place, urn))?;
        if found.id == d.schema {
            return Err(Error::Invalid(format!("{place}: {urn} is the base schema")));
        }
        urn.clone_from(&found.id);
    }
    Ok(())
}

/// What a change did to resources.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    /// Resources that have lost something.
    touched: i64,
}

impl Done {
    fn told(self, what: &str) -> String {
        if self.touched == 0 { what.to_owned() } else { format!("{what}: values of {} resource(s) removed", self.touched) }
    }
}

/// Changes what a tenant has declared, and its resources with it.
fn change(conn: &mut Conn, act: &Act, force: bool, edit: impl FnOnce(&mut Set) -> Result<()>) -> Result<Done> {
    let tenant = act.tenant.id;
    kept::bump(conn, tenant)?;
    let before = types::load(conn, tenant)?;
    let mut set = Set::of(conn, act, &before)?;
    let was = set.declared.clone();
    edit(&mut set)?;
    set.declared.retain(|d| matches!(d.kind, ResourceKind::Own(_)) || !d.extensions.is_empty());
    set.check()?;
    let after = Types::new(before.version(), set.schemas.clone(), &set.declared);
    let touched = usage::settle(conn, act, &before, &after, force)?;
    store_schemas(conn, act, &before, &set.schemas)?;
    store_types(conn, act, &was, &set.declared)?;
    tenants::bump_auth_epoch(conn)?;
    Ok(Done { touched })
}

fn store_schemas(conn: &mut Conn, act: &Act, before: &Types, after: &[Arc<Schema>]) -> Result<()> {
    for gone in before.own_schemas().iter().filter(|s| !after.iter().any(|a| a.id == s.id)) {
        kept::delete_schema(conn, act.tenant.id, &gone.id)?;
    }
    for schema in after {
        let same = before.own_schema(&schema.id).is_some_and(|b| b.document == schema.document);
        if !same {
            kept::save_schema(conn, act.tenant.id, &schema.id, &schema.document.to_string(), act.now)?;
        }
    }
    Ok(())
}

fn store_types(conn: &mut Conn, act: &Act, before: &[Declared], after: &[Declared]) -> Result<()> {
    let tenant = act.tenant.id;
    let own = |kind: Kind| matches!(kind, Kind::Own(_));
    for gone in before.iter().filter(|d| !after.iter().any(|a| a.kind == d.kind)) {
        let kind = kind_of(gone.kind);
        kept::delete_type(conn, tenant, kind)?;
        if own(kind) {
            counts::remove(conn, tenant, kind)?;
        }
    }
    for d in after.iter().filter(|d| !before.contains(d)) {
        let kind = kind_of(d.kind);
        kept::save_type(conn, tenant, kind, &d.document().to_string(), act.now)?;
        if own(kind) && !before.iter().any(|b| b.kind == d.kind) {
            counts::create_for(conn, tenant, kind)?;
        }
    }
    Ok(())
}
