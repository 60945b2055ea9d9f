//! `POST /devices/reconcile`: the MDM sends a snapshot of its whole fleet, in pages.

use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Array, ArrayBuilder};

use crate::handlers::State;
use crate::handlers::http::body::{Body, at_most};
use crate::handlers::http::headers::Verified;
use crate::handlers::http::problem::Problem;
use crate::model::SerialNumber;
use crate::service::{MAX_SERIALS, Snapshot, SnapshotPage};

/// One page of a snapshot of the whole fleet.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "snapshot_id": "5f0c2f5e-9a3e-4d0b-8f3b-0f6f1f0f7a11",
    "serial_numbers": ["C02ABC123DEF", "DMPXK2ABCDEF"],
    "complete": true,
}))]
pub struct ReconcileRequest {
    /// An id that the MDM chooses: the same for all pages of a snapshot, and new for each snapshot.
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    snapshot_id: String,
    #[serde(deserialize_with = "at_most::<MAX_SERIALS, _, _>")]
    #[schema(schema_with = serial_numbers_schema)]
    serial_numbers: Vec<String>,
    /// True for the last page.
    #[serde(default)]
    #[schema(default = false)]
    complete: bool,
    /// True to unenroll the missing devices even if they are more than 10 % of the enrolled ones.
    #[serde(default)]
    #[schema(default = false)]
    confirm: bool,
}

fn serial_numbers_schema() -> Array {
    let about = "The serial numbers of enrolled devices. Duplicates are allowed.";
    ArrayBuilder::new()
        .items(SerialNumber::schema())
        .max_items(Some(MAX_SERIALS))
        .description(Some(about))
        .build()
}

/// A snapshot of the whole fleet.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "snapshot_id": "5f0c2f5e-9a3e-4d0b-8f3b-0f6f1f0f7a11",
    "began_at": "2025-01-15T09:30:00Z",
    "completed_at": "2025-01-15T09:31:00Z",
    "unenrolled": 2,
}))]
pub struct ReconcileResponse {
    snapshot_id: String,
    /// When the first page was received, by the clock of the database. Devices reported since then do not
    /// count as missing.
    began_at: DateTime<Utc>,
    /// `null` while further pages are expected, for a day from `began_at`.
    #[schema(required)]
    completed_at: Option<DateTime<Utc>>,
    /// The number of devices that became unenrolled because the snapshot does not name them.
    unenrolled: i64,
}

impl From<Snapshot> for ReconcileResponse {
    fn from(snapshot: Snapshot) -> Self {
        let Snapshot { snapshot_id, began_at, completed_at, unenrolled } = snapshot;
        Self { snapshot_id, began_at, completed_at, unenrolled }
    }
}

/// Reconcile the inventory with a snapshot
///
/// Send all enrolled devices in pages with the same `snapshot_id`, and `complete: true` in the last page.
/// Devices that the snapshot does not name, and that were not reported since its first page, become
/// `unenrolled` as of that time. Send the first page, which may be empty, before you read the list of
/// devices from the MDM, so that a device enrolled in the meantime is kept. Pages may be repeated.
#[utoipa::path(
    operation_id = "reconcile_devices", tag = "Devices", request_body = ReconcileRequest,
    responses(
        (status = 200, description = "The page is stored; after the last one, the missing devices are unenrolled", body = ReconcileResponse),
        (status = 409, description = "reconcile_confirmation_required, snapshot_closed"),
    ),
    security(("bearer" = ["odt:inventory"])),
)]
#[post("/devices/reconcile")]
pub async fn reconcile_devices(
    state: web::Data<State>,
    caller: Verified,
    body: Body<ReconcileRequest>,
) -> Result<HttpResponse, Problem> {
    let ReconcileRequest { snapshot_id, serial_numbers, complete, confirm } = body.0;
    let page = SnapshotPage { snapshot_id, serial_numbers, complete, confirm };
    let snapshot = state.service.reconcile_devices(&caller.0, page).await?;
    Ok(HttpResponse::Ok().json(ReconcileResponse::from(snapshot)))
}
