//! What devices were given: the limits of challenges, and which device has which version.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::model::{IntegrationId, NewEvent, Platform, TenantId};
use crate::store::events::insert_event;
use crate::store::schema::{deployments, integrations, scep_challenges};
use crate::store::{Store, StoreError, Tx};

/// Challenges of one device in [`DEVICE_WINDOW`] (contract §4).
const MOST_PER_DEVICE: i64 = 5;
const DEVICE_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// Requests for challenges at once, per platform.
const MOST_IN_FLIGHT: i64 = 8;
/// A request that never came to an end was killed.
const IN_FLIGHT_FOR: TimeDelta = TimeDelta::seconds(30);

/// Whether a challenge may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeClaim {
    /// Go on; say how it ended with this id.
    Claimed(Uuid),
    /// The device has had its share.
    DeviceLimit { retry_after: Duration },
    /// Too many are being asked for at this moment.
    InFlightLimit,
}

/// A device that was given something.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    pub platform: Platform,
    pub serial_number: String,
    pub config_version: i64,
}

impl Store {
    /// Counts a request for a challenge, over all replicas: the integration's row is held meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, [`StoreError::Unavailable`].
    pub async fn claim_challenge(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        serial_number: String,
    ) -> Result<ChallengeClaim, StoreError> {
        self.in_tenant(tenant, move |tx| {
            use scep_challenges as c;
            let now = tx.now;
            let mine = c::table
                .filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)));
            integrations::table
                .filter(
                    integrations::tenant_id.eq(tx.tenant.as_str()).and(integrations::id.eq(id.0)),
                )
                .select(integrations::id)
                .for_update()
                .first::<Uuid>(tx.connection)?;
            diesel::delete(mine.filter(c::asked_at.lt(now - DEVICE_WINDOW)))
                .execute(tx.connection)?;
            let of_device = mine.filter(c::serial_number.eq(&serial_number));
            let (count, oldest) = of_device
                .select((diesel::dsl::count_star(), diesel::dsl::min(c::asked_at)))
                .first::<(i64, Option<chrono::DateTime<Utc>>)>(tx.connection)?;
            if count >= MOST_PER_DEVICE {
                let left = oldest.map_or(DEVICE_WINDOW, |oldest| oldest + DEVICE_WINDOW - now);
                return Ok(ChallengeClaim::DeviceLimit {
                    retry_after: left.to_std().unwrap_or_default(),
                });
            }
            let in_flight: i64 = mine
                .filter(c::ended_at.is_null().and(c::asked_at.gt(now - IN_FLIGHT_FOR)))
                .count()
                .get_result(tx.connection)?;
            if in_flight >= MOST_IN_FLIGHT {
                return Ok(ChallengeClaim::InFlightLimit);
            }
            insert_claim(tx, id, &serial_number).map(ChallengeClaim::Claimed)
        })
        .await
    }

    /// Ends a claim. With `event` the challenge is audited in the same transaction: the caller must
    /// not answer a challenge when this fails.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_challenge(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        claim: Uuid,
        event: Option<NewEvent>,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            use scep_challenges as c;
            let mine = c::table
                .filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)));
            diesel::update(mine.filter(c::id.eq(claim)))
                .set(c::ended_at.eq(tx.now))
                .execute(tx.connection)?;
            event.as_ref().map_or(Ok(()), |event| insert_event(tx, event))
        })
        .await
    }

    /// Notes what a device is given, with its event: without it nothing is handed out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn create_deployment(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        new: NewDeployment,
        event: NewEvent,
    ) -> Result<(), StoreError> {
        self.in_tenant(tenant, move |tx| {
            use deployments as d;
            let values = (d::config_version.eq(new.config_version), d::deployed_at.eq(tx.now));
            diesel::insert_into(d::table)
                .values((
                    d::tenant_id.eq(tx.tenant.as_str()),
                    d::integration_id.eq(id.0),
                    d::platform.eq(new.platform.as_str()),
                    d::serial_number.eq(&new.serial_number),
                    values,
                ))
                .on_conflict((d::tenant_id, d::integration_id, d::platform, d::serial_number))
                .do_update()
                .set(values)
                .execute(tx.connection)?;
            insert_event(tx, &event)
        })
        .await
    }
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    devices: i64,
}

/// How many devices depend on the integration, or on one platform of it: each once, whether it was
/// given something of it here or the MDM says that it has it.
pub(in crate::store) fn count_devices(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    platform: Option<Platform>,
) -> Result<i64, StoreError> {
    let counted: CountRow = diesel::sql_query(
        "SELECT count(*) AS devices FROM ( \
             SELECT serial_number FROM deployments \
              WHERE tenant_id = $1 AND integration_id = $2 AND ($3::text IS NULL OR platform = $3) \
              UNION \
             SELECT given.serial_number FROM device_deliveries given \
               JOIN devices d USING (tenant_id, serial_number) \
              WHERE given.tenant_id = $1 AND given.integration_id = $2 \
                AND given.config_version IS NOT NULL \
                AND (d.left_at IS NULL OR given.delivered_at > d.left_at) AND d.living \
                AND ($3::text IS NULL OR d.platform = $3)) AS depending",
    )
    .bind::<Text, _>(tx.tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Nullable<Text>, _>(platform.map(Platform::as_str))
    .get_result(tx.connection)?;
    Ok(counted.devices)
}

fn insert_claim(
    tx: &mut Tx<'_>,
    id: IntegrationId,
    serial_number: &str,
) -> Result<Uuid, StoreError> {
    use scep_challenges as c;
    let claim = Uuid::now_v7();
    diesel::insert_into(c::table)
        .values((
            c::tenant_id.eq(tx.tenant.as_str()),
            c::integration_id.eq(id.0),
            c::id.eq(claim),
            c::serial_number.eq(serial_number),
            c::asked_at.eq(tx.now),
        ))
        .execute(tx.connection)?;
    Ok(claim)
}
