//! Lists the integrations of all tenants with their status, for the operator's command line.

use crate::model::integrations::derive_status;
use crate::model::{IntegrationId, IntegrationRecord, PageRequest, Status, StatusReason, TenantId};
use crate::service::Error;
use crate::store::Store;

/// Integrations read in one transaction.
const BATCH_SIZE: i64 = 200;

/// An integration, as an operator sees it.
#[derive(Debug)]
pub struct IntegrationSummary {
    pub tenant: TenantId,
    pub id: IntegrationId,
    pub okta_domain: String,
    pub status: Status,
    pub reasons: Vec<&'static str>,
}

/// The integrations of all tenants, read tenant by tenant: the database shows each query one tenant only.
pub struct AllIntegrations {
    store: Store,
}

impl AllIntegrations {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Calls `visit` for every integration.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn for_each(&self, mut visit: impl FnMut(IntegrationSummary)) -> Result<(), Error> {
        for tenant in self.store.list_tenants().await? {
            let mut after = None;
            loop {
                let page = PageRequest { after, limit: BATCH_SIZE };
                let found = self.store.list_integrations(&tenant, page).await?;
                found.items.iter().for_each(|record| visit(summarize(record)));
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn summarize(record: &IntegrationRecord) -> IntegrationSummary {
    let (status, reasons) = derive_status(record, chrono::Utc::now());
    IntegrationSummary {
        tenant: record.integration.tenant.clone(),
        id: record.integration.id,
        okta_domain: record.integration.org.canonical_host.clone(),
        status,
        reasons: reasons.into_iter().map(StatusReason::as_str).collect(),
    }
}
