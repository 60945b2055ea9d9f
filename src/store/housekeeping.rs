//! Deletes expired rows in batches, so that no statement reaches its timeout. The retention periods are
//! documented in the README and must not be changed here alone.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text, Timestamptz};

use crate::model::{ClaimedJob, TenantId};
use crate::store::schema::{device_snapshots, devices, events, integrations};
use crate::store::{Store, StoreError, Tx};

/// The maximum number of rows per transaction; `delete_old_events` has the same limit.
const BATCH_SIZE: usize = 1000;

/// A kind of expired rows of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Expired {
    /// Tombstones of deleted devices after 30 days, unless the mirror has a record with one of their
    /// identifiers. `device_departures` keeps when they left.
    Tombstones,
    /// Audit events after 400 days.
    Events,
    /// Idempotency keys after 24 hours.
    IdempotencyKeys,
    /// SCEP challenges after a day; their rate limits look back ten minutes.
    Challenges,
    /// Pages of sweeps that have ended.
    SweepPages,
    /// Records that were removed from the mirror 30 days ago, except those that are newer than another
    /// record of the same device: they still supersede it.
    RemovedRecords,
    /// Previous secrets of event hooks whose validity has ended.
    HookSecrets,
    /// Serial numbers of fleet snapshots after 25 hours, an hour after a snapshot can last be completed.
    SnapshotSerials,
    /// Fleet snapshots after 30 days. Until then their IDs cannot be reused.
    Snapshots,
}

impl Expired {
    /// Returns the statement, with the parameters tenant, row limit and time; `None` for events, which are
    /// deleted by a function. Rows locked by another transaction are left for the next run.
    fn sql(self) -> Option<&'static str> {
        Some(match self {
            Self::Tombstones => {
                "WITH expired AS ( \
                 SELECT d.serial_number FROM devices d WHERE d.tenant_id = $1 \
                    AND d.deleted_at < $3 - interval '30 days' AND d.deleted_at >= d.reported_at \
                    AND d.updated_at < $3 - interval '30 days' \
                    AND NOT EXISTS (SELECT FROM okta_devices o WHERE o.tenant_id = $1 \
                        AND o.serial_number = d.serial_number) \
                    AND NOT EXISTS (SELECT FROM okta_devices o WHERE o.tenant_id = $1 \
                        AND o.udid = d.udid) \
                    AND NOT EXISTS (SELECT FROM okta_devices o WHERE o.tenant_id = $1 \
                        AND o.integration_id IN (SELECT id FROM integrations WHERE tenant_id = $1) \
                        AND o.okta_device_id = d.okta_device_id) \
                  LIMIT $2 FOR UPDATE OF d SKIP LOCKED), \
                 departed AS ( \
                 INSERT INTO device_departures AS known \
                     (tenant_id, serial_number, left_at, deleted_at, last_enrolled_at) \
                 SELECT d.tenant_id, d.serial_number, d.left_at, d.deleted_at, d.last_enrolled_at \
                   FROM devices d JOIN expired USING (serial_number) WHERE d.tenant_id = $1 \
                     ON CONFLICT (tenant_id, serial_number) DO UPDATE SET \
                 (left_at, deleted_at, last_enrolled_at) = ( \
                     greatest(known.left_at, excluded.left_at), \
                     greatest(known.deleted_at, excluded.deleted_at), \
                     greatest(known.last_enrolled_at, excluded.last_enrolled_at))) \
                 DELETE FROM devices WHERE tenant_id = $1 \
                    AND serial_number IN (SELECT serial_number FROM expired) \
                 RETURNING serial_number, udid, okta_device_id"
            }
            Self::Events => return None,
            Self::IdempotencyKeys => {
                "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND key IN ( \
                 SELECT key FROM idempotency_keys WHERE tenant_id = $1 \
                    AND claimed_at < $3 - interval '24 hours' LIMIT $2 FOR UPDATE SKIP LOCKED)"
            }
            Self::Challenges => {
                "DELETE FROM scep_challenges WHERE tenant_id = $1 AND (integration_id, id) IN ( \
                 SELECT integration_id, id FROM scep_challenges WHERE tenant_id = $1 \
                    AND asked_at < $3 - interval '1 day' LIMIT $2 FOR UPDATE SKIP LOCKED)"
            }
            Self::SweepPages => {
                "DELETE FROM okta_sweep_pages \
                  WHERE tenant_id = $1 AND (integration_id, sweep_id, page) IN ( \
                 SELECT p.integration_id, p.sweep_id, p.page FROM okta_sweep_pages p \
                   JOIN okta_syncs s USING (tenant_id, integration_id) \
                  WHERE p.tenant_id = $1 AND p.sweep_id > 0 AND p.sweep_id <> s.sweep_id \
                    AND p.sweep_id IS DISTINCT FROM s.shrunk_sweep_id \
                  LIMIT $2 FOR UPDATE OF p SKIP LOCKED)"
            }
            Self::RemovedRecords => {
                "DELETE FROM okta_devices \
                  WHERE tenant_id = $1 AND (integration_id, okta_device_id) IN ( \
                 SELECT o.integration_id, o.okta_device_id FROM okta_devices o \
                  WHERE o.tenant_id = $1 AND o.removed_at < $3 - interval '30 days' \
                    AND NOT EXISTS (SELECT FROM okta_devices e WHERE e.tenant_id = $1 \
                        AND e.integration_id = o.integration_id \
                        AND e.udid = o.udid AND e.created_at < o.created_at) \
                    AND NOT EXISTS (SELECT FROM okta_devices e WHERE e.tenant_id = $1 \
                        AND e.integration_id = o.integration_id \
                        AND e.serial_number = o.serial_number AND e.created_at < o.created_at) \
                  LIMIT $2 FOR UPDATE OF o SKIP LOCKED) \
                 RETURNING serial_number, udid, okta_device_id"
            }
            Self::HookSecrets => {
                "UPDATE event_hooks SET previous_sha256 = NULL, previous_valid_until = NULL, \
                        older_secrets = '[]' \
                  WHERE tenant_id = $1 AND integration_id IN ( \
                 SELECT integration_id FROM event_hooks WHERE tenant_id = $1 \
                    AND previous_valid_until < $3 LIMIT $2 FOR UPDATE SKIP LOCKED)"
            }
            Self::SnapshotSerials => {
                "DELETE FROM device_snapshot_serials \
                  WHERE tenant_id = $1 AND (snapshot_id, serial_number) IN ( \
                 SELECT n.snapshot_id, n.serial_number FROM device_snapshot_serials n \
                   JOIN device_snapshots s USING (tenant_id, snapshot_id) \
                  WHERE n.tenant_id = $1 AND s.began_at < $3 - interval '25 hours' \
                  LIMIT $2 FOR UPDATE OF n SKIP LOCKED)"
            }
            Self::Snapshots => {
                "DELETE FROM device_snapshots WHERE tenant_id = $1 AND snapshot_id IN ( \
                 SELECT s.snapshot_id FROM device_snapshots s \
                  WHERE s.tenant_id = $1 AND s.began_at < $3 - interval '30 days' \
                    AND NOT EXISTS (SELECT FROM device_snapshot_serials n \
                        WHERE n.tenant_id = $1 AND n.snapshot_id = s.snapshot_id) \
                  LIMIT $2 FOR UPDATE OF s SKIP LOCKED)"
            }
        })
    }
}

