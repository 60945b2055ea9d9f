//! What calls of event hooks leave behind: devices to be read again, or one sweep in place of too
//! many. No call makes a device trusted: lifecycle events alone are noted, and only ever take trust away.
//!
//! A delivery never waits for a job's row while it holds another row, because the worker takes them
//! the other way round; and it takes the rows of devices in the order of their ids.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::crypto::HookSecretDigest;
use crate::model::{DeviceMention, HookId, IntegrationId, JobKind, TenantId};
use crate::store::event_hooks::hook_row;
use crate::store::mirror::merge::change;
use crate::store::schema::{event_hooks, hook_routes};
use crate::store::session::{STATEMENT_TIMEOUT, set_config};
use crate::store::transaction::clock_timestamp;
use crate::store::{Clock, Store, StoreError, Tx, jobs};

/// So often is it noted that deliveries come; for each of them it would be a row that all wait for.
const DELIVERY_NOTED_ONCE_IN: TimeDelta = TimeDelta::seconds(10);
/// The most devices that wait because of a hook before a sweep takes their place.
const MOST_WAITING: i64 = 500;
/// The most that wait while a sweep is under way, which may have passed them: more are left to reads of
/// what has changed, and to the next sweep.
const MOST_BESIDE_A_SWEEP: i64 = 5_000;
/// Rows that go in one statement, which has its time.
const BATCH: i64 = 20_000;

/// Somebody calls a hook.
#[derive(Debug, Clone)]
pub struct HookCall {
    pub hook: HookId,
    /// `None` where no secret was sent.
    pub secret: Option<HookSecretDigest>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Bool)]
    sweeping: bool,
}

/// The tenant of a call is found by the hook's id.
impl Store {
    /// Whether the hook is there and the secret, if one was sent, is right.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown hook and for a wrong secret alike,
    /// [`StoreError::Unavailable`].
    pub async fn check_hook_call(&self, call: HookCall) -> Result<(), StoreError> {
        self.in_hook(call, |_, _| Ok(())).await
    }

    /// Notes that Okta has verified the address.
    ///
    /// # Errors
    /// As [`check_hook_call`](Self::check_hook_call).
    pub async fn record_hook_verification(&self, call: HookCall) -> Result<(), StoreError> {
        self.in_hook(call, |tx, called| {
            diesel::update(hook_row(tx.tenant, called.integration))
                .set(event_hooks::verified_at.eq(tx.now))
                .execute(tx.connection)?;
            Ok(())
        })
        .await
    }

    /// Lets the mentioned devices wait to be read again: each once, and not within a minute of its
    /// last read. Those of an integration without credentials are left out: nobody reads them, and
    /// its first sweep will read them all.
    ///
    /// # Errors
    /// As [`check_hook_call`](Self::check_hook_call).
    pub async fn create_hook_rereads(
        &self,
        call: HookCall,
        mentions: Vec<DeviceMention>,
    ) -> Result<(TenantId, IntegrationId), StoreError> {
        self.in_hook(call, move |tx, called| {
            if !called.delivered_lately {
                record_delivery(tx, called)?;
            }
            if !mentions.is_empty() {
                note_lifecycle_events(tx, called, &mentions)?;
                insert_rereads(tx, called, &mentions)?;
            }
            Ok((called.tenant.clone(), called.integration))
        })
        .await
    }

