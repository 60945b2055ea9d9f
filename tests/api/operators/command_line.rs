//! The output and exit codes of the subcommands.

use std::path::{Path, PathBuf};

use okta_device_trust::config::{Environment, SETTINGS};
use serde_json::{Value, json};

use crate::support::postgres::{PASSWORD, POSTGRES};
use crate::support::process::{Process, run};
use crate::support::world::{INTEGRATIONS, KEYRING, World, unique};

const COMMITTED_DOCUMENT: &str = include_str!("../../../openapi/openapi.json");

/// Returns the minimal configuration; none of its servers exist.
fn least() -> Environment {
    [
        ("ODT_DATABASE_URL", "postgres://odt_service:words@127.0.0.1:1/odt"),
        ("ODT_KEYRING", KEYRING),
        ("ODT_JWT_ISSUER", "https://mdm.example.com"),
        ("ODT_JWT_JWKS_URL", "https://mdm.example.com/jwks.json"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn path_of(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn check_config_names_every_problem_and_quotes_no_value() {
    let wrong: Environment = [
        ("ODT_LISTEN", "quoted-1"),
        ("ODT_METRICS_LISTEN", "quoted-2"),
        ("ODT_PUBLIC_URL", "quoted-3"),
        ("ODT_CORS_ORIGINS", "https://quoted-4.example.com/path"),
        ("ODT_WORKERS", "quoted-5"),
        ("ODT_SHUTDOWN_GRACE_SECONDS", "quoted-6"),
        ("ODT_DATABASE_CONNECTIONS", "quoted-7"),
        ("ODT_DATABASE_POOLER", "quoted-8"),
        ("ODT_KEYRING_FILE", "/quoted-9"),
        ("ODT_JWT_SHARED_SECRET", "quoted-10"),
        ("ODT_OKTA_SUFFIXES", "quoted-11"),
        ("ODT_OKTA_EXTRA_ROOT_CA", "/quoted-12"),
        ("ODT_OKTA_HOST_OVERRIDES", "quoted-13"),
        ("ODT_EGRESS_PROXY", "quoted-14"),
        ("ODT_OKTA_TIMEOUT_SECONDS", "quoted-15"),
        ("ODT_ENROLLMENT_LINK", "quoted-16"),
        ("ODT_OKTA_INSTALL_LINK", "quoted-17"),
        ("ODT_LOG_FORMAT", "quoted-18"),
        ("ODT_DATABSE_URL", "quoted-19"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for subcommand in ["check-config", "serve"] {
        let outcome = run(&wrong, &[subcommand]);
        assert_eq!(outcome.stdout, "", "{outcome:?}");
        let said = outcome.expect_failure();
        for setting in SETTINGS.iter().filter(|setting| wrong.get(setting.name).is_some()) {
            let problem = ["must ", "cannot be read: "]
                .map(|words| format!("- {} {words}", setting.name))
                .into_iter()
                .any(|words| said.contains(&words));
            assert!(problem, "{}: {said}", setting.name);
        }
        for sentence in [
            "- ODT_DATABSE_URL is not a setting",
            "- ODT_DATABASE_URL is not set",
            "- ODT_JWT_ISSUER is not set",
            "- ODT_KEYRING_FILE cannot be read",
        ] {
            assert!(said.contains(sentence), "{sentence} is missing in: {said}");
        }
        assert!(!said.contains("quoted-"), "a value is quoted: {said}");
    }
}

#[test]
fn unknown_settings_are_rejected_by_name() {
    let mut environment = least();
    environment.set("ODT_DATABASE_CONECTIONS", "8");
    // Only secrets can be read from files.
    environment.set("ODT_LISTEN_FILE", "/etc/hostname");
    let said = run(&environment, &["check-config"]).expect_failure();
    assert!(said.contains("2 problem(s)"), "{said}");
    for name in ["ODT_DATABASE_CONECTIONS", "ODT_LISTEN_FILE"] {
        assert!(said.contains(&format!("{name} is not a setting")), "{said}");
    }
}

#[test]
fn complete_configuration_passes_without_connections() {
    let printed = run(&least(), &["check-config"]).expect_success();
    assert_eq!(printed, "the configuration is valid\n");
}

/// `check-config` rejects what `serve` rejects.
#[test]
fn check_config_rejects_what_serve_rejects() {
    let mut missed = Vec::new();
    for (name, value) in [
        ("ODT_KEYRING", "this is no keyring"),
        ("ODT_KEYRING", "k1:dG9vIHNob3J0"),
        ("ODT_DATABASE_URL", "localhost"),
        ("ODT_DATABASE_URL", "postgres://odt:50%@localhost/odt"),
        ("ODT_LOG", "okta_device_trust=loud,,="),
        ("ODT_OKTA_HOST_OVERRIDES", "acme.okta.com=127.0.0.1:0"),
    ] {
        let mut environment = least();
        environment.set(name, value);
        let outcome = run(&environment, &["check-config"]);
        assert!(!outcome.stderr.contains(value), "a value is quoted: {outcome:?}");
        if outcome.code != Some(1) || !outcome.stderr.contains(name) {
            missed.push(format!("{name}={value}"));
        }
    }
    assert!(missed.is_empty(), "accepted: {missed:#?}");
}

#[test]
fn settings_list_has_defaults_and_descriptions() {
    // It ignores the configuration, even an invalid one.
    let broken = [("ODT_LISTEN".to_owned(), "nowhere".to_owned())].into_iter().collect();
    let list = run(&broken, &["check-config", "--list"]).expect_success();
    for setting in SETTINGS {
        let default = setting.default.map_or_else(String::new, |default| format!(" [{default}]"));
        let line = list.lines().position(|line| {
            line.split(' ').next() == Some(setting.name) && line.contains(&default)
        });
        let line = line.unwrap_or_else(|| panic!("{} is not in the list", setting.name));
        assert!(list.lines().nth(line + 1).is_some_and(|about| about.trim() == setting.about));
        let from_file = list.lines().nth(line).is_some_and(|line| line.contains("_FILE)"));
        assert_eq!(from_file, setting.secret, "{}", setting.name);
    }
}

#[test]
fn printed_openapi_document_is_the_committed_one() {
    let printed = run(&Environment::default(), &["openapi"]).expect_success();
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert!(
        parse(&printed) == parse(COMMITTED_DOCUMENT),
        "cargo run -- openapi > openapi/openapi.json"
    );
}

/// Creates a database without a schema. Returns its name and its URL with the owner's role.
fn empty_database() -> (String, String) {
    let name = unique("empty");
    let postgres = POSTGRES.lock().expect("postgres");
    postgres.create_database(&name, None).expect("database");
    postgres.execute(&name, "ALTER SCHEMA public OWNER TO odt_owner").expect("owner");
    let url = postgres.url("odt_owner", PASSWORD, &name);
    (name, url)
}

#[test]
fn migrate_requires_one_setting_and_is_idempotent() {
    let (_, url) = empty_database();
    let only = [("ODT_MIGRATIONS_DATABASE_URL".to_owned(), url)].into_iter().collect();
    let first = run(&only, &["migrate"]).expect_success();
    assert!(first.lines().count() >= 1 && first.lines().all(|line| line.starts_with("ran ")));
    let second = run(&only, &["migrate"]).expect_success();
    assert_eq!(second, "nothing to do: the schema is up to date\n");
}

#[test]
fn migrate_prints_the_number_of_departed_devices() {
    let (name, url) = empty_database();
    let only: Environment = [("ODT_MIGRATIONS_DATABASE_URL".to_owned(), url)].into_iter().collect();
    run(&only, &["migrate"]).expect_success();
    let sql = |sql: &str| {
        let postgres = POSTGRES.lock().expect("postgres");
        postgres.execute(&name, sql).expect("SQL")
    };
    // Revert to the previous release, with its rows.
    sql(include_str!("../../../migrations/2026-11-26-000000_device_lives/down.sql"));
    sql("DELETE FROM __diesel_schema_migrations WHERE version = '20261126000000'");
    sql("INSERT INTO devices (tenant_id, serial_number, platform, enrollment_state, enrolled_at, \
             enrollment_reported_at, reported_at, enrollment_ended_at, counts_from, deleted_at) VALUES \
         ('t', 'NEVERLEFT', 'macos', 'enrolled', '2026-01-01', '2026-01-02', '2026-01-02', NULL, NULL, NULL), \
         ('t', 'CAMEBACK', 'macos', 'enrolled', NULL, '2026-01-05', '2026-01-05', '2026-01-03', \
             '2026-01-03 00:00:00.000001', NULL), \
         ('t', 'WIPED', 'macos', 'wiped', NULL, '2026-01-05', '2026-01-05', '2026-01-05', \
             '2026-01-05 00:00:00.000001', NULL), \
         ('t', 'WASPHONE', 'macos', 'enrolled', NULL, '2026-01-05', '2026-01-05', NULL, \
             '2026-01-04 00:00:00.000001', NULL), \
         ('t', 'DELETED', 'macos', NULL, NULL, NULL, '2026-01-06', '2026-01-06', \
             '2026-01-06 00:00:00.000001', '2026-01-06')");
    let printed = run(&only, &["migrate"]).expect_success();
    assert!(printed.starts_with("ran 20261126000000: 4 device(s)"), "{printed}");
    let lives = sql("SELECT serial_number, living, left_at::date, enrolled_since::date, \
             last_enrolled_at::date FROM devices ORDER BY 1");
    assert_eq!(
        lives.lines().collect::<Vec<_>>(),
        [
            "CAMEBACK|t|2026-01-03|2026-01-05|",
            "DELETED|f|2026-01-06||",
            "NEVERLEFT|t|||2026-01-01",
            "WASPHONE|t|2026-01-04|2026-01-05|",
            "WIPED|t|2026-01-05||",
        ]
    );
}

#[test]
fn concurrent_migrations_are_serialized() {
    let (name, url) = empty_database();
    let only: Environment = [("ODT_MIGRATIONS_DATABASE_URL".to_owned(), url)].into_iter().collect();
    let printed: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&only, &["migrate"]))).collect();
        runs.into_iter().map(|run| run.join().expect("run").expect_success()).collect()
    });
    let ran = printed.iter().filter(|text| text.starts_with("ran ")).count();
    assert_eq!(ran, 1, "{printed:?}");
    let postgres = POSTGRES.lock().expect("postgres");
    assert_eq!(postgres.execute(&name, "SELECT count(*) FROM integrations").expect("SQL"), "0");
}

#[test]
fn migrate_names_missing_settings_and_unreachable_databases() {
    let said = run(&Environment::default(), &["migrate"]).expect_failure();
    assert!(said.contains("ODT_MIGRATIONS_DATABASE_URL is not set"), "{said}");
    let away = "postgres://odt_owner:words@127.0.0.1:1/odt".to_owned();
    let away = [("ODT_MIGRATIONS_DATABASE_URL".to_owned(), away)].into_iter().collect();
    let said = run(&away, &["migrate"]).expect_failure();
    assert!(said.contains("check ODT_MIGRATIONS_DATABASE_URL"), "{said}");
    assert!(!said.contains("words"), "{said}");
}

#[tokio::test]
async fn integrations_list_covers_all_tenants_and_filters() {
    let world = World::start().await;
    world.connected().await;
    for tenant in ["tenant-one", "tenant-two"] {
        let ask = world.ask(reqwest::Method::POST, INTEGRATIONS);
        let ask = ask.token(&world.token_of(tenant, &["odt:write"]));
        ask.json(&json!({ "okta_domain": world.acme.host() })).send().await.expect(201);
    }
    let lines = |arguments: &[&str]| -> Vec<String> {
        let arguments = [&["integrations", "list"], arguments].concat();
        let printed = run(&world.environment, &arguments).expect_success();
        let mut lines = printed.lines();
        assert!(lines.next().is_some_and(|head| head.starts_with("id ")), "{printed}");
        lines.map(str::to_owned).collect()
    };
    let all = lines(&[]);
    assert_eq!(all.len(), 3, "{all:?}");
    for tenant in ["tenant-one", "tenant-two", &world.tenant] {
        assert!(all.iter().any(|line| line.contains(tenant) && line.contains("acme.okta.com")));
    }
    assert!(all.iter().all(|line| line.contains("no_platform_selected")), "{all:?}");
    assert_eq!(lines(&["--status", "setup"]), all);
    assert!(lines(&["--status", "degraded"]).is_empty());
    let unknown = run(&world.environment, &["integrations", "list", "--status", "broken"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("degraded"), "it lists the valid values: {unknown:?}");
}

#[tokio::test]
async fn health_exit_code_reflects_readiness() {
    let mut world = World::build().without_service().await;
    let mut service = Process::serve(&world.environment).await;
    let address = service.base.trim_start_matches("http://").to_owned();
    // As in a container: the service listens on all addresses, the check uses loopback.
    let port = address.rsplit(':').next().expect("port");
    for listen in [address.clone(), format!("0.0.0.0:{port}")] {
        world.environment.set("ODT_LISTEN", listen);
        let mut healthy = run(&world.environment, &["health"]);
        // Ready as soon as the issuer's keys are loaded, which starts with the service.
        for _ in 0..50 {
            if healthy.code == Some(0) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            healthy = run(&world.environment, &["health"]);
        }
        assert_eq!(healthy.code, Some(0), "{healthy:?}");
        assert!(healthy.stdout.contains(" 200 "), "{healthy:?}");
    }
    let sql = format!("ALTER DATABASE \"{}\" ALLOW_CONNECTIONS false", world.database);
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}'",
        world.database
    );
    for sql in [sql, cut] {
        POSTGRES.lock().expect("postgres").execute("postgres", &sql).expect("SQL");
    }
    // Readiness is checked at most once a second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let not_ready = run(&world.environment, &["health"]);
    assert_eq!(not_ready.code, Some(1), "{not_ready:?}");
    assert!(not_ready.stdout.contains(" 503 "), "{not_ready:?}");
    service.kill();
    run(&world.environment, &["health"]).expect_failure();
}

