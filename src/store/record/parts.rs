//! The rows that belong to an integration: credentials, platforms, findings and attestations.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use uuid::Uuid;

use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{
    Attestation, ClientKeyRecord, ClientKeys, CredentialsState, Finding, FindingReason,
    IntegrationId, JwksId, Platform, TenantId,
};
use crate::store::schema::{
    client_keys, credentials, jwks_routes, platforms, prerequisite_attestations,
    prerequisite_findings,
};
use crate::store::{StoreError, Tx};

#[derive(Queryable, Selectable)]
#[diesel(table_name = credentials)]
struct StateRow {
    kind: String,
    client_id: String,
    version: i64,
    updated_at: DateTime<Utc>,
    updated_by: String,
}

pub(in crate::store) fn load_credentials(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, CredentialsState)>, StoreError> {
    let rows: Vec<(Uuid, StateRow)> = credentials::table
        .filter(credentials::tenant_id.eq(tx.tenant.as_str()))
        .filter(credentials::integration_id.eq_any(ids))
        .select((credentials::integration_id, StateRow::as_select()))
        .load(tx.connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_credentials(row)?))).collect()
}

fn to_credentials(row: StateRow) -> Result<CredentialsState, StoreError> {
    Ok(CredentialsState {
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("credentials.kind"))?,
        client_id: row.client_id,
        version: row.version,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
    })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = platforms)]
struct PlatformRow {
    platform: String,
    scep_url: Option<String>,
    challenge_url: Option<String>,
    username: Option<String>,
    secret_version: i64,
    secret_updated_at: DateTime<Utc>,
    secret_updated_by: String,
    verified_at: Option<DateTime<Utc>>,
    ca: Option<serde_json::Value>,
    refused_at: Option<DateTime<Utc>>,
    config_version: i64,
    certificate_version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn platform_row<'a>(
    tenant: &'a TenantId,
    id: IntegrationId,
    platform: Platform,
) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: Uuid = id.0;
    let platform: &'static str = platform.as_str();
    platforms::table
        .filter(platforms::tenant_id.eq(tenant).and(platforms::integration_id.eq(id)))
        .filter(platforms::platform.eq(platform))
}

pub(in crate::store) fn load_platforms(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, PlatformState)>, StoreError> {
    let rows: Vec<(Uuid, PlatformRow)> = platforms::table
        .filter(
            platforms::tenant_id.eq(tx.tenant.as_str()).and(platforms::integration_id.eq_any(ids)),
        )
        .order(platforms::platform.desc())
        .select((platforms::integration_id, PlatformRow::as_select()))
        .load(tx.connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_platform(row)?))).collect()
}

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

/// Inserts or replaces findings. An older finding never replaces a newer one.
pub(in crate::store) fn upsert_findings(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    findings: &[Finding],
) -> Result<(), StoreError> {
    // `filter` on an upsert needs this trait.
    use diesel::query_dsl::methods::FilterDsl as _;
    use prerequisite_findings as f;
    for finding in findings {
        diesel::insert_into(f::table)
            .values((
                f::tenant_id.eq(tx.tenant.as_str()),
                f::integration_id.eq(id.0),
                f::kind.eq(finding.kind.as_str()),
                f::outcome.eq(finding.outcome.as_str()),
                f::reason.eq(finding.reason.map(FindingReason::as_str)),
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
            .execute(tx.connection)?;
    }
    Ok(())
}

pub(in crate::store) fn load_findings(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Finding)>, StoreError> {
    use prerequisite_findings as f;
    let rows: Vec<(Uuid, FindingRow)> = f::table
        .filter(f::tenant_id.eq(tx.tenant.as_str()).and(f::integration_id.eq_any(ids)))
        .select((f::integration_id, FindingRow::as_select()))
        .load(tx.connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_finding(row)?))).collect()
}

