//! Integrations: created, read, changed and deleted, each with its event in the same transaction.

pub(in crate::store) mod credentials;
pub(in crate::store) mod idempotency;
pub(in crate::store) mod prerequisites;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use uuid::Uuid;

use self::idempotency::IdempotencyKey;
use crate::model::{
    Actor, Engine, Finding, Integration, IntegrationId, IntegrationRecord, NewEvent, Org, Page,
    PageRequest, Platform, TenantId,
};
use crate::store::event_hooks::delete_event_hook;
use crate::store::events::insert_event;
use crate::store::integrations::prerequisites::{
    delete_all, load_attestations, load_findings, upsert_findings,
};
use crate::store::mirror::syncs::delete_mirror;
use crate::store::platforms;
use crate::store::platforms::deployments::count_devices;
use crate::store::record::change::Change;
use crate::store::schema::{integrations, okta_syncs};
use crate::store::{Store, StoreError, jobs};

#[derive(Queryable, Selectable)]
#[diesel(table_name = integrations)]
struct IntegrationRow {
    tenant_id: String,
    id: Uuid,
    org_id: String,
    canonical_host: String,
    custom_host: Option<String>,
    engine: String,
    selected_platforms: serde_json::Value,
    version: i64,
    created_at: DateTime<Utc>,
    created_by: serde_json::Value,
    updated_at: DateTime<Utc>,
}

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
            diesel::delete(one(&owner, id)).execute(connection)?;
            insert_event(connection, &owner, &event)?;
            Ok(before)
        })
        .await
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn one<'a>(tenant: &'a TenantId, id: IntegrationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    integrations::table.filter(integrations::tenant_id.eq(tenant).and(integrations::id.eq(id)))
}

/// # Errors
/// [`StoreError::StaleVersion`] when the caller has seen another version than the stored one.
pub(super) fn expect_version(
    record: &IntegrationRecord,
    expected: Option<i64>,
) -> Result<(), StoreError> {
    let current = record.integration.version;
    match expected {
        Some(version) if version != current => Err(StoreError::StaleVersion { current }),
        _ => Ok(()),
    }
}

/// Counts the version of the configuration up.
pub(super) fn touch(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<(), StoreError> {
    diesel::update(one(tenant, id))
        .set((
            integrations::version.eq(integrations::version + 1),
            integrations::updated_at.eq(diesel::dsl::now),
        ))
        .execute(connection)?;
    Ok(())
}

/// Everything that is stored of one integration; `lock` holds others off until the commit.
pub(super) fn load_record(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    lock: bool,
) -> Result<IntegrationRecord, StoreError> {
    let query = one(tenant, id).select(IntegrationRow::as_select());
    let row: IntegrationRow = if lock {
        query.for_no_key_update().first(connection)?
    } else {
        query.first(connection)?
    };
    load_records(connection, tenant, vec![row])?.pop().ok_or(StoreError::NotFound)
}

/// What belongs to the integrations of `rows`, one query for each table however many they are.
fn load_records(
    connection: &mut PgConnection,
    tenant: &TenantId,
    rows: Vec<IntegrationRow>,
) -> Result<Vec<IntegrationRecord>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut credentials = credentials::load_states(connection, tenant, &ids)?;
    let mut findings = load_findings(connection, tenant, &ids)?;
    let mut attestations = load_attestations(connection, tenant, &ids)?;
    let mut platforms = platforms::load_states(connection, tenant, &ids)?;
    let mut synced = load_synced(connection, tenant, &ids)?;
    let record = |row: IntegrationRow| {
        let id = row.id;
        Ok(IntegrationRecord {
            integration: to_integration(row)?,
            credentials: take_of(&mut credentials, id).pop(),
            findings: take_of(&mut findings, id),
            attestations: take_of(&mut attestations, id),
            platforms: take_of(&mut platforms, id),
            synced_at: take_of(&mut synced, id).pop(),
        })
    };
    rows.into_iter().map(record).collect()
}

/// When the last complete sweep of each ended, of those that had one.
fn load_synced(
    connection: &mut PgConnection,
    tenant: &TenantId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, DateTime<Utc>)>, StoreError> {
    let swept = okta_syncs::table
        .filter(okta_syncs::tenant_id.eq(tenant.as_str()))
        .filter(okta_syncs::integration_id.eq_any(ids))
        .filter(okta_syncs::sweep_completed_at.is_not_null());
    Ok(swept
        .select((okta_syncs::integration_id, okta_syncs::sweep_completed_at.assume_not_null()))
        .load(connection)?)
}

/// Takes out what belongs to `id`.
fn take_of<T>(all: &mut Vec<(Uuid, T)>, id: Uuid) -> Vec<T> {
    all.extract_if(.., |(owner, _)| *owner == id).map(|(_, value)| value).collect()
}

/// Keeps the engine that the org shows now; not a change of configuration, so no new version.
pub(super) fn update_engine(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    engine: &Engine,
) -> Result<(), StoreError> {
    diesel::update(one(tenant, id))
        .set(integrations::engine.eq(engine.as_str()))
        .execute(connection)?;
    Ok(())
}

fn insert_integration(
    connection: &mut PgConnection,
    tenant: &TenantId,
    new: &NewIntegration,
) -> Result<(), StoreError> {
    jobs::know_tenant(connection, tenant)?;
    // Asked first, because a violated constraint would end the transaction before we could say with
    // which integration it clashes; the constraint still decides when two requests race.
    refuse_second(connection, tenant, &new.org.id)?;
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
        refuse_second(connection, tenant, &new.org.id)?;
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

fn refuse_second(
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
            refuse_second(connection, tenant, &org.id)?;
            delete_all(connection, tenant, id)?;
            delete_mirror(connection, tenant, id)?;
            delete_event_hook(connection, tenant, id)?;
        }
        let updated = diesel::update(one(tenant, id)).set(org_values(org)).execute(connection);
        match updated {
            Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                return Err(StoreError::ChangedMeanwhile);
            }
            other => other?,
        };
    }
    if let Some(platforms) = &change.selected_platforms {
        diesel::update(one(tenant, id))
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

fn to_integration(row: IntegrationRow) -> Result<Integration, StoreError> {
    Ok(Integration {
        tenant: TenantId::parse(&row.tenant_id)
            .ok_or(StoreError::Corrupt("integrations.tenant_id"))?,
        id: IntegrationId(row.id),
        org: Org {
            id: row.org_id,
            canonical_host: row.canonical_host,
            custom_host: row.custom_host,
            engine: Engine::parse(&row.engine),
        },
        selected_platforms: serde_json::from_value(row.selected_platforms)
            .map_err(|_| StoreError::Corrupt("integrations.selected_platforms"))?,
        version: row.version,
        created_at: row.created_at,
        created_by: serde_json::from_value(row.created_by)
            .map_err(|_| StoreError::Corrupt("integrations.created_by"))?,
        updated_at: row.updated_at,
    })
}
