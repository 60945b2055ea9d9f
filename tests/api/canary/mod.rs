//! Secrets with a value that is easily recognised go through everything that can happen to them, and
//! are then looked for: in answers, logs, metrics, the database and what PostgreSQL was told.

mod search;

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use okta_device_trust::config::{Config, Environment};
use okta_device_trust::crypto::Keyring;
use okta_device_trust::model::{NewCredentials, StoredCredentials};
use okta_device_trust::okta::ClientCredentials;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Dpop, Fault, FaultKind, OrgSetup};
use testkit::postgres::Postgres;
use testkit::tokens::Claims;

use crate::support::canary_search::{Canary, search, with_decoded_bytes};
use crate::support::process::{Process, run};
use crate::support::world::{
    Answer, INTEGRATIONS, ISSUER_KEYS, POSTGRES, World, database_on, prepare,
};

/// The secret that Okta accepts; its characters look different in each encoding.
const SECRET: &str = "canary/secret+of~the=client&0123";

/// One that Okta refuses.
const WRONG_SECRET: &str = "canary/secret+that~is=wrong&4567";

/// The password of the SCEP challenge URL, one that Okta refuses there, and the iOS secret key.
const SCEP_PASSWORD: &str = "canary/password+of~scep=89";

const WRONG_SCEP_PASSWORD: &str = "canary/password+that~is=wrong-too";

const SECRET_KEY: &str = "Canary/key+of~iOS=&42";

/// One that stands where no secret belongs, and that the caller may get back in that very answer.
const MISPLACED: &str = "canary-that-stands-in-a-wrong-place";

const DATABASE_PASSWORD: &str = "canary-password-of-the-database";

const SHARED_SECRET: &str = "canary-secret-that-signs-the-tokens-of-the-callers";

/// The 32 bytes of the key that seals.
const SEALING_KEY: &str = "canary-key-of-thirty-two-bytes-!";

/// Everything that came out of the service, to be searched at the end.
struct Watched {
    world: World,
    token: String,
    heard: Vec<(String, String)>,
    requests: u32,
}

