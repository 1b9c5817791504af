//! What the outermost layer hears of a request that was let in: whose it is, also when a panic or a refusal has taken the request along.

use crate::app::App;
use crate::error::Error;
use crate::service::{Ctx, journal};
use actix_web::Error as ActixError;
use actix_web::http::StatusCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

/// Is put into the extensions of a request, and kept.
#[derive(Clone)]
pub struct Witness {
    pub began: Instant,
    seen: Rc<RefCell<Option<Ctx>>>,
}

impl Witness {
    /// Of a request that began then.
    #[must_use]
    pub fn new(began: Instant) -> Self {
        Self { began, seen: Rc::default() }
    }

    /// Hears whose request it is.
    pub fn hear(&self, ctx: &Ctx) {
        *self.seen.borrow_mut() = Some(ctx.clone());
    }

    /// Has it written down what became of the request.
    pub fn tell(&self, app: &App, status: StatusCode, why: Option<&ActixError>) {
        let Some(ctx) = self.seen.borrow_mut().take() else { return };
        let fault = why.map(|why| match why.as_error::<Error>() {
            Some(e) => super::error::said(e),
            None => (None, why.to_string()),
        });
        let fault = fault.as_ref().map(|(scim_type, detail)| (*scim_type, detail.as_str()));
        if let Some(entry) = journal::finished(&ctx, status.as_u16(), fault) {
            app.log_later(ctx.tenant_id(), entry);
        }
    }
}
