//! SCEP challenges. Each is fetched from Okta at delivery, for one device, and returned only once it is
//! audited.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::model::platforms::ScepValues;
use crate::model::{Caller, EventKind, IntegrationId, NewEvent, Platform, Scope};
use crate::okta::ScepChallenge;
use crate::payload::{Device, HardwareIdentifiers};
use crate::service::platforms::configured::ConfiguredPlatform;
use crate::service::platforms::deployment_plan::{DeviceFields, parse_device};
use crate::service::platforms::trial::challenge_source;
use crate::service::{Error, FieldError, Service, with_okta_timeout};
use crate::store::ChallengeClaim;
use crate::telemetry::chain_of;

/// How long a device may use a challenge, with a margin for the lifetime in Okta.
pub(super) const CHALLENGE_USE: TimeDelta = TimeDelta::minutes(57);
/// The lifetime of a challenge in Okta.
const CHALLENGE_LIFETIME: TimeDelta = TimeDelta::minutes(60);

/// A challenge for one device. Besides deployments and event hooks, this is the only response with a
/// secret.
#[derive(Debug)]
pub struct MintedChallenge {
    pub challenge: SecretString,
    pub scep_url: Url,
    pub issued_at: DateTime<Utc>,
    pub use_before: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Service {
    /// Fetches a new one-time challenge for one Mac.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `PlatformNotFound`, `Device`, `DeviceChallengeLimit`,
    /// `ChallengesInFlight`, `ScepUrlOnOldHost`, or `Okta` if Okta issued no challenge.
    pub async fn create_scep_challenge(
        &self,
        caller: &Caller,
        id: IntegrationId,
        device: DeviceFields,
    ) -> Result<MintedChallenge, Error> {
        self.require(caller, Scope::OdtDeploy).await?;
        let device = parse_device(Platform::Macos, &device)?;
        let device = hardware_of(&device)?;
        let configured = self.open_configured(caller, id, Platform::Macos).await?;
        self.ensure_identity_matches(caller, Platform::Macos, device).await?;
        let scep = configured.scep()?;
        let challenge = self.mint_challenge(caller, &configured, scep, device).await?;
        Ok(minted(challenge, scep.scep_url.clone()))
    }

    /// Fetches a challenge within the limits, and audits it. If an error follows, the challenge is dropped
    /// and expires unused.
    pub(super) async fn mint_challenge(
        &self,
        caller: &Caller,
        configured: &ConfiguredPlatform,
        scep: &ScepValues,
        device: &HardwareIdentifiers,
    ) -> Result<ScepChallenge, Error> {
        let id = configured.record.integration.id;
        let hosts = self.confirm_scep_hosts(&configured.record, scep).await?;
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let claim = self.claim_challenge(caller, id, device).await?;
        let source = challenge_source(scep, &configured.secret);
        let fetched =
            with_okta_timeout(async { Ok(self.okta.fetch_scep_challenge(&hosts, &source).await?) })
                .await;
        let challenge = match fetched {
            Ok(challenge) => challenge,
            Err(error) => {
                self.record_refusal(caller, id, &configured.state, &error).await;
                if let Err(error) = self.store.end_challenge(&caller.tenant, id, claim, None).await
                {
                    tracing::warn!(
                        tenant_id = %caller.tenant,
                        integration_id = %id,
                        error = chain_of(&error),
                        "releasing a challenge slot failed; it will expire"
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

    async fn claim_challenge(
        &self,
        caller: &Caller,
        id: IntegrationId,
        device: &HardwareIdentifiers,
    ) -> Result<Uuid, Error> {
        let serial_number = device.serial_number.to_string();
        let claim = self.store.claim_challenge(&caller.tenant, id, serial_number).await;
        match claim.map_err(Error::for_integration(id))? {
            ChallengeClaim::Claimed(claim) => Ok(claim),
            ChallengeClaim::DeviceLimit { retry_after } => {
                Err(Error::DeviceChallengeLimit { retry_after })
            }
            ChallengeClaim::InFlightLimit => Err(Error::ChallengesInFlight),
        }
    }
}

/// What every Mac has, and no device of User Enrollment.
pub(super) fn hardware_of(device: &Device) -> Result<&HardwareIdentifiers, Error> {
    device.hardware().ok_or_else(|| {
        Error::Invalid(vec![FieldError::new(
            "/device/serial_number",
            "missing",
            "This field is needed.",
        )])
    })
}

fn minted(challenge: ScepChallenge, scep_url: Url) -> MintedChallenge {
    let issued_at = challenge.issued_at;
    MintedChallenge {
        challenge: challenge.value,
        scep_url,
        issued_at,
        use_before: issued_at + CHALLENGE_USE,
        expires_at: issued_at + CHALLENGE_LIFETIME,
    }
}
