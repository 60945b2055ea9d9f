//! The end of a sweep: accepts or rejects it and requests re-reads.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::mirror::sweeps::{ShrunkSweep, SweepCounts, SweepVerdict};
use crate::model::{Job, RereadReason};
use crate::store::mirror::merge::change;
use crate::store::mirror::okta_devices::save_counts;
use crate::store::schema::{okta_sweep_pages, okta_syncs};
use crate::store::{StoreError, Tx};

/// Turned off, because these statements cover all devices of the org. Until the tables are analyzed, the
/// planner underestimates a new integration's rows, and a nested loop would exceed the statement timeout.
const NESTED_LOOPS: &str = "enable_nestloop";
/// Turned off, because a plan that needs a nested loop nevertheless then has such a high estimated cost that
/// PostgreSQL would compile it.
const COMPILED_PLANS: &str = "jit";

const COUNTS: &str = "\
    WITH shown AS ( \
        SELECT DISTINCT unnest(okta_device_ids) AS id FROM okta_sweep_pages \
         WHERE tenant_id = $1 AND integration_id = $2 AND sweep_id = $3), \
    before AS ( \
        SELECT DISTINCT unnest(p.okta_device_ids) AS id FROM okta_sweep_pages p \
          JOIN okta_syncs s ON s.tenant_id = $1 AND s.integration_id = $2 \
         WHERE p.tenant_id = $1 AND p.integration_id = $2 AND p.sweep_id = s.shrunk_sweep_id) \
    SELECT s.sweep_started_at AS started_at, s.device_count AS expected, s.accept_shrunk, \
           s.shrunk_started_at, \
           (SELECT count(*) FROM shown) AS shown, \
           (SELECT count(*) FROM shown FULL JOIN before ON shown.id = before.id \
             WHERE shown.id IS NULL OR before.id IS NULL) AS differences, \
           p.with_users, p.emptied \
      FROM okta_syncs s, ( \
        SELECT coalesce(sum(with_users), 0)::bigint AS with_users, \
               coalesce(sum(cardinality(emptied_ids)), 0)::bigint AS emptied \
          FROM okta_sweep_pages \
         WHERE tenant_id = $1 AND integration_id = $2 AND sweep_id = $3) AS p \
     WHERE s.tenant_id = $1 AND s.integration_id = $2";

/// Records that no page of the sweep showed, and no other read since it began.
macro_rules! missing {
    () => {
        "d.tenant_id = $1 AND d.integration_id = $2 AND d.removed_at IS NULL \
         AND d.observed_at < s.sweep_started_at \
         AND NOT EXISTS (SELECT 1 FROM (SELECT unnest(okta_device_ids) AS id FROM okta_sweep_pages \
                WHERE tenant_id = $1 AND integration_id = $2 AND sweep_id = $3) AS seen \
             WHERE seen.id = d.okta_device_id)"
    };
}

/// Missing records are not as fresh as the sweep that did not show them.
const DETACH_FROM_SWEEPS: &str = concat!(
    "UPDATE okta_devices d \
        SET follows_sweeps = false, observed_at = greatest(d.observed_at, s.swept_at) \
       FROM okta_syncs s \
      WHERE s.tenant_id = d.tenant_id AND s.integration_id = d.integration_id AND d.follows_sweeps AND ",
    missing!(),
    " RETURNING d.okta_device_id"
);

/// A record that is on no page may still exist: pages may have shifted during the sweep, or its row could
/// not be parsed. It is re-read by ID, and only a 404 removes it. A repeated request always increases
/// `asked_at`, so that a worker that handles the earlier one does not delete it.
const REQUEST_MISSING: &str = concat!(
    "INSERT INTO okta_rereads AS r \
           (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
    SELECT d.tenant_id, d.integration_id, d.okta_device_id, $5, $4, $4 \
      FROM okta_devices d JOIN okta_syncs s USING (tenant_id, integration_id) WHERE ",
    missing!(),
    " ORDER BY d.okta_device_id \
    ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
       SET reason = excluded.reason, due_at = least(r.due_at, excluded.due_at), \
           asked_at = greatest(excluded.asked_at, r.asked_at + interval '1 microsecond')"
);

