//! Seals and opens the secrets in each database column that has one. Table, tenant, row and column are the
//! associated data, so that a ciphertext can only be decrypted in its own row and column. Reseals them, in
//! batches for a rotation and all of one integration.

use diesel::prelude::*;
use secrecy::SecretString;
use uuid::Uuid;

use crate::crypto::{self, KeyWrap, Place, SealError};
use crate::model::{IntegrationId, Platform, TenantId};
use crate::store::record::platform_row;
use crate::store::schema::{client_keys, credentials, platforms, sealing_keys};
use crate::store::{StoreError, Tx};

/// Registers the active key as one that seals secrets, and locks its row until the commit. The first use of a
/// key stores its check value; later ones are held to it.
///
/// # Errors
/// [`StoreError::WrongKey`] if another key has sealed secrets under this id.
pub(in crate::store) fn lock_key(tx: &mut Tx<'_>, keys: &dyn KeyWrap) -> Result<(), StoreError> {
    use sealing_keys as k;
    let key_id = keys.active_key_id();
    // rotate-keys may remove the key between the two statements, but not twice.
    for _ in 0..2 {
        diesel::insert_into(k::table)
            .values((
                k::key_id.eq(key_id),
                k::first_used_at.eq(tx.now),
                // Nothing can be sealed yet with a key that is not registered.
                k::check_value.eq(seal_check(keys, key_id)?),
            ))
            .on_conflict_do_nothing()
            .execute(tx.connection)?;
        let locked: Option<Option<Vec<u8>>> = k::table
            .find(key_id)
            .select(k::check_value)
            .for_share()
            .first(tx.connection)
            .optional()?;
        if let Some(check) = locked {
            return check.map_or(Ok(()), |check| open_check(keys, key_id, &check));
        }
    }
    Err(StoreError::ChangedMeanwhile)
}

/// What a check value says once it is open.
const KNOWN_VALUE: &str = "okta-device-trust";

fn check_place(key_id: &str) -> Place<'_> {
    Place { table: "sealing_keys", tenant: "", row: key_id, column: "check_value" }
}

/// Seals the known value with the key.
pub(super) fn seal_check(keys: &dyn KeyWrap, key_id: &str) -> Result<Vec<u8>, StoreError> {
    let known = SecretString::from(KNOWN_VALUE);
    Ok(crypto::seal_with(keys, key_id, check_place(key_id), &known)?)
}

/// Opens the check value of a key.
///
/// # Errors
/// [`StoreError::WrongKey`] when another key has sealed it.
pub(super) fn open_check(keys: &dyn KeyWrap, key_id: &str, check: &[u8]) -> Result<(), StoreError> {
    crypto::open(keys, check_place(key_id), check)
        .map(|_| ())
        .map_err(|_| StoreError::WrongKey { key_id: key_id.to_owned() })
}

fn client_secret_place<'a>(tenant: &'a TenantId, row: &'a str) -> Place<'a> {
    Place { table: "credentials", tenant: tenant.as_str(), row, column: "client_secret" }
}

pub(in crate::store) fn seal_client_secret(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    secret: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    Ok(crypto::seal(keys, client_secret_place(tenant, &id.to_string()), secret)?)
}

pub(in crate::store) fn open_client_secret(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    sealed: &[u8],
) -> Result<SecretString, StoreError> {
    crypto::open(keys, client_secret_place(tenant, &id.to_string()), sealed)
        .map_err(|source| unopened("client secret", id, sealed, source))
}

fn private_key_place<'a>(tenant: &'a TenantId, row: &'a str) -> Place<'a> {
    Place { table: "client_keys", tenant: tenant.as_str(), row, column: "private_key" }
}

pub(in crate::store) fn seal_private_key(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    kid: &str,
    private_key: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    let row = format!("{id}/{kid}");
    Ok(crypto::seal(keys, private_key_place(tenant, &row), private_key)?)
}

pub(in crate::store) fn open_private_key(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    kid: &str,
    sealed: &[u8],
) -> Result<SecretString, StoreError> {
    let row = format!("{id}/{kid}");
    crypto::open(keys, private_key_place(tenant, &row), sealed)
        .map_err(|source| unopened("private key", id, sealed, source))
}

fn row_name(id: IntegrationId, platform: Platform) -> String {
    format!("{id}/{}", platform.as_str())
}

fn platform_secret_place<'a>(tenant: &'a TenantId, row: &'a str) -> Place<'a> {
    Place { table: "platforms", tenant: tenant.as_str(), row, column: "secret" }
}

pub(in crate::store) fn seal_platform_secret(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    platform: Platform,
    secret: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    let row = row_name(id, platform);
    Ok(crypto::seal(keys, platform_secret_place(tenant, &row), secret)?)
}

pub(in crate::store) fn open_platform_secret(
    keys: &dyn KeyWrap,
    tenant: &TenantId,
    id: IntegrationId,
    platform: Platform,
    sealed: &[u8],
) -> Result<SecretString, StoreError> {
    let row = row_name(id, platform);
    let secret = match platform {
        Platform::Macos => "SCEP password",
        Platform::Ios => "secret key of iOS",
    };
    crypto::open(keys, platform_secret_place(tenant, &row), sealed)
        .map_err(|source| unopened(secret, id, sealed, source))
}

fn unopened(
    secret: &'static str,
    integration: IntegrationId,
    sealed: &[u8],
    source: SealError,
) -> StoreError {
    let key_id = crypto::read_key_id(sealed).unwrap_or("unknown").to_owned();
    StoreError::Unopened { secret, integration, key_id, source }
}

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
