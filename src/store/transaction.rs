//! What every transaction begins with: whose rows it sees, how long a statement may take, and the one
//! reading of the clock that dates all that is done in it.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use diesel::PgConnection;
use diesel::prelude::*;

use crate::model::TenantId;
use crate::store::error::StoreError;
use crate::store::session::{STATEMENT_TIMEOUT, set_config};

diesel::define_sql_function! {
    /// The time of PostgreSQL's clock.
    fn clock_timestamp() -> diesel::sql_types::Timestamptz;
}

/// Where the time comes from that the store decides by and stores.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// PostgreSQL's clock, so that replicas need not agree on the time.
    #[default]
    Database,
    /// A clock that a test sets.
    Manual(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// The time of a transaction, where PostgreSQL's clock showed `read`. PostgreSQL stores
    /// microseconds; so does every time that is compared with a stored one.
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
    /// The time at which the transaction began. After a wait for a lock, rows may be newer than this.
    /// A statement that has to order itself after the rows that it finds takes the later of the two.
    pub now: DateTime<Utc>,
}

/// Begins the work of a transaction of `tenant`: sets the tenant and the time limit until its end, and
/// returns the time, in one statement.
pub(in crate::store) fn begin_in_tenant(
    connection: &mut PgConnection,
    tenant: &TenantId,
) -> Result<DateTime<Utc>, StoreError> {
    let (_, _, read): (String, String, DateTime<Utc>) = diesel::select((
        set_config("odt.tenant", tenant.as_str(), true),
        set_config("statement_timeout", STATEMENT_TIMEOUT, true),
        clock_timestamp(),
    ))
    .get_result(connection)?;
    Ok(read)
}

/// The same for a transaction of no tenant.
pub(in crate::store) fn begin_in_no_tenant(
    connection: &mut PgConnection,
) -> Result<DateTime<Utc>, StoreError> {
    let (_, read): (String, DateTime<Utc>) = diesel::select((
        set_config("statement_timeout", STATEMENT_TIMEOUT, true),
        clock_timestamp(),
    ))
    .get_result(connection)?;
    Ok(read)
}
