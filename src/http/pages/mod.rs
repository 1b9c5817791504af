//! The claim pages: what a member sees who follows an invitation's link or types an access code. Each handler extracts,
//! calls one service function, answers. No page needs JavaScript, and none loads anything from elsewhere.

pub mod guard;
pub mod texts;
pub mod view;
pub mod visitor;

use crate::error::Result;
use crate::service::claims::{self, Seen};
use actix_web::HttpResponse;
use actix_web::web::Path;
use view::Scene;
use visitor::{Form, Visitor};

/// `GET /claim/{token}`: says what the link opens. Changes nothing, so that a mail scanner may follow it.
pub async fn link(visitor: Visitor, token: Path<String>) -> Result<HttpResponse> {
    let visit = visitor.visit.clone();
    let seen = visitor.app.look_up(move |conn| claims::look(conn, &visit, &token)).await?;
    Ok(visitor.answer(view::seen(seen, &visitor.scene)?))
}

/// `POST /claim/{token}`: claims the account.
pub async fn claim_by_link(visitor: Visitor, token: Path<String>, form: Form) -> Result<HttpResponse> {
    let (visit, door, token) = (visitor.visit.clone(), visitor.app.door(), token.into_inner());
    let (looked_at, at) = (visit.clone(), token.clone());
    let welcome = match visitor.app.look_up(move |conn| claims::look(conn, &looked_at, &at)).await? {
        Seen::Open(welcome) if !form.differs() => welcome,
        seen => return Ok(visitor.answer(view::mismatch(seen, &visitor.scene)?)),
    };
    let secret = form.secret(&visitor.app, &welcome).await?;
    let done = visitor.app.write(move |conn| claims::claim(conn, &door, &visit, &token, secret.as_ref())).await?;
    Ok(visitor.answer(view::done(done, &visitor.scene)?))
}

/// `GET /claim`: asks for an access code.
pub async fn code(visitor: Visitor) -> Result<HttpResponse> {
    Ok(visitor.answer(view::code_form("", false, &visitor.scene)?))
}

/// `GET /claim/code/{code}`: a personal link, which only fills the code in.
pub async fn code_filled_in(visitor: Visitor, code: Path<String>) -> Result<HttpResponse> {
    let plain = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || "-. _".contains(c));
    let code = if plain { code.as_str() } else { "" };
    Ok(visitor.answer(view::code_form(code, false, &visitor.scene)?))
}

/// `POST /claim`: a code alone shows what it opens; from the form on that page, it claims the account.
pub async fn claim_by_code(visitor: Visitor, form: Form) -> Result<HttpResponse> {
    if form.code.is_empty() {
        return Ok(visitor.answer(view::code_form("", true, &visitor.scene)?));
    }
    let scene = Scene { code: Some(form.code.clone()), ..visitor.scene.clone() };
    let (visit, door, code) = (visitor.visit.clone(), visitor.app.door(), form.code.clone());
    let (looked_at, at, from) = (visit.clone(), code.clone(), door.clone());
    let welcome = match visitor.app.look_up(move |conn| claims::look_code(conn, &from, &looked_at, &at)).await? {
        Seen::Open(welcome) if form.claims && !form.differs() => welcome,
        seen if form.differs() => return Ok(visitor.answer(view::mismatch(seen, &scene)?)),
        seen => return Ok(visitor.answer(view::seen(seen, &scene)?)),
    };
    let secret = form.secret(&visitor.app, &welcome).await?;
    let done = visitor.app.write(move |conn| claims::claim_code(conn, &door, &visit, &code, secret.as_ref())).await?;
    Ok(visitor.answer(view::done(done, &scene)?))
}

/// Every other path below `/claim`.
pub async fn not_found(visitor: Visitor) -> Result<HttpResponse> {
    Ok(visitor.answer(view::unknown(&visitor.scene)?))
}
