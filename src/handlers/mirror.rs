//! `…/{integration_id}/sync` and `…/{integration_id}/okta-devices`: the state of the mirror and its
//! records.

use actix_web::error::QueryPayloadError;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::OptionalBody;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{Query, QueryParams, parse_page};
use crate::handlers::{PageResponse, State};
use crate::model::mirror::budgets::{devices_per_minute, full_sweep_minutes};
use crate::model::pages::decode_text_cursor;
use crate::model::{MirrorRow, OktaDeviceUser, Sync, SyncError, SyncState};

/// The state of the Okta device mirror. A sweep reads all devices of the Okta org.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SyncResponse {
    state: SyncState,
    progress: SyncProgress,
    /// When the last complete sweep ended; `null` before the first.
    last_success_at: Option<DateTime<Utc>>,
    /// The last failure. Absent after the next complete sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<SyncError>,
    /// The estimated duration of a sweep, which uses half of the rate limit of the Okta org.
    #[schema(example = 34)]
    full_sweep_minutes: i64,
    /// Records in the mirror, as of the end of the last sweep.
    devices: i64,
    /// Records that match no device of the inventory, as of the end of the last sweep.
    unmatched: i64,
}

/// The progress of the current or last sweep.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SyncProgress {
    /// Devices read so far.
    done: i64,
    /// Devices that the last complete sweep read; `null` before the first.
    expected: Option<i64>,
    /// The speed that the rate limit of the Okta org allows.
    devices_per_minute: i64,
    /// The estimated time to completion. `null` if no sweep is running, or `expected` is `null`.
    seconds_left: Option<i64>,
}

impl From<Sync> for SyncResponse {
    fn from(sync: Sync) -> Self {
        let per_minute = devices_per_minute(sync.limit_per_minute);
        let is_sweeping = matches!(sync.state, SyncState::Running | SyncState::Waiting);
        let expected_now = sync.expected.filter(|_| is_sweeping);
        let left = expected_now.map(|expected| (expected - sync.done).max(0));
        let expected = sync.expected.unwrap_or(sync.devices).max(sync.devices);
        Self {
            state: sync.state,
            progress: SyncProgress {
                done: sync.done,
                expected: sync.expected,
                devices_per_minute: per_minute,
                seconds_left: left.map(|left| left.saturating_mul(60) / per_minute.max(1)),
            },
            last_success_at: sync.last_success_at,
            last_error: sync.last_error,
            full_sweep_minutes: full_sweep_minutes(expected, sync.limit_per_minute),
            devices: sync.devices,
            unmatched: sync.unmatched,
        }
    }
}

/// A device record of the Okta org, as last read.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OktaDeviceResponse {
    #[schema(example = "guo1a2b3c4d5e6f7g8h9")]
    okta_device_id: String,
    /// Okta's value, such as `MACOS` or `IOS`.
    #[schema(example = "MACOS")]
    platform: String,
    /// Okta's value, such as `ACTIVE`, `SUSPENDED` or `DEACTIVATED`.
    #[schema(example = "ACTIVE")]
    status: String,
    serial_number: Option<String>,
    udid: Option<String>,
    display_name: Option<String>,
    created_at: DateTime<Utc>,
    last_updated_at: DateTime<Utc>,
    users: Vec<OktaDeviceUser>,
    /// When the record was last read from Okta.
    observed_at: DateTime<Utc>,
    /// The serial number of the matching device of the inventory; `null` if none matches.
    matched_serial_number: Option<String>,
}

impl From<MirrorRow> for OktaDeviceResponse {
    fn from(row: MirrorRow) -> Self {
        let device = row.device;
        Self {
            okta_device_id: device.id,
            platform: device.platform,
            status: device.status,
            serial_number: device.serial_number,
            udid: device.udid,
            display_name: device.display_name,
            created_at: device.created,
            last_updated_at: device.last_updated,
            users: device.users.unwrap_or_default(),
            observed_at: row.observed_at,
            matched_serial_number: row.matched_serial_number,
        }
    }
}

/// The query parameters of the list of records.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OktaDevicesParams {
    /// `true`: only records that match a device of the inventory. `false`: only records that match none.
    #[param(nullable = false)]
    matched: Option<bool>,
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// The maximum number of items in a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for OktaDevicesParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameters matched (true or false), cursor and limit, each at most once."
            .to_owned()
    }
}

/// The options of a sweep. The body is optional.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSyncRequest {
    /// Accept the sweep even if it shows less than half of the records of the last one. The missing
    /// records are removed once Okta does not find them by their id.
    #[serde(default)]
    accept_shrunk: bool,
}

/// Retrieve the sync state
///
/// Retrieves the state of the Okta device mirror: the progress of the current sweep, the last complete
/// one, and the last error.
#[utoipa::path(
    operation_id = "get_sync", tag = "Okta device mirror", params(IntegrationPath),
    responses((status = 200, description = "The sync state", body = SyncResponse)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/sync")]
pub async fn get_sync(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
) -> Result<HttpResponse, Problem> {
    let sync = state.service.get_sync(&caller.0, id.0).await?;
    Ok(HttpResponse::Ok().json(SyncResponse::from(sync)))
}

/// Start a sync
///
/// Requests a sweep, which reads all devices of the Okta org with half of its rate limit. A running
/// sweep continues. Poll the sync state for its progress.
#[utoipa::path(
    operation_id = "create_sync", tag = "Okta device mirror", params(IntegrationPath),
    request_body = inline(Option<CreateSyncRequest>),
    responses(
        (status = 202, description = "The sweep is requested", body = SyncResponse),
        (status = 409, description = "credentials_needed"),
    ),
    security(("bearer" = ["odt:write"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/sync")]
pub async fn create_sync(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    body: OptionalBody<CreateSyncRequest>,
) -> Result<HttpResponse, Problem> {
    let sync = state.service.create_sync(&caller.0, id.0, body.0.accept_shrunk).await?;
    Ok(HttpResponse::Accepted().json(SyncResponse::from(sync)))
}

/// List Okta device records
///
/// Lists the device records of the Okta org as last read, sorted by Okta's id. This operation does not
/// call Okta.
#[utoipa::path(
    operation_id = "list_okta_devices", tag = "Okta device mirror",
    params(IntegrationPath, OktaDevicesParams),
    responses((status = 200, description = "One page of device records", body = PageResponse<OktaDeviceResponse>)),
    security(("bearer" = ["odt:read"])),
)]
#[get("/integrations/okta-device-trust/{integration_id}/okta-devices")]
pub async fn list_okta_devices(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    query: Query<OktaDevicesParams>,
) -> Result<HttpResponse, Problem> {
    let OktaDevicesParams { matched, cursor, limit } = query.0;
    let page = parse_page(cursor.as_deref(), limit, decode_text_cursor)?;
    let listed = state.service.list_okta_devices(&caller.0, id.0, matched, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(listed.map(OktaDeviceResponse::from))))
}
