//! The OAuth token endpoint (RFC 6749 §4.4), and what the authorization server says of itself (RFC 8414).

mod form;
mod refusal;

use super::{client, tls};
use crate::app::App;
use crate::domain::{ClientAuth, OauthClient};
use crate::error::Error;
use crate::scim::Error as ScimError;
use crate::service::jws;
use crate::service::oauth::{self, Granted, Names, Proof, Refusal, Wish};
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use form::{Asked, Form};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the handlers of this module return.
type Result<T> = std::result::Result<T, Refusal>;

/// `POST /oauth/token`: gives a token to a client that proves who it is.
pub async fn token(req: HttpRequest, payload: Payload) -> Result<HttpResponse> {
    let app = req.app_data::<Data<App>>().map(|d| d.clone().into_inner()).ok_or_else(|| Error::Internal("no app".to_owned()))?;
    let form = Form::read(&req, payload.into_inner()).await?;
    let asked = Asked::of(&req, &form, tls::presented_thumbprint(&req))?;
    let granted = answer(&app, &client::address(&req, &app.config.trusted_proxies), asked).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache")).json(granted))
}

/// Lets whoever fails too often wait, each client from each address by itself.
async fn answer(app: &Arc<App>, address: &str, asked: Asked) -> Result<Granted> {
    let (id, now) = (asked.client_id.clone(), app.now());
    let client = app.look_up(move |conn| oauth::client(conn, &id)).await?;
    // Ids that nobody has share one count, so that inventing them fills no memory.
    let door = format!("{address} {}", client.as_ref().map_or("", |c| c.id.as_str()));
    if let Some(seconds) = app.client_throttle.refuses(&door, now) {
        return Err(Refusal::Wait(seconds));
    }
    let answer = match client {
        Some(client) => granted(app, &client, asked, now).await,
        None => Err(Refusal::Client("there is no such client".to_owned())),
    };
    if matches!(answer, Err(Refusal::Client(_))) {
        app.client_throttle.failed(&door, now);
    }
    answer
}

async fn granted(app: &Arc<App>, client: &OauthClient, asked: Asked, now: i64) -> Result<Granted> {
    let names = app.auth.names().clone();
    let keys = keys(app, client, &asked.proof).await?;
    let once = oauth::prove(client, &asked.proof, keys.as_deref(), &names, now)?;
    let (id, wish) = (client.id.clone(), Wish { scope: asked.scope, presented: asked.presented, once });
    app.write(move |conn| oauth::grant(conn, &names, &id, &wish, now)).await?
}

/// The public keys of a client that signs assertions.
async fn keys(app: &App, client: &OauthClient, proof: &Proof) -> Result<Option<Arc<Value>>> {
    let Proof::Assertion(token) = proof else { return Ok(None) };
    match &client.auth {
        ClientAuth::KeySet(set) => {
            Ok(Some(serde_json::from_str(set).map_err(|e| Error::Internal(format!("a key set cannot be read: {e}")))?))
        }
        ClientAuth::KeySetUrl(url) => {
            let kid = jws::read(token).and_then(|t| t.kid);
            let fetched = app.keys_of_client(url, kid.as_deref()).await;
            Ok(Some(fetched.map_err(|_| Refusal::Later("the keys at the key_set_url of this client cannot be fetched".to_owned()))?))
        }
        ClientAuth::Secret(_) | ClientAuth::Certificate(_) => Ok(None),
    }
}

/// `GET /.well-known/oauth-authorization-server`
pub async fn metadata(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(described(app.auth.names()))
}

fn described(names: &Names) -> Value {
    json!({
        "issuer": &*names.issuer,
        "token_endpoint": names.token_endpoint(),
        "jwks_uri": format!("{}/.well-known/jwks.json", names.issuer),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        // A certificate is known by its thumbprint, whoever has issued it: a client may call that by either name.
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "EdDSA"],
        "scopes_supported": ["scim", "scim:read", "scim:write", "scim:secrets"],
        "tls_client_certificate_bound_access_tokens": true,
    })
}

/// Takes an error of reading a body for what the client did wrong.
fn unreadable(e: Error) -> Refusal {
    match e {
        Error::Scim(ScimError { status: 400..=499, detail, .. }) => Refusal::Request(detail),
        other => other.into(),
    }
}
