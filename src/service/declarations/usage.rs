//! What resources have of something that is taken away or changed, and what becomes of it. All of it happens in the transaction of the
//! change, however many resources there are.

use crate::error::{Error, Result};
use crate::scim::Types;
use crate::scim::schema::{Attribute, ResourceType, Schema};
use crate::scim::traits::Spot;
use crate::service::mapping::{self, Naming};
use crate::service::roll::Act;
use crate::service::{kind_of, types};
use crate::store::types::{self as kept, Use};
use crate::store::{Conn, Record, Row, resources, unique};
use std::sync::Arc;

/// Resources that are read at a time.
const AT_ONCE: i64 = 500;

/// What a change of a type means for its resources.
#[derive(Default)]
struct Difference {
    /// URNs of extensions that it has no more.
    extensions: Vec<String>,
    /// Attributes that are there no more.
    gone: Vec<Spot>,
    /// Attributes whose values are of another type now.
    other: Vec<Spot>,
    /// Attributes whose values are compared in another way now.
    refolded: Vec<Spot>,
}

/// Makes the resources fit what a tenant has declared now; how many have lost something.
///
/// # Errors
/// 409 with the number of resources that would, unless `force` allows it; 409 `uniqueness` when two have what may be there once now.
pub(super) fn settle(conn: &mut Conn, act: &Act, before: &Types, after: &Types, force: bool) -> Result<i64> {
    let mut touched = 0;
    for old in before.all() {
        touched += match after.all().iter().find(|rt| rt.kind == old.kind) {
            None => remove_all(conn, act, old, force)?,
            Some(new) => fit(conn, act, old, new, force)?,
        };
    }
    Ok(touched)
}

fn remove_all(conn: &mut Conn, act: &Act, old: &ResourceType, force: bool) -> Result<i64> {
    let (tenant, kind) = (act.tenant.id, kind_of(old.kind));
    let n = kept::count(conn, tenant, kind, &Use::Any)?;
    if n > 0 && !force {
        return Err(in_use(&format!("there are {n} resource(s) of the type {}; force=true removes them", old.name)));
    }
    kept::delete_resources(conn, tenant, kind)?;
    unique::clear_kind(conn, tenant, kind)?;
    Ok(n)
}

fn in_use(why: &str) -> Error {
    Error::conflict("in_use", why)
}

fn fit(conn: &mut Conn, act: &Act, old: &Arc<ResourceType>, new: &Arc<ResourceType>, force: bool) -> Result<i64> {
    if Arc::ptr_eq(old, new) {
        return Ok(0);
    }
    let d = difference(old, new);
    let (tenant, kind) = (act.tenant.id, kind_of(old.kind));
    for spot in &d.other {
        let n = kept::count(conn, tenant, kind, &Use::Spots(vec![spot.clone()]))?;
        if n > 0 {
            let why =
                format!("{n} resource(s) of the type {} have a value of {spot}: its type stays; remove the attribute first", old.name);
            return Err(in_use(&why));
        }
    }
    let mut lost = 0;
    let extensions = d.extensions.iter().map(|urn| (urn.clone(), Use::Extension(urn.clone())));
    let gone = d.gone.iter().map(|spot| (spot.to_string(), Use::Spots(vec![spot.clone()])));
    for (name, of) in extensions.chain(gone) {
        let n = kept::count(conn, tenant, kind, &of)?;
        if n > 0 && !force {
            let why = format!("{n} resource(s) of the type {} have a value of {name}; force=true removes it from them", old.name);
            return Err(in_use(&why));
        }
        lost = lost.max(n);
        rewrite(conn, act, (old, new), &of, &d)?;
    }
    if !d.refolded.is_empty() {
        rewrite(conn, act, (old, new), &Use::Spots(d.refolded.clone()), &d)?;
    }
    Ok(lost)
}

fn difference(old: &ResourceType, new: &ResourceType) -> Difference {
    let mut out = Difference::default();
    compare(None, &old.schema, &new.schema, &mut out);
    for ext in &old.extensions {
        match new.extensions.iter().find(|e| e.id == ext.id) {
            Some(same) => compare(Some(&ext.id), ext, same, &mut out),
            None => out.extensions.push(ext.id.clone()),
        }
    }
    out
}

fn compare(extension: Option<&String>, old: &Schema, new: &Schema, out: &mut Difference) {
    for attr in old.attributes.iter().filter(|a| a.own) {
        let spot = |sub: Option<&Arc<Attribute>>| Spot { extension: extension.cloned(), attr: attr.clone(), sub: sub.cloned() };
        let Some(now) = named(&new.attributes, &attr.name) else {
            out.gone.push(spot(None));
            continue;
        };
        sort_in(spot(None), now, out);
        for sub in &attr.sub_attributes {
            match named(&now.sub_attributes, &sub.name) {
                Some(now) => sort_in(spot(Some(sub)), now, out),
                // Of an attribute that is of another type the whole is refused.
                None if now.is_complex() => out.gone.push(spot(Some(sub))),
                None => {}
            }
        }
    }
}

/// By the exact name: it is what stands in the documents.
fn named<'a>(attributes: &'a [Arc<Attribute>], name: &str) -> Option<&'a Arc<Attribute>> {
    attributes.iter().find(|a| a.name == name)
}

fn sort_in(spot: Spot, now: &Attribute, out: &mut Difference) {
    let was = spot.leaf();
    if was.kind != now.kind || was.multi_valued != now.multi_valued {
        out.other.push(spot);
    } else if was.case_exact != now.case_exact || was.uniqueness != now.uniqueness {
        out.refolded.push(spot);
    }
}

/// Writes every resource anew that has such values, without what is gone.
fn rewrite(conn: &mut Conn, act: &Act, types: (&ResourceType, &ResourceType), of: &Use, d: &Difference) -> Result<()> {
    let mut after = String::new();
    loop {
        let rows = kept::page(conn, act.tenant.id, kind_of(types.0.kind), of, &after, AT_ONCE)?;
        for row in &rows {
            rewrite_one(conn, act, types, row, d)?;
        }
        match rows.last() {
            Some(last) if i64::try_from(rows.len()).is_ok_and(|n| n >= AT_ONCE) => after.clone_from(&last.id),
            _ => return Ok(()),
        }
    }
}

fn rewrite_one(conn: &mut Conn, act: &Act, (old, new): (&ResourceType, &ResourceType), row: &Row, d: &Difference) -> Result<()> {
    let mut doc = mapping::parsed(row);
    let before = old.traits.unique(&doc);
    d.extensions.iter().for_each(|urn| drop(doc.shift_remove(urn)));
    d.gone.iter().for_each(|spot| spot.remove(&mut doc));
    if row.label_derived {
        doc.shift_remove("displayName");
    }
    let naming = if row.label_derived { Naming::Derive } else { Naming::AsGiven };
    let mut record: Record = mapping::record(new, &act.tenant, doc, naming)?;
    if row.member.as_ref().is_some_and(|m| m.state.is_hidden()) {
        // Nobody sees it: its names are free for others.
        record.unique_key = None;
    } else {
        types::reclaim(conn, act.tenant.id, row.kind, &row.id, &before, &record.unique)?;
    }
    if !resources::update(conn, act.tenant.id, row, &record, act.now)? {
        return Err(Error::Busy("a resource was changed at the same time".to_owned()));
    }
    Ok(())
}
