//! Single devices that are read again: those that somebody asked for by id, and those that wait for a
//! sign-in or for what a list left out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{Job, OktaDevice, OktaDeviceUser, RateBucket};
use crate::store::mirror::merge::{Source, merge, users_columns};
use crate::store::schema::okta_rereads;
use crate::store::{Store, StoreError, jobs, mirror::budgets};

/// A device that was asked for by id.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = okta_rereads)]
pub struct DueReread {
    pub okta_device_id: String,
    /// `missing`: a complete sweep did not show it. `hook`.
    pub reason: String,
    asked_at: DateTime<Utc>,
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

/// Devices that were given all that makes them managed and do not show it yet, and those of whose users
/// lists say too little. Those whose users were never read, or longest ago, come first; and as many of
/// the managed ones as of the others, so that neither keep the others waiting for ever.
const PENDING: &str = "\
    WITH due AS ( \
        SELECT o.okta_device_id, o.any_managed, \
               row_number() OVER (PARTITION BY o.any_managed \
                   ORDER BY o.users_read_at NULLS FIRST, o.okta_device_id) AS place \
          FROM okta_devices o \
         WHERE o.tenant_id = $1 AND o.integration_id = $2 AND o.not_found_at IS NULL \
           AND (NOT o.any_managed OR NOT o.users_known OR o.users_observed_at IS NOT NULL) \
           AND (o.users_read_at IS NULL OR o.users_read_at < now() - $3 * interval '1 millisecond') \
           AND (o.users_put_off_until IS NULL OR o.users_put_off_until < now()) \
           AND (NOT o.users_known \
                OR o.users_observed_at < now() - $3 * interval '1 millisecond' \
                OR (o.observed_at < now() - $3 * interval '1 millisecond' AND o.status = 'ACTIVE' \
                    AND NOT o.any_managed \
                    AND EXISTS (SELECT 1 FROM devices d JOIN device_deliveries v USING (tenant_id, serial_number) \
                         WHERE d.tenant_id = $1 AND (d.deleted_at IS NULL OR d.deleted_at < d.reported_at) \
                           AND v.integration_id = $2 AND v.config_version IS NOT NULL \
                           AND (d.okta_device_id = o.okta_device_id OR d.udid = o.udid \
                                OR d.serial_number = o.serial_number))))) \
    SELECT okta_device_id FROM due ORDER BY place LIMIT $4";

const NEXT: &str = "\
    SELECT greatest(0, (extract(epoch FROM min(due_at) - now()) * 1000))::bigint AS millis \
      FROM okta_rereads WHERE tenant_id = $1 AND integration_id = $2";

/// The rest of the row is not fresher by that. One that was read since has told more.
const KEEP_USERS: &str = "\
    UPDATE okta_devices \
       SET users = $4::jsonb, users_known = $5, any_managed = $6, users_read_at = $7, \
           users_observed_at = $7 \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3 \
       AND (users_read_at IS NULL OR users_read_at <= $7)";

/// What cannot be read lets the others go first.
const PASS_USERS_BY: &str = "\
    UPDATE okta_devices SET users_put_off_until = clock_timestamp() + $4 * interval '1 millisecond' \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3";
const PASS_DEVICE_BY: &str = "\
    UPDATE okta_rereads SET due_at = clock_timestamp() + $4 * interval '1 millisecond' \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3";

/// Only what no read has shown since it was asked for.
const FORGET: &str = "\
    DELETE FROM okta_devices \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3 AND observed_at <= $4";

/// Not where a read by id that began later has found it.
pub(in crate::store) const NOTE_GONE: &str = "\
    UPDATE okta_devices SET not_found_at = $4, read_by_id_at = $4, observed_at = $4, \
           users_observed_at = NULL \
     WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = $3 \
       AND (read_by_id_at IS NULL OR read_by_id_at <= $4)";

impl Store {
    /// The devices that were asked for by id and are due: those of hooks first, as something happened to
    /// them just now, and then the longest.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn list_due_rereads(
        &self,
        job: &Job,
        lease: Duration,
        most: i64,
    ) -> Result<Vec<DueReread>, StoreError> {
        let (tenant, job) = (job.tenant.clone(), job.clone());
        self.in_tenant(&tenant, move |connection| {
            use okta_rereads as r;
            jobs::hold_lease(connection, &job, lease)?;
            let mine = r::table.filter(r::tenant_id.eq(job.tenant.as_str()));
            let due = mine
                .filter(r::integration_id.eq(job.integration.0))
                .filter(r::due_at.le(diesel::dsl::now));
            Ok(due
                .order((r::reason.ne("hook"), r::due_at, r::okta_device_id))
                .limit(most)
                .select(DueReread::as_select())
                .load(connection)?)
        })
        .await
    }

