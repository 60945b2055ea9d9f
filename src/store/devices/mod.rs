//! The inventory: reports are merged in memory over rows that are held, and written set by set, so
//! that a thousand reports cost the round trips of one. What may not be is refused before anything is
//! written; no report spoils another.

pub(in crate::store) mod rows;
pub(in crate::store) mod work_list;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use crate::model::devices::reports::GroupResult;
use crate::model::{
    DeviceRecord, DeviceReport, IntegrationId, ReportRefusal, ReportResults, SerialNumber, TenantId,
};
use crate::store::devices::rows::{
    delete_placeholders, load_records, lock_or_insert, write_records,
};
use crate::store::schema::integrations;
use crate::store::{Store, StoreError, Tx, jobs};

/// How often a transaction is tried that met another one at the same identifier.
const ATTEMPTS: usize = 5;

/// A report that was taken.
#[derive(Debug, Clone)]
pub struct ReportOutcome {
    /// The device was not known before, or had been deleted.
    pub created: bool,
    /// As it is after this report.
    pub record: DeviceRecord,
    pub results: ReportResults,
}

/// What became of one report.
pub type Reported = Result<ReportOutcome, ReportRefusal>;

impl Store {
    /// Merges reports, in their order, all in one transaction; one result for each.
    ///
    /// # Errors
    /// [`StoreError::ChangedMeanwhile`] when others keep claiming the same identifiers,
    /// [`StoreError::Unavailable`].
    pub async fn update_devices(
        &self,
        tenant: &TenantId,
        reports: Vec<DeviceReport>,
    ) -> Result<Vec<Reported>, StoreError> {
        let reports = Arc::new(reports);
        for _ in 0..ATTEMPTS {
            let reports = Arc::clone(&reports);
            let merged = self.in_tenant(tenant, move |tx| merge_reports(tx, &reports));
            match merged.await {
                // The next attempt sees what the other one wrote, and refuses in words.
                Err(error) if is_retryable_conflict(&error) => {}
                outcome => return outcome,
            }
        }
        Err(StoreError::ChangedMeanwhile)
    }

    /// Deletes what is known of a device up to `at`, by default all of it. Its tombstone stays, also of
    /// a device that nobody had reported.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_device(
        &self,
        tenant: &TenantId,
        serial_number: SerialNumber,
        at: Option<DateTime<Utc>>,
    ) -> Result<GroupResult, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let now = tx.now;
            let serials = [serial_number.as_str()];
            jobs::register_tenant(tx)?;
            lock_or_insert(tx, &serials)?;
            let known = load_records(tx, &serials)?.remove(&serial_number);
            let before = known.unwrap_or_else(|| DeviceRecord::new(serial_number.clone(), now));
            let mut after = before.clone();
            let result = after.delete(at, now);
            if after != before {
                after.updated_at = now;
                write_records(tx, &[(&before, &after)])?;
            }
            Ok(result)
        })
        .await
    }

    /// A living device.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown or deleted one, [`StoreError::Unavailable`].
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

/// Two transactions met at one identifier, or each at what the other held: both can be done again.
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

fn merge_reports(tx: &mut Tx<'_>, reports: &[DeviceReport]) -> Result<Vec<Reported>, StoreError> {
    // Each once and in order: two batches then wait for each other, and never in a circle.
    let serials: BTreeSet<&str> = reports.iter().map(|r| r.serial_number.as_str()).collect();
    let serials: Vec<&str> = serials.into_iter().collect();
    // A tenant may report devices before it has connected an org, and their tombstones are forgotten too.
    jobs::register_tenant(tx)?;
    let fresh = lock_or_insert(tx, &serials)?;
    let before = load_records(tx, &serials)?;
    let mut batch = Batch {
        integrations: load_integrations(tx, reports)?,
        holders: load_holders(tx, reports)?,
        records: before
            .iter()
            .filter(|(serial, _)| !fresh.contains(serial.as_str()))
            .map(|(serial, record)| (serial.clone(), record.clone()))
            .collect(),
        now: tx.now,
    };
    let outcomes: Vec<Reported> = reports.iter().map(|report| batch.merge(report)).collect();
    let after = batch.records;
    let changed: Vec<_> = before
        .iter()
        .filter_map(|(serial, before)| Some((before, after.get(serial)?)))
        .filter(|(before, after)| before != after)
        .collect();
    write_records(tx, &changed)?;
    // What was held for devices whose reports were all refused must not stay.
    let refused: Vec<&str> = fresh
        .iter()
        .map(String::as_str)
        .filter(|serial| !after.keys().any(|kept| kept.as_str() == *serial))
        .collect();
    delete_placeholders(tx, &refused)?;
    Ok(outcomes)
}

