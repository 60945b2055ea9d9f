//! The client ID of an integration and what it authenticates with: a sealed client secret, or the
//! active key pair.

use diesel::prelude::*;
use secrecy::SecretString;
use uuid::Uuid;

use crate::crypto::{self, KeyWrap};
use crate::model::{
    ClientKeyState, ClientSecret, CredentialsKind, Engine, ExpectedVersion, Finding, IntegrationId,
    IntegrationRecord, JwksId, NewCredentials, NewEvent, PublicJwk, StoredCredentials, TenantId,
};
use crate::store::events::insert_event;
use crate::store::keys::sealing::{
    lock_key, open_client_secret, open_private_key, seal_client_secret, seal_private_key,
};
use crate::store::record::client_keys::{
    activate_client_key, delete_client_key, delete_client_keys, find_active_key, find_jwks_route,
    find_sealed_key, insert_client_key, list_public_jwks,
};
use crate::store::record::{
    Change, expect_integration, load_record, next_secret_version, update_engine, upsert_findings,
};
use crate::store::schema::{credentials, prerequisite_findings};
use crate::store::{Store, StoreError, Tx, jobs};

/// Credentials that Okta has accepted, with the findings of the same exchange.
#[derive(Debug, Clone)]
pub struct CredentialsChange {
    pub new: NewCredentials,
    /// The org that accepted them. If the integration points at another org by now, the change is rejected,
    /// because the credentials would be sent to a host that was not verified.
    pub org_id: String,
    /// The engine in the org's current well-known document.
    pub engine: Engine,
    pub findings: Vec<Finding>,
    /// The version in `If-Match`, if the caller sent it.
    pub expected_version: ExpectedVersion,
    pub event: NewEvent,
}

/// A key pair to be stored as pending.
#[derive(Debug, Clone)]
pub struct NewClientKey {
    pub jwk: PublicJwk,
    pub private_key: SecretString,
    pub event: NewEvent,
}

/// A key that is opened to sign with.
#[derive(Debug, Clone)]
pub struct OpenedClientKey {
    pub kid: String,
    pub private_key: SecretString,
}

#[diesel::dsl::auto_type(no_type_alias)]
fn credentials_row<'a>(tenant: &'a TenantId, id: IntegrationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    credentials::table
        .filter(credentials::tenant_id.eq(tenant).and(credentials::integration_id.eq(id)))
}

