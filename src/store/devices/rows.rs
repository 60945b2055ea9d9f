//! The rows behind a device: loaded whole, and written back as sets. A set goes to PostgreSQL as one
//! JSON value, so that its size does not show in the statement.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Text, Timestamptz};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::devices::leaving::Lives;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::records::{Certificates, LostModeState, Reported};
use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, EnrollmentState, OktaVerify,
};
use crate::model::{
    DeviceRecord, IntegrationId, OktaDeviceId, Platform, SerialNumber, TenantId, Udid,
};
use crate::store::schema::{device_certificates, device_deliveries, devices};
use crate::store::{StoreError, Tx};

/// The column names are those of the table: the JSON is read by them.
#[derive(QueryableByName, Serialize)]
#[diesel(table_name = devices)]
struct DeviceRow {
    tenant_id: String,
    serial_number: String,
    platform: Option<String>,
    udid: Option<String>,
    okta_device_id: Option<String>,
    identity_reported_at: Option<DateTime<Utc>>,
    enrollment_state: Option<String>,
    enrolled_at: Option<DateTime<Utc>>,
    enrollment_reported_at: Option<DateTime<Utc>>,
    okta_verify_installed_at: Option<DateTime<Utc>>,
    okta_verify_reported_at: Option<DateTime<Utc>>,
    /// For the release before: the same as `left_at`, and the smallest difference of two times.
    counts_from: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    udid_reported_at: Option<DateTime<Utc>>,
    okta_device_id_reported_at: Option<DateTime<Utc>>,
    /// For the release before: `left_at`.
    enrollment_ended_at: Option<DateTime<Utc>>,
    macos_reported_at: Option<DateTime<Utc>>,
    ios_reported_at: Option<DateTime<Utc>>,
    left_at: Option<DateTime<Utc>>,
    enrolled_since: Option<DateTime<Utc>>,
    last_enrolled_at: Option<DateTime<Utc>>,
    check_in_last_seen_at: Option<DateTime<Utc>>,
    check_in_reported_at: Option<DateTime<Utc>>,
    lost_mode_enabled: Option<bool>,
    lost_mode_reported_at: Option<DateTime<Utc>>,
    merge_state: Option<serde_json::Value>,
}

#[derive(QueryableByName, Serialize)]
#[diesel(table_name = device_deliveries)]
struct DeliveryRow {
    tenant_id: String,
    serial_number: String,
    integration_id: Uuid,
    config_version: Option<i64>,
    delivered_at: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
}

#[derive(QueryableByName, Serialize, Clone)]
#[diesel(table_name = device_certificates)]
struct CertificateRow {
    tenant_id: String,
    serial_number: String,
    integration_id: Uuid,
    certificate_serial_number: String,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
}

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

fn serial_of(text: &str) -> Result<SerialNumber, StoreError> {
    SerialNumber::parse(text).map_err(|_| StoreError::Corrupt("devices.serial_number"))
}

fn to_delivery(row: &DeliveryRow) -> Reported<Delivery> {
    let value = row.config_version.zip(row.delivered_at);
    let value = value.map(|(config_version, delivered_at)| Delivery {
        config_version,
        delivered_at,
        reported_at: row.reported_at,
    });
    Reported { at: row.reported_at, value }
}

fn add_certificate(of_one: &mut Certificates, row: CertificateRow) -> Result<(), StoreError> {
    if row.certificate_serial_number.is_empty() {
        of_one.cleared_at = Some(row.reported_at);
        return Ok(());
    }
    let corrupt = StoreError::Corrupt("device_certificates.not_after");
    let (not_before, not_after) = row.not_before.zip(row.not_after).ok_or(corrupt)?;
    let serial_number = row.certificate_serial_number;
    let reported_at = row.reported_at;
    let known = Certificate { serial_number, not_before, not_after, reported_at };
    of_one.known.insert(known.serial_number.clone(), known);
    Ok(())
}

/// A time of the store with the time as it was sent; rows of the release before have only the first.
fn to_stamp(at: Option<DateTime<Utc>>, sent_at: Option<DateTime<Utc>>) -> Option<Stamp> {
    at.map(|at| Stamp { at, sent_at: sent_at.map_or(at, |sent| sent.max(at)) })
}

