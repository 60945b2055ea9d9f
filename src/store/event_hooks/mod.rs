//! Event hooks as their tenant manages them. Of a secret there is the SHA-256 alone, and of the
//! one before it for a day. What calls leave behind is `hook_calls`.

pub(in crate::store) mod deliveries;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::crypto::HookSecretDigest;
use crate::model::{EventHook, HookId, IntegrationId, NewEvent, TenantId};
use crate::store::events::insert_event;
use crate::store::record::{load_record, next_secret_version};
use crate::store::schema::{event_hooks, hook_routes};
use crate::store::{Store, StoreError};

/// A secret is accepted for so long after it was replaced (contract §7).
const PREVIOUS_VALID_FOR: TimeDelta = TimeDelta::hours(24);

/// A hook that was set up or got a new secret.
#[derive(Debug, Clone)]
pub struct StoredEventHook {
    pub hook: EventHook,
    /// False when there was one before.
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

fn find(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<Option<EventHook>, StoreError> {
    let row = hook_row(tenant, id).select(HookRow::as_select()).first(connection).optional()?;
    Ok(row.map(|row: HookRow| EventHook {
        id: HookId(row.hook_id),
        version: row.version,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
        previous_valid_until: row.previous_valid_until.filter(|until| *until > Utc::now()),
        verified_at: row.verified_at,
        last_delivery_at: row.last_delivery_at,
    }))
}

impl Store {
    /// The hook of an integration; `None` when none is set up.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn find_event_hook(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<Option<EventHook>, StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            load_record(connection, &owner, id, false)?;
            find(connection, &owner, id)
        })
        .await
    }

    /// Sets up the hook, or gives it a new secret; its id stays then, and the secret before is valid
    /// for another day.
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
        let (owner, new_id) = (tenant.clone(), HookId::random());
        self.in_tenant(tenant, move |connection| {
            // The lock makes one of two that are sent at once the rotation of the other.
            load_record(connection, &owner, id, true)?;
            let created = find(connection, &owner, id)?.is_none();
            let version = next_secret_version(connection, &owner, id)?;
            let by = event.actor.sub.as_str();
            if created {
                insert(connection, &owner, id, new_id, &secret, (version, by))?;
            } else {
                rotate(connection, &owner, id, &secret, (version, by))?;
            }
            let hook = find(connection, &owner, id)?.ok_or(StoreError::NotFound)?;
            let mut event = event.clone();
            event.detail = serde_json::json!({
                "hook_id": hook.id.0, "version": hook.version, "rotated": !created,
            });
            insert_event(connection, &owner, &event)?;
            Ok(StoredEventHook { hook, created })
        })
        .await
    }

    /// Deletes the hook with its route: its address is nobody's from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also when none is set up, [`StoreError::Unavailable`].
    pub async fn delete_event_hook(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            load_record(connection, &owner, id, true)?;
            if !delete_event_hook(connection, &owner, id)? {
                return Err(StoreError::NotFound);
            }
            insert_event(connection, &owner, &event)
        })
        .await
    }
}

/// Deletes the hook with its route; false when there is none.
pub(super) fn delete_event_hook(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<bool, StoreError> {
    use hook_routes as r;
    let routes = r::table.filter(r::tenant_id.eq(tenant.as_str()).and(r::integration_id.eq(id.0)));
    diesel::delete(routes).execute(connection)?;
    Ok(diesel::delete(hook_row(tenant, id)).execute(connection)? > 0)
}

fn insert(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    hook: HookId,
    secret: &HookSecretDigest,
    (version, by): (i64, &str),
) -> Result<(), StoreError> {
    use event_hooks as h;
    diesel::insert_into(h::table)
        .values((
            h::tenant_id.eq(tenant.as_str()),
            h::integration_id.eq(id.0),
            h::hook_id.eq(hook.0),
            h::secret_sha256.eq(secret.as_bytes()),
            h::version.eq(version),
            h::updated_by.eq(by),
        ))
        .execute(connection)?;
    diesel::insert_into(hook_routes::table)
        .values((
            hook_routes::hook_id.eq(hook.0),
            hook_routes::tenant_id.eq(tenant.as_str()),
            hook_routes::integration_id.eq(id.0),
        ))
        .execute(connection)?;
    Ok(())
}

fn rotate(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    secret: &HookSecretDigest,
    (version, by): (i64, &str),
) -> Result<(), StoreError> {
    use event_hooks as h;
    diesel::update(hook_row(tenant, id))
        .set((
            h::previous_sha256.eq(h::secret_sha256.nullable()),
            h::previous_valid_until.eq(Utc::now() + PREVIOUS_VALID_FOR),
            h::secret_sha256.eq(secret.as_bytes()),
            h::version.eq(version),
            h::updated_at.eq(diesel::dsl::now),
            h::updated_by.eq(by),
        ))
        .execute(connection)?;
    Ok(())
}
