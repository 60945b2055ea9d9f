//! Wraps every change that can affect an integration's status. A changed status is recorded and audited in
//! the same transaction, and logged after the commit. Reads record nothing: they return the status as of
//! now, and the next change or re-check records it.

use diesel::prelude::*;
use serde_json::json;

use super::record::{bump_version, expect_version, integration_row, load_record};
use crate::model::integrations::derive_status;
use crate::model::{
    Actor, EventKind, ExpectedVersion, IntegrationId, IntegrationRecord, NewEvent, Status,
    StatusReason, TenantId,
};
use crate::store::events::insert_event;
use crate::store::schema::integrations;
use crate::store::{Store, StoreError, Tx};
use crate::telemetry::metrics;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Change {
    /// Nothing changed.
    Nothing,
    /// Findings or other state changed, but not the configuration; the version stays.
    State,
    /// The configuration changed; its version increases.
    Configuration,
}

/// A change of status, for the log and the metric.
#[derive(Debug)]
struct StatusChange {
    tenant: TenantId,
    id: IntegrationId,
    from: String,
    to: Status,
    reasons: Vec<&'static str>,
}

impl Store {
    /// Runs `work` on a locked integration and returns the integration afterwards. `work` inserts its own
    /// event; it may run several times, as in [`Store::in_tenant`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::StaleVersion`] if `expected_version` is not the stored one,
    /// the errors of `work`, [`StoreError::Unavailable`].
    pub(in crate::store) async fn change<F>(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        expected_version: ExpectedVersion,
        work: F,
    ) -> Result<IntegrationRecord, StoreError>
    where
        F: Fn(&mut Tx<'_>, &IntegrationRecord) -> Result<Change, StoreError>
            + Send
            + Sync
            + 'static,
    {
        let changed = self.in_tenant(tenant, move |tx| {
            let before = load_record(tx, id, true)?;
            expect_version(&before, expected_version)?;
            match work(tx, &before)? {
                Change::Nothing => return Ok((before, None)),
                Change::State => {}
                Change::Configuration => bump_version(tx, id)?,
            }
            let after = load_record(tx, id, false)?;
            let change = record_status(tx, &after)?;
            Ok((after, change))
        });
        let (record, change) = changed.await?;
        if let Some(change) = change {
            log_status_change(&change);
        }
        Ok(record)
    }

    /// Records the status if it has changed over time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn record_status(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, StoreError> {
        self.change(tenant, id, ExpectedVersion::Any, |_, _| Ok(Change::State)).await
    }
}

/// Compares the status with the recorded one. The caller holds the lock on the integration's row, so
/// each change is recorded once.
fn record_status(
    tx: &mut Tx<'_>,
    record: &IntegrationRecord,
) -> Result<Option<StatusChange>, StoreError> {
    let id = record.integration.id;
    let (to, reasons) = derive_status(record, tx.now);
    let from: String = integration_row(tx.tenant, id)
        .select(integrations::noted_status)
        .get_result(tx.connection)?;
    if from == to.as_str() {
        return Ok(None);
    }
    diesel::update(integration_row(tx.tenant, id))
        .set(integrations::noted_status.eq(to.as_str()))
        .execute(tx.connection)?;
    let reasons: Vec<&'static str> = reasons.into_iter().map(StatusReason::as_str).collect();
    let event = NewEvent::by_actor(Actor::service(), id, EventKind::StatusChanged)
        .with(json!({ "from": from, "to": to, "reasons": reasons }));
    insert_event(tx, &event)?;
    Ok(Some(StatusChange { tenant: tx.tenant.clone(), id, from, to, reasons }))
}

fn log_status_change(change: &StatusChange) {
    let StatusChange { tenant, id, from, to, reasons } = change;
    metrics::record_status_change(to.as_str());
    let reasons = reasons.join(" ");
    if *to == Status::Degraded {
        tracing::warn!(tenant_id = %tenant, integration_id = %id, from, reasons, "integration degraded");
    } else {
        let to = to.as_str();
        tracing::info!(tenant_id = %tenant, integration_id = %id, from, to, reasons, "integration status changed");
    }
}
