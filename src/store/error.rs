//! The errors of the store.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::crypto::SealError;
use crate::model::{IntegrationId, Platform};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such row in this tenant")]
    NotFound,
    /// A tenant can connect an org only once.
    #[error("the org is already connected as integration {0}")]
    OrgAlreadyConnected(IntegrationId),
    /// The version in `If-Match` is not the stored one.
    #[error("the row is at version {current}")]
    StaleVersion { current: i64 },
    /// A concurrent transaction changed what the caller had read.
    #[error("the row was changed concurrently")]
    ChangedMeanwhile,
    /// The snapshot was completed with other serial numbers, or it began too long ago.
    #[error("the snapshot accepts no more pages")]
    SnapshotClosed,
    /// Another worker may have claimed the job.
    #[error("the job's lease was lost")]
    LeaseLost,
    /// Platforms or devices depend on the row to delete.
    #[error("{devices} device(s) and {} platform(s) depend on it", .platforms.len())]
    InUse { devices: i64, platforms: Vec<Platform> },
    #[error("postgresql is not available")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// A bug inside a transaction, which was rolled back.
    #[error("a query panicked")]
    Panicked,
    #[error("a secret cannot be sealed")]
    Seal(#[from] SealError),
    #[error(
        "the {secret} of integration {integration}, sealed with key {key_id:?}, does not open: compare this key in ODT_KEYRING with that of the other replicas"
    )]
    Unopened {
        secret: &'static str,
        integration: IntegrationId,
        key_id: String,
        #[source]
        source: SealError,
    },
    #[error(
        "key {key_id:?} in ODT_KEYRING is not the key that has sealed stored secrets under this id: put the right bytes back, or give the new key an id of its own"
    )]
    WrongKey { key_id: String },
    #[error("a stored value is corrupt")]
    Corrupt(&'static str),
    #[error("a query failed")]
    Query(#[source] DieselError),
}

/// Why a connection failed, without the connection URL or the password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the connection failed: {reason}")]
pub struct ConnectError {
    reason: String,
    /// The server rejected the login or database; retrying does not help.
    refused: bool,
}

/// Messages of PostgreSQL and PgBouncer when they reject a role or database. They stand for SQLSTATE class
/// 28 and 3D000, which libpq does not expose for failed connections.
const LOGIN_REFUSED_MESSAGES: [&str; 9] = [
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

/// Messages of libpq about a server that does not answer.
const UNREACHABLE_MESSAGES: [&str; 12] = [
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
    "session is read-only",
    "server is in hot standby mode",
];

impl ConnectError {
    /// Extracts the server's message or a known phrase from libpq's message. The rest is dropped: if the
    /// connection URL is malformed, libpq quotes parts of it, including the password.
    pub(super) fn from_libpq(text: &str) -> Self {
        let known = |phrases: &[&str]| {
            phrases.iter().find(|phrase| text.contains(**phrase)).map(ToString::to_string)
        };
        let server_message = text.rsplit_once("FATAL:").map(|(_, words)| {
            words.lines().next().unwrap_or_default().trim().chars().take(200).collect::<String>()
        });
        let refused = server_message.as_deref().unwrap_or(text);
        let refused = LOGIN_REFUSED_MESSAGES.iter().any(|phrase| refused.contains(phrase));
        let reason = server_message
            .or_else(|| known(&LOGIN_REFUSED_MESSAGES[6..7]))
            .or_else(|| known(&UNREACHABLE_MESSAGES))
            .unwrap_or_else(|| {
                "unknown reason, withheld because it may contain the URL".to_owned()
            });
        Self { reason, refused }
    }
}

impl StoreError {
    /// Returns whether PostgreSQL rejected the role or database, so that retrying does not help.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        let Self::Unavailable(Some(cause)) = self else { return false };
        cause.downcast_ref::<ConnectError>().is_some_and(|cause| cause.refused)
    }

    /// Maps a foreign key violation to `NotFound`: the integration was deleted concurrently.
    pub(super) fn or_integration_deleted(self) -> Self {
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
            error if is_connection_lost(&error) => Self::Unavailable(Some(error.into())),
            error => Self::Query(error),
        }
    }
}

/// Messages of libpq and the server about a lost connection. Diesel has no error kind for most of them.
const CONNECTION_LOST_MESSAGES: [&str; 9] = [
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "no connection to the server",
    "the database system is",
    "statement timeout",
    "lock timeout",
    "SSL connection has been closed",
    "could not receive data",
];

/// Returns whether PostgreSQL closed the connection, is starting, stopping or no longer the primary, or
/// timed out.
fn is_connection_lost(error: &DieselError) -> bool {
    match error {
        DieselError::BrokenTransactionManager
        | DieselError::DatabaseError(
            // A server that became a standby: no write succeeds on a connection to it (SQLSTATE 25006).
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ReadOnlyTransaction,
            _,
        ) => true,
        DieselError::DatabaseError(_, info) => {
            let message = info.message();
            CONNECTION_LOST_MESSAGES.iter().any(|known| message.contains(known))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_connection_lost(commit_error),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_logins_differ_from_unreachable_servers() {
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
            let expected = ConnectError { reason: reason.to_owned(), refused };
            assert_eq!(ConnectError::from_libpq(&text), expected);
        }
    }

    #[test]
    fn malformed_urls_are_not_quoted() {
        for text in [
            "could not translate host name \"canary@db\" to address",
            "unexpected character \"c\" at position 9 in URI: \"postgres://u:canary\"",
            "invalid percent-encoded token: \"%canary\"",
            "invalid integer value \"canary\" for connection option \"port\"",
        ] {
            let error = StoreError::Unavailable(Some(ConnectError::from_libpq(text).into()));
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
            assert!(!error.is_refused_login());
        }
    }
}
