//! Work that must not be lost: a row first, claimed by whichever replica is free (design §5).

use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};

/// What is to be done, once for each integration or tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    pub const ALL: [Self; 5] =
        [Self::Sweep, Self::Incremental, Self::Rereads, Self::Recheck, Self::Housekeeping];

    /// What an integration has for as long as it has credentials.
    pub const OF_CONNECTED: [Self; 4] =
        [Self::Sweep, Self::Incremental, Self::Rereads, Self::Recheck];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Incremental => "incremental",
            Self::Rereads => "rereads",
            Self::Recheck => "recheck",
            Self::Housekeeping => "housekeeping",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
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
