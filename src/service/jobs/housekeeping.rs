//! Deletes expired rows of a tenant: tombstones, old audit events, used idempotency keys and others.

use std::time::Duration;

use strum::VariantArray;

use crate::model::{ClaimedJob, PageRequest, TenantId};
use crate::service::{Error, Service};
use crate::store::Expired;

/// The pause between two runs for a tenant that has data.
const INTERVAL: Duration = Duration::from_hours(1);
/// The same for a tenant without data. Its job stays, so that code that stores devices need not
/// schedule one.
const INTERVAL_WHEN_EMPTY: Duration = Duration::from_hours(24);
/// Devices whose facts are projected in one transaction.
const PROJECTED_BATCH: i32 = 500;

impl Service {
    /// Deletes the expired rows of the job's tenant in batches, until none is left. Returns the time
    /// until the next run.
    ///
    /// # Errors
    /// `DatabaseUnavailable`, `Internal`. Batches that are committed stay deleted; the job is retried.
    pub(in crate::service) async fn run_housekeeping(
        &self,
        job: &ClaimedJob,
    ) -> Result<Duration, Error> {
        for &what in Expired::VARIANTS {
            let mut rows = 0;
            loop {
                let deleted = self.store.delete_expired(job, self.sync.lease, what).await?;
                rows += deleted.rows;
                if !deleted.more {
                    break;
                }
            }
            if rows > 0 {
                let what: &'static str = what.into();
                tracing::info!(tenant_id = %job.tenant, what, rows, "deleted expired rows");
            }
        }
        self.project_missing(&job.tenant).await?;
        self.store.delete_idle_budgets().await?;
        let is_empty = self.store.is_tenant_empty(&job.tenant).await?;
        Ok(if is_empty { INTERVAL_WHEN_EMPTY } else { INTERVAL })
    }

    /// Projects the facts of devices that have none: those that were reported before the integration was
    /// created, and those of changes that were too large to be projected at once.
    async fn project_missing(&self, tenant: &TenantId) -> Result<(), Error> {
        let all = PageRequest { after: None, limit: i64::from(u8::MAX) };
        for record in self.store.list_integrations(tenant, all).await?.items {
            let id = record.integration.id;
            loop {
                let projected = self.store.project_missing(tenant, id, PROJECTED_BATCH).await?;
                if usize::try_from(PROJECTED_BATCH).is_ok_and(|full| projected < full) {
                    break;
                }
            }
        }
        Ok(())
    }
}
