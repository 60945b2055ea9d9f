//! Deliveries of event hooks. A delivery requests re-reads of the devices that it names, or a sweep if they
//! are too many. It cannot make a device trusted: it records only lifecycle events, which can revoke a use.
//!
//! A delivery never waits for a job's row while it has locked another row, because the worker locks them
//! in the opposite order. It locks devices in the order of their IDs.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::crypto::{HookSecretDigest, OlderSecrets};
use crate::model::{DeviceMention, HookId, HookOwner, IntegrationId, JobKind, TenantId};
use crate::store::event_hooks::hook_row;
use crate::store::mirror::merge::change;
use crate::store::schema::{event_hooks, hook_routes};
use crate::store::session::{STATEMENT_TIMEOUT, set_config};
use crate::store::transaction::clock_timestamp;
use crate::store::{Clock, Store, StoreError, Tx, jobs};

/// How often the time of the last delivery is recorded. Recording each one would make them wait for one row.
const DELIVERY_RECORD_INTERVAL: TimeDelta = TimeDelta::seconds(10);
/// The maximum number of re-reads requested by a hook; more are replaced by a sweep.
const MAX_PENDING_REREADS: i64 = 500;
/// The maximum while a sweep is running, which may already have read some of the devices. More are left to
/// incremental reads and the next sweep.
const MAX_PENDING_DURING_SWEEP: i64 = 5_000;
/// The maximum number of rows deleted by one statement, to stay within its timeout.
const BATCH_SIZE: i64 = 20_000;

/// A call of a hook.
#[derive(Debug, Clone)]
pub struct HookCall {
    pub hook: HookId,
    pub secret: HookSecretDigest,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = Bool)]
    sweeping: bool,
}

/// Operations of hook calls. The hook's ID determines the tenant.
impl Store {
    /// Checks that the hook exists and that the secret is correct.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] both for an unknown hook and for a wrong secret,
    /// [`StoreError::Unavailable`].
    pub async fn check_hook_call(&self, call: HookCall) -> Result<(), StoreError> {
        self.in_hook(call, |_, _| Ok(())).await
    }

    /// Records that Okta has verified the URL.
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

    /// Requests re-reads of the mentioned devices: each once, and at the earliest a minute after its last
    /// read. Does nothing for an integration without credentials, whose first sweep reads all devices.
    ///
    /// # Errors
    /// As [`check_hook_call`](Self::check_hook_call).
    pub async fn create_hook_rereads(
        &self,
        call: HookCall,
        mentions: Vec<DeviceMention>,
    ) -> Result<HookOwner, StoreError> {
        self.in_hook(call, move |tx, called| {
            if !called.delivery_recorded_recently {
                record_delivery(tx, called)?;
            }
            if !mentions.is_empty() {
                record_lifecycle_events(tx, called, &mentions)?;
                insert_rereads(tx, called, &mentions)?;
            }
            Ok(HookOwner { tenant: called.tenant.clone(), integration: called.integration })
        })
        .await
    }

    /// Makes the job due that handles the re-reads requested by hooks. If they are too many, replaces them
    /// by a sweep, unless one is running, which may already have read some of the devices.
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
            if waiting > MAX_PENDING_REREADS && jobs::make_due_if_idle(tx, id, JobKind::Sweep)? {
                // The job's row is locked until the commit, so no sweep can start, and one that has
                // started since is visible now.
                if !count(tx, id)?.sweeping {
                    return delete_pending(tx, id);
                }
            } else if waiting > MAX_PENDING_DURING_SWEEP {
                return delete_pending(tx, id);
            }
            jobs::make_due(tx, id, JobKind::Rereads)
        })
        .await
    }

    /// Runs `work` in a transaction of the hook's tenant, unless the call is rejected. An unknown hook takes
    /// the same steps as a known one: one statement finds the route and sets the tenant, and the secret is
    /// compared even if no row is visible.
    async fn in_hook<T, F>(&self, call: HookCall, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>, &AuthenticatedHook) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let clock = self.clock.clone();
        self.pool
            .transaction(move |connection| {
                let route = find_route(connection, &call, &clock)?;
                let hook =
                    authenticate(connection, &call, route.as_ref())?.ok_or(StoreError::NotFound)?;
                let tx = &mut Tx::new(connection, &hook.tenant, hook.now);
                work(tx, &hook).map_err(StoreError::or_integration_deleted)
            })
            .await
    }
}

/// The integration of a hook.
struct Route {
    tenant: String,
    integration: Uuid,
    now: DateTime<Utc>,
}

