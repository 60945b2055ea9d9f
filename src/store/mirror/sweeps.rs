//! Sweeps, page by page. The devices of a page, the page itself and the cursor of the next one are saved in
//! one transaction that renews the job's lease: a replica that is killed loses nothing, and one that lost
//! its lease changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::model::mirror::sweeps::SweepVerdict;
use crate::model::{
    ExpectedVersion, Finding, IntegrationId, IntegrationRecord, Job, JobKind, RateBucket, ReadPage,
    Source, TenantId,
};
use crate::store::mirror::merge::{Merged, merge};
use crate::store::mirror::okta_devices::has_managed_user;
use crate::store::mirror::sweep_completion::{EndedSweep, complete, delete_pages};
use crate::store::record::{Change, upsert_findings};
use crate::store::schema::{okta_sweep_pages, okta_syncs};
use crate::store::{Store, StoreError, Tx, jobs, mirror::budgets};

/// The position of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCursor {
    pub sweep_id: i64,
    /// The number of saved pages.
    pub page: i32,
    /// The URL of the next page, without scheme and host; `None` for the first.
    pub cursor: Option<String>,
}

/// The result of saving a page of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepStep {
    Continue(SweepCursor),
    /// It was the last page, and the sweep was accepted.
    Complete {
        took: Duration,
    },
    /// It was the last page, and the sweep was rejected because it has too few records.
    Shrunk {
        took: Duration,
        shown: i64,
        expected: i64,
    },
    /// The list does not end; the sweep was aborted.
    Endless,
}

type AtRow = (i64, i32, Option<String>, Option<DateTime<Utc>>);

/// The sync row of the job's integration.
macro_rules! sync_row {
    ($job:expr) => {
        okta_syncs::table.find(($job.tenant.as_str(), $job.integration.0))
    };
}

impl Store {
    /// Starts a sweep, or returns the position of the running one.
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
            diesel::update(sync_row!(job).filter(s::sweep_started_at.is_null()))
                .set((
                    s::sweep_id.eq(s::sweep_id + 1),
                    s::sweep_started_at.eq(tx.now),
                    s::sweep_cursor.eq(None::<String>),
                    s::sweep_page.eq(0),
                    s::sweep_done.eq(0),
                ))
                .execute(tx.connection)?;
            let row: (i64, i32, Option<String>) = sync_row!(job)
                .select((s::sweep_id, s::sweep_page, s::sweep_cursor))
                .first(tx.connection)?;
            Ok(SweepCursor { sweep_id: row.0, page: row.1, cursor: row.2 })
        })
        .await
    }

    /// Saves a page of a sweep. The last page completes the sweep and requests re-reads of the records that
    /// no page showed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], also if the sweep is no longer at this page;
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
                // The last page requests re-reads. Same lock order as the worker that handles them: their
                // job before any device.
                jobs::lock(tx, job.integration, JobKind::Rereads)?;
            }
            let now: AtRow = sync_row!(job)
                .select((s::sweep_id, s::sweep_page, s::sweep_cursor, s::sweep_started_at))
                .for_no_key_update()
                .first(tx.connection)?;
            let (sweep_id, number, _, Some(_)) = now else { return Err(StoreError::LeaseLost) };
            if (sweep_id, number) != (at.sweep_id, at.page) {
                return Err(StoreError::LeaseLost);
            }
            let merged = merge(tx, job.integration, &page.devices, Source::Sweep, page.read_at)?;
            budgets::save_limit(tx, &page.org_id, RateBucket::Devices, page.limit)?;
            insert_page(tx, job, &at, &page, &merged)?;
            advance(tx, job, &at, &page)?;
            if page.next.is_some() {
                if is_endless(tx, job, sweep_id, &page)? {
                    abort_sweep(tx, job)?;
                    return Ok(SweepStep::Endless);
                }
                let at = SweepCursor { sweep_id, page: number + 1, cursor: page.next.clone() };
                return Ok(SweepStep::Continue(at));
            }
            let EndedSweep { counts, took, rereads_requested } = complete(tx, job, sweep_id)?;
            if rereads_requested {
                jobs::enqueue(tx, job.integration, JobKind::Rereads)?;
            }
            Ok(match counts.verdict() {
                SweepVerdict::Accepted { .. } => SweepStep::Complete { took },
                SweepVerdict::Shrunk { .. } => SweepStep::Shrunk {
                    took,
                    shown: counts.shown,
                    expected: counts.expected.unwrap_or_default(),
                },
            })
        })
        .await
    }

    /// Aborts a sweep without removing records. The next one starts at the first page.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn restart_sweep(&self, job: &Job, lease: Duration) -> Result<(), StoreError> {
        self.in_job(job, lease, abort_sweep).await
    }

    /// Records the effects of a complete sweep on the status: the org is no longer overdue, and a managed
    /// user proves the finding `if_managed`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn record_sweep_completion(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        if_managed: Finding,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, move |tx, before| {
            // Once proved, the finding stays, so the lookup is skipped.
            let known = before.finding(if_managed.kind);
            if known.is_none_or(|known| known.outcome != if_managed.outcome)
                && has_managed_user(tx, id)?
            {
                upsert_findings(tx, id, std::slice::from_ref(&if_managed))?;
            }
            Ok(Change::State)
        })
        .await
    }
}

