//! Reads the audit log.

use crate::model::{Caller, Event, IntegrationId, Page, PageRequest, Scope};
use crate::service::{Error, Service};

impl Service {
    /// Lists the audit events of an integration and of the tenant as a whole, oldest first. Includes
    /// deleted integrations.
    ///
    /// # Errors
    /// `IntegrationNotFound`, also for another tenant's integration.
    pub async fn list_events(
        &self,
        caller: &Caller,
        id: IntegrationId,
        page: PageRequest,
    ) -> Result<Page<Event>, Error> {
        self.require(caller, Scope::OdtRead).await?;
        self.store.list_events(&caller.tenant, id, page).await.map_err(Error::for_integration(id))
    }
}
