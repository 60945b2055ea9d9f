//! The inventory. Reports are merged in memory over locked rows and written in sets, so that a thousand
//! reports need as many round trips as one. A rejected report does not affect the others.

mod device_row;
mod group_rows;
pub(in crate::store) mod rows;
pub(in crate::store) mod snapshots;
pub(in crate::store) mod work_list;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{Array, Nullable, Text, Timestamptz};
use uuid::Uuid;

use crate::model::devices::merge::DeletionResult;
use crate::model::devices::receipt::Stamp;
use crate::model::{
    DeviceRecord, DeviceReport, IntegrationId, OktaDeviceId, ReportRefusal, ReportResults,
    SerialNumber, TenantId, Udid,
};
use crate::store::devices::rows::{
    delete_placeholders, load_records, lock_or_insert, write_records,
};
use crate::store::schema::integrations;
use crate::store::{Store, StoreError, Tx, jobs};

/// How often a batch is attempted that conflicts with another transaction.
const MAX_ATTEMPTS: usize = 5;

/// The outcome of an accepted report.
#[derive(Debug, Clone)]
pub struct ReportOutcome {
    /// The device was unknown or deleted before.
    pub created: bool,
    /// The device after this report.
    pub record: DeviceRecord,
    pub results: ReportResults,
}

/// The result of one report.
pub type ReportResult = Result<ReportOutcome, ReportRefusal>;

impl Store {
    /// Merges reports in order in one transaction. Returns one result for each.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`] if other transactions keep claiming the same identifiers,
    /// [`StoreError::Unavailable`].
    pub async fn update_devices(
        &self,
        tenant: &TenantId,
        reports: Vec<DeviceReport>,
    ) -> Result<Vec<ReportResult>, StoreError> {
        let reports = Arc::new(reports);
        for _ in 0..MAX_ATTEMPTS {
            let reports = Arc::clone(&reports);
            let merged = self.in_tenant(tenant, move |tx| merge_reports(tx, &reports));
            match merged.await {
                // The next attempt sees what the other transaction wrote and returns a proper refusal.
                Err(error) if is_retryable_conflict(&error) => {}
                outcome => return outcome,
            }
        }
        Err(StoreError::ChangedMeanwhile)
    }

    /// Deletes a device unless it was enrolled after `at`; without `at`, in any case. A tombstone stays, even
    /// for a device that was never reported. Also returns whether `at` was ahead of the clock and was replaced
    /// by the time of receipt.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_device(
        &self,
        tenant: &TenantId,
        serial_number: SerialNumber,
        at: Option<DateTime<Utc>>,
    ) -> Result<(DeletionResult, bool), StoreError> {
        self.in_tenant(tenant, move |tx| {
            let now = tx.now;
            let serials = [serial_number.as_str()];
            jobs::register_tenant(tx)?;
            let inserted = lock_or_insert(tx, &serials)?;
            let before = load_records(tx, &serials)?.remove(&serial_number);
            let before = before.unwrap_or_else(|| DeviceRecord::new(serial_number.clone(), now));
            let mut after = before.clone();
            if !inserted.is_empty() {
                load_departures(tx, &serials)?.apply(&mut after);
            }
            let stamp = at.map(|at| Stamp::received(at, now));
            let result = after.delete(stamp, now);
            if after != before {
                after.updated_at = now;
                write_records(tx, &[(&before, &after)])?;
            }
            Ok((result, stamp.is_some_and(Stamp::was_ahead)))
        })
        .await
    }

    /// Returns a device that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is unknown or deleted, [`StoreError::Unavailable`].
    pub async fn get_device(
        &self,
        tenant: &TenantId,
        serial_number: SerialNumber,
    ) -> Result<DeviceRecord, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let found = load_records(tx, &[serial_number.as_str()])?;
            let record = found.into_values().next().filter(DeviceRecord::is_living);
            record.ok_or(StoreError::NotFound)
        })
        .await
    }
}

/// Returns whether the error is a unique violation, a serialization failure or a deadlock: safe to retry.
fn is_retryable_conflict(error: &StoreError) -> bool {
    match error {
        StoreError::Query(DieselError::DatabaseError(kind, info)) => {
            matches!(
                kind,
                DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::SerializationFailure
            ) || info.message().contains("deadlock detected")
        }
        _ => false,
    }
}

