//! The MDM's work list: devices that need the configuration of an integration, and the identity of a device
//! that receives it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::devices::records::ListedDevice;
use crate::model::devices::reports::Configuration;
use crate::model::{IntegrationId, Page, PageRequest, Platform, SerialNumber, TenantId, Udid};
use crate::store::devices::rows::load_records;
use crate::store::record::expect_integration;
use crate::store::schema::devices;
use crate::store::{Store, StoreError};

/// The filter of a device list.
#[derive(Debug, Clone, Default)]
pub struct DeviceFilter {
    /// Enrolled devices whose platform is configured in this integration. Required by the two fields below.
    pub integration: Option<IntegrationId>,
    pub configuration: Option<Configuration>,
    /// Macs whose counting certificate expires before this time.
    pub certificate_expires_before: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct ListedRow {
    #[diesel(sql_type = Text)]
    serial_number: String,
    #[diesel(sql_type = Nullable<Text>)]
    configuration: Option<String>,
}

/// Ordered by the primary key, so that a page reads only its own rows.
const LIVING: &str = "SELECT d.serial_number, NULL AS configuration FROM devices d \
    WHERE d.tenant_id = $1 AND d.serial_number > $2 AND d.living \
    ORDER BY d.serial_number LIMIT $3";

const WORK_LIST: &str = "\
    SELECT serial_number, configuration FROM ( \
      SELECT d.tenant_id, d.serial_number, d.platform, d.left_at, \
             CASE WHEN given.config_version IS NULL THEN 'none' \
                  WHEN given.config_version < p.config_version THEN 'outdated' \
                  ELSE 'current' END AS configuration \
        FROM devices d \
        JOIN platforms p ON p.tenant_id = $1 AND p.integration_id = $4 AND p.platform = d.platform \
        LEFT JOIN device_deliveries given ON given.tenant_id = $1 \
             AND given.serial_number = d.serial_number AND given.integration_id = $4 \
             AND (d.left_at IS NULL OR given.delivered_at > d.left_at) \
       WHERE d.tenant_id = $1 AND d.serial_number > $2 AND d.enrollment_state = 'enrolled') d \
     WHERE ($5::text IS NULL OR configuration = $5) \
       AND ($6::timestamptz IS NULL OR (d.platform = 'macos' \
            AND EXISTS (SELECT FROM device_certificates ending \
                 WHERE ending.tenant_id = $1 AND ending.integration_id = $4 \
                   AND ending.serial_number = d.serial_number AND ending.not_after < $6) \
            AND (SELECT c.not_after FROM device_certificates c \
                  WHERE c.tenant_id = $1 AND c.serial_number = d.serial_number \
                    AND c.integration_id = $4 AND c.not_before IS NOT NULL \
                    AND (d.left_at IS NULL OR c.reported_at > d.left_at) \
                  ORDER BY c.not_before DESC, c.certificate_serial_number COLLATE \"C\" DESC \
                  LIMIT 1) < $6)) \
     ORDER BY serial_number LIMIT $3";

impl Store {
    /// Lists the devices that are not deleted, by serial number.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn list_devices(
        &self,
        tenant: &TenantId,
        filter: DeviceFilter,
        page: PageRequest<String>,
    ) -> Result<Page<ListedDevice, String>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let after = page.after.as_deref().unwrap_or_default();
            let sql = if filter.integration.is_some() { WORK_LIST } else { LIVING };
            let query = diesel::sql_query(sql)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<Text, _>(after)
                .bind::<BigInt, _>(page.limit + 1);
            let rows: Vec<ListedRow> = match filter.integration {
                Some(id) => {
                    expect_integration(tx, id)?;
                    query
                        .bind::<SqlUuid, _>(id.0)
                        .bind::<Nullable<Text>, _>(filter.configuration.map(Configuration::as_str))
                        .bind::<Nullable<Timestamptz>, _>(filter.certificate_expires_before)
                        .load(tx.connection)?
                }
                None => query.load(tx.connection)?,
            };
            let keys = Page::from_rows(rows, page.limit, |row| row.serial_number.clone());
            let serials: Vec<&str> =
                keys.items.iter().map(|row| row.serial_number.as_str()).collect();
            let mut records = load_records(tx, &serials)?;
            let mut items = Vec::with_capacity(keys.items.len());
            for row in &keys.items {
                let serial = SerialNumber::parse(&row.serial_number)
                    .map_err(|_| StoreError::Corrupt("devices.serial_number"))?;
                let configuration = row.configuration.as_deref().and_then(|word| word.parse().ok());
                // Skip devices that were deleted between the two queries.
                items.extend(
                    records.remove(&serial).map(|record| ListedDevice { record, configuration }),
                );
            }
            Ok(Page { items, next: keys.next })
        })
        .await
    }

    /// Returns the platform and UDID of a device that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Unavailable`].
    pub async fn find_device_identity(
        &self,
        tenant: &TenantId,
        serial_number: SerialNumber,
    ) -> Result<Option<(Platform, Option<Udid>)>, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let known: Option<(Option<String>, Option<String>)> = devices::table
                .filter(devices::tenant_id.eq(tx.tenant.as_str()))
                .filter(devices::serial_number.eq(serial_number.as_str()))
                .filter(devices::living)
                .select((devices::platform, devices::udid))
                .first(tx.connection)
                .optional()?;
            let Some((platform, udid)) = known else { return Ok(None) };
            let platform = platform.as_deref().and_then(|word| word.parse().ok());
            let udid = udid.as_deref().map(Udid::parse).transpose();
            Ok(Some((
                platform.ok_or(StoreError::Corrupt("devices.platform"))?,
                udid.map_err(|_| StoreError::Corrupt("devices.udid"))?,
            )))
        })
        .await
    }
}