/// What the merge of later reports depends on, and no query does.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct MergeState {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enrolled: Vec<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    continued: Vec<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_mode_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled_ahead: Option<(DateTime<Utc>, DateTime<Utc>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_mode_off_ahead: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl From<&DeviceRecord> for MergeState {
    fn from(record: &DeviceRecord) -> Self {
        let sent = |stamp: Stamp| stamp.was_ahead().then_some(stamp.sent_at);
        let pair = |stamp: Stamp| (stamp.at, stamp.sent_at);
        let enrolled = &record.lives.enrolled;
        let continued = enrolled.iter().filter(|(_, continues)| **continues);
        let enrollment = record.enrollment.as_ref();
        Self {
            enrolled: enrolled.keys().copied().collect(),
            continued: continued.map(|(at, _)| *at).collect(),
            ended_at: enrollment.and_then(|enrollment| enrollment.ended_at),
            enrollment_sent_at: enrollment.and_then(|enrollment| enrollment.sent_at),
            deleted_sent_at: record.deleted.and_then(sent),
            lost_mode_sent_at: record.lost_mode.and_then(|lost| sent(lost.stamp)),
            enrolled_ahead: record.enrolled_ahead.map(pair),
            lost_mode_off_ahead: record.lost_mode_off_ahead.map(pair),
        }
    }
}

fn to_lives(row: &DeviceRow, state: &MergeState) -> Lives {
    let enrolled = state.enrolled.iter();
    Lives {
        left_at: row.left_at,
        enrolled_since: row.enrolled_since,
        last_enrolled_at: row.last_enrolled_at,
        enrolled: enrolled.map(|at| (*at, state.continued.contains(at))).collect(),
        macos_reported_at: row.macos_reported_at,
        ios_reported_at: row.ios_reported_at,
    }
}

fn to_enrollment(row: &DeviceRow, state: &MergeState) -> Result<Option<Enrollment>, StoreError> {
    let Some((word, reported_at)) = row.enrollment_state.as_deref().zip(row.enrollment_reported_at)
    else {
        return Ok(None);
    };
    let parsed = word
        .parse::<EnrollmentState>()
        .map_err(|_| StoreError::Corrupt("devices.enrollment_state"))?;
    let enrolled = parsed == EnrollmentState::Enrolled;
    Ok(Some(Enrollment {
        state: parsed,
        enrolled_at: row.enrolled_at,
        ended_at: state.ended_at,
        continues: enrolled && state.continued.contains(&reported_at),
        reported_at,
        // The release before may have stored a newer report since.
        sent_at: state.enrollment_sent_at.filter(|sent| *sent > reported_at),
    }))
}

