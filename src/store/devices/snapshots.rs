//! Snapshots of the whole fleet: stored page by page, then compared with the inventory in batches, so that
//! no statement reaches its timeout.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};

use crate::model::devices::reports::{Enrollment, EnrollmentState};
use crate::model::{DeviceReport, NewEvent, SerialNumber, TenantId};
use crate::store::devices::merge_reports;
use crate::store::events::insert_event;
use crate::store::schema::device_snapshots;
use crate::store::{Store, StoreError, Tx, jobs};

/// How long a snapshot can be continued and completed. Housekeeping deletes its serial numbers an hour later,
/// so that none is missing while devices are compared with them.
const OPEN_PERIOD: TimeDelta = TimeDelta::hours(24);

/// The maximum number of devices that become unenrolled in one transaction.
const BATCH_SIZE: usize = 1_000;

/// A snapshot of the fleet.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub snapshot_id: String,
    /// When its first page was received.
    pub began_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// Devices that became unenrolled because they are not in the snapshot.
    pub unenrolled: i64,
}

/// How many devices are missing from a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingDevices {
    /// Enrolled devices that are not in it and were not reported since it began.
    pub missing: i64,
    /// All enrolled devices.
    pub fleet: i64,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    missing: i64,
    #[diesel(sql_type = BigInt)]
    fleet: i64,
}

#[derive(QueryableByName)]
struct MissingRow {
    #[diesel(sql_type = Text)]
    serial_number: String,
    #[diesel(sql_type = Nullable<Text>)]
    platform: Option<String>,
}

impl Store {
    /// Saves a page of a snapshot; the first page creates it. Idempotent, even after the snapshot was
    /// completed.
    ///
    /// # Errors
    /// [`StoreError::SnapshotClosed`] for new serial numbers after the snapshot was completed, or if it
    /// began more than a day ago. [`StoreError::Unavailable`].
    pub async fn save_snapshot_page(
        &self,
        tenant: &TenantId,
        snapshot_id: String,
        serial_numbers: BTreeSet<SerialNumber>,
    ) -> Result<Snapshot, StoreError> {
        self.in_tenant(tenant, move |tx| {
            // Schedules the housekeeping that deletes the snapshot.
            jobs::register_tenant(tx)?;
            diesel::insert_into(device_snapshots::table)
                .values((
                    device_snapshots::tenant_id.eq(tx.tenant.as_str()),
                    device_snapshots::snapshot_id.eq(&snapshot_id),
                    device_snapshots::began_at.eq(tx.now),
                ))
                .on_conflict_do_nothing()
                .execute(tx.connection)?;
            let snapshot = lock_snapshot(tx, &snapshot_id)?;
            let serials: Vec<&str> = serial_numbers.iter().map(SerialNumber::as_str).collect();
            if snapshot.completed_at.is_some() {
                let is_repeated = contains_all(tx, &snapshot_id, &serials)?;
                return is_repeated.then_some(snapshot).ok_or(StoreError::SnapshotClosed);
            }
            ensure_open(tx, &snapshot)?;
            insert_serials(tx, &snapshot_id, &serials)?;
            Ok(snapshot)
        })
        .await
    }

    /// Counts the devices that are missing from a snapshot.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_missing_devices(
        &self,
        tenant: &TenantId,
        snapshot: &Snapshot,
    ) -> Result<MissingDevices, StoreError> {
        let Snapshot { snapshot_id, began_at, .. } = snapshot.clone();
        self.in_tenant(tenant, move |tx| {
            let query = diesel::sql_query(
                "SELECT count(*) FILTER (WHERE n.serial_number IS NULL \
                            AND d.reported_at < $3 AND d.updated_at < $3) AS missing, \
                        count(*) AS fleet \
                   FROM devices d LEFT JOIN device_snapshot_serials n ON n.tenant_id = $1 \
                        AND n.snapshot_id = $2 AND n.serial_number = d.serial_number \
                  WHERE d.tenant_id = $1 AND d.enrollment_state = 'enrolled'",
            );
            let CountRow { missing, fleet } = query
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<Text, _>(&snapshot_id)
                .bind::<Timestamptz, _>(began_at)
                .get_result(tx.connection)?;
            Ok(MissingDevices { missing, fleet })
        })
        .await
    }

    /// Merges `unenrolled`, as of the beginning of the snapshot, into the next missing devices after the
    /// serial number `after`. Returns the last serial number, or `None` if none is left.
    ///
    /// # Errors
    /// [`StoreError::SnapshotClosed`] if it began more than a day ago, [`StoreError::Unavailable`].
    pub async fn unenroll_missing_devices(
        &self,
        tenant: &TenantId,
        snapshot_id: String,
        after: String,
    ) -> Result<Option<String>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            // Same lock order as a batch of reports, so that the two cannot deadlock.
            jobs::register_tenant(tx)?;
            let snapshot = lock_snapshot(tx, &snapshot_id)?;
            if snapshot.completed_at.is_some() {
                // Another request completed it.
                return Ok(None);
            }
            ensure_open(tx, &snapshot)?;
            let missing = lock_missing(tx, &snapshot, &after)?;
            let reports: Vec<DeviceReport> = missing
                .iter()
                .map(|row| unenrolled(row, snapshot.began_at))
                .collect::<Result<_, _>>()?;
            merge_reports(tx, &reports)?;
            let count = i64::try_from(reports.len()).unwrap_or(i64::MAX);
            diesel::update(
                device_snapshots::table.find((tx.tenant.as_str(), snapshot_id.as_str())),
            )
            .set(device_snapshots::unenrolled.eq(device_snapshots::unenrolled + count))
            .execute(tx.connection)?;
            let is_full = missing.len() >= BATCH_SIZE;
            let last = missing.into_iter().next_back().filter(|_| is_full);
            Ok(last.map(|row| row.serial_number))
        })
        .await
    }

    /// Completes a snapshot with its event, unless it is already complete.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn complete_snapshot(
        &self,
        tenant: &TenantId,
        snapshot_id: String,
        event: NewEvent,
    ) -> Result<Snapshot, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let snapshot = lock_snapshot(tx, &snapshot_id)?;
            if snapshot.completed_at.is_some() {
                return Ok(snapshot);
            }
            diesel::update(
                device_snapshots::table.find((tx.tenant.as_str(), snapshot_id.as_str())),
            )
            .set(device_snapshots::completed_at.eq(tx.now))
            .execute(tx.connection)?;
            let detail = serde_json::json!({
                "snapshot_id": snapshot.snapshot_id, "unenrolled": snapshot.unenrolled,
            });
            insert_event(tx, &event.clone().with(detail))?;
            Ok(Snapshot { completed_at: Some(tx.now), ..snapshot })
        })
        .await
    }
}

