//! What calls of event hooks leave behind: devices to be read again, or one sweep in place of too
//! many. No call writes a fact.
//!
//! A delivery never waits for a job's row while it holds another row, because the worker takes them
//! the other way round; and it takes the rows of devices in the order of their ids.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::crypto::HookSecretDigest;
use crate::model::{DeviceMention, HookId, IntegrationId, JobKind, TenantId};
use crate::store::event_hooks::hook_row;
use crate::store::schema::{event_hooks, hook_routes};
use crate::store::{STATEMENT_TIMEOUT, Store, StoreError, jobs, set_config};

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
    pub async fn note_hook_verification(&self, call: HookCall) -> Result<(), StoreError> {
        self.in_hook(call, |connection, called| {
            diesel::update(hook_row(&called.tenant, called.integration))
                .set(event_hooks::verified_at.eq(diesel::dsl::now))
                .execute(connection)?;
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
        self.in_hook(call, move |connection, called| {
            if !called.delivered_lately {
                note_delivery(connection, called)?;
            }
            if !mentions.is_empty() {
                insert_rereads(connection, called, &mentions)?;
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
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            let waiting = count(connection, &owner, id)?.waiting;
            if waiting > MOST_WAITING && jobs::hasten_idle(connection, &owner, id, JobKind::Sweep)?
            {
                // The job's row is ours until the commit: no sweep begins before it, and one that
                // has begun shows only now.
                if !count(connection, &owner, id)?.sweeping {
                    return delete_waiting(connection, &owner, id);
                }
            } else if waiting > MOST_BESIDE_A_SWEEP {
                return delete_waiting(connection, &owner, id);
            }
            jobs::hasten(connection, &owner, id, JobKind::Rereads)
        })
        .await
    }

    /// Runs `work` in a transaction that sees the rows of the hook's tenant and no others, unless the
    /// call is refused. The route and the tenant are one statement, so an unknown hook takes the same
    /// steps as a known one: without a tenant no row is seen, and the secret is compared all the same.
    async fn in_hook<T, F>(&self, call: HookCall, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection, &Called) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        self.pool
            .transaction(move |connection| {
                let called = find_called(connection, &call)?.ok_or(StoreError::NotFound)?;
                work(connection, &called).map_err(StoreError::gone_with_its_integration)
            })
            .await
    }
}

/// Whose hook was called.
struct Called {
    tenant: TenantId,
    integration: IntegrationId,
    delivered_lately: bool,
}

type SecretRow = (Vec<u8>, Option<Vec<u8>>, Option<bool>, Option<DateTime<Utc>>);

fn find_called(
    connection: &mut PgConnection,
    call: &HookCall,
) -> Result<Option<Called>, StoreError> {
    use event_hooks as h;
    use hook_routes as r;
    let route: Option<(String, Uuid, String, String)> = r::table
        .find(call.hook.0)
        .select((
            r::tenant_id,
            r::integration_id,
            set_config("odt.tenant", r::tenant_id, true),
            set_config("statement_timeout", STATEMENT_TIMEOUT, true),
        ))
        .first(connection)
        .optional()?;
    let (tenant, integration) =
        route.as_ref().map_or(("", Uuid::nil()), |(tenant, id, ..)| (tenant.as_str(), *id));
    let row: Option<SecretRow> = h::table
        .filter(h::tenant_id.eq(tenant).and(h::integration_id.eq(integration)))
        .filter(h::hook_id.eq(call.hook.0))
        .select((
            h::secret_sha256,
            h::previous_sha256,
            h::previous_valid_until.gt(diesel::dsl::now),
            h::last_delivery_at,
        ))
        .first(connection)
        .optional()?;
    let known = row.is_some();
    let (current, previous, previous_valid, delivered_at) = row
        .map_or((None, None, None, None), |(current, previous, valid, delivered_at)| {
            (Some(current), previous, valid, delivered_at)
        });
    let previous = previous.filter(|_| previous_valid == Some(true));
    let right = call
        .secret
        .as_ref()
        .is_none_or(|secret| secret.is(current.as_deref()) | secret.is(previous.as_deref()));
    let tenant = TenantId::parse(tenant).filter(|_| known && right);
    Ok(tenant.map(|tenant| Called {
        tenant,
        integration: IntegrationId(integration),
        delivered_lately: delivered_at.is_some_and(|at| Utc::now() - at < DELIVERY_NOTED_ONCE_IN),
    }))
}

/// Whoever comes second at the same moment does not wait for the first: once is enough.
fn note_delivery(connection: &mut PgConnection, called: &Called) -> Result<(), StoreError> {
    diesel::sql_query(
        "UPDATE event_hooks SET last_delivery_at = now() \
          WHERE (tenant_id, integration_id) = ( \
                SELECT tenant_id, integration_id FROM event_hooks \
                 WHERE tenant_id = $1 AND integration_id = $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(called.tenant.as_str())
    .bind::<SqlUuid, _>(called.integration.0)
    .execute(connection)?;
    Ok(())
}

/// In the order of the ids, so that two deliveries at once never wait for each other in a circle.
fn insert_rereads(
    connection: &mut PgConnection,
    called: &Called,
    mentions: &[DeviceMention],
) -> Result<(), StoreError> {
    let (ids, are_devices): (Vec<&str>, Vec<bool>) =
        mentions.iter().map(|mention| (mention.id.as_str(), mention.is_device)).unzip();
    diesel::sql_query(
        "INSERT INTO okta_rereads AS r \
                (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) \
         SELECT j.tenant_id, j.integration_id, m.id, 'hook', \
                greatest(now(), d.read_by_id_at + interval '1 minute'), clock_timestamp() \
           FROM jobs j CROSS JOIN unnest($3, $4) AS m (id, is_device) \
           LEFT JOIN okta_devices d ON d.tenant_id = j.tenant_id \
                AND d.integration_id = j.integration_id AND d.okta_device_id = m.id \
          WHERE j.tenant_id = $1 AND j.integration_id = $2 AND j.kind = $5 \
                AND (m.is_device OR d.okta_device_id IS NOT NULL) \
          ORDER BY m.id \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
            SET due_at = least(r.due_at, excluded.due_at), asked_at = excluded.asked_at, \
                reason = 'hook'",
    )
    .bind::<Text, _>(called.tenant.as_str())
    .bind::<SqlUuid, _>(called.integration.0)
    .bind::<Array<Text>, _>(ids)
    .bind::<Array<Bool>, _>(are_devices)
    .bind::<Text, _>(JobKind::Rereads.as_str())
    .execute(connection)?;
    Ok(())
}

fn count(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<Counted, StoreError> {
    Ok(diesel::sql_query(
        "SELECT (SELECT count(*) FROM ( \
                        SELECT FROM okta_rereads WHERE tenant_id = $1 AND integration_id = $2 \
                           AND reason = 'hook' LIMIT $3) AS of_hooks) AS waiting, \
                EXISTS (SELECT FROM okta_syncs WHERE tenant_id = $1 AND integration_id = $2 \
                           AND sweep_started_at IS NOT NULL \
                           AND (sweep_completed_at >= sweep_started_at) IS NOT TRUE) AS sweeping",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(MOST_BESIDE_A_SWEEP + 1)
    .get_result(connection)?)
}

/// Those that somebody else has in hand stay: to wait for them could be a circle, and they do no harm.
fn delete_waiting(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<(), StoreError> {
    diesel::sql_query(
        "DELETE FROM okta_rereads WHERE (tenant_id, integration_id, okta_device_id) IN ( \
                SELECT tenant_id, integration_id, okta_device_id FROM okta_rereads \
                 WHERE tenant_id = $1 AND integration_id = $2 AND reason = 'hook' LIMIT $3 \
                   FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(BATCH)
    .execute(connection)?;
    Ok(())
}
