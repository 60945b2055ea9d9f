//! Configurations that the service refuses to start with, and its messages.

use std::process::Command;
use std::time::{Duration, Instant};

use okta_device_trust::startup::load_config;

use crate::support::postgres::{PASSWORD, POSTGRES, TEMPLATE};
use crate::support::world::{KEYRING, World, unique};

/// Creates a database and a login for it by `sql`, in which `{role}` is the login's name.
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
async fn rejected_database_login_fails_at_once_with_its_reason() {
    let (name, _) = database(Some(TEMPLATE), "");
    for (url, reason) in [
        (url("odt_service", "canary", &name), "password authentication failed"),
        (url("odt_service", PASSWORD, "canary_db"), "\"canary_db\" does not exist"),
    ] {
        let started = Instant::now();
        let refused = refusal(url).await;
        assert!(refused.contains(reason), "{refused}");
        assert!(
            refused.contains("ODT_DATABASE_URL") && !refused.contains("must not be used"),
            "{refused}"
        );
        assert!(!refused.contains("canary\"@") && !refused.contains("postgres://"), "{refused}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn outdated_schema_says_to_run_migrate() {
    let (name, _) = database(None, "");
    let refused = refusal(url("odt_service", PASSWORD, &name)).await;
    assert!(refused.contains("run `okta-device-trust migrate`"), "{refused}");
    assert!(refused.contains("2026"), "the migrations are named: {refused}");
}

#[tokio::test]
async fn role_that_bypasses_row_level_security_is_rejected() {
    let login = format!("CREATE ROLE {{role}} LOGIN PASSWORD '{PASSWORD}' IN ROLE ");
    for (with, reason) in [
        ("odt_app BYPASSRLS", "BYPASSRLS"),
        ("odt_app SUPERUSER", "superuser"),
        ("odt_app CREATEROLE", "CREATEROLE"),
        ("odt_app, odt_owner NOINHERIT", "owner"),
    ] {
        let (name, role) = database(Some(TEMPLATE), &format!("{login}{with}"));
        let refused = refusal(url(&role, PASSWORD, &name)).await;
        assert!(
            refused.contains("must not be used") && refused.contains(reason),
            "{with}: {refused}"
        );
    }
}

#[tokio::test]
async fn session_user_is_checked_besides_the_current_role() {
    let login = format!("CREATE ROLE {{role}} LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
    let (name, role) = database(
        Some(TEMPLATE),
        &format!("{login}; ALTER ROLE {{role}} SET role TO 'odt_service'"),
    );
    let refused = refusal(url(&role, PASSWORD, &name)).await;
    assert!(refused.contains("superuser") && refused.contains(&role), "{refused}");
}

/// Runs `check-config` with only these settings.
fn check_config(settings: &[(&str, &str)]) -> (bool, String) {
    let least = [
        ("ODT_DATABASE_URL", "postgres://odt@localhost/odt"),
        ("ODT_KEYRING", KEYRING),
        ("ODT_JWT_ISSUER", "https://mdm.example.com"),
        ("ODT_JWT_JWKS_URL", "https://mdm.example.com/jwks.json"),
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_okta-device-trust"))
        .arg("check-config")
        .env_clear()
        .envs(least)
        .envs(settings.iter().copied())
        .output()
        .expect("the program runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn valid_settings_pass_check_config() {
    let world = World::start().await;
    assert_eq!(load_config(&world.environment).err(), None);
}

#[test]
fn check_config_rejects_settings_that_prevent_the_start() {
    assert!(check_config(&[]).0);
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\ncanary\n").expect("write");
    let root = file.path().to_str().expect("path");
    for (name, value) in [
        ("ODT_KEYRING", "k1:canary"),
        ("ODT_LOG", "info,canary=loud"),
        ("ODT_OKTA_HOST_OVERRIDES", "acme.okta.com=127.0.0.1:0"),
        ("ODT_OKTA_HOST_OVERRIDES", "127.0.0.1=127.0.0.1:443"),
        ("ODT_DATABASE_URL", "host=db password=canary"),
        ("ODT_OKTA_EXTRA_ROOT_CA", root),
        ("ODT_OKTA_SUFFIXES", "okta..com"),
    ] {
        let (passed, said) = check_config(&[(name, value)]);
        assert!(!passed && said.contains(&format!("- {name} ")), "{name}={value}: {said}");
        assert!(name == "ODT_LOG" || !said.contains("canary"), "{said}");
    }
}

#[test]
fn check_config_names_missing_and_invalid_settings_at_once() {
    let (passed, said) = check_config(&[
        ("ODT_LISTEN", "somewhere"),
        ("ODT_KEYRING", "garbage"),
        ("ODT_LOG", "=loud"),
        ("ODT_OKTA_SUFFIXES", "nothing"),
        ("ODT_OKTA_HOST_OVERRIDES", "acme.okta.com=127.0.0.1:0,127.0.0.1=127.0.0.1:443"),
        ("ODT_JWT_ISSUER", ""),
        ("ODT_PORT", "tcp://10.0.0.1:80"),
    ]);
    assert!(!passed && said.contains("7 problem(s)"), "{said}");
    for name in ["LISTEN", "KEYRING", "LOG", "OKTA_SUFFIXES", "OKTA_HOST_OVERRIDES", "JWT_ISSUER"] {
        assert!(said.contains(&format!("- ODT_{name} ")), "{name}: {said}");
    }
}
