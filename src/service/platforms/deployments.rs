//! What the MDM installs on one device. A challenge is fetched when it is delivered, one per device,
//! and never answered without a row in the audit (contract §2, §4).

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{
    Caller, EventKind, IntegrationId, IntegrationRecord, NewEvent, Platform, Scope,
};
use crate::okta::ScepChallenge;
use crate::payload::{
    Device, ManagedAppConfiguration, ProfileDocument, RENDERING_VERSION, Scep, certificate_profile,
    managed_app_configuration, settings_profile, single_sign_on_profile,
};
use crate::service::platforms::deployment_plan::{
    DeploymentOptions, DeploymentPart, DeviceFields, Plan, choose_parts, parse_device, plan,
};
use crate::service::platforms::fields::hosts_of;
use crate::service::platforms::trial::source_of;
use crate::service::{DeviceError, Error, Service, within};
use crate::store::{ChallengeClaim, NewDeployment};
use crate::telemetry::chain_of;

/// Okta says 60 minutes; after this a challenge is treated as dead (facts §8).
const CHALLENGE_USE: TimeDelta = TimeDelta::minutes(57);
const CHALLENGE_LIFE: TimeDelta = TimeDelta::minutes(60);

/// A challenge for one device; the only answer beside a deployment that holds a secret.
#[derive(Debug)]
pub struct MintedChallenge {
    pub challenge: SecretString,
    pub scep_url: Url,
    pub issued_at: DateTime<Utc>,
    pub use_before: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A profile of a deployment.
#[derive(Debug)]
pub struct DeployedProfile {
    pub part: DeploymentPart,
    pub document: ProfileDocument,
    /// For a profile with a challenge: until when it has to be on the device.
    pub use_before: Option<DateTime<Utc>>,
}

/// What one device must be given.
#[derive(Debug)]
pub struct DeploymentBundle {
    pub platform: Platform,
    pub device: Device,
    pub config_version: i64,
    pub certificate_version: i64,
    pub profiles: Vec<DeployedProfile>,
    pub app_configuration: Option<ManagedAppConfiguration>,
}

/// A configured platform with its secret.
struct Configured {
    record: IntegrationRecord,
    state: PlatformState,
    secret: SecretString,
}

impl Configured {
    fn scep(&self) -> Result<&ScepValues, Error> {
        self.state.scep.as_ref().ok_or(Error::PlatformNotFound(Platform::Macos))
    }
}

impl Service {
    /// Fetches a fresh one-time challenge for one Mac.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `PlatformNotFound`, `Device`, `DeviceChallengeLimit`,
    /// `ChallengesInFlight`, or `Okta` with why there is none.
    pub async fn create_scep_challenge(
        &self,
        caller: &Caller,
        id: IntegrationId,
        device: DeviceFields,
    ) -> Result<MintedChallenge, Error> {
        self.require(caller, Scope::OdtDeploy).await?;
        let device = parse_device(&device)?;
        let configured = self.open_configured(caller, id, Platform::Macos).await?;
        self.refuse_other_device(caller, Platform::Macos, &device).await?;
        let scep = configured.scep()?;
        let challenge = self.mint(caller, &configured, scep, &device).await?;
        Ok(minted(challenge, scep.scep_url.clone()))
    }

    /// Renders what one device must be given.
    ///
    /// # Errors
    /// As [`Service::create_scep_challenge`]; `Invalid` also for options that cannot be rendered.
    pub async fn create_deployment(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
        device: DeviceFields,
        parts: Option<Vec<DeploymentPart>>,
        options: DeploymentOptions,
    ) -> Result<DeploymentBundle, Error> {
        self.require(caller, Scope::OdtDeploy).await?;
        let device = parse_device(&device)?;
        let parts = choose_parts(platform, parts)?;
        let configured = self.open_configured(caller, id, platform).await?;
        let plan = plan(&configured.record, &device, platform, options)?;
        self.refuse_other_device(caller, platform, &device).await?;
        let (profiles, app_configuration) = match platform {
            Platform::Macos => {
                (self.render_mac(caller, &configured, &device, &parts, &plan).await?, None)
            }
            Platform::Ios => render_ios(&configured, &device, &parts, &plan)?,
        };
        self.note_deployment(caller, &configured, &device, &parts).await?;
        Ok(DeploymentBundle {
            platform,
            device,
            config_version: configured.state.config_version,
            certificate_version: configured.state.certificate_version,
            profiles,
            app_configuration,
        })
    }

    async fn open_configured(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
    ) -> Result<Configured, Error> {
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (record, secret) = opened.map_err(Error::of_integration(id))?;
        match (record.platform(platform).cloned(), secret) {
            (Some(state), Some(secret)) => Ok(Configured { record, state, secret }),
            _ => Err(Error::PlatformNotFound(platform)),
        }
    }

    /// A device that the MDM has reported is given something only as the one that it is (contract §4).
    async fn refuse_other_device(
        &self,
        caller: &Caller,
        platform: Platform,
        device: &Device,
    ) -> Result<(), Error> {
        let serial_number = device.serial_number.clone();
        let known = self.store.find_device_identity(&caller.tenant, serial_number.clone()).await?;
        let field = match known {
            Some((known, _)) if known != platform => "platform",
            Some((_, Some(udid))) if udid != device.udid => "udid",
            _ => return Ok(()),
        };
        Err(DeviceError::Mismatch { serial_number, field }.into())
    }