    /// Has the devices read that wait because of a hook; when they are too many, by a sweep in their
    /// place. A sweep that is under way has perhaps passed them already: they go on waiting then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn request_hook_rereads(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            let waiting = count(tx, id)?.waiting;
            if waiting > MOST_WAITING && jobs::make_due_if_idle(tx, id, JobKind::Sweep)? {
                // The job's row is ours until the commit: no sweep begins before it, and one that
                // has begun shows only now.
                if !count(tx, id)?.sweeping {
                    return delete_waiting(tx, id);
                }
            } else if waiting > MOST_BESIDE_A_SWEEP {
                return delete_waiting(tx, id);
            }
            jobs::make_due(tx, id, JobKind::Rereads)
        })
        .await
    }

    /// Runs `work` in a transaction of the hook's tenant, unless the call is refused. The route and the
    /// tenant are one statement, so an unknown hook takes the same steps as a known one: without a
    /// tenant no row is visible, and the secret is compared all the same.
    async fn in_hook<T, F>(&self, call: HookCall, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>, &Called) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let clock = self.clock.clone();
        self.pool
            .transaction(move |connection| {
                let route = find_route(connection, &call, &clock)?;
                let called =
                    find_called(connection, &call, route.as_ref())?.ok_or(StoreError::NotFound)?;
                let tx = &mut Tx { connection, tenant: &called.tenant, now: called.now };
                work(tx, &called).map_err(StoreError::gone_with_its_integration)
            })
            .await
    }
}

/// Where a hook's id leads to.
struct Route {
    tenant: String,
    integration: Uuid,
    now: DateTime<Utc>,
}

/// Whose hook was called, and when.
struct Called {
    tenant: TenantId,
    integration: IntegrationId,
    now: DateTime<Utc>,
    delivered_lately: bool,
}

