//! What belongs to one member: its invitation, suspension, claim, legal hold, names and access code, and its erasure.
//! Whatever is done, the answer is the member after it.

use super::super::call::{Call, ok, versioned};
use super::super::fields::reason;
use super::super::problem::Result;
use super::shown;
use super::view::{self, GoneView, InvitationView, MemberView};
use crate::error::{self, Error};
use crate::scim::value::write_time;
use crate::service::idempotency::Made;
use crate::service::{Act, Connection, claims, codes, dossier, members};
use actix_web::HttpResponse;
use actix_web::web::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Why something is done.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// For the member's history, up to 500 characters. It is erased together with the person.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// A legal hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalHold {
    /// Why the member must not be anonymised, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// That somebody means it.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Must be true.
    #[serde(default)]
    confirm: bool,
}

/// No body, or an empty object.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An access code.
#[derive(Serialize, ToSchema)]
pub struct CodeView {
    #[schema(example = "ABCD-EFGH-JKMN-PQRS")]
    code: String,
    #[schema(format = DateTime)]
    expires_at: String,
    employee_number: Option<String>,
}

/// An access code that was just issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedCode {
    /// The code, for keys with `admin:secrets`.
    #[schema(example = "ABCD-EFGH-JKMN-PQRS")]
    code: Option<String>,
    /// The member after it.
    #[schema(value_type = MemberView)]
    member: Value,
}

type At = Path<(String, String)>;

/// What is done to the member with that permanent id.
trait Deed: Fn(&mut Connection, &Act, &str) -> error::Result<()> + Send + 'static {}
impl<F: Fn(&mut Connection, &Act, &str) -> error::Result<()> + Send + 'static> Deed for F {}

/// Does something to a member.
async fn with(call: &Call, at: At, deed: impl Deed) -> Result<HttpResponse> {
    call.params(&[])?;
    let ((tenant, key), place, version) = (at.into_inner(), call.place(), call.if_match);
    let work = move |conn: &mut Connection, act: &Act| {
        let person = members::person(conn, act, &key, version)?;
        deed(conn, act, &person)?;
        shown(conn, act, &place, &person)
    };
    let (body, version) = call.write(&tenant, work).await?;
    Ok(versioned(&body, version))
}

/// Invite a member, or send a new link
///
/// Whoever is invited already gets a new link, and the old one is dead; not twice within an hour.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/members/{member}/invitation", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = Option<Nothing>, responses((status = 201, body = MemberView)))]
pub async fn invite(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    let Nothing {} = call.json_or_default()?;
    let ((tenant, key), place, version) = (at.into_inner(), call.place(), call.if_match);
    call.make(&tenant, move |conn, act| {
        let person = members::person(conn, act, &key, version)?;
        let row = members::invite(conn, act, &person)?;
        let (body, version) = shown(conn, act, &place, &person)?;
        let at = format!("/admin/v1/tenants/{}/members/{}/invitation", act.tenant.name, row.id);
        Ok(Made { version: Some(version), ..Made::at(at, body) })
    })
    .await
}

/// Show the latest invitation of a member
///
/// With `admin:secrets`, the link too. Reading it is written into the history of the member.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/members/{member}/invitation", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = InvitationView)))]
pub async fn invitation(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    let ((tenant, key), origin) = (at.into_inner(), call.app.origin.clone());
    let found = if call.reads_secrets() {
        call.write(&tenant, move |conn, act| dossier::invitation_with_link(conn, act, &origin, &key)).await?
    } else {
        call.read(&tenant, move |conn, act| dossier::invitation(conn, act, &key)).await?
    };
    Ok(ok(&json!(view::invitation(found))))
}

/// Take an invitation back
///
/// The link is dead, and the member is uninvited.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/invitation", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn revoke(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, |conn, act, member| members::revoke(conn, act, member).map(drop)).await
}

/// Suspend a member
///
/// Access ends and the quarantine begins.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/members/{member}/suspension", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = Option<Why>, responses((status = 200, body = MemberView)))]
pub async fn suspend(call: Call, at: At) -> Result<HttpResponse> {
    let why: Why = call.json_or_default()?;
    let why = reason(why.reason)?;
    with(&call, at, move |conn, act, member| members::suspend(conn, act, member, why.clone()).map(drop)).await
}

/// Bring a member back from quarantine
///
/// Whoever held it: the state before, the groups, the manager.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/suspension", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn restore(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, |conn, act, member| members::restore(conn, act, member).map(drop)).await
}

