//! What checks found and what people confirmed.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::upsert::excluded;
use uuid::Uuid;

use crate::model::{
    Attestation, Engine, Finding, IntegrationId, IntegrationRecord, NewEvent, Outcome,
    PrerequisiteKind, TenantId,
};
use crate::store::events::insert_event;
use crate::store::integrations::update_engine;
use crate::store::record::change::Change;
use crate::store::schema::{prerequisite_attestations, prerequisite_findings};
use crate::store::{Store, StoreError};

#[derive(Queryable, Selectable)]
#[diesel(table_name = prerequisite_findings)]
struct FindingRow {
    kind: String,
    outcome: String,
    reason: Option<String>,
    evidence: serde_json::Value,
    checked_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = prerequisite_attestations)]
struct AttestationRow {
    kind: String,
    attested: bool,
    note: Option<String>,
    actor: serde_json::Value,
    at: DateTime<Utc>,
}

/// Replaces the findings of the kinds that `findings` names; an older one never replaces a newer.
pub(in crate::store) fn upsert_findings(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    findings: &[Finding],
) -> Result<(), StoreError> {
    // `filter` of an upsert is another trait's than that of a query.
    use diesel::query_dsl::methods::FilterDsl as _;
    use prerequisite_findings as f;
    for finding in findings {
        diesel::insert_into(f::table)
            .values((
                f::tenant_id.eq(tenant.as_str()),
                f::integration_id.eq(id.0),
                f::kind.eq(finding.kind.as_str()),
                f::outcome.eq(finding.outcome.as_str()),
                f::reason.eq(finding.reason.as_deref()),
                f::evidence.eq(&finding.evidence),
                f::checked_at.eq(finding.checked_at),
            ))
            .on_conflict((f::tenant_id, f::integration_id, f::kind))
            .do_update()
            .set((
                f::outcome.eq(excluded(f::outcome)),
                f::reason.eq(excluded(f::reason)),
                f::evidence.eq(excluded(f::evidence)),
                f::checked_at.eq(excluded(f::checked_at)),
            ))
            .filter(f::checked_at.le(excluded(f::checked_at)))
            .execute(connection)?;
    }
    Ok(())
}

pub(in crate::store) fn load_findings(
    connection: &mut PgConnection,
    tenant: &TenantId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Finding)>, StoreError> {
    use prerequisite_findings as f;
    let rows: Vec<(Uuid, FindingRow)> = f::table
        .filter(f::tenant_id.eq(tenant.as_str()).and(f::integration_id.eq_any(ids)))
        .select((f::integration_id, FindingRow::as_select()))
        .load(connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_finding(row)?))).collect()
}

pub(in crate::store) fn load_attestations(
    connection: &mut PgConnection,
    tenant: &TenantId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Attestation)>, StoreError> {
    use prerequisite_attestations as a;
    let rows: Vec<(Uuid, AttestationRow)> = a::table
        .filter(a::tenant_id.eq(tenant.as_str()).and(a::integration_id.eq_any(ids)))
        .select((a::integration_id, AttestationRow::as_select()))
        .load(connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_attestation(row)?))).collect()
}

/// Forgets what was found and confirmed about an org that the integration no longer points at.
pub(in crate::store) fn delete_all(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
) -> Result<(), StoreError> {
    use {prerequisite_attestations as a, prerequisite_findings as f};
    let findings =
        f::table.filter(f::tenant_id.eq(tenant.as_str()).and(f::integration_id.eq(id.0)));
    diesel::delete(findings).execute(connection)?;
    let attestations =
        a::table.filter(a::tenant_id.eq(tenant.as_str()).and(a::integration_id.eq(id.0)));
    diesel::delete(attestations).execute(connection)?;
    Ok(())
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The version of the credentials that it was made with.
    pub credentials_version: i64,
    /// As the org's well-known document says now.
    pub engine: Engine,
    pub findings: Vec<Finding>,
    pub event: NewEvent,
    /// Whether the event is written even if nothing was found that was not known before: a check
    /// that goes round by itself must not fill the audit.
    pub always_audited: bool,
}

/// Whether a finding says something else than the one before it of the same kind.
fn says_anything_new(before: &IntegrationRecord, findings: &[Finding]) -> bool {
    findings.iter().any(|new| {
        before
            .finding(new.kind)
            .is_none_or(|old| (old.outcome, &old.reason) != (new.outcome, &new.reason))
    })
}

impl Store {
    /// Keeps what a check found, with its event, unless the credentials that it was made with are
    /// no longer the stored ones: then it says nothing about what is there now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::ChangedMeanwhile`], [`StoreError::Unavailable`].
    pub async fn update_findings(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        checked: Checked,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, None, move |connection, owner, before| {
            let stored = before.credentials.as_ref().map(|credentials| credentials.version);
            if stored != Some(checked.credentials_version) {
                return Err(StoreError::ChangedMeanwhile);
            }
            update_engine(connection, owner, id, &checked.engine)?;
            upsert_findings(connection, owner, id, &checked.findings)?;
            if checked.always_audited || says_anything_new(before, &checked.findings) {
                insert_event(connection, owner, &checked.event)?;
            }
            Ok(Change::Knowledge)
        })
        .await
    }

    /// Keeps an attestation, with its event.
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
        self.change(tenant, id, None, move |connection, owner, _| {
            upsert_attestation(connection, owner, id, &attestation)?;
            insert_event(connection, owner, &event)?;
            Ok(Change::Knowledge)
        })
        .await
    }
}

fn upsert_attestation(
    connection: &mut PgConnection,
    tenant: &TenantId,
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
            a::tenant_id.eq(tenant.as_str()),
            a::integration_id.eq(id.0),
            a::kind.eq(attestation.kind.as_str()),
            values.clone(),
        ))
        .on_conflict((a::tenant_id, a::integration_id, a::kind))
        .do_update()
        .set(values)
        .execute(connection)?;
    Ok(())
}

fn to_finding(row: FindingRow) -> Result<Finding, StoreError> {
    Ok(Finding {
        kind: PrerequisiteKind::parse(&row.kind).ok_or(StoreError::Corrupt("findings.kind"))?,
        outcome: Outcome::parse(&row.outcome).ok_or(StoreError::Corrupt("findings.outcome"))?,
        reason: row.reason,
        evidence: row.evidence,
        checked_at: row.checked_at,
    })
}

fn to_attestation(row: AttestationRow) -> Result<Attestation, StoreError> {
    Ok(Attestation {
        kind: PrerequisiteKind::parse(&row.kind).ok_or(StoreError::Corrupt("attestations.kind"))?,
        attested: row.attested,
        note: row.note,
        actor: serde_json::from_value(row.actor)
            .map_err(|_| StoreError::Corrupt("attestations.actor"))?,
        at: row.at,
    })
}
