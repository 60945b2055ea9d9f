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
    /// The snapshot was completed with other serial numbers, or it began too long ago.
    #[error("the snapshot takes no more pages")]
    SnapshotClosed,
    /// Somebody else works on the job by now.
    #[error("the job's lease was lost")]
    LeaseLost,
    /// Platforms or devices depend on what was to be deleted.
    #[error("{devices} device(s) and {} platform(s) depend on it", .platforms.len())]
    InUse { devices: i64, platforms: Vec<Platform> },
    #[error("postgresql is not available")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// A fault of ours inside a transaction, which was rolled back.
    #[error("a query panicked")]
    Panicked,
    #[error("a stored value cannot be opened")]
    Seal(#[from] SealError),
    #[error("a stored value is not what was written")]
    Corrupt(&'static str),
    #[error("a query failed")]
    Query(#[source] DieselError),
}

/// Why no connection came about, in words that hold neither the address nor the password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no connection came about: {reason}")]
pub struct NotConnected {
    reason: String,
    /// The server answered, and will answer the same until somebody changes something.
    refused: bool,
}

/// What the server says of a role or a database that it does not let in (SQLSTATE class 28 and
/// 3D000; libpq hands out the text alone), and what PgBouncer says in its place.
const REFUSALS: [&str; 9] = [
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "is not permitted to log in",
    "permission denied for database",
    "no password supplied",
    "no such database",
    "no such user",
];

/// What libpq says of a server that does not answer.
const NO_ANSWERS: [&str; 10] = [
    "Connection refused",
    "timeout expired",
    "could not translate host name",
    "No route to host",
    "Network is unreachable",
    "Connection reset",
    "server closed the connection",
    "No such file or directory",
    "certificate verify failed",
    "server does not support SSL",
];

impl NotConnected {
    /// Takes from libpq's text what the server said, or a phrase that is known: the rest may hold
    /// pieces of the address, the password among them, when the address is malformed.
    pub(super) fn of(text: &str) -> Self {
        let known = |phrases: &[&str]| {
            phrases.iter().find(|phrase| text.contains(**phrase)).map(ToString::to_string)
        };
        let servers_words = text.rsplit_once("FATAL:").map(|(_, words)| {
            words.lines().next().unwrap_or_default().trim().chars().take(200).collect::<String>()
        });
        let refused = servers_words.as_deref().unwrap_or(text);
        let refused = REFUSALS.iter().any(|phrase| refused.contains(phrase));
        let reason = servers_words
            .or_else(|| known(&REFUSALS[6..7]))
            .or_else(|| known(&NO_ANSWERS))
            .unwrap_or_else(|| "for a reason that may hold a part of the address".to_owned());
        Self { reason, refused }
    }
}

impl StoreError {
    /// True when PostgreSQL answered and does not let this role or database in: waiting is of no use.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        let Self::Unavailable(Some(cause)) = self else { return false };
        cause.downcast_ref::<NotConnected>().is_some_and(|cause| cause.refused)
    }

    /// A row that has lost its integration, which was deleted in between, is no row any more.
    pub(super) fn gone_with_its_integration(self) -> Self {
        match self {
            Self::Query(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
                Self::NotFound
            }
            other => other,
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound,
            error if connection_is_gone(&error) => Self::Unavailable(Some(error.into())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_refused_is_told_from_a_server_that_is_away() {
        let at = "connection to server at \"127.0.0.1\", port 5432 failed:";
        for (text, reason, refused) in [
            (
                format!("{at} FATAL:  password authentication failed for user \"odt\"\n"),
                "password authentication failed for user \"odt\"",
                true,
            ),
            (
                format!("{at} FATAL:  database \"odt\" does not exist"),
                "database \"odt\" does not exist",
                true,
            ),
            (format!("{at} fe_sendauth: no password supplied"), "no password supplied", true),
            (
                format!("{at} FATAL:  the database system is starting up"),
                "the database system is starting up",
                false,
            ),
            (
                format!("{at} FATAL:  sorry, too many clients already"),
                "sorry, too many clients already",
                false,
            ),
            (
                format!("{at} Connection refused\n\tIs the server running"),
                "Connection refused",
                false,
            ),
            (
                "could not translate host name \"db\" to address".to_owned(),
                "could not translate host name",
                false,
            ),
        ] {
            let expected = NotConnected { reason: reason.to_owned(), refused };
            assert_eq!(NotConnected::of(&text), expected);
        }
    }

    #[test]
    fn nothing_of_a_malformed_address_is_told() {
        for text in [
            "could not translate host name \"canary@db\" to address",
            "unexpected character \"c\" at position 9 in URI: \"postgres://u:canary\"",
            "invalid percent-encoded token: \"%canary\"",
            "invalid integer value \"canary\" for connection option \"port\"",
        ] {
            let error = StoreError::Unavailable(Some(NotConnected::of(text).into()));
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
            assert!(!error.is_refused_login());
        }
    }
}
