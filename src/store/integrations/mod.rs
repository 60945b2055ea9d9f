//! Integrations. Each change inserts its audit event in the same transaction.

pub(in crate::store) mod credentials;
pub(in crate::store) mod idempotency;
pub(in crate::store) mod prerequisites;

use diesel::prelude::*;
use uuid::Uuid;

use self::idempotency::IdempotencyKey;
use self::prerequisites::{delete_all, save_org};
use crate::crypto::KeyWrap;
use crate::model::{
    Actor, ExpectedVersion, Finding, IntegrationId, IntegrationRecord, NewEvent, Org, Page,
    PageRequest, Platform, TenantId,
};
use crate::store::event_hooks::delete_event_hook;
use crate::store::events::insert_event;
use crate::store::mirror::okta_devices::delete_mirror;
use crate::store::platforms::deployments::count_devices;
use crate::store::record::{
    Change, IntegrationRow, expect_version, first_notices, integration_row, load_record,
    load_records, org_values, update_additional_hosts, upsert_findings,
};
use crate::store::schema::integrations;
use crate::store::{Store, StoreError, Tx, jobs};

/// An integration to create.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    pub id: IntegrationId,
    pub org: Org,
    /// The custom domain that was entered and that the org did not confirm.
    pub dropped_custom_host: Option<String>,
    pub selected_platforms: Vec<Platform>,
    pub findings: Vec<Finding>,
    pub created_by: Actor,
    pub event: NewEvent,
}

/// A change of the configuration; `None` leaves a value unchanged.
#[derive(Debug, Clone)]
pub struct IntegrationChange {
    pub org: Option<Org>,
    /// The custom domain that was entered and that the org did not confirm.
    pub dropped_custom_host: Option<String>,
    pub selected_platforms: Option<Vec<Platform>>,
    pub additional_sign_in_hosts: Option<Vec<String>>,
    /// The org that the additional hosts were seen to belong to.
    pub org_id: String,
    pub findings: Vec<Finding>,
    /// The version in `If-Match`, if the caller sent it.
    pub expected_version: ExpectedVersion,
    pub event: NewEvent,
}

impl Store {
    /// Creates an integration with its first findings and its event, and completes its `Idempotency-Key`,
    /// in one transaction.
    ///
    /// # Errors
    /// [`StoreError::OrgAlreadyConnected`], [`StoreError::Unavailable`].
    pub async fn create_integration(
        &self,
        tenant: &TenantId,
        new: NewIntegration,
        key: Option<IdempotencyKey>,
    ) -> Result<IntegrationRecord, StoreError> {
        self.in_tenant(tenant, move |tx| {
            insert_integration(tx, &new)?;
            upsert_findings(tx, new.id, &new.findings)?;
            insert_event(tx, &new.event)?;
            if let Some(key) = &key {
                idempotency::complete(tx, key, new.id)?;
            }
            load_record(tx, new.id, false)
        })
        .await
    }

    /// Returns an integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn get_integration(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, StoreError> {
        self.in_tenant(tenant, move |tx| load_record(tx, id, false)).await
    }

    /// Lists the tenant's integrations, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_integrations(
        &self,
        tenant: &TenantId,
        page: PageRequest,
    ) -> Result<Page<IntegrationRecord>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let rows: Vec<IntegrationRow> = integrations::table
                .filter(integrations::tenant_id.eq(tx.tenant.as_str()))
                .filter(integrations::id.gt(page.after.unwrap_or(Uuid::nil())))
                .order(integrations::id)
                .limit(page.limit + 1)
                .select(IntegrationRow::as_select())
                .load(tx.connection)?;
            let rows = Page::from_rows(rows, page.limit, |row| row.id);
            Ok(Page { items: load_records(tx, rows.items)?, next: rows.next })
        })
        .await
    }

    /// Changes the configuration and increments its version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`], [`StoreError::OrgAlreadyConnected`],
    /// [`StoreError::Unavailable`].
    pub async fn update_integration(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        change: IntegrationChange,
    ) -> Result<IntegrationRecord, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.change(tenant, id, change.expected_version, move |tx, before| {
            let configures = changes_configuration(before, &change);
            if !configures && change.dropped_custom_host.is_none() {
                return Ok(Change::Nothing);
            }
            apply_change(tx, keys.as_ref(), before, &change)?;
            upsert_findings(tx, id, &change.findings)?;
            insert_event(tx, &change.event)?;
            Ok(if configures { Change::Configuration } else { Change::State })
        })
        .await
    }

    /// Deletes the integration with its secrets, findings, mirror, jobs and event hook. The inventory and
    /// the audit events stay. With `refuse_if_used`, fails if platforms or devices depend on it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`], [`StoreError::InUse`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_integration(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        refuse_if_used: bool,
        expected_version: ExpectedVersion,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let before = load_record(tx, id, true)?;
            expect_version(&before, expected_version)?;
            let devices = count_devices(tx, id, None)?;
            if refuse_if_used && (devices > 0 || !before.platforms.is_empty()) {
                let platforms = before.platforms.iter().map(|state| state.platform).collect();
                return Err(StoreError::InUse { devices, platforms });
            }
            jobs::delete_all(tx, id)?;
            delete_event_hook(tx, id)?;
            tx.touched.add_deleted_mirror(id);
            diesel::delete(integration_row(tx.tenant, id)).execute(tx.connection)?;
            insert_event(tx, &event)?;
            Ok(before)
        })
        .await
    }
}

