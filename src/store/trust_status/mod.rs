//! The facts that verdicts rest on, for up to some thousand devices in one round trip. Reads alone,
//! and decides nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text, Uuid as SqlUuid};
use serde::Deserialize;
use uuid::Uuid;

use crate::model::trust_status::{AskedDevice, DeviceFacts, Facts, OktaRecord, OrgFacts};
use crate::model::{IntegrationId, TenantId};
use crate::store::schema::devices;
use crate::store::{Store, StoreError};

/// The facts, in the order in which the devices were asked for.
#[derive(Debug)]
pub struct TrustFacts {
    /// The tenant's integrations, or the one that was asked for: none where there is no such one.
    pub orgs: Vec<Arc<OrgFacts>>,
    /// One for each device that was asked for; none at all where there are several integrations.
    pub devices: Vec<Facts>,
    /// When they were read, by the clock that dates them.
    pub now: DateTime<Utc>,
}

/// The call of `facts_many`. Of a type of its own, so that Diesel keeps it prepared.
#[derive(Debug, QueryId)]
struct FactsMany {
    tenant: String,
    integration: Option<Uuid>,
    serial_numbers: Vec<Option<String>>,
    udids: Vec<Option<String>>,
    okta_device_ids: Vec<Option<String>>,
}

impl QueryFragment<Pg> for FactsMany {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ordinal, facts::text FROM facts_many(");
        out.push_bind_param::<Text, _>(&self.tenant)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<SqlUuid>, _>(&self.integration)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.serial_numbers)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.udids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.okta_device_ids)?;
        out.push_sql(")");
        Ok(())
    }
}

impl Query for FactsMany {
    type SqlType = (Integer, Text);
}

impl RunQueryDsl<PgConnection> for FactsMany {}

/// What is the same for all devices: the row 0.
#[derive(Deserialize)]
struct ContextRow {
    integrations: Vec<OrgFacts>,
    now: DateTime<Utc>,
    unmatched_ios: bool,
}

#[derive(Deserialize)]
struct DeviceRow {
    device: Option<DeviceFacts>,
    several_devices: bool,
    records: Option<Vec<OktaRecord>>,
}

impl Store {
    /// What is known of each of `asked`, in one round trip.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn get_trust_facts(
        &self,
        tenant: &TenantId,
        integration: Option<IntegrationId>,
        asked: Vec<AskedDevice>,
    ) -> Result<TrustFacts, StoreError> {
        let tenant = tenant.clone();
        let mut facts = self
            .pool
            .statement(move |connection| {
                let query = FactsMany {
                    tenant: tenant.as_str().to_owned(),
                    integration: integration.map(|id| id.0),
                    serial_numbers: asked
                        .iter()
                        .map(|one| one.serial_number.as_ref().map(ToString::to_string))
                        .collect(),
                    udids: asked
                        .iter()
                        .map(|one| one.udid.as_ref().map(ToString::to_string))
                        .collect(),
                    okta_device_ids: asked
                        .iter()
                        .map(|one| one.okta_device_id.as_ref().map(ToString::to_string))
                        .collect(),
                };
                let rows: Vec<(i32, String)> = query.load(connection)?;
                to_facts(&rows, &asked)
            })
            .await?;
        facts.now = self.clock.now(facts.now);
        if integration.is_some() && facts.orgs.is_empty() {
            return Err(StoreError::NotFound);
        }
        Ok(facts)
    }

    /// Serial numbers of the inventory in their order, without deleted devices.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_inventory_serials(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            Ok(devices::table
                .filter(devices::tenant_id.eq(tx.tenant.as_str()))
                .filter(devices::serial_number.gt(after.as_deref().unwrap_or_default()))
                .filter(devices::living)
                .order(devices::serial_number)
                .limit(limit)
                .select(devices::serial_number)
                .load(tx.connection)?)
        })
        .await
    }
}

fn to_facts(rows: &[(i32, String)], asked: &[AskedDevice]) -> Result<TrustFacts, StoreError> {
    let corrupt = |_| StoreError::Corrupt("facts_many");
    let context = rows.iter().find(|(ordinal, _)| *ordinal == 0).map(|(_, text)| text.as_str());
    let mut context: ContextRow =
        serde_json::from_str(context.unwrap_or_default()).map_err(corrupt)?;
    for org in &mut context.integrations {
        org.unmatched_ios = context.unmatched_ios;
    }
    let orgs: Vec<Arc<OrgFacts>> = context.integrations.into_iter().map(Arc::new).collect();
    if orgs.len() > 1 {
        return Ok(TrustFacts { orgs, devices: Vec::new(), now: context.now });
    }
    let of = |one: &AskedDevice| Facts {
        asked: one.clone(),
        org: orgs.first().cloned(),
        ..Facts::default()
    };
    let mut devices: Vec<Facts> = asked.iter().map(of).collect();
    for (ordinal, text) in rows {
        let place = usize::try_from(*ordinal).ok().and_then(|ordinal| ordinal.checked_sub(1));
        let Some(facts) = place.and_then(|place| devices.get_mut(place)) else { continue };
        let row: DeviceRow = serde_json::from_str(text).map_err(corrupt)?;
        facts.device = row.device;
        facts.several_devices = row.several_devices;
        facts.records = row.records.unwrap_or_default();
    }
    Ok(TrustFacts { orgs, devices, now: context.now })
}
