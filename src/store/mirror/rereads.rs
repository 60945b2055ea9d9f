//! Re-reads of single devices: requested ones, and devices that wait for a sign-in or whose users are
//! incomplete in lists.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::mirror::records::LIST_USER_LIMIT;
use crate::model::{
    Job, MirrorRecord, OktaDevice, OktaDeviceUser, RateBucket, RereadReason, Source,
};
use crate::store::mirror::merge::{change, lock, mark_not_found, merge};
use crate::store::schema::okta_rereads;
use crate::store::{Store, StoreError, Tx, mirror::budgets};

/// A requested re-read that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReread {
    pub okta_device_id: String,
    /// `None` for a reason that only a later release knows.
    pub reason: Option<RereadReason>,
    asked_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = okta_rereads)]
struct DueRow {
    okta_device_id: String,
    reason: String,
    asked_at: DateTime<Utc>,
}

impl From<DueRow> for DueReread {
    fn from(DueRow { okta_device_id, reason, asked_at }: DueRow) -> Self {
        Self { okta_device_id, reason: reason.parse().ok(), asked_at }
    }
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Text)]
    okta_device_id: String,
}

#[derive(QueryableByName)]
struct NextRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    millis: Option<i64>,
}

/// Devices with a delivered configuration and no managed user yet, and devices whose users are incomplete
/// in lists. Those whose users were never read, or longest ago, come first. Managed and unmanaged devices
/// alternate, so that neither starve the other.
const PENDING: &str = "\
    WITH due AS ( \
        SELECT o.okta_device_id, o.any_managed, \
               row_number() OVER (PARTITION BY o.any_managed \
                   ORDER BY o.users_read_at NULLS FIRST, o.okta_device_id) AS place \
          FROM okta_devices o \
         WHERE o.tenant_id = $1 AND o.integration_id = $2 AND o.not_found_at IS NULL \
           AND (NOT o.any_managed OR NOT o.users_known OR o.users_observed_at IS NOT NULL \
                OR o.use_seen_at > coalesce(o.users_read_at, '-infinity')) \
           AND (o.users_read_at IS NULL OR o.users_read_at < $5 - $3 * interval '1 millisecond') \
           AND (o.users_put_off_until IS NULL OR o.users_put_off_until < $5) \
           AND (NOT o.users_known \
                OR o.users_observed_at < $5 - $3 * interval '1 millisecond' \
                OR (o.use_seen_at > coalesce(o.users_read_at, '-infinity') AND ( \
                    o.identity_changed_at > o.created_at \
                    OR EXISTS (SELECT 1 FROM devices d WHERE d.tenant_id = $1 AND d.living \
                           AND (d.okta_device_id = o.okta_device_id OR d.udid = o.udid \
                                OR d.serial_number = o.serial_number) \
                           AND greatest(d.left_at + interval '5 minutes', d.enrolled_since, \
                                        d.last_enrolled_at) > o.created_at))) \
                OR (o.observed_at < $5 - $3 * interval '1 millisecond' AND o.status = 'ACTIVE' \
                    AND NOT o.any_managed \
                    AND EXISTS (SELECT 1 FROM devices d JOIN device_deliveries v USING (tenant_id, serial_number) \
                         WHERE d.tenant_id = $1 AND (d.deleted_at IS NULL OR d.deleted_at < d.reported_at) \
                           AND v.integration_id = $2 AND v.config_version IS NOT NULL \
                           AND (d.okta_device_id = o.okta_device_id OR d.udid = o.udid \
                                OR d.serial_number = o.serial_number))))) \
    SELECT okta_device_id FROM due ORDER BY place LIMIT $4";