impl Watched {
    /// Sends a request and keeps its answer whole. `echo`: what this answer alone may give back.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
        echo: Option<&str>,
    ) -> Answer {
        let mut ask = self.world.ask(method.clone(), path);
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            ask = ask.token(&self.token);
        }
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        if let Some((content_type, body)) = body {
            ask = ask.body(content_type, body);
        }
        let answer = ask.send().await;
        self.requests += 1;
        let mut heard = format!("{} {:?} {}", answer.status, answer.headers, answer.text);
        if let Some(echo) = echo {
            heard = heard.replace(echo, "(echo)");
        }
        self.heard.push((format!("answer {} to {method} {path}", self.requests), heard));
        answer
    }

    async fn json(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let body = (!body.is_null()).then(|| ("application/json", body.to_string()));
        self.ask(method, path, &[], body, None).await
    }

    async fn integration(&mut self) -> String {
        // What is pasted may hold what nobody wanted to send.
        let pasted = format!("https://bird.okta.com/login?token={SECRET}#{SECRET}");
        let created =
            self.json(Method::POST, INTEGRATIONS, &json!({ "okta_domain": pasted })).await;
        format!("{INTEGRATIONS}/{}", created.expect(201)["id"].as_str().expect("id"))
    }

    /// Reads all that can be read.
    async fn read_everything(&mut self, path: &str) {
        for below in [
            "",
            "/setup",
            "/prerequisites",
            "/events?limit=200",
            "/sync",
            "/okta-devices",
            "/event-hook",
        ] {
            self.json(Method::GET, &format!("{path}{below}"), &Value::Null).await.expect(200);
        }
        self.json(Method::GET, INTEGRATIONS, &Value::Null).await.expect(200);
        self.json(Method::GET, "/openapi.json", &Value::Null).await.expect(200);
        self.json(Method::GET, "/health/ready", &Value::Null).await.expect(200);
    }

    /// Secrets in bodies that cannot be accepted.
    async fn refused_bodies(&mut self, path: &str) {
        let credentials = format!("{path}/credentials");
        let id = "0oacanary";
        for body in [
            json!({ "client_id": id, "client_secret": [SECRET] }),
            json!({ "client_id": id, "client_secret": { "value": SECRET } }),
            json!({ "client_id": [SECRET], "client_secret": SECRET }),
            json!({ "client_secret": SECRET }),
            json!({ "client_id": id, "client_secret": SECRET, "password": SECRET }),
            json!({ "client_id": id, "client_secret": format!("{SECRET} ") }),
            json!({ "client_id": id, "client_secret": format!("{SECRET}\u{e9}") }),
            json!({ "client_id": id, "client_secret": SECRET.repeat(20) }),
            json!({ "client_id": format!("{id}:{SECRET}"), "client_secret": SECRET }),
            json!([SECRET]),
            json!(SECRET),
        ] {
            let answer = self.json(Method::PUT, &credentials, &body).await;
            answer.expect_problem(422, "invalid_request");
        }
        for (content_type, body, status) in [
            ("application/json", format!(r#"{{"client_id":"{id}","client_secret":"{SECRET}"#), 400),
            (
                "application/json",
                format!(r#"{{"client_secret":"{SECRET}","client_secret":"{SECRET}"}}"#),
                422,
            ),
            ("application/json", format!(r#"{{"client_secret": {SECRET}}}"#), 400),
            ("application/json", SECRET.to_owned(), 400),
            (
                "application/json",
                format!(r#"{{"client_id":"{id}","client_secret":"{}"}}"#, SECRET.repeat(3000)),
                413,
            ),
            ("application/x-www-form-urlencoded", format!("client_secret={SECRET}"), 415),
            (SECRET, SECRET.to_owned(), 415),
        ] {
            let answer = self.ask(Method::PUT, &credentials, &[], Some((content_type, body)), None);
            assert_eq!(answer.await.status, status);
        }
        let attestation = format!("{path}/prerequisites/adaptive_mfa/attestation");
        for (method, path, body) in [
            (Method::PATCH, path, json!({ "selected_platforms": [SECRET] })),
            (Method::PATCH, path, json!({ "selected_platforms": SECRET })),
            (Method::PATCH, path, json!({ "client_secret": SECRET })),
            (
                Method::PATCH,
                path,
                json!({ "okta_domain": format!("https://x:{SECRET}@bird.okta.com") }),
            ),
            (Method::PATCH, path, json!({ "okta_domain": [SECRET] })),
            (
                Method::POST,
                INTEGRATIONS,
                json!({ "okta_domain": "bird.okta.com", "secret": SECRET }),
            ),
            (Method::PUT, &attestation, json!({ "attested": SECRET })),
            (Method::PUT, &attestation, json!({ "attested": true, "note": [SECRET] })),
            (Method::PUT, &attestation, json!({ "attested": true, "note": SECRET.repeat(20) })),
        ] {
            self.json(method, path, &body).await.expect_problem(422, "invalid_request");
        }
        // The name of a field is the caller's own, and the pointer has to name it.
        let body = Some(("application/json", json!({ MISPLACED: 1 }).to_string()));
        let answer = self.ask(Method::PUT, &credentials, &[], body, Some(MISPLACED)).await;
        answer.expect_problem(422, "invalid_request");
    }

    /// Secrets in addresses and headers.
    async fn wrong_places(&mut self, path: &str) {
        let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let attestation = format!("{path}/prerequisites/{MISPLACED}/attestation");
        let body = Some(("application/json", json!({ "attested": true }).to_string()));
        self.ask(Method::PUT, &attestation, &[], body, Some(MISPLACED))
            .await
            .expect_problem(404, "not_found");
        for (path, status) in [
            (format!("/{encoded}"), 404),
            (format!("{INTEGRATIONS}/{encoded}"), 404),
            (format!("{path}/{encoded}"), 404),
            (format!("{path}?client_secret={encoded}"), 200),
            (format!("{INTEGRATIONS}?cursor={encoded}"), 422),
            (format!("{INTEGRATIONS}?limit={encoded}"), 422),
            (format!("{INTEGRATIONS}?{encoded}=1"), 422),
        ] {
            let answer = self.json(Method::GET, &path, &Value::Null).await;
            assert!(
                answer.status == status || (status == 422 && answer.status == 400),
                "{path} {}",
                answer.text
            );
        }
        let quoted = format!("\"{SECRET}\"");
        let blank = format!("{SECRET} {SECRET}");
        let basic = format!("Basic {}", STANDARD.encode(format!("0oacanary:{SECRET}")));
        let bearer = format!("Bearer {SECRET}");
        let broken = format!("Bearer {}x", self.token);
        for (name, value) in [
            ("if-match", SECRET),
            ("if-match", &quoted),
            ("x-request-id", SECRET),
            ("origin", SECRET),
            ("cookie", SECRET),
            ("accept", SECRET),
            ("user-agent", SECRET),
            ("authorization", SECRET),
            ("authorization", &basic),
            ("authorization", &bearer),
            ("authorization", &broken),
        ] {
            let body = Some(("application/merge-patch+json", "{}".to_owned()));
            self.ask(Method::PATCH, path, &[(name, value)], body, None).await;
        }
        let body =
            Some(("application/json", json!({ "okta_domain": "bird.okta.com" }).to_string()));
        let headers = [("idempotency-key", blank.as_str())];
        let answer = self.ask(Method::POST, INTEGRATIONS, &headers, body, None).await;
        answer.expect_problem(400, "malformed_request");
    }

    /// Everything that Okta may answer instead of what was hoped for.
    async fn okta_on_bad_days(&mut self, path: &str) {
        let (credentials, check) =
            (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
        let org = self.world.okta.org("bird").expect("org");
        let right = json!({ "client_id": org.client_id(), "client_secret": SECRET });
        let wrong = json!({ "client_id": org.client_id(), "client_secret": WRONG_SECRET });
        self.json(Method::PUT, &credentials, &wrong).await.expect_problem(422, "invalid_client");
        let well = org.knobs();
        let changes: [fn(&mut testkit::okta::Knobs); 5] = [
            |knobs| knobs.dpop = Dpop::NonceRequired,
            |knobs| knobs.network_zone_blocked = true,
            |knobs| knobs.granted_scopes.clear(),
            |knobs| knobs.temporarily_unavailable = true,
            |knobs| knobs.client_active = false,
        ];
        for change in changes {
            org.change(change);
            assert!(!self.json(Method::PUT, &credentials, &right).await.status.is_success());
            self.json(Method::POST, &check, &Value::Null).await;
            org.change(|knobs| *knobs = well.clone());
        }
        for kind in [
            FaultKind::ConnectionReset,
            FaultKind::Html,
            FaultKind::InvalidJson,
            FaultKind::TruncatedBody,
            FaultKind::EmptyBody,
            FaultKind::WrongContentType,
            FaultKind::Oversized,
        ] {
            for path in ["/oauth2/v1/token", "/api/v1/authenticators"] {
                org.fail(Fault::new(kind).on(path));
                self.json(Method::PUT, &credentials, &right).await;
                self.json(Method::POST, &check, &Value::Null).await;
                org.recover();
            }
        }
        for fault in [
            Fault::status(500),
            Fault::status(503).on("/oauth2"),
            Fault::delay_ms(1500).on("/oauth2"),
            Fault::redirect(format!("https://evil.example/?echo={MISPLACED}")).on("/oauth2"),
        ] {
            org.fail(fault);
            self.json(Method::PUT, &credentials, &right).await;
            org.recover();
        }
        self.json(Method::PUT, &credentials, &right).await.expect(200);
        self.json(Method::POST, &check, &Value::Null).await.expect(200);
    }

    /// Both platforms: entered wrongly and rightly, tried, handed out, rotated. The two answers that hand
    /// a secret out are not kept; everything else is.
    async fn platforms(&mut self, path: &str) {
        let org = self.world.okta.org("bird").expect("org");
        org.change(|knobs| SCEP_PASSWORD.clone_into(&mut knobs.scep.password));
        let macos = |password: &str| {
            json!({
                "scep_url": org.scep_url(), "challenge_url": org.challenge_url(),
                "username": org.scep_username(), "password": password,
            })
        };
        let (mac, ios) = (format!("{path}/platforms/macos"), format!("{path}/platforms/ios"));
        for body in [
            json!({ "password": [SCEP_PASSWORD] }),
            json!({ "secret_key": SECRET_KEY }),
            json!({ "username": SCEP_PASSWORD, "scep_url": format!("https://x:{SCEP_PASSWORD}@bird.okta.com/") }),
        ] {
            self.json(Method::PUT, &mac, &body).await.expect_problem(422, "invalid_request");
        }
        let wrong = self.json(Method::PUT, &mac, &macos(WRONG_SCEP_PASSWORD)).await;
        wrong.expect_problem(422, "scep_credentials_refused");
        self.json(Method::PUT, &mac, &macos(SCEP_PASSWORD)).await.expect(201);
        for body in [
            json!({ "secret_key": [SECRET_KEY] }),
            json!({ "secret_key": format!("{SECRET_KEY} ") }),
        ] {
            self.json(Method::PUT, &ios, &body).await.expect_problem(422, "invalid_request");
        }
        self.json(Method::PUT, &ios, &json!({ "secret_key": SECRET_KEY })).await.expect(201);
        self.json(Method::POST, &format!("{mac}/verify"), &Value::Null).await.expect(200);
        let device = json!({ "device": {
            "serial_number": "C02CANARY123", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D",
        } });
        for below in [
            format!("{mac}/scep-challenges"),
            format!("{mac}/deployments"),
            format!("{ios}/deployments"),
        ] {
            let ask = self.world.ask(Method::POST, &below).token(&self.token).json(&device);
            let answer = ask.send().await;
            assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (201, "no-store"));
            self.heard.push((format!("headers of {below}"), format!("{:?}", answer.headers)));
        }
        for fault in
            [Fault::new(FaultKind::Html), Fault::new(FaultKind::TruncatedBody), Fault::status(503)]
        {
            org.fail(fault);
            self.json(Method::POST, &format!("{mac}/scep-challenges"), &device).await;
            self.json(Method::POST, &format!("{mac}/verify"), &Value::Null).await;
            org.recover();
        }
        for below in ["/platforms", "/platforms/macos", "/platforms/ios"] {
            self.json(Method::GET, &format!("{path}{below}"), &Value::Null).await.expect(200);
        }
    }

    /// The hook's secrets: made by the service, each shown once, and brought back by Okta's calls.
    async fn event_hook(&mut self, path: &str) -> Vec<String> {
        let hook = format!("{path}/event-hook");
        let event = json!({ "eventType": "device.user.add", "target": [{ "id": "guoCanary1" }] });
        let delivery = json!({ "data": { "events": [event] } }).to_string();
        let mut secrets = Vec::new();
        for status in [201, 200] {
            let ask = self.world.ask(Method::PUT, &hook).token(&self.token);
            let shown = ask.send().await;
            assert_eq!(shown.header("cache-control"), "no-store");
            let shown = shown.expect(status);
            let text = |name: &str| shown[name].as_str().expect("text").to_owned();
            let (address, secret) = (text("hook_path"), text("secret"));
            for (sent, status) in [
                (secret.clone(), 204),
                (format!("Bearer {secret}"), 404),
                (format!("{secret}x"), 404),
            ] {
                let headers = [("authorization", sent.as_str())];
                let body = Some(("application/json", delivery.clone()));
                let answer = self.ask(Method::POST, &address, &headers, body, None).await;
                assert_eq!(answer.status, status, "{}", answer.text);
            }
            let headers =
                [("authorization", secret.as_str()), ("x-okta-verification-challenge", "c")];
            self.ask(Method::GET, &address, &headers, None, None).await.expect(200);
            self.json(Method::GET, &hook, &Value::Null).await.expect(200);
            secrets.push(secret);
        }
        secrets
    }

    /// Keeps all that the process wrote, and the metrics.
    async fn listen_to(&mut self, service: &Process, what: &str) {
        let metrics = self.world.http.get(&service.metrics).send().await.expect("metrics");
        let metrics = metrics.text().await.expect("text");
        assert!(metrics.contains("http_request_duration_seconds"), "{metrics}");
        self.heard.push((format!("metrics of {what}"), metrics));
        let said = service.said();
        assert!(said.contains("\"DEBUG\""), "the log is not at trace: {said}");
        self.heard.push((format!("log of {what}"), said));
    }
}

/// All rows of all tables, and `pg_dump`'s view of the same where it is installed.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_found_nowhere_whatever_happens_to_it() {
    let mut postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, _) = database_on(&postgres);
    // PostgreSQL writes down every statement with its parameters: not even it is told a secret.
    let role = format!(
        "CREATE ROLE canary LOGIN PASSWORD '{DATABASE_PASSWORD}' IN ROLE odt_app; \
         ALTER DATABASE \"{database}\" SET log_statement = 'all'"
    );
    postgres.execute("postgres", &role).expect("role");
    let keyring = format!("canary-key:{}", STANDARD.encode(SEALING_KEY));
    let world = World::build()
        .database_url(postgres.url("canary", DATABASE_PASSWORD, &database))
        .org(OrgSetup::new("bird").client("0oacanary", SECRET))
        .setting("ODT_JWT_SHARED_SECRET", SHARED_SECRET)
        .setting("ODT_KEYRING", keyring)
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

    // The private server does not wait for its disk, and would forget the last moment.
    postgres.execute(&database, "CHECKPOINT").expect("SQL");
    postgres.crash().expect("crash");
    let away = watched.json(Method::PUT, &credentials, &right).await;
    away.expect_problem(503, "database_unavailable");
    postgres.restart().expect("restart");
    watched.json(Method::PUT, &credentials, &right).await.expect(200);
    // What cannot be opened is our fault, and told in the log.
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
    assert!(log.contains("0oacanary"), "PostgreSQL did not write its statements down");
    // What this test itself told it.
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
    let found = search(&watched.heard, &canaries);
    assert!(found.is_empty(), "{found:#?}");
    assert!(watched.requests > 90, "only {} requests", watched.requests);
}

#[tokio::test]
async fn a_secret_pasted_into_the_field_of_the_client_id_is_not_kept() {
    let world = World::start().await;
    let path = world.integration().await;
    // An admin takes one field for the other; Okta refuses it.
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
async fn a_list_in_place_of_an_object_is_refused() {
    let world = World::start().await;
    let path = world.integration().await;
    let list = json!([world.acme.client_id(), world.acme.client_secret()]);
    let answer = world.put(&format!("{path}/credentials"), &list).await;
    answer.expect_problem(422, "invalid_request");
    world.patch(&path, &json!(["bird.okta.com", []])).await.expect_problem(422, "invalid_request");
}

#[test]
fn a_debug_print_shows_no_secret() {
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
    // Each of these is wrong, and none is told with its value.
    let mut wrong = Environment::default();
    for name in
        ["ODT_LISTEN", "ODT_DATABASE_POOLER", "ODT_KEYRING_FILE", "ODT_EGRESS_PROXY", "ODT_X"]
    {
        wrong.set(name, SECRET);
    }
    wrong.set("ODT_OKTA_EXTRA_ROOT_CA", pem.path().to_str().expect("path"));
    wrong.set("ODT_JWT_SHARED_SECRET", &SECRET[..16]);
    let error = Config::load(&wrong).expect_err("wrong");
    let (id, secret) = ("0oacanary".to_owned(), || SECRET.into());
    let keyring = Keyring::parse(&config.keyring).expect("keyring");
    let bad_keyring = Keyring::parse(&format!("k:{SECRET}").into()).expect_err("no keyring");
    let printed = [
        format!("{config:?} {config:#?}"),
        format!("{error:?} {error}"),
        format!("{keyring:?} {bad_keyring:?} {bad_keyring}"),
        format!("{:?}", NewCredentials { client_id: id.clone(), client_secret: secret() }),
        format!(
            "{:?}",
            StoredCredentials { client_id: id.clone(), client_secret: secret(), version: 1 }
        ),
        format!("{:?}", ClientCredentials { client_id: id, client_secret: secret() }),
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
fn an_address_of_the_database_that_cannot_be_read_is_not_told_with_its_password() {
    let (password, mut shown) = ("canary%password", Vec::new());
    for url in [
        // A password with a character that has to be encoded, and other slips of the pen.
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
