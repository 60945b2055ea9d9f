//! Loads and locks an integration with everything that belongs to it, checks its version, and saves where its
//! org is.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde_json::json;
use uuid::Uuid;

use super::parts::{
    load_attestations, load_client_keys, load_credentials, load_findings, load_platforms,
};
use crate::model::integrations::HostLost;
use crate::model::integrations::notices::{Notice, OrgNotice, org_notices};
use crate::model::{
    Engine, ExpectedVersion, Integration, IntegrationId, IntegrationRecord, Org, TenantId,
};
use crate::store::schema::{integrations, okta_syncs, platforms};
use crate::store::{StoreError, Tx};

#[derive(Queryable, Selectable)]
#[diesel(table_name = integrations)]
pub(in crate::store) struct IntegrationRow {
    tenant_id: String,
    pub id: Uuid,
    org_id: String,
    canonical_host: String,
    custom_host: Option<String>,
    engine: String,
    selected_platforms: serde_json::Value,
    version: i64,
    created_at: DateTime<Utc>,
    created_by: serde_json::Value,
    updated_at: DateTime<Utc>,
    other_custom_hosts: serde_json::Value,
    additional_sign_in_hosts: serde_json::Value,
    hosts_confirmed_at: Option<DateTime<Utc>>,
    host_lost_since: Option<DateTime<Utc>>,
    host_lost_at: Option<DateTime<Utc>>,
    org_notices: serde_json::Value,
}

impl IntegrationRow {
    fn notices(&self, now: DateTime<Utc>) -> Result<Vec<Notice>, StoreError> {
        let notices: Vec<OrgNotice> = read_json("integrations.org_notices", &self.org_notices)?;
        let shown = notices.into_iter().filter(|notice| notice.is_shown(now));
        Ok(shown.map(Notice::Org).collect())
    }

    /// The first custom domain has a column of its own, which earlier releases know.
    fn custom_hosts(&self) -> Result<Vec<String>, StoreError> {
        let others: Vec<String> =
            read_json("integrations.other_custom_hosts", &self.other_custom_hosts)?;
        let first = self.custom_host.iter();
        let others = others.iter().filter(|host| self.custom_host.as_ref() != Some(host));
        Ok(first.chain(others).cloned().collect())
    }
}

fn read_json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    value: &serde_json::Value,
) -> Result<T, StoreError> {
    T::deserialize(value).map_err(|_| StoreError::Corrupt(column))
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn integration_row<'a>(tenant: &'a TenantId, id: IntegrationId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    integrations::table.filter(integrations::tenant_id.eq(tenant).and(integrations::id.eq(id)))
}

/// Checks the version that the caller expects.
///
/// # Errors
/// [`StoreError::StaleVersion`] if it is not the stored one.
pub(in crate::store) fn expect_version(
    record: &IntegrationRecord,
    expected: ExpectedVersion,
) -> Result<(), StoreError> {
    let current = record.integration.version;
    if expected.allows(current) { Ok(()) } else { Err(StoreError::StaleVersion { current }) }
}

/// Increments the version of the configuration.
pub(in crate::store) fn bump_version(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    diesel::update(integration_row(tx.tenant, id))
        .set((
            integrations::version.eq(integrations::version + 1),
            integrations::updated_at.eq(tx.now),
        ))
        .execute(tx.connection)?;
    Ok(())
}

/// Loads an integration with everything that belongs to it; `lock` locks its row until the commit.
pub(in crate::store) fn load_record(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    lock: bool,
) -> Result<IntegrationRecord, StoreError> {
    let query = integration_row(tx.tenant, id).select(IntegrationRow::as_select());
    let row: IntegrationRow = if lock {
        query.for_no_key_update().first(tx.connection)?
    } else {
        query.first(tx.connection)?
    };
    load_records(tx, vec![row])?.pop().ok_or(StoreError::NotFound)
}

