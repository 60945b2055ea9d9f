//! What the service refuses to start with, and what it says of it.

use std::time::{Duration, Instant};

use crate::world::{PASSWORD, POSTGRES, TEMPLATE, World, unique};

/// A database of its own and a login for it, made by `sql`, in which `{role}` is the login's name.
fn database(template: Option<&str>, sql: &str) -> (String, String) {
    let name = unique("odt").replace('-', "_");
    let postgres = POSTGRES.lock().expect("postgres");
    postgres.create_database(&name, template).expect("database");
    let role = format!("role_{name}");
    if !sql.is_empty() {
        postgres.execute(&name, &sql.replace("{role}", &role)).expect("SQL");
    }
    (name, role)
}

fn url(role: &str, password: &str, database: &str) -> String {
    POSTGRES.lock().expect("postgres").url(role, password, database)
}

async fn refusal(url: String) -> String {
    World::build().database_url(url).refusal().await
}

#[tokio::test]
async fn a_login_that_the_database_refuses_is_told_at_once_and_with_its_reason() {
    let (name, _) = database(Some(TEMPLATE), "");
    for (url, reason) in [
        (url("odt_service", "canary", &name), "password authentication failed"),
        (url("odt_service", PASSWORD, "canary_db"), "\"canary_db\" does not exist"),
    ] {
        let started = Instant::now();
        let refused = refusal(url).await;
        assert!(refused.contains(reason), "{refused}");
        assert!(refused.contains("ODT_DATABASE_URL") && !refused.contains("not safe"), "{refused}");
        assert!(!refused.contains("canary\"@") && !refused.contains("postgres://"), "{refused}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_says_to_run_migrate() {
    let (name, _) = database(None, "");
    let refused = refusal(url("odt_service", PASSWORD, &name)).await;
    assert!(refused.contains("run `okta-device-trust migrate`"), "{refused}");
    assert!(refused.contains("2026"), "the migrations are named: {refused}");
}

#[tokio::test]
async fn a_role_that_row_level_security_would_not_hold_is_refused() {
    let login = format!("CREATE ROLE {{role}} LOGIN PASSWORD '{PASSWORD}' IN ROLE ");
    for (with, reason) in [
        ("odt_app BYPASSRLS", "BYPASSRLS"),
        ("odt_app SUPERUSER", "superuser"),
        ("odt_app CREATEROLE", "CREATEROLE"),
        ("odt_app, odt_owner NOINHERIT", "owner"),
    ] {
        let (name, role) = database(Some(TEMPLATE), &format!("{login}{with}"));
        let refused = refusal(url(&role, PASSWORD, &name)).await;
        assert!(refused.contains("not safe") && refused.contains(reason), "{with}: {refused}");
    }
}

#[tokio::test]
async fn the_role_that_logged_in_counts_and_not_only_the_one_that_it_has_become() {
    let login = format!("CREATE ROLE {{role}} LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
    let (name, role) = database(
        Some(TEMPLATE),
        &format!("{login}; ALTER ROLE {{role}} SET role TO 'odt_service'"),
    );
    let refused = refusal(url(&role, PASSWORD, &name)).await;
    assert!(refused.contains("superuser") && refused.contains(&role), "{refused}");
}
