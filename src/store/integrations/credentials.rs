//! The client ID and the sealed client secret of an integration.

use diesel::prelude::*;
use uuid::Uuid;

use crate::crypto;
use crate::model::{
    Engine, ExpectedVersion, Finding, IntegrationId, IntegrationRecord, NewCredentials, NewEvent,
    StoredCredentials, TenantId,
};
use crate::store::events::insert_event;
use crate::store::keys::sealing::{lock_key, open_client_secret, seal_client_secret};
use crate::store::record::{
    Change, load_record, next_secret_version, update_engine, upsert_findings,
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
            lock_key(tx, keys.as_ref())?;
            let sealed =
                seal_client_secret(keys.as_ref(), tx.tenant, id, &change.new.client_secret)?;
            let by = &change.event.actor.sub;
            upsert(tx, id, &change.new.client_id, &sealed, by)?;
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
            let row: Option<(String, Vec<u8>, i64)> = credentials_row(tx.tenant, id)
                .select((credentials::client_id, credentials::client_secret, credentials::version))
                .first(tx.connection)
                .optional()?;
            let Some((client_id, sealed, version)) = row else { return Ok((record, None)) };
            let client_secret = open_client_secret(keys.as_ref(), tx.tenant, id, &sealed)?;
            Ok((record, Some(StoredCredentials { client_id, client_secret, version })))
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
            delete_dependent_findings(tx, id)?;
            jobs::delete_all(tx, id)?;
            insert_event(tx, &event)?;
            Ok(Change::Configuration)
        })
        .await
    }
}

fn upsert(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    client_id: &str,
    sealed: &[u8],
    updated_by: &str,
) -> Result<(), StoreError> {
    use credentials as c;
    let version = next_secret_version(tx, id)?;
    let key_id = crypto::read_key_id(sealed)?;
    let values = (
        c::client_id.eq(client_id),
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
