//! Lists the records of the mirror, each with the device in the inventory that it matches.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{IntegrationId, MirrorRow, OktaDevice, Page, PageRequest, TenantId};
use crate::store::record::load_record;
use crate::store::schema::{okta_devices, okta_rereads, okta_sweep_pages, okta_syncs};
use crate::store::{Store, StoreError, Tx};

#[derive(QueryableByName)]
struct DeviceRow {
    #[diesel(sql_type = Text)]
    okta_device_id: String,
    #[diesel(sql_type = Text)]
    platform: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Text>)]
    serial_number: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    udid: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    display_name: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_updated_at: DateTime<Utc>,
    #[diesel(sql_type = Jsonb)]
    users: serde_json::Value,
    #[diesel(sql_type = Timestamptz)]
    observed_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    matched_serial_number: Option<String>,
}

/// A record matches a device by Okta's ID, else by UDID, else by serial number. Each lookup uses an index.
const LIST: &str = "\
    SELECT * FROM ( \
        SELECT o.okta_device_id, o.platform, o.status, o.serial_number, o.udid, o.display_name, \
               o.created_at, o.last_updated_at, o.users, \
               least(o.users_observed_at, CASE WHEN o.follows_sweeps \
                   THEN greatest(o.observed_at, s.swept_at) ELSE o.observed_at END) AS observed_at, \
               coalesce( \
                 (SELECT d.serial_number FROM devices d WHERE d.tenant_id = $1 \
                     AND d.okta_device_id = o.okta_device_id AND (d.deleted_at IS NULL OR d.deleted_at < d.reported_at)), \
                 (SELECT d.serial_number FROM devices d WHERE d.tenant_id = $1 \
                     AND d.udid = o.udid AND (d.deleted_at IS NULL OR d.deleted_at < d.reported_at)), \
                 (SELECT d.serial_number FROM devices d WHERE d.tenant_id = $1 \
                     AND d.serial_number = o.serial_number AND (d.deleted_at IS NULL OR d.deleted_at < d.reported_at)) \
               ) AS matched_serial_number \
          FROM okta_devices o LEFT JOIN okta_syncs s USING (tenant_id, integration_id) \
         WHERE o.tenant_id = $1 AND o.integration_id = $2 AND o.okta_device_id > $3 \
           AND o.removed_at IS NULL \
    ) AS rows \
     WHERE $4 IS NULL OR (matched_serial_number IS NOT NULL) = $4 \
     ORDER BY okta_device_id LIMIT $5";

/// Each of the three is a hash join: the caller has switched nested loops off.
const COUNT: &str = "\
    UPDATE okta_syncs AS s SET mirror_count = c.devices, unmatched_count = c.unmatched \
      FROM (SELECT count(*) AS devices, count(*) FILTER (WHERE i.okta_device_id IS NULL \
                   AND u.udid IS NULL AND n.serial_number IS NULL) AS unmatched \
              FROM okta_devices o \
              LEFT JOIN devices i ON i.tenant_id = $1 AND i.okta_device_id = o.okta_device_id \
                   AND (i.deleted_at IS NULL OR i.deleted_at < i.reported_at) \
              LEFT JOIN devices u ON u.tenant_id = $1 AND u.udid = o.udid \
                   AND (u.deleted_at IS NULL OR u.deleted_at < u.reported_at) \
              LEFT JOIN devices n ON n.tenant_id = $1 AND n.serial_number = o.serial_number \
                   AND (n.deleted_at IS NULL OR n.deleted_at < n.reported_at) \
             WHERE o.tenant_id = $1 AND o.integration_id = $2 AND o.removed_at IS NULL) AS c \
     WHERE s.tenant_id = $1 AND s.integration_id = $2";

impl Store {
    /// Lists the records of the mirror by Okta's ID. `matched` filters for those that match a device in the
    /// inventory, or for those that match none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn list_okta_devices(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        matched: Option<bool>,
        page: PageRequest<String>,
    ) -> Result<Page<MirrorRow, String>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            load_record(tx, id, false)?;
            let rows: Vec<DeviceRow> = diesel::sql_query(LIST)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(id.0)
                .bind::<Text, _>(page.after.as_deref().unwrap_or_default())
                .bind::<Nullable<Bool>, _>(matched)
                .bind::<BigInt, _>(page.limit + 1)
                .load(tx.connection)?;
            let rows = rows.into_iter().map(to_row).collect::<Result<Vec<_>, _>>()?;
            Ok(Page::from_rows(rows, page.limit, |row| row.device.id.clone()))
        })
        .await
    }
}

fn to_row(row: DeviceRow) -> Result<MirrorRow, StoreError> {
    let users = serde_json::from_value(row.users);
    let users = users.map_err(|_| StoreError::Corrupt("okta_devices.users"))?;
    Ok(MirrorRow {
        device: OktaDevice {
            id: row.okta_device_id,
            platform: row.platform,
            status: row.status,
            serial_number: row.serial_number,
            udid: row.udid,
            display_name: row.display_name,
            created: row.created_at,
            last_updated: row.last_updated_at,
            users: Some(users),
        },
        observed_at: row.observed_at,
        matched_serial_number: row.matched_serial_number,
    })
}

/// Returns whether any record has a managed user.
pub(in crate::store) fn has_managed_user(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<bool, StoreError> {
    use okta_devices as o;
    let managed = o::table
        .filter(o::tenant_id.eq(tx.tenant.as_str()).and(o::integration_id.eq(id.0)))
        .filter(o::any_managed.and(o::not_found_at.is_null()));
    Ok(diesel::select(diesel::dsl::exists(managed)).get_result(tx.connection)?)
}

/// Stores how many records the mirror has, and how many of them match no device of the inventory. A
/// mirror so large that counting takes too long keeps the counts before.
pub(in crate::store) fn save_counts(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    let tenant = tx.tenant.as_str();
    let counted = tx.connection.transaction(|connection| {
        diesel::sql_query(COUNT)
            .bind::<Text, _>(tenant)
            .bind::<SqlUuid, _>(id.0)
            .execute(connection)
    });
    match counted {
        Err(DieselError::DatabaseError(_, info))
            if info.message().contains("statement timeout") =>
        {
            tracing::warn!(
                tenant_id = tenant,
                integration_id = %id,
                error = info.message(),
                "counting the mirror timed out"
            );
            Ok(())
        }
        counted => Ok(counted.map(|_| ())?),
    }
}

/// Deletes the mirror of an org with the state of its reads.
pub(in crate::store) fn delete_mirror(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use {okta_rereads as r, okta_sweep_pages as p, okta_syncs as s};
    let key = (tx.tenant.as_str(), id.0);
    diesel::delete(s::table.find(key)).execute(tx.connection)?;
    let pages = p::table.filter(p::tenant_id.eq(key.0).and(p::integration_id.eq(key.1)));
    diesel::delete(pages).execute(tx.connection)?;
    let rereads = r::table.filter(r::tenant_id.eq(key.0).and(r::integration_id.eq(key.1)));
    diesel::delete(rereads).execute(tx.connection)?;
    tx.touched.add_deleted_mirror(id);
    diesel::delete(okta_devices::table)
        .filter(okta_devices::tenant_id.eq(key.0).and(okta_devices::integration_id.eq(key.1)))
        .execute(tx.connection)?;
    Ok(())
}