type RouteRow = (String, Uuid, String, String, DateTime<Utc>);
type SecretRow = (Vec<u8>, Option<Vec<u8>>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Spans tenants: the tenant is what it finds, and sets for the rest of the transaction.
fn find_route(
    connection: &mut PgConnection,
    call: &HookCall,
    clock: &Clock,
) -> Result<Option<Route>, StoreError> {
    use hook_routes as r;
    let row: Option<RouteRow> = r::table
        .find(call.hook.0)
        .select((
            r::tenant_id,
            r::integration_id,
            set_config("odt.tenant", r::tenant_id, true),
            set_config("statement_timeout", STATEMENT_TIMEOUT, true),
            clock_timestamp(),
        ))
        .first(connection)
        .optional()?;
    Ok(row.map(|(tenant, integration, _, _, read)| Route {
        tenant,
        integration,
        now: clock.now(read),
    }))
}

fn find_called(
    connection: &mut PgConnection,
    call: &HookCall,
    route: Option<&Route>,
) -> Result<Option<Called>, StoreError> {
    use event_hooks as h;
    let (tenant, integration) =
        route.map_or(("", Uuid::nil()), |route| (route.tenant.as_str(), route.integration));
    let row: Option<SecretRow> = h::table
        .filter(h::tenant_id.eq(tenant).and(h::integration_id.eq(integration)))
        .filter(h::hook_id.eq(call.hook.0))
        .select((
            h::secret_sha256,
            h::previous_sha256,
            h::previous_valid_until,
            h::last_delivery_at,
        ))
        .first(connection)
        .optional()?;
    let known = row.is_some();
    let (current, previous, valid_until, delivered_at) = row
        .map_or((None, None, None, None), |(current, previous, until, delivered_at)| {
            (Some(current), previous, until, delivered_at)
        });
    let now = route.map(|route| route.now);
    let previous = previous.filter(|_| valid_until > now);
    let right = call.secret.as_ref().is_none_or(|secret| {
        secret.matches(current.as_deref()) | secret.matches(previous.as_deref())
    });
    let tenant = TenantId::parse(tenant).filter(|_| known && right);
    Ok(tenant.zip(now).map(|(tenant, now)| Called {
        tenant,
        integration: IntegrationId(integration),
        now,
        delivered_lately: delivered_at.is_some_and(|at| now - at < DELIVERY_NOTED_ONCE_IN),
    }))
}

/// Whoever comes second at the same moment does not wait for the first: once is enough.
fn record_delivery(tx: &mut Tx<'_>, called: &Called) -> Result<(), StoreError> {
    diesel::sql_query(
        "UPDATE event_hooks SET last_delivery_at = $3 \
          WHERE (tenant_id, integration_id) = ( \
                SELECT tenant_id, integration_id FROM event_hooks \
                 WHERE tenant_id = $1 AND integration_id = $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(called.integration.0)
    .bind::<Timestamptz, _>(tx.now)
    .execute(tx.connection)?;
    Ok(())
}

/// What an event moved is no use of the device. Only takes trust away: a delivery never gives any.
fn note_lifecycle_events(
    tx: &mut Tx<'_>,
    called: &Called,
    mentions: &[DeviceMention],
) -> Result<(), StoreError> {
    let published: HashMap<&str, DateTime<Utc>> = mentions
        .iter()
        .filter_map(|mention| Some((mention.id.as_str(), mention.lifecycle_at?)))
        .collect();
    if published.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = published.keys().copied().collect();
    change(tx, called.integration, &ids, |record| {
        let mut record = record.clone();
        if let Some(published) = published.get(record.okta_device_id.as_str()) {
            record.uses.note_lifecycle_event(record.last_updated_at, *published);
        }
        record
    })
}

/// In the order of the ids, so that two deliveries cannot deadlock. A repeated request always moves
/// `asked_at`, however old this transaction is: a worker that handles the earlier request then does not
/// delete this one.
fn insert_rereads(
    tx: &mut Tx<'_>,
    called: &Called,
    mentions: &[DeviceMention],
) -> Result<(), StoreError> {
    let (ids, are_devices): (Vec<&str>, Vec<bool>) =
        mentions.iter().map(|mention| (mention.id.as_str(), mention.is_device)).unzip();
    diesel::sql_query(
        "INSERT INTO okta_rereads AS r \
                (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
         SELECT j.tenant_id, j.integration_id, m.id, 'hook', \
                greatest($6, d.read_by_id_at + interval '1 minute'), $6 \
           FROM jobs j CROSS JOIN unnest($3, $4) AS m (id, is_device) \
           LEFT JOIN okta_devices d ON d.tenant_id = j.tenant_id \
                AND d.integration_id = j.integration_id AND d.okta_device_id = m.id \
          WHERE j.tenant_id = $1 AND j.integration_id = $2 AND j.kind = $5 \
                AND (m.is_device OR d.okta_device_id IS NOT NULL) \
          ORDER BY m.id \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
            SET due_at = least(r.due_at, excluded.due_at), reason = 'hook', \
                asked_at = greatest(excluded.asked_at, r.asked_at + interval '1 microsecond')",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(called.integration.0)
    .bind::<Array<Text>, _>(ids)
    .bind::<Array<Bool>, _>(are_devices)
    .bind::<Text, _>(JobKind::Rereads.as_str())
    .bind::<Timestamptz, _>(tx.now)
    .execute(tx.connection)?;
    Ok(())
}

fn count(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Counted, StoreError> {
    Ok(diesel::sql_query(
        "SELECT (SELECT count(*) FROM ( \
                        SELECT FROM okta_rereads WHERE tenant_id = $1 AND integration_id = $2 \
                           AND reason = 'hook' LIMIT $3) AS of_hooks) AS waiting, \
                EXISTS (SELECT FROM okta_syncs WHERE tenant_id = $1 AND integration_id = $2 \
                           AND sweep_started_at IS NOT NULL \
                           AND (sweep_completed_at >= sweep_started_at) IS NOT TRUE) AS sweeping",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(MOST_BESIDE_A_SWEEP + 1)
    .get_result(tx.connection)?)
}

/// Those that somebody else has in hand stay: to wait for them could be a circle, and they do no harm.
fn delete_waiting(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    diesel::sql_query(
        "DELETE FROM okta_rereads WHERE (tenant_id, integration_id, okta_device_id) IN ( \
                SELECT tenant_id, integration_id, okta_device_id FROM okta_rereads \
                 WHERE tenant_id = $1 AND integration_id = $2 AND reason = 'hook' LIMIT $3 \
                   FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(BATCH)
    .execute(tx.connection)?;
    Ok(())
}
