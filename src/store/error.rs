//! What can go wrong in the store.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::crypto::SealError;
use crate::model::{IntegrationId, Platform};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such row in this tenant")]
    NotFound,
    /// The org is connected already, once per tenant.
    #[error("the org is already connected as integration {0}")]
    OrgAlreadyConnected(IntegrationId),
    /// `If-Match` named another version than the one that is stored.
    #[error("the row is at version {current}")]
    StaleVersion { current: i64 },
    /// What was read before is not what is there now.
    #[error("the row was changed by somebody else in between")]
    ChangedMeanwhile,
    /// Platforms or devices depend on what was to be deleted.
    #[error("{devices} device(s) and {} platform(s) depend on it", .platforms.len())]
    InUse { devices: i64, platforms: Vec<Platform> },
    #[error("postgresql is not available")]
    Unavailable(#[source] Option<DieselError>),
    #[error("a stored value cannot be opened")]
    Seal(#[from] SealError),
    #[error("a stored value is not what was written")]
    Corrupt(&'static str),
    #[error("a query failed")]
    Query(#[source] DieselError),
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound,
            error if connection_is_gone(&error) => Self::Unavailable(Some(error)),
            error => Self::Query(error),
        }
    }
}

/// What libpq and the server say of a connection that is gone; Diesel has no kind for most of them.
const SIGNS: [&str; 8] = [
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "no connection to the server",
    "the database system is",
    "statement timeout",
    "SSL connection has been closed",
    "could not receive data",
];

/// A connection that PostgreSQL closed, a server that is starting or stopping, a time-out.
fn connection_is_gone(error: &DieselError) -> bool {
    match error {
        DieselError::BrokenTransactionManager
        | DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        ) => true,
        DieselError::DatabaseError(_, info) => {
            let message = info.message();
            SIGNS.iter().any(|sign| message.contains(sign))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => connection_is_gone(commit_error),
        _ => false,
    }
}