/// Loads everything that belongs to the integrations of `rows`, with one query per table.
pub(in crate::store) fn load_records(
    tx: &mut Tx<'_>,
    rows: Vec<IntegrationRow>,
) -> Result<Vec<IntegrationRecord>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut credentials = load_credentials(tx, &ids)?;
    let mut client_keys = load_client_keys(tx, &ids)?;
    let mut findings = load_findings(tx, &ids)?;
    let mut attestations = load_attestations(tx, &ids)?;
    let mut platforms = load_platforms(tx, &ids)?;
    let mut synced = load_syncs(tx, &ids)?;
    let now = tx.now;
    let record = |row: IntegrationRow| {
        let id = row.id;
        let sync = drain(&mut synced, id).pop().unwrap_or_default();
        let mut notices = row.notices(now)?;
        notices.extend(sync.notices());
        Ok(IntegrationRecord {
            integration: to_integration(row)?,
            credentials: drain(&mut credentials, id).pop(),
            client_keys: drain(&mut client_keys, id).pop().unwrap_or_default(),
            findings: drain(&mut findings, id),
            attestations: drain(&mut attestations, id),
            platforms: drain(&mut platforms, id),
            synced_at: sync.sweep_completed_at,
            notices,
        })
    };
    rows.into_iter().map(record).collect()
}

/// The columns of the mirror's state that the status and the notices depend on.
#[derive(Queryable, Selectable, Default)]
#[diesel(table_name = okta_syncs)]
struct SyncRow {
    sweep_completed_at: Option<DateTime<Utc>>,
    device_count: Option<i64>,
    shrunk_since: Option<DateTime<Utc>>,
    shrunk_count: Option<i64>,
    users_vanished_since: Option<DateTime<Utc>>,
}

impl SyncRow {
    fn notices(&self) -> Vec<Notice> {
        let shrunk = self.shrunk_since.map(|since| Notice::SweepShrunk {
            since,
            shown: self.shrunk_count.unwrap_or_default(),
            expected: self.device_count.unwrap_or_default(),
        });
        let vanished = self.users_vanished_since.map(|since| Notice::UsersVanished { since });
        shrunk.into_iter().chain(vanished).collect()
    }
}

