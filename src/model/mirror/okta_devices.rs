//! The parts of Okta's device records that the mirror stores. Of a device's users it stores only the ID,
//! login, status, management status and when they were added.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A device record of an org, as returned by one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaDevice {
    /// Okta's ID, `guo…`.
    pub id: String,
    /// `MACOS`, `IOS` or another platform.
    pub platform: String,
    /// `ACTIVE`, `SUSPENDED`, `DEACTIVATED` or another status.
    pub status: String,
    /// Normalized like [`crate::model::SerialNumber`] if it is a valid one; otherwise as received.
    pub serial_number: Option<String>,
    /// Normalized like [`crate::model::Udid`] if it is a valid one; otherwise as received.
    pub udid: Option<String>,
    pub display_name: Option<String>,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    /// Ordered by ID. `None`: this read did not include the users.
    pub users: Option<Vec<OktaDeviceUser>>,
}

/// A user of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OktaDeviceUser {
    /// Okta's ID of the user.
    #[schema(example = "00u1a2b3c4d5e6f7g8h9")]
    pub id: String,
    #[schema(example = "ada@acme.example")]
    pub login: String,
    /// `MANAGED`, `NOT_MANAGED` or another value; `null` until a response of Okta includes it.
    #[schema(example = "MANAGED")]
    pub management_status: Option<String>,
    /// Okta's status of the user, such as `ACTIVE`, `SUSPENDED` or `DEPROVISIONED`; `null` until a response
    /// of Okta includes it.
    #[serde(default)]
    #[schema(example = "ACTIVE")]
    pub status: Option<String>,
    /// When the user was added to the device; `null` until a response of Okta includes it.
    #[serde(default)]
    pub created: Option<DateTime<Utc>>,
}

impl OktaDevice {
    pub const ACTIVE: &str = "ACTIVE";
    pub const CREATED: &str = "CREATED";

    pub fn is_active(&self) -> bool {
        self.status == Self::ACTIVE
    }
}

impl OktaDeviceUser {
    pub const MANAGED: &str = "MANAGED";

    pub fn is_managed(&self) -> bool {
        self.management_status.as_deref() == Some(Self::MANAGED)
    }

    /// Returns whether the user can no longer sign in to the org.
    pub fn cannot_sign_in(&self) -> bool {
        matches!(self.status.as_deref(), Some("DEPROVISIONED" | "SUSPENDED"))
    }
}
