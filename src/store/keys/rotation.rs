//! Lists and checks the key-encryption keys in use, and re-encrypts secrets with the active one, for
//! `rotate-keys` and the check at startup.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use uuid::Uuid;

use crate::crypto::KeyWrap;
use crate::model::{IntegrationId, TenantId};
use crate::store::keys::sealing::{
    Resealed, lock_key, open_check, open_client_secret, open_platform_secret, open_private_key,
    reseal_client_keys, reseal_credentials, reseal_platforms, seal_check,
};
use crate::store::schema::{client_keys, credentials, platforms, sealing_keys};
use crate::store::{Store, StoreError, Tx};

diesel::define_sql_function! {
    /// A tenant of which a secret is sealed with the key.
    fn tenant_of_key(key_id: Text) -> diesel::sql_types::Nullable<Text>;
}

/// Returns a tenant that has a secret sealed with the key.
fn find_tenant(
    connection: &mut PgConnection,
    key_id: &str,
) -> Result<Option<TenantId>, StoreError> {
    let found: Option<String> = diesel::select(tenant_of_key(key_id)).get_result(connection)?;
    Ok(found.and_then(|id| TenantId::parse(&id)))
}

impl Store {
    /// Checks that the keys of the keyring are those that have sealed stored secrets under the same ids.
    /// A key without a check value gets one after a stored secret was opened with it.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], or [`StoreError::Unopened`] for a stored secret that does not open;
    /// [`StoreError::Unavailable`].
    pub async fn check_keys(&self) -> Result<(), StoreError> {
        for (key_id, check) in self.list_key_checks().await? {
            match check {
                Some(check) => open_check(self.keys.as_ref(), &key_id, &check)?,
                None => self.prove_key(key_id).await?,
            }
        }
        Ok(())
    }

    /// The keys that have sealed something and are in the keyring, with their check values.
    async fn list_key_checks(&self) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        let held = self.keys.key_ids();
        self.pool
            .transaction(move |connection| {
                Ok(sealing_keys::table
                    .filter(sealing_keys::key_id.eq_any(&held))
                    .order(sealing_keys::key_id)
                    .select((sealing_keys::key_id, sealing_keys::check_value))
                    .load(connection)?)
            })
            .await
    }

    /// Opens one stored secret with the key, and stores its check value. A key that seals nothing any
    /// more proves nothing and stays without.
    async fn prove_key(&self, key_id: String) -> Result<(), StoreError> {
        let wanted = key_id.clone();
        let tenant =
            self.pool.transaction(move |connection| find_tenant(connection, &wanted)).await?;
        let Some(tenant) = tenant else { return Ok(()) };
        let keys = Arc::clone(&self.keys);
        self.in_tenant(&tenant, move |tx| {
            if open_one(tx, keys.as_ref(), &key_id)? {
                let check = seal_check(keys.as_ref(), &key_id)?;
                let row = sealing_keys::table.find(&key_id);
                diesel::update(row.filter(sealing_keys::check_value.is_null()))
                    .set(sealing_keys::check_value.eq(check))
                    .execute(tx.connection)?;
            }
            Ok(())
        })
        .await
    }

    /// Returns the keys in use that the keyring does not have, so that their secrets cannot be decrypted.
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

    /// Re-encrypts up to `limit` secrets of `tenant` that are not sealed with the active key, except those
    /// of the integrations in `skipped`. If `done` is 0, none is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reseal_secrets(
        &self,
        tenant: &TenantId,
        limit: i64,
        skipped: Vec<IntegrationId>,
    ) -> Result<Resealed, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.in_tenant(tenant, move |tx| {
            lock_key(tx, keys.as_ref())?;
            let skipped: Vec<Uuid> = skipped.iter().map(|id| id.0).collect();
            let mut batch = Resealed::default();
            reseal_credentials(tx, keys.as_ref(), limit, &skipped, &mut batch)?;
            reseal_platforms(tx, keys.as_ref(), limit, &skipped, &mut batch)?;
            reseal_client_keys(tx, keys.as_ref(), limit, &skipped, &mut batch)?;
            Ok(batch)
        })
        .await
    }

    /// Counts the secrets that are sealed with each key, over all tenants.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_secrets_by_key(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut counts = BTreeMap::new();
        for tenant in self.list_tenants().await? {
            let tenant_counts: Vec<(String, i64)> = self
                .in_tenant(&tenant, move |tx| {
                    let mut counted: Vec<(String, i64)> = credentials::table
                        .filter(credentials::tenant_id.eq(tx.tenant.as_str()))
                        .filter(credentials::key_id.is_not_null())
                        .group_by(credentials::key_id)
                        .select((credentials::key_id.assume_not_null(), diesel::dsl::count_star()))
                        .load(tx.connection)?;
                    counted.extend(
                        client_keys::table
                            .filter(client_keys::tenant_id.eq(tx.tenant.as_str()))
                            .group_by(client_keys::key_id)
                            .select((client_keys::key_id, diesel::dsl::count_star()))
                            .load::<(String, i64)>(tx.connection)?,
                    );
                    counted.extend(
                        platforms::table
                            .filter(platforms::tenant_id.eq(tx.tenant.as_str()))
                            .group_by(platforms::key_id)
                            .select((platforms::key_id, diesel::dsl::count_star()))
                            .load::<(String, i64)>(tx.connection)?,
                    );
                    Ok(counted)
                })
                .await?;
            for (key_id, count) in tenant_counts {
                *counts.entry(key_id).or_default() += count;
            }
        }
        Ok(counts)
    }

    /// Removes keys that no secret is sealed with, and returns the remaining ones.
    ///
    /// Counts without locks first. A key that seems unused is then locked and checked again: a concurrent
    /// writer that seals with it waits for the lock and registers the key again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_unused_keys(&self) -> Result<Vec<String>, StoreError> {
        let used = self.count_secrets_by_key().await?;
        let active = self.keys.active_key_id().to_owned();
        self.pool
            .transaction(move |connection| {
                let listed: Vec<String> = sealing_keys::table
                    .select(sealing_keys::key_id)
                    .order(sealing_keys::key_id)
                    .load(connection)?;
                let mut remaining = Vec::new();
                for key_id in listed {
                    let needed = key_id == active || used.contains_key(&key_id);
                    if needed || !release(connection, &key_id)? {
                        remaining.push(key_id);
                    }
                }
                Ok(remaining)
            })
            .await
    }
}

