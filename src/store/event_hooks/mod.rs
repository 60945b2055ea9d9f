//! Management of event hooks. Only the SHA-256 of a secret is stored; the previous one is kept for a day.
//! `deliveries` handles the calls.

pub(in crate::store) mod deliveries;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use crate::crypto::{HookSecretDigest, OlderSecrets};
use crate::model::{EventHook, HookId, IntegrationId, NewEvent, TenantId};
use crate::store::events::insert_event;
use crate::store::record::{load_record, next_secret_version};
use crate::store::schema::{event_hooks, hook_routes};
use crate::store::{Store, StoreError, Tx};

/// How long a secret is accepted after it was replaced.
const PREVIOUS_VALID_FOR: TimeDelta = TimeDelta::hours(24);

/// A hook that was created or got a new secret.
#[derive(Debug, Clone)]
pub struct StoredEventHook {
    pub hook: EventHook,
    /// False if the hook existed before.
    pub created: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = event_hooks)]
struct HookRow {
    hook_id: Uuid,
    version: i64,
    updated_at: DateTime<Utc>,
    updated_by: String,
    previous_valid_until: Option<DateTime<Utc>>,
    verified_at: Option<DateTime<Utc>>,
    last_delivery_at: Option<DateTime<Utc>>,
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn hook_row<'a>(tenant: &'a TenantId, id: IntegrationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    event_hooks::table
        .filter(event_hooks::tenant_id.eq(tenant).and(event_hooks::integration_id.eq(id)))
}

fn find(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Option<EventHook>, StoreError> {
    let row =
        hook_row(tx.tenant, id).select(HookRow::as_select()).first(tx.connection).optional()?;
    Ok(row.map(|row: HookRow| EventHook {
        id: HookId(row.hook_id),
        version: row.version,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
        previous_valid_until: row.previous_valid_until.filter(|until| *until > tx.now),
        verified_at: row.verified_at,
        last_delivery_at: row.last_delivery_at,
    }))
}

impl Store {
    /// Returns the hook of an integration; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn find_event_hook(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<Option<EventHook>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            load_record(tx, id, false)?;
            find(tx, id)
        })
        .await
    }

    /// Creates the hook, or replaces its secret. The ID then stays, and the previous secret is valid for
    /// another day.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn update_event_hook(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        secret: HookSecretDigest,
        event: NewEvent,
    ) -> Result<StoredEventHook, StoreError> {
        let new_id = HookId::random();
        self.in_tenant(tenant, move |tx| {
            // The lock serializes two concurrent requests: the second one rotates the secret.
            load_record(tx, id, true)?;
            let created = find(tx, id)?.is_none();
            let version = next_secret_version(tx, id)?;
            let entered = EnteredSecret { secret: &secret, version, by: &event.actor.sub };
            if created {
                insert(tx, id, new_id, &entered)?;
            } else {
                rotate(tx, id, &entered)?;
            }
            let hook = find(tx, id)?.ok_or(StoreError::NotFound)?;
            let mut event = event.clone();
            event.detail = serde_json::json!({
                "hook_id": hook.id.0, "version": hook.version, "rotated": !created,
            });
            insert_event(tx, &event)?;
            Ok(StoredEventHook { hook, created })
        })
        .await
    }

    /// Ends the time in which secrets before the present one are accepted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also when no hook is set up, [`StoreError::Unavailable`].
    pub async fn revoke_previous_hook_secrets(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        use event_hooks as h;
        self.in_tenant(tenant, move |tx| {
            load_record(tx, id, true)?;
            let hook = find(tx, id)?.ok_or(StoreError::NotFound)?;
            diesel::update(hook_row(tx.tenant, id))
                .set((
                    h::previous_sha256.eq(None::<Vec<u8>>),
                    h::previous_valid_until.eq(None::<DateTime<Utc>>),
                    h::older_secrets.eq(OlderSecrets::default().to_json()),
                ))
                .execute(tx.connection)?;
            let detail = serde_json::json!({ "hook_id": hook.id.0, "version": hook.version });
            insert_event(tx, &event.clone().with(detail))
        })
        .await
    }

    /// Deletes the hook and its route.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also if there is no hook, [`StoreError::Unavailable`].
    pub async fn delete_event_hook(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            load_record(tx, id, true)?;
            if !delete_event_hook(tx, id)? {
                return Err(StoreError::NotFound);
            }
            insert_event(tx, &event)
        })
        .await
    }
}

/// Deletes the hook and its route; returns false if there is none.
pub(super) fn delete_event_hook(tx: &mut Tx<'_>, id: IntegrationId) -> Result<bool, StoreError> {
    use hook_routes as r;
    let routes =
        r::table.filter(r::tenant_id.eq(tx.tenant.as_str()).and(r::integration_id.eq(id.0)));
    diesel::delete(routes).execute(tx.connection)?;
    Ok(diesel::delete(hook_row(tx.tenant, id)).execute(tx.connection)? > 0)
}

/// A new secret with its version and the actor that created it.
struct EnteredSecret<'a> {
    secret: &'a HookSecretDigest,
    version: i64,
    by: &'a str,
}

fn insert(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    hook: HookId,
    entered: &EnteredSecret<'_>,
) -> Result<(), StoreError> {
    use event_hooks as h;
    diesel::insert_into(h::table)
        .values((
            h::tenant_id.eq(tx.tenant.as_str()),
            h::integration_id.eq(id.0),
            h::hook_id.eq(hook.0),
            h::secret_sha256.eq(entered.secret.as_bytes()),
            h::version.eq(entered.version),
            h::updated_by.eq(entered.by),
            (h::created_at.eq(tx.now), h::updated_at.eq(tx.now)),
        ))
        .execute(tx.connection)?;
    diesel::insert_into(hook_routes::table)
        .values((
            hook_routes::hook_id.eq(hook.0),
            hook_routes::tenant_id.eq(tx.tenant.as_str()),
            hook_routes::integration_id.eq(id.0),
        ))
        .execute(tx.connection)?;
    Ok(())
}

fn rotate(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    entered: &EnteredSecret<'_>,
) -> Result<(), StoreError> {
    use event_hooks as h;
    let (previous, valid_until, older): (Option<Vec<u8>>, Option<DateTime<Utc>>, _) =
        hook_row(tx.tenant, id)
            .select((h::previous_sha256, h::previous_valid_until, h::older_secrets))
            .first(tx.connection)?;
    let mut older = OlderSecrets::from_json(&older);
    if let (Some(previous), Some(valid_until)) = (previous, valid_until) {
        older.push(&previous, valid_until, tx.now);
    }
    diesel::update(hook_row(tx.tenant, id))
        .set((
            h::older_secrets.eq(older.to_json()),
            h::previous_sha256.eq(h::secret_sha256.nullable()),
            h::previous_valid_until.eq(tx.now + PREVIOUS_VALID_FOR),
            h::secret_sha256.eq(entered.secret.as_bytes()),
            h::version.eq(entered.version),
            h::updated_at.eq(tx.now),
            h::updated_by.eq(entered.by),
        ))
        .execute(tx.connection)?;
    Ok(())
}
