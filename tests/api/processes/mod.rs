//! The real program as a process: killed, told to stop, and run twice on one database.

mod starting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, Org, OrgSetup};
use tokio::sync::watch;

use crate::support::process::Process;
use crate::support::world::{Answer, INTEGRATIONS, World, item, unique};

/// The two services that are killed, and how often each.
const SERVICES: [&str; 2] = ["acme", "beta"];
const KILLS_EACH: u32 = 50;

/// What the clients of a service know of it.
#[derive(Clone)]
struct Life {
    number: u32,
    base: String,
    /// No more kills: the clients finish.
    over: bool,
}

/// One client that writes without a pause, and what became of its writes.
#[derive(Clone)]
struct Client {
    life: watch::Receiver<Life>,
    used: u32,
    http: reqwest::Client,
    token: String,
    /// Writes that were answered with success.
    acknowledged: Arc<AtomicU64>,
    /// Writes that were cut off after the connection stood.
    cut: Arc<AtomicU64>,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.life.borrow().over
    }

    /// Asks the service once; `None` when it was killed before it answered.
    async fn try_send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Option<Answer> {
        let life = self.life.borrow_and_update().clone();
        self.used = life.number;
        let url = format!("{}{path}", life.base);
        let mut ask = self.http.request(method.clone(), url).bearer_auth(&self.token);
        if !body.is_null() {
            ask = ask.json(body);
        }
        if let Some(key) = key {
            ask = ask.header("idempotency-key", key);
        }
        let read = async {
            let response = ask.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>(Answer { status, headers, text: response.text().await? })
        };
        match read.await {
            Ok(answer) => {
                let writes = method != Method::GET && !path.ends_with("/check");
                if writes && answer.status.is_success() {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                Some(answer)
            }
            Err(error) => {
                if !error.is_connect() {
                    self.cut.fetch_add(1, Ordering::SeqCst);
                }
                None
            }
        }
    }

    /// Waits until the service that was killed is started again.
    async fn next_life(&mut self) {
        let used = self.used;
        self.life.wait_for(|life| life.number > used).await.expect("the test goes on");
    }

    /// Asks until there is an answer, however often the service is killed over it.
    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Answer {
        loop {
            if let Some(answer) = self.try_send(method, path, body, key).await {
                return answer;
            }
            self.next_life().await;
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(&Method::GET, path, &Value::Null, None).await
    }

    /// Creates an integration, and gives its path.
    async fn create(&mut self, host: &str) -> String {
        let body = json!({ "okta_domain": host });
        let answer = self.send(&Method::POST, INTEGRATIONS, &body, None).await;
        format!("{INTEGRATIONS}/{}", created_id(&answer))
    }
}

/// The id of what was created, by this request or by one that was killed before it answered.
fn created_id(answer: &Answer) -> String {
    let (field, answer) =
        (if answer.status == 201 { "id" } else { "integration_id" }, answer.json());
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}: {answer}")).to_owned()
}

/// Something written over and over: what was acknowledged last, and what was sent since and never
/// answered, which may have happened or not.
struct Written {
    version: i64,
    value: Value,
    unanswered: Vec<Value>,
}

impl Written {
    fn new(version: i64, value: Value) -> Self {
        Self { version, value, unanswered: Vec::new() }
    }

    /// The next acknowledged write comes after all that happened before it.
    #[track_caller]
    fn acknowledged(&mut self, version: i64, value: &Value) {
        let most = self.version + 1 + i64::try_from(self.unanswered.len()).expect("few");
        assert!(
            (self.version + 1..=most).contains(&version),
            "after version {} came {version}",
            self.version
        );
        *self = Self::new(version, value.clone());
    }

    /// What is there after a kill is the last acknowledged write or one that was never answered.
    #[track_caller]
    fn found(&self, version: i64, value: &Value) {
        let most = self.version + i64::try_from(self.unanswered.len()).expect("few");
        assert!(
            (self.version..=most).contains(&version),
            "version {} was acknowledged, {version} is there",
            self.version
        );
        assert!(
            self.value == *value || self.unanswered.contains(value),
            "{} was acknowledged, {value} is there",
            self.value
        );
        if version == self.version {
            assert_eq!(self.value, *value, "changed without its version");
        }
    }
}

