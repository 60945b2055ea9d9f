//! `…/{integration_id}/sync` and `…/{integration_id}/okta-devices`: how the mirror stands and what is
//! in it.

use actix_web::error::QueryPayloadError;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::OptionalBody;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::IntegrationPath;
use crate::handlers::http::problem::Problem;
use crate::handlers::http::query::{Query, QueryParams, page_of};
use crate::handlers::{PageResponse, State};
use crate::model::mirror::budgets::{devices_per_minute, full_sweep_minutes};
use crate::model::pages::decode_text_cursor;
use crate::model::{MirrorRow, OktaDeviceUser, Sync, SyncError, SyncState};

/// How the mirror of an org stands.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SyncResponse {
    state: SyncState,
    progress: SyncProgress,
    /// When the last complete sweep ended; `null` before the first.
    last_success_at: Option<DateTime<Utc>>,
    /// What went wrong last; left out once a sweep was complete again.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<SyncError>,
    /// How long a sweep of all devices takes within our half of the org's rate.
    #[schema(example = 34)]
    full_sweep_minutes: i64,
    /// Records in the mirror, as of the end of the last sweep.
    devices: i64,
    /// Records that match no device of the inventory, as of the end of the last sweep.
    unmatched: i64,
}

/// How far the running or last sweep has come.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SyncProgress {
    done: i64,
    /// As many as the last complete sweep read; `null` before the first.
    expected: Option<i64>,
    /// What the org's rate allows.
    devices_per_minute: i64,
    /// `null` when no sweep goes on, or nobody knows how many devices there are.
    seconds_left: Option<i64>,
}

impl From<Sync> for SyncResponse {
    fn from(sync: Sync) -> Self {
        let per_minute = devices_per_minute(sync.limit_per_minute);
        let goes_on = matches!(sync.state, SyncState::Running | SyncState::Waiting);
        let left = sync.expected.filter(|_| goes_on).map(|expected| (expected - sync.done).max(0));
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

/// A device record of the org, as the mirror has it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OktaDeviceResponse {
    #[schema(example = "guo1a2b3c4d5e6f7g8h9")]
    okta_device_id: String,
    /// `MACOS`, `IOS` and what else Okta knows.
    #[schema(example = "MACOS")]
    platform: String,
    /// `ACTIVE`, `SUSPENDED`, `DEACTIVATED` or another word of Okta's.
    #[schema(example = "ACTIVE")]
    status: String,
    serial_number: Option<String>,
    udid: Option<String>,
    display_name: Option<String>,
    created_at: DateTime<Utc>,
    last_updated_at: DateTime<Utc>,
    users: Vec<OktaDeviceUser>,
    /// When Okta last showed this.
    observed_at: DateTime<Utc>,
    /// The device of the inventory that this is a record of; `null` when there is none.
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

/// `?matched=&cursor=&limit=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OktaDevicesParams {
    /// Only records that match a device of the inventory, or only those that match none.
    #[param(nullable = false)]
    matched: Option<bool>,
    /// `next_cursor` of the page before; absent for the first.
    #[param(nullable = false, pattern = "^(2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e]){1,128}$")]
    cursor: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for OktaDevicesParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have matched (true or false), cursor and limit, each once.".to_owned()
    }
}

/// `{"accept_shrunk": true}`, or nothing.
#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSyncRequest {
    /// Accept the sweep also if it shows less than half of the records of the last one: the others are
    /// then removed once Okta does not find them by their id.
    #[serde(default)]
    accept_shrunk: bool,
}

/// Read how the mirror stands
#[utoipa::path(
    operation_id = "get_sync", tag = "Mirror", params(IntegrationPath),
    responses((status = 200, description = "How the mirror stands", body = SyncResponse)),
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

/// Ask for a sweep now
///
/// All devices of the org are read, within our half of its rate. A sweep that goes on is not begun
/// anew.
#[utoipa::path(
    operation_id = "create_sync", tag = "Mirror", params(IntegrationPath),
    request_body = inline(Option<CreateSyncRequest>),
    responses(
        (status = 202, description = "Asked for", body = SyncResponse),
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

/// List the device records of the org
///
/// As the mirror has them, in the order of Okta's ids.
#[utoipa::path(
    operation_id = "list_okta_devices", tag = "Mirror",
    params(IntegrationPath, OktaDevicesParams),
    responses((status = 200, description = "A page of records", body = PageResponse<OktaDeviceResponse>)),
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
    let page = page_of(cursor.as_deref(), limit, decode_text_cursor)?;
    let listed = state.service.list_okta_devices(&caller.0, id.0, matched, page).await?;
    Ok(HttpResponse::Ok().json(PageResponse::from(listed.map(OktaDeviceResponse::from))))
}
