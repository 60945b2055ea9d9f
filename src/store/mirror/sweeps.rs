//! Sweeps and incremental reads, page by page. What a page showed, that it was read, and where the
//! next one is, are kept in one transaction that holds the job's lease: a replica that is killed loses
//! nothing, and one that lost its lease changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{
    Finding, IntegrationId, IntegrationRecord, Job, JobKind, RateBucket, ReadPage, TenantId,
};
use crate::store::mirror::merge::{Source, merge};
use crate::store::mirror::okta_devices::has_managed_user;
use crate::store::record::{Change, upsert_findings};
use crate::store::schema::{okta_sweep_pages, okta_syncs};
use crate::store::session::set_config;
use crate::store::{Store, StoreError, Tx, jobs, mirror::budgets};

/// Where a sweep goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCursor {
    pub sweep_id: i64,
    /// Pages that are done.
    pub page: i32,
    /// The address of the next page, without scheme and host; `None` for the first.
    pub cursor: Option<String>,
}

/// What a page of a sweep led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepStep {
    GoOn(SweepCursor),
    /// It was the last page; how long the sweep took.
    Complete {
        took: Duration,
    },
}

type AtRow = (i64, i32, Option<String>, Option<DateTime<Utc>>);

/// The sync row of the job's integration.
macro_rules! mine {
    ($job:expr) => {
        okta_syncs::table.find(($job.tenant.as_str(), $job.integration.0))
    };
}

impl Store {
    /// Begins a sweep, or finds where the present one goes on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn begin_sweep(&self, job: &Job, lease: Duration) -> Result<SweepCursor, StoreError> {
        self.in_job(job, lease, move |tx, job| {
            use okta_syncs as s;
            diesel::insert_into(s::table)
                .values((
                    s::tenant_id.eq(job.tenant.as_str()),
                    s::integration_id.eq(job.integration.0),
                ))
                .on_conflict_do_nothing()
                .execute(tx.connection)?;
            diesel::update(mine!(job).filter(s::sweep_started_at.is_null()))
                .set((
                    s::sweep_id.eq(s::sweep_id + 1),
                    s::sweep_started_at.eq(tx.now),
                    s::sweep_cursor.eq(None::<String>),
                    s::sweep_page.eq(0),
                    s::sweep_done.eq(0),
                ))
                .execute(tx.connection)?;
            let row: (i64, i32, Option<String>) = mine!(job)
                .select((s::sweep_id, s::sweep_page, s::sweep_cursor))
                .first(tx.connection)?;
            Ok(SweepCursor { sweep_id: row.0, page: row.1, cursor: row.2 })
        })
        .await
    }

    /// Keeps a page of a sweep. With the last one the sweep is complete, and what no page of it
    /// showed is asked for by id.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], also when the sweep is no longer at this page;
    /// [`StoreError::Unavailable`].
    pub async fn save_sweep_page(
        &self,
        job: &Job,
        lease: Duration,
        at: &SweepCursor,
        page: ReadPage,
    ) -> Result<SweepStep, StoreError> {
        let at = at.clone();
        self.in_job(job, lease, move |tx, job| {
            use okta_syncs as s;
            if page.next.is_none() {
                // The last page asks for rereads: who does those holds their job before any device.
                jobs::lock(tx, job.integration, JobKind::Rereads)?;
            }
            let now: AtRow = mine!(job)
                .select((s::sweep_id, s::sweep_page, s::sweep_cursor, s::sweep_started_at))
                .for_update()
                .first(tx.connection)?;
            let (sweep_id, number, _, Some(_)) = now else { return Err(StoreError::LeaseLost) };
            if (sweep_id, number) != (at.sweep_id, at.page) {
                return Err(StoreError::LeaseLost);
            }
            merge(
                tx.connection,
                tx.tenant,
                job.integration,
                &page.devices,
                Source::Sweep,
                page.read_at,
            )?;
            budgets::learn(tx, &page.org_id, RateBucket::Devices, page.limit)?;
            record_page(tx, job, &at, &page)?;
            if page.next.is_some() {
                let at = SweepCursor { sweep_id, page: number + 1, cursor: page.next.clone() };
                return Ok(SweepStep::GoOn(at));
            }
            complete(tx, job, sweep_id)
        })
        .await
    }

    /// Gives a sweep up, with nothing removed because of it: the next one begins at the first page.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn restart_sweep(&self, job: &Job, lease: Duration) -> Result<(), StoreError> {
        self.in_job(job, lease, move |tx, job| {
            use okta_syncs as s;
            diesel::update(mine!(job))
                .set((
                    s::sweep_started_at.eq(None::<DateTime<Utc>>),
                    s::sweep_cursor.eq(None::<String>),
                ))
                .execute(tx.connection)?;
            forget_pages(tx, job)
        })
        .await
    }

    /// Notes what a complete sweep has brought about: an org that was overdue is so no more, and a
    /// managed user shows what `if_managed` says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn record_sweep_completion(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        if_managed: Finding,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, None, move |tx, before| {
            // What was shown once stays so; to look for it again after each sweep would be for nothing.
            let known = before.finding(if_managed.kind);
            if known.is_none_or(|known| known.outcome != if_managed.outcome)
                && has_managed_user(tx, id)?
            {
                upsert_findings(tx, id, std::slice::from_ref(&if_managed))?;
            }
            Ok(Change::Knowledge)
        })
        .await
    }
}

