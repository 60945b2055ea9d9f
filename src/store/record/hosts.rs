//! The hosts of an integration's org: where it is, since when it is there, and what became of it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde_json::json;

use super::record::integration_row;
use crate::model::integrations::notices::{Notice, OrgNotice, org_notices};
use crate::model::{IntegrationId, IntegrationRecord, Org};
use crate::store::schema::{integrations, platforms};
use crate::store::{StoreError, Tx};

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
