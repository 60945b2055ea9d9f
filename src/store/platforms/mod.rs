//! Configured platforms and their sealed secrets.

pub(in crate::store) mod deployments;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use secrecy::SecretString;

use crate::crypto;
use crate::model::platforms::{CertificateAuthority, NewPlatform, PlatformState, ScepValues};
use crate::model::{
    ExpectedVersion, Finding, IntegrationId, IntegrationRecord, NewEvent, Platform, TenantId,
};
use crate::store::events::insert_event;
use crate::store::keys::sealing::{lock_key, open_platform_secret, seal_platform_secret};
use crate::store::platforms::deployments::count_devices;
use crate::store::record::{
    Change, integration_row, load_record, next_secret_version, platform_row, upsert_findings,
};
use crate::store::schema::{integrations, platforms};
use crate::store::{Store, StoreError, Tx};

/// A verified platform to store.
#[derive(Debug, Clone)]
pub struct PlatformChange {
    pub new: NewPlatform,
    /// The org that it was verified against.
    pub org_id: String,
    /// The findings of the verification.
    pub findings: Vec<Finding>,
    /// The version in `If-Match`, if the caller sent it.
    pub expected_version: ExpectedVersion,
    pub event: NewEvent,
}

impl Store {
    /// Stores a verified platform with the findings of the verification.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::StaleVersion`],
    /// [`StoreError::ChangedMeanwhile`] if it points at another org by now, [`StoreError::Unavailable`].
    pub async fn update_platform(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        change: PlatformChange,
    ) -> Result<IntegrationRecord, StoreError> {
        let keys = Arc::clone(&self.keys);
        self.change(tenant, id, change.expected_version, move |tx, before| {
            if before.integration.org.id != change.org_id {
                return Err(StoreError::ChangedMeanwhile);
            }
            lock_key(tx, keys.as_ref())?;
            let platform = change.new.platform;
            let sealed =
                seal_platform_secret(keys.as_ref(), tx.tenant, id, platform, &change.new.secret)?;
            let versions = next_versions(tx, id)?;
            upsert(tx, before, &change, &sealed, versions)?;
            upsert_findings(tx, id, &change.findings)?;
            insert_event(tx, &change.event)?;
            Ok(Change::Configuration)
        })
        .await
    }

    /// Decrypts the platform's secret; `None` if the platform is not configured.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unopened`], [`StoreError::Unavailable`].
    pub async fn open_platform(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        platform: Platform,
    ) -> Result<(IntegrationRecord, Option<SecretString>), StoreError> {
        let keys = Arc::clone(&self.keys);
        self.in_tenant(tenant, move |tx| {
            let record = load_record(tx, id, false)?;
            let sealed: Option<Vec<u8>> = platform_row(tx.tenant, id, platform)
                .select(platforms::secret)
                .first(tx.connection)
                .optional()?;
            let secret = sealed
                .map(|sealed| open_platform_secret(keys.as_ref(), tx.tenant, id, platform, &sealed))
                .transpose()?;
            Ok((record, secret))
        })
        .await
    }

    /// Records the outcome of a trial of the stored values, with its event and findings.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the platform, [`StoreError::ChangedMeanwhile`] if its secret is no
    /// longer the one that was tried, [`StoreError::Unavailable`].
    pub async fn update_verification(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        trial: Trial,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, move |tx, _| {
            let row = platform_row(tx.tenant, id, trial.platform);
            let stored: i64 = row.select(platforms::secret_version).first(tx.connection)?;
            if stored != trial.secret_version {
                return Err(StoreError::ChangedMeanwhile);
            }
            match &trial.outcome {
                TrialOutcome::Worked { ca, at } => {
                    let ca = ca.as_ref().map(ca_to_json).transpose()?;
                    diesel::update(row)
                        .set((
                            platforms::verified_at.eq(at),
                            platforms::refused_at.eq(None::<DateTime<Utc>>),
                        ))
                        .execute(tx.connection)?;
                    if ca.is_some() {
                        diesel::update(row).set(platforms::ca.eq(ca)).execute(tx.connection)?;
                    }
                }
                TrialOutcome::Refused { at } => {
                    diesel::update(row).set(platforms::refused_at.eq(at)).execute(tx.connection)?;
                }
            }
            upsert_findings(tx, id, &trial.findings)?;
            insert_event(tx, &trial.event)?;
            Ok(Change::State)
        })
        .await
    }

    /// Deletes a platform. With `refuse_if_used`, fails if devices depend on it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`], [`StoreError::InUse`],
    /// [`StoreError::Unavailable`].
    pub async fn delete_platform(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        platform: Platform,
        refuse_if_used: bool,
        expected_version: ExpectedVersion,
        event: NewEvent,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, expected_version, move |tx, before| {
            if !before.platforms.iter().any(|state| state.platform == platform) {
                return Err(StoreError::NotFound);
            }
            let devices = count_devices(tx, id, Some(platform))?;
            if refuse_if_used && devices > 0 {
                return Err(StoreError::InUse { devices, platforms: vec![platform] });
            }
            diesel::delete(platform_row(tx.tenant, id, platform)).execute(tx.connection)?;
            insert_event(tx, &event)?;
            Ok(Change::Configuration)
        })
        .await
    }
}

