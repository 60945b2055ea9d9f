//! `/health/live`, `/health/ready`, and `/metrics` on its own listener.

use actix_web::{HttpResponse, Resource, ResponseError, get, guard, web};
use serde::Serialize;

use crate::handlers::State;
use crate::handlers::http::problem::Problem;
use crate::telemetry::metrics;

/// Whether the service can answer.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReadyResponse {
    ready: bool,
    /// `PostgreSQL` answers.
    database: bool,
    /// The token issuer's keys are there.
    token_keys: bool,
    /// Hosts that are dialled elsewhere than DNS says. Empty in production.
    overridden_hosts: Vec<String>,
}

/// The process runs.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LiveResponse {
    live: bool,
}

/// Where load balancers and orchestrators ask.
pub const LIVE: &str = "/health/live";
pub const READY: &str = "/health/ready";

/// The process runs
#[utoipa::path(
    operation_id = "get_liveness", tag = "Operations", security(()),
    responses((status = 200, description = "It does", body = LiveResponse)),
)]
#[get("/health/live")]
pub async fn get_liveness() -> HttpResponse {
    liveness()
}

/// The service can answer
#[utoipa::path(
    operation_id = "get_readiness", tag = "Operations", security(()),
    responses(
        (status = 200, description = "It can", body = ReadyResponse),
        (status = 503, description = "It cannot: the body says what is missing", body = ReadyResponse),
    ),
)]
#[get("/health/ready")]
pub async fn get_readiness(state: web::Data<State>) -> HttpResponse {
    readiness(&state).await
}

/// The paths of health with any other method than `GET`. Some load balancers ask with `HEAD`; the
/// document leaves it out, since it says nothing that `GET` does not (RFC 9110 §9.3.2).
pub fn other_methods(path: &'static str) -> Resource {
    let resource = web::resource(path).guard(guard::Not(guard::Get()));
    let resource = match path {
        READY => {
            resource.route(web::head().to(async |state: web::Data<State>| readiness(&state).await))
        }
        _ => resource.route(web::head().to(async || liveness())),
    };
    resource.default_service(web::to(async || {
        Problem::method_not_allowed("GET, HEAD".to_owned()).error_response()
    }))
}

fn liveness() -> HttpResponse {
    HttpResponse::Ok().json(LiveResponse { live: true })
}

async fn readiness(state: &State) -> HttpResponse {
    let service = state.service.clone();
    let ping = async move || service.ping_store().await.is_ok();
    let database = state.database_probe.answer(ping).await;
    let token_keys = state.authenticator.is_ready();
    let ready = database && token_keys;
    let overridden_hosts = state.overridden_hosts.clone();
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(ReadyResponse { ready, database, token_keys, overridden_hosts })
}

/// The metrics, in Prometheus' text format. Not on the API's listener, and so not in its document.
#[get("/metrics")]
pub async fn get_metrics() -> HttpResponse {
    match metrics::handle() {
        Some(handle) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(handle.render()),
        None => {
            HttpResponse::ServiceUnavailable().body("another recorder was installed before ours\n")
        }
    }
}
