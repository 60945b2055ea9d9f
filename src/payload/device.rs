//! The device of a rendering, and placeholders for its values.

use crate::model::{SerialNumber, Udid, UserPrincipalName};

/// A device as the MDM identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub serial_number: SerialNumber,
    pub udid: Udid,
    /// The login of its user, which Okta Verify fills in.
    pub user_principal_name: Option<UserPrincipalName>,
}

impl Device {
    /// Replaces `{serial_number}` and `{udid}`. Other braces are the admin's text and are unchanged.
    pub(super) fn fill(&self, text: &str) -> String {
        // Neither value contains a brace, so the second replacement cannot affect the first.
        text.replace("{serial_number}", self.serial_number.as_str())
            .replace("{udid}", self.udid.as_str())
    }
}
