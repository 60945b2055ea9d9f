//! Embedded migrations. They run with the owner's role, never with the service's.

use std::collections::{BTreeMap, BTreeSet};

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

use crate::store::error::ConnectError;
use crate::store::{Store, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot connect as the migrations role: check ODT_MIGRATIONS_DATABASE_URL")]
    Connect(#[source] ConnectError),
    #[error("a migration failed and was rolled back")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs the pending migrations. Returns their names, with what they changed in existing rows. Safe to call
/// from several replicas at once.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(url: &SecretString) -> Result<Vec<String>, MigrateError> {
    // libpq quotes a malformed URL including the password, so only known phrases are passed on.
    let mut connection = PgConnection::establish(url.expose_secret())
        .map_err(|error| MigrateError::Connect(ConnectError::from_libpq(&error.to_string())))?;
    lock_migrations(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let ran = connection.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Failed)?;
    let ran: Vec<String> = ran.iter().map(ToString::to_string).collect();
    grant_migration_list(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let notes = load_notes(&mut connection).map_err(|error| MigrateError::Failed(error.into()))?;
    let with_note = |version: String| match notes.get(&version) {
        Some(note) => format!("{version}: {note}"),
        None => version,
    };
    Ok(ran.into_iter().map(with_note).collect())
}

/// Returns what each migration changed in existing rows, by version.
fn load_notes(connection: &mut PgConnection) -> QueryResult<BTreeMap<String, String>> {
    use crate::store::schema::migration_notes as notes;
    let rows: Vec<(String, String)> =
        notes::table.select((notes::version, notes::note)).load(connection)?;
    Ok(rows.into_iter().collect())
}

/// Lets the service's role read which migrations ran, so that it can reject an outdated schema.
fn grant_migration_list(connection: &mut PgConnection) -> QueryResult<()> {
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

/// Whether the service's role can read the list of migrations. If it is missing or not granted, none count
/// as applied.
const READABLE: &str = "
    SELECT coalesce(has_table_privilege(to_regclass('public.__diesel_schema_migrations'), 'SELECT'),
                    false) AS readable";

impl Store {
    /// Returns the migrations that this release needs and that have not run. Migrations of a newer release
    /// may have run, because old replicas keep running during an upgrade.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.pool
            .transaction(|connection| {
                let list: Readable = diesel::sql_query(READABLE).get_result(connection)?;
                let applied: Vec<Applied> = if list.readable {
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

/// Waits for a session-level advisory lock, which PostgreSQL releases when the connection ends.
fn lock_migrations(connection: &mut PgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_lock(7303014)").execute(connection).map(|_| ())
}
