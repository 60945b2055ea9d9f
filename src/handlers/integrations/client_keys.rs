//! `…/{integration_id}/credentials/keys`: the key pairs of a custom service app; and `/jwks/okta/{jwks_id}`,
//! where Okta reads their public keys.

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

/// A key pair, without its private key.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClientKeyResponse {
    /// The id of the key, as in `public_jwk`.
    pub kid: String,
    pub state: ClientKeyState,
    /// The public key to add to the service app in Okta, unless Okta reads it from `jwks_url`.
    pub public_jwk: PublicJwk,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// When Okta first accepted the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<DateTime<Utc>>,
}

/// A key pair, and the URL where Okta can read the public keys of the integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedClientKeyResponse {
    #[serde(flatten)]
    pub key: ClientKeyResponse,
    /// The value for "Use a URL to fetch keys dynamically" in Okta. Absent if the operator has not
    /// configured the public address of the service (`ODT_PUBLIC_URL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://trust.example.com/jwks/okta/3f1c6a52-8a53-4f0e-9c0a-1d2e3f4a5b6c")]
    pub jwks_url: Option<String>,
}

/// The key pairs of an integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClientKeysResponse {
    /// Newest first; at most one in each state.
    pub items: Vec<ClientKeyResponse>,
    /// The value for "Use a URL to fetch keys dynamically" in Okta. Absent without a key, and if the
    /// operator has not configured the public address of the service.
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

/// List key pairs
///
/// Lists the key pairs of the custom service app, newest first. Private keys are never shown.
#[utoipa::path(
    operation_id = "list_client_keys", tag = "Credentials",
    params(IntegrationPath),
    responses((status = 200, description = "The key pairs", body = ClientKeysResponse)),
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

/// Create a key pair
///
/// Generates an RSA key pair (2048 bits, RS256) for a custom service app. The private key is stored encrypted
/// and never shown. Add the public key to the service app in Okta, or let Okta read it from `jwks_url`. Then
/// store the credentials with the kind `private_key_jwt`, which verifies and activates the key. If a key is
/// already pending, it is returned with 200.
#[utoipa::path(
    operation_id = "create_client_key", tag = "Credentials",
    params(IntegrationPath),
    responses(
        (status = 200, description = "The key pair that is already pending", body = CreatedClientKeyResponse, headers(("ETag" = String))),
        (status = 201, description = "The key pair is created", body = CreatedClientKeyResponse, headers(("ETag" = String), ("Location" = String, description = "The path of the key"))),
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
/// Deletes a pending or a previous key pair. The active key cannot be deleted.
#[utoipa::path(
    operation_id = "delete_client_key", tag = "Credentials",
    params(IntegrationPath, ("kid" = String, Path, description = "The id of the key", max_length = 128)),
    responses(
        (status = 204, description = "The key pair is deleted"),
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

/// The `{jwks_id}` of the path. A malformed id becomes one that no public key set has.
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

/// Retrieve the public key set
///
/// Okta calls this to read the public keys of a custom service app. It needs no token: the address is random,
/// and only public keys are shown. Each address can be read 60 times a minute. An unknown address and one
/// without keys get the same answer.
#[utoipa::path(
    operation_id = "list_public_keys", tag = "Okta callbacks",
    params(("jwks_id" = Uuid, Path, description = "The last part of `jwks_url`")),
    responses(
        (status = 200, description = "The public keys of the pending, the active and the previous key pair", body = JwksResponse),
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
