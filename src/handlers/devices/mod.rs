//! `/devices`: the MDM reports its devices and asks for its work list.

mod answers;
pub mod reconcile;
mod requests;

use actix_web::error::QueryPayloadError;
use actix_web::{HttpResponse, delete, get, post, put, web};
use serde::Deserialize;

use crate::handlers::devices::answers::{
    DeviceBatchResponse, DeviceDeletedResponse, DeviceReportResponse, DeviceResponse,
};
use crate::handlers::devices::requests::{
    DeviceBatchRequest, DeviceReportRequest, parse_item, serial_of,
};
use crate::handlers::http::body::{Body, LargeBody};
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::SerialNumberPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{Query, QueryParams, integration_of, page_of};
use crate::handlers::{PageResponse, State};
use crate::model::IntegrationId;
use crate::model::devices::reports::Configuration;
use crate::model::pages::decode_text_cursor;
use crate::service::{DeviceQuery, ReportFields};

/// Which devices a list is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDevicesParams {
    /// Enrolled devices whose platform is configured there, each with its `configuration`.
    #[param(value_type = Option<IntegrationId>, nullable = false)]
    integration_id: Option<String>,
    /// Needs `integration_id`.
    #[param(value_type = Option<Configuration>, nullable = false)]
    configuration: Option<String>,
    /// Macs whose certificate ends before this. Needs `integration_id`.
    #[param(format = DateTime, nullable = false)]
    certificate_expires_before: Option<String>,
    /// `next_cursor` of the page before; absent for the first.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for ListDevicesParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have integration_id, configuration, certificate_expires_before, cursor and limit, each once.".to_owned()
    }
}

/// Up to when a device is deleted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteDeviceParams {
    /// When the device left, by the MDM's clock; by default newer than everything that is known. A time
    /// ahead of our clock is stored as the time of receipt.
    #[param(format = DateTime, nullable = false)]
    reported_at: Option<String>,
}

impl QueryParams for DeleteDeviceParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have reported_at, once.".to_owned()
    }
}

/// List devices, or what waits for an integration
///
/// In the order of their serial numbers. With `integration_id` it is the work list: which of its
/// devices have an outdated configuration or none, and whose certificates end.
#[utoipa::path(
    operation_id = "list_devices", tag = "Devices", params(ListDevicesParams),
    responses((status = 200, description = "A page of devices", body = PageResponse<DeviceResponse>)),
    security(("bearer" = ["odt:inventory"])),
)]
#[get("/devices")]
pub async fn list_devices(
    state: web::Data<State>,
    caller: Verified,
    params: Query<ListDevicesParams>,
) -> Result<HttpResponse, Problem> {
    let params = params.0;
    let page = page_of(params.cursor.as_deref(), params.limit, decode_text_cursor)?;
    let query = DeviceQuery {
        integration_id: integration_of(params.integration_id.as_deref()),
        configuration: params.configuration,
        certificate_expires_before: params.certificate_expires_before,
    };
    let devices = state.service.list_devices(&caller.0, query, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(devices.map(DeviceResponse::from))))
}

/// Report up to 1,000 devices
///
/// In their order, each as by `PUT /devices/{serial_number}`. One that is refused spoils no other: the
/// answer has one result for each. Up to 2 MiB.
#[utoipa::path(
    operation_id = "update_devices", tag = "Devices", request_body = DeviceBatchRequest,
    responses(
        (status = 200, description = "How each report was taken", body = DeviceBatchResponse),
        (status = 409, description = "changed_meanwhile"),
    ),
    security(("bearer" = ["odt:inventory"])),
)]
#[post("/devices/batch")]
pub async fn update_devices(
    state: web::Data<State>,
    caller: Verified,
    body: LargeBody<DeviceBatchRequest>,
) -> Result<HttpResponse, Problem> {
    let sent = &body.value.devices;
    let serials: Vec<Option<String>> = sent.iter().map(|item| serial_of(item)).collect();
    let read = sent.iter().enumerate().map(|(place, item)| {
        let report = parse_item(item, &format!("/devices/{place}"));
        report.map(ReportFields::from)
    });
    let taken = state.service.update_devices(&caller.0, read.collect()).await?;
    Ok(HttpResponse::Ok().json(DeviceBatchResponse::of(serials, taken)))
}

/// Read a device
#[utoipa::path(
    operation_id = "get_device", tag = "Devices", params(SerialNumberPath),
    responses(
        (status = 200, description = "The device", body = DeviceResponse),
        (status = 422, description = "invalid_request"),
    ),
    security(("bearer" = ["odt:inventory"])),
)]
#[get("/devices/{serial_number}")]
pub async fn get_device(
    state: web::Data<State>,
    caller: Verified,
    serial_number: SerialNumberPath,
) -> Result<HttpResponse, Problem> {
    let record = state.service.get_device(&caller.0, &serial_number.0).await?;
    Ok(HttpResponse::Ok().json(DeviceResponse::from(&record)))
}

/// Report a device
///
/// Merged group by group: what is absent stays, `null` clears, and what is older than what is known is
/// ignored, so that reports may come late, twice and in any order. A leave (`unenrolled`, `wiped`,
/// `ended_at`) counts whenever its report arrives. An identifier that another living device has is
/// refused (`identifier_taken`), and the other groups are merged all the same.
#[utoipa::path(
    operation_id = "update_device", tag = "Devices", params(SerialNumberPath),
    request_body = DeviceReportRequest,
    responses(
        (status = 200, description = "Merged", body = DeviceReportResponse),
        (status = 201, description = "Not known before, or deleted", body = DeviceReportResponse),
        (status = 409, description = "platform_mismatch, changed_meanwhile"),
    ),
    security(("bearer" = ["odt:inventory"])),
)]
#[put("/devices/{serial_number}")]
pub async fn update_device(
    state: web::Data<State>,
    caller: Verified,
    serial_number: SerialNumberPath,
    body: Body<DeviceReportRequest>,
) -> Result<HttpResponse, Problem> {
    let outcome = state.service.update_device(&caller.0, &serial_number.0, body.0.into()).await?;
    let mut answer = if outcome.created { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(DeviceReportResponse::from(outcome)))
}

/// Delete a device
///
/// Up to `reported_at` nothing brings the device back, also when it is reported late; a later enrolment
/// does. Unless that enrolment says `continues`, what was reported before the deletion no longer
/// counts. The tombstone keeps the identifiers for 30 days, and longer while an Okta org has a record
/// with one of them. An unknown device can be deleted too.
#[utoipa::path(
    operation_id = "delete_device", tag = "Devices",
    params(SerialNumberPath, DeleteDeviceParams),
    responses((status = 200, description = "Whether it is gone", body = DeviceDeletedResponse)),
    security(("bearer" = ["odt:inventory"])),
)]
#[delete("/devices/{serial_number}")]
pub async fn delete_device(
    state: web::Data<State>,
    caller: Verified,
    serial_number: SerialNumberPath,
    params: Query<DeleteDeviceParams>,
) -> Result<HttpResponse, Problem> {
    let deleted = state
        .service
        .delete_device(&caller.0, &serial_number.0, params.0.reported_at.as_deref())
        .await?;
    Ok(HttpResponse::Ok().json(DeviceDeletedResponse::from(deleted)))
}
