//! `/trust-status`: one device, up to 1,000 at once, a list, the tenant's summary.

mod answers;
mod caching;
mod records;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use chrono::TimeDelta;
use serde::Deserialize;

use crate::handlers::http::body::{LargeBody, LargeRequest, at_most, not_null};
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::SerialNumberPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{Query, QueryParams, integration_of, page_of};
use crate::handlers::http::responses::NamesIntegration;
use crate::handlers::{PageResponse, State};
use crate::model::numbers::optional_whole_number;
use crate::model::pages::decode_text_cursor;
use crate::model::trust_status::{Reason, Trust};
use crate::model::{OktaDeviceId, Scope, Udid};
use crate::service::{FieldError, MAX_QUERIED_DEVICES, TrustFilter, TrustQuestion};
use answers::{
    AskedDeviceFields, QueriedDeviceResponse, TrustQueryResponse, TrustStatusResponse,
    TrustSummaryResponse,
};

/// The oldest facts that a caller may ask to put up with, in seconds: those of a day.
const LONGEST_MAX_AGE: i64 = 86_400;

/// Which devices are asked for, up to 1,000.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "devices": [{ "serial_number": "C02ABC123DEF" }, { "udid": "00008030-001C45A83C98802E" }, { "okta_device_id": "guo1a2b3c4d5e6f7g8h9" }] }))]
pub struct TrustQueryRequest {
    #[serde(deserialize_with = "at_most::<MAX_QUERIED_DEVICES, _, _>")]
    #[schema(min_items = 1, max_items = 1000)]
    devices: Vec<AskedDeviceFields>,
    /// Needed where the tenant has several.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// Seconds; older facts decide nothing.
    #[serde(default, deserialize_with = "optional_whole_number")]
    #[schema(nullable = false, minimum = 0, maximum = 86400)]
    max_age: Option<i64>,
}

impl LargeRequest for TrustQueryRequest {
    const SCOPE: Scope = Scope::TrustRead;
}

/// `?integration_id=&max_age=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrustParams {
    /// Needed where the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// Seconds; older facts decide nothing.
    #[param(minimum = 0, maximum = 86400, nullable = false)]
    max_age: Option<i64>,
}

/// `?integration_id=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SummaryParams {
    /// Needed where the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
}

/// Which devices of the inventory are listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrustListParams {
    #[param(value_type = Option<Trust>, nullable = false)]
    trust: Option<String>,
    /// Also a note.
    #[param(value_type = Option<Reason>, nullable = false)]
    reason: Option<String>,
    #[param(schema_with = Udid::schema)]
    udid: Option<String>,
    #[param(schema_with = OktaDeviceId::schema)]
    okta_device_id: Option<String>,
    /// Needed where the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// `next_cursor` of the page before; absent for the first.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for TrustParams {}
impl QueryParams for SummaryParams {}
impl QueryParams for TrustListParams {}

/// A word of a query, or which words there are.
fn word_of<T>(
    name: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<T>,
    words: &str,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        let detail = format!("Send {words}.");
        Problem::invalid(vec![FieldError::new(&format!("/query/{name}"), "invalid", detail)])
    })
}

const TRUSTS: &str = "trusted, pending, untrusted or unknown";

fn question_of(
    integration_id: Option<&str>,
    max_age: Option<i64>,
    pointer: &str,
) -> Result<TrustQuestion, Problem> {
    if max_age.is_some_and(|seconds| !(0..=LONGEST_MAX_AGE).contains(&seconds)) {
        let error = FieldError::new(pointer, "out_of_range", "0 to 86400 seconds.");
        return Err(Problem::invalid(vec![error]));
    }
    let max_age = max_age.map(TimeDelta::seconds);
    Ok(TrustQuestion { integration: integration_of(integration_id), max_age })
}

