//! Secrets in printed text: `Debug`, messages about settings, the audit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use okta_device_trust::config::{Config, Environment};
use okta_device_trust::crypto::Keyring;
use okta_device_trust::model::{ClientSecret, NewCredentials, StoredCredentials};
use okta_device_trust::okta::ClientCredentials;
use serde_json::json;

use super::{DATABASE_PASSWORD, MISPLACED, SEALING_KEY, SECRET, SHARED_SECRET, dump};
use crate::support::canary_search::{Canary, with_decoded_bytes};
use crate::support::postgres::POSTGRES;
use crate::support::process::run;
use crate::support::world::World;

#[tokio::test]
async fn secret_pasted_as_client_id_is_not_stored() {
    let world = World::start().await;
    let path = world.integration().await;
    // An admin mixes up the fields; Okta rejects the value.
    let swapped = json!({ "client_id": SECRET, "client_secret": world.acme.client_id() });
    let refused = world.put(&format!("{path}/credentials"), &swapped).await;
    refused.expect_problem(422, "invalid_client");
    let events = world.get(&format!("{path}/events")).await.expect(200);
    assert!(events.to_string().contains("credentials_refused"), "{events}");
    let canary = Canary::new("the client secret", SECRET);
    assert_eq!(canary.sits_in(&events.to_string()), None, "in the audit: {events}");
    let stored = dump(&POSTGRES.lock().expect("postgres"), &world.database);
    assert_eq!(canary.sits_in(&with_decoded_bytes(&stored)), None, "in the database");
}

#[tokio::test]
async fn list_instead_of_an_object_is_rejected() {
    let world = World::start().await;
    let path = world.integration().await;
    let list = json!([world.acme.client_id(), world.acme.client_secret()]);
    let answer = world.put(&format!("{path}/credentials"), &list).await;
    answer.expect_problem(422, "invalid_request");
    world.patch(&path, &json!(["bird.okta.com", []])).await.expect_problem(422, "invalid_request");
}

#[test]
fn debug_output_contains_no_secret() {
    let pem = tempfile::NamedTempFile::new().expect("file");
    let mut environment = Environment::default();
    for (name, value) in [
        ("ODT_DATABASE_URL", format!("postgres://odt:{DATABASE_PASSWORD}@localhost/odt")),
        (
            "ODT_MIGRATIONS_DATABASE_URL",
            format!("postgres://own:{DATABASE_PASSWORD}@localhost/odt"),
        ),
        ("ODT_KEYRING", format!("k:{}", STANDARD.encode(SEALING_KEY))),
        ("ODT_JWT_ISSUER", "https://mdm.example.com".to_owned()),
        ("ODT_JWT_SHARED_SECRET", SHARED_SECRET.to_owned()),
        ("ODT_EGRESS_PROXY", format!("http://proxy:{MISPLACED}@proxy.example.com:3128")),
    ] {
        environment.set(name, value);
    }
    let config = Config::load(&environment).expect("configuration");
    // All of these are invalid, and no message quotes the value.
    let mut wrong = Environment::default();
    for name in
        ["ODT_LISTEN", "ODT_DATABASE_POOLER", "ODT_KEYRING_FILE", "ODT_EGRESS_PROXY", "ODT_X"]
    {
        wrong.set(name, SECRET);
    }
    wrong.set("ODT_OKTA_EXTRA_ROOT_CA", pem.path().to_str().expect("path"));
    wrong.set("ODT_JWT_SHARED_SECRET", &SECRET[..16]);
    let error = Config::load(&wrong).expect_err("wrong");
    let id = "0oacanary".to_owned();
    let shared = || ClientSecret::Shared(SECRET.into());
    let key = || ClientSecret::PrivateKey { kid: "k".to_owned(), private_key: SECRET.into() };
    let keyring = Keyring::parse(&config.keyring).expect("keyring");
    let bad_keyring = Keyring::parse(&format!("k:{SECRET}").into()).expect_err("no keyring");
    let printed = [
        format!("{config:?} {config:#?}"),
        format!("{error:?} {error}"),
        format!("{keyring:?} {bad_keyring:?} {bad_keyring}"),
        format!("{:?}", NewCredentials { client_id: id.clone(), secret: shared() }),
        format!("{:?}", StoredCredentials { client_id: id.clone(), secret: key(), version: 1 }),
        format!("{:?}", ClientCredentials { client_id: id.clone(), secret: shared() }),
        format!("{:?}", ClientCredentials { client_id: id, secret: key() }),
    ];
    let values = [
        ("the client secret", SECRET),
        ("its beginning", &SECRET[..16]),
        ("the database password", DATABASE_PASSWORD),
        ("the shared secret", SHARED_SECRET),
        ("the sealing key", SEALING_KEY),
        ("the proxy's password", MISPLACED),
    ];
    let mut shown = Vec::new();
    for (name, value) in values {
        let canary = Canary::new(name, value);
        for text in printed.iter().filter(|text| canary.sits_in(text).is_some()) {
            shown.push(format!("{name} in {text:.60}…"));
        }
    }
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn malformed_database_url_is_not_quoted() {
    let (password, mut shown) = ("canary%password", Vec::new());
    for url in [
        // A password with an unencoded character, and other mistakes.
        format!("postgres://odt_owner:{password}@127.0.0.1:1/odt"),
        format!("postgre://odt_owner:{password}@127.0.0.1:1/odt"),
        format!("postgres://odt_owner:{password}@127.0.0.1:one/odt"),
        format!("postgres://odt_owner@127.0.0.1:1/odt?pasword={password}"),
        format!("host=127.0.0.1 port=1 password={password} user"),
        format!("host=127.0.0.1 port=1 {password}"),
        format!("postgres://odt_owner@127.0.0.1:1/odt?password={password}"),
    ] {
        let environment: Environment =
            [("ODT_MIGRATIONS_DATABASE_URL".to_owned(), url.clone())].into_iter().collect();
        let said = run(&environment, &["migrate"]).expect_failure();
        if said.contains(password) {
            shown.push(format!("{url} -> {said}"));
        }
    }
    assert!(shown.is_empty(), "{shown:#?}");
}
