//! Which keys seal what, and sealing anew under another: what `rotate-keys` and the start need.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::PgConnection;
use diesel::prelude::*;

use super::schema::{credentials, sealing_keys, tenants};
use super::{Store, StoreError, set_config};
use crate::model::{IntegrationId, TenantId};

/// Notes that `key_id` is about to seal something, and holds the note until the commit.
pub(super) fn hold_key(connection: &mut PgConnection, key_id: &str) -> Result<(), StoreError> {
    diesel::insert_into(sealing_keys::table)
        .values(sealing_keys::key_id.eq(key_id))
        .on_conflict_do_nothing()
        .execute(connection)?;
    // Between the two statements rotate-keys may have taken the key off the list: then there is no
    // row to hold, and the transaction is done again.
    let held: Option<String> = sealing_keys::table
        .find(key_id)
        .select(sealing_keys::key_id)
        .for_share()
        .first(connection)
        .optional()?;
    held.map(|_| ()).ok_or(StoreError::ChangedMeanwhile)
}

impl Store {
    /// The keys that have sealed something and that the keyring does not hold: what they sealed
    /// could not be opened.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_missing_keys(&self) -> Result<Vec<String>, StoreError> {
        let held = self.keys.key_ids();
        self.pool
            .transaction(move |connection| {
                let used: Vec<String> = sealing_keys::table
                    .select(sealing_keys::key_id)
                    .order(sealing_keys::key_id)
                    .load(connection)?;
                Ok(used.into_iter().filter(|key_id| !held.contains(key_id)).collect())
            })
            .await
    }

    /// Seals up to `limit` secrets of `tenant` anew, those that another key than the active one
    /// sealed, and says how many it did: 0 means that none is left.
    ///
    /// # Errors
    /// [`StoreError::Seal`] when a key is missing from the keyring, [`StoreError::Unavailable`].
    pub async fn reseal_credentials(
        &self,
        tenant: &TenantId,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let owner = tenant.clone();
        let keys = Arc::clone(&self.keys);
        self.in_tenant(tenant, move |connection| {
            hold_key(connection, keys.active_key_id())?;
            let rows: Vec<(uuid::Uuid, Vec<u8>)> = credentials::table
                .filter(credentials::tenant_id.eq(owner.as_str()))
                .filter(credentials::key_id.ne(keys.active_key_id()))
                .order(credentials::integration_id)
                .limit(limit)
                .select((credentials::integration_id, credentials::client_secret))
                .for_update()
                .load(connection)?;
            for (id, sealed) in &rows {
                let id = IntegrationId(*id);
                let secret = super::credentials::open(keys.as_ref(), &owner, id, sealed)?;
                let resealed = super::credentials::seal(keys.as_ref(), &owner, id, &secret)?;
                let row = credentials::table
                    .filter(credentials::tenant_id.eq(owner.as_str()))
                    .filter(credentials::integration_id.eq(id.0));
                diesel::update(row)
                    .set((
                        credentials::client_secret.eq(&resealed),
                        credentials::key_id.eq(keys.active_key_id()),
                    ))
                    .execute(connection)?;
            }
            Ok(rows.len())
        })
        .await
    }

    /// How many secrets each key has sealed, over all tenants.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_secrets_by_key(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut counts = BTreeMap::new();
        for tenant in self.list_tenants().await? {
            let owner = tenant.clone();
            let of_tenant: Vec<(String, i64)> = self
                .in_tenant(&tenant, move |connection| {
                    Ok(credentials::table
                        .filter(credentials::tenant_id.eq(owner.as_str()))
                        .group_by(credentials::key_id)
                        .select((credentials::key_id, diesel::dsl::count_star()))
                        .load(connection)?)
                })
                .await?;
            for (key_id, count) in of_tenant {
                *counts.entry(key_id).or_default() += count;
            }
        }
        Ok(counts)
    }

    /// Takes the keys off the list that seal nothing any more, and says which are still on it.
    ///
    /// One transaction holds a key's row while it goes round the tenants, so that no writer can seal
    /// with it in between; such a writer waits and then notes the key anew.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_unused_keys(&self) -> Result<Vec<String>, StoreError> {
        let active = self.keys.active_key_id().to_owned();
        self.pool
            .transaction(move |connection| {
                let listed: Vec<String> = sealing_keys::table
                    .select(sealing_keys::key_id)
                    .order(sealing_keys::key_id)
                    .for_update()
                    .load(connection)?;
                let tenants: Vec<String> = tenants::table.select(tenants::id).load(connection)?;
                let mut kept = Vec::new();
                for key_id in listed {
                    if key_id == active || is_in_use(connection, &tenants, &key_id)? {
                        kept.push(key_id);
                    } else {
                        diesel::delete(sealing_keys::table.find(&key_id)).execute(connection)?;
                    }
                }
                Ok(kept)
            })
            .await
    }
}

fn is_in_use(
    connection: &mut PgConnection,
    tenants: &[String],
    key_id: &str,
) -> Result<bool, StoreError> {
    for tenant in tenants {
        diesel::select(set_config("odt.tenant", tenant, true)).execute(connection)?;
        let mine = credentials::table.filter(credentials::tenant_id.eq(tenant));
        let found = diesel::dsl::exists(mine.filter(credentials::key_id.eq(key_id)));
        if diesel::select(found).get_result(connection)? {
            return Ok(true);
        }
    }
    Ok(false)
}