fn insert_integration(tx: &mut Tx<'_>, new: &NewIntegration) -> Result<(), StoreError> {
    jobs::register_tenant(tx)?;
    // Checked first, because a constraint violation would abort the transaction before the conflicting
    // integration can be named. The constraint still covers concurrent requests.
    ensure_org_is_free(tx, &new.org.id)?;
    let created_by = serde_json::to_value(&new.created_by)
        .map_err(|_| StoreError::Corrupt("integrations.created_by"))?;
    let inserted = diesel::insert_into(integrations::table)
        .values((
            integrations::tenant_id.eq(tx.tenant.as_str()),
            integrations::id.eq(new.id.0),
            org_values(&new.org, tx.now),
            integrations::org_notices.eq(first_notices(new.dropped_custom_host.as_deref(), tx.now)),
            integrations::selected_platforms.eq(platforms_to_json(&new.selected_platforms)),
            integrations::created_by.eq(created_by),
            (integrations::created_at.eq(tx.now), integrations::updated_at.eq(tx.now)),
        ))
        .on_conflict((integrations::tenant_id, integrations::org_id))
        .do_nothing()
        .execute(tx.connection)?;
    if inserted == 0 {
        ensure_org_is_free(tx, &new.org.id)?;
        return Err(StoreError::ChangedMeanwhile);
    }
    Ok(())
}

/// Returns whether the configuration changes. Otherwise the version must not increase, because another
/// admin's `If-Match` would fail without need.
fn changes_configuration(before: &IntegrationRecord, change: &IntegrationChange) -> bool {
    let current = &before.integration;
    let other_platforms = |platforms: &Vec<Platform>| *platforms != current.selected_platforms;
    change.org.as_ref().is_some_and(|org| *org != current.org)
        || change.selected_platforms.as_ref().is_some_and(other_platforms)
        || other_hosts(before, change)
}

fn other_hosts(before: &IntegrationRecord, change: &IntegrationChange) -> bool {
    let stored = &before.integration.additional_sign_in_hosts;
    change.additional_sign_in_hosts.as_ref().is_some_and(|hosts| hosts != stored)
}

fn ensure_org_is_free(tx: &mut Tx<'_>, org_id: &str) -> Result<(), StoreError> {
    let existing: Option<Uuid> = integrations::table
        .filter(integrations::tenant_id.eq(tx.tenant.as_str()).and(integrations::org_id.eq(org_id)))
        .select(integrations::id)
        .first(tx.connection)
        .optional()?;
    match existing {
        Some(id) => Err(StoreError::OrgAlreadyConnected(IntegrationId(id))),
        None => Ok(()),
    }
}

fn apply_change(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    before: &IntegrationRecord,
    change: &IntegrationChange,
) -> Result<(), StoreError> {
    let id = before.integration.id;
    if let Some(org) = &change.org {
        if org.id != before.integration.org.id {
            // Credentials and platforms that were stored concurrently belong to the previous org.
            if before.credentials.is_some() || !before.platforms.is_empty() {
                return Err(StoreError::ChangedMeanwhile);
            }
            ensure_org_is_free(tx, &org.id)?;
            delete_all(tx, id)?;
            delete_mirror(tx, id)?;
            delete_event_hook(tx, id)?;
            update_additional_hosts(tx, id, &[])?;
        }
        save_org(tx, keys, before, org, change.dropped_custom_host.as_deref())?;
    }
    if let Some(hosts) = &change.additional_sign_in_hosts
        && other_hosts(before, change)
    {
        let org_id = change.org.as_ref().map_or(&before.integration.org.id, |org| &org.id);
        if *org_id != change.org_id {
            return Err(StoreError::ChangedMeanwhile);
        }
        update_additional_hosts(tx, id, hosts)?;
    }
    if let Some(platforms) = &change.selected_platforms {
        diesel::update(integration_row(tx.tenant, id))
            .set(integrations::selected_platforms.eq(platforms_to_json(platforms)))
            .execute(tx.connection)?;
    }
    Ok(())
}

fn platforms_to_json(platforms: &[Platform]) -> serde_json::Value {
    platforms.iter().map(|platform| platform.as_str()).collect()
}
