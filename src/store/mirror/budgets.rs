//! Our share of each org's rate, as token buckets that all replicas and tenants draw from. By
//! PostgreSQL's clock, so that replicas need not agree on the time. Holds no customer data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Double, Integer, Text, Timestamptz};

use crate::model::{Budget, RateBucket, RateShare};
use crate::store::schema::okta_budgets;
use crate::store::{Store, StoreError, Tx};

#[derive(QueryableByName)]
struct WaitRow {
    #[diesel(sql_type = Double)]
    seconds: f64,
}

#[derive(QueryableByName)]
struct TakenRow {
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

/// The share in a minute, and what may be saved up of it: a tenth, and at least the two requests that
/// go together. So no minute can see more than the share, whatever was saved before it. A share too
/// small for that still goes on slowly.
fn amounts(limit: &str) -> (String, String) {
    let share = format!("({limit} * $4)");
    let saved = format!("greatest(1.0, least(2.0, {share}), {share} * 0.1)");
    let per_second = format!("(greatest({share} - {saved}, {share} * 0.25, 0.01) / 60.0)");
    (saved, per_second)
}

/// What is in the bucket at `$7`. The row may have been changed by a transaction that began later: then
/// nothing has flowed in since.
fn tokens_now() -> String {
    let (saved, per_second) = amounts("b.limit_per_minute");
    format!(
        "least({saved}, b.tokens + {per_second} * \
         greatest(0, extract(epoch FROM $7 - b.updated_at)))"
    )
}

impl Store {
    /// Takes `requests` out of the share of an org's rate: all of them, or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_budget(
        &self,
        org_id: &str,
        bucket: RateBucket,
        share: RateShare,
        requests: i32,
    ) -> Result<Budget, StoreError> {
        let org_id = org_id.to_owned();
        let (saved, _) = amounts("n.limit_per_minute");
        let (now, (most, refill)) = (tokens_now(), amounts("b.limit_per_minute"));
        // What another share has learned of the org's limit holds for a new one too.
        let take = format!(
            "INSERT INTO okta_budgets AS b (org_id, bucket, share, limit_per_minute, tokens, updated_at) \
             SELECT $1, $2, $3, n.limit_per_minute, {saved} - $6, $7 \
               FROM (SELECT coalesce((SELECT max(limit_per_minute) FROM okta_budgets \
                                       WHERE org_id = $1 AND bucket = $2), $5) AS limit_per_minute) AS n \
             ON CONFLICT (org_id, bucket, share) DO UPDATE \
                SET tokens = {now} - $6, updated_at = greatest(b.updated_at, $7) WHERE {now} >= least($6, {most}) \
          RETURNING updated_at"
        );
        let wait = format!(
            "SELECT greatest(0, (least($6, {most}) - {now}) / {refill})::float8 AS seconds FROM okta_budgets AS b \
              WHERE org_id = $1 AND bucket = $2 AND share = $3"
        );
        self.in_no_tenant(move |connection, at| {
            let taken: Option<TakenRow> = diesel::sql_query(&take)
                .bind::<Text, _>(&org_id)
                .bind::<Text, _>(bucket.as_str())
                .bind::<Text, _>(share.as_str())
                .bind::<Double, _>(share.part())
                .bind::<Integer, _>(bucket.default_limit())
                .bind::<Integer, _>(requests)
                .bind::<Timestamptz, _>(at)
                .get_result(connection)
                .optional()?;
            if let Some(TakenRow { updated_at }) = taken {
                return Ok(Budget::Taken(updated_at));
            }
            let row: WaitRow = diesel::sql_query(&wait)
                .bind::<Text, _>(&org_id)
                .bind::<Text, _>(bucket.as_str())
                .bind::<Text, _>(share.as_str())
                .bind::<Double, _>(share.part())
                .bind::<Integer, _>(bucket.default_limit())
                .bind::<Integer, _>(requests)
                .bind::<Timestamptz, _>(at)
                .get_result(connection)?;
            let wait = Duration::try_from_secs_f64(row.seconds).unwrap_or(LONGEST_WAIT);
            Ok(Budget::Spent(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)))
        })
        .await
    }
}

const SHORTEST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Keeps what Okta said of the org's rate, if it is news, in the transaction that keeps what came with it.
pub(in crate::store) fn learn(
    tx: &mut Tx<'_>,
    org_id: &str,
    bucket: RateBucket,
    limit: Option<u32>,
) -> Result<(), StoreError> {
    use okta_budgets as b;
    let Some(limit) = limit.and_then(|limit| i32::try_from(limit).ok()) else { return Ok(()) };
    let others = b::table
        .filter(b::org_id.eq(org_id).and(b::bucket.eq(bucket.as_str())))
        .filter(b::limit_per_minute.ne(limit));
    diesel::update(others).set(b::limit_per_minute.eq(limit)).execute(tx.connection)?;
    Ok(())
}

/// What the whole org may ask for in a minute, as far as it is known.
pub(in crate::store) fn limit_of(
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