/// A trial of stored values.
#[derive(Debug, Clone)]
pub struct Trial {
    pub platform: Platform,
    /// The version of the secret that was tried.
    pub secret_version: i64,
    pub outcome: TrialOutcome,
    pub findings: Vec<Finding>,
    pub event: NewEvent,
}

/// How a trial ended.
#[derive(Debug, Clone)]
pub enum TrialOutcome {
    Worked { ca: Option<CertificateAuthority>, at: DateTime<Utc> },
    Refused { at: DateTime<Utc> },
}

#[derive(Clone, Copy)]
struct Versions {
    config: i64,
    secret: i64,
}

fn next_versions(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Versions, StoreError> {
    let secret = next_secret_version(tx, id)?;
    let config = diesel::update(integration_row(tx.tenant, id))
        .set(integrations::config_versions.eq(integrations::config_versions + 1))
        .returning(integrations::config_versions)
        .get_result(tx.connection)?;
    Ok(Versions { config, secret })
}

/// The versions of a platform after a change. Each increases only if the values it covers changed.
struct PlatformVersions {
    secret_version: i64,
    secret_updated_at: DateTime<Utc>,
    secret_updated_by: String,
    config_version: i64,
    certificate_version: i64,
}

impl PlatformVersions {
    fn after(
        stored: Option<&PlatformState>,
        new: &NewPlatform,
        next: Versions,
        by: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let scep_url = |scep: &Option<ScepValues>| scep.as_ref().map(|scep| scep.scep_url.clone());
        let old_secret = stored.filter(|_| !new.secret_is_new);
        let old_url = stored.filter(|state| scep_url(&state.scep) == scep_url(&new.scep));
        // Devices receive the SCEP URL and, on iOS, the secret; no other value.
        let unchanged = old_url.filter(|_| new.platform == Platform::Macos || !new.secret_is_new);
        Self {
            secret_version: old_secret.map_or(next.secret, |state| state.secret_version),
            secret_updated_at: old_secret.map_or(now, |state| state.secret_updated_at),
            secret_updated_by: old_secret
                .map_or_else(|| by.to_owned(), |state| state.secret_updated_by.clone()),
            config_version: unchanged.map_or(next.config, |state| state.config_version),
            certificate_version: old_url.map_or(next.config, |state| state.certificate_version),
        }
    }
}

fn upsert(
    tx: &mut Tx<'_>,
    before: &IntegrationRecord,
    change: &PlatformChange,
    sealed: &[u8],
    versions: Versions,
) -> Result<(), StoreError> {
    use platforms as p;
    let new = &change.new;
    let stored = before.platform(new.platform);
    let versions = PlatformVersions::after(stored, new, versions, &change.event.actor.sub, tx.now);
    let values = (
        p::scep_url.eq(new.scep.as_ref().map(|scep| scep.scep_url.as_str())),
        p::challenge_url.eq(new.scep.as_ref().map(|scep| scep.challenge_url.as_str())),
        p::username.eq(new.scep.as_ref().map(|scep| scep.username.as_str())),
        p::secret.eq(sealed),
        p::key_id.eq(crypto::read_key_id(sealed)?),
        p::secret_version.eq(versions.secret_version),
        p::secret_updated_at.eq(versions.secret_updated_at),
        p::secret_updated_by.eq(versions.secret_updated_by),
        p::verified_at.eq(new.verified_at),
        p::ca.eq(new.ca.as_ref().map(ca_to_json).transpose()?),
        p::refused_at.eq(None::<DateTime<Utc>>),
        p::config_version.eq(versions.config_version),
        p::certificate_version.eq(versions.certificate_version),
        p::updated_at.eq(tx.now),
    );
    let key = (
        p::tenant_id.eq(tx.tenant.as_str()),
        p::integration_id.eq(before.integration.id.0),
        p::platform.eq(new.platform.as_str()),
    );
    // Every configuration of a new platform contains the identifiers. The previous release inserts none, and
    // its configuration does not contain them: from the next config_version on they are there.
    let identifiers_since = (new.platform == Platform::Ios).then_some(versions.config_version);
    let stored_or_next = sql::<Nullable<BigInt>>(
        "coalesce(platforms.identifiers_since, \
                  CASE WHEN platforms.config_version < excluded.config_version \
                       THEN excluded.identifiers_since END)",
    );
    diesel::insert_into(p::table)
        .values((
            key,
            p::created_at.eq(tx.now),
            p::identifiers_since.eq(identifiers_since),
            values.clone(),
        ))
        .on_conflict((p::tenant_id, p::integration_id, p::platform))
        .do_update()
        .set((p::identifiers_since.eq(stored_or_next), values))
        .execute(tx.connection)?;
    Ok(())
}

fn ca_to_json(ca: &CertificateAuthority) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(ca).map_err(|_| StoreError::Corrupt("platforms.ca"))
}
