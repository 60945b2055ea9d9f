//! `/health/live`, `/health/ready`, and `/metrics`, which has its own listener.

use actix_web::{HttpResponse, Resource, ResponseError, get, guard, web};
use serde::Serialize;

use crate::handlers::State;
use crate::handlers::http::problem::Problem;
use crate::telemetry::metrics;

/// The result of the readiness probe.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReadyResponse {
    /// True if all checks below passed.
    ready: bool,
    /// True if `PostgreSQL` answers.
    database: bool,
    /// True if the signing keys of the token issuer are available.
    token_keys: bool,
    /// Hosts whose address is overridden by configuration. Empty in production.
    overridden_hosts: Vec<String>,
}

/// The result of the liveness probe.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LiveResponse {
    live: bool,
}

/// The paths of the probes.
pub const LIVE: &str = "/health/live";
pub const READY: &str = "/health/ready";

/// Check liveness
///
/// Returns 200 while the process runs. Use it as the liveness probe. It needs no token and checks no
/// dependency.
#[utoipa::path(
    operation_id = "get_liveness", tag = "Health", security(()),
    responses((status = 200, description = "The process runs", body = LiveResponse)),
)]
#[get("/health/live")]
pub async fn get_liveness() -> HttpResponse {
    liveness()
}

/// Check readiness
///
/// Returns 200 if the service can handle requests: the database answers and the signing keys of the
/// token issuer are available. Use it as the readiness probe. It needs no token.
#[utoipa::path(
    operation_id = "get_readiness", tag = "Health", security(()),
    responses(
        (status = 200, description = "The service can handle requests", body = ReadyResponse),
        (status = 503, description = "The service cannot handle requests; the body shows which check failed", body = ReadyResponse),
    ),
)]
#[get("/health/ready")]
pub async fn get_readiness(state: web::Data<State>) -> HttpResponse {
    readiness(&state).await
}

/// Routes the probes for methods other than `GET`. Some load balancers send `HEAD`, which the OpenAPI
/// document leaves out because it equals `GET` without a body (RFC 9110 §9.3.2).
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
    let database = state.database_probe.run(ping).await;
    let token_keys = state.authenticator.is_ready();
    let ready = database && token_keys;
    let overridden_hosts = state.overridden_hosts.clone();
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(ReadyResponse { ready, database, token_keys, overridden_hosts })
}

/// Returns the metrics in Prometheus text format. Served by the metrics listener, not by the API.
#[get("/metrics")]
pub async fn get_metrics() -> HttpResponse {
    match metrics::handle() {
        Some(handle) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(handle.render()),
        None => HttpResponse::ServiceUnavailable().body("another metrics recorder is installed\n"),
    }
}