/// Requests a read by id of records that count only once they are used in the device's present life, and
/// whose lists are truncated or omit the users. A use is a difference between two reads that show all
/// users. The first of them cannot be a read of the users only.
const REQUEST_UNCOMPARED: &str = "\
    INSERT INTO okta_rereads (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
    SELECT $1, $2, o.okta_device_id, 'unconfirmed', $5, $5 FROM okta_devices o \
     WHERE o.tenant_id = $1 AND o.integration_id = $2 AND o.not_found_at IS NULL \
       AND o.removed_at IS NULL AND o.status = 'ACTIVE' AND o.any_managed \
       AND o.use_base_updated_at IS NULL \
       AND (o.users_observed_at IS NOT NULL OR jsonb_array_length(o.users) >= $6) \
       AND (o.read_by_id_at IS NULL OR o.read_by_id_at < $5 - $3 * interval '1 millisecond') \
       AND EXISTS (SELECT 1 FROM devices d WHERE d.tenant_id = $1 AND d.living \
               AND (d.okta_device_id = o.okta_device_id OR d.udid = o.udid \
                    OR d.serial_number = o.serial_number) \
               AND greatest(d.left_at + interval '5 minutes', d.enrolled_since, d.last_enrolled_at) \
                   > greatest(o.created_at, o.used_at)) \
     ORDER BY o.okta_device_id LIMIT $4 \
    ON CONFLICT (tenant_id, integration_id, okta_device_id) DO NOTHING";

const NEXT_DUE: &str = "\
    SELECT greatest(0, (extract(epoch FROM min(due_at) - $3) * 1000))::bigint AS millis \
      FROM okta_rereads WHERE tenant_id = $1 AND integration_id = $2";

/// A failed read is postponed, so that it does not delay the others.
const POSTPONE_USERS: &str = "\
    UPDATE okta_devices SET users_put_off_until = $5 + $4 * interval '1 millisecond' \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3";
const POSTPONE_DEVICE: &str = "\
    UPDATE okta_rereads SET due_at = $5 + $4 * interval '1 millisecond' \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3";

/// Not if a read has shown the record since it was requested. The row stays, because the identifiers and
/// `created_at` of a removed record are still needed.
const MARK_REMOVED: &str = "\
    UPDATE okta_devices SET removed_at = $5 \
     WHERE removed_at IS NULL AND tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3 AND observed_at <= $4";

/// The result of a read by ID.
#[derive(Debug, Clone)]
pub struct Read<T> {
    pub value: T,
    /// When the read began, by the store's clock.
    pub read_at: DateTime<Utc>,
    pub org_id: String,
    /// The org's rate limit in requests per minute, from Okta's response.
    pub limit: Option<u32>,
}