/// Removes a key from the list unless a secret is sealed with it. Returns whether it was removed.
fn release(connection: &mut PgConnection, key_id: &str) -> Result<bool, StoreError> {
    let row = sealing_keys::table.find(key_id);
    let locked: Option<String> =
        row.select(sealing_keys::key_id).for_update().first(connection).optional()?;
    // If the row is missing, another rotation has removed it.
    if locked.is_some() && find_tenant(connection, key_id)?.is_some() {
        return Ok(false);
    }
    diesel::delete(sealing_keys::table.find(key_id)).execute(connection)?;
    Ok(true)
}

/// Opens one of the tenant's secrets that the key has sealed; false when there is none.
fn open_one(tx: &mut Tx<'_>, keys: &dyn KeyWrap, key_id: &str) -> Result<bool, StoreError> {
    let credentials: Option<(Uuid, Vec<u8>)> = credentials::table
        .filter(credentials::tenant_id.eq(tx.tenant.as_str()).and(credentials::key_id.eq(key_id)))
        .select((credentials::integration_id, credentials::client_secret.assume_not_null()))
        .first(tx.connection)
        .optional()?;
    if let Some((id, sealed)) = credentials {
        return open_client_secret(keys, tx.tenant, IntegrationId(id), &sealed).map(|_| true);
    }
    let platform: Option<(Uuid, String, Vec<u8>)> = platforms::table
        .filter(platforms::tenant_id.eq(tx.tenant.as_str()).and(platforms::key_id.eq(key_id)))
        .select((platforms::integration_id, platforms::platform, platforms::secret))
        .first(tx.connection)
        .optional()?;
    let Some((id, platform, sealed)) = platform else {
        return open_private_key_of(tx, keys, key_id);
    };
    let platform = platform.parse().map_err(|_| StoreError::Corrupt("platforms.platform"))?;
    open_platform_secret(keys, tx.tenant, IntegrationId(id), platform, &sealed).map(|_| true)
}

/// As [`open_one`], for the private keys of service apps.
fn open_private_key_of(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    key_id: &str,
) -> Result<bool, StoreError> {
    use client_keys as k;
    let found: Option<(Uuid, String, Vec<u8>)> = k::table
        .filter(k::tenant_id.eq(tx.tenant.as_str()).and(k::key_id.eq(key_id)))
        .select((k::integration_id, k::kid, k::private_key))
        .first(tx.connection)
        .optional()?;
    let Some((id, kid, sealed)) = found else { return Ok(false) };
    open_private_key(keys, tx.tenant, IntegrationId(id), &kid, &sealed).map(|_| true)
}
