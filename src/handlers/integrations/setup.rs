//! `…/{integration_id}/setup`.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use crate::handlers::State;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::integrations::Notice;
use crate::model::{CredentialsKind, IntegrationId, Status, StatusReason};
use crate::service::{Form, FormField, Setup, Step, StepName};

/// The setup of an integration: its steps, and the next form.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SetupResponse {
    status: Status,
    status_reasons: Vec<StatusReason>,
    steps: Vec<Step>,
    #[schema(required)]
    next_form: Option<FormResponse>,
    /// Information for the admin that does not affect the status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Notice>,
}

/// The next form, and the request that submits it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FormResponse {
    step: StepName,
    #[schema(example = "PUT")]
    method: &'static str,
    path: String,
    /// Sent beside the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<CredentialsKind>,
    fields: Vec<FormField>,
}

impl FormResponse {
    fn new(form: Form, id: IntegrationId) -> Self {
        let path = format!("/integrations/okta-device-trust/{id}");
        let (method, path) = match form.step {
            StepName::Credentials => ("PUT", format!("{path}/credentials")),
            StepName::Macos => ("PUT", format!("{path}/platforms/macos")),
            StepName::Ios => ("PUT", format!("{path}/platforms/ios")),
            _ => ("PATCH", path),
        };
        Self { step: form.step, method, path, kind: form.kind, fields: form.fields }
    }
}

impl SetupResponse {
    fn new(setup: Setup, id: IntegrationId) -> Self {
        let Setup { status, status_reasons, steps, next_form, notices } = setup;
        let next_form = next_form.map(|form| FormResponse::new(form, id));
        let notices = notices.into_iter().map(Notice::from).collect();
        Self { status, status_reasons, steps, next_form, notices }
    }
}

/// Retrieve the setup
///
/// Retrieves the steps of the setup with their texts and state, and the form that the admin fills in next.
/// Build the setup wizard of a front end from this.
#[utoipa::path(
    operation_id = "get_setup", tag = "Integrations", params(IntegrationPath),
    responses((status = 200, description = "The setup, with its steps in order", body = SetupResponse)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/setup")]
pub async fn get_setup(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let setup = state.service.get_setup(&caller.0, id.0).await?;
    Ok(HttpResponse::Ok().json(SetupResponse::new(setup, id.0)))
}
