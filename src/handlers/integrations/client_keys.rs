//! `…/{integration_id}/credentials/keys`: the key pairs of a service app of the customer's own; and
//! `/jwks/okta/{jwks_id}`, where Okta reads their public halves.

use actix_web::http::header::LOCATION;
use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::{State, with_etag};
use crate::model::{ClientKeyRecord, ClientKeyState, JwksId, PublicJwk};
use crate::service::PendingKey;

/// A key pair, without its private half.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClientKeyResponse {
    /// The id of the key, as in `public_jwk`.
    pub kid: String,
    pub state: ClientKeyState,
    /// What the admin enters in the service app in Okta, unless Okta reads it at `jwks_url`.
    pub public_jwk: PublicJwk,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// When Okta accepted it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<DateTime<Utc>>,
}

/// A key pair and where Okta may read all public halves of the integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedClientKeyResponse {
    #[serde(flatten)]
    pub key: ClientKeyResponse,
    /// For "Use a URL to fetch keys dynamically" in Okta. Absent where the service does not know its public
    /// address (`ODT_PUBLIC_URL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://trust.example.com/jwks/okta/3f1c6a52-8a53-4f0e-9c0a-1d2e3f4a5b6c")]
    pub jwks_url: Option<String>,
}

/// The key pairs of an integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClientKeysResponse {
    /// Newest first; at most one in each state.
    pub items: Vec<ClientKeyResponse>,
    /// As in the answer that made the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
}

impl From<ClientKeyRecord> for ClientKeyResponse {
    fn from(key: ClientKeyRecord) -> Self {
        Self {
            kid: key.jwk.kid.clone(),
            state: key.state,
            public_jwk: key.jwk,
            created_at: key.created_at,
            created_by: key.created_by,
            activated_at: key.activated_at,
        }
    }
}

/// List the key pairs of the service app
///
/// Only public halves are ever shown.
#[utoipa::path(
    operation_id = "list_client_keys", tag = "Credentials",
    params(IntegrationPath),
    responses((status = 200, description = "The keys, newest first", body = ClientKeysResponse)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/credentials/keys")]
pub async fn list_client_keys(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let found = state.service.list_client_keys(&caller.0, id.0).await?;
    let items = found.keys.into_iter().map(ClientKeyResponse::from).collect();
    Ok(HttpResponse::Ok().json(ClientKeysResponse { items, jwks_url: found.jwks_url }))
}

/// Make a key pair for a service app
///
/// RSA with 2048 bits for RS256; the private half is sealed and never shown. Enter the public half in the
/// service app in Okta, or let Okta read it at `jwks_url`; then `PUT …/credentials` with `private_key_jwt`
/// proves it. A key that is pending already is answered again, with 200.
#[utoipa::path(
    operation_id = "create_client_key", tag = "Credentials",
    params(IntegrationPath),
    responses(
        (status = 200, description = "The key that is pending already", body = CreatedClientKeyResponse, headers(("ETag" = String))),
        (status = 201, description = "Made", body = CreatedClientKeyResponse, headers(("ETag" = String), ("Location" = String, description = "Path of the key"))),
        (status = 409, description = "changed_meanwhile"),
        (status = 429, description = "too_many_attempts"),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/credentials/keys")]
pub async fn create_client_key(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let pending = state.service.create_client_key(&caller.0, id.0).await?;
    let PendingKey { key, jwks_url, created, record } = pending;
    let key = ClientKeyResponse::from(key);
    let mut answer = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
    if created {
        let integration = record.integration.id;
        let path = format!("/integrations/okta-device-trust/{integration}/credentials/keys");
        answer.insert_header((LOCATION, format!("{path}/{}", key.kid)));
    }
    Ok(with_etag(answer.json(CreatedClientKeyResponse { key, jwks_url }), &record))
}

/// Delete a key pair
///
/// The pending key, or the previous one once Okta no longer needs it. The active key cannot be deleted.
#[utoipa::path(
    operation_id = "delete_client_key", tag = "Credentials",
    params(IntegrationPath, ("kid" = String, Path, description = "Id of the key", max_length = 128)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "client_key_in_use, changed_meanwhile"),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}/credentials/keys/{kid}")]
pub async fn delete_client_key(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let kid = request.match_info().get("kid").unwrap_or_default();
    state.service.delete_client_key(&caller.0, id.0, kid).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The `{jwks_id}` of the path. What is no id is the id of nothing.
pub struct JwksPath(JwksId);

impl FromRequest for JwksPath {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let text = request.match_info().get("jwks_id").unwrap_or_default();
        std::future::ready(Ok(Self(JwksId::parse(text))))
    }
}

/// A public key set (RFC 7517 §5).
#[derive(Serialize, utoipa::ToSchema)]
pub struct JwksResponse {
    pub keys: Vec<PublicJwk>,
}

/// Read the public keys of a service app
///
/// For Okta, which has no token: the address is random and shows public keys only. Each address may be
/// read 60 times in a minute. An unknown address and one without keys look the same.
#[utoipa::path(
    operation_id = "list_public_keys", tag = "Credentials",
    params(("jwks_id" = Uuid, Path, description = "As in `jwks_url`")),
    responses(
        (status = 200, description = "The public halves of the pending, the active and the previous key", body = JwksResponse),
        (status = 429, description = "too_many_key_reads"),
    ),
    security(()),
)]
#[get("/okta/{jwks_id}")]
pub async fn list_public_keys(
    state: web::Data<State>,
    jwks: JwksPath,
) -> Result<HttpResponse, Problem> {
    let keys = state.service.list_public_keys(jwks.0).await?;
    Ok(HttpResponse::Ok().json(JwksResponse { keys }))
}
