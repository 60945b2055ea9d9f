//! Deployments: renders the profiles and the app configuration that the MDM installs on a device.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::model::{Caller, EventKind, IntegrationId, NewEvent, Platform, Scope};
use crate::payload::{
    AppConfiguration, CertificateEnrollment, Device, DeviceIdentity, HardwareIdentifiers,
    MacSettings, MobileSignOn, PayloadScope, ProfileContents, ProfileDocument, RENDERING_VERSION,
    render_profile,
};
use crate::service::platforms::challenges::{CHALLENGE_USE, hardware_of};
use crate::service::platforms::configured::ConfiguredPlatform;
use crate::service::platforms::deployment_plan::{
    DeploymentOptions, DeploymentPart, DeviceFields, Plan, choose_parts, parse_device, plan,
};
use crate::service::{Error, Service};
use crate::store::NewDeployment;

/// A profile of a deployment.
#[derive(Debug)]
pub struct DeployedProfile {
    pub part: DeploymentPart,
    pub document: ProfileDocument,
    /// For a profile with a challenge: the deadline for its installation.
    pub use_before: Option<DateTime<Utc>>,
}

/// All parts of a deployment for one device.
#[derive(Debug)]
pub struct DeploymentBundle {
    pub platform: Platform,
    pub device: Device,
    pub config_version: i64,
    pub certificate_version: i64,
    pub profiles: Vec<DeployedProfile>,
    pub app_configuration: Option<AppConfiguration>,
    pub channel: Channel,
}

/// On which channel the MDM sends the profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Device,
    /// That of one user: of a Mac's managed user, or of a user of a Shared iPad.
    User,
}

impl From<PayloadScope> for Channel {
    fn from(scope: PayloadScope) -> Self {
        match scope {
            PayloadScope::System => Self::Device,
            PayloadScope::User => Self::User,
        }
    }
}

impl Service {
    /// Renders a deployment for one device.
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
        let device = parse_device(platform, &device)?;
        let parts = choose_parts(platform, parts)?;
        let configured = self.open_configured(caller, id, platform).await?;
        let plan = plan(&configured.record, &device, options)?;
        if let Some(hardware) = device.hardware() {
            self.ensure_identity_matches(caller, platform, hardware).await?;
        }
        let (profiles, app_configuration) = match platform {
            Platform::Macos => {
                (self.render_mac(caller, &configured, &device, &parts, &plan).await?, None)
            }
            Platform::Ios => render_ios(&configured, &device, &parts, &plan)?,
        };
        self.record_deployment(caller, &configured, &device, &parts).await?;
        Ok(DeploymentBundle {
            platform,
            device,
            config_version: configured.state.config_version,
            certificate_version: configured.state.certificate_version,
            profiles,
            app_configuration,
            channel: plan.scope.into(),
        })
    }

    async fn render_mac(
        &self,
        caller: &Caller,
        configured: &ConfiguredPlatform,
        device: &Device,
        parts: &[DeploymentPart],
        plan: &Plan,
    ) -> Result<Vec<DeployedProfile>, Error> {
        let deployment = plan.deployment(&configured.record, &configured.state, device);
        let mut profiles = Vec::new();
        // Render the settings first, so that an invalid option does not waste a challenge.
        if parts.contains(&DeploymentPart::Settings) {
            let settings = MacSettings::new(device, plan.hosts.clone(), &plan.options)?;
            let document = render_profile(&deployment, &ProfileContents::Settings(settings))?;
            profiles.push(DeployedProfile {
                part: DeploymentPart::Settings,
                document,
                use_before: None,
            });
        }
        if parts.contains(&DeploymentPart::Certificate) {
            let scep = configured.scep()?;
            let hardware = hardware_of(device)?;
            let challenge = self.mint_challenge(caller, configured, scep, hardware).await?;
            let use_before = Some(challenge.issued_at + CHALLENGE_USE);
            let (url, template) = (scep.scep_url.clone(), &plan.subject_template);
            let enrollment = CertificateEnrollment::new(device, url, challenge.value, template)?;
            let document = render_profile(&deployment, &ProfileContents::Certificate(enrollment))?;
            profiles.insert(
                0,
                DeployedProfile { part: DeploymentPart::Certificate, document, use_before },
            );
        }
        Ok(profiles)
    }

    async fn record_deployment(
        &self,
        caller: &Caller,
        configured: &ConfiguredPlatform,
        device: &Device,
        parts: &[DeploymentPart],
    ) -> Result<(), Error> {
        let (id, state) = (configured.record.integration.id, &configured.state);
        let detail = json!({
            "platform": state.platform,
            "parts": parts,
            "config_version": state.config_version,
            "rendering_version": RENDERING_VERSION,
            "device": audited(device),
        });
        let event = NewEvent::by(caller, id, EventKind::DeploymentCreated).with(detail);
        let new = NewDeployment {
            platform: state.platform,
            device: given_to(device),
            config_version: state.config_version,
        };
        self.store
            .create_deployment(&caller.tenant, id, new, event)
            .await
            .map_err(Error::for_integration(id))
    }
}

/// The device as the audit names it.
fn audited(device: &Device) -> serde_json::Value {
    match &device.identity {
        DeviceIdentity::Hardware(HardwareIdentifiers { serial_number, udid }) => {
            json!({ "serial_number": serial_number, "udid": udid })
        }
        DeviceIdentity::Enrollment(id) => json!({ "enrollment_id": id.as_str() }),
    }
}

/// The device as the store counts it. No serial number has a colon.
fn given_to(device: &Device) -> String {
    match &device.identity {
        DeviceIdentity::Hardware(hardware) => hardware.serial_number.to_string(),
        DeviceIdentity::Enrollment(id) => format!("enrollment:{}", id.as_str()),
    }
}

fn render_ios(
    configured: &ConfiguredPlatform,
    device: &Device,
    parts: &[DeploymentPart],
    plan: &Plan,
) -> Result<(Vec<DeployedProfile>, Option<AppConfiguration>), Error> {
    let deployment = plan.deployment(&configured.record, &configured.state, device);
    let mut profiles = Vec::new();
    if parts.contains(&DeploymentPart::Settings) {
        let sign_on = MobileSignOn::new(device, plan.hosts.clone(), configured.secret.clone());
        let document = render_profile(&deployment, &ProfileContents::SignOn(sign_on))?;
        profiles.push(DeployedProfile {
            part: DeploymentPart::Settings,
            document,
            use_before: None,
        });
    }
    let wanted = parts.contains(&DeploymentPart::AppConfiguration);
    let app_configuration = wanted
        .then(|| {
            AppConfiguration::new(device, &plan.hosts, &plan.options, configured.secret.clone())
        })
        .transpose()?;
    Ok((profiles, app_configuration))
}
