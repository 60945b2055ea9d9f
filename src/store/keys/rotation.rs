//! Which keys seal what, and sealing anew under another: what `rotate-keys` and the start need.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::crypto::KeyWrap;
use crate::model::{IntegrationId, TenantId};
use crate::store::keys::sealing::{
    lock_key, open_client_secret, open_platform_secret, seal_client_secret, seal_platform_secret,
};
use crate::store::record::platform_row;
use crate::store::schema::{credentials, platforms, sealing_keys, tenants};
use crate::store::session::set_config;
use crate::store::{Store, StoreError, Tx};

/// What one batch of a rotation did.
#[derive(Debug, Default)]
pub struct Resealed {
    pub done: usize,
    /// Integrations with a secret that does not open: passed over, and told of at the end.
    pub unopened: Vec<IntegrationId>,
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
    /// sealed; those of `passed_over` are left alone. Nothing done means that none is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reseal_secrets(
        &self,
        tenant: &TenantId,
        limit: i64,
        passed_over: Vec<IntegrationId>,
    ) -> Result<Resealed, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.in_tenant(tenant, move |tx| {
            lock_key(tx, keys.active_key_id())?;
            let passed_over: Vec<Uuid> = passed_over.iter().map(|id| id.0).collect();
            let mut batch = Resealed::default();
            reseal_credentials(tx, keys.as_ref(), limit, &passed_over, &mut batch)?;
            reseal_platforms(tx, keys.as_ref(), limit, &passed_over, &mut batch)?;
            Ok(batch)
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
            let of_tenant: Vec<(String, i64)> = self
                .in_tenant(&tenant, move |tx| {
                    let mut counted: Vec<(String, i64)> = credentials::table
                        .filter(credentials::tenant_id.eq(tx.tenant.as_str()))
                        .group_by(credentials::key_id)
                        .select((credentials::key_id, diesel::dsl::count_star()))
                        .load(tx.connection)?;
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
            for (key_id, count) in of_tenant {
                *counts.entry(key_id).or_default() += count;
            }
        }
        Ok(counts)
    }

    /// Takes the keys off the list that seal nothing any more, and says which are still on it.
    ///
    /// First without holding anything up; then a key that seems unused is held and looked at once
    /// more, so that no writer can seal with it in between: such a writer waits and notes it anew.
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
                let tenants: Vec<String> = tenants::table.select(tenants::id).load(connection)?;
                let mut kept = Vec::new();
                for key_id in listed {
                    let needed = key_id == active || used.contains_key(&key_id);
                    if needed || !release(connection, &tenants, &key_id)? {
                        kept.push(key_id);
                    }
                }
                Ok(kept)
            })
            .await
    }
}

/// Takes a key off the list unless it seals something; says whether it did.
fn release(
    connection: &mut PgConnection,
    tenants: &[String],
    key_id: &str,
) -> Result<bool, StoreError> {
    let row = sealing_keys::table.find(key_id);
    let held: Option<String> =
        row.select(sealing_keys::key_id).for_update().first(connection).optional()?;
    // Without a row another rotation has taken it off the list first.
    if held.is_some() && is_in_use(connection, tenants, key_id)? {
        return Ok(false);
    }
    diesel::delete(sealing_keys::table.find(key_id)).execute(connection)?;
    Ok(true)
}

fn reseal_credentials(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    limit: i64,
    passed_over: &[Uuid],
    batch: &mut Resealed,
) -> Result<(), StoreError> {
    let active = keys.active_key_id();
    let mine = credentials::table.filter(credentials::tenant_id.eq(tx.tenant.as_str()));
    let rows: Vec<(Uuid, Vec<u8>)> = mine
        .filter(credentials::key_id.ne(active).and(credentials::integration_id.ne_all(passed_over)))
        .order(credentials::integration_id)
        .limit(limit)
        .select((credentials::integration_id, credentials::client_secret))
        .for_update()
        .load(tx.connection)?;
    for (id, sealed) in rows {
        let Ok(secret) = open_client_secret(keys, tx.tenant, IntegrationId(id), &sealed) else {
            batch.unopened.push(IntegrationId(id));
            continue;
        };
        let resealed = seal_client_secret(keys, tx.tenant, IntegrationId(id), &secret)?;
        diesel::update(mine.filter(credentials::integration_id.eq(id)))
            .set((credentials::client_secret.eq(&resealed), credentials::key_id.eq(active)))
            .execute(tx.connection)?;
        batch.done += 1;
    }
    Ok(())
}

fn reseal_platforms(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    limit: i64,
    passed_over: &[Uuid],
    batch: &mut Resealed,
) -> Result<(), StoreError> {
    let active = keys.active_key_id();
    let rows: Vec<(Uuid, String, Vec<u8>)> = platforms::table
        .filter(platforms::tenant_id.eq(tx.tenant.as_str()))
        .filter(platforms::key_id.ne(active).and(platforms::integration_id.ne_all(passed_over)))
        .order((platforms::integration_id, platforms::platform))
        .limit(limit)
        .select((platforms::integration_id, platforms::platform, platforms::secret))
        .for_update()
        .load(tx.connection)?;
    for (id, platform, sealed) in rows {
        let id = IntegrationId(id);
        let platform = platform.parse().map_err(|_| StoreError::Corrupt("platforms.platform"))?;
        let Ok(secret) = open_platform_secret(keys, tx.tenant, id, platform, &sealed) else {
            batch.unopened.push(id);
            continue;
        };
        let resealed = seal_platform_secret(keys, tx.tenant, id, platform, &secret)?;
        diesel::update(platform_row(tx.tenant, id, platform))
            .set((platforms::secret.eq(&resealed), platforms::key_id.eq(active)))
            .execute(tx.connection)?;
        batch.done += 1;
    }
    Ok(())
}

fn is_in_use(
    connection: &mut PgConnection,
    tenants: &[String],
    key_id: &str,
) -> Result<bool, StoreError> {
    for tenant in tenants {
        diesel::select(set_config("odt.tenant", tenant, true)).execute(connection)?;
        let sealed_credentials = credentials::table
            .filter(credentials::tenant_id.eq(tenant).and(credentials::key_id.eq(key_id)));
        let sealed_platforms = platforms::table
            .filter(platforms::tenant_id.eq(tenant).and(platforms::key_id.eq(key_id)));
        let in_credentials = diesel::dsl::exists(sealed_credentials);
        if diesel::select(in_credentials).get_result(connection)?
            || diesel::select(diesel::dsl::exists(sealed_platforms)).get_result(connection)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
