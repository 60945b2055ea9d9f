//! The PostgreSQL server that the tests share, and servers of a test's own.

use std::sync::{LazyLock, Mutex};

use okta_device_trust::store::migrations::migrate;
use secrecy::SecretString;
use testkit::postgres::Postgres;
use uuid::Uuid;

pub const TEMPLATE: &str = "template_odt";

/// What the service and the migrations log in with; the server is private to this process.
pub const PASSWORD: &str = "only-for-tests";

/// One server for the process; each test clones its database from a migrated template.
pub static POSTGRES: LazyLock<Mutex<Postgres>> = LazyLock::new(|| {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    Mutex::new(postgres)
});

/// Two roles as in production: one that owns the tables, one that works with them.
pub fn prepare(postgres: &Postgres) {
    let roles = format!(
        "CREATE ROLE odt_owner LOGIN CREATEROLE PASSWORD '{PASSWORD}';
         CREATE ROLE odt_app NOLOGIN;
         CREATE ROLE odt_service LOGIN PASSWORD '{PASSWORD}' IN ROLE odt_app;"
    );
    postgres.execute("postgres", &roles).expect("roles");
    postgres.create_database(TEMPLATE, None).expect("template");
    postgres.execute(TEMPLATE, "ALTER SCHEMA public OWNER TO odt_owner").expect("owner");
    let owner = postgres.url("odt_owner", PASSWORD, TEMPLATE);
    migrate(&SecretString::from(owner)).expect("migrations");
}

/// A migrated database on a server of the test's own: its name, and its URL as the service's role.
pub fn database_on(postgres: &Postgres) -> (String, String) {
    let name = format!("odt_{}", Uuid::now_v7().simple());
    postgres.create_database(&name, Some(TEMPLATE)).expect("database");
    let url = postgres.url("odt_service", PASSWORD, &name);
    (name, url)
}

/// A server of the test's own: a test that stops the shared one would fail the others.
pub fn own_postgres() -> (Postgres, String, String) {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, url) = database_on(&postgres);
    // The testkit's server forgets its last commits when it crashes; one that keeps data does not.
    let durable = format!("ALTER DATABASE \"{database}\" SET synchronous_commit = on");
    postgres.execute("postgres", &durable).expect("SQL");
    (postgres, database, url)
}
