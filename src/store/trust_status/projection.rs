//! Checks and completes `trust_facts`, the projected facts of inventory devices. Each transaction updates them
//! itself ([`Tx::finish`]).

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text, Uuid as SqlUuid};

use crate::model::{IntegrationId, TenantId};
use crate::store::{Store, StoreError, Tx};

#[derive(QueryableByName)]
struct SerialRow {
    #[diesel(sql_type = Text)]
    serial_number: String,
}

/// The result of checking the projected facts of some devices.
#[derive(Debug, Default)]
pub struct ProjectionCheck {
    /// Devices that were checked.
    pub checked: usize,
    /// Devices without a row. Their facts come from the definition.
    pub missing: usize,
    /// Serial numbers of devices whose row differs from the definition.
    pub wrong: Vec<String>,
    /// The last serial number, if there may be more.
    pub next: Option<String>,
}

#[derive(QueryableByName)]
struct CheckedRow {
    #[diesel(sql_type = Text)]
    serial_number: String,
    #[diesel(sql_type = Bool)]
    is_missing: bool,
    #[diesel(sql_type = Bool)]
    is_wrong: bool,
}

const CHECK: &str = "\
    WITH page AS ( \
        SELECT serial_number FROM ( \
            SELECT serial_number FROM devices WHERE tenant_id = $1 \
            UNION SELECT serial_number FROM trust_facts WHERE tenant_id = $1 AND integration_id = $2) AS n \
         WHERE serial_number > $3 ORDER BY serial_number LIMIT $4) \
    SELECT page.serial_number, t.facts IS NULL AS is_missing, \
           t.facts IS NOT NULL AND t.facts IS DISTINCT FROM d.facts AS is_wrong \
      FROM page \
      LEFT JOIN trust_facts t ON t.tenant_id = $1 AND t.integration_id = $2 \
       AND t.serial_number = page.serial_number \
      LEFT JOIN defined_trust_facts($1, $2, (SELECT array_agg(serial_number) FROM page)) AS d \
        ON d.serial_number = page.serial_number \
     ORDER BY page.serial_number";

impl Store {
    /// Compares the projected facts of up to `limit` devices with their definition.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn check_projection(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        after: String,
        limit: i32,
    ) -> Result<ProjectionCheck, StoreError> {
        self.in_tenant(tenant, move |tx| {
            // So that the rows do not change between the two halves of the comparison.
            lock(tx)?;
            let rows: Vec<CheckedRow> = diesel::sql_query(CHECK)
                .bind::<Text, _>(tx.tenant.as_str())
                .bind::<SqlUuid, _>(id.0)
                .bind::<Text, _>(&after)
                .bind::<Integer, _>(limit)
                .load(tx.connection)?;
            let is_full = usize::try_from(limit).is_ok_and(|limit| rows.len() == limit);
            Ok(ProjectionCheck {
                checked: rows.len(),
                missing: rows.iter().filter(|row| row.is_missing).count(),
                next: rows.last().filter(|_| is_full).map(|row| row.serial_number.clone()),
                wrong: rows
                    .into_iter()
                    .filter(|row| row.is_wrong)
                    .map(|row| row.serial_number)
                    .collect(),
            })
        })
        .await
    }

    /// Writes the projected facts of these devices.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn repair_projection(
        &self,
        tenant: &TenantId,
        serials: Vec<String>,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            for serial in &serials {
                tx.touched.add_device(serial, None, None);
            }
            Ok(())
        })
        .await
    }

    /// Projects up to `limit` devices that have no row for the integration. Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn project_missing(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        limit: i32,
    ) -> Result<usize, StoreError> {
        self.in_tenant(tenant, move |tx| {
            let missing: Vec<SerialRow> = diesel::sql_query(
                "SELECT d.serial_number FROM devices d \
                  WHERE d.tenant_id = $1 AND NOT EXISTS (SELECT FROM trust_facts t \
                      WHERE t.tenant_id = $1 AND t.integration_id = $2 \
                        AND t.serial_number = d.serial_number) LIMIT $3",
            )
            .bind::<Text, _>(tx.tenant.as_str())
            .bind::<SqlUuid, _>(id.0)
            .bind::<Integer, _>(limit)
            .load(tx.connection)?;
            for row in &missing {
                tx.touched.add_device(&row.serial_number, None, None);
            }
            Ok(missing.len())
        })
        .await
    }
}

/// Locks the projected facts of the tenant until the transaction ends.
fn lock(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    diesel::sql_query("SELECT project_trust_facts($1, '{}', '{}', '{}', 0)")
        .bind::<Text, _>(tx.tenant.as_str())
        .execute(tx.connection)?;
    Ok(())
}
