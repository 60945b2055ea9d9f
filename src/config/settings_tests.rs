//! Configuration errors and their messages.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const REQUIRED: [(&str, &str); 4] = [
    ("ODT_DATABASE_URL", "postgres://service@localhost/odt"),
    ("ODT_KEYRING", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("ODT_JWT_ISSUER", "https://mdm.example.com"),
    ("ODT_JWT_JWKS_URL", "https://mdm.example.com/jwks.json"),
];

#[test]
fn the_required_settings_are_enough() {
    let config = Config::load(&environment(&REQUIRED)).expect("config");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.auth.tenant_claim, "tenant_id");
}

#[test]
fn one_message_lists_all_problems() {
    let wrong = environment(&[
        ("ODT_LISTEN", "somewhere"),
        ("ODT_DATABASE_CONNECTIONS", "0"),
        ("ODT_JWT_SHARED_SECRET", "short"),
        ("ODT_DATABSE_URL", "postgres://misspelt"),
    ]);
    let error = Config::load(&wrong).expect_err("wrong").to_string();
    for name in [
        "ODT_LISTEN must be",
        "ODT_DATABASE_CONNECTIONS must be",
        "ODT_JWT_SHARED_SECRET must have at least 32 bytes",
        "ODT_JWT_ISSUER is not set",
        "ODT_DATABASE_URL is not set",
        "ODT_KEYRING is not set",
        "ODT_DATABSE_URL is not a setting",
    ] {
        assert!(error.contains(name), "{name} missing in: {error}");
    }
    assert!(!error.contains("short") && !error.contains("misspelt"), "a value is quoted: {error}");
}

#[test]
fn a_database_setting_that_is_not_a_url_is_refused_without_quoting_it() {
    for wrong in ["host=db user=odt password=canary", "mysql://u:canary@h/d", "canary"] {
        let mut environment = environment(&REQUIRED);
        environment.set("ODT_DATABASE_URL", wrong);
        let error = Config::load(&environment).expect_err("wrong").to_string();
        assert!(error.contains("ODT_DATABASE_URL must be postgres://"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let mut environment = environment(&REQUIRED);
    environment.set("ODT_DATABASE_URL", "postgresql:///odt?host=/run/postgresql");
    assert!(Config::load(&environment).is_ok());
}

#[test]
fn a_jwks_url_and_a_shared_secret_cannot_both_be_set() {
    let mut both = environment(&REQUIRED);
    both.set("ODT_JWT_SHARED_SECRET", "0123456789012345678901234567890123456789");
    assert!(Config::load(&both).expect_err("both").to_string().contains("cannot both be set"));
}

#[test]
fn secrets_may_come_from_files_and_the_environment_overrides_the_configuration_file() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("url");
    std::fs::write(&secret, "postgres://from-a-file\n").expect("write");
    let file = folder.path().join("odt.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\nmdm_name = \"Acme MDM\"\n").expect("write");

    let mut environment = environment(&REQUIRED[1..]);
    environment.set("ODT_DATABASE_URL_FILE", secret.to_str().expect("path"));
    environment.set("ODT_CONFIG_FILE", file.to_str().expect("path"));
    environment.set("ODT_LISTEN", "127.0.0.1:2");
    let config = Config::load(&environment).expect("config");
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&config.database.url),
        "postgres://from-a-file"
    );
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.wizard.mdm_name, "Acme MDM");
}

#[test]
fn debug_output_contains_no_secret() {
    let printed = format!("{:?}", Config::load(&environment(&REQUIRED)).expect("config"));
    assert!(!printed.contains("service@localhost") && !printed.contains("k1:AAAA"), "{printed}");
}
