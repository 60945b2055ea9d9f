//! The database layer: the only module with SQL and with encrypted secrets. Each method uses one blocking
//! task, one connection and one transaction, and never calls Okta. Row structs are private to their folder.

mod devices;
mod error;
mod event_hooks;
mod events;
mod housekeeping;
mod integrations;
mod jobs;
mod keys;
pub mod migrations;
mod mirror;
mod platforms;
mod pool;
mod record;
mod role;
mod schema;
mod session;
mod transaction;
mod trust_status;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;

use crate::crypto::KeyWrap;
use crate::model::TenantId;

pub use devices::snapshots::Snapshot;
pub use devices::work_list::DeviceFilter;
pub use devices::{ReportOutcome, ReportResult};
pub use error::StoreError;
pub use event_hooks::StoredEventHook;
pub use event_hooks::deliveries::HookCall;
pub use housekeeping::{DeletedBatch, Expired};
pub use integrations::credentials::{CredentialsChange, NewClientKey, OpenedClientKey};
pub use integrations::idempotency::{IdempotencyClaim, IdempotencyKey};
pub use integrations::prerequisites::CheckResult;
pub use integrations::{IntegrationChange, NewIntegration};
pub use jobs::{JobOutcome, JobState};
pub use keys::sealing::Resealed;
pub use mirror::live_reads::{LiveFinding, LiveSearch};
pub use mirror::rereads::{DueReread, Read};
pub use mirror::sweeps::{SweepCursor, SweepStep};
pub use mirror::syncs::{ReadStep, SyncFailure};
pub use platforms::deployments::{ChallengeClaim, NewDeployment};
pub use platforms::{PlatformChange, Trial, TrialOutcome};
pub use pool::PoolSettings;
pub use role::RoleError;
pub use session::DATABASE_TIMEOUT;
pub use transaction::Clock;
pub use trust_status::TrustFacts;
pub use trust_status::projection::ProjectionCheck;

use pool::Pool;
use session::{PING_TIMEOUT, set_config};
use transaction::{Tx, begin_in_tenant, begin_without_tenant};

/// The PostgreSQL database, accessed with the service's own role.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    keys: Arc<dyn KeyWrap>,
    clock: Clock,
}

impl Store {
    pub fn new(settings: &PoolSettings, keys: Arc<dyn KeyWrap>) -> Self {
        Self { pool: Pool::new(settings), keys, clock: Clock::default() }
    }

    /// Uses `clock` instead of PostgreSQL's clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Returns the size of the pool, for callers that bound how much of it they use.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.pool.max_connections()
    }

    /// Runs `work` in a transaction that sees only the rows of `tenant`.
    ///
    /// The tenant is set for this transaction only, so that it cannot leak through a pooled connection or
    /// PgBouncer. `work` may run several times, up to the number of connections plus one: each connection
    /// that turns out to be dead before the commit is replaced.
    async fn in_tenant<T, F>(&self, tenant: &TenantId, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let (tenant, clock) = (tenant.clone(), self.clock.clone());
        self.pool
            .transaction(move |connection| {
                let now = clock.now(begin_in_tenant(connection, &tenant)?);
                let mut tx = Tx::new(connection, &tenant, now);
                let done = work(&mut tx)?;
                tx.finish()?;
                Ok(done)
            })
            .await
    }

    /// Runs `work` in a transaction without a tenant, which sees only the tables without customer data.
    /// `work` receives the time at which the transaction began.
    async fn without_tenant<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection, DateTime<Utc>) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let clock = self.clock.clone();
        self.pool
            .transaction(move |connection| {
                let now = clock.now(begin_without_tenant(connection)?);
                work(connection, now)
            })
            .await
    }

    /// Checks that PostgreSQL answers. The short timeout keeps a hanging server from occupying the
    /// connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.pool
            .transaction(|connection| {
                // The timeout applies from the next statement on.
                diesel::select(set_config("statement_timeout", PING_TIMEOUT, true))
                    .execute(connection)?;
                diesel::sql_query("SELECT 1").execute(connection)?;
                Ok(())
            })
            .await
    }

    /// Returns all registered tenants, for work that covers all of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.pool
            .transaction(|connection| {
                let ids: Vec<String> = schema::tenants::table
                    .select(schema::tenants::id)
                    .order(schema::tenants::id)
                    .load(connection)?;
                Ok(ids.iter().filter_map(|id| TenantId::parse(id)).collect())
            })
            .await
    }
}
