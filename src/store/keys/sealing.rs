//! Seals and opens the secrets in each database column that has one. Table, tenant, row and column are the
//! associated data, so that a ciphertext can only be decrypted in its own row and column.

use diesel::prelude::*;
use secrecy::SecretString;

use crate::crypto::{self, KeyWrap, Place, SealError};
use crate::model::{IntegrationId, Platform, TenantId};
use crate::store::error::StoreError;
use crate::store::schema::sealing_keys;
use crate::store::transaction::Tx;

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