pub(in crate::store) fn load_attestations(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Attestation)>, StoreError> {
    use prerequisite_attestations as a;
    let rows: Vec<(Uuid, AttestationRow)> = a::table
        .filter(a::tenant_id.eq(tx.tenant.as_str()).and(a::integration_id.eq_any(ids)))
        .select((a::integration_id, AttestationRow::as_select()))
        .load(tx.connection)?;
    rows.into_iter().map(|(id, row)| Ok((id, to_attestation(row)?))).collect()
}

fn to_finding(row: FindingRow) -> Result<Finding, StoreError> {
    Ok(Finding {
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("findings.kind"))?,
        outcome: row.outcome.parse().map_err(|_| StoreError::Corrupt("findings.outcome"))?,
        reason: row.reason.and_then(|word| word.parse().ok()),
        evidence: row.evidence,
        checked_at: row.checked_at,
    })
}

fn to_attestation(row: AttestationRow) -> Result<Attestation, StoreError> {
    Ok(Attestation {
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("attestations.kind"))?,
        attested: row.attested,
        note: row.note,
        actor: serde_json::from_value(row.actor)
            .map_err(|_| StoreError::Corrupt("attestations.actor"))?,
        at: row.at,
    })
}

fn to_platform(row: PlatformRow) -> Result<PlatformState, StoreError> {
    let url = |text: String| text.parse().map_err(|_| StoreError::Corrupt("platforms.scep_url"));
    let scep = match (row.scep_url, row.challenge_url, row.username) {
        (Some(scep_url), Some(challenge_url), Some(username)) => Some(ScepValues {
            scep_url: url(scep_url)?,
            challenge_url: url(challenge_url)?,
            username,
        }),
        _ => None,
    };
    let ca = row
        .ca
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| StoreError::Corrupt("platforms.ca"))?;
    Ok(PlatformState {
        platform: row.platform.parse().map_err(|_| StoreError::Corrupt("platforms.platform"))?,
        scep,
        secret_version: row.secret_version,
        secret_updated_at: row.secret_updated_at,
        secret_updated_by: row.secret_updated_by,
        verified_at: row.verified_at,
        ca,
        refused_at: row.refused_at,
        config_version: row.config_version,
        certificate_version: row.certificate_version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = client_keys)]
struct KeyRow {
    integration_id: Uuid,
    state: String,
    public_jwk: serde_json::Value,
    created_at: DateTime<Utc>,
    created_by: String,
    activated_at: Option<DateTime<Utc>>,
}

pub(in crate::store) fn load_client_keys(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, ClientKeys)>, StoreError> {
    use {client_keys as k, jwks_routes as r};
    let routes: Vec<(Uuid, Uuid)> = r::table
        .filter(r::tenant_id.eq(tx.tenant.as_str()).and(r::integration_id.eq_any(ids)))
        .select((r::integration_id, r::jwks_id))
        .load(tx.connection)?;
    // An integration that never had a key has no route, and there is nothing more to read.
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<KeyRow> = k::table
        .filter(k::tenant_id.eq(tx.tenant.as_str()).and(k::integration_id.eq_any(ids)))
        .order(k::created_at.desc())
        .select(KeyRow::as_select())
        .load(tx.connection)?;
    let mut found: Vec<(Uuid, ClientKeys)> = routes
        .into_iter()
        .map(|(id, jwks)| (id, ClientKeys { keys: Vec::new(), jwks_id: Some(JwksId(jwks)) }))
        .collect();
    for row in rows {
        let id = row.integration_id;
        let key = to_key(row)?;
        if let Some((_, keys)) = found.iter_mut().find(|(owner, _)| *owner == id) {
            keys.keys.push(key);
        }
    }
    Ok(found)
}

fn to_key(row: KeyRow) -> Result<ClientKeyRecord, StoreError> {
    Ok(ClientKeyRecord {
        jwk: serde_json::from_value(row.public_jwk)
            .map_err(|_| StoreError::Corrupt("client_keys.public_jwk"))?,
        state: row.state.parse().map_err(|_| StoreError::Corrupt("client_keys.state"))?,
        created_at: row.created_at,
        created_by: row.created_by,
        activated_at: row.activated_at,
    })
}