/// Whether a device is trusted
///
/// Always 200, also for a device that nobody knows. With `max_age`, a device of which older facts are
/// known is read from Okta: once in 30 seconds, and as far as the org's rate goes (at Okta's default about
/// one a minute); otherwise the answer is `unknown` with `last_known`. 0 is met only by a read that began
/// after the question. May be kept until `fresh_until`: see `Cache-Control`. The `ETag` changes with what the answer says, not when the same is merely seen again.
#[utoipa::path(
    operation_id = "get_trust_status", tag = "Trust status",
    params(SerialNumberPath, TrustParams, ("If-None-Match" = Option<String>, Header, description = "The ETag of the answer that is there", nullable = false)),
    responses(
        (status = 200, description = "The verdict", body = TrustStatusResponse, headers(("ETag" = String, description = "Of what the answer says, without observed_at and fresh_until"), ("Last-Modified" = String, description = "observed_at, where there is one"), ("Cache-Control" = String, description = "private, with the seconds until fresh_until"))),
        (status = 304, description = "The caller has this answer", headers(("ETag" = String), ("Last-Modified" = String, description = "observed_at, where there is one"), ("Cache-Control" = String))),
        NamesIntegration,
    ),
    security(("bearer" = ["trust:read"])),
)]
#[get("/trust-status/devices/{serial_number}")]
pub async fn get_trust_status(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
    serial_number: SerialNumberPath,
    params: Query<TrustParams>,
) -> Result<HttpResponse, Problem> {
    let TrustParams { integration_id, max_age } = params.0;
    let question = question_of(integration_id.as_deref(), max_age, "/query/max_age")?;
    let status = state.service.get_trust_status(&caller.0, &serial_number.0, question).await?;
    let keep_for = status.fresh_for();
    caching::answer(&request, &TrustStatusResponse::from(status), keep_for)
}

/// Whether each of up to 1,000 devices is trusted
///
/// In the order of the question, each with what was asked; one that nobody knows is answered as such,
/// and what is no identifier is an error of the whole query. Never asks Okta: facts that are older than
/// `max_age` give `unknown`. Up to 2 MiB.
#[utoipa::path(
    operation_id = "query_trust_status", tag = "Trust status", request_body = TrustQueryRequest,
    responses(
        (status = 200, description = "The verdicts, in order", body = TrustQueryResponse),
        NamesIntegration,
    ),
    security(("bearer" = ["trust:read"])),
)]
#[post("/trust-status/devices/query")]
pub async fn query_trust_status(
    state: web::Data<State>,
    caller: Verified,
    body: LargeBody<TrustQueryRequest>,
) -> Result<HttpResponse, Problem> {
    let TrustQueryRequest { devices, integration_id, max_age } = body.value;
    let question = question_of(integration_id.as_deref(), max_age, "/max_age")?;
    let devices = devices.into_iter().map(Into::into).collect();
    let found = state.service.query_trust_status(&caller.0, devices, question).await?;
    let items = found.into_iter().map(QueriedDeviceResponse::from).collect();
    Ok(HttpResponse::Ok().json(TrustQueryResponse { items }))
}

/// List devices with their verdicts
///
/// The inventory in the order of serial numbers, unenrolled devices included, deleted ones not. A
/// page may hold fewer than `limit`, even none, and still have a cursor: go on with it.
#[utoipa::path(
    operation_id = "list_trust_status", tag = "Trust status", params(TrustListParams),
    responses(
        (status = 200, description = "A page of verdicts", body = PageResponse<TrustStatusResponse>),
        NamesIntegration,
    ),
    security(("bearer" = ["trust:read"])),
)]
#[get("/trust-status/devices")]
pub async fn list_trust_status(
    state: web::Data<State>,
    caller: Verified,
    params: Query<TrustListParams>,
) -> Result<HttpResponse, Problem> {
    let params = params.0;
    let page = page_of(params.cursor.as_deref(), params.limit, decode_text_cursor)?;
    let integration = integration_of(params.integration_id.as_deref());
    let TrustListParams { trust, reason, udid, okta_device_id, .. } = params;
    let trust = word_of("trust", trust.as_deref(), Trust::parse, TRUSTS)?;
    let reason = word_of("reason", reason.as_deref(), Reason::parse, "a reason of the document")?;
    let filter = TrustFilter { trust, reason, udid, okta_device_id };
    let found = state.service.list_trust_status(&caller.0, filter, integration, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(found.map(TrustStatusResponse::from))))
}

/// How many devices are trusted
///
/// And why the others are not, over the whole inventory of the tenant.
#[utoipa::path(
    operation_id = "get_trust_summary", tag = "Trust status", params(SummaryParams),
    responses(
        (status = 200, description = "The summary", body = TrustSummaryResponse),
        NamesIntegration,
    ),
    security(("bearer" = ["trust:read"])),
)]
#[get("/trust-status")]
pub async fn get_trust_summary(
    state: web::Data<State>,
    caller: Verified,
    params: Query<SummaryParams>,
) -> Result<HttpResponse, Problem> {
    let integration = integration_of(params.0.integration_id.as_deref());
    let summary = state.service.get_trust_summary(&caller.0, integration).await?;
    Ok(HttpResponse::Ok().json(TrustSummaryResponse::from(summary)))
}
