//! The audit, as it is read.

use crate::model::{Caller, Event, IntegrationId, Page, PageRequest, Scope};
use crate::service::{Error, Service};

impl Service {
    /// The events of an integration and of the tenant as a whole, oldest first. Those of a deleted
    /// integration can still be read.
    ///
    /// # Errors
    /// `IntegrationNotFound`, also for another tenant's.
    pub async fn list_events(
        &self,
        caller: &Caller,
        id: IntegrationId,
        page: PageRequest,
    ) -> Result<Page<Event>, Error> {
        self.require(caller, Scope::OdtRead).await?;
        self.store.list_events(&caller.tenant, id, page).await.map_err(Error::of_integration(id))
    }
}
