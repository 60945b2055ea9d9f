//! `Idempotency-Key`: the first request claims the key, and a repeated one returns what the first created.
//! Stored are only the hash of the body, which contains no secret, and the ID of the created integration.

use chrono::Duration;
use diesel::prelude::*;
use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};
use crate::store::schema::idempotency_keys;
use crate::store::{Store, StoreError, Tx};

/// A key with the hash of the request body.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of the request.
    pub body_hash: Vec<u8>,
}

/// The state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// The caller has claimed the key and must proceed.
    Claimed,
    /// An earlier request with this key and body created this integration.
    Done(IntegrationId),
    /// An earlier request with this key is in progress.
    InFlight,
    /// The key was used with another body.
    OtherBody,
}

/// How long a key is stored.
const RETENTION: Duration = Duration::hours(24);
/// After this time an unfinished request is considered lost, and its key can be claimed again.
const IN_FLIGHT_TIMEOUT: Duration = Duration::seconds(60);

impl Store {
    /// Claims a key, or returns what is known of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_idempotency_key(
        &self,
        tenant: &TenantId,
        key: IdempotencyKey,
    ) -> Result<IdempotencyClaim, StoreError> {
        self.in_tenant(tenant, move |tx| {
            use idempotency_keys as i;
            let keys = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()));
            diesel::delete(keys.filter(i::claimed_at.lt(tx.now - RETENTION)))
                .execute(tx.connection)?;
            let timed_out =
                i::integration_id.is_null().and(i::claimed_at.lt(tx.now - IN_FLIGHT_TIMEOUT));
            diesel::delete(keys.filter(i::key.eq(&key.key)).filter(timed_out))
                .execute(tx.connection)?;
            let inserted = diesel::insert_into(i::table)
                .values((
                    i::tenant_id.eq(tx.tenant.as_str()),
                    i::key.eq(&key.key),
                    i::body_hash.eq(&key.body_hash),
                    i::claimed_at.eq(tx.now),
                ))
                .on_conflict_do_nothing()
                .execute(tx.connection)?;
            if inserted == 1 {
                return Ok(IdempotencyClaim::Claimed);
            }
            let found: Option<(Vec<u8>, Option<Uuid>)> = keys
                .filter(i::key.eq(&key.key))
                .select((i::body_hash, i::integration_id))
                .first(tx.connection)
                .optional()?;
            // Released since the insert: a retry will succeed.
            let Some((body_hash, id)) = found else { return Ok(IdempotencyClaim::InFlight) };
            Ok(match id {
                _ if body_hash != key.body_hash => IdempotencyClaim::OtherBody,
                Some(id) => IdempotencyClaim::Done(IntegrationId(id)),
                None => IdempotencyClaim::InFlight,
            })
        })
        .await
    }

    /// Releases a claimed key after a request that created nothing, so that it can be retried.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_idempotency_key(
        &self,
        tenant: &TenantId,
        key: String,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            use idempotency_keys as i;
            let row = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()).and(i::key.eq(&key)));
            diesel::delete(row.filter(i::integration_id.is_null())).execute(tx.connection)?;
            Ok(())
        })
        .await
    }
}

/// Records what the request created, in the same transaction.
pub(in crate::store) fn complete(
    tx: &mut Tx<'_>,
    key: &IdempotencyKey,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use idempotency_keys as i;
    let row = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()).and(i::key.eq(&key.key)));
    let updated = diesel::update(row).set(i::integration_id.eq(id.0)).execute(tx.connection)?;
    if updated == 1 { Ok(()) } else { Err(StoreError::ChangedMeanwhile) }
}
