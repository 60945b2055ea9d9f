//! Platforms of an integration. macOS values are verified against Okta before they are stored; an iOS
//! secret key cannot be verified.

mod catalogue;
mod challenges;
mod configured;
mod deployment_plan;
mod deployments;
mod fields;
mod trial;

pub use catalogue::{CATALOGUE, CatalogueField, CataloguePlatform, Guide};
pub use challenges::MintedChallenge;
pub use deployment_plan::{DeploymentOptions, DeploymentPart, DeviceFields};
pub use deployments::{Channel, DeployedProfile, DeploymentBundle};
pub use fields::PlatformFields;
pub use trial::Verification;

use self::fields::{PlatformValues, check_fields, merge};
use self::trial::platform_event;
use crate::model::platforms::{CertificateAuthority, NewPlatform, PlatformState};
use crate::model::{
    Caller, EventKind, ExpectedVersion, IntegrationId, IntegrationRecord, Platform, Scope,
};
use crate::service::integrations::checklist::{self, ChecklistItem};
use crate::service::{Error, Service};
use crate::store::{PlatformChange, StoreError, Trial, TrialOutcome};

/// The result of writing or verifying a platform.
#[derive(Debug)]
pub struct PlatformOutcome {
    pub record: IntegrationRecord,
    pub platform: Platform,
    pub verification: Verification,
    pub ca: Option<CertificateAuthority>,
    /// True if the platform was configured before.
    pub replaced: bool,
}

impl PlatformOutcome {
    fn unchanged(record: &IntegrationRecord, state: &PlatformState) -> Self {
        let verification = match state.platform {
            Platform::Macos => Verification::Verified,
            Platform::Ios => Verification::Unverifiable,
        };
        Self {
            record: record.clone(),
            platform: state.platform,
            verification,
            ca: state.ca.clone(),
            replaced: true,
        }
    }
}