/// Records that the sweep shows although a read by ID did not find them or returned other data: one of the
/// two lags behind.
const REQUEST_CONTRADICTED: &str = "\
    INSERT INTO okta_rereads \
           (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
    SELECT d.tenant_id, d.integration_id, d.okta_device_id, 'unconfirmed', $4, $4 \
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

const ACCEPT: &str = "\
    UPDATE okta_syncs AS s \
       SET read_until = CASE WHEN s.swept_at IS NOT NULL THEN s.read_until ELSE ( \
               SELECT least(s.read_began_at, max(last_updated_at)) FROM okta_devices \
                WHERE tenant_id = $1 AND integration_id = $2 HAVING max(last_updated_at) IS NOT NULL) END, \
           read_began_at = CASE WHEN s.swept_at IS NOT NULL THEN s.read_began_at END, \
           swept_at = s.sweep_started_at, sweep_started_at = NULL, sweep_cursor = NULL, \
           sweep_completed_at = $3, last_success_at = $3, waiting_until = NULL, \
           last_error_code = NULL, last_error_detail = NULL, last_error_at = NULL, \
           device_count = $4, accept_shrunk = false, shrunk_since = NULL, shrunk_count = NULL, \
           shrunk_sweep_id = NULL, shrunk_started_at = NULL, \
           users_vanished_since = CASE WHEN $5 THEN coalesce(s.users_vanished_since, $3) END \
     WHERE s.tenant_id = $1 AND s.integration_id = $2";

/// `swept_at` stays: a rejected sweep makes no record fresher.
const REJECT: &str = "\
    UPDATE okta_syncs AS s \
       SET sweep_started_at = NULL, sweep_cursor = NULL, waiting_until = NULL, \
           shrunk_since = coalesce(s.shrunk_since, $3), shrunk_count = $4, \
           shrunk_sweep_id = CASE WHEN $5 THEN s.sweep_id ELSE s.shrunk_sweep_id END, \
           shrunk_started_at = CASE WHEN $5 THEN s.sweep_started_at ELSE s.shrunk_started_at END \
     WHERE s.tenant_id = $1 AND s.integration_id = $2";

/// The maximum number of records whose users are changed in one statement.
const BATCH_SIZE: usize = 500;

#[derive(QueryableByName)]
struct CountsRow {
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<BigInt>)]
    expected: Option<i64>,
    #[diesel(sql_type = Bool)]
    accept_shrunk: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    shrunk_started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    shown: i64,
    #[diesel(sql_type = BigInt)]
    differences: i64,
    #[diesel(sql_type = BigInt)]
    with_users: i64,
    #[diesel(sql_type = BigInt)]
    emptied: i64,
}

/// A sweep whose last page was read.
pub(super) struct EndedSweep {
    pub counts: SweepCounts,
    pub took: Duration,
    /// Whether re-reads were requested.
    pub rereads_requested: bool,
}

/// Ends a sweep whose last page was read. The caller must have locked the mirror.
pub(super) fn complete(
    tx: &mut Tx<'_>,
    job: &Job,
    sweep_id: i64,
) -> Result<EndedSweep, StoreError> {
    tx.set_local([(NESTED_LOOPS, "off"), (COMPILED_PLANS, "off")])?;
    let counts = count(tx, job, sweep_id)?;
    let took = (tx.now - counts.started_at).to_std().unwrap_or_default();
    let rereads_requested;
    let (sql, flag) = match counts.verdict() {
        SweepVerdict::Accepted { users_vanished } => {
            rereads_requested = request_rereads(tx, job, sweep_id, RereadReason::Missing)?;
            if !users_vanished {
                clear_users(tx, job, sweep_id)?;
            }
            (ACCEPT, users_vanished)
        }
        SweepVerdict::Shrunk { use_as_baseline } => {
            rereads_requested = request_rereads(tx, job, sweep_id, RereadReason::Unconfirmed)?;
            (REJECT, use_as_baseline)
        }
    };
    finish(tx, job, sql, counts.shown, flag)?;
    save_counts(tx, job.integration)?;
    delete_pages(tx, job)?;
    Ok(EndedSweep { counts, took, rereads_requested })
}

