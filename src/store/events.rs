//! Audit events: inserted in the transaction of the change that they describe, and listed by page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use crate::model::ids::new_row_id;
use crate::model::{Event, IntegrationId, NewEvent, Page, PageRequest, TenantId};
use crate::store::schema::events;
use crate::store::{Store, StoreError, Tx};

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct EventRow {
    id: Uuid,
    integration_id: Option<Uuid>,
    kind: String,
    actor: serde_json::Value,
    detail: serde_json::Value,
    at: DateTime<Utc>,
}

/// Inserts `event` in the transaction of the change that it describes.
pub(super) fn insert_event(tx: &mut Tx<'_>, event: &NewEvent) -> Result<(), StoreError> {
    let actor =
        serde_json::to_value(&event.actor).map_err(|_| StoreError::Corrupt("events.actor"))?;
    diesel::insert_into(events::table)
        .values((
            events::tenant_id.eq(tx.tenant.as_str()),
            events::id.eq(new_row_id(tx.now)),
            events::integration_id.eq(event.integration_id.map(|id| id.0)),
            events::kind.eq(event.kind.as_str()),
            events::actor.eq(actor),
            events::detail.eq(&event.detail),
            events::at.eq(tx.now),
        ))
        .execute(tx.connection)?;
    Ok(())
}

impl Store {
    /// Inserts an event without a change, such as a denied scope.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_event(&self, tenant: &TenantId, event: NewEvent) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| insert_event(tx, &event)).await
    }

    /// Lists the events of an integration, including those of the tenant as a whole, such as a denied
    /// scope; oldest first. Also works for a deleted integration.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the integration never existed: creating one inserts an event.
    /// [`StoreError::Unavailable`].
    pub async fn list_events(
        &self,
        tenant: &TenantId,
        integration_id: IntegrationId,
        page: PageRequest,
    ) -> Result<Page<Event>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let mine = events::table.filter(events::tenant_id.eq(tx.tenant.as_str()));
            let of_integration = events::integration_id.eq(integration_id.0);
            let known = diesel::dsl::exists(mine.filter(of_integration));
            if !diesel::select(known).get_result::<bool>(tx.connection)? {
                return Err(StoreError::NotFound);
            }
            let rows: Vec<EventRow> = mine
                .filter(of_integration.nullable().or(events::integration_id.is_null()))
                .filter(events::id.gt(page.after.unwrap_or(Uuid::nil())))
                .order(events::id)
                .limit(page.limit + 1)
                .select(EventRow::as_select())
                .load(tx.connection)?;
            let items = rows.into_iter().map(to_event).collect::<Result<Vec<_>, _>>()?;
            Ok(Page::from_rows(items, page.limit, |event| event.id))
        })
        .await
    }
}

fn to_event(row: EventRow) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.id,
        integration_id: row.integration_id.map(IntegrationId),
        kind: row.kind.parse().map_err(|_| StoreError::Corrupt("events.kind"))?,
        actor: serde_json::from_value(row.actor)
            .map_err(|_| StoreError::Corrupt("events.actor"))?,
        detail: row.detail,
        at: row.at,
    })
}
