//! What the mirror keeps of an org's devices: enough for a verdict, and of the users no more than
//! their id, their login, their status, when they were added and how they are managed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A device record of an org, as one read showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaDevice {
    /// Okta's id, `guo…`.
    pub id: String,
    /// `MACOS`, `IOS` and what else Okta knows.
    pub platform: String,
    /// `ACTIVE`, `SUSPENDED`, `DEACTIVATED` or a word that we do not know.
    pub status: String,
    /// In the one spelling of [`crate::model::SerialNumber`] where it has the form of one.
    pub serial_number: Option<String>,
    /// In the one spelling of [`crate::model::Udid`] where it has the form of one.
    pub udid: Option<String>,
    pub display_name: Option<String>,
    pub created: DateTime<Utc>,
    pub last_updated: DateTime<Utc>,
    /// By id. `None`: this read did not show the users.
    pub users: Option<Vec<OktaDeviceUser>>,
}

/// A user of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OktaDeviceUser {
    /// Okta's id of the user.
    #[schema(example = "00u1a2b3c4d5e6f7g8h9")]
    pub id: String,
    #[schema(example = "ada@acme.example")]
    pub login: String,
    /// `MANAGED`, `NOT_MANAGED` or a word that we do not know; `null` until Okta has told it.
    #[schema(example = "MANAGED")]
    pub management_status: Option<String>,
    /// Okta's status of the user, such as `ACTIVE`, `SUSPENDED` or `DEPROVISIONED`; `null` until Okta
    /// has told it.
    #[serde(default)]
    #[schema(example = "ACTIVE")]
    pub status: Option<String>,
    /// When the user was added to the device; `null` until Okta has told it.
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

    /// Whether the user may no longer sign in to the org.
    pub fn has_left(&self) -> bool {
        matches!(self.status.as_deref(), Some("DEPROVISIONED" | "SUSPENDED"))
    }
}