fn merge_reports(
    tx: &mut Tx<'_>,
    reports: &[DeviceReport],
) -> Result<Vec<ReportResult>, StoreError> {
    // Unique and in order, so that two batches cannot deadlock.
    let serials: BTreeSet<&str> = reports.iter().map(|r| r.serial_number.as_str()).collect();
    let serials: Vec<&str> = serials.into_iter().collect();
    // A tenant can report devices before it connects an org, and their tombstones must expire, too.
    jobs::register_tenant(tx)?;
    let inserted = lock_or_insert(tx, &serials)?;
    let before = load_records(tx, &serials)?;
    let records: BTreeMap<_, _> = before
        .iter()
        .filter(|(serial, _)| !inserted.contains(serial.as_str()))
        .map(|(serial, record)| (serial.clone(), record.clone()))
        .collect();
    let mut batch = Batch {
        integrations: load_integrations(tx, reports)?,
        holders: load_holders(tx, reports, &records)?,
        departures: load_departures(tx, &to_strs(&inserted))?,
        records,
        now: tx.now,
    };
    let outcomes: Vec<ReportResult> = reports.iter().map(|report| batch.merge(report)).collect();
    let after = batch.records;
    let changed: Vec<_> = before
        .iter()
        .filter_map(|(serial, before)| Some((before, after.get(serial)?)))
        .filter(|(before, after)| before != after)
        .collect();
    write_records(tx, &changed)?;
    // Delete the rows that were inserted for devices whose reports were all rejected.
    let rejected: Vec<&str> = inserted
        .iter()
        .map(String::as_str)
        .filter(|serial| !after.keys().any(|stored| stored.as_str() == *serial))
        .collect();
    delete_placeholders(tx, &rejected)?;
    Ok(outcomes)
}

fn to_strs(serials: &HashSet<String>) -> Vec<&str> {
    serials.iter().map(String::as_str).collect()
}

/// A batch of reports in memory. Each report sees the effects of the earlier ones.
struct Batch {
    integrations: BTreeSet<IntegrationId>,
    /// The living device that has an identifier, by the identifier's kind and text.
    holders: HashMap<(&'static str, String), SerialNumber>,
    departures: Departures,
    records: BTreeMap<SerialNumber, DeviceRecord>,
    now: DateTime<Utc>,
}

impl Batch {
    fn merge(&mut self, report: &DeviceReport) -> ReportResult {
        self.check_integrations(report)?;
        let received = report.receive(self.now)?;
        let known = self.records.get(&report.serial_number);
        let created = !known.is_some_and(DeviceRecord::is_living);
        let new = || {
            let mut record = DeviceRecord::new(report.serial_number.clone(), self.now);
            self.departures.apply(&mut record);
            record
        };
        let before = known.cloned().unwrap_or_else(new);
        let mut record = before.clone();
        let results = record.apply(&received, &|kind, value| {
            self.holders.get(&(kind, value.to_owned())).cloned()
        })?;
        for released in identifiers_of(&before) {
            self.holders.remove(&released);
        }
        for claimed in identifiers_of(&record) {
            self.holders.insert(claimed, report.serial_number.clone());
        }
        if record != before {
            record.updated_at = self.now;
        }
        self.records.insert(report.serial_number.clone(), record.clone());
        let created = created && record.is_living();
        Ok(ReportOutcome { created, record, results })
    }