fn to_record(row: &DeviceRow) -> Result<DeviceRecord, StoreError> {
    let platform = row.platform.as_deref().map(|word| word.parse::<Platform>().ok());
    let udid = row.udid.as_deref().map(Udid::parse).transpose();
    let okta_device_id = row.okta_device_id.as_deref().map(OktaDeviceId::parse).transpose();
    let (udid, okta_device_id) = (
        udid.map_err(|_| StoreError::Corrupt("devices.udid"))?,
        okta_device_id.map_err(|_| StoreError::Corrupt("devices.okta_device_id"))?,
    );
    let okta_verify = row.okta_verify_reported_at.map(|at| Reported {
        at,
        value: row
            .okta_verify_installed_at
            .map(|installed_at| OktaVerify { installed_at, reported_at: at }),
    });
    let check_in = row.check_in_reported_at.map(|at| Reported {
        at,
        value: row
            .check_in_last_seen_at
            .map(|last_seen_at| CheckIn { last_seen_at, reported_at: at }),
    });
    let state: MergeState = match row.merge_state.clone() {
        Some(state) => {
            serde_json::from_value(state).map_err(|_| StoreError::Corrupt("devices.merge_state"))?
        }
        None => MergeState::default(),
    };
    let lost_mode = to_stamp(row.lost_mode_reported_at, state.lost_mode_sent_at)
        .map(|stamp| LostModeState { enabled: row.lost_mode_enabled, stamp });
    Ok(DeviceRecord {
        serial_number: serial_of(&row.serial_number)?,
        platform: platform
            .map(|platform| platform.ok_or(StoreError::Corrupt("devices.platform")))
            .transpose()?,
        udid: row.udid_reported_at.map(|at| Reported { at, value: udid }),
        okta_device_id: row
            .okta_device_id_reported_at
            .map(|at| Reported { at, value: okta_device_id }),
        enrollment: to_enrollment(row, &state)?,
        okta_verify,
        check_in,
        lost_mode,
        deliveries: BTreeMap::new(),
        certificates: BTreeMap::new(),
        lives: to_lives(row, &state),
        deleted: to_stamp(row.deleted_at, state.deleted_sent_at),
        enrolled_ahead: state.enrolled_ahead.map(|(at, sent_at)| Stamp { at, sent_at }),
        lost_mode_off_ahead: state.lost_mode_off_ahead.map(|(at, sent_at)| Stamp { at, sent_at }),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn to_row(tenant: &TenantId, record: &DeviceRecord) -> DeviceRow {
    let enrollment = record.enrollment.as_ref();
    let verify = record.okta_verify.as_ref();
    let check_in = record.check_in.as_ref();
    let lives = &record.lives;
    DeviceRow {
        tenant_id: tenant.as_str().to_owned(),
        serial_number: record.serial_number.to_string(),
        platform: record.platform.map(|platform| platform.as_str().to_owned()),
        udid: record.known_udid().map(ToString::to_string),
        okta_device_id: record.known_okta_device_id().map(ToString::to_string),
        identity_reported_at: record.identity_reported_at(),
        enrollment_state: enrollment.map(|enrollment| enrollment.state.as_str().to_owned()),
        enrolled_at: enrollment.and_then(|enrollment| enrollment.enrolled_at),
        enrollment_reported_at: enrollment.map(|enrollment| enrollment.reported_at),
        okta_verify_installed_at: verify
            .and_then(|reported| reported.value.as_ref())
            .map(|verify| verify.installed_at),
        okta_verify_reported_at: verify.map(|reported| reported.at),
        counts_from: lives.left_at.map(|left| left + TimeDelta::microseconds(1)),
        reported_at: record.reported_at().unwrap_or(record.created_at),
        deleted_at: record.deleted.map(|deleted| deleted.at),
        created_at: record.created_at,
        updated_at: record.updated_at,
        udid_reported_at: record.udid.as_ref().map(|reported| reported.at),
        okta_device_id_reported_at: record.okta_device_id.as_ref().map(|reported| reported.at),
        enrollment_ended_at: lives.left_at,
        macos_reported_at: lives.macos_reported_at,
        ios_reported_at: lives.ios_reported_at,
        left_at: lives.left_at,
        enrolled_since: lives.enrolled_since,
        last_enrolled_at: lives.last_enrolled_at,
        check_in_last_seen_at: check_in
            .and_then(|reported| reported.value.as_ref())
            .map(|check_in| check_in.last_seen_at),
        check_in_reported_at: check_in.map(|reported| reported.at),
        lost_mode_enabled: record.lost_mode.and_then(|lost| lost.enabled),
        lost_mode_reported_at: record.lost_mode.map(|lost| lost.stamp.at),
        merge_state: serde_json::to_value(MergeState::from(record)).ok(),
    }
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

/// Rows of the groups that were added or changed, and that went.
#[derive(Default)]
struct Differences {
    deliveries: Vec<DeliveryRow>,
    deliveries_gone: Vec<DeliveryRow>,
    certificates: Vec<CertificateRow>,
    certificates_gone: Vec<CertificateRow>,
}

impl Differences {
    fn add(&mut self, tenant: &TenantId, before: &DeviceRecord, after: &DeviceRecord) {
        let row = |id: &IntegrationId, reported: &Reported<Delivery>| DeliveryRow {
            tenant_id: tenant.as_str().to_owned(),
            serial_number: after.serial_number.to_string(),
            integration_id: id.0,
            config_version: reported.value.as_ref().map(|delivery| delivery.config_version),
            delivered_at: reported.value.as_ref().map(|delivery| delivery.delivered_at),
            reported_at: reported.at,
        };
        let (old, new) = (&before.deliveries, &after.deliveries);
        let changed = new.iter().filter(|(id, reported)| old.get(id) != Some(*reported));
        self.deliveries.extend(changed.map(|(id, reported)| row(id, reported)));
        let gone = old.iter().filter(|(id, _)| !new.contains_key(id));
        self.deliveries_gone.extend(gone.map(|(id, reported)| row(id, reported)));

        let (old, new) = (certificate_rows(tenant, before), certificate_rows(tenant, after));
        let same = |a: &CertificateRow, b: &CertificateRow| {
            (a.reported_at, a.not_before, a.not_after) == (b.reported_at, b.not_before, b.not_after)
        };
        for (key, row) in &old {
            if !new.contains_key(key) {
                self.certificates_gone.push(row.clone());
            }
        }
        let changed =
            new.into_iter().filter(|(key, row)| !old.get(key).is_some_and(|o| same(o, row)));
        self.certificates.extend(changed.map(|(_, row)| row));
    }
}

/// By integration and serial number of the certificate; the empty one says when older ones were
/// taken away.
fn certificate_rows(
    tenant: &TenantId,
    record: &DeviceRecord,
) -> BTreeMap<(Uuid, String), CertificateRow> {
    let mut rows = BTreeMap::new();
    for (id, of_one) in &record.certificates {
        let mut add = |serial: &str, dates: Option<(_, _)>, reported_at| {
            let row = CertificateRow {
                tenant_id: tenant.as_str().to_owned(),
                serial_number: record.serial_number.to_string(),
                integration_id: id.0,
                certificate_serial_number: serial.to_owned(),
                not_before: dates.map(|(not_before, _)| not_before),
                not_after: dates.map(|(_, not_after)| not_after),
                reported_at,
            };
            rows.insert((id.0, serial.to_owned()), row);
        };
        if let Some(cleared_at) = of_one.cleared_at {
            add("", None, cleared_at);
        }
        for known in of_one.known.values() {
            let dates = Some((known.not_before, known.not_after));
            add(&known.serial_number, dates, known.reported_at);
        }
    }
    rows
}