    /// Within the limits, one challenge of Okta's, audited. Whatever goes wrong after it was fetched, it
    /// is dropped: it dies by itself.
    async fn mint(
        &self,
        caller: &Caller,
        configured: &Configured,
        scep: &ScepValues,
        device: &Device,
    ) -> Result<ScepChallenge, Error> {
        let id = configured.record.integration.id;
        let claim = self.claim(caller, id, device).await?;
        let hosts = hosts_of(&configured.record);
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let source = source_of(scep, &configured.secret);
        let fetched =
            within(async { Ok(self.okta.fetch_scep_challenge(&hosts, &source).await?) }).await;
        let challenge = match fetched {
            Ok(challenge) => challenge,
            Err(error) => {
                self.note_refusal(caller, id, &configured.state, &error).await;
                if let Err(error) = self.store.end_challenge(&caller.tenant, id, claim, None).await
                {
                    tracing::warn!(
                        error = chain_of(&error),
                        "a request for a challenge was not ended and lapses"
                    );
                }
                return Err(error);
            }
        };
        let detail =
            json!({ "device": { "serial_number": device.serial_number, "udid": device.udid } });
        let event = NewEvent::by(caller, id, EventKind::ScepChallengeMinted).with(detail);
        self.store.end_challenge(&caller.tenant, id, claim, Some(event)).await?;
        Ok(challenge)
    }

    async fn claim(
        &self,
        caller: &Caller,
        id: IntegrationId,
        device: &Device,
    ) -> Result<Uuid, Error> {
        let serial_number = device.serial_number.to_string();
        let claim = self.store.claim_challenge(&caller.tenant, id, serial_number).await;
        match claim.map_err(Error::of_integration(id))? {
            ChallengeClaim::Claimed(claim) => Ok(claim),
            ChallengeClaim::DeviceLimit { retry_after } => {
                Err(Error::DeviceChallengeLimit { retry_after })
            }
            ChallengeClaim::InFlightLimit => Err(Error::ChallengesInFlight),
        }
    }

    async fn render_mac(
        &self,
        caller: &Caller,
        configured: &Configured,
        device: &Device,
        parts: &[DeploymentPart],
        plan: &Plan,
    ) -> Result<Vec<DeployedProfile>, Error> {
        let deployment = plan.deployment(&configured.record, &configured.state, device);
        let mut profiles = Vec::new();
        // Settings first: what cannot be rendered must not cost a challenge.
        if parts.contains(&DeploymentPart::Settings) {
            let document = settings_profile(&deployment, &plan.hosts, &plan.options)?;
            profiles.push(DeployedProfile {
                part: DeploymentPart::Settings,
                document,
                use_before: None,
            });
        }
        if parts.contains(&DeploymentPart::Certificate) {
            let scep = configured.scep()?;
            let challenge = self.mint(caller, configured, scep, device).await?;
            let values = Scep {
                url: &scep.scep_url,
                challenge: &challenge.value,
                ca_name: None,
                subject_template: &plan.subject_template,
            };
            let document = certificate_profile(&deployment, &values)?;
            let use_before = Some(challenge.issued_at + CHALLENGE_USE);
            profiles.insert(
                0,
                DeployedProfile { part: DeploymentPart::Certificate, document, use_before },
            );
        }
        Ok(profiles)
    }

    async fn note_deployment(
        &self,
        caller: &Caller,
        configured: &Configured,
        device: &Device,
        parts: &[DeploymentPart],
    ) -> Result<(), Error> {
        let (id, state) = (configured.record.integration.id, &configured.state);
        let detail = json!({
            "platform": state.platform,
            "parts": parts,
            "config_version": state.config_version,
            "rendering_version": RENDERING_VERSION,
            "device": { "serial_number": device.serial_number, "udid": device.udid },
        });
        let event = NewEvent::by(caller, id, EventKind::DeploymentCreated).with(detail);
        let new = NewDeployment {
            platform: state.platform,
            serial_number: device.serial_number.to_string(),
            config_version: state.config_version,
        };
        self.store
            .create_deployment(&caller.tenant, id, new, event)
            .await
            .map_err(Error::of_integration(id))
    }
}

fn render_ios(
    configured: &Configured,
    device: &Device,
    parts: &[DeploymentPart],
    plan: &Plan,
) -> Result<(Vec<DeployedProfile>, Option<ManagedAppConfiguration>), Error> {
    let deployment = plan.deployment(&configured.record, &configured.state, device);
    let mut profiles = Vec::new();
    if parts.contains(&DeploymentPart::Settings) {
        let document = single_sign_on_profile(&deployment, &plan.hosts, &configured.secret)?;
        profiles.push(DeployedProfile {
            part: DeploymentPart::Settings,
            document,
            use_before: None,
        });
    }
    let wanted = parts.contains(&DeploymentPart::AppConfiguration);
    let app_configuration = wanted
        .then(|| managed_app_configuration(device, &plan.hosts, &plan.options, &configured.secret))
        .transpose()?;
    Ok((profiles, app_configuration))
}

fn minted(challenge: ScepChallenge, scep_url: Url) -> MintedChallenge {
    let issued_at = challenge.issued_at;
    MintedChallenge {
        challenge: challenge.value,
        scep_url,
        issued_at,
        use_before: issued_at + CHALLENGE_USE,
        expires_at: issued_at + CHALLENGE_LIFE,
    }
}
