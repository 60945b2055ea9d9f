//! Opens a configured platform with its secret, and checks the identity of the device that gets it.

use secrecy::SecretString;

use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{Caller, IntegrationId, IntegrationRecord, Platform};
use crate::payload::HardwareIdentifiers;
use crate::service::{DeviceError, Error, Service};

/// A configured platform with its secret.
pub(super) struct ConfiguredPlatform {
    pub(super) record: IntegrationRecord,
    pub(super) state: PlatformState,
    pub(super) secret: SecretString,
}

impl ConfiguredPlatform {
    pub(super) fn scep(&self) -> Result<&ScepValues, Error> {
        self.state.scep.as_ref().ok_or(Error::PlatformNotFound(Platform::Macos))
    }
}

impl Service {
    pub(super) async fn open_configured(
        &self,
        caller: &Caller,
        id: IntegrationId,
        platform: Platform,
    ) -> Result<ConfiguredPlatform, Error> {
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (record, secret) = opened.map_err(Error::for_integration(id))?;
        match (record.platform(platform).cloned(), secret) {
            (Some(state), Some(secret)) => Ok(ConfiguredPlatform { record, state, secret }),
            _ => Err(Error::PlatformNotFound(platform)),
        }
    }

    /// Ensures that a device the MDM reported is requested with its reported platform and UDID. A device
    /// that was not reported passes.
    ///
    /// # Errors
    /// `Device` with the field that differs.
    pub(super) async fn ensure_identity_matches(
        &self,
        caller: &Caller,
        platform: Platform,
        device: &HardwareIdentifiers,
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
}
