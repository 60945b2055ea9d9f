//! Work as rows. A job is claimed with a lease, by PostgreSQL's clock, so replicas need not agree on
//! the time; an expired lease may be claimed by any replica, so a killed one loses nothing. No customer
//! data is in the table: a worker claims a job and then works as its tenant.
//!
//! Whether a job was requested again while it ran is decided by `requested_at > claimed_at`. A
//! transaction's time may be older than a row that it had to wait for, so each of the two is set to
//! the later of that time and the other column: a request later than the claim that it finds, a claim
//! no earlier than the request that it serves. The order is that of the row's lock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use strum::VariantArray;
use uuid::Uuid;

use crate::model::ids::new_row_id;
use crate::model::{ClaimedJob, IntegrationId, Job, JobKind, TenantId};
use crate::store::schema::{jobs, tenants};
use crate::store::{Store, StoreError, Tx};

#[derive(QueryableByName)]
struct JobRow {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = SqlUuid)]
    integration_id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// When a job is due and whether it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobState {
    pub run_at: DateTime<Utc>,
    /// A worker holds its lease.
    pub running: bool,
}

/// How an attempt at a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOutcome {
    /// When it is due again, unless it was requested in the meantime: then it is due at once.
    pub next_in: Duration,
    pub failed: bool,
}

/// Spans tenants: a worker does not know yet for which tenant it will work.
const CLAIM: &str = "\
    UPDATE jobs SET lease_id = $1, claimed_at = greatest($4, requested_at), \
           lease_until = $4 + $2 * interval '1 millisecond' \
     WHERE (tenant_id, integration_id, kind) = ( \
           SELECT tenant_id, integration_id, kind FROM jobs \
            WHERE run_at <= $4 AND (lease_until IS NULL OR lease_until < $4) \
              AND kind = ANY($3) \
            ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED) \
 RETURNING tenant_id, integration_id, kind, attempts";

const FINISH: &str = "\
    UPDATE jobs SET lease_id = NULL, lease_until = NULL, \
           attempts = CASE WHEN $4 THEN attempts + 1 ELSE 0 END, \
           run_at = CASE WHEN requested_at > claimed_at THEN $3 \
                         ELSE $3 + $5 * interval '1 millisecond' END \
     WHERE tenant_id = $1 AND lease_id = $2";

const ENQUEUE: &str = "\
    INSERT INTO jobs AS j (tenant_id, integration_id, kind, run_at, requested_at) \
         VALUES ($1, $2, $3, $4, $4) \
    ON CONFLICT (tenant_id, integration_id, kind) DO UPDATE \
            SET requested_at = greatest($4, j.claimed_at + interval '1 microsecond'), \
                run_at = least(j.run_at, $4)";

const MAKE_DUE: &str = "\
    UPDATE jobs SET requested_at = greatest($4, claimed_at + interval '1 microsecond'), \
           run_at = least(run_at, $4) \
     WHERE tenant_id = $1 AND integration_id = $2 AND kind = $3";

const MAKE_DUE_IF_IDLE: &str = "\
    UPDATE jobs SET requested_at = greatest($4, claimed_at + interval '1 microsecond'), \
           run_at = least(run_at, $4) \
     WHERE tenant_id = $1 AND integration_id = $2 AND kind = $3 \
       AND (lease_until IS NULL OR lease_until < $4)";

const RENEW: &str = "\
    UPDATE jobs SET lease_until = $3 + $4 * interval '1 millisecond' \
     WHERE tenant_id = $1 AND lease_id = $2";

impl Store {
    /// Claims the job that has been due the longest, with a lease of `lease`. Claims only kinds that
    /// this release knows, so that jobs of a newer one do not block the queue.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_job(&self, lease: Duration) -> Result<Option<ClaimedJob>, StoreError> {
        self.without_tenant(move |connection, now| {
            let id = new_row_id(now);
            let row: Option<JobRow> = diesel::sql_query(CLAIM)
                .bind::<SqlUuid, _>(id)
                .bind::<BigInt, _>(millis(lease))
                .bind::<Array<Text>, _>(
                    JobKind::VARIANTS.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
                )
                .bind::<Timestamptz, _>(now)
                .get_result(connection)
                .optional()?;
            row.map(|row| to_job(&row, id)).transpose()
        })
        .await
    }

    /// Releases a job and sets when it is due again. A job whose lease was lost stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_job(&self, job: &ClaimedJob, outcome: JobOutcome) -> Result<(), StoreError> {
        let lease = job.lease;
        self.in_tenant(&job.tenant, move |tx| {
            diesel::sql_query(FINISH)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(lease)
                .bind::<Timestamptz, _>(tx.now)
                .bind::<Bool, _>(outcome.failed)
                .bind::<BigInt, _>(millis(outcome.next_in))
                .execute(tx.connection)?;
            Ok(())
        })
        .await
    }

    /// Deletes a claimed job, unless it was requested again in the meantime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_job(&self, job: &Job) -> Result<(), StoreError> {
        let lease = job.lease;
        self.in_tenant(&job.tenant, move |tx| {
            let claimed = jobs::table
                .filter(jobs::tenant_id.eq(tx.tenant.as_str()))
                .filter(jobs::lease_id.eq(lease));
            let requested_before = jobs::requested_at.nullable().le(jobs::claimed_at);
            diesel::delete(claimed.filter(requested_before)).execute(tx.connection)?;
            Ok(())
        })
        .await
    }

    /// Runs `work` in a transaction of the job's tenant that renews the job's lease first. Nothing is
    /// stored if the lease was lost.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], what `work` returns, [`StoreError::Unavailable`].
    pub(in crate::store) async fn in_job<I, T, F>(
        &self,
        job: &Job<I>,
        lease: Duration,
        work: F,
    ) -> Result<T, StoreError>
    where
        I: Clone + Send + Sync + 'static,
        T: Send + 'static,
        F: Fn(&mut Tx<'_>, &Job<I>) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let claimed = job.clone();
        self.in_tenant(&job.tenant, move |tx| {
            renew_lease(tx, claimed.lease, lease)?;
            work(tx, &claimed)
        })
        .await
    }
}