/// Record that single sign-on has let a member in
///
/// Whoever is invited is claimed; whoever is claimed has signed in. Everybody else is kept out with 403, which is written into the
/// history of the member.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/members/{member}/claim", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = Option<Nothing>, responses((status = 200, body = MemberView)))]
pub async fn claim(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    let Nothing {} = call.json_or_default()?;
    let ((tenant, key), place, version) = (at.into_inner(), call.place(), call.if_match);
    let work = move |conn: &mut Connection, act: &Act| {
        let person = members::person(conn, act, &key, version)?;
        let state = claims::by_sso_of(conn, act, &person)?;
        state.map(|_| shown(conn, act, &place, &person)).transpose()
    };
    // That somebody was kept out is to be remembered, so that it is no error before the end of the transaction.
    let let_in = call.write(&tenant, work).await?;
    let (body, version) = let_in.ok_or_else(|| Error::Denied("the member is not let in".to_owned()))?;
    Ok(versioned(&body, version))
}

/// Undo a claim
///
/// The member is invited again, and gets a new link or code.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/claim", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn reset(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, |conn, act, member| members::reset(conn, act, member).map(drop)).await
}

/// Set a legal hold
///
/// As long as it lasts, nobody anonymises the member.
#[utoipa::path(put, path = "/admin/v1/tenants/{tenant}/members/{member}/legal_hold", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = LegalHold, responses((status = 200, body = MemberView)))]
pub async fn hold(call: Call, at: At) -> Result<HttpResponse> {
    let new: LegalHold = call.json()?;
    let why = reason(Some(new.reason))?;
    with(&call, at, move |conn, act, member| members::hold(conn, act, member, why.clone()).map(drop)).await
}

/// Lift a legal hold
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/legal_hold", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn lift_hold(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, |conn, act, member| members::hold(conn, act, member, None).map(drop)).await
}

/// Anonymise a member for good
///
/// Because the person has asked for it. A record whose account was never claimed is removed altogether.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/members/{member}/erasure", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = Confirmation, responses((status = 200, body = GoneView)))]
pub async fn erase(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    let Confirmation { confirm } = call.json_or_default()?;
    let ((tenant, key), version) = (at.into_inner(), call.if_match);
    let answer = call
        .make(&tenant, move |conn, act| {
            let person = members::person(conn, act, &key, version)?;
            let after = members::erase(conn, act, &person, confirm)?;
            Ok(Made { status: 200, location: None, version: None, body: json!(view::gone(person, after)) })
        })
        .await?;
    call.app.removed();
    Ok(answer)
}

/// Give the names of a quarantined member free
///
/// For somebody else: identity providers see the record no more.
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/names", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn release(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, |conn, act, member| members::release(conn, act, member).map(drop)).await
}

/// Show the access code of a member
///
/// Needs `admin:secrets`. Reading it is written into the history of the member.
#[utoipa::path(get, path = "/admin/v1/tenants/{tenant}/members/{member}/code", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = CodeView)))]
pub async fn code(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    call.needs_secrets()?;
    let (tenant, key) = at.into_inner();
    let slip = call.write(&tenant, move |conn, act| codes::show(conn, act, &key)).await?;
    Ok(ok(&json!(CodeView { code: slip.code, expires_at: write_time(slip.expires_at), employee_number: slip.employee })))
}

/// Issue an access code
///
/// For somebody without an address, or for recovery; an older one is dead. The code itself is in the answer for keys with
/// `admin:secrets`, and then its being read is written into the history of the member.
#[utoipa::path(post, path = "/admin/v1/tenants/{tenant}/members/{member}/code", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), request_body = Option<Nothing>, responses((status = 201, body = IssuedCode)))]
pub async fn issue(call: Call, at: At) -> Result<HttpResponse> {
    call.params(&[])?;
    let Nothing {} = call.json_or_default()?;
    let ((tenant, key), place, version) = (at.into_inner(), call.place(), call.if_match);
    let readable = call.reads_secrets();
    call.make(&tenant, move |conn, act| {
        let person = members::person(conn, act, &key, version)?;
        let code = codes::issue_for(conn, act, &person, readable)?;
        let (member, version) = shown(conn, act, &place, &person)?;
        let at = format!("/admin/v1/tenants/{}/members/{person}/code", act.tenant.name);
        Ok(Made { version: Some(version), ..Made::at(at, json!(IssuedCode { code, member })) })
    })
    .await
}

/// Revoke the access code of a member
#[utoipa::path(delete, path = "/admin/v1/tenants/{tenant}/members/{member}/code", tag = "members", params(("tenant" = String, Path), ("member" = String, Path)), responses((status = 200, body = MemberView)))]
pub async fn revoke_code(call: Call, at: At) -> Result<HttpResponse> {
    with(&call, at, codes::revoke).await
}
