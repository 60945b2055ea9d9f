//! Background jobs. Each is a row before it runs, so that no work is lost; any replica may claim it.

use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};

/// The kind of a job; at most one job per kind and integration, or tenant.
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
    /// Read the devices that changed since the last read.
    Incremental,
    /// Re-read single devices by ID.
    Rereads,
    /// Re-check the credentials and prerequisites.
    Recheck,
    /// Delete the tenant's expired rows. Belongs to the tenant, not to an integration.
    Housekeeping,
}

impl JobKind {
    /// The jobs that an integration has while it has credentials.
    pub const REQUIRING_CREDENTIALS: [Self; 4] =
        [Self::Sweep, Self::Incremental, Self::Rereads, Self::Recheck];

    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A claimed job. The worker holds it until the lease expires and another worker claims it.
#[derive(Debug, Clone)]
pub struct Job<I = IntegrationId> {
    pub tenant: TenantId,
    pub integration: I,
    pub kind: JobKind,
    pub lease: Uuid,
    /// Consecutive failures before this attempt.
    pub attempts: i32,
}

/// A claimed job of an integration or, without one, of the tenant.
pub type ClaimedJob = Job<Option<IntegrationId>>;

impl ClaimedJob {
    /// Returns the job with its integration; `None` for a job of the tenant.
    pub fn of_integration(&self) -> Option<Job> {
        let Self { tenant, integration, kind, lease, attempts } = self.clone();
        Some(Job { tenant, integration: integration?, kind, lease, attempts })
    }
}
