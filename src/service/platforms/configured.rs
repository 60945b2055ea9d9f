//! A configured platform with its secret, and the check of the device that it is rendered for.

use secrecy::SecretString;

use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{Caller, IntegrationId, IntegrationRecord, Platform};
use crate::payload::Device;
use crate::service::{DeviceError, Error, Service};

/// A configured platform with its secret.
pub(super) struct Configured {
    pub(super) record: IntegrationRecord,
    pub(super) state: PlatformState,
    pub(super) secret: SecretString,
}

impl Configured {
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
    ) -> Result<Configured, Error> {
        let opened = self.store.open_platform(&caller.tenant, id, platform).await;
        let (record, secret) = opened.map_err(Error::for_integration(id))?;
        match (record.platform(platform).cloned(), secret) {
            (Some(state), Some(secret)) => Ok(Configured { record, state, secret }),
            _ => Err(Error::PlatformNotFound(platform)),
        }
    }

    /// A device that the MDM has reported is given something only as the one that it is (contract §4).
    pub(super) async fn refuse_other_device(
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
}