fn lock_snapshot(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Snapshot, StoreError> {
    let row = device_snapshots::table.find((tx.tenant.as_str(), snapshot_id));
    let found: Option<(DateTime<Utc>, Option<DateTime<Utc>>, i64)> = row
        .select((
            device_snapshots::began_at,
            device_snapshots::completed_at,
            device_snapshots::unenrolled,
        ))
        .for_no_key_update()
        .get_result(tx.connection)
        .optional()?;
    let (began_at, completed_at, unenrolled) = found.ok_or(StoreError::SnapshotClosed)?;
    let snapshot_id = snapshot_id.to_owned();
    Ok(Snapshot { snapshot_id, began_at, completed_at, unenrolled })
}

fn ensure_open(tx: &Tx<'_>, snapshot: &Snapshot) -> Result<(), StoreError> {
    if snapshot.began_at < tx.now - OPEN_PERIOD {
        return Err(StoreError::SnapshotClosed);
    }
    Ok(())
}

fn contains_all(tx: &mut Tx<'_>, snapshot_id: &str, serials: &[&str]) -> Result<bool, StoreError> {
    use crate::store::schema::device_snapshot_serials::dsl as named;
    let known = named::device_snapshot_serials
        .filter(named::tenant_id.eq(tx.tenant.as_str()))
        .filter(named::snapshot_id.eq(snapshot_id));
    let found: i64 =
        known.filter(named::serial_number.eq_any(serials)).count().get_result(tx.connection)?;
    Ok(usize::try_from(found).is_ok_and(|found| found == serials.len()))
}

fn insert_serials(tx: &mut Tx<'_>, snapshot_id: &str, serials: &[&str]) -> Result<(), StoreError> {
    diesel::sql_query(
        "INSERT INTO device_snapshot_serials (tenant_id, snapshot_id, serial_number) \
         SELECT $1, $2, unnest($3) ON CONFLICT DO NOTHING",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Text, _>(snapshot_id)
    .bind::<Array<Text>, _>(serials)
    .execute(tx.connection)?;
    Ok(())
}

/// Locks the next missing devices. PostgreSQL re-evaluates the conditions on a row that changed while it
/// waited for the lock.
fn lock_missing(
    tx: &mut Tx<'_>,
    snapshot: &Snapshot,
    after: &str,
) -> Result<Vec<MissingRow>, StoreError> {
    let query = diesel::sql_query(
        "SELECT d.serial_number, d.platform FROM devices d \
          WHERE d.tenant_id = $1 AND d.serial_number > $4 AND d.enrollment_state = 'enrolled' \
            AND d.reported_at < $3 AND d.updated_at < $3 \
            AND NOT EXISTS (SELECT FROM device_snapshot_serials n WHERE n.tenant_id = $1 \
                AND n.snapshot_id = $2 AND n.serial_number = d.serial_number) \
          ORDER BY d.serial_number LIMIT $5 FOR NO KEY UPDATE OF d",
    );
    Ok(query
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<Text, _>(&snapshot.snapshot_id)
        .bind::<Timestamptz, _>(snapshot.began_at)
        .bind::<Text, _>(after)
        .bind::<BigInt, _>(i64::try_from(BATCH_SIZE).unwrap_or(i64::MAX))
        .load(tx.connection)?)
}

/// Returns the report that a missing device is unenrolled.
fn unenrolled(row: &MissingRow, began_at: DateTime<Utc>) -> Result<DeviceReport, StoreError> {
    let platform = row.platform.as_deref().and_then(|word| word.parse().ok());
    Ok(DeviceReport {
        serial_number: SerialNumber::parse(&row.serial_number)
            .map_err(|_| StoreError::Corrupt("devices.serial_number"))?,
        platform: platform.ok_or(StoreError::Corrupt("devices.platform"))?,
        reported_at: None,
        udid: None,
        okta_device_id: None,
        enrollment: Some(Enrollment {
            state: EnrollmentState::Unenrolled,
            enrolled_at: None,
            ended_at: None,
            continues: false,
            reported_at: began_at,
            sent_at: None,
        }),
        okta_verify: None,
        check_in: None,
        lost_mode: None,
        deliveries: BTreeMap::new(),
        certificates: BTreeMap::new(),
    })
}
