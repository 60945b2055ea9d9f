//! The start and the end of every transaction. The start sets the tenant and the statement timeout, and reads
//! the clock once for everything that the transaction does. The end updates the projected facts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};
use crate::store::error::StoreError;
use crate::store::schema::trust_facts;
use crate::store::session::{STATEMENT_TIMEOUT, set_config};

diesel::define_sql_function! {
    /// Returns the time of PostgreSQL's clock.
    fn clock_timestamp() -> diesel::sql_types::Timestamptz;
}

/// The most devices whose facts a transaction projects. It takes about 150 µs per device, and other writers of
/// the tenant wait for it. The rows of more devices are deleted, and housekeeping adds them again.
const MAX_PROJECTED: i32 = 2000;

diesel::define_sql_function! {
    /// Updates the projected facts that depend on these identifiers. Returns the number of changed rows.
    fn project_trust_facts(
        tenant: Text, serials: Array<Text>, udids: Array<Text>, okta_device_ids: Array<Text>, max: Integer,
    ) -> diesel::sql_types::BigInt;
}

/// The clock of the store.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// PostgreSQL's clock, so that replicas need not agree on the time.
    #[default]
    Database,
    /// A clock that a test sets.
    Manual(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// Returns the time of a transaction, given PostgreSQL's time. Truncated to microseconds, the precision
    /// of stored times.
    pub(in crate::store) fn now(&self, read: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Database => read,
            Self::Manual(set) => *set.lock().unwrap_or_else(PoisonError::into_inner),
        }
        .trunc_subsecs(6)
    }
}

/// An open transaction that sees the rows of one tenant.
pub(in crate::store) struct Tx<'a> {
    pub connection: &'a mut PgConnection,
    pub tenant: &'a TenantId,
    /// The time at which the transaction began. After a wait for a lock, rows may be newer than this. A
    /// statement that must order itself after existing rows uses the later of the two times.
    pub now: DateTime<Utc>,
    /// What has changed and is part of the projected facts.
    pub touched: Touched,
}

impl<'a> Tx<'a> {
    pub(in crate::store) fn new(
        connection: &'a mut PgConnection,
        tenant: &'a TenantId,
        now: DateTime<Utc>,
    ) -> Self {
        Self { connection, tenant, now, touched: Touched::default() }
    }

    /// Updates the projected facts for everything that the transaction touched. Must be the last step: it
    /// locks the projected facts of the tenant.
    pub(in crate::store) fn finish(self) -> Result<(), StoreError> {
        let touched = self.touched;
        if touched.is_empty() {
            return Ok(());
        }
        let texts = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        let projected = project_trust_facts(
            self.tenant.as_str(),
            texts(touched.serial_numbers),
            texts(touched.udids),
            texts(touched.okta_device_ids),
            MAX_PROJECTED,
        );
        diesel::select(projected).get_result::<i64>(self.connection)?;
        if !touched.deleted.is_empty() {
            diesel::delete(trust_facts::table)
                .filter(trust_facts::tenant_id.eq(self.tenant.as_str()))
                .filter(trust_facts::integration_id.eq_any(touched.deleted))
                .execute(self.connection)?;
        }
        Ok(())
    }

    /// Sets two settings until the end of the transaction.
    pub(in crate::store) fn set_local(
        &mut self,
        [(one, value), (other, other_value)]: [(&str, &str); 2],
    ) -> Result<(), StoreError> {
        diesel::select((set_config(one, value, true), set_config(other, other_value, true)))
            .execute(self.connection)?;
        Ok(())
    }
}

/// What a transaction changed that projected facts depend on: the identifiers of devices and mirror records,
/// before and after the change.
#[derive(Debug, Default)]
pub(in crate::store) struct Touched {
    pub serial_numbers: BTreeSet<String>,
    pub udids: BTreeSet<String>,
    pub okta_device_ids: BTreeSet<String>,
    /// Integrations whose mirror was deleted.
    pub deleted: BTreeSet<Uuid>,
}

impl Touched {
    /// Notes that a device changed. Call it with the identifiers before and after the change.
    pub fn add_device(
        &mut self,
        serial_number: &str,
        udid: Option<&str>,
        okta_device_id: Option<&str>,
    ) {
        self.serial_numbers.insert(serial_number.to_owned());
        self.udids.extend(udid.map(str::to_owned));
        self.okta_device_ids.extend(okta_device_id.map(str::to_owned));
    }

    /// Notes that a mirror record changed. The identifiers that it has after the change are found by its ID;
    /// other ones that it had before must be passed.
    pub fn add_record(
        &mut self,
        okta_device_id: &str,
        serial_number: Option<&str>,
        udid: Option<&str>,
    ) {
        self.okta_device_ids.insert(okta_device_id.to_owned());
        self.serial_numbers.extend(serial_number.map(str::to_owned));
        self.udids.extend(udid.map(str::to_owned));
    }

    /// Notes that all records of an integration were deleted.
    pub fn add_deleted_mirror(&mut self, id: IntegrationId) {
        self.deleted.insert(id.0);
    }

    pub fn is_empty(&self) -> bool {
        self.serial_numbers.is_empty() && self.okta_device_ids.is_empty() && self.deleted.is_empty()
    }
}

/// Sets the tenant for the transaction and returns the time, in one statement.
pub(in crate::store) fn begin_in_tenant(
    connection: &mut PgConnection,
    tenant: &TenantId,
) -> Result<DateTime<Utc>, StoreError> {
    let (_, read): (String, DateTime<Utc>) =
        diesel::select((set_config("odt.tenant", tenant.as_str(), true), clock_timestamp()))
            .get_result(connection)?;
    Ok(read)
}

/// Sets the statement timeout for a transaction without a tenant and returns the time.
pub(in crate::store) fn begin_without_tenant(
    connection: &mut PgConnection,
) -> Result<DateTime<Utc>, StoreError> {
    let (_, read): (String, DateTime<Utc>) = diesel::select((
        set_config("statement_timeout", STATEMENT_TIMEOUT, true),
        clock_timestamp(),
    ))
    .get_result(connection)?;
    Ok(read)
}
