//! Work as rows. A job is claimed with a lease, by PostgreSQL's clock, so replicas need not agree on
//! the time; a lease that has ended is anybody's, so a killed replica loses nothing. No customer
//! data is in the table: whoever claims a job then works as its tenant.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use strum::VariantArray;
use uuid::Uuid;

use crate::model::{IntegrationId, Job, JobKind, TenantId};
use crate::store::schema::{jobs, tenants};
use crate::store::{Store, StoreError};

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

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobState {
    pub run_at: DateTime<Utc>,
    /// Somebody holds its lease.
    pub running: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When it is due again, unless somebody asked for it in the meantime: then it is due at once.
    pub next_in: Duration,
    pub failed: bool,
}

impl Store {
    /// Takes the job that is due the longest, and holds it for as long as `lease`. Of kinds that this
    /// release knows: another one's work must not be in the way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_job(&self, lease: Duration) -> Result<Option<Job>, StoreError> {
        self.pool
            .transaction(move |connection| {
                let id = Uuid::now_v7();
                let row: Option<JobRow> = diesel::sql_query(
                    "UPDATE jobs SET lease_id = $1, claimed_at = now(), \
                            lease_until = now() + $2 * interval '1 millisecond' \
                      WHERE (tenant_id, integration_id, kind) = ( \
                            SELECT tenant_id, integration_id, kind FROM jobs \
                             WHERE run_at <= now() AND (lease_until IS NULL OR lease_until < now()) \
                               AND kind = ANY($3) \
                             ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED) \
                  RETURNING tenant_id, integration_id, kind, attempts",
                )
                .bind::<SqlUuid, _>(id)
                .bind::<BigInt, _>(millis(lease))
                .bind::<Array<Text>, _>(JobKind::VARIANTS.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
                .get_result(connection)
                .optional()?;
                row.map(|row| to_job(&row, id)).transpose()
            })
            .await
    }

    /// Gives a job back and says when it is due again. A job that is no longer ours stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_job(&self, job: &Job, ended: Ended) -> Result<(), StoreError> {
        let job = job.clone();
        self.pool
            .transaction(move |connection| {
                diesel::sql_query(
                    "UPDATE jobs SET lease_id = NULL, lease_until = NULL, \
                            attempts = CASE WHEN $2 = 1 THEN attempts + 1 ELSE 0 END, \
                            run_at = CASE WHEN requested_at > claimed_at THEN now() \
                                          ELSE now() + $3 * interval '1 millisecond' END \
                      WHERE lease_id = $1",
                )
                .bind::<SqlUuid, _>(job.lease)
                .bind::<Integer, _>(i32::from(ended.failed))
                .bind::<BigInt, _>(millis(ended.next_in))
                .execute(connection)?;
                Ok(())
            })
            .await
    }

    /// Takes a claimed job away for good, unless somebody asked for it again in the meantime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_job(&self, job: &Job) -> Result<(), StoreError> {
        let lease = job.lease;
        self.pool
            .transaction(move |connection| {
                let asked_before = jobs::requested_at.nullable().le(jobs::claimed_at);
                let mine = jobs::table.filter(jobs::lease_id.eq(lease)).filter(asked_before);
                diesel::delete(mine).execute(connection)?;
                Ok(())
            })
            .await
    }
}

fn to_job(row: &JobRow, lease: Uuid) -> Result<Job, StoreError> {
    Ok(Job {
        tenant: TenantId::parse(&row.tenant_id).ok_or(StoreError::Corrupt("jobs.tenant_id"))?,
        integration: IntegrationId(row.integration_id),
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("jobs.kind"))?,
        lease,
        attempts: row.attempts,
    })
}

