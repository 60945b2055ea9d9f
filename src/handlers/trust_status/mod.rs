//! `/trust-status`: a single device, up to 1,000 devices, a list, and the summary of the tenant.

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
use crate::handlers::http::query::{Query, QueryParams, parse_integration_id, parse_page};
use crate::handlers::http::responses::SelectsIntegration;
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

/// The largest `max_age` of a query, in seconds: a day.
const MAX_MAX_AGE: i64 = 86_400;

/// A query for up to 1,000 devices.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "devices": [{ "serial_number": "C02ABC123DEF" }, { "udid": "00008030-001C45A83C98802E" }, { "okta_device_id": "guo1a2b3c4d5e6f7g8h9" }] }))]
pub struct TrustQueryRequest {
    #[serde(deserialize_with = "at_most::<MAX_QUERIED_DEVICES, _, _>")]
    #[schema(min_items = 1, max_items = 1000)]
    devices: Vec<AskedDeviceFields>,
    /// The integration to decide by. Required if the tenant has several.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// The maximum age of the facts, in seconds. Older facts give `unknown`.
    #[serde(default, deserialize_with = "optional_whole_number")]
    #[schema(nullable = false, minimum = 0, maximum = 86400)]
    max_age: Option<i64>,
}

impl LargeRequest for TrustQueryRequest {
    const SCOPE: Scope = Scope::TrustRead;
}

/// The query parameters for a single device.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrustParams {
    /// The integration to decide by. Required if the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// The maximum age of the facts, in seconds. Older facts give `unknown`.
    #[param(minimum = 0, maximum = 86400, nullable = false)]
    max_age: Option<i64>,
}

/// The query parameters of the summary.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SummaryParams {
    /// The integration to decide by. Required if the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
}

/// The query parameters of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrustListParams {
    /// Only devices with this trust.
    #[param(value_type = Option<Trust>, nullable = false)]
    trust: Option<String>,
    /// Only devices with this reason, deciding or not.
    #[param(value_type = Option<Reason>, nullable = false)]
    reason: Option<String>,
    /// Only the device with this UDID.
    #[param(schema_with = Udid::schema)]
    udid: Option<String>,
    /// Only the device with this Okta device id.
    #[param(schema_with = OktaDeviceId::schema)]
    okta_device_id: Option<String>,
    /// The integration to decide by. Required if the tenant has several.
    #[param(value_type = Option<Uuid>, nullable = false)]
    integration_id: Option<String>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// The maximum number of items in a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for TrustParams {}
impl QueryParams for SummaryParams {}
impl QueryParams for TrustListParams {}

/// Parses a query parameter with a fixed set of values. `values` names them for the error.
fn parse_value<T>(
    name: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<T>,
    values: &str,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        let detail = format!("Send {values}.");
        Problem::invalid(vec![FieldError::new(&format!("/query/{name}"), "invalid", detail)])
    })
}

const TRUST_VALUES: &str = "trusted, pending, untrusted or unknown";
const REASON_VALUES: &str = "one of the reasons in the API reference";

fn parse_question(
    integration_id: Option<&str>,
    max_age: Option<i64>,
    pointer: &str,
) -> Result<TrustQuestion, Problem> {
    if max_age.is_some_and(|seconds| !(0..=MAX_MAX_AGE).contains(&seconds)) {
        let error = FieldError::new(pointer, "out_of_range", "Send 0 to 86400 seconds.");
        return Err(Problem::invalid(vec![error]));
    }
    let max_age = max_age.map(TimeDelta::seconds);
    Ok(TrustQuestion { integration: parse_integration_id(integration_id), max_age })
}

