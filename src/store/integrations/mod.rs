//! Integrations: created, read, changed and deleted, each with its event in the same transaction.

pub(in crate::store) mod credentials;
pub(in crate::store) mod idempotency;
pub(in crate::store) mod prerequisites;

use diesel::PgConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use uuid::Uuid;

use self::idempotency::IdempotencyKey;
use self::prerequisites::delete_all;
use crate::model::{
    Actor, Finding, IntegrationId, IntegrationRecord, NewEvent, Org, Page, PageRequest, Platform,
    TenantId,
};
use crate::store::event_hooks::delete_event_hook;
use crate::store::events::insert_event;
use crate::store::mirror::okta_devices::delete_mirror;
use crate::store::platforms::deployments::count_devices;
use crate::store::record::{
    Change, IntegrationRow, expect_version, integration_row, load_record, load_records,
    upsert_findings,
};
use crate::store::schema::integrations;
use crate::store::{Store, StoreError, jobs};

/// An integration to be created.
#[derive(Debug, Clone)]
pub struct NewIntegration {
    pub id: IntegrationId,
    pub org: Org,
    pub selected_platforms: Vec<Platform>,
    pub findings: Vec<Finding>,
    pub created_by: Actor,
    pub event: NewEvent,
}

/// What a change of the configuration replaces.
#[derive(Debug, Clone)]
pub struct IntegrationChange {
    pub org: Option<Org>,
    pub selected_platforms: Option<Vec<Platform>>,
    pub findings: Vec<Finding>,
    /// The version that the caller has seen, when `If-Match` was sent.
    pub expected_version: Option<i64>,
    pub event: NewEvent,
}

impl Store {
    /// Creates the integration, its first findings, its event and the kept answer of its
    /// `Idempotency-Key` in one transaction.
    ///
    /// # Errors
    /// [`StoreError::OrgAlreadyConnected`], [`StoreError::Unavailable`].
    pub async fn create_integration(
        &self,
        tenant: &TenantId,
        new: NewIntegration,
        key: Option<IdempotencyKey>,
    ) -> Result<IntegrationRecord, StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            insert_integration(connection, &owner, &new)?;
            upsert_findings(connection, &owner, new.id, &new.findings)?;
            insert_event(connection, &owner, &new.event)?;
            if let Some(key) = &key {
                idempotency::complete(connection, &owner, key, new.id)?;
            }
            load_record(connection, &owner, new.id, false)
        })
        .await
    }

    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn get_integration(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| load_record(connection, &owner, id, false)).await
    }

    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_integrations(
        &self,
        tenant: &TenantId,
        page: PageRequest,
    ) -> Result<Page<IntegrationRecord>, StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            let rows: Vec<IntegrationRow> = integrations::table
                .filter(integrations::tenant_id.eq(owner.as_str()))
                .filter(integrations::id.gt(page.after.unwrap_or(Uuid::nil())))
                .order(integrations::id)
                .limit(page.limit + 1)
                .select(IntegrationRow::as_select())
                .load(connection)?;
            let rows = Page::from_rows(rows, page.limit, |row| row.id);
            Ok(Page { items: load_records(connection, &owner, rows.items)?, next: rows.next })
        })
        .await
    }

    /// Changes the configuration and counts its version up.
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
        self.change(tenant, id, change.expected_version, move |connection, owner, before| {
            if changes_nothing(before, &change) {
                return Ok(Change::Nothing);
            }
            apply_change(connection, owner, before, &change)?;
            upsert_findings(connection, owner, id, &change.findings)?;
            insert_event(connection, owner, &change.event)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// Deletes the integration with its secrets, findings, mirror, work and hook; the
    /// inventory and the events stay (contract §2).
    /// `refuse_if_used` keeps it while platforms or devices depend on it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`], [`StoreError::InUse`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_integration(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        refuse_if_used: bool,
        expected_version: Option<i64>,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        let owner = tenant.clone();
        self.in_tenant(tenant, move |connection| {
            let before = load_record(connection, &owner, id, true)?;
            expect_version(&before, expected_version)?;
            let devices = count_devices(connection, &owner, id, None)?;
            if refuse_if_used && (devices > 0 || !before.platforms.is_empty()) {
                let platforms = before.platforms.iter().map(|state| state.platform).collect();
                return Err(StoreError::InUse { devices, platforms });
            }
            jobs::cancel_all(connection, &owner, id)?;
            delete_event_hook(connection, &owner, id)?;
            diesel::delete(integration_row(&owner, id)).execute(connection)?;
            insert_event(connection, &owner, &event)?;
            Ok(before)
        })
        .await
    }
}