impl Store {
    /// Returns the requested re-reads that are due: those of hooks first, because the device has just
    /// changed, then by due time. Before that, requests a re-read of records that wait for a use which no
    /// list can show, unless they were read within `not_read_for`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn list_due_rereads(
        &self,
        job: &Job,
        lease: Duration,
        not_read_for: Duration,
        limit: i64,
    ) -> Result<Vec<DueReread>, StoreError> {
        self.in_job(job, lease, move |tx, job| {
            use okta_rereads as r;
            diesel::sql_query(REQUEST_UNCOMPARED)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<BigInt, _>(millis(not_read_for))
                .bind::<BigInt, _>(limit)
                .bind::<Timestamptz, _>(tx.now)
                .bind::<BigInt, _>(i64::try_from(LIST_USER_LIMIT).unwrap_or(i64::MAX))
                .execute(tx.connection)?;
            let due = r::table
                .filter(r::tenant_id.eq(tx.tenant.as_str()))
                .filter(r::integration_id.eq(job.integration.0))
                .filter(r::due_at.le(tx.now));
            let rows: Vec<DueRow> = due
                .order((r::reason.ne(RereadReason::Hook.as_str()), r::due_at, r::okta_device_id))
                .limit(limit)
                .select(DueRow::as_select())
                .load(tx.connection)?;
            Ok(rows.into_iter().map(DueReread::from).collect())
        })
        .await
    }

    /// Returns devices that wait for a sign-in or whose users are not known, and that were not read for
    /// `not_read_for`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn list_pending_devices(
        &self,
        job: &Job,
        lease: Duration,
        not_read_for: Duration,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        self.in_job(job, lease, move |tx, job| {
            let rows: Vec<IdRow> = diesel::sql_query(PENDING)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<BigInt, _>(millis(not_read_for))
                .bind::<BigInt, _>(limit)
                .bind::<Timestamptz, _>(tx.now)
                .load(tx.connection)?;
            Ok(rows.into_iter().map(|row| row.okta_device_id).collect())
        })
        .await
    }

    /// Returns the time until the next requested re-read is due; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_reread(&self, job: &Job) -> Result<Option<Duration>, StoreError> {
        let integration = job.integration;
        self.in_tenant(&job.tenant, move |tx| {
            let row: NextRow = diesel::sql_query(NEXT_DUE)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(integration.0)
                .bind::<Timestamptz, _>(tx.now)
                .get_result(tx.connection)?;
            Ok(row.millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis))
        })
        .await
    }

    /// Saves a device that was read by ID.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn save_reread(
        &self,
        job: &Job,
        lease: Duration,
        request: &DueReread,
        read: Read<OktaDevice>,
    ) -> Result<(), StoreError> {
        let request = request.clone();
        self.in_job(job, lease, move |tx, job| {
            let device = std::slice::from_ref(&read.value);
            merge(tx, job.integration, device, Source::Id, read.read_at)?;
            budgets::save_limit(tx, &read.org_id, RateBucket::Devices, read.limit)?;
            delete_handled(tx, job, &request)
        })
        .await
    }

    /// Saves the users of a device, read by its ID. The other columns stay.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn save_device_users(
        &self,
        job: &Job,
        lease: Duration,
        okta_device_id: &str,
        read: Read<Vec<OktaDeviceUser>>,
    ) -> Result<(), StoreError> {
        let id = okta_device_id.to_owned();
        self.in_job(job, lease, move |tx, job| {
            budgets::save_limit(tx, &read.org_id, RateBucket::DeviceUsers, read.limit)?;
            let merged = |record: &MirrorRecord| record.merge_users(&read.value, read.read_at);
            change(tx, job.integration, &[id.as_str()], merged)
        })
        .await
    }

    /// Records that a read by ID, begun at `read_at`, did not find the device. It is removed only if an
    /// accepted sweep did not show it either.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn mark_not_found(
        &self,
        job: &Job,
        lease: Duration,
        okta_device_id: &str,
        read_at: DateTime<Utc>,
        request: Option<&DueReread>,
    ) -> Result<(), StoreError> {
        let (id, request) = (okta_device_id.to_owned(), request.cloned());
        self.in_job(job, lease, move |tx, job| {
            lock(tx, job.integration)?;
            let is_missing = |request: &&DueReread| request.reason == Some(RereadReason::Missing);
            if let Some(missing) = request.as_ref().filter(is_missing) {
                diesel::sql_query(MARK_REMOVED)
                    .bind::<Text, _>(tx.tenant.as_str())
                    .bind::<SqlUuid, _>(job.integration.0)
                    .bind::<Text, _>(&id)
                    .bind::<Timestamptz, _>(missing.asked_at)
                    .bind::<Timestamptz, _>(read_at)
                    .execute(tx.connection)?;
            }
            mark_not_found(tx, job.integration, &id, read_at)?;
            match &request {
                Some(request) => delete_handled(tx, job, request),
                None => Ok(()),
            }
        })
        .await
    }

    /// Postpones a device that could not be read; `requested` for a requested re-read.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn postpone(
        &self,
        job: &Job,
        lease: Duration,
        okta_device_id: &str,
        requested: bool,
        wait: Duration,
    ) -> Result<(), StoreError> {
        let id = okta_device_id.to_owned();
        self.in_job(job, lease, move |tx, job| {
            diesel::sql_query(if requested { POSTPONE_DEVICE } else { POSTPONE_USERS })
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<Text, _>(&id)
                .bind::<BigInt, _>(millis(wait))
                .bind::<Timestamptz, _>(tx.now)
                .execute(tx.connection)?;
            Ok(())
        })
        .await
    }
}

/// Deletes a handled request, unless it was repeated in the meantime, which increases its `asked_at`.
fn delete_handled(tx: &mut Tx<'_>, job: &Job, request: &DueReread) -> Result<(), StoreError> {
    use okta_rereads as r;
    let key = (tx.tenant.as_str(), job.integration.0, request.okta_device_id.as_str());
    let handled = r::table.find(key).filter(r::asked_at.eq(request.asked_at));
    diesel::delete(handled).execute(tx.connection)?;
    Ok(())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
