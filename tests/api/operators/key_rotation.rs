//! Key rotation while the service runs. A rotation that is killed loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use okta_device_trust::config::Environment;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::item;
use crate::support::postgres::POSTGRES;
use crate::support::process::{Process, run};
use crate::support::world::{INTEGRATIONS, KEYRING, World};

const NEW_KEY: &str = "new-key:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Returns the world's settings with other keys, the active one first.
fn with_keys(world: &World, keys: &[&str]) -> Environment {
    let mut environment = world.environment.clone();
    environment.set("ODT_KEYRING", keys.join(","));
    environment
}

/// Sends a request as one of many tenants.
async fn ask(
    world: &World,
    base: &str,
    tenant: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let token = world.token_of(tenant, &["odt:read", "odt:write"]);
    let mut ask = world.http.request(method, format!("{base}{path}")).bearer_auth(token);
    if !body.is_null() {
        ask = ask.json(body);
    }
    let answer = ask.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Creates tenants with credentials. Returns their names and the paths of their integrations.
async fn connected_tenants(world: &World, number: usize) -> Vec<(String, String)> {
    world.acme.change(|knobs| {
        (knobs.rate_limits.token, knobs.rate_limits.authenticators) = (100_000, 100_000);
    });
    let connect = |number: usize| async move {
        let tenant = format!("tenant-{number:02}");
        let domain = json!({ "okta_domain": world.acme.host() });
        let (status, created) =
            ask(world, &world.base, &tenant, Method::POST, INTEGRATIONS, &domain).await;
        assert_eq!(status, 201, "{created}");
        let path = format!("{INTEGRATIONS}/{}", created["id"].as_str().expect("id"));
        let credentials = format!("{path}/credentials");
        let (status, stored) =
            ask(world, &world.base, &tenant, Method::PUT, &credentials, &world.credentials()).await;
        assert_eq!(status, 201, "{stored}");
        (tenant, path)
    };
    join_all((0..number).map(connect)).await
}

/// Checks that every tenant's secret can be decrypted and is accepted by Okta. A check that conflicts with new
/// credentials is repeated.
async fn expect_all_open(world: &World, base: &str, tenants: &[(String, String)]) {
    let check = |(tenant, path): &(String, String)| {
        let (tenant, path) = (tenant.clone(), format!("{path}/prerequisites/check"));
        async move {
            let report = loop {
                let (status, report) =
                    ask(world, base, &tenant, Method::POST, &path, &Value::Null).await;
                if report["code"] != "changed_meanwhile" {
                    assert_eq!(status, 200, "{tenant}: {report}");
                    break report;
                }
            };
            assert_eq!(item(&report, "super_admin_scopes")["outcome"], "passed", "{tenant}");
        }
    };
    join_all(tenants.iter().map(check)).await;
}

/// Checks that a start without the old key names the key.
#[track_caller]
fn expect_start_refused_without_the_old_key(world: &World) {
    let said = run(&with_keys(world, &[NEW_KEY]), &["serve"]).expect_failure();
    assert!(said.contains("\"test-key\"") && said.contains("put them back"), "{said}");
    expect_no_key_in(&said);
}

fn expect_no_key_in(said: &str) {
    for key in [KEYRING, NEW_KEY] {
        let (_, key) = key.split_once(':').expect("id and key");
        assert!(!said.contains(key), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_rotation_is_finished_by_the_next_one() {
    const TENANTS: usize = 40;
    let world = Arc::new(World::start().await);
    let tenants = connected_tenants(&world, TENANTS).await;
    expect_start_refused_without_the_old_key(&world);
    let rotated = run(&with_keys(&world, &[NEW_KEY]), &["rotate-keys"]);
    assert_eq!(rotated.code, Some(1), "{rotated:?}");
    assert!(
        rotated.stdout.contains("must stay in the keyring: new-key, test-key\n"),
        "{rotated:?}"
    );
    assert!(rotated.stderr.contains("cannot be decrypted with the keyring"), "{rotated:?}");
    expect_no_key_in(&format!("{rotated:?}"));
    assert_eq!(world.secrets_sealed_with("test-key"), TENANTS);

    // The replica was restarted with the new key as active, and accepts credentials.
    let both = with_keys(&world, &[NEW_KEY, KEYRING]);
    let service = Process::serve(&both).await;
    let (over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = [3, 17, 30, 38]
        .map(|number| {
            let (world, over, written) =
                (Arc::clone(&world), Arc::clone(&over), Arc::clone(&written));
            let (base, (tenant, path)) = (service.base.clone(), tenants[number].clone());
            tokio::spawn(async move {
                let path = format!("{path}/credentials");
                while !over.load(Ordering::SeqCst) {
                    let credentials = world.credentials();
                    let (status, answer) =
                        ask(&world, &base, &tenant, Method::PUT, &path, &credentials).await;
                    assert_eq!(status, 200, "{tenant}: {answer}");
                    written.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .into();

    // One row is locked, so that the rotation is killed inside a transaction.
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut holder = diesel::PgConnection::establish(&url).expect("connection");
    let hold = "BEGIN; SELECT * FROM credentials WHERE tenant_id = 'tenant-20' FOR UPDATE";
    holder.batch_execute(hold).expect("SQL");
    let mut rotation = Process::spawn(&both, &["rotate-keys"]);
    rotation.until_it_says("(tenant tenant-19)").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    rotation.kill();
    holder.batch_execute("ROLLBACK").expect("SQL");
    let (new, old) = (world.secrets_sealed_with("new-key"), world.secrets_sealed_with("test-key"));
    assert!(new >= 20 && old >= 10 && new + old == TENANTS, "{new} new, {old} old");
    expect_start_refused_without_the_old_key(&world);
    expect_all_open(&world, &service.base, &tenants).await;

    let told = run(&both, &["rotate-keys"]).expect_success();
    assert!(told.contains("keys that must stay in the keyring: new-key\n"), "{told}");
    assert!(!told.contains("(tenant tenant-19)"), "rotated twice: {told}");
    let before = written.load(Ordering::SeqCst);
    expect_all_open(&world, &service.base, &tenants).await;
    over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a writer");
    }
    assert!(before >= 8, "there was no load: {before}");
    assert_eq!(world.secrets_sealed_with("new-key"), TENANTS);

    let alone = Process::serve(&with_keys(&world, &[NEW_KEY])).await;
    expect_all_open(&world, &alone.base, &tenants).await;
    let again = run(&with_keys(&world, &[NEW_KEY]), &["rotate-keys"]).expect_success();
    assert!(again.contains("0 re-encrypted in total"), "{again}");
}

#[tokio::test]
async fn old_key_that_a_replica_still_uses_must_stay() {
    // This replica was not restarted yet, so the old key is its active one.
    let world = World::start().await;
    let tenants = connected_tenants(&world, 2).await;
    let both = with_keys(&world, &[NEW_KEY, KEYRING]);
    let told = run(&both, &["rotate-keys"]).expect_success();
    assert!(told.contains("keys that must stay in the keyring: new-key\n"), "{told}");

    // It cannot decrypt secrets of the new key, and does not tell the caller why.
    let (tenant, path) = &tenants[0];
    let check = format!("{path}/prerequisites/check");
    let (status, problem) =
        ask(&world, &world.base, tenant, Method::POST, &check, &Value::Null).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")));
    assert!(!problem.to_string().contains("key"), "{problem}");
    // It seals with the old key, and a start without that key is rejected.
    let credentials = format!("{path}/credentials");
    let (status, stored) =
        ask(&world, &world.base, tenant, Method::PUT, &credentials, &world.credentials()).await;
    assert_eq!(status, 200, "{stored}");
    assert_eq!(world.secrets_sealed_with("test-key"), 1);
    expect_start_refused_without_the_old_key(&world);

    let told = run(&both, &["rotate-keys"]).expect_success();
    assert!(told.contains("keys that must stay in the keyring: new-key\n"), "{told}");
    let alone = Process::serve(&with_keys(&world, &[NEW_KEY])).await;
    expect_all_open(&world, &alone.base, &tenants).await;
}

#[tokio::test]
async fn concurrent_rotations_do_not_repeat_work() {
    let world = World::start().await;
    let tenants = connected_tenants(&world, 20).await;
    let both = with_keys(&world, &[NEW_KEY, KEYRING]);
    let mut runs = [0, 1].map(|_| Process::spawn(&both, &["rotate-keys"]));
    let mut resealed = 0;
    for run in &mut runs {
        let code = run.exit_code(Duration::from_secs(20)).await;
        assert_eq!(code, Some(0), "{}", run.said());
        let said = run.said();
        let last = said.lines().find(|line| line.contains("re-encrypted in total")).expect("a sum");
        resealed += last.split(' ').next().and_then(|sum| sum.parse::<usize>().ok()).expect("sum");
        assert!(said.contains("must stay in the keyring: new-key\n"), "{said}");
    }
    assert_eq!(resealed, 20);
    let alone = Process::serve(&with_keys(&world, &[NEW_KEY])).await;
    expect_all_open(&world, &alone.base, &tenants).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_stored_at_the_end_of_a_rotation_are_kept() {
    let world = World::start().await;
    let tenants = connected_tenants(&world, 1).await;
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut ending = diesel::PgConnection::establish(&url).expect("connection");
    // The last step of rotate-keys: it locks the list of keys, sees that the old one is unused, and removes it.
    world.forget_credentials();
    ending.batch_execute("BEGIN; SELECT * FROM sealing_keys FOR UPDATE").expect("SQL");
    let (tenant, path) = &tenants[0];
    let path = format!("{path}/credentials");
    let credentials = world.credentials();
    let entered = ask(&world, &world.base, tenant, Method::PUT, &path, &credentials);
    let release = async {
        while !world.a_session_waits_for_a_lock() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ending.batch_execute("DELETE FROM sealing_keys; COMMIT").expect("SQL");
    };
    let ((status, stored), ()) = tokio::join!(entered, release);
    assert_eq!(status, 201, "{stored}");
    assert_eq!(world.sealing_keys(), "test-key");
    expect_all_open(&world, &world.base, &tenants).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_removed_by_another_rotation_is_no_error() {
    let world = World::start().await;
    connected_tenants(&world, 1).await;
    let both = with_keys(&world, &[NEW_KEY, KEYRING]);
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut other = diesel::PgConnection::establish(&url).expect("connection");
    let hold = "BEGIN; SELECT * FROM sealing_keys WHERE key_id = 'test-key' FOR UPDATE";
    other.batch_execute(hold).expect("SQL");
    let mut rotation = Process::spawn(&both, &["rotate-keys"]);
    rotation.until_it_says("1 re-encrypted (tenant tenant-00)").await;
    while !world.a_session_waits_for_a_lock() {
        assert!(rotation.is_running(), "{}", rotation.said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let release = "DELETE FROM sealing_keys WHERE key_id = 'test-key'; COMMIT";
    other.batch_execute(release).expect("SQL");
    let code = rotation.exit_code(Duration::from_secs(20)).await;
    assert_eq!(code, Some(0), "{}", rotation.said());
    assert!(rotation.said().contains("must stay in the keyring: new-key\n"), "{}", rotation.said());
}

/// The correct ID with other bytes.
const WRONG_KEY: &str = "test-key:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_with_other_bytes_is_rejected_at_startup() {
    let world = World::start().await;
    let path = world.connected().await;
    let checked = || world.sql("SELECT count(*) FROM sealing_keys WHERE check_value IS NOT NULL");
    assert_eq!(checked(), "1", "the first use of a key stores its check value");
    let said = run(&with_keys(&world, &[WRONG_KEY]), &["serve"]).expect_failure();
    assert!(said.contains("\"test-key\"") && said.contains("ODT_KEYRING"), "{said}");
    expect_no_key_in(&said);

    // As stored by the previous release: a stored secret must be decrypted first.
    world.sql("UPDATE sealing_keys SET check_value = NULL");
    let said = run(&with_keys(&world, &[NEW_KEY, WRONG_KEY]), &["serve"]).expect_failure();
    let id = path.rsplit('/').next().expect("id");
    for part in ["\"test-key\"", "ODT_KEYRING", id, "client secret"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(checked(), "0", "nothing was decrypted");
    let right = Process::serve(&world.environment).await;
    assert_eq!(checked(), "1");
    drop(right);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_with_wrong_key_bytes_seals_nothing() {
    let world = World::start().await;
    let wrong = Process::serve(&with_keys(&world, &[WRONG_KEY])).await;
    let first = world.connected().await;
    let other = "another-tenant";
    let domain = json!({ "okta_domain": world.acme.host() });
    let (_, made) = ask(&world, &wrong.base, other, Method::POST, INTEGRATIONS, &domain).await;
    let path = format!("{INTEGRATIONS}/{}/credentials", made["id"].as_str().expect("id"));
    let (status, problem) =
        ask(&world, &wrong.base, other, Method::PUT, &path, &world.credentials()).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")), "{problem}");
    assert_eq!(world.count("credentials"), 1, "{first}");
    assert!(wrong.said().contains("ODT_KEYRING"), "{}", wrong.said());
}