fn insert_integration(
    connection: &mut PgConnection,
    tenant: &TenantId,
    new: &NewIntegration,
) -> Result<(), StoreError> {
    jobs::know_tenant(connection, tenant)?;
    // Asked first, because a violated constraint would end the transaction before we could say with
    // which integration it clashes; the constraint still decides when two requests race.
    ensure_org_is_free(connection, tenant, &new.org.id)?;
    let created_by = serde_json::to_value(&new.created_by)
        .map_err(|_| StoreError::Corrupt("integrations.created_by"))?;
    let inserted = diesel::insert_into(integrations::table)
        .values((
            integrations::tenant_id.eq(tenant.as_str()),
            integrations::id.eq(new.id.0),
            org_values(&new.org),
            integrations::selected_platforms.eq(platforms_to_json(&new.selected_platforms)),
            integrations::created_by.eq(created_by),
        ))
        .on_conflict((integrations::tenant_id, integrations::org_id))
        .do_nothing()
        .execute(connection)?;
    if inserted == 0 {
        ensure_org_is_free(connection, tenant, &new.org.id)?;
        return Err(StoreError::ChangedMeanwhile);
    }
    Ok(())
}

/// A version that counts up for nothing would make a concurrent admin's `If-Match` fail for nothing.
fn changes_nothing(before: &IntegrationRecord, change: &IntegrationChange) -> bool {
    let current = &before.integration;
    let same_platforms = |platforms: &Vec<Platform>| *platforms == current.selected_platforms;
    change.org.as_ref().is_none_or(|org| *org == current.org)
        && change.selected_platforms.as_ref().is_none_or(same_platforms)
}

fn ensure_org_is_free(
    connection: &mut PgConnection,
    tenant: &TenantId,
    org_id: &str,
) -> Result<(), StoreError> {
    let existing: Option<Uuid> = integrations::table
        .filter(integrations::tenant_id.eq(tenant.as_str()).and(integrations::org_id.eq(org_id)))
        .select(integrations::id)
        .first(connection)
        .optional()?;
    match existing {
        Some(id) => Err(StoreError::OrgAlreadyConnected(IntegrationId(id))),
        None => Ok(()),
    }
}

fn apply_change(
    connection: &mut PgConnection,
    tenant: &TenantId,
    before: &IntegrationRecord,
    change: &IntegrationChange,
) -> Result<(), StoreError> {
    let id = before.integration.id;
    if let Some(org) = &change.org {
        if org.id != before.integration.org.id {
            // What came in between belongs to the org before: it must not move along.
            if before.credentials.is_some() || !before.platforms.is_empty() {
                return Err(StoreError::ChangedMeanwhile);
            }
            ensure_org_is_free(connection, tenant, &org.id)?;
            delete_all(connection, tenant, id)?;
            delete_mirror(connection, tenant, id)?;
            delete_event_hook(connection, tenant, id)?;
        }
        let updated =
            diesel::update(integration_row(tenant, id)).set(org_values(org)).execute(connection);
        match updated {
            Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                return Err(StoreError::ChangedMeanwhile);
            }
            other => other?,
        };
    }
    if let Some(platforms) = &change.selected_platforms {
        diesel::update(integration_row(tenant, id))
            .set(integrations::selected_platforms.eq(platforms_to_json(platforms)))
            .execute(connection)?;
    }
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn org_values<'a>(org: &'a Org) -> _ {
    let org_id: &'a str = org.id.as_str();
    let canonical_host: &'a str = org.canonical_host.as_str();
    let custom_host: Option<&'a str> = org.custom_host.as_deref();
    let engine: &'static str = org.engine.as_str();
    (
        integrations::org_id.eq(org_id),
        integrations::canonical_host.eq(canonical_host),
        integrations::custom_host.eq(custom_host),
        integrations::engine.eq(engine),
    )
}

fn platforms_to_json(platforms: &[Platform]) -> serde_json::Value {
    platforms.iter().map(|platform| platform.as_str()).collect()
}