impl Store {
    /// Stores credentials that Okta has accepted, with the findings of the same exchange.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`], [`StoreError::ChangedMeanwhile`],
    /// [`StoreError::Unavailable`].
    pub async fn update_credentials(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        change: CredentialsChange,
    ) -> Result<IntegrationRecord, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.change(tenant, id, change.expected_version, move |tx, before| {
            if before.integration.org.id != change.org_id {
                return Err(StoreError::ChangedMeanwhile);
            }
            let sealed = store_secret(tx, keys.as_ref(), id, &change.new.secret)?;
            upsert(tx, id, &change.new, sealed.as_deref(), &change.event.actor.sub)?;
            update_engine(tx, id, &change.engine)?;
            upsert_findings(tx, id, &change.findings)?;
            insert_event(tx, &change.event)?;
            jobs::enqueue_all(tx, id)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// Decrypts the credentials for a call to Okta; `None` if none are stored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unopened`], [`StoreError::Unavailable`].
    pub async fn open_credentials(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<(IntegrationRecord, Option<StoredCredentials>), StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.in_tenant(tenant, move |tx| {
            let record = load_record(tx, id, false)?;
            let row: Option<(String, Option<Vec<u8>>, i64)> = credentials_row(tx.tenant, id)
                .select((credentials::client_id, credentials::client_secret, credentials::version))
                .first(tx.connection)
                .optional()?;
            let Some((client_id, sealed, version)) = row else { return Ok((record, None)) };
            let secret = open_secret(tx, keys.as_ref(), id, sealed.as_deref())?;
            Ok((record, Some(StoredCredentials { client_id, secret, version })))
        })
        .await
    }

    /// Deletes the credentials and the findings that depend on them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] also if none are stored, [`StoreError::StaleVersion`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_credentials(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        expected_version: ExpectedVersion,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, expected_version, move |tx, _| {
            if diesel::delete(credentials_row(tx.tenant, id)).execute(tx.connection)? == 0 {
                return Err(StoreError::NotFound);
            }
            delete_client_keys(tx, id)?;
            delete_dependent_findings(tx, id)?;
            jobs::delete_all(tx, id)?;
            insert_event(tx, &event)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// Stores a key pair as pending. One that is pending already stays, and the new one is dropped: its
    /// public half may have been entered in Okta.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn create_client_key(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        new: NewClientKey,
    ) -> Result<IntegrationRecord, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.change(tenant, id, ExpectedVersion::Any, move |tx, before| {
            if before.client_keys.in_state(ClientKeyState::Pending).is_some() {
                return Ok(Change::Nothing);
            }
            lock_key(tx, keys.as_ref())?;
            let kid = &new.jwk.kid;
            let sealed = seal_private_key(keys.as_ref(), tx.tenant, id, kid, &new.private_key)?;
            let sealed = (sealed.as_slice(), keys.active_key_id());
            insert_client_key(tx, id, &new.jwk, sealed, &new.event.actor.sub)?;
            insert_event(tx, &new.event)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// The key that new credentials are proved with, opened: the pending one, else the active one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Seal`], [`StoreError::Unavailable`].
    pub async fn open_client_key(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<Option<OpenedClientKey>, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.in_tenant(tenant, move |tx| {
            expect_integration(tx, id)?;
            for state in [ClientKeyState::Pending, ClientKeyState::Active] {
                let row = find_sealed_key(tx, id, state)?;
                if let Some((kid, sealed)) = row {
                    let private_key =
                        open_private_key(keys.as_ref(), tx.tenant, id, &kid, &sealed)?;
                    return Ok(Some(OpenedClientKey { kid, private_key }));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Deletes a key that is not the active one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::ChangedMeanwhile`] when there is no
    /// such key or it was activated, [`StoreError::Unavailable`].
    pub async fn delete_client_key(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        kid: String,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, move |tx, _| {
            if !delete_client_key(tx, id, &kid)? {
                return Err(StoreError::ChangedMeanwhile);
            }
            insert_event(tx, &event)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// The public halves of an integration's keys, for Okta.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown address and for one without keys alike,
    /// [`StoreError::Unavailable`].
    pub async fn list_public_keys(&self, jwks: JwksId) -> Result<Vec<PublicJwk>, StoreError> {
        let route = self.without_tenant(move |connection, _| find_jwks_route(connection, jwks));
        let (tenant, id) = route.await?;
        let keys = self.in_tenant(&tenant, move |tx| list_public_jwks(tx, id)).await?;
        if keys.is_empty() { Err(StoreError::NotFound) } else { Ok(keys) }
    }
}

/// Seals a client secret, which then replaces all key pairs; or makes the key pair the active one.
fn store_secret(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
    secret: &ClientSecret,
) -> Result<Option<Vec<u8>>, StoreError> {
    match secret {
        ClientSecret::Shared(secret) => {
            lock_key(tx, keys)?;
            delete_client_keys(tx, id)?;
            Ok(Some(seal_client_secret(keys, tx.tenant, id, secret)?))
        }
        ClientSecret::PrivateKey { kid, .. } => {
            activate_client_key(tx, id, kid)?;
            Ok(None)
        }
    }
}

/// `sealed` is the client secret; without one the client has a key pair.
fn open_secret(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    id: IntegrationId,
    sealed: Option<&[u8]>,
) -> Result<ClientSecret, StoreError> {
    if let Some(sealed) = sealed {
        return Ok(ClientSecret::Shared(open_client_secret(keys, tx.tenant, id, sealed)?));
    }
    let (kid, sealed) = find_active_key(tx, id)?;
    let private_key = open_private_key(keys, tx.tenant, id, &kid, &sealed)?;
    Ok(ClientSecret::PrivateKey { kid, private_key })
}

fn upsert(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    new: &NewCredentials,
    sealed: Option<&[u8]>,
    updated_by: &str,
) -> Result<(), StoreError> {
    use credentials as c;
    let version = next_secret_version(tx, id)?;
    let key_id = sealed.map(crypto::read_key_id).transpose()?;
    let kind: CredentialsKind = new.secret.kind();
    let values = (
        c::kind.eq(kind.as_str()),
        c::client_id.eq(&new.client_id),
        c::client_secret.eq(sealed),
        c::key_id.eq(key_id),
        c::updated_at.eq(tx.now),
        c::version.eq(version),
        c::updated_by.eq(updated_by),
    );
    diesel::insert_into(c::table)
        .values((c::tenant_id.eq(tx.tenant.as_str()), c::integration_id.eq(id.0), values))
        .on_conflict((c::tenant_id, c::integration_id))
        .do_update()
        .set(values)
        .execute(tx.connection)?;
    Ok(())
}

/// Deletes the findings that require credentials; those from the well-known document stay.
fn delete_dependent_findings(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    use prerequisite_findings as f;
    diesel::delete(
        f::table
            .filter(f::tenant_id.eq(tx.tenant.as_str()).and(f::integration_id.eq(id.0)))
            .filter(f::kind.eq_any(["super_admin_scopes", "fastpass"])),
    )
    .execute(tx.connection)?;
    Ok(())
}
