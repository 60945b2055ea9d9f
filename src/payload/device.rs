//! The one device that a rendering is for, and the places in a text where its values go.

use crate::model::{SerialNumber, Udid, UserPrincipalName};

/// The device, as the MDM names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub serial_number: SerialNumber,
    pub udid: Udid,
    /// Who uses it; put into Okta Verify so that the user need not type it.
    pub user_principal_name: Option<UserPrincipalName>,
}

impl Device {
    /// Fills `{serial_number}` and `{udid}`; every other brace stays, for it is the admin's own text.
    pub(super) fn fill(&self, text: &str) -> String {
        // Neither value holds a brace, so the second pass cannot read what the first one wrote.
        text.replace("{serial_number}", self.serial_number.as_str())
            .replace("{udid}", self.udid.as_str())
    }
}
