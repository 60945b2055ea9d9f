//! The state of an org's mirror: incremental reads, errors, and the overview for callers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{
    IntegrationId, IntegrationRecord, Job, JobKind, NewEvent, RateBucket, ReadPage, Source, Sync,
    SyncError, SyncState, TenantId,
};
use crate::store::events::insert_event;
use crate::store::mirror::merge::{Merged, lock, merge};
use crate::store::mirror::sweeps::{CHANGES, SweepCursor, insert_page, is_endless};
use crate::store::record::load_record;
use crate::store::schema::{okta_sweep_pages, okta_syncs};
use crate::store::{Store, StoreError, Tx, jobs, mirror::budgets};

/// Why a step failed or waits, for the overview.
#[derive(Debug, Clone, Default)]
pub struct SyncFailure {
    /// A stable code and its explanation; `None` keeps the stored error.
    pub error: Option<(&'static str, String)>,
    /// How long to wait before the next attempt.
    pub waiting: Option<Duration>,
}

/// The position of an incremental read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadCursor {
    /// All changes up to this `lastUpdated` are read; `None` if there was never a device.
    pub until: Option<DateTime<Utc>>,
    /// The URL of the next page; `None` for the first.
    pub cursor: Option<String>,
}

/// The result of saving a page of an incremental read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadStep {
    /// There is a next page.
    Continue,
    /// It was the last page.
    Complete,
    /// The list does not end; the read was aborted.
    Endless,
}

/// Saves the cursor. The last page advances `read_until`, but never past the largest `lastUpdated` that was
/// seen, nor past the time, by Okta's clock, at which the first page was read. The server's clock is not
/// used: if it were wrong, changes would be skipped.
const SAVE_READ: &str = "\
    UPDATE okta_syncs AS s \
       SET read_until = CASE WHEN $3::text IS NOT NULL OR n.latest IS NULL THEN s.read_until \
                             ELSE greatest(s.read_until, least(n.latest, n.began)) END, \
           read_cursor = $3, \
           read_began_at = CASE WHEN $3 IS NOT NULL THEN n.began END, \
           read_latest = CASE WHEN $3 IS NOT NULL THEN n.latest END \
      FROM (SELECT greatest(CASE WHEN read_cursor IS NOT NULL THEN read_latest END, $4) AS latest, \
                   CASE WHEN read_cursor IS NULL THEN $5 ELSE read_began_at END AS began \
              FROM okta_syncs WHERE tenant_id = $1 AND integration_id = $2) AS n \
     WHERE s.tenant_id = $1 AND s.integration_id = $2";

const RECORD_ERROR: &str = "\
    UPDATE okta_syncs \
       SET waiting_until = $6 + $3 * interval '1 millisecond', \
           last_error_code = coalesce($4, last_error_code), \
           last_error_detail = coalesce($5, last_error_detail), \
           last_error_at = CASE WHEN $4::text IS NULL THEN last_error_at ELSE $6 END \
     WHERE tenant_id = $1 AND integration_id = $2";

/// The saved pages of the current incremental read.
macro_rules! read_pages {
    ($job:expr) => {{
        use okta_sweep_pages as p;
        p::table
            .filter(p::tenant_id.eq($job.tenant.as_str()))
            .filter(p::integration_id.eq($job.integration.0))
            .filter(p::sweep_id.eq(CHANGES))
    }};
}

