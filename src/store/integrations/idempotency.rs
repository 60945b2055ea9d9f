//! `Idempotency-Key`: the first request claims the key, a repeated one gets what the first made.
//! Keeps the hash of a body that holds no secret, and the id of what was created; nothing else.

use chrono::Duration;
use diesel::prelude::*;
use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};
use crate::store::schema::idempotency_keys;
use crate::store::{Store, StoreError, Tx};

/// A key with the body that it was sent with.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of the request.
    pub body_hash: Vec<u8>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// Ours now: go on.
    Claimed,
    /// An earlier request with this key and body created this.
    Done(IntegrationId),
    /// An earlier request with this key is still at work.
    InFlight,
    /// The key was used with another body.
    OtherBody,
}

/// How long a key is kept (contract §1).
const KEPT_FOR: Duration = Duration::hours(24);
/// After this a request that never came to an end was killed, and its key may be claimed again.
const IN_FLIGHT_FOR: Duration = Duration::seconds(60);

impl Store {
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_idempotency_key(
        &self,
        tenant: &TenantId,
        key: IdempotencyKey,
    ) -> Result<IdempotencyClaim, StoreError> {
        self.in_tenant(tenant, move |tx| {
            use idempotency_keys as i;
            let mine = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()));
            diesel::delete(mine.filter(i::claimed_at.lt(tx.now - KEPT_FOR)))
                .execute(tx.connection)?;
            let lapsed = i::integration_id.is_null().and(i::claimed_at.lt(tx.now - IN_FLIGHT_FOR));
            diesel::delete(mine.filter(i::key.eq(&key.key)).filter(lapsed))
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
            let found: Option<(Vec<u8>, Option<Uuid>)> = mine
                .filter(i::key.eq(&key.key))
                .select((i::body_hash, i::integration_id))
                .first(tx.connection)
                .optional()?;
            // Given back at this very moment: the caller tries again and finds it free.
            let Some((body_hash, id)) = found else { return Ok(IdempotencyClaim::InFlight) };
            Ok(match id {
                _ if body_hash != key.body_hash => IdempotencyClaim::OtherBody,
                Some(id) => IdempotencyClaim::Done(IntegrationId(id)),
                None => IdempotencyClaim::InFlight,
            })
        })
        .await
    }

    /// Gives a claimed key back after a request that created nothing, so that it may be tried again.
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
            let mine = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()).and(i::key.eq(&key)));
            diesel::delete(mine.filter(i::integration_id.is_null())).execute(tx.connection)?;
            Ok(())
        })
        .await
    }
}

/// Notes what the request created, in the transaction that created it.
pub(in crate::store) fn complete(
    tx: &mut Tx<'_>,
    key: &IdempotencyKey,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use idempotency_keys as i;
    let mine = i::table.filter(i::tenant_id.eq(tx.tenant.as_str()).and(i::key.eq(&key.key)));
    let updated = diesel::update(mine).set(i::integration_id.eq(id.0)).execute(tx.connection)?;
    if updated == 1 { Ok(()) } else { Err(StoreError::ChangedMeanwhile) }
}
