//! Checks that the projected facts of all tenants are what their definition says, and repairs them.

use crate::model::{IntegrationId, PageRequest, TenantId};
use crate::service::Error;
use crate::store::{ProjectionCheck, Store};

/// Integrations read in one transaction.
const INTEGRATIONS: i64 = 200;
/// Devices checked in one transaction. It locks the projection of the tenant for some 100 ms.
const DEVICES: i32 = 500;

/// Devices of an integration whose projected facts are wrong.
#[derive(Debug)]
pub struct WrongProjection {
    pub tenant: TenantId,
    pub integration: IntegrationId,
    pub serial_numbers: Vec<String>,
}

/// What a check found in total.
#[derive(Debug, Default, Clone, Copy)]
pub struct ProjectionReport {
    /// Devices, once for each integration.
    pub checked: usize,
    /// Devices without projected facts, which is no error: their facts are read from their definition.
    pub missing: usize,
    pub wrong: usize,
}

/// The projected facts of all tenants.
pub struct Projection {
    store: Store,
}

impl Projection {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Checks all devices and calls `visit` for wrong ones. With `repair`, their facts are written again.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`]. Repaired devices stay repaired.
    pub async fn check(
        &self,
        repair: bool,
        mut visit: impl FnMut(WrongProjection),
    ) -> Result<ProjectionReport, Error> {
        let mut report = ProjectionReport::default();
        for tenant in self.store.list_tenants().await? {
            for integration in self.list_integrations(&tenant).await? {
                let mut next = Some(String::new());
                while let Some(after) = next.take() {
                    let check =
                        self.store.check_projection(&tenant, integration, after, DEVICES).await?;
                    next.clone_from(&check.next);
                    report.add(&check);
                    if check.wrong.is_empty() {
                        continue;
                    }
                    if repair {
                        self.store.repair_projection(&tenant, check.wrong.clone()).await?;
                    }
                    let tenant = tenant.clone();
                    visit(WrongProjection { tenant, integration, serial_numbers: check.wrong });
                }
            }
        }
        Ok(report)
    }

    async fn list_integrations(&self, tenant: &TenantId) -> Result<Vec<IntegrationId>, Error> {
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = PageRequest { after, limit: INTEGRATIONS };
            let found = self.store.list_integrations(tenant, page).await?;
            ids.extend(found.items.iter().map(|record| record.integration.id));
            after = found.next;
            if after.is_none() {
                return Ok(ids);
            }
        }
    }
}

impl ProjectionReport {
    fn add(&mut self, check: &ProjectionCheck) {
        self.checked += check.checked;
        self.missing += check.missing;
        self.wrong += check.wrong.len();
    }
}
