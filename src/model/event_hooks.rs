//! Event hooks: the URL that Okta calls when a device event occurs. A call only names devices to read
//! again. Its content is never used as the state of a device.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};

/// The random ID in a hook's URL. Rotating the secret does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookId(pub Uuid);

impl HookId {
    /// Returns a fully random ID (UUIDv4, not v7): it is part of a public URL and must not be guessable.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl std::fmt::Display for HookId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The owner of a hook.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HookOwner {
    pub tenant: TenantId,
    pub integration: IntegrationId,
}

/// The Okta event types that the admin subscribes the hook to. The service ignores all others.
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

/// An event hook without its secret.
#[derive(Debug, Clone)]
pub struct EventHook {
    pub id: HookId,
    /// Increases with each secret that is entered for the integration; never reused.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
    /// Until when the previous secret is still accepted; `None` once it has expired.
    pub previous_valid_until: Option<DateTime<Utc>>,
    /// When Okta last verified the URL.
    pub verified_at: Option<DateTime<Utc>>,
    /// When Okta last delivered events, to within ten seconds.
    pub last_delivery_at: Option<DateTime<Utc>>,
}

/// An ID in a delivery that may belong to a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceMention {
    pub id: String,
    /// The delivery states that it is a device. Otherwise it is used only if the mirror has a device with
    /// this ID.
    pub is_device: bool,
    /// When its newest lifecycle event was published, by Okta's clock.
    pub lifecycle_at: Option<DateTime<Utc>>,
}
