//! The audit, as it is read.

use super::{Error, Service};
use crate::model::{Caller, Event, IntegrationId, Page, PageRequest, Scope};

impl Service {
    /// The events of an integration, oldest first. Those of a deleted one can still be read, so an
    /// integration of which nothing is known is answered with 404 only when it left no event.
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
        let events = self.store.list_events(&caller.tenant, id, page).await?;
        if events.items.is_empty() && page.after.is_none() {
            // Each integration begins with an event, so one without any is not of this tenant.
            return Err(Error::IntegrationNotFound(id));
        }
        Ok(events)
    }
}
