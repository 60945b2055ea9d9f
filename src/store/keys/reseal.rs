//! Re-encrypts secrets with the active key: in batches for a rotation, and those of one integration.

use diesel::prelude::*;
use secrecy::SecretString;
use uuid::Uuid;

use crate::crypto::KeyWrap;
use crate::model::{IntegrationId, Platform};
use crate::store::keys::sealing::{
    lock_key, open_client_secret, open_platform_secret, open_private_key, seal_client_secret,
    seal_platform_secret, seal_private_key,
};
use crate::store::record::platform_row;
use crate::store::schema::{client_keys, credentials, platforms};
use crate::store::{StoreError, Tx};

/// The result of one batch of a rotation.
#[derive(Debug, Default)]
pub struct Resealed {
    pub done: usize,
    /// Integrations with a secret that cannot be decrypted. They are skipped and reported at the end.
    pub undecryptable: Vec<IntegrationId>,
}

pub(super) fn reseal_credentials(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    limit: i64,
    skipped: &[Uuid],
    batch: &mut Resealed,
) -> Result<(), StoreError> {
    let active = keys.active_key_id();
    let stored = credentials::table.filter(credentials::tenant_id.eq(tx.tenant.as_str()));
    let rows: Vec<(Uuid, Vec<u8>)> = stored
        .filter(credentials::key_id.ne(active).and(credentials::integration_id.ne_all(skipped)))
        .order(credentials::integration_id)
        .limit(limit)
        .select((credentials::integration_id, credentials::client_secret.assume_not_null()))
        .for_no_key_update()
        .load(tx.connection)?;
    for (id, sealed) in rows {
        let Ok(secret) = open_client_secret(keys, tx.tenant, IntegrationId(id), &sealed) else {
            batch.undecryptable.push(IntegrationId(id));
            continue;
        };
        save_client_secret(tx, keys, IntegrationId(id), &secret)?;
        batch.done += 1;
    }
    Ok(())
}

fn save_client_secret(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
    secret: &SecretString,
) -> Result<(), StoreError> {
    use credentials as c;
    let resealed = seal_client_secret(keys, tx.tenant, id, secret)?;
    let row = c::table.filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)));
    diesel::update(row)
        .set((c::client_secret.eq(&resealed), c::key_id.eq(keys.active_key_id())))
        .execute(tx.connection)?;
    Ok(())
}

pub(super) fn reseal_client_keys(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    limit: i64,
    skipped: &[Uuid],
    batch: &mut Resealed,
) -> Result<(), StoreError> {
    use client_keys as k;
    let active = keys.active_key_id();
    let mine = k::table.filter(k::tenant_id.eq(tx.tenant.as_str()));
    let rows: Vec<(Uuid, String, Vec<u8>)> = mine
        .filter(k::key_id.ne(active).and(k::integration_id.ne_all(skipped)))
        .order((k::integration_id, k::kid))
        .limit(limit)
        .select((k::integration_id, k::kid, k::private_key))
        .for_no_key_update()
        .load(tx.connection)?;
    for (id, kid, sealed) in rows {
        let id = IntegrationId(id);
        let Ok(private_key) = open_private_key(keys, tx.tenant, id, &kid, &sealed) else {
            batch.undecryptable.push(id);
            continue;
        };
        save_private_key(tx, keys, id, &kid, &private_key)?;
        batch.done += 1;
    }
    Ok(())
}

fn save_private_key(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
    kid: &str,
    private_key: &SecretString,
) -> Result<(), StoreError> {
    use client_keys as k;
    let resealed = seal_private_key(keys, tx.tenant, id, kid, private_key)?;
    let mine = k::table.filter(k::tenant_id.eq(tx.tenant.as_str()));
    diesel::update(mine.filter(k::integration_id.eq(id.0).and(k::kid.eq(kid))))
        .set((k::private_key.eq(&resealed), k::key_id.eq(keys.active_key_id())))
        .execute(tx.connection)?;
    Ok(())
}

pub(super) fn reseal_platforms(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    limit: i64,
    skipped: &[Uuid],
    batch: &mut Resealed,
) -> Result<(), StoreError> {
    let active = keys.active_key_id();
    let rows: Vec<(Uuid, String, Vec<u8>)> = platforms::table
        .filter(platforms::tenant_id.eq(tx.tenant.as_str()))
        .filter(platforms::key_id.ne(active).and(platforms::integration_id.ne_all(skipped)))
        .order((platforms::integration_id, platforms::platform))
        .limit(limit)
        .select((platforms::integration_id, platforms::platform, platforms::secret))
        .for_no_key_update()
        .load(tx.connection)?;
    for (id, platform, sealed) in rows {
        let id = IntegrationId(id);
        let platform = platform.parse().map_err(|_| StoreError::Corrupt("platforms.platform"))?;
        let Ok(secret) = open_platform_secret(keys, tx.tenant, id, platform, &sealed) else {
            batch.undecryptable.push(id);
            continue;
        };
        save_platform_secret(tx, keys, id, platform, &secret)?;
        batch.done += 1;
    }
    Ok(())
}

fn save_platform_secret(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
    platform: Platform,
    secret: &SecretString,
) -> Result<(), StoreError> {
    let resealed = seal_platform_secret(keys, tx.tenant, id, platform, secret)?;
    diesel::update(platform_row(tx.tenant, id, platform))
        .set((platforms::secret.eq(&resealed), platforms::key_id.eq(keys.active_key_id())))
        .execute(tx.connection)?;
    Ok(())
}

/// Reseals every secret of an integration with the active key. After an org moved to another host, no value
/// that was sealed before remains.
pub(in crate::store) fn reseal_integration(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use {client_keys as k, credentials as c, platforms as p};
    lock_key(tx, keys)?;
    let secret: Option<Option<Vec<u8>>> = c::table
        .filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)))
        .select(c::client_secret)
        .for_no_key_update()
        .first(tx.connection)
        .optional()?;
    if let Some(sealed) = secret.flatten() {
        let secret = open_client_secret(keys, tx.tenant, id, &sealed)?;
        save_client_secret(tx, keys, id, &secret)?;
    }
    let private_keys: Vec<(String, Vec<u8>)> = k::table
        .filter(k::tenant_id.eq(tx.tenant.as_str()).and(k::integration_id.eq(id.0)))
        .order(k::kid)
        .select((k::kid, k::private_key))
        .for_no_key_update()
        .load(tx.connection)?;
    for (kid, sealed) in private_keys {
        let private_key = open_private_key(keys, tx.tenant, id, &kid, &sealed)?;
        save_private_key(tx, keys, id, &kid, &private_key)?;
    }
    let secrets: Vec<(String, Vec<u8>)> = p::table
        .filter(p::tenant_id.eq(tx.tenant.as_str()).and(p::integration_id.eq(id.0)))
        .order(p::platform)
        .select((p::platform, p::secret))
        .for_no_key_update()
        .load(tx.connection)?;
    for (platform, sealed) in secrets {
        let platform = platform.parse().map_err(|_| StoreError::Corrupt("platforms.platform"))?;
        let secret = open_platform_secret(keys, tx.tenant, id, platform, &sealed)?;
        save_platform_secret(tx, keys, id, platform, &secret)?;
    }
    Ok(())
}
