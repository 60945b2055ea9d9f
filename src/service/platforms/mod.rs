//! Configuring a platform: macOS is tried against Okta before it is stored; iOS cannot be tried, and
//! says so.

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
pub use deployments::{DeployedProfile, DeploymentBundle};
pub use fields::PlatformFields;
pub use trial::Verification;

use self::fields::{Entered, check_fields, merge};
use self::trial::platform_event;
use crate::model::platforms::{CertificateAuthority, NewPlatform, PlatformState};
use crate::model::{
    Caller, EventKind, ExpectedVersion, IntegrationId, IntegrationRecord, Platform, Scope,
};
use crate::service::integrations::checklist::{self, ChecklistItem};
use crate::service::{Error, Service};
use crate::store::{PlatformChange, StoreError, Trial, TrialOutcome};

/// What a write brought about.
#[derive(Debug)]
pub struct PlatformOutcome {
    pub record: IntegrationRecord,
    pub platform: Platform,
    pub verification: Verification,
    pub ca: Option<CertificateAuthority>,
    /// True when the platform was configured before.
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

    /// Creates or replaces a platform; all its fields are needed, secrets too.
    ///
    /// With `dry_run` the values are tried and nothing is stored.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `StaleVersion`, or `Okta` with what the trial showed.
    pub async fn update_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        fields: PlatformFields,
        write: Write,
    ) -> Result<PlatformOutcome, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let before = self.load(caller, id).await?;
        let entered = check_fields(&before, platform, fields)?;
        self.try_and_store(caller, before, entered, write).await
    }

    /// Changes some fields of a platform; the result is tried like a new one.
    ///
    /// # Errors
    /// As [`Service::update_platform`], and `PlatformNotFound`.
    pub async fn patch_platform(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        fields: PlatformFields,
        write: Write,
    ) -> Result<PlatformOutcome, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (before, secret) = opened.map_err(Error::for_integration(id))?;
        let (Some(state), Some(secret)) = (before.platform(platform), secret) else {
            return Err(Error::PlatformNotFound(platform));
        };
        let secret_is_new = fields.password.is_some() || fields.secret_key.is_some();
        let mut entered = check_fields(&before, platform, merge(state, secret, fields))?;
        entered.secret_is_new = secret_is_new;
        if !secret_is_new && entered.scep == state.scep && !write.is_stale(&before) {
            // Nothing is tried and no version counts up for a patch that changes nothing.
            return Ok(PlatformOutcome::unchanged(&before, state));
        }
        self.try_and_store(caller, before, entered, write).await
    }

    async fn try_and_store(
        &self,
        caller: &Caller,
        before: IntegrationRecord,
        entered: Entered,
        write: Write,
    ) -> Result<PlatformOutcome, Error> {
        if write.is_stale(&before) {
            // Nothing is asked of Okta for a change that cannot be stored anyway.
            return Err(Error::StaleVersion { current: before.integration.version });
        }
        let (id, platform) = (before.integration.id, entered.platform);
        let tried = match self.try_values(caller, &before, &entered).await {
            Ok(tried) => tried,
            Err(error) => {
                self.audit_scep_refusal(caller, id, platform, &error).await;
                return Err(error);
            }
        };
        let replaced = before.platform(platform).is_some();
        if write.dry_run {
            let (verification, ca) = (tried.verification, tried.ca);
            return Ok(PlatformOutcome { record: before, platform, verification, ca, replaced });
        }
        let new = NewPlatform {
            platform,
            scep: entered.scep,
            secret: entered.secret,
            secret_is_new: entered.secret_is_new,
            ca: tried.ca.clone(),
            verified_at: tried.at,
        };
        let event = platform_event(caller, id, EventKind::PlatformStored, platform);
        let change = PlatformChange {
            new,
            org_id: before.integration.org.id,
            findings: tried.findings,
            expected_version: write.expected_version,
            event,
        };
        let stored = self.store.update_platform(&caller.tenant, id, change).await;
        let record = stored.map_err(Error::for_integration(id))?;
        Ok(PlatformOutcome {
            record,
            platform,
            verification: tried.verification,
            ca: tried.ca,
            replaced,
        })
    }

    /// Tries the stored values.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `PlatformNotFound`, or `Okta` with what the trial showed.
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
        let entered = Entered { platform, scep: state.scep.clone(), secret, secret_is_new: false };
        let tried = match self.try_values(caller, &before, &entered).await {
            Ok(tried) => tried,
            Err(error) => {
                self.note_refusal(caller, id, &state, &error).await;
                return Err(error);
            }
        };
        let (verification, ca) = (tried.verification, tried.ca.clone());
        let Some(at) = tried.at else {
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
            outcome: TrialOutcome::Worked { ca: tried.ca, at },
            findings: tried.findings,
            event: platform_event(caller, id, EventKind::PlatformVerified, platform),
        };
        let noted = self.store.update_verification(&caller.tenant, id, trial).await;
        let record = noted.map_err(Error::for_integration(id))?;
        Ok(PlatformOutcome { record, platform, verification, ca, replaced: true })
    }

    /// Deletes a platform. Nothing is called in Okta.
    ///
    /// # Errors
    /// `PlatformNotFound`, `StaleVersion`, and `ConfirmationRequired` while devices have been given
    /// something of it and `confirmed` is not said.
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
                checklist: checklist::of_platform(platform),
            },
            other => other.into(),
        })?;
        Ok(DeletedPlatform { record, checklist: checklist::of_platform(platform) })
    }
}

/// The result of deleting a platform.
#[derive(Debug)]
pub struct DeletedPlatform {
    pub record: IntegrationRecord,
    /// The steps that are left to do in Okta.
    pub checklist: Vec<ChecklistItem>,
}

/// How a platform is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Write {
    /// Try only.
    pub dry_run: bool,
    pub expected_version: ExpectedVersion,
}

impl Write {
    fn is_stale(self, record: &IntegrationRecord) -> bool {
        !self.expected_version.allows(record.integration.version)
    }
}
