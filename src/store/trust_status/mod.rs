//! Loads the facts of verdicts, for up to a thousand devices at once. Questions by serial number read the
//! projected facts; all others, and devices without projected facts, use the SQL function `facts_many`, which
//! defines the facts.

pub(in crate::store) mod projection;

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

/// The facts, in the order of the queried devices.
#[derive(Debug)]
pub struct TrustFacts {
    /// The tenant's integrations, or the queried one; empty if it does not exist.
    pub orgs: Vec<Arc<OrgFacts>>,
    /// One for each queried device; empty if there are several integrations.
    pub devices: Vec<Facts>,
    /// When the facts were read, by the store's clock.
    pub now: DateTime<Utc>,
}

/// Row 0: the facts that are the same for all devices.
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
    /// Returns the facts about each of `asked`, in one round trip.
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
                let rows = load_rows(connection, &tenant, integration, &asked)?;
                to_facts(&rows, &asked)
            })
            .await?;
        facts.now = self.clock.now(facts.now);
        if integration.is_some() && facts.orgs.is_empty() {
            return Err(StoreError::NotFound);
        }
        Ok(facts)
    }

    /// Lists the serial numbers of the inventory in order, without deleted devices.
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

/// Questions by serial number read projected facts, where the device has them.
fn load_rows(
    connection: &mut PgConnection,
    tenant: &TenantId,
    integration: Option<IntegrationId>,
    asked: &[AskedDevice],
) -> QueryResult<Vec<(i32, String)>> {
    match ProjectedFacts::new(tenant, integration, asked) {
        Some(projected) => projected.load(connection),
        None => FactsMany::new(tenant, integration, asked).load(connection),
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
    let empty = |device: &AskedDevice| Facts {
        asked: device.clone(),
        org: orgs.first().cloned(),
        ..Facts::default()
    };
    let mut devices: Vec<Facts> = asked.iter().map(empty).collect();
    for (ordinal, text) in rows {
        let index = usize::try_from(*ordinal).ok().and_then(|ordinal| ordinal.checked_sub(1));
        let Some(facts) = index.and_then(|index| devices.get_mut(index)) else { continue };
        let row: DeviceRow = serde_json::from_str(text).map_err(corrupt)?;
        facts.device = row.device;
        facts.several_devices = row.several_devices;
        facts.records = row.records.unwrap_or_default();
    }
    Ok(TrustFacts { orgs, devices, now: context.now })
}

/// The call of `facts_many`. A separate type, as the next one, so that Diesel caches the prepared statement.
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

/// The call of `projected_facts`.
#[derive(Debug, QueryId)]
struct ProjectedFacts {
    tenant: String,
    integration: Option<Uuid>,
    serial_numbers: Vec<String>,
}

impl QueryFragment<Pg> for ProjectedFacts {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ordinal, facts FROM projected_facts(");
        out.push_bind_param::<Text, _>(&self.tenant)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<SqlUuid>, _>(&self.integration)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.serial_numbers)?;
        out.push_sql(")");
        Ok(())
    }
}

impl Query for ProjectedFacts {
    type SqlType = (Integer, Text);
}

impl RunQueryDsl<PgConnection> for ProjectedFacts {}

impl Query for FactsMany {
    type SqlType = (Integer, Text);
}

impl RunQueryDsl<PgConnection> for FactsMany {}

impl FactsMany {
    fn new(tenant: &TenantId, integration: Option<IntegrationId>, asked: &[AskedDevice]) -> Self {
        Self {
            tenant: tenant.as_str().to_owned(),
            integration: integration.map(|id| id.0),
            serial_numbers: asked
                .iter()
                .map(|device| device.serial_number.as_ref().map(ToString::to_string))
                .collect(),
            udids: asked
                .iter()
                .map(|device| device.udid.as_ref().map(ToString::to_string))
                .collect(),
            okta_device_ids: asked
                .iter()
                .map(|device| device.okta_device_id.as_ref().map(ToString::to_string))
                .collect(),
        }
    }
}

impl ProjectedFacts {
    /// Returns `None` if one of the devices is asked by another identifier than its serial number.
    fn new(
        tenant: &TenantId,
        integration: Option<IntegrationId>,
        asked: &[AskedDevice],
    ) -> Option<Self> {
        let serial_numbers = asked
            .iter()
            .map(|device| device.only_serial_number().map(ToString::to_string))
            .collect::<Option<_>>()?;
        let integration = integration.map(|id| id.0);
        Some(Self { tenant: tenant.as_str().to_owned(), integration, serial_numbers })
    }
}
