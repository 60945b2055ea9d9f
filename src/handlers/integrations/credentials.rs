//! `…/{integration_id}/credentials`: what the service authenticates with at the org.

use actix_web::{HttpResponse, delete, put, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::{Body, not_null};
use crate::handlers::http::headers::{IfMatch, Verified};
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::responses::AsksOkta;
use crate::handlers::integrations::IntegrationResponse;
use crate::handlers::integrations::prerequisites::ReportResponse;
use crate::handlers::{State, with_etag};
use crate::model::CredentialsKind;
use crate::service::EnteredCredentials;

/// The client in Okta: the API service integration from the catalogue with its secret, or a service app of
/// the customer's own, which has the public half of the key pair that was made here.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "client_id": "0oa1b2c3d4e5f6g7h8i9", "client_secret": "shown-once-by-Okta" }))]
pub struct UpdateCredentialsRequest {
    #[serde(default)]
    #[schema(default = "client_secret")]
    kind: CredentialsKind,
    #[schema(min_length = 1, max_length = 512, pattern = "^[!-9;-~]+$")]
    client_id: String,
    /// Needed for `client_secret`, refused for `private_key_jwt`. Never shown again.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    client_secret: Option<SecretString>,
}

/// The integration, with what the same exchange showed of the org.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConnectedResponse {
    integration: IntegrationResponse,
    prerequisites: ReportResponse,
}

/// Connect with a client secret or a key pair
///
/// Proved against Okta before anything is stored: at most 4 requests, 15 seconds in all; a client that
/// demands DPoP takes two more until that is known. A refusal keeps what was stored before. With
/// `private_key_jwt` the pending key is tried, or the active one when none is pending: once Okta has
/// accepted it, it signs all requests, and the key before it stays valid until it is deleted.
#[utoipa::path(
    operation_id = "update_credentials", tag = "Credentials", request_body = UpdateCredentialsRequest,
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "ETag that was read")),
    responses(
        (status = 200, description = "Replaced", body = ConnectedResponse, headers(("ETag" = String))),
        (status = 201, description = "Stored", body = ConnectedResponse, headers(("ETag" = String))),
        (status = 409, description = "other_org, changed_meanwhile, client_key_needed"),
        (status = 429, description = "too_many_attempts"),
        AsksOkta,
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
/// Okta is no longer asked; what is on the devices stays there. All key pairs are deleted too.
#[utoipa::path(
    operation_id = "delete_credentials", tag = "Credentials",
    params(IntegrationPath, ("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]*")$"#, description = "ETag that was read")),
    responses((status = 200, description = "Deleted; the integration as it is now", body = IntegrationResponse, headers(("ETag" = String)))),
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
