//! Migrations, embedded in the binary; they run as the owner's role, never as the service's.

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot connect as the migrations role: check ODT_MIGRATIONS_DATABASE_URL")]
    Connect(#[source] ConnectionError),
    #[error("a migration failed, and what it did was taken back")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The schema is older than this program: `migrate` has to run first.
    #[error("the schema lacks the migrations {0:?}: run `okta-device-trust migrate` first")]
    Pending(Vec<String>),
}

/// Runs what is pending, and says which. Several replicas may call it at once: they take turns.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(url: &SecretString) -> Result<Vec<String>, MigrateError> {
    let mut connection =
        PgConnection::establish(url.expose_secret()).map_err(MigrateError::Connect)?;
    take_turns(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let ran = connection.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Failed)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

/// An advisory lock of the session: released when the connection ends, however it ends.
fn take_turns(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_lock(7303014)").execute(connection).map(|_| ())
}
