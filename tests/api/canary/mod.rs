//! Secrets with recognizable values are used in every operation. Then responses, logs, metrics, the database
//! and the statements received by PostgreSQL are searched for them.

mod inputs;
mod journeys;
mod printed;
mod search;
mod watched;

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use okta_device_trust::crypto::{ClientKey, Keyring, Place, open, reveal};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::OrgSetup;
use testkit::postgres::Postgres;
use testkit::tokens::Claims;

use crate::support::canary_search::{Canary, search};
use crate::support::postgres::{database_on, prepare};
use crate::support::process::{Process, run};
use crate::support::world::{ISSUER_KEYS, World};
use watched::Watched;

/// The secret that Okta accepts. Its characters differ in each encoding.
const SECRET: &str = "canary/secret+of~the=client&0123";

/// A secret that Okta rejects.
const WRONG_SECRET: &str = "canary/secret+that~is=wrong&4567";

/// The password of the SCEP challenge URL, one that Okta rejects there, and the iOS secret key.
const SCEP_PASSWORD: &str = "canary/password+of~scep=89";

const WRONG_SCEP_PASSWORD: &str = "canary/password+that~is=wrong-too";

const SECRET_KEY: &str = "Canary/key+of~iOS=&42";

/// A secret in the wrong place, which the response to that request may echo.
const MISPLACED: &str = "canary-that-stands-in-a-wrong-place";

const DATABASE_PASSWORD: &str = "canary-password-of-the-database";

const SHARED_SECRET: &str = "canary-secret-that-signs-the-tokens-of-the-callers";

/// The 32 bytes of the key-encryption key.
const SEALING_KEY: &str = "canary-key-of-thirty-two-bytes-!";

/// Returns all rows of all tables, and the output of `pg_dump` if it is installed.
fn dump(postgres: &Postgres, database: &str) -> String {
    let tables = postgres
        .execute(
            database,
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
        )
        .expect("tables");
    let mut dump = String::new();
    for table in tables.lines() {
        let rows = format!("SELECT t.*::text FROM {table} t");
        dump += &postgres.execute(database, &rows).expect("rows");
        dump.push('\n');
    }
    let pg_dump = Command::new("pg_dump")
        .arg("--dbname")
        .arg(postgres.superuser_url(database))
        .env("LC_ALL", "C.UTF-8")
        .output();
    match pg_dump {
        Ok(output) if output.status.success() => dump += &String::from_utf8_lossy(&output.stdout),
        _ => eprintln!("SKIPPED: pg_dump is not installed; the rows were read without it"),
    }
    dump
}

/// Decrypts the sealed private keys of an integration with this test's key.
fn open_private_keys(postgres: &Postgres, database: &str, integration: &str) -> Vec<ClientKey> {
    let ring = format!("canary-key:{}", STANDARD.encode(SEALING_KEY));
    let ring = Keyring::parse(&ring.into()).expect("keyring");
    // PostgreSQL breaks base64 into lines.
    let rows = "SELECT kid || ' ' || translate(encode(private_key, 'base64'), E'\\n', '') \
                FROM client_keys";
    let rows = postgres.execute(database, rows).expect("rows");
    let read = |row: &str| {
        let (kid, sealed) = row.split_once(' ').expect("two columns");
        let row = format!("{integration}/{kid}");
        let place =
            Place { table: "client_keys", tenant: "canaries", row: &row, column: "private_key" };
        let sealed = STANDARD.decode(sealed).expect("base64");
        ClientKey::read(&open(&ring, place, &sealed).expect("opens")).expect("a key")
    };
    let keys: Vec<ClientKey> = rows.lines().map(read).collect();
    assert_eq!(keys.len(), 2, "a pending and an active one");
    keys
}

