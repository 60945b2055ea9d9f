//! Work that must not be lost: a row first, claimed by whichever replica is free (design §5).

use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};

/// What is to be done, once for each integration or tenant.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum JobKind {
    /// Read all devices of the org, page by page.
    Sweep,
    /// Read the devices that changed since the last time.
    Incremental,
    /// Read single devices again by their id.
    Rereads,
    /// Check the credentials and prerequisites again.
    Recheck,
    /// Forget what has had its time. Of the tenant, not of an integration.
    Housekeeping,
}

impl JobKind {
    /// What an integration has for as long as it has credentials.
    pub const OF_CONNECTED: [Self; 4] =
        [Self::Sweep, Self::Incremental, Self::Rereads, Self::Recheck];

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A job that was claimed: ours until the lease ends, and as long as nobody else claimed it then.
#[derive(Debug, Clone)]
pub struct Job {
    pub tenant: TenantId,
    /// Nil for [`JobKind::Housekeeping`].
    pub integration: IntegrationId,
    pub kind: JobKind,
    pub lease: Uuid,
    /// Failures in a row before this attempt.
    pub attempts: i32,
}

impl Job {
    /// The integration, unless the job is the whole tenant's.
    pub fn integration_id(&self) -> Option<IntegrationId> {
        (!self.integration.0.is_nil()).then_some(self.integration)
    }
}
