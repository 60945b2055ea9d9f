//! The start of every transaction: sets the tenant and the statement timeout, and reads the clock once for
//! everything that the transaction does.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use diesel::PgConnection;
use diesel::prelude::*;

use crate::model::TenantId;
use crate::store::error::StoreError;
use crate::store::session::{STATEMENT_TIMEOUT, set_config};

diesel::define_sql_function! {
    /// Returns the time of PostgreSQL's clock.
    fn clock_timestamp() -> diesel::sql_types::Timestamptz;
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
}

impl Tx<'_> {
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
