//! Event hooks: the address that Okta calls when something happens to a device, and what such a
//! call can tell us, which is no more than where to look again (contract §7).

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The random id in a hook's address. It stays when the secret is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookId(pub Uuid);

impl HookId {
    /// Random throughout, unlike the ids of rows: it is a part of an address that strangers may guess at.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// What is no id is the id of no hook, so that it is looked for, and not found, like any other.
    pub fn parse(text: &str) -> Self {
        Self(text.parse().unwrap_or(Uuid::nil()))
    }
}

impl std::fmt::Display for HookId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The events that an admin subscribes the hook to in Okta (facts §7); others are of no use here.
pub const EVENT_TYPES: [&str; 8] = [
    "device.enrollment.create",
    "device.user.add",
    "device.user.remove",
    "device.lifecycle.activate",
    "device.lifecycle.deactivate",
    "device.lifecycle.suspend",
    "device.lifecycle.unsuspend",
    "device.lifecycle.delete",
];

/// A hook, as far as it may be told.
#[derive(Debug, Clone)]
pub struct EventHook {
    pub id: HookId,
    /// Grows with each secret of the integration, and never goes back.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
    /// Until when the secret before the last rotation is accepted as well; `None` when that is over.
    pub previous_valid_until: Option<DateTime<Utc>>,
    /// When Okta verified the address last.
    pub verified_at: Option<DateTime<Utc>>,
    /// When Okta delivered last, give or take ten seconds.
    pub last_delivery_at: Option<DateTime<Utc>>,
}

/// An id that a delivery names, which may be a device's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceMention {
    pub id: String,
    /// The delivery says that it is a device. Otherwise it counts only where the mirror has a device
    /// of this id.
    pub is_device: bool,
    /// When the newest lifecycle event for it was published, by Okta's clock.
    pub lifecycle_at: Option<DateTime<Utc>>,
}