    /// The devices that wait for a sign-in, or whose users are not known, and were not read for so long.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn list_pending_devices(
        &self,
        job: &Job,
        lease: Duration,
        not_read_for: Duration,
        most: i64,
    ) -> Result<Vec<String>, StoreError> {
        let (tenant, job) = (job.tenant.clone(), job.clone());
        let not_read_for = i64::try_from(not_read_for.as_millis()).unwrap_or(i64::MAX);
        self.in_tenant(&tenant, move |connection| {
            jobs::hold_lease(connection, &job, lease)?;
            let rows: Vec<IdRow> = diesel::sql_query(PENDING)
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<BigInt, _>(not_read_for)
                .bind::<BigInt, _>(most)
                .load(connection)?;
            Ok(rows.into_iter().map(|row| row.okta_device_id).collect())
        })
        .await
    }

    /// In what time the next device that was asked for by id is due; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_reread(&self, job: &Job) -> Result<Option<Duration>, StoreError> {
        let (tenant, job) = (job.tenant.clone(), job.clone());
        self.in_tenant(&tenant, move |connection| {
            let row: NextRow = diesel::sql_query(NEXT)
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .get_result(connection)?;
            Ok(row.millis.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis))
        })
        .await
    }

    /// Keeps a device that was read by its id, which began at `read_at`, with what Okta said of its rate.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn keep_reread(
        &self,
        job: &Job,
        lease: Duration,
        asked: &DueReread,
        (device, read_at): (OktaDevice, DateTime<Utc>),
        learned: (String, Option<u32>),
    ) -> Result<(), StoreError> {
        let (tenant, job, asked) = (job.tenant.clone(), job.clone(), asked.clone());
        self.in_tenant(&tenant, move |connection| {
            jobs::hold_lease(connection, &job, lease)?;
            let one = std::slice::from_ref(&device);
            merge(connection, &job.tenant, job.integration, one, Source::Id, read_at)?;
            budgets::learn(connection, &learned.0, RateBucket::Devices, learned.1)?;
            done_with(connection, &job, &asked)
        })
        .await
    }

    /// Keeps the users of a device, read by its id. The mirror's other words of it stay.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn keep_device_users(
        &self,
        job: &Job,
        lease: Duration,
        okta_device_id: &str,
        (users, read_at): (Vec<OktaDeviceUser>, DateTime<Utc>),
        learned: (String, Option<u32>),
    ) -> Result<(), StoreError> {
        let (tenant, job, id) = (job.tenant.clone(), job.clone(), okta_device_id.to_owned());
        self.in_tenant(&tenant, move |connection| {
            jobs::hold_lease(connection, &job, lease)?;
            budgets::learn(connection, &learned.0, RateBucket::DeviceUsers, learned.1)?;
            let columns = users_columns(&users)?;
            diesel::sql_query(KEEP_USERS)
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&columns.json)
                .bind::<Bool, _>(columns.known)
                .bind::<Bool, _>(columns.managed)
                .bind::<Timestamptz, _>(read_at)
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Notes that Okta has no such device. It leaves the mirror only when a complete sweep did not
    /// show it either.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn keep_not_found(
        &self,
        job: &Job,
        lease: Duration,
        (okta_device_id, read_at): (&str, DateTime<Utc>),
        asked: Option<&DueReread>,
    ) -> Result<(), StoreError> {
        let (tenant, job, id) = (job.tenant.clone(), job.clone(), okta_device_id.to_owned());
        let asked = asked.cloned();
        self.in_tenant(&tenant, move |connection| {
            jobs::hold_lease(connection, &job, lease)?;
            let mut of_device = |sql, at| {
                diesel::sql_query(sql)
                    .bind::<Text, _>(job.tenant.as_str())
                    .bind::<SqlUuid, _>(job.integration.0)
                    .bind::<Text, _>(&id)
                    .bind::<Timestamptz, _>(at)
                    .execute(connection)
            };
            let missing = asked.as_ref().filter(|asked| asked.reason == "missing");
            let forgotten = match missing {
                Some(missing) => of_device(FORGET, missing.asked_at)?,
                None => 0,
            };
            // A list has shown it since, or no sweep has missed it: then it is there, and gone.
            if forgotten == 0 {
                of_device(NOTE_GONE, read_at)?;
            }
            match &asked {
                Some(asked) => done_with(connection, &job, asked),
                None => Ok(()),
            }
        })
        .await
    }
}

impl Store {
    /// Puts off a device that could not be read; `asked` for one that was asked for by id.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn pass_device_by(
        &self,
        job: &Job,
        lease: Duration,
        okta_device_id: &str,
        asked: bool,
        wait: Duration,
    ) -> Result<(), StoreError> {
        let (tenant, job, id) = (job.tenant.clone(), job.clone(), okta_device_id.to_owned());
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.in_tenant(&tenant, move |connection| {
            jobs::hold_lease(connection, &job, lease)?;
            diesel::sql_query(if asked { PASS_DEVICE_BY } else { PASS_USERS_BY })
                .bind::<Text, _>(job.tenant.as_str())
                .bind::<SqlUuid, _>(job.integration.0)
                .bind::<Text, _>(&id)
                .bind::<BigInt, _>(wait)
                .execute(connection)?;
            Ok(())
        })
        .await
    }
}

/// Unless it was asked for again in the meantime.
fn done_with(
    connection: &mut PgConnection,
    job: &Job,
    asked: &DueReread,
) -> Result<(), StoreError> {
    use okta_rereads as r;
    let key = (job.tenant.as_str(), job.integration.0, asked.okta_device_id.as_str());
    let handled = r::table.find(key).filter(r::asked_at.eq(asked.asked_at));
    diesel::delete(handled).execute(connection)?;
    Ok(())
}
