//! The rows of a device's deliveries and certificates, and the differences between two records.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use crate::model::devices::records::{Certificates, Reported};
use crate::model::devices::reports::{Certificate, Delivery};
use crate::model::{DeviceRecord, IntegrationId, TenantId};
use crate::store::StoreError;
use crate::store::schema::{device_certificates, device_deliveries};

#[derive(QueryableByName, Serialize)]
#[diesel(table_name = device_deliveries)]
pub(super) struct DeliveryRow {
    tenant_id: String,
    pub(super) serial_number: String,
    pub(super) integration_id: Uuid,
    config_version: Option<i64>,
    delivered_at: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
}

#[derive(QueryableByName, Serialize, Clone)]
#[diesel(table_name = device_certificates)]
pub(super) struct CertificateRow {
    tenant_id: String,
    pub(super) serial_number: String,
    pub(super) integration_id: Uuid,
    certificate_serial_number: String,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
}

pub(super) fn to_delivery(row: &DeliveryRow) -> Reported<Delivery> {
    let value = row.config_version.zip(row.delivered_at);
    let value = value.map(|(config_version, delivered_at)| Delivery {
        config_version,
        delivered_at,
        reported_at: row.reported_at,
    });
    Reported { at: row.reported_at, value }
}

pub(super) fn add_certificate(
    certificates: &mut Certificates,
    row: CertificateRow,
) -> Result<(), StoreError> {
    if row.certificate_serial_number.is_empty() {
        certificates.cleared_at = Some(row.reported_at);
        return Ok(());
    }
    let corrupt = StoreError::Corrupt("device_certificates.not_after");
    let (not_before, not_after) = row.not_before.zip(row.not_after).ok_or(corrupt)?;
    let serial_number = row.certificate_serial_number;
    let reported_at = row.reported_at;
    let known = Certificate { serial_number, not_before, not_after, reported_at };
    certificates.known.insert(known.serial_number.clone(), known);
    Ok(())
}

/// Rows of groups that were added or changed, and rows that were removed.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) deliveries: Vec<DeliveryRow>,
    pub(super) removed_deliveries: Vec<DeliveryRow>,
    pub(super) certificates: Vec<CertificateRow>,
    pub(super) removed_certificates: Vec<CertificateRow>,
}

impl Differences {
    pub(super) fn add(&mut self, tenant: &TenantId, before: &DeviceRecord, after: &DeviceRecord) {
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
        let removed = old.iter().filter(|(id, _)| !new.contains_key(id));
        self.removed_deliveries.extend(removed.map(|(id, reported)| row(id, reported)));

        let (old, new) = (certificate_rows(tenant, before), certificate_rows(tenant, after));
        let same = |a: &CertificateRow, b: &CertificateRow| {
            (a.reported_at, a.not_before, a.not_after) == (b.reported_at, b.not_before, b.not_after)
        };
        for (key, row) in &old {
            if !new.contains_key(key) {
                self.removed_certificates.push(row.clone());
            }
        }
        let changed =
            new.into_iter().filter(|(key, row)| !old.get(key).is_some_and(|o| same(o, row)));
        self.certificates.extend(changed.map(|(_, row)| row));
    }
}

/// Returns the certificate rows by integration and serial number. The row with an empty serial number has
/// the time at which older certificates were cleared.
fn certificate_rows(
    tenant: &TenantId,
    record: &DeviceRecord,
) -> BTreeMap<(Uuid, String), CertificateRow> {
    let mut rows = BTreeMap::new();
    for (id, certificates) in &record.certificates {
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
        if let Some(cleared_at) = certificates.cleared_at {
            add("", None, cleared_at);
        }
        for known in certificates.known.values() {
            let dates = Some((known.not_before, known.not_after));
            add(&known.serial_number, dates, known.reported_at);
        }
    }
    rows
}