/// Returns the value of the key column, which cannot be NULL: a job of the tenant has the nil ID.
fn key_of(id: Option<IntegrationId>) -> Uuid {
    id.map_or(Uuid::nil(), |id| id.0)
}

fn to_job(row: &JobRow, lease: Uuid) -> Result<ClaimedJob, StoreError> {
    Ok(Job {
        tenant: TenantId::parse(&row.tenant_id).ok_or(StoreError::Corrupt("jobs.tenant_id"))?,
        integration: Some(row.integration_id).filter(|id| !id.is_nil()).map(IntegrationId),
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("jobs.kind"))?,
        lease,
        attempts: row.attempts,
    })
}

/// Extends the job's lease.
///
/// # Errors
/// [`StoreError::LeaseLost`] if another replica may have claimed the job.
fn renew_lease(tx: &mut Tx<'_>, id: Uuid, lease: Duration) -> Result<(), StoreError> {
    let renewed = diesel::sql_query(RENEW)
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<SqlUuid, _>(id)
        .bind::<Timestamptz, _>(tx.now)
        .bind::<BigInt, _>(millis(lease))
        .execute(tx.connection)?;
    if renewed == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Makes the job due now, and creates it if there is none. A running one is due again when it ends.
pub(in crate::store) fn enqueue(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    execute(tx, ENQUEUE, Some(id), kind).map(|_| ())
}

/// Makes an existing job due now. A running one is due again when it ends.
pub(in crate::store) fn make_due(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    execute(tx, MAKE_DUE, Some(id), kind).map(|_| ())
}

/// Makes an existing job due now if it is not running, and returns whether it did. No replica can
/// claim it before this transaction ends.
pub(in crate::store) fn make_due_if_idle(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kind: JobKind,
) -> Result<bool, StoreError> {
    Ok(execute(tx, MAKE_DUE_IF_IDLE, Some(id), kind)? == 1)
}

fn execute(
    tx: &mut Tx<'_>,
    sql: &str,
    id: Option<IntegrationId>,
    kind: JobKind,
) -> Result<usize, StoreError> {
    Ok(diesel::sql_query(sql)
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<SqlUuid, _>(key_of(id))
        .bind::<Text, _>(kind.as_str())
        .bind::<Timestamptz, _>(tx.now)
        .execute(tx.connection)?)
}

/// Registers the transaction's tenant and schedules its housekeeping.
pub(in crate::store) fn register_tenant(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let new = diesel::insert_into(tenants::table)
        .values((tenants::id.eq(tx.tenant.as_str()), tenants::created_at.eq(tx.now)))
        .on_conflict_do_nothing()
        .execute(tx.connection)?;
    if new == 1 {
        execute(tx, ENQUEUE, None, JobKind::Housekeeping)?;
    }
    Ok(())
}

/// Enqueues the jobs of an integration that has credentials.
pub(in crate::store) fn enqueue_all(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    JobKind::REQUIRING_CREDENTIALS.iter().try_for_each(|kind| enqueue(tx, id, *kind))
}

/// Deletes an integration's jobs. A worker that holds one loses its lease.
pub(in crate::store) fn delete_all(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    // Same lock order as `enqueue_all`, so the two cannot deadlock.
    JobKind::REQUIRING_CREDENTIALS.iter().try_for_each(|kind| {
        let job = jobs::table.find((tx.tenant.as_str(), id.0, kind.as_str()));
        diesel::delete(job).execute(tx.connection)?;
        Ok(())
    })
}

/// Locks the job's row until the transaction ends, if it exists.
pub(in crate::store) fn lock(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    let job = jobs::table.find((tx.tenant.as_str(), id.0, kind.as_str()));
    job.select(jobs::attempts).for_no_key_update().first::<i32>(tx.connection).optional()?;
    Ok(())
}

/// Returns the state of an integration's job; `None` if it does not exist.
pub(in crate::store) fn find_state(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kind: JobKind,
) -> Result<Option<JobState>, StoreError> {
    let found: Option<(DateTime<Utc>, Option<bool>)> = jobs::table
        .find((tx.tenant.as_str(), id.0, kind.as_str()))
        .select((jobs::run_at, jobs::lease_until.ge(tx.now)))
        .first(tx.connection)
        .optional()?;
    Ok(found.map(|(run_at, leased)| JobState { run_at, running: leased == Some(true) }))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
