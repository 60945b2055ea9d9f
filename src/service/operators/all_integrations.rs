//! What operators ask about all tenants at once: which integrations there are, and how they stand.

use crate::model::integrations::derive_status;
use crate::model::{IntegrationId, IntegrationRecord, PageRequest, Status, StatusReason, TenantId};
use crate::service::Error;
use crate::store::Store;

/// Integrations that are read in one transaction.
const BATCH: i64 = 200;

/// One integration, as an operator sees it.
#[derive(Debug)]
pub struct CensusEntry {
    pub tenant: TenantId,
    pub id: IntegrationId,
    pub okta_domain: String,
    pub status: Status,
    pub reasons: Vec<&'static str>,
}

/// Goes round the tenants, as each of them in turn.
pub struct Census {
    store: Store,
}

impl Census {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Tells `each` of every integration.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn run(&self, mut each: impl FnMut(CensusEntry)) -> Result<(), Error> {
        for tenant in self.store.list_tenants().await? {
            let mut after = None;
            loop {
                let page = PageRequest { after, limit: BATCH };
                let found = self.store.list_integrations(&tenant, page).await?;
                found.items.iter().for_each(|record| each(entry_of(record)));
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn entry_of(record: &IntegrationRecord) -> CensusEntry {
    let (status, reasons) = derive_status(record, chrono::Utc::now());
    CensusEntry {
        tenant: record.integration.tenant.clone(),
        id: record.integration.id,
        okta_domain: record.integration.org.canonical_host.clone(),
        status,
        reasons: reasons.into_iter().map(StatusReason::as_str).collect(),
    }
}
