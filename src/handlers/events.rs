//! `…/{integration_id}/events`.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{PageParams, Query};
use crate::handlers::{PageResponse, State};
use crate::model::{Actor, Event, EventKind};

/// An event of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EventResponse {
    id: Uuid,
    kind: EventKind,
    at: DateTime<Utc>,
    actor: Actor,
    /// What changed. It never contains a secret.
    #[schema(value_type = Object, example = json!({ "client_id": "0oa1b2c3d4e5f6g7h8i9" }))]
    detail: serde_json::Value,
}

impl From<Event> for EventResponse {
    fn from(event: Event) -> Self {
        let Event { id, kind, at, actor, detail, .. } = event;
        Self { id, kind, at, actor, detail }
    }
}

/// List audit events
///
/// Lists the audit events of an integration and of the tenant, oldest first. The events of a deleted
/// integration stay available.
#[utoipa::path(
    operation_id = "list_events", tag = "Audit log", params(IntegrationPath, PageParams),
    responses((status = 200, description = "One page of audit events", body = PageResponse<EventResponse>)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/events")]
pub async fn list_events(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    page: Query<PageParams>,
) -> Result<HttpResponse, Problem> {
    let events = state.service.list_events(&caller.0, id.0, page.0.page()?).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(events.map(EventResponse::from))))
}