/// Returns the private key in its sealed format, and one of its primes in the format of a JSON Web Key.
fn private_canaries(key: &ClientKey) -> Vec<Canary> {
    let private_key = key.private_key().expect("private key");
    let text = reveal(&private_key);
    let der = STANDARD.decode(text).expect("base64");
    // The end of an RSA key in PKCS#8: its primes and derived values.
    let half = STANDARD.encode(&der[der.len() - 300..]);
    let half = half.trim_end_matches('=');
    vec![
        Canary::new("a private key", text),
        Canary::new("the middle of a private key", &text[200..400]),
        Canary::new("the primes of a private key", half),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_do_not_leak() {
    let mut postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, _) = database_on(&postgres);
    // PostgreSQL logs every statement with its parameters: these must not contain a secret either.
    let role = format!(
        "CREATE ROLE canary LOGIN PASSWORD '{DATABASE_PASSWORD}' IN ROLE odt_app; \
         ALTER DATABASE \"{database}\" SET log_statement = 'all'"
    );
    postgres.execute("postgres", &role).expect("role");
    let keyring = format!("canary-key:{}", STANDARD.encode(SEALING_KEY));
    let world = World::build()
        .database_url(postgres.url("canary", DATABASE_PASSWORD, &database))
        .org(OrgSetup::new("bird").client("0oacanary", SECRET))
        .org(OrgSetup::new("owl"))
        .setting("ODT_JWT_SHARED_SECRET", SHARED_SECRET)
        .setting("ODT_KEYRING", keyring)
        .setting("ODT_PUBLIC_URL", "https://trust.example.com")
        .setting("ODT_LOG", "trace")
        .setting("ODT_SYNC_WORKERS", "2")
        .setting("ODT_OKTA_TIMEOUT_SECONDS", "1")
        .without_service()
        .await;
    let claims =
        Claims::new("admin").tenant("canaries").scopes(&["odt:read", "odt:write", "odt:deploy"]);
    let token = ISSUER_KEYS.0.sign_with_secret(&claims, SHARED_SECRET);
    let mut watched = Watched { world, token: token.clone(), heard: Vec::new(), requests: 0 };
    let mut service = Process::serve(&watched.world.environment).await;
    watched.world.base.clone_from(&service.base);

    let path = watched.integration().await;
    let credentials = format!("{path}/credentials");
    watched.refused_bodies(&path).await;
    let right = json!({ "client_id": "0oacanary", "client_secret": SECRET });
    watched.json(Method::PUT, &credentials, &right).await.expect(201);
    watched.wrong_places(&path).await;
    watched.okta_on_bad_days(&path).await;
    watched.platforms(&path).await;
    let hook_secrets = watched.event_hook(&path).await;
    watched.read_everything(&path).await;
    let owl = watched.service_app().await;
    let private_keys = open_private_keys(&postgres, &database, &owl);

    // The private server does not sync commits, so the last ones would be lost.
    postgres.execute(&database, "CHECKPOINT").expect("SQL");
    postgres.crash().expect("crash");
    let away = watched.json(Method::PUT, &credentials, &right).await;
    away.expect_problem(503, "database_unavailable");
    postgres.restart().expect("restart");
    watched.json(Method::PUT, &credentials, &right).await.expect(200);
    // A secret that cannot be decrypted is an internal error and is logged.
    let damage = "UPDATE credentials SET client_secret = client_secret || '\\x00'";
    postgres.execute(&database, damage).expect("SQL");
    let check = format!("{path}/prerequisites/check");
    watched.json(Method::POST, &check, &Value::Null).await.expect_problem(500, "internal");
    watched.json(Method::PUT, &credentials, &right).await.expect(200);
    watched.read_everything(&path).await;

    let stored = dump(&postgres, &database);
    assert!(stored.contains("0oacanary") && stored.contains("credentials_refused"), "{stored}");
    watched.heard.push(("the database".to_owned(), stored));
    watched.json(Method::DELETE, &credentials, &Value::Null).await.expect(200);
    watched.json(Method::PUT, &credentials, &right).await.expect(201);
    let confirmed = format!("{path}?confirm=true");
    watched.json(Method::DELETE, &confirmed, &Value::Null).await.expect(200);
    watched.heard.push(("the database after deletion".to_owned(), dump(&postgres, &database)));

    watched.listen_to(&service, "the service").await;
    service.terminate();
    assert_eq!(service.exit_code(std::time::Duration::from_secs(8)).await, Some(0));
    watched.heard.push(("the log's end".to_owned(), service.said()));
    for command in [&["check-config"][..], &["rotate-keys"], &["integrations", "list"]] {
        let outcome = run(&watched.world.environment, command);
        watched.heard.push((format!("{command:?}"), format!("{outcome:?}")));
    }
    let log = postgres.data_dir().with_file_name("server.log");
    let log = String::from_utf8_lossy(&std::fs::read(log).expect("server log")).into_owned();
    assert!(log.contains("0oacanary"), "PostgreSQL did not log its statements");
    // Written by this test itself.
    let log: Vec<&str> = log.lines().filter(|line| !line.contains("CREATE ROLE canary")).collect();
    watched.heard.push(("PostgreSQL's log".to_owned(), log.join("\n")));

    let signature = token.rsplit('.').next().expect("a token has three parts");
    let org = watched.world.okta.org("bird").expect("org");
    let minted: Vec<String> =
        org.scep_challenges().into_iter().map(|minted| minted.challenge).collect();
    assert!(minted.len() >= 4, "{minted:?}");
    let challenges = minted.iter().map(|challenge| Canary::new("a SCEP challenge", challenge));
    let of_hook = |secret: &String| Canary::known_by_its_digest("a hook's secret", secret);
    let canaries: Vec<Canary> = challenges
        .chain(hook_secrets.iter().map(of_hook))
        .chain(private_keys.iter().flat_map(private_canaries))
        .chain([
            Canary::new("the SCEP password", SCEP_PASSWORD),
            Canary::new("the refused SCEP password", WRONG_SCEP_PASSWORD),
            Canary::new("the iOS secret key", SECRET_KEY),
            Canary::new("the client secret", SECRET),
            Canary::new("the refused client secret", WRONG_SECRET),
            Canary::new("the misplaced value", MISPLACED),
            Canary::new("the database password", DATABASE_PASSWORD),
            Canary::new("the shared secret of tokens", SHARED_SECRET),
            Canary::new("the sealing key", SEALING_KEY),
            Canary::new("the caller's token", &token),
            Canary::new("the signature of the caller's token", signature),
        ])
        .collect();
    watched.drop_public_keys(&private_keys);
    let found = search(&watched.heard, &canaries);
    assert!(found.is_empty(), "{found:#?}");
    assert!(watched.requests > 90, "only {} requests", watched.requests);
}