async fn change_platforms(mut client: Client, host: String) {
    let path = client.create(&host).await;
    let choices = [json!(["macos"]), json!(["ios"]), json!(["ios", "macos"]), json!([])];
    let mut written = Written::new(1, json!([]));
    for choice in choices.iter().cycle() {
        if !client.goes_on() {
            break;
        }
        if *choice == written.value {
            // It would change nothing, and count nothing up.
            continue;
        }
        let body = json!({ "selected_platforms": choice });
        if let Some(answer) = client.try_send(&Method::PATCH, &path, &body, None).await {
            written.acknowledged(answer.expect(200)["version"].as_i64().expect("number"), choice);
            continue;
        }
        written.unanswered.push(choice.clone());
        client.next_life().await;
        let found = client.get(&path).await.expect(200);
        written.found(found["version"].as_i64().expect("number"), &found["selected_platforms"]);
    }
}

/// Enters one of two secrets after the other; in the end the stored one is the one that was
/// acknowledged last.
async fn change_credentials(mut client: Client, org: Org) {
    let path = client.create(&org.host()).await;
    let (credentials, check) =
        (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
    let secrets = [org.client_secret(), org.add_secret()];
    let mut written = Written::new(0, Value::Null);
    for secret in secrets.iter().cycle() {
        if !client.goes_on() {
            break;
        }
        let body = json!({ "client_id": org.client_id(), "client_secret": secret });
        let version = |integration: &Value| {
            integration["credentials"]["client_secret"]["version"].as_i64().unwrap_or_default()
        };
        if let Some(answer) = client.try_send(&Method::PUT, &credentials, &body, None).await {
            assert!(answer.status.is_success(), "{}", answer.text);
            written.acknowledged(version(&answer.json()["integration"]), &json!(secret));
            continue;
        }
        written.unanswered.push(json!(secret));
        client.next_life().await;
        let found = version(&client.get(&path).await.expect(200));
        assert!(found >= written.version, "{found} after {}", written.version);
        if found > 0 {
            // Half a row would not open.
            let report = client.send(&Method::POST, &check, &Value::Null, None).await.expect(200);
            assert_eq!(item(&report, "super_admin_scopes")["outcome"], "passed");
        }
    }
    let last = written.value.as_str().expect("a secret was acknowledged").to_owned();
    secrets.iter().filter(|secret| **secret != last).for_each(|other| org.deactivate_secret(other));
    let report = client.send(&Method::POST, &check, &Value::Null, None).await.expect(200);
    assert_eq!(item(&report, "super_admin_scopes")["outcome"], "passed", "not the last secret");
}

async fn attest(mut client: Client, host: String) {
    let path = client.create(&host).await;
    let (report, attestation) =
        (format!("{path}/prerequisites"), format!("{path}/prerequisites/adaptive_mfa/attestation"));
    let (mut known, mut unanswered) = (Value::Null, Vec::new());
    for number in 0_u64.. {
        if !client.goes_on() {
            break;
        }
        let note = json!(format!("note {number}"));
        let body = json!({ "attested": number % 2 == 0, "note": note });
        if let Some(answer) = client.try_send(&Method::PUT, &attestation, &body, None).await {
            answer.expect(200);
            (known, unanswered) = (note, Vec::new());
            continue;
        }
        unanswered.push(note);
        client.next_life().await;
        let found = client.get(&report).await.expect(200);
        let found = item(&found, "adaptive_mfa")["attestation"]["note"].clone();
        assert!(found == known || unanswered.contains(&found), "{found} after {known}");
    }
}

/// Creates and deletes, and gives back the ids whose creation and whose deletion was acknowledged.
async fn create_and_delete(mut client: Client, host: String) -> (Vec<String>, Vec<String>) {
    let (mut created, mut deleted) = (Vec::new(), Vec::new());
    for number in 0_u64.. {
        if !client.goes_on() {
            break;
        }
        let key = format!("key-{number}");
        let id = create_with_key(&mut client, &host, &key).await;
        created.push(id.clone());
        let path = format!("{INTEGRATIONS}/{id}");
        let there = client.get(&path).await;
        assert_eq!(there.status, 200, "{id} was acknowledged and is gone");
        let removed = client.try_send(&Method::DELETE, &path, &Value::Null, None).await;
        if let Some(answer) = removed {
            answer.expect(200);
        } else {
            client.next_life().await;
            // It may have happened, or happen at this moment.
            let again = client.send(&Method::DELETE, &path, &Value::Null, None).await;
            assert!([200, 404].contains(&again.status.as_u16()), "{}", again.text);
        }
        client.get(&path).await.expect_problem(404, "not_found");
        deleted.push(id);
    }
    (created, deleted)
}

async fn create_with_key(client: &mut Client, host: &str, key: &str) -> String {
    let body = json!({ "okta_domain": host });
    let mut key = key.to_owned();
    loop {
        let answer = client.send(&Method::POST, INTEGRATIONS, &body, Some(&key)).await;
        if answer.status == 201 || answer.json()["code"] == "org_already_connected" {
            return created_id(&answer);
        }
        // The request that was killed holds its key for a minute; another key does not wait for it.
        answer.expect_problem(409, "idempotency_in_flight");
        key += "-again";
    }
}

/// Kills the service again and again, each time after the clients have got a write through. The last
/// client asks Okta for each write and is slow: it is waited for in one life out of five.
async fn kill_again_and_again(
    world: &World,
    life: watch::Sender<Life>,
    acknowledged: Vec<Arc<AtomicU64>>,
) {
    let counts =
        || -> Vec<u64> { acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect() };
    for number in 1..=KILLS_EACH + 1 {
        let mut service = Process::serve(&world.environment).await;
        let before = counts();
        life.send_replace(Life { number, base: service.base.clone(), over: false });
        let until = Instant::now() + Duration::from_secs(20);
        let awaited = if number % 5 == 0 { before.len() } else { before.len() - 1 };
        while counts().iter().zip(&before).take(awaited).any(|(now, before)| now <= before) {
            assert!(Instant::now() < until, "no writes get through: {}", service.said());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if number > KILLS_EACH {
            life.send_modify(|life| life.over = true);
            // The clients finish on the last one, which lives until they are done.
            life.closed().await;
            return;
        }
        // Each kill hits another moment of a write.
        tokio::time::sleep(Duration::from_micros(u64::from(number) * 137 % 5000)).await;
        service.kill();
    }
}

/// What holds for every row, however it came about.
const WHOLE: [(&str, &str); 5] = [
    (
        "each change counted its version up and left its event",
        "SELECT count(*) FROM integrations i WHERE version <> 1 + (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind IN ('integration_updated', 'credentials_stored'))",
    ),
    (
        "each integration was created by one event",
        "SELECT count(*) FROM integrations i WHERE 1 <> (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind = 'integration_created')",
    ),
    (
        "each secret was counted and left its event",
        "SELECT count(*) FROM credentials c JOIN integrations i ON i.id = c.integration_id \
         WHERE c.version <> i.secrets_entered OR c.version <> (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind = 'credentials_stored')",
    ),
    (
        "credentials stand with what their exchange showed",
        "SELECT count(*) FROM credentials c WHERE 3 <> (SELECT count(*) FROM prerequisite_findings f \
         WHERE f.integration_id = c.integration_id)",
    ),
    (
        "an attestation is the one of its last event",
        "SELECT count(*) FROM prerequisite_attestations a WHERE note <> (SELECT detail->>'note' \
         FROM events e WHERE e.integration_id = a.integration_id AND e.kind = 'prerequisite_attested' \
         ORDER BY at DESC, id DESC LIMIT 1)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_during_writes_lose_nothing_that_was_acknowledged() {
    let mut builder = World::build();
    for name in &SERVICES[1..] {
        builder = builder.org(OrgSetup::new(*name));
    }
    let world = Arc::new(builder.without_service().await);
    let cut = Arc::new(AtomicU64::new(0));
    let (mut killers, mut clients, mut creators) = (Vec::new(), Vec::new(), Vec::new());
    for name in SERVICES {
        let org = world.okta.org(name).expect("org");
        org.change(|knobs| {
            (knobs.rate_limits.token, knobs.rate_limits.authenticators) = (100_000, 100_000);
        });
        let (sender, life) =
            watch::channel(Life { number: 0, base: "http://127.0.0.1:1".to_owned(), over: false });
        let counts: Vec<_> = (0..4).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let client = |number: usize| Client {
            life: life.clone(),
            used: 0,
            http: world.http.clone(),
            token: world.token_of(&unique("tenant"), &["odt:read", "odt:write"]),
            acknowledged: Arc::clone(&counts[number]),
            cut: Arc::clone(&cut),
        };
        let host = org.host();
        clients.push(tokio::spawn(change_platforms(client(0), host.clone())));
        clients.push(tokio::spawn(attest(client(1), host.clone())));
        creators.push(tokio::spawn(create_and_delete(client(2), host)));
        clients.push(tokio::spawn(change_credentials(client(3), org)));
        drop(life);
        let world = Arc::clone(&world);
        killers
            .push(tokio::spawn(async move { kill_again_and_again(&world, sender, counts).await }));
    }
    for client in clients {
        client.await.expect("a client that was not disappointed");
    }
    for creator in creators {
        let (created, deleted) = creator.await.expect("a client that was not disappointed");
        let list = |ids: &[String]| format!("('{}')", ids.join("','"));
        let events = |kind: &str, ids: &[String]| {
            world.sql(&format!(
                "SELECT count(*), count(DISTINCT integration_id) FROM events \
                 WHERE kind = '{kind}' AND integration_id::text IN {}",
                list(ids)
            ))
        };
        let of = |ids: &[String]| format!("{0}|{0}", ids.len());
        assert_eq!(events("integration_created", &created), of(&created));
        assert_eq!(events("integration_deleted", &deleted), of(&deleted));
    }
    for killer in killers {
        killer.await.expect("the kills");
    }
    for (what, exceptions) in WHOLE {
        assert_eq!(world.sql(exceptions), "0", "not: {what}");
    }
    let cut = cut.load(Ordering::SeqCst);
    assert!(cut >= 100, "only {cut} writes were cut off: the kills missed them");
}

#[tokio::test]
async fn a_request_in_flight_is_finished_when_the_service_is_told_to_stop() {
    let mut world = World::build().without_service().await;
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = format!("{}/credentials", world.integration().await);
    world.acme.fail(Fault::delay_ms(2000).on("/oauth2/v1/token"));
    let asked_before = world.acme.journal().entries().len();
    let credentials = world.credentials();
    let in_flight = world.put(&path, &credentials);
    let stop = async {
        while world.acme.journal().entries().len() < asked_before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = Instant::now();
        service.terminate();
        let address = service.base.trim_start_matches("http://").to_owned();
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            assert!(told.elapsed() < Duration::from_secs(1), "new connections are still taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(service.is_running(), "it went away under a request");
        told
    };
    let (answer, told) = tokio::join!(in_flight, stop);
    assert!(told.elapsed() > Duration::from_secs(1), "the request was not in flight any more");
    answer.expect(201);
    // The grace of the tests is 5 s.
    let patience = Duration::from_secs(6).saturating_sub(told.elapsed());
    assert_eq!(service.exit_code(patience).await, Some(0), "{}", service.said());
    assert!(service.said().contains("\"stopped\""));
    assert_eq!(world.sql("SELECT count(*) FROM credentials"), "1");
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_grace_does_not_hold_up_the_stop() {
    let builder = World::build().setting("ODT_SHUTDOWN_GRACE_SECONDS", "1");
    let mut world = builder.without_service().await;
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = format!("{}/credentials", world.integration().await);
    world.acme.fail(Fault::delay_ms(9000).on("/oauth2/v1/token"));
    let asked_before = world.acme.journal().entries().len();
    let request = world.http.put(format!("{}{path}", world.base));
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let request = request.bearer_auth(token).json(&world.credentials()).send();
    let stop = async {
        while world.acme.journal().entries().len() < asked_before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.terminate();
        service.exit_code(Duration::from_secs(4)).await
    };
    let (cut, code) = tokio::join!(request, stop);
    assert!(cut.is_err(), "it was answered: {cut:?}");
    assert_eq!(code, Some(0), "{}", service.said());
}

/// Two replicas on one database: the world's own and another process.
async fn replicas() -> (World, Process) {
    let world = World::start().await;
    let other = Process::serve(&world.environment).await;
    (world, other)
}

#[tokio::test]
async fn what_one_replica_changes_the_other_answers_at_once() {
    let (mut world, other) = replicas().await;
    let (one, two) = (world.base.clone(), other.base.clone());
    let path = world.integration().await;
    let (credentials, check) =
        (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
    // Each turn is changed through one replica and read through the other, and the other way round.
    for turn in 0..4 {
        world.base.clone_from(if turn % 2 == 0 { &one } else { &two });
        let platforms = if turn % 2 == 0 { json!(["macos"]) } else { json!(["ios"]) };
        let changed = world.patch(&path, &json!({ "selected_platforms": platforms })).await;
        let version = changed.etag().to_owned();
        let changed = changed.expect(200);
        let stored = world.put(&credentials, &world.credentials()).await;
        assert!(stored.status.is_success(), "{}", stored.text);
        let after = stored.json()["integration"].clone();

        world.base.clone_from(if turn % 2 == 0 { &two } else { &one });
        assert_eq!(world.get(&path).await.expect(200), after);
        assert_eq!(after["selected_platforms"], changed["selected_platforms"]);
        let stale = world.ask(Method::PATCH, &path).admin().header("if-match", &version);
        stale.json(&json!({})).send().await.expect_problem(412, "stale_version");
        world.post(&check, &json!(null)).await.expect(200);
        // The secret goes out of use: the replica that kept a token of it does not go on with it.
        let secret = world.acme.client_secret();
        world.acme.add_secret();
        world.acme.deactivate_secret(&secret);
        let report = world.post(&check, &json!(null)).await.expect(200);
        assert_eq!(item(&report, "super_admin_scopes")["reason"], "invalid_client");
    }
    world.base.clone_from(&one);
    world.delete(&credentials).await.expect(200);
    world.base.clone_from(&two);
    world.post(&check, &json!(null)).await.expect_problem(409, "credentials_needed");
    world.delete(&path).await.expect(200);
    world.base.clone_from(&one);
    world.get(&path).await.expect_problem(404, "not_found");
    assert_eq!(world.get(INTEGRATIONS).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn the_same_idempotency_key_sent_to_two_replicas_at_once_creates_one_integration() {
    let (world, other) = replicas().await;
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let body = json!({ "okta_domain": world.acme.host() });
    let send = |base: &str| {
        let ask = world.http.post(format!("{base}{INTEGRATIONS}")).bearer_auth(&token);
        ask.header("idempotency-key", "once").json(&body).send()
    };
    let answers = tokio::join!(send(&world.base), send(&other.base));
    let statuses =
        [answers.0, answers.1].map(|answer| answer.expect("an answer").status().as_u16());
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let again = send(&other.base).await.expect("an answer");
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(world.sql("SELECT count(*) FROM integrations"), "1");
    assert_eq!(world.sql("SELECT count(*) FROM events WHERE kind = 'integration_created'"), "1");
}
