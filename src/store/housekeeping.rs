//! Forgets what has had its time, in batches: no statement may run into its time-out. Never decides
//! how long something is kept for a customer: those times are contract §1, §2 and §5.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Timestamptz};

use crate::model::{Job, TenantId};
use crate::store::schema::{device_snapshots, devices, events, integrations};
use crate::store::{Store, StoreError, Tx};

/// Rows that go in one transaction; the function for events has the same bound.
const BATCH: usize = 1000;

/// What is forgotten, of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Expired {
    /// Deleted devices after 30 days, unless the mirror has a record with one of their identifiers. When
    /// they left stays in `device_departures`.
    Tombstones,
    /// Events of the audit after 400 days.
    Events,
    /// Idempotency keys after 24 hours.
    IdempotencyKeys,
    /// Challenges after a day; their limits look back ten minutes.
    Challenges,
    /// What sweeps had seen that run no more.
    SweepPages,
    /// Records that were removed from the mirror 30 days ago, but for those that are newer than another
    /// record of the same device: that they superseded it must be remembered.
    RemovedRecords,
    /// The secrets that event hooks had before their last rotation, at the end of their time.
    HookSecrets,
    /// Serial numbers of snapshots of the fleet after a day, and an hour for one that is being completed.
    SnapshotSerials,
    /// Snapshots after 30 days: until then their ids cannot begin another one.
    Snapshots,
}

impl Expired {
    /// A row that somebody else holds is left for the next time. Each statement takes the tenant,
    /// the most rows and the time; events have a function of their own.
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
                    AND serial_number IN (SELECT serial_number FROM expired)"
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
                  WHERE p.tenant_id = $1 AND p.sweep_id <> s.sweep_id \
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
                  LIMIT $2 FOR UPDATE OF o SKIP LOCKED)"
            }
            Self::HookSecrets => {
                "UPDATE event_hooks SET previous_sha256 = NULL, previous_valid_until = NULL \
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

/// What one batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    pub rows: usize,
    /// There may be more.
    pub more: bool,
}

diesel::define_sql_function! {
    /// The one way by which events leave the audit; up to [`BATCH`] at a time.
    fn delete_old_events(tenant: Text) -> Integer;
}

impl Store {
    /// Forgets a batch of what has had its time, as the tenant of `job`, whose lease is held for as
    /// long as `lease` from now.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn delete_expired(
        &self,
        job: &Job,
        lease: Duration,
        what: Expired,
    ) -> Result<Forgotten, StoreError> {
        self.in_job(job, lease, move |tx, _| {
            let rows = delete_batch(tx, what)?;
            Ok(Forgotten { rows, more: rows >= BATCH })
        })
        .await
    }

    /// Forgets the rate of orgs that nobody has asked for 30 days. They are nobody's rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_idle_budgets(&self) -> Result<(), StoreError> {
        self.in_no_tenant(|connection, now| {
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

    /// Whether the tenant has anything left: an integration, a device, a snapshot or an event.
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
        let deleted: i32 =
            diesel::select(delete_old_events(tx.tenant.as_str())).get_result(tx.connection)?;
        return Ok(usize::try_from(deleted).unwrap_or_default());
    };
    let statement = diesel::sql_query(sql).bind::<Text, _>(tx.tenant.as_str());
    Ok(statement
        .bind::<Integer, _>(batch())
        .bind::<Timestamptz, _>(tx.now)
        .execute(tx.connection)?)
}

fn batch() -> i32 {
    i32::try_from(BATCH).unwrap_or(i32::MAX)
}