/// Retrieve the trust status of a device
///
/// Returns 200 for every well-formed serial number, also for unknown devices. With `max_age`, a device
/// whose facts are older is read from Okta first: at most once in 30 seconds, and as far as the rate
/// limit of the Okta org allows (about one device a minute with Okta's default). Otherwise the answer
/// is `unknown` with `last_known`. A `max_age` of 0 requires a read that starts after the request. Cache
/// the response until `fresh_until`, as `Cache-Control` says. The `ETag` changes only when the answer
/// changes, not when the same facts are observed again.
#[utoipa::path(
    operation_id = "get_trust_status", tag = "Trust status",
    params(SerialNumberPath, TrustParams, ("If-None-Match" = Option<String>, Header, description = "The ETag of the cached response", nullable = false)),
    responses(
        (status = 200, description = "The trust status", body = TrustStatusResponse, headers(("ETag" = String, description = "A hash of the response without observed_at and fresh_until"), ("Last-Modified" = String, description = "observed_at, if present"), ("Cache-Control" = String, description = "private, with the seconds until fresh_until"))),
        (status = 304, description = "The cached response is still valid", headers(("ETag" = String), ("Last-Modified" = String, description = "observed_at, if present"), ("Cache-Control" = String))),
        SelectsIntegration,
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
    let question = parse_question(integration_id.as_deref(), max_age, "/query/max_age")?;
    let status = state.service.get_trust_status(&caller.0, &serial_number.0, question).await?;
    let max_age = status.fresh_for();
    caching::respond(&request, &TrustStatusResponse::from(status), max_age)
}

/// Query the trust status of up to 1,000 devices
///
/// Returns one item per device, in the order of the request. An unknown device is answered as such; a
/// malformed identifier is an error of the whole query. A query for several devices never calls Okta:
/// facts older than `max_age` give `unknown`. The body may have up to 2 MiB.
#[utoipa::path(
    operation_id = "query_trust_status", tag = "Trust status", request_body = TrustQueryRequest,
    responses(
        (status = 200, description = "The trust status of each device", body = TrustQueryResponse),
        SelectsIntegration,
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
    let question = parse_question(integration_id.as_deref(), max_age, "/max_age")?;
    let devices = devices.into_iter().map(Into::into).collect();
    let found = state.service.query_trust_status(&caller.0, devices, question).await?;
    let items = found.into_iter().map(QueriedDeviceResponse::from).collect();
    Ok(HttpResponse::Ok().json(TrustQueryResponse { items }))
}

/// List the trust status of all devices
///
/// Lists the devices of the inventory with their trust status, sorted by serial number. Includes
/// unenrolled devices, and excludes deleted ones. With a filter, a page may hold fewer items than
/// `limit`, or none, and still have a `next_cursor`: continue until it is `null`.
#[utoipa::path(
    operation_id = "list_trust_status", tag = "Trust status", params(TrustListParams),
    responses(
        (status = 200, description = "One page of devices with their trust status", body = PageResponse<TrustStatusResponse>),
        SelectsIntegration,
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
    let page = parse_page(params.cursor.as_deref(), params.limit, decode_text_cursor)?;
    let integration = parse_integration_id(params.integration_id.as_deref());
    let TrustListParams { trust, reason, udid, okta_device_id, .. } = params;
    let trust = parse_value("trust", trust.as_deref(), Trust::parse, TRUST_VALUES)?;
    let reason = parse_value("reason", reason.as_deref(), Reason::parse, REASON_VALUES)?;
    let filter = TrustFilter { trust, reason, udid, okta_device_id };
    let found = state.service.list_trust_status(&caller.0, filter, integration, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(found.map(TrustStatusResponse::from))))
}

/// Retrieve the trust summary
///
/// Counts the devices of the whole inventory by trust and by reason, and the certificates that expire
/// soon.
#[utoipa::path(
    operation_id = "get_trust_summary", tag = "Trust status", params(SummaryParams),
    responses(
        (status = 200, description = "The trust summary", body = TrustSummaryResponse),
        SelectsIntegration,
    ),
    security(("bearer" = ["trust:read"])),
)]
#[get("/trust-status")]
pub async fn get_trust_summary(
    state: web::Data<State>,
    caller: Verified,
    params: Query<SummaryParams>,
) -> Result<HttpResponse, Problem> {
    let integration = parse_integration_id(params.0.integration_id.as_deref());
    let summary = state.service.get_trust_summary(&caller.0, integration).await?;
    Ok(HttpResponse::Ok().json(TrustSummaryResponse::from(summary)))
}
