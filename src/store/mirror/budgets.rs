//! The rate budget of each org: token buckets shared by all replicas and tenants. They use PostgreSQL's
//! clock, so that replicas need not agree on the time, and contain no customer data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Double, Integer, Text, Timestamptz};

use crate::model::{BudgetClaim, RateBucket, RateShare};
use crate::store::schema::okta_budgets;
use crate::store::{Store, StoreError, Tx};

#[derive(QueryableByName)]
struct WaitRow {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

#[derive(QueryableByName)]
struct ClaimRow {
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

/// Returns SQL for the size of a bucket and its refill per second. A bucket holds a tenth of the share per
/// minute, and at least the two requests that are claimed together; the refill is reduced by that, so that
/// no minute exceeds the share. A share that is too small for this still refills slowly.
fn bucket_sql(limit: &str) -> (String, String) {
    let share = format!("({limit} * $4)");
    let saved = format!("greatest(1.0, least(2.0, {share}), {share} * 0.1)");
    let per_second = format!("(greatest({share} - {saved}, {share} * 0.25, 0.01) / 60.0)");
    (saved, per_second)
}

/// Returns SQL for the tokens in the bucket at `$7`. If a transaction that began later changed the row,
/// nothing was refilled since.
fn tokens_sql() -> String {
    let (saved, per_second) = bucket_sql("b.limit_per_minute");
    format!(
        "least({saved}, b.tokens + {per_second} * \
         greatest(0, extract(epoch FROM $7 - b.updated_at)))"
    )
}

impl Store {
    /// Claims `requests` from a share of an org's rate budget: all of them, or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_budget(
        &self,
        org_id: &str,
        bucket: RateBucket,
        share: RateShare,
        requests: i32,
    ) -> Result<BudgetClaim, StoreError> {
        let org_id = org_id.to_owned();
        let (saved, _) = bucket_sql("n.limit_per_minute");
        let (now, (capacity, refill)) = (tokens_sql(), bucket_sql("b.limit_per_minute"));
        // A new share starts with the limit that another share of the org has stored.
        let claim = format!(
            "INSERT INTO okta_budgets AS b (org_id, bucket, share, limit_per_minute, tokens, updated_at) \
             SELECT $1, $2, $3, n.limit_per_minute, {saved} - $6, $7 \
               FROM (SELECT coalesce((SELECT max(limit_per_minute) FROM okta_budgets \
                                       WHERE org_id = $1 AND bucket = $2), $5) AS limit_per_minute) AS n \
             ON CONFLICT (org_id, bucket, share) DO UPDATE \
                SET tokens = {now} - $6, updated_at = greatest(b.updated_at, $7) WHERE {now} >= least($6, {capacity}) \
          RETURNING updated_at"
        );
        let wait = format!(
            "SELECT greatest(0, (least($6, {capacity}) - {now}) / {refill})::float8 AS seconds FROM okta_budgets AS b \
              WHERE org_id = $1 AND bucket = $2 AND share = $3"
        );
        self.without_tenant(move |connection, at| {
            let claimed: Option<ClaimRow> = diesel::sql_query(&claim)
                .bind::<Text, _>(&org_id)
                .bind::<Text, _>(bucket.as_str())
                .bind::<Text, _>(share.as_str())
                .bind::<Double, _>(share.fraction())
                .bind::<Integer, _>(bucket.default_limit())
                .bind::<Integer, _>(requests)
                .bind::<Timestamptz, _>(at)
                .get_result(connection)
                .optional()?;
            if let Some(ClaimRow { updated_at }) = claimed {
                return Ok(BudgetClaim::Granted(updated_at));
            }
            let row: WaitRow = diesel::sql_query(&wait)
                .bind::<Text, _>(&org_id)
                .bind::<Text, _>(bucket.as_str())
                .bind::<Text, _>(share.as_str())
                .bind::<Double, _>(share.fraction())
                .bind::<Integer, _>(bucket.default_limit())
                .bind::<Integer, _>(requests)
                .bind::<Timestamptz, _>(at)
                .get_result(connection)?;
            let wait = Duration::try_from_secs_f64(row.seconds).unwrap_or(MAX_WAIT);
            Ok(BudgetClaim::Exhausted(wait.clamp(MIN_WAIT, MAX_WAIT)))
        })
        .await
    }
}

const MIN_WAIT: Duration = Duration::from_millis(10);
const MAX_WAIT: Duration = Duration::from_mins(10);

/// Saves the org's rate limit from a response, if it changed, in the transaction that saves the response.
pub(in crate::store) fn save_limit(
    tx: &mut Tx<'_>,
    org_id: &str,
    bucket: RateBucket,
    limit: Option<u32>,
) -> Result<(), StoreError> {
    use okta_budgets as b;
    let Some(limit) = limit.and_then(|limit| i32::try_from(limit).ok()) else { return Ok(()) };
    let outdated = b::table
        .filter(b::org_id.eq(org_id).and(b::bucket.eq(bucket.as_str())))
        .filter(b::limit_per_minute.ne(limit));
    diesel::update(outdated).set(b::limit_per_minute.eq(limit)).execute(tx.connection)?;
    Ok(())
}

/// Returns the org's rate limit in requests per minute, or the default if it is unknown.
pub(in crate::store) fn find_limit(
    tx: &mut Tx<'_>,
    org_id: &str,
    bucket: RateBucket,
) -> Result<i32, StoreError> {
    use okta_budgets as b;
    let known: Option<i32> = b::table
        .filter(b::org_id.eq(org_id).and(b::bucket.eq(bucket.as_str())))
        .select(diesel::dsl::max(b::limit_per_minute))
        .first(tx.connection)?;
    Ok(known.unwrap_or_else(|| bucket.default_limit()))
}
