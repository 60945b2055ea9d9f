//! The rows of the key pairs of service apps, and of the address of their public key set.

use diesel::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::model::{ClientKeyState, IntegrationId, JwksId, PublicJwk, TenantId};
use crate::store::schema::{client_keys, jwks_routes};
use crate::store::{StoreError, Tx};

#[diesel::dsl::auto_type(no_type_alias)]
fn key_rows<'a>(tenant: &'a TenantId, id: IntegrationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    client_keys::table
        .filter(client_keys::tenant_id.eq(tenant).and(client_keys::integration_id.eq(id)))
}

/// `sealed` and the key that sealed it are one value.
pub(in crate::store) fn insert_client_key(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    jwk: &PublicJwk,
    (sealed, key_id): (&[u8], &str),
    created_by: &str,
) -> Result<(), StoreError> {
    use client_keys as k;
    let public_jwk =
        serde_json::to_value(jwk).map_err(|_| StoreError::Corrupt("client_keys.public_jwk"))?;
    diesel::insert_into(k::table)
        .values((
            k::tenant_id.eq(tx.tenant.as_str()),
            k::integration_id.eq(id.0),
            k::kid.eq(&jwk.kid),
            k::state.eq(ClientKeyState::Pending.as_str()),
            k::public_jwk.eq(public_jwk),
            k::private_key.eq(sealed),
            k::key_id.eq(key_id),
            (k::created_at.eq(tx.now), k::created_by.eq(created_by)),
        ))
        .execute(tx.connection)?;
    ensure_route(tx, id)
}

/// The address of the public key set stays the same for all keys of an integration.
fn ensure_route(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    use jwks_routes as r;
    diesel::insert_into(r::table)
        .values((
            r::jwks_id.eq(JwksId::random().0),
            r::tenant_id.eq(tx.tenant.as_str()),
            r::integration_id.eq(id.0),
        ))
        .on_conflict((r::tenant_id, r::integration_id))
        .do_nothing()
        .execute(tx.connection)?;
    Ok(())
}

pub(in crate::store) fn find_sealed_key(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    state: ClientKeyState,
) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    use client_keys as k;
    let row = key_rows(tx.tenant, id).filter(k::state.eq(state.as_str()));
    Ok(row.select((k::kid, k::private_key)).first(tx.connection).optional()?)
}

/// The active key, sealed.
pub(in crate::store) fn find_active_key(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<(String, Vec<u8>), StoreError> {
    let active = find_sealed_key(tx, id, ClientKeyState::Active)?;
    active.ok_or(StoreError::Corrupt("client_keys.state"))
}

/// Makes the key the active one, and the active one the previous one.
///
/// # Errors
/// [`StoreError::ChangedMeanwhile`] when the key was deleted or replaced.
pub(in crate::store) fn activate_client_key(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kid: &str,
) -> Result<(), StoreError> {
    use client_keys as k;
    let state: Option<String> = key_rows(tx.tenant, id)
        .filter(k::kid.eq(kid))
        .select(k::state)
        .first(tx.connection)
        .optional()?;
    match state.as_deref().and_then(|state| state.parse().ok()) {
        Some(ClientKeyState::Active) => return Ok(()),
        Some(ClientKeyState::Pending) => {}
        Some(ClientKeyState::Previous) | None => return Err(StoreError::ChangedMeanwhile),
    }
    let in_state = |state: ClientKeyState| k::state.eq(state.as_str());
    diesel::delete(key_rows(tx.tenant, id).filter(in_state(ClientKeyState::Previous)))
        .execute(tx.connection)?;
    diesel::update(key_rows(tx.tenant, id).filter(in_state(ClientKeyState::Active)))
        .set(in_state(ClientKeyState::Previous))
        .execute(tx.connection)?;
    diesel::update(key_rows(tx.tenant, id).filter(k::kid.eq(kid)))
        .set((in_state(ClientKeyState::Active), k::activated_at.eq(tx.now)))
        .execute(tx.connection)?;
    Ok(())
}

/// Deletes all keys and the address of the public key set.
pub(in crate::store) fn delete_client_keys(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use jwks_routes as r;
    diesel::delete(key_rows(tx.tenant, id)).execute(tx.connection)?;
    let routes =
        r::table.filter(r::tenant_id.eq(tx.tenant.as_str()).and(r::integration_id.eq(id.0)));
    diesel::delete(routes).execute(tx.connection)?;
    Ok(())
}

/// Deletes the key unless it is the active one; says whether it did.
pub(in crate::store) fn delete_client_key(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    kid: &str,
) -> Result<bool, StoreError> {
    use client_keys as k;
    let key = key_rows(tx.tenant, id)
        .filter(k::kid.eq(kid).and(k::state.ne(ClientKeyState::Active.as_str())));
    Ok(diesel::delete(key).execute(tx.connection)? > 0)
}

/// Whose public key set is at the address. Spans tenants.
pub(in crate::store) fn find_jwks_route(
    connection: &mut PgConnection,
    jwks: JwksId,
) -> Result<(TenantId, IntegrationId), StoreError> {
    use jwks_routes as r;
    let (tenant, id): (String, Uuid) =
        r::table.find(jwks.0).select((r::tenant_id, r::integration_id)).first(connection)?;
    let tenant = TenantId::parse(&tenant).ok_or(StoreError::Corrupt("jwks_routes.tenant_id"))?;
    Ok((tenant, IntegrationId(id)))
}

/// The public halves of an integration's keys, newest first.
pub(in crate::store) fn list_public_jwks(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<Vec<PublicJwk>, StoreError> {
    let keys: Vec<serde_json::Value> = key_rows(tx.tenant, id)
        .order(client_keys::created_at.desc())
        .select(client_keys::public_jwk)
        .load(tx.connection)?;
    let parsed: Result<_, _> = keys.into_iter().map(serde_json::from_value).collect();
    parsed.map_err(|_| StoreError::Corrupt("client_keys.public_jwk"))
}