/// One batch in memory: each report sees what the ones before it left.
struct Batch {
    integrations: BTreeSet<IntegrationId>,
    /// Who has which identifier, by its kind and text.
    holders: HashMap<(&'static str, String), SerialNumber>,
    records: BTreeMap<SerialNumber, DeviceRecord>,
    now: DateTime<Utc>,
}

impl Batch {
    fn merge(&mut self, report: &DeviceReport) -> Reported {
        self.refuse_unknown_integrations(report)?;
        let known = self.records.get(&report.serial_number);
        let created = !known.is_some_and(DeviceRecord::is_living);
        let fresh = || DeviceRecord::new(report.serial_number.clone(), self.now);
        let before = known.cloned().unwrap_or_else(fresh);
        let mut record = before.clone();
        let results = record.apply(report)?;
        for claimed in identifiers_of(&record) {
            let holder = self.holders.get(&claimed);
            if let Some(holder) = holder.filter(|holder| **holder != report.serial_number) {
                let holder = holder.clone();
                return Err(ReportRefusal::IdentifierTaken { identifier: claimed.0, holder });
            }
        }
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

    fn refuse_unknown_integrations(&self, report: &DeviceReport) -> Result<(), ReportRefusal> {
        let unknown = |id: &&IntegrationId| !self.integrations.contains(*id);
        let refusal =
            |group, id: &IntegrationId| Err(ReportRefusal::UnknownIntegration { group, id: *id });
        if let Some(id) = report.deliveries.keys().find(unknown) {
            return refusal("deliveries", id);
        }
        report.certificates.keys().find(unknown).map_or(Ok(()), |id| refusal("certificates", id))
    }
}

/// The identifiers that no other device of the tenant may have.
fn identifiers_of(record: &DeviceRecord) -> impl Iterator<Item = (&'static str, String)> {
    let udid = record.known_udid().map(|udid| ("udid", udid.to_string()));
    let okta = record.known_okta_device_id().map(|id| ("okta_device_id", id.to_string()));
    udid.into_iter().chain(okta)
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

/// Who has the identifiers that are claimed.
fn load_holders(
    tx: &mut Tx<'_>,
    reports: &[DeviceReport],
) -> Result<HashMap<(&'static str, String), SerialNumber>, StoreError> {
    let udids: Vec<&str> = reports
        .iter()
        .filter_map(|report| Some(report.udid.as_ref()?.as_ref()?.as_str()))
        .collect();
    let okta_ids: Vec<&str> = reports
        .iter()
        .filter_map(|report| Some(report.okta_device_id.as_ref()?.as_ref()?.as_str()))
        .collect();
    if udids.is_empty() && okta_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<HolderRow> = diesel::sql_query(
        "SELECT 'udid' AS kind, d.udid AS identifier, d.serial_number \
           FROM unnest($2) AS claimed (udid) JOIN devices d USING (udid) WHERE d.tenant_id = $1 \
          UNION ALL \
         SELECT 'okta_device_id', d.okta_device_id, d.serial_number \
           FROM unnest($3) AS claimed (okta_device_id) JOIN devices d USING (okta_device_id) \
          WHERE d.tenant_id = $1",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(udids)
    .bind::<Array<Text>, _>(okta_ids)
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
