//! From the Authorization header to a key of the admin API.

use super::super::auth::token;
use super::problem::{Failure, Result};
use crate::app::App;
use crate::domain::{AdminKey, Tenant};
use crate::error::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error as ActixError, HttpMessage};
use std::sync::Arc;

/// Who asks; in the request's extensions.
#[derive(Clone)]
pub struct Holder {
    pub key: Arc<AdminKey>,
    /// The only tenant that the key opens.
    pub tenant: Option<Arc<Tenant>>,
}

/// Finds out who asks, before anything else is looked at.
///
/// # Errors
/// 401 without a key that is accepted.
pub async fn authenticate(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, ActixError> {
    let holder = identify(&req).await?;
    req.extensions_mut().insert(holder);
    next.call(req).await
}

async fn identify(req: &ServiceRequest) -> Result<Holder> {
    let app = req.app_data::<Data<App>>().map(|d| d.clone().into_inner()).ok_or_else(|| Error::Internal("no app".to_owned()))?;
    let key = token(req.headers())?.ok_or(Failure(Error::Unauthorized("a token is needed")))?;
    let (key, tenant) = app.admit(key).await?;
    app.rates.admit_key(&key.id, app.now())?;
    Ok(Holder { key: Arc::new(key), tenant: tenant.map(Arc::new) })
}