/// A hook that was called with a correct secret, and the time of the call.
struct AuthenticatedHook {
    tenant: TenantId,
    integration: IntegrationId,
    now: DateTime<Utc>,
    delivery_recorded_recently: bool,
}

type RouteRow = (String, Uuid, String, String, DateTime<Utc>);

/// The secrets of a hook that are accepted, and when it was called last.
#[derive(Queryable, Selectable)]
#[diesel(table_name = event_hooks)]
struct SecretRow {
    secret_sha256: Vec<u8>,
    previous_sha256: Option<Vec<u8>>,
    previous_valid_until: Option<DateTime<Utc>>,
    older_secrets: serde_json::Value,
    last_delivery_at: Option<DateTime<Utc>>,
}

impl SecretRow {
    /// Compares with each secret that is accepted at `now`, in the same time whichever it is.
    fn accepts(&self, secret: &HookSecretDigest, now: DateTime<Utc>) -> bool {
        let previous = self.previous_sha256.as_deref();
        let previous = previous.filter(|_| self.previous_valid_until.is_some_and(|at| at > now));
        let older = OlderSecrets::from_json(&self.older_secrets);
        secret.matches(Some(&self.secret_sha256))
            | secret.matches(previous)
            | older.accept(secret, now)
    }
}

/// Finds the hook's tenant and sets it for the rest of the transaction. Spans tenants.
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

fn authenticate(
    connection: &mut PgConnection,
    call: &HookCall,
    route: Option<&Route>,
) -> Result<Option<AuthenticatedHook>, StoreError> {
    use event_hooks as h;
    let tenant = route.map_or("", |route| route.tenant.as_str());
    let integration = route.map(|route| route.integration);
    let row: Option<SecretRow> = h::table
        .filter(h::tenant_id.eq(tenant).and(h::integration_id.nullable().eq(integration)))
        .filter(h::hook_id.eq(call.hook.0))
        .select(SecretRow::as_select())
        .first(connection)
        .optional()?;
    let accepted = match (&row, route) {
        (Some(row), Some(route)) => row.accepts(&call.secret, route.now),
        // As many steps as for a known hook.
        _ => call.secret.matches(None),
    };
    let delivered_at = row.and_then(|row| row.last_delivery_at);
    let tenant = TenantId::parse(tenant).filter(|_| accepted);
    Ok(tenant.zip(route).map(|(tenant, route)| AuthenticatedHook {
        tenant,
        integration: IntegrationId(route.integration),
        now: route.now,
        delivery_recorded_recently: delivered_at
            .is_some_and(|at| route.now - at < DELIVERY_RECORD_INTERVAL),
    }))
}

/// Records the time of the last delivery. Concurrent deliveries skip the locked row: one update is enough.
fn record_delivery(tx: &mut Tx<'_>, called: &AuthenticatedHook) -> Result<(), StoreError> {
    diesel::sql_query(
        "UPDATE event_hooks SET last_delivery_at = $3 \
          WHERE (tenant_id, integration_id) = ( \
                SELECT tenant_id, integration_id FROM event_hooks \
                 WHERE tenant_id = $1 AND integration_id = $2 FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(called.integration.0)
    .bind::<Timestamptz, _>(tx.now)
    .execute(tx.connection)?;
    Ok(())
}

/// Records lifecycle events, so that the changes they cause do not count as uses of the device.
fn record_lifecycle_events(
    tx: &mut Tx<'_>,
    called: &AuthenticatedHook,
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
            record.uses.record_lifecycle_event(record.last_updated_at, *published);
        }
        record
    })
}

/// Inserts requests in the order of the IDs, so that two deliveries cannot deadlock. A repeated request
/// always increases `asked_at`, however old this transaction is, so that a worker that handles the earlier
/// request does not delete this one.
fn insert_rereads(
    tx: &mut Tx<'_>,
    called: &AuthenticatedHook,
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
    .bind::<BigInt, _>(MAX_PENDING_DURING_SWEEP + 1)
    .get_result(tx.connection)?)
}

/// Deletes the requests of hooks. Rows locked by others are skipped, because waiting could deadlock; the
/// remaining requests are harmless.
fn delete_pending(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    diesel::sql_query(
        "DELETE FROM okta_rereads WHERE (tenant_id, integration_id, okta_device_id) IN ( \
                SELECT tenant_id, integration_id, okta_device_id FROM okta_rereads \
                 WHERE tenant_id = $1 AND integration_id = $2 AND reason = 'hook' LIMIT $3 \
                   FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<BigInt, _>(BATCH_SIZE)
    .execute(tx.connection)?;
    Ok(())
}
