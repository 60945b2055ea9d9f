//! The shared PostgreSQL server of the tests, and separate servers.

use std::sync::{LazyLock, Mutex};

use okta_device_trust::store::migrations::migrate;
use secrecy::SecretString;
use testkit::postgres::Postgres;
use uuid::Uuid;

pub const TEMPLATE: &str = "template_odt";

/// The password of the service and the migrations. The server is private to this process.
pub const PASSWORD: &str = "only-for-tests";

/// One server for the process; each test clones its database from a migrated template.
pub static POSTGRES: LazyLock<Mutex<Postgres>> = LazyLock::new(|| {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    Mutex::new(postgres)
});

/// Creates the two roles of production: the owner of the tables, and the service's role.
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

/// Creates a migrated database on a separate server. Returns its name and its URL with the service's role.
pub fn database_on(postgres: &Postgres) -> (String, String) {
    let name = format!("odt_{}", Uuid::now_v7().simple());
    postgres.create_database(&name, Some(TEMPLATE)).expect("database");
    let url = postgres.url("odt_service", PASSWORD, &name);
    (name, url)
}

/// Starts a separate server, for tests that stop it.
pub fn own_postgres() -> (Postgres, String, String) {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, url) = database_on(&postgres);
    // The testkit's temporary server loses its last commits in a crash; one with stored data does not.
    let durable = format!("ALTER DATABASE \"{database}\" SET synchronous_commit = on");
    postgres.execute("postgres", &durable).expect("SQL");
    (postgres, database, url)
}