fn record_page(
    tx: &mut Tx<'_>,
    job: &Job,
    at: &SweepCursor,
    page: &ReadPage,
) -> Result<(), StoreError> {
    use okta_sweep_pages as p;
    use okta_syncs as s;
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(job.tenant.as_str()),
            p::integration_id.eq(job.integration.0),
            p::sweep_id.eq(at.sweep_id),
            p::page.eq(at.page),
            p::okta_device_ids.eq(page.devices.iter().map(|device| &device.id).collect::<Vec<_>>()),
        ))
        .execute(tx.connection)?;
    let rows = i64::try_from(page.devices.len()).unwrap_or(i64::MAX);
    diesel::update(mine!(job))
        .set((
            s::sweep_cursor.eq(&page.next),
            s::sweep_page.eq(s::sweep_page + 1),
            s::sweep_done.eq(s::sweep_done + rows),
            s::waiting_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(tx.connection)?;
    if at.page == 0 {
        // Where incremental reads begin, once the first sweep is complete.
        let first = mine!(job).filter(s::swept_at.is_null());
        diesel::update(first).set(s::read_began_at.eq(page.at)).execute(tx.connection)?;
    }
    Ok(())
}

/// How a sweep ends goes through all devices of the org. An integration's share of the tables is
/// underestimated as long as they were not analysed since it came, and a nested loop would then take
/// longer than a statement may.
const NESTED_LOOPS: &str = "enable_nestloop";

/// What was in no page is not gone yet: a page may have shifted while it was read, or its row could not
/// be read. It is asked for by id, and only a 404 removes it. A repeated request always moves `asked_at`, so
/// that a worker which handles the earlier one does not delete it.
const ASK_FOR_MISSING: &str = "\
    INSERT INTO okta_rereads AS r \
           (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
    SELECT d.tenant_id, d.integration_id, d.okta_device_id, 'missing', $4, $4 \
      FROM okta_devices d \
      JOIN okta_syncs s USING (tenant_id, integration_id) \
     WHERE d.tenant_id = $1 AND d.integration_id = $2 AND d.observed_at < s.sweep_started_at \
       AND NOT EXISTS (SELECT 1 FROM (SELECT unnest(okta_device_ids) AS id FROM okta_sweep_pages \
                WHERE tenant_id = $1 AND integration_id = $2 AND sweep_id = $3) AS seen \
             WHERE seen.id = d.okta_device_id) \
     ORDER BY d.okta_device_id \
    ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
       SET reason = 'missing', due_at = least(r.due_at, excluded.due_at), \
           asked_at = greatest(excluded.asked_at, r.asked_at + interval '1 microsecond')";

/// A list shows what was gone when it was asked for by its id, or shows it otherwise: one of the two lags
/// behind.
const ASK_FOR_CONTRADICTED: &str = "\
    INSERT INTO okta_rereads \
           (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
    SELECT d.tenant_id, d.integration_id, d.okta_device_id, 'hook', $4, $4 \
      FROM okta_devices d \
      JOIN (SELECT unnest(okta_device_ids) AS id FROM okta_sweep_pages \
             WHERE tenant_id = $1 AND integration_id = $2 AND sweep_id = $3) AS seen \
           ON seen.id = d.okta_device_id \
      JOIN okta_syncs s ON s.tenant_id = d.tenant_id AND s.integration_id = d.integration_id \
     WHERE d.tenant_id = $1 AND d.integration_id = $2 \
       AND (d.not_found_at IS NOT NULL \
            OR (NOT d.follows_sweeps AND d.observed_at < s.sweep_started_at)) \
     ORDER BY d.okta_device_id \
    ON CONFLICT (tenant_id, integration_id, okta_device_id) DO NOTHING";

/// Until then it is not as fresh as the sweep that did not show it.
const HOLD_BACK: &str = "\
    UPDATE okta_devices d SET follows_sweeps = false, observed_at = greatest(d.observed_at, s.swept_at) \
      FROM okta_rereads r, okta_syncs s \
     WHERE d.tenant_id = $1 AND d.integration_id = $2 AND d.follows_sweeps \
       AND r.tenant_id = $1 AND r.integration_id = $2 AND r.okta_device_id = d.okta_device_id \
       AND r.reason = 'missing' AND s.tenant_id = $1 AND s.integration_id = $2";

const COMPLETE: &str = "\
    UPDATE okta_syncs AS s \
       SET read_until = CASE WHEN s.swept_at IS NOT NULL THEN s.read_until ELSE ( \
               SELECT least(s.read_began_at, max(last_updated_at)) FROM okta_devices \
                WHERE tenant_id = $1 AND integration_id = $2 HAVING max(last_updated_at) IS NOT NULL) END, \
           read_began_at = CASE WHEN s.swept_at IS NOT NULL THEN s.read_began_at END, \
           swept_at = s.sweep_started_at, sweep_started_at = NULL, sweep_cursor = NULL, \
           sweep_completed_at = $4, last_success_at = $4, waiting_until = NULL, \
           last_error_code = NULL, last_error_detail = NULL, last_error_at = NULL, \
           device_count = (SELECT count(DISTINCT id) FROM okta_sweep_pages p, \
                unnest(p.okta_device_ids) AS id \
                WHERE p.tenant_id = $1 AND p.integration_id = $2 AND p.sweep_id = $3) \
     WHERE s.tenant_id = $1 AND s.integration_id = $2 \
 RETURNING (extract(epoch FROM $4 - s.swept_at) * 1000)::bigint AS took_ms";

#[derive(QueryableByName)]
struct TookRow {
    #[diesel(sql_type = BigInt)]
    took_ms: i64,
}

fn complete(tx: &mut Tx<'_>, job: &Job, sweep_id: i64) -> Result<SweepStep, StoreError> {
    diesel::select(set_config(NESTED_LOOPS, "off", true)).execute(tx.connection)?;
    let now = tx.now;
    let of_sweep = |sql: &'static str| {
        diesel::sql_query(sql)
            .bind::<Text, _>(job.tenant.as_str().to_owned())
            .bind::<SqlUuid, _>(job.integration.0)
            .bind::<BigInt, _>(sweep_id)
            .bind::<Timestamptz, _>(now)
    };
    let missing = of_sweep(ASK_FOR_MISSING).execute(tx.connection)?;
    if missing > 0 {
        diesel::sql_query(HOLD_BACK)
            .bind::<Text, _>(tx.tenant.as_str())
            .bind::<SqlUuid, _>(job.integration.0)
            .execute(tx.connection)?;
    }
    if missing + of_sweep(ASK_FOR_CONTRADICTED).execute(tx.connection)? > 0 {
        jobs::enqueue(tx, job.integration, JobKind::Rereads)?;
    }
    let row: TookRow = of_sweep(COMPLETE).get_result(tx.connection)?;
    forget_pages(tx, job)?;
    let took = Duration::from_millis(u64::try_from(row.took_ms).unwrap_or(0));
    Ok(SweepStep::Complete { took })
}

fn forget_pages(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    use okta_sweep_pages as p;
    let all = p::table
        .filter(p::tenant_id.eq(job.tenant.as_str()).and(p::integration_id.eq(job.integration.0)));
    diesel::delete(all).execute(tx.connection)?;
    Ok(())
}