    fn check_integrations(&self, report: &DeviceReport) -> Result<(), ReportRefusal> {
        let unknown = |id: &&IntegrationId| !self.integrations.contains(*id);
        let refusal =
            |group, id: &IntegrationId| Err(ReportRefusal::UnknownIntegration { group, id: *id });
        if let Some(id) = report.deliveries.keys().find(unknown) {
            return refusal("deliveries", id);
        }
        report.certificates.keys().find(unknown).map_or(Ok(()), |id| refusal("certificates", id))
    }
}

/// Iterates over the identifiers that no other living device of the tenant may have; none for a deleted
/// device.
fn identifiers_of(record: &DeviceRecord) -> impl Iterator<Item = (&'static str, String)> {
    let living = Some(record).filter(|record| record.is_living());
    let udid = living.and_then(DeviceRecord::known_udid);
    let okta = living.and_then(DeviceRecord::known_okta_device_id);
    let udid = udid.map(|udid| ("udid", udid.to_string()));
    udid.into_iter().chain(okta.map(|id| ("okta_device_id", id.to_string())))
}

#[derive(QueryableByName)]
struct DepartureRow {
    #[diesel(sql_type = Text)]
    serial_number: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    left_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    deleted_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_enrolled_at: Option<DateTime<Utc>>,
}

/// The departures of devices whose tombstones have expired, by serial number.
#[derive(Default)]
struct Departures(HashMap<String, DepartureRow>);

impl Departures {
    /// Restores the departure to a new record, as if its tombstone still existed.
    fn apply(&self, record: &mut DeviceRecord) {
        let Some(departure) = self.0.get(record.serial_number.as_str()) else { return };
        record.history.left_at = departure.left_at;
        record.history.last_enrolled_at = departure.last_enrolled_at;
        record.history.deletions.insert(departure.deleted_at);
        record.deleted = Some(Stamp::exact(departure.deleted_at));
    }
}

fn load_departures(tx: &mut Tx<'_>, serials: &[&str]) -> Result<Departures, StoreError> {
    if serials.is_empty() {
        return Ok(Departures::default());
    }
    let rows: Vec<DepartureRow> = diesel::sql_query(
        "SELECT d.serial_number, d.left_at, d.deleted_at, d.last_enrolled_at \
           FROM unnest($2) AS asked (serial_number) JOIN device_departures d USING (serial_number) \
          WHERE d.tenant_id = $1",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(serials)
    .load(tx.connection)?;
    Ok(Departures(rows.into_iter().map(|row| (row.serial_number.clone(), row)).collect()))
}

fn load_integrations(
    tx: &mut Tx<'_>,
    reports: &[DeviceReport],
) -> Result<BTreeSet<IntegrationId>, StoreError> {
    let named: BTreeSet<Uuid> =
        reports.iter().flat_map(DeviceReport::integrations).map(|id| id.0).collect();
    if named.is_empty() {
        return Ok(BTreeSet::new());
    }
    let found: Vec<Uuid> = integrations::table
        .filter(integrations::tenant_id.eq(tx.tenant.as_str()))
        .filter(integrations::id.eq_any(named))
        .select(integrations::id)
        .load(tx.connection)?;
    Ok(found.into_iter().map(IntegrationId).collect())
}

#[derive(QueryableByName)]
struct HolderRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    identifier: String,
    #[diesel(sql_type = Text)]
    serial_number: String,
}

/// Returns the living devices that have the identifiers claimed by the reports, or by deleted devices that
/// may be enrolled again with the identifiers they had.
fn load_holders(
    tx: &mut Tx<'_>,
    reports: &[DeviceReport],
    records: &BTreeMap<SerialNumber, DeviceRecord>,
) -> Result<HashMap<(&'static str, String), SerialNumber>, StoreError> {
    let deleted = || records.values().filter(|record| !record.is_living());
    let udids: BTreeSet<&str> = reports
        .iter()
        .filter_map(|report| report.udid.as_ref()?.as_ref())
        .chain(deleted().filter_map(DeviceRecord::known_udid))
        .map(Udid::as_str)
        .collect();
    let okta_ids: BTreeSet<&str> = reports
        .iter()
        .filter_map(|report| report.okta_device_id.as_ref()?.as_ref())
        .chain(deleted().filter_map(DeviceRecord::known_okta_device_id))
        .map(OktaDeviceId::as_str)
        .collect();
    if udids.is_empty() && okta_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<HolderRow> = diesel::sql_query(
        "SELECT 'udid' AS kind, d.udid AS identifier, d.serial_number \
           FROM unnest($2) AS claimed (udid) JOIN devices d USING (udid) \
          WHERE d.tenant_id = $1 AND d.living \
          UNION ALL \
         SELECT 'okta_device_id', d.okta_device_id, d.serial_number \
           FROM unnest($3) AS claimed (okta_device_id) JOIN devices d USING (okta_device_id) \
          WHERE d.tenant_id = $1 AND d.living",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(udids.into_iter().collect::<Vec<_>>())
    .bind::<Array<Text>, _>(okta_ids.into_iter().collect::<Vec<_>>())
    .load(tx.connection)?;
    rows.into_iter()
        .map(|row| {
            let kind = if row.kind == "udid" { "udid" } else { "okta_device_id" };
            let holder = SerialNumber::parse(&row.serial_number)
                .map_err(|_| StoreError::Corrupt("devices.serial_number"))?;
            Ok(((kind, row.identifier), holder))
        })
        .collect()
}
