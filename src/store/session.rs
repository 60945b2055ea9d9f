//! Session settings and timeouts.

use std::time::Duration;

use diesel::sql_types::{Bool, Text};

diesel::define_sql_function! {
    /// Sets a configuration parameter; with `is_local`, until the end of the transaction.
    fn set_config(name: Text, value: Text, is_local: Bool) -> Text;
}

/// The timeout of a statement in ms.
pub(in crate::store) const STATEMENT_TIMEOUT: &str = "5000";
/// How long a statement waits for a lock, in ms: one tenant's lock must not keep all connections.
pub(in crate::store) const LOCK_TIMEOUT: &str = "1000";
/// After which PostgreSQL ends an idle transaction, in ms: a replica that is frozen between two statements
/// must not keep its locks.
pub(in crate::store) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10000";
/// The timeout of a ping in ms.
pub(in crate::store) const PING_TIMEOUT: &str = "1000";

/// Begins a transaction with its timeouts, in one round trip. Behind a pooler a session has none.
pub(in crate::store) const BEGIN: &str = "\
    BEGIN; SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 1000; \
    SET LOCAL idle_in_transaction_session_timeout = 10000";

/// The timeout of a whole store operation, after which the caller gets a 503.
pub const DATABASE_TIMEOUT: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_has_the_limits_of_a_session() {
        for limit in [
            format!("LOCAL statement_timeout = {STATEMENT_TIMEOUT};"),
            format!("LOCAL lock_timeout = {LOCK_TIMEOUT};"),
            format!("LOCAL idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT}"),
        ] {
            assert!(BEGIN.contains(&limit), "{limit}");
        }
    }
}