fn abort_sweep(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    use okta_syncs as s;
    diesel::update(sync_row!(job))
        .set((s::sweep_started_at.eq(None::<DateTime<Utc>>), s::sweep_cursor.eq(None::<String>)))
        .execute(tx.connection)?;
    delete_pages(tx, job)
}

/// The `sweep_id` of pages of incremental reads. Sweeps count from 1.
pub(super) const CHANGES: i64 = 0;

/// After this many consecutive empty pages the list is considered endless.
const MAX_EMPTY_PAGES: i64 = 20;

/// Returns whether the next page was read before, or the last pages were all empty.
pub(super) fn is_endless(
    tx: &mut Tx<'_>,
    job: &Job,
    sweep_id: i64,
    page: &ReadPage,
) -> Result<bool, StoreError> {
    use okta_sweep_pages as p;
    let pages = p::table
        .filter(p::tenant_id.eq(tx.tenant.as_str()).and(p::integration_id.eq(job.integration.0)))
        .filter(p::sweep_id.eq(sweep_id));
    let seen = pages.filter(p::cursor.eq(&page.next));
    if diesel::select(diesel::dsl::exists(seen)).get_result(tx.connection)? {
        return Ok(true);
    }
    if !page.devices.is_empty() {
        return Ok(false);
    }
    let last: Vec<Vec<Option<String>>> = pages
        .order(p::page.desc())
        .limit(MAX_EMPTY_PAGES)
        .select(p::okta_device_ids)
        .load(tx.connection)?;
    let many = i64::try_from(last.len()).unwrap_or(i64::MAX) >= MAX_EMPTY_PAGES;
    Ok(many && last.iter().all(Vec::is_empty))
}

/// Saves that a page was read, and what it showed.
pub(super) fn insert_page(
    tx: &mut Tx<'_>,
    job: &Job,
    at: &SweepCursor,
    page: &ReadPage,
    merged: &Merged,
) -> Result<(), StoreError> {
    use okta_sweep_pages as p;
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(job.tenant.as_str()),
            p::integration_id.eq(job.integration.0),
            p::sweep_id.eq(at.sweep_id),
            p::page.eq(at.page),
            p::okta_device_ids.eq(page.devices.iter().map(|device| &device.id).collect::<Vec<_>>()),
            p::read_at.eq(page.read_at),
            p::cursor.eq(&at.cursor),
            p::with_users.eq(i32::try_from(merged.with_users).unwrap_or(i32::MAX)),
            p::emptied_ids.eq(merged.emptied.iter().collect::<Vec<_>>()),
        ))
        .execute(tx.connection)?;
    Ok(())
}

fn advance(
    tx: &mut Tx<'_>,
    job: &Job,
    at: &SweepCursor,
    page: &ReadPage,
) -> Result<(), StoreError> {
    use okta_syncs as s;
    let rows = i64::try_from(page.devices.len()).unwrap_or(i64::MAX);
    diesel::update(sync_row!(job))
        .set((
            s::sweep_cursor.eq(&page.next),
            s::sweep_page.eq(s::sweep_page + 1),
            s::sweep_done.eq(s::sweep_done + rows),
            s::waiting_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(tx.connection)?;
    if at.page == 0 {
        // Incremental reads start from here, once the first sweep is accepted.
        let first = sync_row!(job).filter(s::swept_at.is_null());
        diesel::update(first).set(s::read_began_at.eq(page.at)).execute(tx.connection)?;
    }
    Ok(())
}