impl Store {
    /// Returns the position of the incremental read; `None` before the first accepted sweep.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub(crate) async fn find_read(
        &self,
        job: &Job,
        lease: Duration,
    ) -> Result<Option<ReadCursor>, StoreError> {
        self.in_job(job, lease, move |tx, job| {
            use okta_syncs as s;
            let row: Option<(Option<DateTime<Utc>>, Option<String>)> = s::table
                .find((job.tenant.as_str(), job.integration.0))
                .filter(s::swept_at.is_not_null())
                .select((s::read_until, s::read_cursor))
                .first(tx.connection)
                .optional()?;
            Ok(row.map(|(until, cursor)| ReadCursor { until, cursor }))
        })
        .await
    }

    /// Saves a page of changed devices. An endless list aborts the read: the next one starts where this one
    /// started.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn save_read_page(
        &self,
        job: &Job,
        lease: Duration,
        page: ReadPage,
    ) -> Result<ReadStep, StoreError> {
        self.in_job(job, lease, move |tx, job| {
            let merged = merge(tx, job.integration, &page.devices, Source::Changes, page.read_at)?;
            budgets::save_limit(tx, &page.org_id, RateBucket::Devices, page.limit)?;
            let step = save_page(tx, job, &page, &merged)?;
            if step == ReadStep::Endless {
                abort_read(tx, job)?;
                return Ok(step);
            }
            let latest = page.devices.iter().map(|device| device.last_updated).max();
            diesel::sql_query(SAVE_READ)
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<Nullable<Text>, _>(&page.next)
                .bind::<Nullable<Timestamptz>, _>(latest)
                .bind::<Nullable<Timestamptz>, _>(page.at)
                .execute(tx.connection)?;
            Ok(step)
        })
        .await
    }

    /// Restarts the incremental read at its first page.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn restart_read(&self, job: &Job, lease: Duration) -> Result<(), StoreError> {
        self.in_job(job, lease, abort_read).await
    }

    /// Records why a job fails or waits, and makes the job `then_enqueue` due, which can resolve it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn record_sync_error(
        &self,
        job: &Job,
        lease: Duration,
        failure: SyncFailure,
        then_enqueue: Option<JobKind>,
    ) -> Result<(), StoreError> {
        self.in_job(job, lease, move |tx, job| {
            let waiting = failure.waiting.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(0));
            let (code, detail) = match &failure.error {
                Some((code, detail)) => (Some(*code), Some(detail.as_str())),
                None => (None, None),
            };
            diesel::sql_query(RECORD_ERROR)
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<Nullable<BigInt>, _>(waiting)
                .bind::<Nullable<Text>, _>(code)
                .bind::<Nullable<Text>, _>(detail)
                .bind::<Timestamptz, _>(tx.now)
                .execute(tx.connection)?;
            match then_enqueue {
                Some(kind) => jobs::enqueue(tx, job.integration, kind),
                None => Ok(()),
            }
        })
        .await
    }

    /// Returns the state of an integration's mirror.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn get_sync(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<(IntegrationRecord, Sync), StoreError> {
        self.in_tenant(tenant, move |tx| {
            let record = load_record(tx, id, false)?;
            let sync = load_sync(tx, &record)?;
            Ok((record, sync))
        })
        .await
    }

    /// Requests a sweep now, with its event. A running one is not restarted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn request_sync(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        accept_shrunk: bool,
        event: NewEvent,
    ) -> Result<(IntegrationRecord, Sync), StoreError> {
        self.in_tenant(tenant, move |tx| {
            let record = load_record(tx, id, true)?;
            if record.credentials.is_some() {
                jobs::enqueue(tx, id, JobKind::Sweep)?;
                if accept_shrunk {
                    lock(tx, id)?;
                    diesel::update(okta_syncs::table.find((tx.tenant.as_str(), id.0)))
                        .set(okta_syncs::accept_shrunk.eq(true))
                        .execute(tx.connection)?;
                }
                insert_event(tx, &event)?;
            }
            let sync = load_sync(tx, &record)?;
            Ok((record, sync))
        })
        .await
    }
}

fn abort_read(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    let mine = okta_syncs::table.find((job.tenant.as_str(), job.integration.0));
    diesel::update(mine).set(okta_syncs::read_cursor.eq(None::<String>)).execute(tx.connection)?;
    delete_pages(tx, job)
}

/// Saves that a page was read, so that an endless list is detected.
fn save_page(
    tx: &mut Tx<'_>,
    job: &Job,
    page: &ReadPage,
    merged: &Merged,
) -> Result<ReadStep, StoreError> {
    let mine = okta_syncs::table.find((job.tenant.as_str(), job.integration.0));
    let cursor: Option<String> =
        mine.select(okta_syncs::read_cursor).first(tx.connection).optional()?.flatten();
    if cursor.is_none() || page.next.is_none() {
        delete_pages(tx, job)?;
    }
    if page.next.is_none() {
        return Ok(ReadStep::Complete);
    }
    let known = read_pages!(job).count().get_result::<i64>(tx.connection)?;
    let number = i32::try_from(known).unwrap_or(i32::MAX);
    let at = SweepCursor { sweep_id: CHANGES, page: number, cursor };
    insert_page(tx, job, &at, page, merged)?;
    Ok(if is_endless(tx, job, CHANGES, page)? { ReadStep::Endless } else { ReadStep::Continue })
}

fn delete_pages(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    diesel::delete(read_pages!(job)).execute(tx.connection)?;
    Ok(())
}

#[derive(Queryable, Selectable, Default)]
#[diesel(table_name = okta_syncs)]
struct SyncRow {
    device_count: Option<i64>,
    mirror_count: Option<i64>,
    unmatched_count: Option<i64>,
    sweep_started_at: Option<DateTime<Utc>>,
    sweep_done: i64,
    waiting_until: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    last_error_code: Option<String>,
    last_error_detail: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
}

fn load_sync(tx: &mut Tx<'_>, record: &IntegrationRecord) -> Result<Sync, StoreError> {
    let (tenant, id) = (&record.integration.tenant, record.integration.id);
    let row: Option<SyncRow> = okta_syncs::table
        .find((tenant.as_str(), id.0))
        .select(SyncRow::as_select())
        .first(tx.connection)
        .optional()?;
    let row = row.unwrap_or_default();
    let job = jobs::find_state(tx, id, JobKind::Sweep)?;
    let waits = row.sweep_started_at.is_some() || row.waiting_until.is_some_and(|end| end > tx.now);
    let state = match job {
        Some(job) if job.running => SyncState::Running,
        Some(_) if waits => SyncState::Waiting,
        Some(job) if job.run_at <= tx.now => SyncState::Queued,
        _ => SyncState::Idle,
    };
    let error = row.last_error_code.zip(row.last_error_at);
    Ok(Sync {
        state,
        done: row.sweep_done,
        expected: row.device_count,
        limit_per_minute: budgets::find_limit(tx, &record.integration.org.id, RateBucket::Devices)?,
        last_success_at: row.last_success_at,
        last_error: error.map(|(code, at)| SyncError {
            code,
            detail: row.last_error_detail.unwrap_or_default(),
            at,
        }),
        // During the first sweep, what it has read so far.
        devices: row.mirror_count.or(row.device_count).unwrap_or(row.sweep_done),
        unmatched: row.unmatched_count.unwrap_or_default(),
    })
}
