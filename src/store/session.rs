//! Session settings and timeouts.

use std::time::Duration;

use diesel::sql_types::{Bool, Text};

diesel::define_sql_function! {
    /// Sets a configuration parameter; with `is_local`, until the end of the transaction.
    fn set_config(name: Text, value: Text, is_local: Bool) -> Text;
}

/// The timeout of a statement in ms.
pub(in crate::store) const STATEMENT_TIMEOUT: &str = "5000";
/// The timeout of a ping in ms.
pub(in crate::store) const PING_TIMEOUT: &str = "1000";

/// The timeout of a whole store operation, after which the caller gets a 503.
pub const DATABASE_TIMEOUT: Duration = Duration::from_secs(8);
