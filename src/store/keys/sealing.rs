//! Seals and opens the secrets in each database column that has one. Table, tenant, row and column are the
//! associated data, so that a ciphertext can only be decrypted in its own row and column.

use diesel::prelude::*;
use secrecy::SecretString;

use crate::crypto::{self, KeyWrap, Place};
use crate::model::{IntegrationId, Platform, TenantId};
use crate::store::schema::sealing_keys;
use crate::store::{StoreError, Tx};

/// Registers `key_id` as a key that seals secrets, and locks its row until the commit.
pub(in crate::store) fn lock_key(tx: &mut Tx<'_>, key_id: &str) -> Result<(), StoreError> {
    // rotate-keys may remove the key between the two statements, but not twice.
    for _ in 0..2 {
        diesel::insert_into(sealing_keys::table)
            .values((sealing_keys::key_id.eq(key_id), sealing_keys::first_used_at.eq(tx.now)))
            .on_conflict_do_nothing()
            .execute(tx.connection)?;
        let locked: Option<String> = sealing_keys::table
            .find(key_id)
            .select(sealing_keys::key_id)
            .for_share()
            .first(tx.connection)
            .optional()?;
        if locked.is_some() {
            return Ok(());
        }
    }
    Err(StoreError::ChangedMeanwhile)
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
    Ok(crypto::open(keys, client_secret_place(tenant, &id.to_string()), sealed)?)
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
    Ok(crypto::open(keys, platform_secret_place(tenant, &row), sealed)?)
}
