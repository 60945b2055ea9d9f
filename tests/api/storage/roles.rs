//! Roles and schemas that the service refuses to start with.

use crate::support::postgres::{PASSWORD, POSTGRES};
use crate::support::process::{Process, run};
use crate::support::world::{World, unique};

/// Creates a role on the shared server for one test.
fn role(attributes: &str) -> String {
    let name = unique("role").replace('-', "_");
    let sql = format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {attributes}");
    POSTGRES.lock().expect("postgres").execute("postgres", &sql).expect("role");
    name
}

fn url_as(role: &str, database: &str) -> String {
    POSTGRES.lock().expect("postgres").url(role, PASSWORD, database)
}

/// Starts the service with this database and returns its error.
#[track_caller]
fn refusal(world: &World, url: impl Into<String>) -> String {
    let mut environment = world.environment.clone();
    environment.set("ODT_DATABASE_URL", url);
    let stderr = run(&environment, &["serve"]).expect_failure();
    assert!(!stderr.contains("\"serving\""), "{stderr}");
    assert!(!stderr.contains(PASSWORD), "{stderr}");
    stderr
}

#[tokio::test]
async fn superuser_and_bypassrls_roles_are_rejected() {
    let world = World::build().without_service().await;
    let superuser = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let said = refusal(&world, superuser);
    assert!(said.contains("\"postgres\" is a superuser"), "{said}");

    let bypasses = role("BYPASSRLS IN ROLE odt_app");
    let said = refusal(&world, url_as(&bypasses, &world.database));
    assert!(said.contains(&format!("{bypasses:?} has BYPASSRLS")), "{said}");
    // `SET ROLE` grants what the role itself lacks.
    for attributes in ["INHERIT", "NOINHERIT"] {
        let becomes = role(&format!("{attributes} IN ROLE odt_app, {bypasses}"));
        let said = refusal(&world, url_as(&becomes, &world.database));
        assert!(said.contains(&format!("{becomes:?} has BYPASSRLS")), "{said}");
        let becomes = role(&format!("{attributes} IN ROLE odt_app, postgres"));
        let said = refusal(&world, url_as(&becomes, &world.database));
        assert!(said.contains(&format!("{becomes:?} is a superuser")), "{said}");
    }
}

#[tokio::test]
async fn table_owner_roles_are_rejected() {
    let world = World::build().without_service().await;
    let said = refusal(&world, url_as("odt_owner", &world.database));
    assert!(said.contains("\"odt_owner\" owns or can become the owner of"), "{said}");
    for table in ["credentials", "events", "integrations"] {
        assert!(said.contains(table), "{table}: {said}");
    }
    let between = role("NOINHERIT IN ROLE odt_owner");
    for attributes in ["INHERIT", "NOINHERIT"] {
        for owner in ["odt_owner", &between] {
            let becomes = role(&format!("{attributes} IN ROLE odt_app, {owner}"));
            let said = refusal(&world, url_as(&becomes, &world.database));
            assert!(said.contains(&format!("{becomes:?} owns or can become the owner")), "{said}");
        }
    }
    // A single table is enough.
    let one = role("IN ROLE odt_app");
    world.sql(&format!("ALTER TABLE events OWNER TO {one}"));
    let said = refusal(&world, url_as(&one, &world.database));
    assert!(said.contains("[\"events\"]"), "{said}");
}

#[tokio::test]
async fn table_without_forced_row_level_security_prevents_the_start() {
    let world = World::build().without_service().await;
    let url = world.environment.get("ODT_DATABASE_URL").expect("set").to_owned();
    for (off, on) in [
        ("NO FORCE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"),
        ("DISABLE ROW LEVEL SECURITY", "ENABLE ROW LEVEL SECURITY"),
    ] {
        world.sql(&format!("ALTER TABLE credentials {off}"));
        let said = refusal(&world, &url);
        assert!(said.contains("row-level security is not forced on [\"credentials\"]"), "{said}");
        assert!(said.contains("okta-device-trust migrate"), "{said}");
        world.sql(&format!("ALTER TABLE credentials {on}"));
    }
    // A table with customer data that is not known to this release.
    world.sql("CREATE TABLE later (tenant_id text); ALTER TABLE later OWNER TO odt_owner");
    assert!(refusal(&world, &url).contains("[\"later\"]"));
    world.sql("DROP TABLE later");
    Process::serve(&world.environment).await;
}

#[tokio::test]
async fn database_without_migrations_prevents_the_start() {
    let world = World::build().without_service().await;
    let empty = unique("empty");
    POSTGRES.lock().expect("postgres").create_database(&empty, None).expect("database");
    let said = refusal(&world, url_as("odt_service", &empty));
    assert!(said.contains("run `okta-device-trust migrate`"), "{said}");
    // A role without privileges on the schema sees no migrations; the message says what it lacks.
    let stranger = role("");
    let said = refusal(&world, url_as(&stranger, &world.database));
    assert!(said.contains("a member of odt_app"), "{said}");
}

#[tokio::test]
async fn pending_migration_prevents_the_start() {
    let world = World::build().without_service().await;
    let url = world.environment.get("ODT_DATABASE_URL").expect("set").to_owned();
    world.sql(
        "DELETE FROM __diesel_schema_migrations WHERE version = \
         (SELECT max(version) FROM __diesel_schema_migrations)",
    );
    assert!(refusal(&world, &url).contains("run `okta-device-trust migrate`"));
}
