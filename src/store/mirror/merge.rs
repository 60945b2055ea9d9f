//! Merges reads of an org into its mirror by the rules of [`MirrorRecord`]. Unchanged rows are not written.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{IntegrationId, MirrorRecord, OktaDevice, Reading, Source};
use crate::store::mirror::rows;
use crate::store::schema::okta_syncs;
use crate::store::{StoreError, Tx};

/// What a page showed about records that were stored before.
#[derive(Debug, Default)]
pub(in crate::store) struct Merged {
    /// How many of them had users.
    pub with_users: usize,
    /// Those of them that the page shows without users.
    pub emptied: Vec<String>,
}

/// Locks the mirror of an integration against other writers. Lock order: jobs, mirror, devices and
/// re-reads, so that two transactions cannot deadlock. Returns when the last accepted sweep began. Before
/// the first sweep there is no row to lock.
pub(in crate::store) fn lock(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    use okta_syncs as s;
    let row = s::table.find((tx.tenant.as_str(), id.0)).select(s::swept_at).for_no_key_update();
    Ok(row.first(tx.connection).optional()?.flatten())
}

/// Merges the devices of a read that began at `read_at`. If a device occurs twice, the one with the newest
/// `lastUpdated` is used.
pub(in crate::store) fn merge(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    devices: &[OktaDevice],
    source: Source,
    read_at: DateTime<Utc>,
) -> Result<Merged, StoreError> {
    let reading = Reading { source, read_at, swept_at: lock(tx, id)? };
    let devices = newest(devices);
    let ids: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
    let before = rows::load(tx, id, &ids)?;
    let merged = devices.iter().map(|device| {
        let stored = before.get(&device.id);
        (stored, MirrorRecord::merge(stored, device, &reading))
    });
    let changed = merged.filter(|(stored, merged)| *stored != Some(merged));
    let changed: Vec<(Option<&MirrorRecord>, MirrorRecord)> = changed.collect();
    write(tx, id, &changed)?;
    let shown = devices.iter().filter_map(|device| Some((*device, before.get(&device.id)?)));
    if source != Source::Id {
        let not_found = shown.clone().filter(|(_, stored)| stored.not_found_at.is_some());
        let not_found: Vec<&str> = not_found.map(|(device, _)| device.id.as_str()).collect();
        request_confirmation(tx, id, &not_found)?;
    }
    let with_users = shown.clone().filter(|(_, stored)| !stored.users.is_empty()).count();
    let emptied = shown.filter(|(device, stored)| stored.loses_all_users(device));
    Ok(Merged { with_users, emptied: emptied.map(|(device, _)| device.id.clone()).collect() })
}

fn newest(devices: &[OktaDevice]) -> Vec<&OktaDevice> {
    let mut newest: Vec<&OktaDevice> = devices.iter().collect();
    newest
        .sort_by(|left, right| (&left.id, right.last_updated).cmp(&(&right.id, left.last_updated)));
    newest.dedup_by(|later, earlier| later.id == earlier.id);
    newest
}

/// Requests re-reads of records that a list shows although a read by ID did not find them: one of the two
/// lags behind.
fn request_confirmation(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    okta_device_ids: &[&str],
) -> Result<(), StoreError> {
    if okta_device_ids.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO okta_rereads \
                (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
         SELECT $1, $2, n.id, 'unconfirmed', $4, $4 FROM unnest($3) AS n (id) ORDER BY n.id \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO NOTHING",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<Text>, _>(okta_device_ids)
    .bind::<Timestamptz, _>(tx.now)
    .execute(tx.connection)?;
    Ok(())
}

/// Applies `change` to stored records. Unchanged ones are not written.
pub(in crate::store) fn change(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    okta_device_ids: &[&str],
    change: impl Fn(&MirrorRecord) -> MirrorRecord,
) -> Result<(), StoreError> {
    lock(tx, id)?;
    let records = rows::load(tx, id, okta_device_ids)?;
    let changed = records.values().map(|record| (record, change(record)));
    let changed = changed.filter(|(before, after)| *before != after);
    let changed: Vec<_> = changed.map(|(before, after)| (Some(before), after)).collect();
    write(tx, id, &changed)
}

/// Writes records, each with the stored one that it replaces.
fn write(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    changed: &[(Option<&MirrorRecord>, MirrorRecord)],
) -> Result<(), StoreError> {
    for record in changed.iter().flat_map(|(before, after)| before.iter().copied().chain([after])) {
        let (serial_number, udid) = (record.serial_number.as_deref(), record.udid.as_deref());
        tx.touched.add_record(&record.okta_device_id, serial_number, udid);
    }
    rows::upsert(tx, id, changed.iter().map(|(_, after)| after))
}

/// Records that a read by ID, which began at `read_at`, did not find a device, unless a later read by ID
/// found it. The caller must have locked the mirror.
pub(in crate::store) fn mark_not_found(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    okta_device_id: &str,
    read_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.touched.add_record(okta_device_id, None, None);
    diesel::sql_query(
        "UPDATE okta_devices SET not_found_at = $4, read_by_id_at = $4, observed_at = $4, \
                users_observed_at = NULL \
          WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3 \
            AND (read_by_id_at IS NULL OR read_by_id_at <= $4)",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Text, _>(okta_device_id)
    .bind::<Timestamptz, _>(read_at)
    .execute(tx.connection)?;
    Ok(())
}
