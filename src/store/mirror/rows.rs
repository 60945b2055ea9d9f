//! Reads and writes the rows of the mirror as [`MirrorRecord`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Json, Text, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::Value;

use crate::model::mirror::identity::{IdentityHistory, IdentityPair};
use crate::model::mirror::uses::{UseBase, Uses};
use crate::model::{IntegrationId, MirrorRecord};
use crate::store::schema::okta_devices;
use crate::store::{StoreError, Tx};

/// A row without tenant and integration. The field names are the column names.
#[expect(clippy::struct_excessive_bools, reason = "columns of the table")]
#[derive(Queryable, Selectable, Serialize)]
#[diesel(table_name = okta_devices)]
struct Row {
    okta_device_id: String,
    platform: String,
    status: String,
    serial_number: Option<String>,
    udid: Option<String>,
    display_name: Option<String>,
    created_at: DateTime<Utc>,
    last_updated_at: DateTime<Utc>,
    users: Value,
    users_known: bool,
    any_managed: bool,
    observed_at: DateTime<Utc>,
    follows_sweeps: bool,
    users_observed_at: Option<DateTime<Utc>>,
    read_by_id_at: Option<DateTime<Utc>>,
    users_read_at: Option<DateTime<Utc>>,
    not_found_at: Option<DateTime<Utc>>,
    removed_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
    use_seen_at: Option<DateTime<Utc>>,
    use_base_updated_at: Option<DateTime<Utc>>,
    use_base_user_ids: Option<Vec<Option<String>>>,
    users_added_at: Option<DateTime<Utc>>,
    lifecycle_at: Option<DateTime<Utc>>,
    identity_changed_at: Option<DateTime<Utc>>,
    previous_serial_number: Option<String>,
    previous_udid: Option<String>,
    disputed: bool,
}

/// The columns of [`Row`], for the statement that writes rows.
const COLUMNS: &str = "\
    okta_device_id, platform, status, serial_number, udid, display_name, created_at, last_updated_at, \
    users, users_known, any_managed, observed_at, follows_sweeps, users_observed_at, read_by_id_at, \
    users_read_at, not_found_at, removed_at, used_at, use_seen_at, use_base_updated_at, \
    use_base_user_ids, users_added_at, lifecycle_at, identity_changed_at, previous_serial_number, \
    previous_udid, disputed";

/// Returns the records with these IDs. A caller that writes them back must have locked the mirror.
pub(in crate::store) fn load(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    okta_device_ids: &[&str],
) -> Result<HashMap<String, MirrorRecord>, StoreError> {
    use okta_devices as d;
    if okta_device_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = d::table
        .filter(d::tenant_id.eq(tx.tenant.as_str()).and(d::integration_id.eq(id.0)))
        .filter(d::okta_device_id.eq_any(okta_device_ids))
        .select(Row::as_select())
        .load(tx.connection)?;
    let record = |row: Row| Ok((row.okta_device_id.clone(), to_record(row)?));
    rows.into_iter().map(record).collect()
}

/// Inserts or replaces rows. The caller must have locked the mirror.
pub(in crate::store) fn upsert<'a>(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    records: impl Iterator<Item = &'a MirrorRecord>,
) -> Result<(), StoreError> {
    let rows = records.map(to_row).collect::<Result<Vec<_>, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_value(rows).map_err(|_| StoreError::Corrupt("okta_devices"))?;
    let excluded = COLUMNS.split(", ").map(|column| format!("excluded.{}", column.trim()));
    let excluded = excluded.collect::<Vec<_>>().join(", ");
    let upsert = format!(
        "INSERT INTO okta_devices (tenant_id, integration_id, {COLUMNS}) \
         SELECT $1, $2, {COLUMNS} FROM json_populate_recordset(NULL::okta_devices, $3) \
          ORDER BY okta_device_id \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) \
         DO UPDATE SET ({COLUMNS}) = ROW ({excluded})"
    );
    diesel::sql_query(upsert)
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<SqlUuid, _>(id.0)
        .bind::<Json, _>(rows)
        .execute(tx.connection)?;
    Ok(())
}

fn to_record(row: Row) -> Result<MirrorRecord, StoreError> {
    let base = row.use_base_updated_at.zip(row.use_base_user_ids);
    Ok(MirrorRecord {
        okta_device_id: row.okta_device_id,
        platform: row.platform,
        status: row.status,
        serial_number: row.serial_number,
        udid: row.udid,
        display_name: row.display_name,
        created_at: row.created_at,
        last_updated_at: row.last_updated_at,
        users: serde_json::from_value(row.users)
            .map_err(|_| StoreError::Corrupt("okta_devices.users"))?,
        users_known: row.users_known,
        observed_at: row.observed_at,
        follows_sweeps: row.follows_sweeps,
        users_observed_at: row.users_observed_at,
        read_by_id_at: row.read_by_id_at,
        users_read_at: row.users_read_at,
        not_found_at: row.not_found_at,
        removed_at: row.removed_at,
        users_added_at: row.users_added_at,
        uses: Uses {
            used_at: row.used_at,
            seen_at: row.use_seen_at,
            base: base.map(|(last_updated_at, ids)| UseBase {
                last_updated_at,
                user_ids: ids.into_iter().flatten().collect(),
            }),
            lifecycle_at: row.lifecycle_at,
        },
        identity: IdentityHistory {
            changed_at: row.identity_changed_at,
            previous: IdentityPair {
                serial_number: row.previous_serial_number,
                udid: row.previous_udid,
            },
            disputed: row.disputed,
        },
    })
}

fn to_row(record: &MirrorRecord) -> Result<Row, StoreError> {
    let any_managed = record.any_managed();
    let record = record.clone();
    let (base_at, base_ids) =
        record.uses.base.map(|base| (base.last_updated_at, base.user_ids)).unzip();
    Ok(Row {
        okta_device_id: record.okta_device_id,
        platform: record.platform,
        status: record.status,
        serial_number: record.serial_number,
        udid: record.udid,
        display_name: record.display_name,
        created_at: record.created_at,
        last_updated_at: record.last_updated_at,
        users: serde_json::to_value(record.users)
            .map_err(|_| StoreError::Corrupt("okta_devices.users"))?,
        users_known: record.users_known,
        any_managed,
        observed_at: record.observed_at,
        follows_sweeps: record.follows_sweeps,
        users_observed_at: record.users_observed_at,
        read_by_id_at: record.read_by_id_at,
        users_read_at: record.users_read_at,
        not_found_at: record.not_found_at,
        removed_at: record.removed_at,
        used_at: record.uses.used_at,
        use_seen_at: record.uses.seen_at,
        use_base_updated_at: base_at,
        use_base_user_ids: base_ids.map(|ids| ids.into_iter().map(Some).collect()),
        users_added_at: record.users_added_at,
        lifecycle_at: record.uses.lifecycle_at,
        identity_changed_at: record.identity.changed_at,
        previous_serial_number: record.identity.previous.serial_number,
        previous_udid: record.identity.previous.udid,
        disputed: record.identity.disputed,
    })
}