/// Makes the job due now, and makes it if there is none. One that runs is due again when it ends.
pub(super) fn request(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    diesel::sql_query(
        "INSERT INTO jobs AS j (tenant_id, integration_id, kind, run_at, requested_at) \
              VALUES ($1, $2, $3, now(), clock_timestamp()) \
         ON CONFLICT (tenant_id, integration_id, kind) DO UPDATE \
                 SET requested_at = clock_timestamp(), run_at = least(j.run_at, now())",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Text, _>(kind.as_str())
    .execute(connection)?;
    Ok(())
}

/// Makes the job due now where there is one. One that runs is due again when it ends.
pub(super) fn hasten(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    diesel::sql_query(
        "UPDATE jobs SET requested_at = clock_timestamp(), run_at = least(run_at, now()) \
          WHERE tenant_id = $1 AND integration_id = $2 AND kind = $3",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Text, _>(kind.as_str())
    .execute(connection)?;
    Ok(())
}

/// Makes the job due now where there is one that nobody is at, and says whether there was. Nobody
/// can claim it before this transaction has ended.
pub(super) fn hasten_idle(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    kind: JobKind,
) -> Result<bool, StoreError> {
    let hastened = diesel::sql_query(
        "UPDATE jobs SET requested_at = clock_timestamp(), run_at = least(run_at, now()) \
          WHERE tenant_id = $1 AND integration_id = $2 AND kind = $3 \
                AND (lease_until IS NULL OR lease_until < now())",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Text, _>(kind.as_str())
    .execute(connection)?;
    Ok(hastened == 1)
}

/// Puts a tenant on the list, and with it begins the work that every tenant has.
pub(super) fn know_tenant(
    connection: &mut PgConnection,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    let new = diesel::insert_into(tenants::table)
        .values(tenants::id.eq(tenant.as_str()))
        .on_conflict_do_nothing()
        .execute(connection)?;
    if new == 1 {
        request(connection, tenant, IntegrationId(Uuid::nil()), JobKind::Housekeeping)?;
    }
    Ok(())
}

/// Begins the work of an integration that was connected.
pub(super) fn request_all(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<(), StoreError> {
    JobKind::OF_CONNECTED.iter().try_for_each(|kind| request(connection, tenant, id, *kind))
}

/// Ends the work of an integration. Who works on it at this moment loses the lease.
pub(super) fn cancel_all(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<(), StoreError> {
    // In the order in which a job asks for another one: neither then waits for the other in a circle.
    JobKind::OF_CONNECTED.iter().try_for_each(|kind| {
        let one = jobs::table.find((tenant.as_str(), id.0, kind.as_str()));
        diesel::delete(one).execute(connection)?;
        Ok(())
    })
}

/// Holds the job's row until the transaction ends, if there is one.
pub(super) fn hold(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    kind: JobKind,
) -> Result<(), StoreError> {
    let one = jobs::table.find((tenant.as_str(), id.0, kind.as_str()));
    one.select(jobs::attempts).for_update().first::<i32>(connection).optional()?;
    Ok(())
}

/// Holds the lease for longer, in the transaction that keeps what was done under it.
///
/// # Errors
/// [`StoreError::LeaseLost`] when the job is no longer ours: nothing of this transaction may stay.
pub(super) fn hold_lease(
    connection: &mut PgConnection,
    job: &Job,
    lease: Duration,
) -> Result<(), StoreError> {
    let held = diesel::sql_query(
        "UPDATE jobs SET lease_until = now() + $2 * interval '1 millisecond' WHERE lease_id = $1",
    )
    .bind::<SqlUuid, _>(job.lease)
    .bind::<BigInt, _>(millis(lease))
    .execute(connection)?;
    if held == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// How a job of an integration stands; `None` when there is none.
pub(super) fn find_state(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    kind: JobKind,
) -> Result<Option<JobState>, StoreError> {
    let found: Option<(DateTime<Utc>, Option<bool>)> = jobs::table
        .find((tenant.as_str(), id.0, kind.as_str()))
        .select((jobs::run_at, jobs::lease_until.ge(diesel::dsl::now)))
        .first(connection)
        .optional()?;
    Ok(found.map(|(run_at, held)| JobState { run_at, running: held == Some(true) }))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
