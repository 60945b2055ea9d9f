//! Settings of a database session, and how long each side waits.

use std::time::Duration;

use diesel::sql_types::{Bool, Text};

diesel::define_sql_function! {
    /// Sets a setting; with `is_local`, until the end of the transaction.
    fn set_config(name: Text, value: Text, is_local: Bool) -> Text;
}

/// The longest that one statement may take, in ms.
pub(in crate::store) const STATEMENT_TIMEOUT: &str = "5000";
/// The same for a ping, in ms.
pub(in crate::store) const PING_TIMEOUT: &str = "1000";

/// How long a caller waits for PostgreSQL before it is told to come back.
pub const DATABASE_PATIENCE: Duration = Duration::from_secs(8);
