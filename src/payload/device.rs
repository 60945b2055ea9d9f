//! The device of a rendering, and placeholders for its values.

use super::PayloadError;
use crate::model::devices::enrollment_id::EnrollmentId;
use crate::model::{SerialNumber, Udid, UserPrincipalName};

/// A device as the MDM identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub identity: DeviceIdentity,
    /// The login of its user, which Okta Verify fills in.
    pub user_principal_name: Option<UserPrincipalName>,
}

/// What the MDM knows a device by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceIdentity {
    Hardware(HardwareIdentifiers),
    /// An iPhone or iPad of User Enrollment, of which the MDM learns no hardware identifiers.
    Enrollment(EnrollmentId),
}

/// What is the machine's own, whoever enrolls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareIdentifiers {
    pub serial_number: SerialNumber,
    pub udid: Udid,
}

const SERIAL_NUMBER: &str = "{serial_number}";
const UDID: &str = "{udid}";

impl Device {
    pub fn new(
        serial_number: SerialNumber,
        udid: Udid,
        user_principal_name: Option<UserPrincipalName>,
    ) -> Self {
        let identity = DeviceIdentity::Hardware(HardwareIdentifiers { serial_number, udid });
        Self { identity, user_principal_name }
    }

    /// Returns the serial number and UDID, or `None` with User Enrollment.
    pub fn hardware(&self) -> Option<&HardwareIdentifiers> {
        match &self.identity {
            DeviceIdentity::Hardware(hardware) => Some(hardware),
            DeviceIdentity::Enrollment(_) => None,
        }
    }

    /// Returns the identifier for file names and UUIDs.
    pub fn name(&self) -> &str {
        match &self.identity {
            DeviceIdentity::Hardware(hardware) => hardware.serial_number.as_str(),
            DeviceIdentity::Enrollment(id) => id.as_str(),
        }
    }

    /// Replaces `{serial_number}` and `{udid}`. Other braces are the admin's text and are unchanged.
    ///
    /// # Errors
    /// `NoIdentifiers` if the text has one of them and the device, with User Enrollment, has neither.
    pub(super) fn fill(&self, field: &str, text: &str) -> Result<String, PayloadError> {
        let Some(hardware) = self.hardware() else {
            return if text.contains(SERIAL_NUMBER) || text.contains(UDID) {
                Err(PayloadError::NoIdentifiers { field: field.to_owned() })
            } else {
                Ok(text.to_owned())
            };
        };
        // Neither value contains a brace, so the second replacement cannot affect the first.
        Ok(text
            .replace(SERIAL_NUMBER, hardware.serial_number.as_str())
            .replace(UDID, hardware.udid.as_str()))
    }
}
