//! The findings of checks and the attestations of admins.

use diesel::prelude::*;
use serde_json::json;

use crate::crypto::KeyWrap;
use crate::model::{
    Actor, Attestation, EventKind, ExpectedVersion, Finding, IntegrationId, IntegrationRecord,
    NewEvent, Org, TenantId,
};
use crate::store::events::insert_event;
use crate::store::keys::sealing::reseal_integration;
use crate::store::record::{Change, mark_host_lost, update_org, upsert_findings};
use crate::store::schema::{prerequisite_attestations, prerequisite_findings};
use crate::store::{Store, StoreError, Tx};

/// Deletes the findings and attestations of an org that the integration no longer points at.
pub(in crate::store) fn delete_all(tx: &mut Tx<'_>, id: IntegrationId) -> Result<(), StoreError> {
    use {prerequisite_attestations as a, prerequisite_findings as f};
    let findings =
        f::table.filter(f::tenant_id.eq(tx.tenant.as_str()).and(f::integration_id.eq(id.0)));
    diesel::delete(findings).execute(tx.connection)?;
    let attestations =
        a::table.filter(a::tenant_id.eq(tx.tenant.as_str()).and(a::integration_id.eq(id.0)));
    diesel::delete(attestations).execute(tx.connection)?;
    Ok(())
}

/// The result of a check.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// The version of the credentials that the check used.
    pub credentials_version: i64,
    /// The canonical host that was asked first.
    pub asked_host: String,
    /// The org as it was found, at this host or another.
    pub org: Org,
    pub findings: Vec<Finding>,
    pub event: NewEvent,
    /// Whether the event is inserted even if no finding changed. Scheduled checks must not flood the audit.
    pub always_audit: bool,
}

/// Returns whether a finding differs from the stored one of the same kind.
fn has_new_result(before: &IntegrationRecord, findings: &[Finding]) -> bool {
    findings.iter().any(|new| {
        before
            .finding(new.kind)
            .is_none_or(|old| (old.outcome, old.reason) != (new.outcome, new.reason))
    })
}

impl Store {
    /// Saves the findings of a check, with its event. Fails if the stored credentials are no longer those
    /// that the check used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::ChangedMeanwhile`], [`StoreError::Unavailable`].
    pub async fn update_findings(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        checked: CheckResult,
    ) -> Result<IntegrationRecord, StoreError> {
        let keys = std::sync::Arc::clone(&self.keys);
        self.change(tenant, id, ExpectedVersion::Any, move |tx, before| {
            let stored = before.credentials.as_ref().map(|credentials| credentials.version);
            let org = &before.integration.org;
            let same_org = (&org.id, &org.canonical_host) == (&checked.org.id, &checked.asked_host);
            if stored != Some(checked.credentials_version) || !same_org {
                return Err(StoreError::ChangedMeanwhile);
            }
            let moved = save_org(tx, keys.as_ref(), before, &checked.org, None)?;
            upsert_findings(tx, id, &checked.findings)?;
            if checked.always_audit || has_new_result(before, &checked.findings) {
                insert_event(tx, &checked.event)?;
            }
            if moved {
                insert_event(tx, &hosts_changed(id, org, &checked.org))?;
            }
            Ok(if moved { Change::Configuration } else { Change::State })
        })
        .await
    }

    /// Records that a check found no Okta org at `host`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn record_lost_host(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        host: String,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, move |tx, before| {
            if before.integration.org.canonical_host != host {
                return Ok(Change::Nothing);
            }
            mark_host_lost(tx, before)?;
            Ok(Change::State)
        })
        .await
    }

    /// Saves an attestation, with its event.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn update_attestation(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        attestation: Attestation,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, move |tx, _| {
            upsert_attestation(tx, id, &attestation)?;
            insert_event(tx, &event)?;
            Ok(Change::State)
        })
        .await
    }
}

/// Saves the org as it was found, and reseals the secrets if they are for another host now. Returns whether it
/// is at other hosts than before.
///
/// # Errors
/// [`StoreError::ChangedMeanwhile`] when another integration has the org by now.
pub(in crate::store) fn save_org(
    tx: &mut Tx<'_>,
    keys: &dyn KeyWrap,
    before: &IntegrationRecord,
    org: &Org,
    dropped_custom_host: Option<&str>,
) -> Result<bool, StoreError> {
    let moved = update_org(tx, before, org, dropped_custom_host)?;
    if org.canonical_host != before.integration.org.canonical_host {
        reseal_integration(tx, keys, before.integration.id)?;
    }
    Ok(moved)
}

fn hosts_changed(id: IntegrationId, before: &Org, after: &Org) -> NewEvent {
    let hosts = |org: &Org| json!({ "okta_domain": org.canonical_host, "custom_domains": org.custom_hosts });
    NewEvent::by_actor(Actor::service(), id, EventKind::OrgHostsChanged)
        .with(json!({ "from": hosts(before), "to": hosts(after) }))
}

fn upsert_attestation(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    attestation: &Attestation,
) -> Result<(), StoreError> {
    use prerequisite_attestations as a;
    let actor = serde_json::to_value(&attestation.actor)
        .map_err(|_| StoreError::Corrupt("attestations.actor"))?;
    let values = (
        a::attested.eq(attestation.attested),
        a::note.eq(attestation.note.as_deref()),
        a::actor.eq(actor),
        a::at.eq(attestation.at),
    );
    diesel::insert_into(a::table)
        .values((
            a::tenant_id.eq(tx.tenant.as_str()),
            a::integration_id.eq(id.0),
            a::kind.eq(attestation.kind.as_str()),
            values.clone(),
        ))
        .on_conflict((a::tenant_id, a::integration_id, a::kind))
        .do_update()
        .set(values)
        .execute(tx.connection)?;
    Ok(())
}
