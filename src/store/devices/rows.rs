//! The rows behind a device: loaded whole, and written back as sets. A set goes to PostgreSQL as one
//! JSON value, so that its size does not show in the statement.

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Text, Timestamptz};
use serde::Serialize;

use crate::model::{DeviceRecord, IntegrationId, SerialNumber};
use crate::store::devices::device_row::{DeviceRow, serial_of, to_record, to_row};
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

/// Holds the rows of these devices until the transaction ends, and makes those that are not there;
/// answers which. The serial numbers have to be in order, so that nobody waits in a circle.
pub(in crate::store) fn lock_or_insert(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<HashSet<String>, StoreError> {
    let fresh: Vec<SerialRow> = diesel::sql_query(
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
          WHERE d.tenant_id = $1 ORDER BY d.serial_number FOR UPDATE OF d",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<Array<Text>, _>(serials)
    .execute(tx.connection)?;
    Ok(fresh.into_iter().map(|row| row.serial_number).collect())
}

/// Takes back rows that [`lock_or_insert`] made.
pub(in crate::store) fn delete_placeholders(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<(), StoreError> {
    if !serials.is_empty() {
        diesel::delete(devices::table.filter(devices::tenant_id.eq(tx.tenant.as_str())))
            .filter(devices::serial_number.eq_any(serials))
            .execute(tx.connection)?;
    }
    Ok(())
}

/// The records of these devices, of deleted ones too; unknown ones are left out.
pub(in crate::store) fn load_records(
    tx: &mut Tx<'_>,
    serials: &[&str],
) -> Result<BTreeMap<SerialNumber, DeviceRecord>, StoreError> {
    let of = |table: &str| {
        // Joined, not `= ANY`: under a plan of its own that reads the whole table.
        let sql = format!(
            "SELECT t.* FROM {table} t JOIN unnest($2) AS asked (serial_number) \
              USING (serial_number) WHERE t.tenant_id = $1"
        );
        diesel::sql_query(sql)
            .bind::<Text, _>(tx.tenant.as_str().to_owned())
            .bind::<Array<Text>, _>(serials.to_vec())
    };
    let rows: Vec<DeviceRow> = of("devices").load(tx.connection)?;
    let mut records = BTreeMap::new();
    for row in &rows {
        let record = to_record(row)?;
        records.insert(record.serial_number.clone(), record);
    }
    let deliveries: Vec<DeliveryRow> = of("device_deliveries").load(tx.connection)?;
    for row in deliveries {
        if let Some(record) = records.get_mut(&serial_of(&row.serial_number)?) {
            record.deliveries.insert(IntegrationId(row.integration_id), to_delivery(&row));
        }
    }
    let certificates: Vec<CertificateRow> = of("device_certificates").load(tx.connection)?;
    for row in certificates {
        if let Some(record) = records.get_mut(&serial_of(&row.serial_number)?) {
            let of_one = record.certificates.entry(IntegrationId(row.integration_id)).or_default();
            add_certificate(of_one, row)?;
        }
    }
    Ok(records)
}

/// What a report can change of a device's row. `living` follows from them in PostgreSQL.
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
/// The rows of `$1` in the place of those with the same key.
const DEVICES: &str = concat!(
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
const DELIVERIES: &str = "INSERT INTO device_deliveries \
    SELECT * FROM jsonb_populate_recordset(NULL::device_deliveries, $1) \
    ON CONFLICT (tenant_id, serial_number, integration_id) DO UPDATE SET \
    (config_version, delivered_at, reported_at) = \
    (excluded.config_version, excluded.delivered_at, excluded.reported_at)";
const CERTIFICATES: &str = "INSERT INTO device_certificates \
    SELECT * FROM jsonb_populate_recordset(NULL::device_certificates, $1) \
    ON CONFLICT (tenant_id, serial_number, integration_id, certificate_serial_number) DO UPDATE SET \
    (not_before, not_after, reported_at) = \
    (excluded.not_before, excluded.not_after, excluded.reported_at)";
/// Identifiers that move between devices of one set are let go of first.
const RELEASED: &str = "UPDATE devices d SET udid = NULL, okta_device_id = NULL \
    FROM jsonb_populate_recordset(NULL::devices, $1) released \
    WHERE (d.tenant_id, d.serial_number) = (released.tenant_id, released.serial_number)";
const DELIVERIES_GONE: &str = "DELETE FROM device_deliveries d \
    USING jsonb_populate_recordset(NULL::device_deliveries, $1) gone \
    WHERE (d.tenant_id, d.serial_number, d.integration_id) \
        = (gone.tenant_id, gone.serial_number, gone.integration_id)";
const CERTIFICATES_GONE: &str = "DELETE FROM device_certificates c \
    USING jsonb_populate_recordset(NULL::device_certificates, $1) gone \
    WHERE (c.tenant_id, c.serial_number, c.integration_id, c.certificate_serial_number) \
        = (gone.tenant_id, gone.serial_number, gone.integration_id, gone.certificate_serial_number)";

/// Writes what differs between the records before and after; the caller holds their row locks.
pub(in crate::store) fn write_records(
    tx: &mut Tx<'_>,
    changed: &[(&DeviceRecord, &DeviceRecord)],
) -> Result<(), StoreError> {
    let lets_go = |(before, after): &&(&DeviceRecord, &DeviceRecord)| {
        let udid = before.known_udid().is_some() && before.known_udid() != after.known_udid();
        let okta = before.known_okta_device_id();
        udid || (okta.is_some() && okta != after.known_okta_device_id())
    };
    let released = changed.iter().filter(lets_go).map(|(_, after)| to_row(tx.tenant, after));
    run(tx, RELEASED, released)?;
    run(tx, DEVICES, changed.iter().map(|(_, after)| to_row(tx.tenant, after)))?;
    let mut differences = Differences::default();
    for (before, after) in changed {
        differences.add(tx.tenant, before, after);
    }
    run(tx, DELIVERIES_GONE, differences.deliveries_gone.into_iter())?;
    run(tx, DELIVERIES, differences.deliveries.into_iter())?;
    run(tx, CERTIFICATES_GONE, differences.certificates_gone.into_iter())?;
    run(tx, CERTIFICATES, differences.certificates.into_iter())
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
