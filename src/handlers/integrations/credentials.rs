//! `…/{integration_id}/credentials`: the credentials of the service at the Okta org.

use actix_web::{HttpResponse, delete, put, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::{Body, not_null};
use crate::handlers::http::headers::{IfMatch, Verified};
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::responses::CallsOkta;
use crate::handlers::integrations::IntegrationResponse;
use crate::handlers::integrations::prerequisites::ReportResponse;
use crate::handlers::{State, with_etag};
use crate::model::CredentialsKind;
use crate::service::EnteredCredentials;

/// The client in Okta: the API service integration with its client secret, or a custom service app that has
/// the public key of a key pair of this service.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "client_id": "0oa1b2c3d4e5f6g7h8i9", "client_secret": "shown-once-by-Okta" }))]
pub struct UpdateCredentialsRequest {
    #[serde(default)]
    #[schema(default = "client_secret")]
    kind: CredentialsKind,
    #[schema(min_length = 1, max_length = 512, pattern = "^[!-9;-~]+$")]
    client_id: String,
    /// Required for `client_secret`, refused for `private_key_jwt`. Write-only.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    client_secret: Option<SecretString>,
}

/// The integration, with the report on its org.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConnectedResponse {
    integration: IntegrationResponse,
    prerequisites: ReportResponse,
}

/// Store the credentials
///
/// Verifies the credentials with Okta, then stores them. This takes at most 4 requests to Okta and 15
/// seconds, and two more requests until a client is known to require DPoP. If Okta refuses the credentials,
/// the stored ones stay. With `private_key_jwt` the pending key is verified, or the active one if none is
/// pending. Once Okta accepts a pending key it becomes active; the previous key stays valid until it is
/// deleted.
#[utoipa::path(
    operation_id = "update_credentials", tag = "Credentials", request_body = UpdateCredentialsRequest,
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "The ETag of the integration that you read")),
    responses(
        (status = 200, description = "The credentials are replaced", body = ConnectedResponse, headers(("ETag" = String))),
        (status = 201, description = "The credentials are stored", body = ConnectedResponse, headers(("ETag" = String))),
        (status = 409, description = "other_org, changed_meanwhile, client_key_needed"),
        (status = 429, description = "too_many_attempts"),
        CallsOkta,
    ),
    security(("bearer" = ["odt:write"])),
)]
#[put("/integrations/okta-device-trust/{integration_id}/credentials")]
pub async fn update_credentials(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    expected: IfMatch,
    body: Body<UpdateCredentialsRequest>,
) -> Result<HttpResponse, Problem> {
    let UpdateCredentialsRequest { kind, client_id, client_secret } = body.0;
    let entered = EnteredCredentials { kind, client_id, client_secret };
    let connected = state.service.update_credentials(&caller.0, id.0, entered, expected.0).await?;
    let record = connected.record;
    let answer = ConnectedResponse {
        prerequisites: connected.report.into(),
        integration: IntegrationResponse::from(record.clone()),
    };
    let mut status = if connected.replaced { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(with_etag(status.json(answer), &record))
}

/// Delete the credentials
///
/// Deletes the client ID, the client secret and all key pairs. Device records are no longer read from Okta.
/// The platforms and the profiles on devices stay.
#[utoipa::path(
    operation_id = "delete_credentials", tag = "Credentials",
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "The ETag of the integration that you read")),
    responses((status = 200, description = "The integration without its credentials", body = IntegrationResponse, headers(("ETag" = String)))),
    security(("bearer" = ["odt:write"])),
)]
#[delete("/integrations/okta-device-trust/{integration_id}/credentials")]
pub async fn delete_credentials(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    expected: IfMatch,
) -> Result<HttpResponse, Problem> {
    let record = state.service.delete_credentials(&caller.0, id.0, expected.0).await?;
    Ok(with_etag(HttpResponse::Ok().json(IntegrationResponse::from(record.clone())), &record))
}
