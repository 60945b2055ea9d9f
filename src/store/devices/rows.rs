//! Loads and writes the rows of devices in sets. A set is bound as one JSON value, so that the statement
//! does not depend on its size.

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Text, Timestamptz};
use serde::Serialize;

use crate::model::{DeviceRecord, IntegrationId, SerialNumber};
use crate::store::devices::device_row::{DeviceRow, parse_serial, to_record, to_row};
use crate::store::devices::group_rows::{
    CertificateRow, DeliveryRow, Differences, add_certificate, to_delivery,
};
use crate::store::schema::devices;
use crate::store::{StoreError, Tx};

#[derive(QueryableByName)]
#[diesel(table_name = devices)]
struct SerialRow {
    serial_number: String,
}

/// Locks the rows of these devices until the transaction ends, and inserts missing ones. Returns the
/// inserted serial numbers. `serials` must be sorted, so that two transactions cannot deadlock.
pub(in crate::store) fn lock_or_insert(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<HashSet<String>, StoreError> {
    let inserted: Vec<SerialRow> = diesel::sql_query(
        "INSERT INTO devices (tenant_id, serial_number, reported_at, created_at, updated_at) \
         SELECT $1, asked, $3, $3, $3 FROM unnest($2) WITH ORDINALITY AS t (asked, place) ORDER BY place \
             ON CONFLICT DO NOTHING RETURNING serial_number",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(serials)
    .bind::<Timestamptz, _>(tx.now)
    .load(tx.connection)?;
    diesel::sql_query(
        "SELECT 1 FROM devices d JOIN unnest($2) AS asked (serial_number) USING (serial_number) \
          WHERE d.tenant_id = $1 ORDER BY d.serial_number FOR NO KEY UPDATE OF d",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(serials)
    .execute(tx.connection)?;
    Ok(inserted.into_iter().map(|row| row.serial_number).collect())
}

/// Deletes rows that [`lock_or_insert`] inserted.
pub(in crate::store) fn delete_placeholders(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<(), StoreError> {
    if !serials.is_empty() {
        for serial in serials {
            tx.touched.add_device(serial, None, None);
        }
        diesel::delete(devices::table.filter(devices::tenant_id.eq(tx.tenant.as_str())))
            .filter(devices::serial_number.eq_any(serials))
            .execute(tx.connection)?;
    }
    Ok(())
}

/// Returns the records of these devices, including deleted ones. Unknown ones are omitted.
pub(in crate::store) fn load_records(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<BTreeMap<SerialNumber, DeviceRecord>, StoreError> {
    let select_from = |table: &str| {
        // A join, because a generic plan for `= ANY` scans the whole table.
        let sql = format!(
            "SELECT t.* FROM {table} t JOIN unnest($2) AS asked (serial_number) \
              USING (serial_number) WHERE t.tenant_id = $1"
        );
        diesel::sql_query(sql)
            .bind::<Text, _>(tx.tenant.as_str().to_owned())
            .bind::<Array<Text>, _>(serials.to_vec())
    };
    let rows: Vec<DeviceRow> = select_from("devices").load(tx.connection)?;
    let mut records = BTreeMap::new();
    for row in &rows {
        let record = to_record(row)?;
        records.insert(record.serial_number.clone(), record);
    }
    let deliveries: Vec<DeliveryRow> = select_from("device_deliveries").load(tx.connection)?;
    for row in deliveries {
        if let Some(record) = records.get_mut(&parse_serial(&row.serial_number)?) {
            record.deliveries.insert(IntegrationId(row.integration_id), to_delivery(&row));
        }
    }
    let certificates: Vec<CertificateRow> =
        select_from("device_certificates").load(tx.connection)?;
    for row in certificates {
        if let Some(record) = records.get_mut(&parse_serial(&row.serial_number)?) {
            let certificates = record.certificates.entry(IntegrationId(row.integration_id));
            add_certificate(certificates.or_default(), row)?;
        }
    }
    Ok(records)
}

/// The columns of a device that a report can change. `living` is a generated column.
macro_rules! columns {
    () => {
        "platform, udid, okta_device_id, identity_reported_at, enrollment_state, \
         enrolled_at, enrollment_reported_at, okta_verify_installed_at, \
         okta_verify_reported_at, counts_from, reported_at, deleted_at, updated_at, \
         udid_reported_at, okta_device_id_reported_at, enrollment_ended_at, \
         macos_reported_at, ios_reported_at, left_at, enrolled_since, last_enrolled_at, \
         check_in_last_seen_at, check_in_reported_at, lost_mode_enabled, \
         lost_mode_reported_at, merge_state"
    };
}
/// Inserts the rows of `$1` or replaces those with the same key.
const UPSERT_DEVICES: &str = concat!(
    "INSERT INTO devices (tenant_id, serial_number, created_at, ",
    columns!(),
    ") SELECT tenant_id, serial_number, created_at, ",
    columns!(),
    " FROM jsonb_populate_recordset(NULL::devices, $1) \
      ON CONFLICT (tenant_id, serial_number) DO UPDATE SET (",
    columns!(),
    ") = (excluded.platform, excluded.udid, excluded.okta_device_id, \
         excluded.identity_reported_at, excluded.enrollment_state, excluded.enrolled_at, \
         excluded.enrollment_reported_at, excluded.okta_verify_installed_at, \
         excluded.okta_verify_reported_at, excluded.counts_from, excluded.reported_at, \
         excluded.deleted_at, excluded.updated_at, excluded.udid_reported_at, \
         excluded.okta_device_id_reported_at, excluded.enrollment_ended_at, \
         excluded.macos_reported_at, excluded.ios_reported_at, excluded.left_at, \
         excluded.enrolled_since, excluded.last_enrolled_at, excluded.check_in_last_seen_at, \
         excluded.check_in_reported_at, excluded.lost_mode_enabled, \
         excluded.lost_mode_reported_at, excluded.merge_state)"
);
const UPSERT_DELIVERIES: &str = "INSERT INTO device_deliveries \
    SELECT * FROM jsonb_populate_recordset(NULL::device_deliveries, $1) \
    ON CONFLICT (tenant_id, serial_number, integration_id) DO UPDATE SET \
    (config_version, delivered_at, reported_at) = \
    (excluded.config_version, excluded.delivered_at, excluded.reported_at)";
const UPSERT_CERTIFICATES: &str = "INSERT INTO device_certificates \
    SELECT * FROM jsonb_populate_recordset(NULL::device_certificates, $1) \
    ON CONFLICT (tenant_id, serial_number, integration_id, certificate_serial_number) DO UPDATE SET \
    (not_before, not_after, reported_at) = \
    (excluded.not_before, excluded.not_after, excluded.reported_at)";
/// Clears identifiers first, so that they can move between devices of one set.
const RELEASE_IDENTIFIERS: &str = "UPDATE devices d SET udid = NULL, okta_device_id = NULL \
    FROM jsonb_populate_recordset(NULL::devices, $1) released \
    WHERE (d.tenant_id, d.serial_number) = (released.tenant_id, released.serial_number)";
const DELETE_DELIVERIES: &str = "DELETE FROM device_deliveries d \
    USING jsonb_populate_recordset(NULL::device_deliveries, $1) gone \
    WHERE (d.tenant_id, d.serial_number, d.integration_id) \
        = (gone.tenant_id, gone.serial_number, gone.integration_id)";
const DELETE_CERTIFICATES: &str = "DELETE FROM device_certificates c \
    USING jsonb_populate_recordset(NULL::device_certificates, $1) gone \
    WHERE (c.tenant_id, c.serial_number, c.integration_id, c.certificate_serial_number) \
        = (gone.tenant_id, gone.serial_number, gone.integration_id, gone.certificate_serial_number)";

/// Writes the differences between the records before and after. The caller must have locked the rows.
pub(in crate::store) fn write_records(
    tx: &mut Tx<'_>,
    changed: &[(&DeviceRecord, &DeviceRecord)],
) -> Result<(), StoreError> {
    let releases_identifier = |(before, after): &&(&DeviceRecord, &DeviceRecord)| {
        let udid = before.known_udid().is_some() && before.known_udid() != after.known_udid();
        let okta = before.known_okta_device_id();
        udid || (okta.is_some() && okta != after.known_okta_device_id())
    };
    let released =
        changed.iter().filter(releases_identifier).map(|(_, after)| to_row(tx.tenant, after));
    run(tx, RELEASE_IDENTIFIERS, released)?;
    run(tx, UPSERT_DEVICES, changed.iter().map(|(_, after)| to_row(tx.tenant, after)))?;
    let mut differences = Differences::default();
    for (before, after) in changed {
        differences.add(tx.tenant, before, after);
    }
    touch(tx, changed);
    run(tx, DELETE_DELIVERIES, differences.removed_deliveries.into_iter())?;
    run(tx, UPSERT_DELIVERIES, differences.deliveries.into_iter())?;
    run(tx, DELETE_CERTIFICATES, differences.removed_certificates.into_iter())?;
    run(tx, UPSERT_CERTIFICATES, differences.certificates.into_iter())
}

fn touch(tx: &mut Tx<'_>, changed: &[(&DeviceRecord, &DeviceRecord)]) {
    for record in changed.iter().flat_map(|(before, after)| [before, after]) {
        let udid = record.known_udid().map(ToString::to_string);
        let okta = record.known_okta_device_id().map(ToString::to_string);
        let serial_number = record.serial_number.as_str();
        tx.touched.add_device(serial_number, udid.as_deref(), okta.as_deref());
    }
}

fn run(
    tx: &mut Tx<'_>,
    sql: &'static str,
    rows: impl Iterator<Item = impl Serialize>,
) -> Result<(), StoreError> {
    let rows: Result<Vec<_>, _> = rows.map(serde_json::to_value).collect();
    let rows = rows.map_err(|_| StoreError::Corrupt("devices"))?;
    if !rows.is_empty() {
        diesel::sql_query(sql)
            .bind::<Jsonb, _>(serde_json::Value::Array(rows))
            .execute(tx.connection)?;
    }
    Ok(())
}