fn count(tx: &mut Tx<'_>, job: &Job, sweep_id: i64) -> Result<SweepCounts, StoreError> {
    let row: CountsRow = diesel::sql_query(COUNTS)
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<SqlUuid, _>(job.integration.0)
        .bind::<BigInt, _>(sweep_id)
        .get_result(tx.connection)?;
    let differences = row.differences;
    Ok(SweepCounts {
        started_at: row.started_at,
        shown: row.shown,
        expected: row.expected,
        accept_shrunk: row.accept_shrunk,
        shrunk_before: row
            .shrunk_started_at
            .map(|started_at| ShrunkSweep { started_at, differences }),
        with_users: row.with_users,
        emptied: row.emptied,
    })
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Text)]
    okta_device_id: String,
}

/// Requests re-reads and returns whether it requested any.
fn request_rereads(
    tx: &mut Tx<'_>,
    job: &Job,
    sweep_id: i64,
    reason: RereadReason,
) -> Result<bool, StoreError> {
    let now = tx.now;
    let query = |sql: &'static str| {
        diesel::sql_query(sql)
            .bind::<Text, _>(job.tenant.as_str().to_owned())
            .bind::<SqlUuid, _>(job.integration.0)
            .bind::<BigInt, _>(sweep_id)
    };
    let detached: Vec<IdRow> = query(DETACH_FROM_SWEEPS).load(tx.connection)?;
    for row in &detached {
        tx.touched.add_record(&row.okta_device_id, None, None);
    }
    let missing =
        query(REQUEST_MISSING).bind::<Timestamptz, _>(now).bind::<Text, _>(reason.as_str());
    let missing = missing.execute(tx.connection)?;
    let contradicted = query(REQUEST_CONTRADICTED).bind::<Timestamptz, _>(now);
    Ok(missing + contradicted.execute(tx.connection)? > 0)
}

/// Records that a page showed without users, and when its read began.
type EmptiedRow = (Vec<Option<String>>, Option<DateTime<Utc>>);

/// Clears the users of records that an accepted sweep showed without users.
fn clear_users(tx: &mut Tx<'_>, job: &Job, sweep_id: i64) -> Result<(), StoreError> {
    use okta_sweep_pages as p;
    let pages: Vec<EmptiedRow> = p::table
        .filter(p::tenant_id.eq(tx.tenant.as_str()).and(p::integration_id.eq(job.integration.0)))
        .filter(p::sweep_id.eq(sweep_id).and(p::emptied_ids.ne(Vec::<String>::new())))
        .select((p::emptied_ids, p::read_at))
        .load(tx.connection)?;
    for (ids, read_at) in pages {
        let Some(read_at) = read_at else { continue };
        let ids: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
        for ids in ids.chunks(BATCH_SIZE) {
            change(tx, job.integration, ids, |record| record.clear_users(read_at))?;
        }
    }
    Ok(())
}

fn finish(tx: &mut Tx<'_>, job: &Job, sql: &str, shown: i64, flag: bool) -> Result<(), StoreError> {
    diesel::sql_query(sql)
        .bind::<Text, _>(tx.tenant.as_str())
        .bind::<SqlUuid, _>(job.integration.0)
        .bind::<Timestamptz, _>(tx.now)
        .bind::<BigInt, _>(shown)
        .bind::<Bool, _>(flag)
        .execute(tx.connection)?;
    Ok(())
}

/// Deletes the pages of all sweeps, except the one that later sweeps are compared with. The pages of
/// incremental reads, whose number is 0, stay.
pub(super) fn delete_pages(tx: &mut Tx<'_>, job: &Job) -> Result<(), StoreError> {
    use {okta_sweep_pages as p, okta_syncs as s};
    let baseline: Option<i64> = s::table
        .find((tx.tenant.as_str(), job.integration.0))
        .select(s::shrunk_sweep_id)
        .first(tx.connection)?;
    let pages = p::table
        .filter(p::tenant_id.eq(tx.tenant.as_str()).and(p::integration_id.eq(job.integration.0)))
        .filter(p::sweep_id.gt(0).and(p::sweep_id.ne(baseline.unwrap_or(0))));
    diesel::delete(pages).execute(tx.connection)?;
    Ok(())
}
