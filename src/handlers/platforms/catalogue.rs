//! `/platforms`: what each platform asks for.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, get, web};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::handlers::State;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::PlatformPath;
use crate::handlers::http::problem::Problem;
use crate::service::CataloguePlatform;

/// The catalogue.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CatalogueResponse {
    #[schema(value_type = Vec<CataloguePlatform>)]
    items: &'static [CataloguePlatform],
}

/// Seconds that a front end may keep it; it changes with a release only.
const KEEP: &str = "private, max-age=3600";

/// List what can be set up
#[utoipa::path(
    operation_id = "list_catalogue", tag = "Platforms",
    params(("If-None-Match" = Option<String>, Header, description = "ETag of an earlier answer")),
    responses(
        (status = 200, description = "The catalogue", body = CatalogueResponse, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"),
    ),
    security(("bearer" = ["odt:read"])),
)]
#[get("/platforms")]
pub async fn list_catalogue(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
) -> Result<HttpResponse, Problem> {
    let items = state.service.list_catalogue(&caller.0).await?;
    Ok(cached(&request, &CatalogueResponse { items }))
}

/// Read what a platform asks for
#[utoipa::path(
    operation_id = "get_catalogue_platform", tag = "Platforms",
    params(PlatformPath, ("If-None-Match" = Option<String>, Header, description = "ETag of an earlier answer")),
    responses(
        (status = 200, description = "Fields, and how to add, rotate and delete it in Okta", body = CataloguePlatform, headers(("ETag" = String))),
        (status = 304, description = "Unchanged"),
    ),
    security(("bearer" = ["odt:read"])),
)]
#[get("/platforms/{platform}")]
pub async fn get_catalogue_platform(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
    platform: PlatformPath,
) -> Result<HttpResponse, Problem> {
    let found = state.service.get_catalogue_platform(&caller.0, platform.0).await?;
    Ok(cached(&request, found))
}

/// The answer with its ETag, or 304 to a caller that has it already.
fn cached<T: Serialize>(request: &HttpRequest, value: &T) -> HttpResponse {
    let Ok(body) = serde_json::to_vec(value) else {
        return HttpResponse::InternalServerError().finish();
    };
    let hash = digest(&SHA256, &body);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| {
        known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)
    });
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, KEEP));
    if is_known { answer.finish() } else { answer.content_type("application/json").body(body) }
}