/// The result of deleting one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedBatch {
    pub rows: usize,
    /// More expired rows may remain.
    pub more: bool,
}

diesel::define_sql_function! {
    /// Deletes up to [`BATCH_SIZE`] expired audit events. The service's role cannot delete them otherwise.
    fn delete_old_events(tenant: Text, now: Timestamptz) -> Integer;
}

impl Store {
    /// Deletes a batch of expired rows of the job's tenant, and renews the job's lease by `lease`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn delete_expired(
        &self,
        job: &ClaimedJob,
        lease: Duration,
        what: Expired,
    ) -> Result<DeletedBatch, StoreError> {
        self.in_job(job, lease, move |tx, _| {
            let rows = delete_batch(tx, what)?;
            Ok(DeletedBatch { rows, more: rows >= BATCH_SIZE })
        })
        .await
    }

    /// Deletes the rate budgets of orgs that were not used for 30 days. They belong to no tenant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_idle_budgets(&self) -> Result<(), StoreError> {
        self.without_tenant(|connection, now| {
            diesel::sql_query(
                "DELETE FROM okta_budgets WHERE (org_id, bucket, share) IN ( \
                 SELECT org_id, bucket, share FROM okta_budgets \
                  WHERE updated_at < $2 - interval '30 days' \
                  LIMIT $1 FOR UPDATE SKIP LOCKED)",
            )
            .bind::<Integer, _>(batch())
            .bind::<Timestamptz, _>(now)
            .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Returns whether the tenant has no integration, device, snapshot or event left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_tenant_empty(&self, tenant: &TenantId) -> Result<bool, StoreError> {
        use diesel::dsl::exists;
        self.in_tenant(tenant, move |tx| {
            let owner = tx.tenant.as_str();
            let (integrations, devices, snapshots, events) = diesel::select((
                exists(integrations::table.filter(integrations::tenant_id.eq(owner))),
                exists(devices::table.filter(devices::tenant_id.eq(owner))),
                exists(device_snapshots::table.filter(device_snapshots::tenant_id.eq(owner))),
                exists(events::table.filter(events::tenant_id.eq(owner))),
            ))
            .get_result::<(bool, bool, bool, bool)>(tx.connection)?;
            Ok(!(integrations || devices || snapshots || events))
        })
        .await
    }
}

fn delete_batch(tx: &mut Tx<'_>, what: Expired) -> Result<usize, StoreError> {
    let Some(sql) = what.sql() else {
        let delete = delete_old_events(tx.tenant.as_str(), tx.now);
        let deleted: i32 = diesel::select(delete).get_result(tx.connection)?;
        return Ok(usize::try_from(deleted).unwrap_or_default());
    };
    let statement = diesel::sql_query(sql).bind::<Text, _>(tx.tenant.as_str());
    let statement = statement.bind::<Integer, _>(batch()).bind::<Timestamptz, _>(tx.now);
    if !matches!(what, Expired::Tombstones | Expired::RemovedRecords) {
        return Ok(statement.execute(tx.connection)?);
    }
    let deleted: Vec<IdentifiersRow> = statement.load(tx.connection)?;
    for row in &deleted {
        tx.touched.serial_numbers.extend(row.serial_number.clone());
        tx.touched.udids.extend(row.udid.clone());
        tx.touched.okta_device_ids.extend(row.okta_device_id.clone());
    }
    Ok(deleted.len())
}

/// The identifiers of a deleted device or record, on which facts of other rows may depend.
#[derive(QueryableByName)]
struct IdentifiersRow {
    #[diesel(sql_type = Nullable<Text>)]
    serial_number: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    udid: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    okta_device_id: Option<String>,
}

fn batch() -> i32 {
    i32::try_from(BATCH_SIZE).unwrap_or(i32::MAX)
}
