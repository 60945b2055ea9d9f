//! `/devices`: the MDM reports its devices, and lists those that need an action.

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
    DeviceBatchRequest, DeviceReportRequest, parse_item, parse_serial,
};
use crate::handlers::http::body::{Body, LargeBody};
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::SerialNumberPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{Query, QueryParams, parse_integration_id, parse_page};
use crate::handlers::{PageResponse, State};
use crate::model::IntegrationId;
use crate::model::devices::reports::Configuration;
use crate::model::pages::decode_text_cursor;
use crate::service::{DeviceQuery, ReportFields};

/// The query parameters of the list of devices.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListDevicesParams {
    /// Only enrolled devices whose platform is configured in this integration, with their `configuration`.
    #[param(value_type = Option<IntegrationId>, nullable = false)]
    integration_id: Option<String>,
    /// Only devices with this state of the configuration. Requires `integration_id`.
    #[param(value_type = Option<Configuration>, nullable = false)]
    configuration: Option<String>,
    /// Only Macs whose certificate expires before this time. Requires `integration_id`.
    #[param(format = DateTime, nullable = false)]
    certificate_expires_before: Option<String>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// The maximum number of items in a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for ListDevicesParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameters integration_id, configuration, certificate_expires_before, cursor and limit, each at most once.".to_owned()
    }
}

/// The query parameters of a deletion.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeleteDeviceParams {
    /// When the device left the MDM, by the MDM's clock. By default it is newer than all earlier reports. A
    /// time ahead of this service's clock is stored as the time of receipt.
    #[param(format = DateTime, nullable = false)]
    reported_at: Option<String>,
}

impl QueryParams for DeleteDeviceParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameter reported_at, at most once.".to_owned()
    }
}

/// List devices
///
/// Lists the devices of the inventory, sorted by serial number. With `integration_id`, lists the devices
/// of that integration with the state of their configuration: use it to find devices with an outdated
/// configuration or none, and certificates that expire soon.
#[utoipa::path(
    operation_id = "list_devices", tag = "Devices", params(ListDevicesParams),
    responses((status = 200, description = "One page of devices", body = PageResponse<DeviceResponse>)),
    security(("bearer" = ["odt:inventory"])),
)]
#[get("/devices")]
pub async fn list_devices(
    state: web::Data<State>,
    caller: Verified,
    params: Query<ListDevicesParams>,
) -> Result<HttpResponse, Problem> {
    let params = params.0;
    let page = parse_page(params.cursor.as_deref(), params.limit, decode_text_cursor)?;
    let query = DeviceQuery {
        integration_id: parse_integration_id(params.integration_id.as_deref()),
        configuration: params.configuration,
        certificate_expires_before: params.certificate_expires_before,
    };
    let devices = state.service.list_devices(&caller.0, query, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(devices.map(DeviceResponse::from))))
}

/// Report up to 1,000 devices
///
/// Merges each report as `PUT /devices/{serial_number}` does, in their order. The response has one result
/// per report; a refused report does not affect the others. The body may have up to 2 MiB.
#[utoipa::path(
    operation_id = "update_devices", tag = "Devices", request_body = DeviceBatchRequest,
    responses(
        (status = 200, description = "The result of each report", body = DeviceBatchResponse),
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
    let serials: Vec<Option<String>> = sent.iter().map(|item| parse_serial(item)).collect();
    let reports = sent.iter().enumerate().map(|(index, item)| {
        let report = parse_item(item, &format!("/devices/{index}"));
        report.map(ReportFields::from)
    });
    let outcomes = state.service.update_devices(&caller.0, reports.collect()).await?;
    Ok(HttpResponse::Ok().json(DeviceBatchResponse::new(serials, outcomes)))
}

/// Retrieve a device
///
/// Retrieves a device of the inventory with the data of its current enrollment.
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
/// Creates a device or merges a report into it, group by group: an absent group is kept, `null` clears
/// it, and a value older than the stored one is ignored. Reports may therefore arrive late, twice and in
/// any order. The end of an enrollment (`unenrolled`, `wiped`, `ended_at`) counts whenever its report
/// arrives. An identifier of another device is refused (`identifier_taken`); the other groups are merged.
#[utoipa::path(
    operation_id = "update_device", tag = "Devices", params(SerialNumberPath),
    request_body = DeviceReportRequest,
    responses(
        (status = 200, description = "The report is merged", body = DeviceReportResponse),
        (status = 201, description = "The device is created, or created again after a deletion", body = DeviceReportResponse),
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
/// Deletes a device. Late reports from before `reported_at` do not bring it back; a later enrollment does.
/// Unless that enrollment has `continues`, earlier reports no longer count. The identifiers are kept for
/// 30 days, and longer while an Okta org has a record with one of them. Deleting an unknown device is
/// not an error.
#[utoipa::path(
    operation_id = "delete_device", tag = "Devices",
    params(SerialNumberPath, DeleteDeviceParams),
    responses((status = 200, description = "The result of the deletion", body = DeviceDeletedResponse)),
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