#[tokio::test]
async fn settings_and_secrets_can_be_read_from_files() {
    let world = World::build().without_service().await;
    let folder = tempfile::tempdir().expect("folder");
    let value = |name: &str| world.environment.get(name).expect("set").to_owned();
    // Mounted secrets, with a trailing newline.
    let secret = |file: &str, name: &str| write(folder.path(), file, &(value(name) + "\n"));
    let (url, keyring) = (secret("url", "ODT_DATABASE_URL"), secret("keys", "ODT_KEYRING"));
    let mut table = toml::Table::new();
    for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
        if let Some(value) = world.environment.get(setting.name) {
            let key = setting.name.trim_start_matches("ODT_").to_ascii_lowercase();
            table.insert(key, value.into());
        }
    }
    table.insert("listen".to_owned(), "not an address".into());
    table.insert("mdm_name".to_owned(), "Acme MDM".into());
    table.insert("workers".to_owned(), 1.into());
    table.insert("database_url_file".to_owned(), path_of(&url).into());
    let file = write(folder.path(), "odt.toml", &table.to_string());
    let environment: Environment = [
        ("ODT_CONFIG_FILE", path_of(&file)),
        ("ODT_KEYRING_FILE", path_of(&keyring)),
        // The environment wins.
        ("ODT_LISTEN", "127.0.0.1:0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let service = Process::serve(&environment).await;
    let mut world = world;
    world.base.clone_from(&service.base);
    let path = world.connected().await;
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert!(setup.to_string().contains("Acme MDM"), "{setup}");
}

#[test]
fn invalid_configuration_file_is_reported_without_its_content() {
    let folder = tempfile::tempdir().expect("folder");
    for (text, said) in [
        ("lisen = \"x\"", "lisen in the configuration file is not a setting"),
        ("config_file = \"x\"", "config_file in the configuration file is not a setting"),
        ("listen = [\"x\"]", "listen in the configuration file must be"),
        ("keyring = \"secret-words", "ODT_CONFIG_FILE cannot be read"),
        ("keyring secret-words", "ODT_CONFIG_FILE cannot be read"),
    ] {
        let mut environment = least();
        environment.set("ODT_CONFIG_FILE", path_of(&write(folder.path(), "odt.toml", text)));
        let stderr = run(&environment, &["check-config"]).expect_failure();
        assert!(stderr.contains(said), "{text}: {stderr}");
        assert!(!stderr.contains("secret-words"), "{stderr}");
    }
    let mut environment = least();
    environment.set("ODT_CONFIG_FILE", "/nowhere/odt.toml");
    let stderr = run(&environment, &["check-config"]).expect_failure();
    assert!(stderr.contains("ODT_CONFIG_FILE cannot be read"), "{stderr}");
}

#[test]
fn secret_set_twice_or_in_an_unreadable_file_is_rejected() {
    let folder = tempfile::tempdir().expect("folder");
    let empty = write(folder.path(), "empty", " \n");
    let mut twice = least();
    twice.set("ODT_KEYRING_FILE", path_of(&empty));
    let stderr = run(&twice, &["check-config"]).expect_failure();
    assert!(stderr.contains("ODT_KEYRING and ODT_KEYRING_FILE cannot both be set"), "{stderr}");
    for (path, said) in [(path_of(&empty), "an empty file"), ("/nowhere", "cannot be read")] {
        let mut environment: Environment =
            [("ODT_DATABASE_URL_FILE".to_owned(), path.to_owned())].into_iter().collect();
        environment.set("ODT_KEYRING", KEYRING);
        let stderr = run(&environment, &["check-config"]).expect_failure();
        assert!(stderr.contains("ODT_DATABASE_URL_FILE") && stderr.contains(said), "{stderr}");
    }
}

#[tokio::test]
async fn port_in_use_is_named() {
    for setting in ["ODT_LISTEN", "ODT_METRICS_LISTEN"] {
        let mut world = World::build().without_service().await;
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("address").to_string();
        world.environment.set(setting, &address);
        let stderr = run(&world.environment, &["serve"]).expect_failure();
        let said = format!("cannot listen on {address}: ");
        assert!(stderr.contains(&said), "{stderr}");
    }
}
