//! Deployments to devices: the rate limit of SCEP challenges, and the version that each device received.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::model::ids::new_row_id;
use crate::model::{IntegrationId, NewEvent, Platform, TenantId};
use crate::store::events::insert_event;
use crate::store::schema::{deployments, integrations, scep_challenges};
use crate::store::{Store, StoreError, Tx};

/// The maximum number of challenges for one device in [`DEVICE_WINDOW`].
const MAX_PER_DEVICE: i64 = 5;
const DEVICE_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// The maximum number of concurrent challenge requests of an integration.
const MAX_IN_FLIGHT: i64 = 8;
/// After this time an unfinished request is considered lost.
const IN_FLIGHT_TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// Whether a challenge may be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeClaim {
    /// Proceed, and end the claim with this ID.
    Claimed(Uuid),
    /// The device has reached its limit.
    DeviceLimit { retry_after: Duration },
    /// Too many requests are in progress.
    InFlightLimit,
}

/// A deployment to a device.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    pub platform: Platform,
    /// Its serial number, or `enrollment:` and the id of its User Enrollment.
    pub device: String,
    pub config_version: i64,
}

impl Store {
    /// Claims a challenge request. Locks the integration's row, so that the limits hold across replicas.
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
            let claims = c::table
                .filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)));
            integrations::table
                .filter(
                    integrations::tenant_id.eq(tx.tenant.as_str()).and(integrations::id.eq(id.0)),
                )
                .select(integrations::id)
                .for_no_key_update()
                .first::<Uuid>(tx.connection)?;
            diesel::delete(claims.filter(c::asked_at.lt(now - DEVICE_WINDOW)))
                .execute(tx.connection)?;
            let device_claims = claims.filter(c::serial_number.eq(&serial_number));
            let (count, oldest) = device_claims
                .select((diesel::dsl::count_star(), diesel::dsl::min(c::asked_at)))
                .first::<(i64, Option<chrono::DateTime<Utc>>)>(tx.connection)?;
            if count >= MAX_PER_DEVICE {
                let wait = oldest.map_or(DEVICE_WINDOW, |oldest| oldest + DEVICE_WINDOW - now);
                return Ok(ChallengeClaim::DeviceLimit {
                    retry_after: wait.to_std().unwrap_or_default(),
                });
            }
            let in_flight: i64 = claims
                .filter(c::ended_at.is_null().and(c::asked_at.gt(now - IN_FLIGHT_TIMEOUT)))
                .count()
                .get_result(tx.connection)?;
            if in_flight >= MAX_IN_FLIGHT {
                return Ok(ChallengeClaim::InFlightLimit);
            }
            insert_claim(tx, id, &serial_number).map(ChallengeClaim::Claimed)
        })
        .await
    }

    /// Ends a claim. `event` audits the challenge in the same transaction; if this fails, the caller must
    /// not return the challenge.
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
            let claims = c::table
                .filter(c::tenant_id.eq(tx.tenant.as_str()).and(c::integration_id.eq(id.0)));
            diesel::update(claims.filter(c::id.eq(claim)))
                .set(c::ended_at.eq(tx.now))
                .execute(tx.connection)?;
            event.as_ref().map_or(Ok(()), |event| insert_event(tx, event))
        })
        .await
    }

    /// Records a deployment, with its event. If this fails, the caller must not return the deployment.
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
                    d::serial_number.eq(&new.device),
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

/// Counts the devices that depend on the integration, or on one of its platforms: those with a deployment
/// and those with a reported delivery, each once.
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
    let claim = new_row_id(tx.now);
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
