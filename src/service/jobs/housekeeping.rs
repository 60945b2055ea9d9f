//! Forgets what has had its time: tombstones, old events, what expired.

use std::time::Duration;

use strum::VariantArray;

use crate::model::ClaimedJob;
use crate::service::{Error, Service};
use crate::store::Expired;

/// Between two rounds of a tenant that has something.
const EVERY: Duration = Duration::from_hours(1);
/// Of one that has nothing left. Its job is never taken away: devices may be reported at any time,
/// and whoever stores them need not know that there is such a job.
const EVERY_WHEN_EMPTY: Duration = Duration::from_hours(24);

impl Service {
    /// One round for the tenant of `job`, batch by batch until nothing is left over.
    ///
    /// # Errors
    /// `Store`: what was forgotten stays so, and the job is tried again.
    pub(in crate::service) async fn run_housekeeping(
        &self,
        job: &ClaimedJob,
    ) -> Result<Duration, Error> {
        for &what in Expired::VARIANTS {
            let mut rows = 0;
            loop {
                let forgotten = self.store.delete_expired(job, self.sync.lease, what).await?;
                rows += forgotten.rows;
                if !forgotten.more {
                    break;
                }
            }
            if rows > 0 {
                let what: &'static str = what.into();
                tracing::info!(tenant_id = %job.tenant, what, rows, "deleted expired rows");
            }
        }
        self.store.delete_idle_budgets().await?;
        let is_empty = self.store.is_tenant_empty(&job.tenant).await?;
        Ok(if is_empty { EVERY_WHEN_EMPTY } else { EVERY })
    }
}
