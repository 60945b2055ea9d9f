//! Migrations, embedded in the binary; they run as the owner's role, never as the service's.

use std::collections::{BTreeMap, BTreeSet};

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

use crate::store::error::NotConnected;
use crate::store::{Store, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot connect as the migrations role: check ODT_MIGRATIONS_DATABASE_URL")]
    Connect(#[source] NotConnected),
    #[error("a migration failed, and what it did was taken back")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs what is pending, and returns which, with what was changed in existing rows. Several replicas may call it at once: they take turns.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(url: &SecretString) -> Result<Vec<String>, MigrateError> {
    // libpq quotes a malformed address, the password with it: only known phrases are passed on.
    let mut connection = PgConnection::establish(url.expose_secret())
        .map_err(|error| MigrateError::Connect(NotConnected::of(&error.to_string())))?;
    take_turns(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let ran = connection.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Failed)?;
    let ran: Vec<String> = ran.iter().map(ToString::to_string).collect();
    show_what_ran(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let notes = load_notes(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let with_note = |version: String| match notes.get(&version) {
        Some(note) => format!("{version}: {note}"),
        None => version,
    };
    Ok(ran.into_iter().map(with_note).collect())
}

/// What migrations changed in existing rows, by version.
fn load_notes(connection: &mut PgConnection) -> QueryResult<BTreeMap<String, String>> {
    use crate::store::schema::migration_notes as notes;
    let rows: Vec<(String, String)> =
        notes::table.select((notes::version, notes::note)).load(connection)?;
    Ok(rows.into_iter().collect())
}

/// The service may see which migrations ran, so that it can refuse a schema that is behind.
fn show_what_ran(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("GRANT SELECT ON __diesel_schema_migrations TO odt_app")
        .execute(connection)
        .map(|_| ())
}

#[derive(QueryableByName)]
struct Readable {
    #[diesel(sql_type = Bool)]
    readable: bool,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// A list that is not there, or that was never shown to the service, is one that nobody has run.
const READABLE: &str = "
    SELECT coalesce(has_table_privilege(to_regclass('public.__diesel_schema_migrations'), 'SELECT'),
                    false) AS readable";

impl Store {
    /// The migrations that this program needs and that have not run. More may have run: during an
    /// upgrade replicas of the version before go on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.pool
            .transaction(|connection| {
                let shown: Readable = diesel::sql_query(READABLE).get_result(connection)?;
                let applied: Vec<Applied> = if shown.readable {
                    diesel::sql_query(
                        "SELECT version::text AS version FROM __diesel_schema_migrations",
                    )
                    .load(connection)?
                } else {
                    Vec::new()
                };
                let applied: BTreeSet<String> =
                    applied.into_iter().map(|row| row.version).collect();
                let needed = MigrationSource::<Pg>::migrations(&MIGRATIONS)
                    .map_err(|_| StoreError::Corrupt("migrations"))?;
                let needed = needed.iter().map(|migration| migration.name());
                Ok(needed
                    .filter(|name| !applied.contains(&name.version().to_string()))
                    .map(ToString::to_string)
                    .collect())
            })
            .await
    }
}

/// An advisory lock of the session: released when the connection ends, however it ends.
fn take_turns(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_lock(7303014)").execute(connection).map(|_| ())
}