impl Service {
    /// Returns an integration with its configured platforms.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn list_platforms(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, Error> {
        self.require(caller, Scope::OdtRead).await?;
        self.load(caller, id).await
    }

    /// Returns a configured platform.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `PlatformNotFound`.
    pub async fn get_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
    ) -> Result<IntegrationRecord, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let record = self.load(caller, id).await?;
        if record.platform(platform).is_none() {
            return Err(Error::PlatformNotFound(platform));
        }
        Ok(record)
    }

    /// Creates or replaces a platform. All its fields are required, including secrets.
    ///
    /// With `dry_run` the values are verified and not stored.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `StaleVersion`, or `Okta` if the verification failed.
    pub async fn update_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        fields: PlatformFields,
        write: WriteOptions,
    ) -> Result<PlatformOutcome, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let before = self.load(caller, id).await?;
        let values = check_fields(&before, platform, fields)?;
        self.verify_and_store(caller, before, values, write).await
    }

    /// Updates some fields of a platform; the result is verified like a new one.
    ///
    /// # Errors
    /// As [`Service::update_platform`], and `PlatformNotFound`.
    pub async fn patch_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        fields: PlatformFields,
        write: WriteOptions,
    ) -> Result<PlatformOutcome, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (before, secret) = opened.map_err(Error::for_integration(id))?;
        let (Some(state), Some(secret)) = (before.platform(platform), secret) else {
            return Err(Error::PlatformNotFound(platform));
        };
        let secret_is_new = fields.password.is_some() || fields.secret_key.is_some();
        let mut values = check_fields(&before, platform, merge(state, secret, fields))?;
        values.secret_is_new = secret_is_new;
        if !secret_is_new && values.scep == state.scep && !write.is_stale(&before) {
            // A patch that changes nothing is not verified and does not increment the version.
            return Ok(PlatformOutcome::unchanged(&before, state));
        }
        self.verify_and_store(caller, before, values, write).await
    }

    async fn verify_and_store(
        &self,
        caller: &Caller,
        before: IntegrationRecord,
        values: PlatformValues,
        write: WriteOptions,
    ) -> Result<PlatformOutcome, Error> {
        if write.is_stale(&before) {
            // Do not call Okta for a change that cannot be stored.
            return Err(Error::StaleVersion { current: before.integration.version });
        }
        let (id, platform) = (before.integration.id, values.platform);
        let verified = match self.verify_values(caller, &before, &values).await {
            Ok(verified) => verified,
            Err(error) => {
                self.audit_scep_refusal(caller, id, platform, &error).await;
                return Err(error);
            }
        };
        let replaced = before.platform(platform).is_some();
        if write.dry_run {
            let (verification, ca) = (verified.verification, verified.ca);
            return Ok(PlatformOutcome { record: before, platform, verification, ca, replaced });
        }
        let new = NewPlatform {
            platform,
            scep: values.scep,
            secret: values.secret,
            secret_is_new: values.secret_is_new,
            ca: verified.ca.clone(),
            verified_at: verified.at,
        };
        let event = platform_event(caller, id, EventKind::PlatformStored, platform);
        let change = PlatformChange {
            new,
            org_id: before.integration.org.id,
            findings: verified.findings,
            expected_version: write.expected_version,
            event,
        };
        let stored = self.store.update_platform(&caller.tenant, id, change).await;
        let record = stored.map_err(Error::for_integration(id))?;
        Ok(PlatformOutcome {
            record,
            platform,
            verification: verified.verification,
            ca: verified.ca,
            replaced,
        })
    }

    /// Verifies the stored values against Okta.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `PlatformNotFound`, or `Okta` if the verification failed.
    pub async fn verify_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
    ) -> Result<PlatformOutcome, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (before, secret) = opened.map_err(Error::for_integration(id))?;
        let (Some(state), Some(secret)) = (before.platform(platform).cloned(), secret) else {
            return Err(Error::PlatformNotFound(platform));
        };
        let scep = state.scep.clone();
        let values = PlatformValues { platform, scep, secret, secret_is_new: false };
        let verified = match self.verify_values(caller, &before, &values).await {
            Ok(verified) => verified,
            Err(error) => {
                self.record_refusal(caller, id, &state, &error).await;
                return Err(error);
            }
        };
        let (verification, ca) = (verified.verification, verified.ca.clone());
        let Some(at) = verified.at else {
            return Ok(PlatformOutcome {
                record: before,
                platform,
                verification,
                ca,
                replaced: true,
            });
        };
        let trial = Trial {
            platform,
            secret_version: state.secret_version,
            outcome: TrialOutcome::Worked { ca: verified.ca, at },
            findings: verified.findings,
            event: platform_event(caller, id, EventKind::PlatformVerified, platform),
        };
        let updated = self.store.update_verification(&caller.tenant, id, trial).await;
        let record = updated.map_err(Error::for_integration(id))?;
        Ok(PlatformOutcome { record, platform, verification, ca, replaced: true })
    }

    /// Deletes a platform. Does not call Okta.
    ///
    /// # Errors
    /// `PlatformNotFound`, `StaleVersion`; `ConfirmationRequired` if devices got profiles of the platform
    /// and `confirmed` is false.
    pub async fn delete_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        confirmed: bool,
        expected_version: ExpectedVersion,
    ) -> Result<DeletedPlatform, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        self.load(caller, id).await?;
        let event = platform_event(caller, id, EventKind::PlatformDeleted, platform);
        let deleted = self.store.delete_platform(
            &caller.tenant,
            id,
            platform,
            !confirmed,
            expected_version,
            event,
        );
        let record = deleted.await.map_err(|error| match error {
            StoreError::NotFound => Error::PlatformNotFound(platform),
            StoreError::InUse { devices, platforms } => Error::ConfirmationRequired {
                devices,
                platforms,
                checklist: checklist::for_platform(platform),
            },
            other => other.into(),
        })?;
        Ok(DeletedPlatform { record, checklist: checklist::for_platform(platform) })
    }
}

/// The integration without the deleted platform.
#[derive(Debug)]
pub struct DeletedPlatform {
    pub record: IntegrationRecord,
    /// What the admin still has to do in Okta and the MDM.
    pub checklist: Vec<ChecklistItem>,
}

/// Options for writing a platform.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Verify the values without storing them.
    pub dry_run: bool,
    pub expected_version: ExpectedVersion,
}

impl WriteOptions {
    fn is_stale(self, record: &IntegrationRecord) -> bool {
        !self.expected_version.allows(record.integration.version)
    }
}