fn load_syncs(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<(Uuid, SyncRow)>, StoreError> {
    let syncs = okta_syncs::table
        .filter(okta_syncs::tenant_id.eq(tx.tenant.as_str()))
        .filter(okta_syncs::integration_id.eq_any(ids));
    Ok(syncs.select((okta_syncs::integration_id, SyncRow::as_select())).load(tx.connection)?)
}

/// Removes and returns the values of `id`.
fn drain<T>(all: &mut Vec<(Uuid, T)>, id: Uuid) -> Vec<T> {
    all.extract_if(.., |(owner, _)| *owner == id).map(|(_, value)| value).collect()
}

/// Saves the org's current engine. This is no change of configuration, so the version stays.
pub(in crate::store) fn update_engine(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    engine: &Engine,
) -> Result<(), StoreError> {
    diesel::update(integration_row(tx.tenant, id))
        .set(integrations::engine.eq(engine.as_str()))
        .execute(tx.connection)?;
    Ok(())
}

/// Returns the version of the next secret of the integration: the number of secrets entered so far plus
/// one.
pub(in crate::store) fn next_secret_version(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<i64, StoreError> {
    use integrations as i;
    Ok(diesel::update(integration_row(tx.tenant, id))
        .set(i::secrets_entered.eq(i::secrets_entered + 1))
        .returning(i::secrets_entered)
        .get_result(tx.connection)?)
}

/// Checks that the tenant has the integration.
///
/// # Errors
/// [`StoreError::NotFound`] if it does not exist.
pub(in crate::store) fn expect_integration(
    tx: &mut Tx<'_>,
    id: IntegrationId,
) -> Result<(), StoreError> {
    let row = diesel::dsl::exists(integration_row(tx.tenant, id));
    let known = diesel::select(row).get_result::<bool>(tx.connection)?;
    if known { Ok(()) } else { Err(StoreError::NotFound) }
}

fn to_integration(row: IntegrationRow) -> Result<Integration, StoreError> {
    let custom_hosts = row.custom_hosts()?;
    let host_lost = row.host_lost_since.zip(row.host_lost_at);
    Ok(Integration {
        tenant: TenantId::parse(&row.tenant_id)
            .ok_or(StoreError::Corrupt("integrations.tenant_id"))?,
        id: IntegrationId(row.id),
        org: Org {
            id: row.org_id,
            canonical_host: row.canonical_host,
            custom_hosts,
            engine: Engine::parse(&row.engine),
        },
        additional_sign_in_hosts: read_json(
            "integrations.additional_sign_in_hosts",
            &row.additional_sign_in_hosts,
        )?,
        hosts_confirmed_at: row.hosts_confirmed_at,
        host_lost: host_lost.map(|(since, at)| HostLost { since, at }),
        selected_platforms: serde_json::from_value(row.selected_platforms)
            .map_err(|_| StoreError::Corrupt("integrations.selected_platforms"))?,
        version: row.version,
        created_at: row.created_at,
        created_by: serde_json::from_value(row.created_by)
            .map_err(|_| StoreError::Corrupt("integrations.created_by"))?,
        updated_at: row.updated_at,
    })
}

/// The columns of an org.
#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn org_values<'a>(org: &'a Org, confirmed_at: DateTime<Utc>) -> _ {
    let org_id: &'a str = org.id.as_str();
    let canonical_host: &'a str = org.canonical_host.as_str();
    let custom_host: Option<&'a str> = org.custom_hosts.first().map(String::as_str);
    let others: serde_json::Value = json!(org.custom_hosts.get(1..).unwrap_or_default());
    let engine: &'static str = org.engine.as_str();
    let confirmed_at: Option<DateTime<Utc>> = Some(confirmed_at);
    (
        integrations::org_id.eq(org_id),
        integrations::canonical_host.eq(canonical_host),
        integrations::custom_host.eq(custom_host),
        integrations::other_custom_hosts.eq(others),
        integrations::engine.eq(engine),
        integrations::hosts_confirmed_at.eq(confirmed_at),
    )
}

/// Stores the org as it was found, with what an admin should know about it. Returns true when it is at
/// other hosts than before: then what devices have is outdated.
///
/// # Errors
/// [`StoreError::ChangedMeanwhile`] when another integration has the org by now.
pub(in crate::store) fn update_org(
    tx: &mut Tx<'_>,
    before: &IntegrationRecord,
    org: &Org,
    dropped_custom_host: Option<&str>,
) -> Result<bool, StoreError> {
    let (id, stored) = (before.integration.id, &before.integration.org);
    let told = before.notices.iter().filter_map(|notice| match notice {
        Notice::Org(notice) => Some(notice.clone()),
        _ => None,
    });
    let notices = org_notices(told.collect(), stored, org, dropped_custom_host, tx.now);
    let updated = diesel::update(integration_row(tx.tenant, id))
        .set((
            org_values(org, tx.now),
            integrations::org_notices.eq(json!(notices)),
            integrations::host_lost_since.eq(None::<DateTime<Utc>>),
            integrations::host_lost_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(tx.connection);
    match updated {
        Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            return Err(StoreError::ChangedMeanwhile);
        }
        other => other?,
    };
    let moved = !org.hosts().eq(stored.hosts());
    if moved {
        count_config_up(tx, id)?;
    }
    Ok(moved)
}

/// Stores where else the org's users sign in.
pub(in crate::store) fn update_additional_hosts(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    hosts: &[String],
) -> Result<(), StoreError> {
    diesel::update(integration_row(tx.tenant, id))
        .set(integrations::additional_sign_in_hosts.eq(json!(hosts)))
        .execute(tx.connection)?;
    count_config_up(tx, id)
}

/// Makes what devices have outdated: each platform gets the next config version. Certificates are not
/// due again by it.
fn count_config_up(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    let next: i64 = diesel::update(integration_row(tx.tenant, id))
        .set(integrations::config_versions.eq(integrations::config_versions + 1))
        .returning(integrations::config_versions)
        .get_result(tx.connection)?;
    let mine = platforms::table.filter(
        platforms::tenant_id.eq(tx.tenant.as_str()).and(platforms::integration_id.eq(id.0)),
    );
    diesel::update(mine).set(platforms::config_version.eq(next)).execute(tx.connection)?;
    Ok(())
}

/// Notes that a check found no Okta org at the canonical host.
pub(in crate::store) fn mark_host_lost(
    tx: &mut Tx<'_>,
    before: &IntegrationRecord,
) -> Result<(), StoreError> {
    let since = before.integration.host_lost.map_or(tx.now, |lost| lost.since);
    diesel::update(integration_row(tx.tenant, before.integration.id))
        .set((integrations::host_lost_since.eq(since), integrations::host_lost_at.eq(tx.now)))
        .execute(tx.connection)?;
    Ok(())
}

/// The notices of a new integration whose custom domain the org did not confirm.
pub(in crate::store) fn first_notices(
    dropped_custom_host: Option<&str>,
    now: DateTime<Utc>,
) -> serde_json::Value {
    let dropped = |host: &str| OrgNotice::CustomDomainDropped { since: now, host: host.to_owned() };
    json!(dropped_custom_host.map(dropped).into_iter().collect::<Vec<_>>())
}
