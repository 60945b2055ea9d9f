//! Event hooks: set up by an admin, called by Okta, and worth no more than a look at a device.

mod storms;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use testkit::okta::{EventHook, HookFailure, event};
use uuid::Uuid;

use crate::support::world::{Answer, World};

/// A hook of a connected integration, entered in Okta.
pub struct Hooked {
    /// Of the integration.
    pub path: String,
    /// Below the service.
    pub hook_path: String,
    pub secret: String,
    pub okta: EventHook,
}

impl Hooked {
    pub async fn new(world: &World) -> Self {
        let path = world.connected().await;
        Self::of(world, path).await
    }

    pub async fn of(world: &World, path: String) -> Self {
        let made = world.put(&format!("{path}/event-hook"), &json!({})).await.expect(201);
        let hook_path = made["hook_path"].as_str().expect("path").to_owned();
        let secret = made["secret"].as_str().expect("secret").to_owned();
        let okta = world.acme.event_hook(format!("{}{hook_path}", world.base), &secret);
        Self { path, hook_path, secret, okta }
    }
}

/// Devices that wait because of a hook, in order.
pub fn waiting(world: &World) -> Vec<String> {
    let ids = world.sql("SELECT okta_device_id FROM okta_rereads WHERE reason = 'hook' ORDER BY 1");
    ids.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The jobs of a kind that are due, after all were put off.
pub fn due(world: &World, kind: &str) -> String {
    world.sql(&format!("SELECT count(*) FROM jobs WHERE kind = '{kind}' AND run_at <= now()"))
}

pub fn put_jobs_off(world: &World) {
    world.sql("UPDATE jobs SET run_at = now() + interval '1 hour'");
}

pub async fn post(world: &World, path: &str, secret: Option<&str>, body: &str) -> Answer {
    let mut ask = world.ask(Method::POST, path).body("application/json", body.to_owned());
    if let Some(secret) = secret {
        ask = ask.header("authorization", secret);
    }
    ask.send().await
}

pub async fn verify(world: &World, path: &str, challenge: &str) -> Answer {
    let ask = world.ask(Method::GET, path);
    ask.header("x-okta-verification-challenge", challenge).send().await
}

pub fn status(outcome: Result<(), HookFailure>) -> u16 {
    match outcome {
        Ok(()) => 204,
        Err(HookFailure::Refused(status) | HookFailure::NotVerified { status, .. }) => status,
        Err(HookFailure::NoAnswer(error)) => panic!("no answer: {error}"),
    }
}

pub fn devices(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("guo{n:06}")).collect()
}

pub async fn deliver(okta: &EventHook, devices: &[String]) {
    for some in devices.chunks(100) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        okta.deliver("device.lifecycle.suspend", &some).await.expect("taken");
    }
}

pub const NOTHING: &str = r#"{"data":{"events":[]}}"#;

#[tokio::test]
async fn the_secret_is_shown_when_it_is_made_and_never_again() {
    let world =
        World::build().setting("ODT_PUBLIC_URL", "https://trust.example.com/").start().await;
    let path = format!("{}/event-hook", world.integration().await);
    world.get(&path).await.expect_problem(404, "not_found");
    let answer = world.put(&path, &json!({})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let made = answer.expect(201);
    let hook_path = made["hook_path"].as_str().expect("path");
    assert_eq!(made["url"], format!("https://trust.example.com{hook_path}"));
    let id = hook_path.strip_prefix("/hooks/okta/").expect("prefix");
    assert_eq!(Uuid::parse_str(id).expect("id").get_version_num(), 4);
    let secret = made["secret"].as_str().expect("secret");
    assert_eq!(secret.len(), 43);
    assert_eq!(made["events"].as_array().expect("events").len(), 8);

    let read = world.get(&path).await.expect(200);
    assert!(!read.to_string().contains(secret), "{read}");
    let mut expected = made.clone();
    expected.as_object_mut().expect("object").remove("secret");
    assert_eq!(read, expected);
    assert_eq!(read["secret_state"]["set"], true);
    assert_eq!(read["secret_state"]["updated_by"], "admin@customer.example");
    assert_eq!((&read["verified_at"], &read["last_delivery_at"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn without_a_public_address_there_is_a_path_and_no_url() {
    let world = World::start().await;
    let made = world.put(&format!("{}/event-hook", world.integration().await), &json!({})).await;
    let made = made.expect(201);
    assert_eq!(made["url"], json!(null));
    assert!(made["hook_path"].as_str().is_some_and(|path| path.starts_with("/hooks/okta/")));
}

#[tokio::test]
async fn nobody_chooses_a_secret_of_his_own_and_a_body_is_not_needed() {
    let world = World::start().await;
    let path = format!("{}/event-hook", world.integration().await);
    for body in [json!({ "secret": "my own" }), json!([]), json!(7)] {
        world.put(&path, &body).await.expect_problem(422, "invalid_request");
    }
    world.get(&path).await.expect_problem(404, "not_found");
    world.ask(Method::PUT, &path).admin().send().await.expect(201);
}

#[tokio::test]
async fn after_a_rotation_the_address_stays_and_the_old_secret_is_valid_for_a_day() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret: old, .. } = Hooked::new(&world).await;
    let hook = format!("{path}/event-hook");
    let rotated = world.put(&hook, &json!({})).await.expect(200);
    assert_eq!(rotated["hook_path"], hook_path.as_str());
    let new = rotated["secret"].as_str().expect("secret");
    assert_ne!(new, old);
    let until = rotated["previous_valid_until"].as_str().expect("time");
    let until: chrono::DateTime<chrono::Utc> = until.parse().expect("time");
    let left = until - chrono::Utc::now();
    assert!((23..=24).contains(&left.num_hours()), "{left}");
    for secret in [new, &old] {
        assert_eq!(post(&world, &hook_path, Some(secret), NOTHING).await.status, 204);
    }
    world.sql("UPDATE event_hooks SET previous_valid_until = now() - interval '1 second'");
    // What was right a moment ago helps nobody to get anything written.
    post(&world, &hook_path, Some(&old), NOTHING).await.expect_problem(404, "not_found");
    assert_eq!(post(&world, &hook_path, Some(new), NOTHING).await.status, 204);
    assert!(world.get(&hook).await.expect(200).get("previous_valid_until").is_none());

    let newest = world.put(&hook, &json!({})).await.expect(200);
    let versions = [&rotated, &newest].map(|hook| hook["secret_state"]["version"].as_i64());
    assert_eq!(versions[1], versions[0].map(|version| version + 1));
    assert_eq!(post(&world, &hook_path, Some(new), NOTHING).await.status, 204);
    post(&world, &hook_path, Some(&old), NOTHING).await.expect_problem(404, "not_found");

    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert_eq!(events.matches("event_hook_stored").count(), 3, "{events}");
    assert!([&old, new].iter().all(|secret| !events.contains(*secret)), "{events}");
}

#[tokio::test]
async fn a_deleted_hook_is_nobodys_address_and_the_next_one_is_another() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret, .. } = Hooked::new(&world).await;
    assert_eq!(post(&world, &hook_path, Some(&secret), NOTHING).await.status, 204);
    let hook = format!("{path}/event-hook");
    assert_eq!(world.delete(&hook).await.status, 204);
    post(&world, &hook_path, Some(&secret), NOTHING).await.expect_problem(404, "not_found");
    verify(&world, &hook_path, "x").await.expect_problem(404, "not_found");
    world.delete(&hook).await.expect_problem(404, "not_found");
    assert_eq!(world.sql("SELECT count(*) FROM hook_routes"), "0");
    let again = Hooked::of(&world, path.clone()).await;
    assert_ne!(again.hook_path, hook_path);
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert_eq!(events.matches("event_hook_deleted").count(), 1, "{events}");

    world.delete(&path).await.expect(200);
    let refused = post(&world, &again.hook_path, Some(&again.secret), NOTHING).await;
    refused.expect_problem(404, "not_found");
    assert_eq!(world.sql("SELECT count(*) FROM hook_routes"), "0");
}

#[tokio::test]
async fn an_unknown_hook_a_malformed_id_and_a_wrong_secret_cannot_be_told_apart() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    let unknown = format!("/hooks/okta/{}", Uuid::new_v4());
    let large = "x".repeat(300 * 1024);
    let bearer = format!("Bearer {secret}");
    let mut seen = BTreeSet::new();
    for (path, sent, body) in [
        (unknown.as_str(), Some(secret.as_str()), NOTHING),
        (&unknown, None, NOTHING),
        (&unknown, Some(&secret), "{ this is not JSON"),
        (&unknown, Some(&secret), &large),
        ("/hooks/okta/not-an-id", Some(&secret), NOTHING),
        ("/hooks/okta/00000000-0000-0000-0000-000000000000", Some(&secret), NOTHING),
        (&hook_path, None, NOTHING),
        (&hook_path, Some(""), NOTHING),
        (&hook_path, Some("wrong"), NOTHING),
        (&hook_path, Some(&bearer), NOTHING),
        (&hook_path, Some(&secret[1..]), NOTHING),
        (&hook_path, Some("wrong"), "{ this is not JSON"),
        (&hook_path, Some("wrong"), &large),
    ] {
        let answer = post(&world, path, sent, body).await;
        let headers: Vec<String> = answer
            .headers
            .iter()
            // A connection is closed where the body had not arrived when it was answered.
            .filter(|(name, _)| !["x-request-id", "date", "connection"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        let id = answer.header("x-request-id").to_owned();
        seen.insert((headers, answer.text.replace(&id, "")));
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let wrong = world.ask(Method::GET, &hook_path).header("authorization", "wrong");
    let wrong = wrong.header("x-okta-verification-challenge", "x").send().await;
    let there = verify(&world, &unknown, "x").await;
    let without_id = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "");
    assert_eq!(without_id(&wrong), without_id(&there));
    wrong.expect_problem(404, "not_found");
    assert_eq!(
        world.sql("SELECT last_delivery_at IS NULL AND verified_at IS NULL FROM event_hooks"),
        "t"
    );
}

#[tokio::test]
async fn okta_verifies_the_address_and_the_time_is_told() {
    let world = World::start().await;
    let Hooked { path, hook_path, okta, .. } = Hooked::new(&world).await;
    okta.verify().await.expect("verified");
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert!(read["verified_at"].is_string(), "{read}");
    for challenge in ["~", &"x".repeat(256), r#"a"b\c"#] {
        let told = verify(&world, &hook_path, challenge).await.expect(200);
        assert_eq!(told, json!({ "verification": challenge }));
    }
    let wrong = world.acme.event_hook(format!("{}{hook_path}", world.base), "wrong");
    assert_eq!(status(wrong.verify().await), 404);
    let other_methods = world.ask(Method::PUT, &hook_path).send().await;
    assert_eq!(other_methods.header("allow"), "GET, POST");
    other_methods.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_challenge_that_cannot_be_one_is_refused() {
    let world = World::start().await;
    let Hooked { hook_path, .. } = Hooked::new(&world).await;
    for challenge in ["", "a b", "\u{e9}", &"x".repeat(257)] {
        let answer = verify(&world, &hook_path, challenge).await;
        let problem = answer.expect_problem(400, "malformed_request");
        assert!(challenge.is_empty() || !problem.to_string().contains(challenge), "{problem}");
    }
    let none = world.ask(Method::GET, &hook_path).send().await;
    none.expect_problem(400, "malformed_request");
    let ask = world.ask(Method::GET, &hook_path).header("x-okta-verification-challenge", "a");
    let twice = ask.header("x-okta-verification-challenge", "b").send().await;
    twice.expect_problem(400, "malformed_request");
}

#[tokio::test]
async fn the_eleventh_verification_in_a_minute_waits_and_other_hooks_do_not() {
    let world = World::start().await;
    let one = Hooked::new(&world).await;
    for _ in 0..10 {
        verify(&world, &one.hook_path, "x").await.expect(200);
    }
    let eleventh = verify(&world, &one.hook_path, "x").await;
    let seconds: u64 = eleventh.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    eleventh.expect_problem(429, "too_many_verifications");
    // Deliveries have nothing to do with it.
    assert_eq!(status(one.okta.deliver("device.user.add", &["guo1"]).await), 204);
}

#[tokio::test]
async fn a_delivery_lets_its_devices_wait_to_be_read_again() {
    let world = World::start().await;
    let Hooked { path, okta, .. } = Hooked::new(&world).await;
    put_jobs_off(&world);
    okta.deliver("device.lifecycle.suspend", &["guo2", "guo1", "guo2"]).await.expect("taken");
    assert_eq!(waiting(&world), ["guo1", "guo2"]);
    assert_eq!((due(&world, "rereads"), due(&world, "sweep")), ("1".to_owned(), "0".to_owned()));
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert!(read["last_delivery_at"].is_string(), "{read}");
    assert_eq!(world.sql("SELECT count(*) FROM okta_devices"), "0", "a hook has written a fact");
    let metrics = world.metrics().await;
    assert!(metrics.contains(r#"event_hook_deliveries_total{outcome="accepted"}"#), "{metrics}");
}

#[tokio::test]
async fn what_concerns_no_device_asks_for_nothing() {
    let world = World::start().await;
    let Hooked { hook_path, secret, okta, .. } = Hooked::new(&world).await;
    put_jobs_off(&world);
    okta.deliver("user.session.start", &["guo1"]).await.expect("taken");
    okta.deliver("device.assurance.policy.add", &["guo1"]).await.expect("taken");
    for body in [
        NOTHING,
        r#"{"data":{"events":[null, 7, {}, {"eventType":"device.user.add"}]},"new":{"field":[]}}"#,
        r#"{"data":{"events":[{"eventType":"device.user.add","target":[{"id":"guo'; DROP","type":"Device"}]}]}}"#,
        r#"{"data":{"events":[{"eventType":"device.user.add","target":[{"id":"00u1","type":"User"}]}]}}"#,
    ] {
        let answer = post(&world, &hook_path, Some(&secret), body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{body}");
    }
    assert_eq!(waiting(&world), [""; 0]);
    assert_eq!(due(&world, "sweep"), "0");
}

#[tokio::test]
async fn a_body_that_is_no_delivery_or_too_large_is_refused_and_echoed_to_nobody() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    for body in ["", "{ canary", "[]", r#""canary""#, r#"{"data":{"events":"canary"}}"#] {
        let answer = post(&world, &hook_path, Some(&secret), body).await;
        assert!(!answer.text.contains("canary") && !answer.text.contains(&secret));
        answer.expect_problem(400, "malformed_request");
    }
    let padded = |length: usize| format!("{}{NOTHING}", " ".repeat(length - NOTHING.len()));
    let fits = post(&world, &hook_path, Some(&secret), &padded(256 * 1024)).await;
    assert_eq!(fits.status, 204, "{}", fits.text);
    let large = post(&world, &hook_path, Some(&secret), &padded(256 * 1024 + 1)).await;
    large.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn a_forged_delivery_asks_for_nothing() {
    let world = World::start().await;
    let Hooked { hook_path, okta, .. } = Hooked::new(&world).await;
    let delivery = okta.delivery(&[event("device.user.add", "guo1")]);
    let forger = world.acme.event_hook(format!("{}{hook_path}", world.base), "guessed");
    assert_eq!(status(forger.deliver_body(&delivery).await), 404);
    assert_eq!(waiting(&world), [""; 0]);
    let metrics = world.metrics().await;
    assert!(metrics.contains(r#"event_hook_deliveries_total{outcome="refused"}"#), "{metrics}");
}

#[tokio::test]
async fn the_same_delivery_again_and_deliveries_out_of_order_change_nothing() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    let mut late = event("device.lifecycle.activate", "guo1");
    late["published"] = json!("2020-01-01T00:00:00.000Z");
    let first = okta.delivery(&[event("device.lifecycle.deactivate", "guo1")]);
    for delivery in [&first, &okta.delivery(&[late]), &first] {
        okta.deliver_body(delivery).await.expect("taken");
    }
    assert_eq!(waiting(&world), ["guo1"]);
}

#[tokio::test]
async fn a_device_is_read_once_in_a_minute_and_the_earlier_time_counts() {
    let world = World::start().await;
    let Hooked { path, okta, .. } = Hooked::new(&world).await;
    let id = path.rsplit('/').next().expect("id");
    let tenant = &world.tenant;
    world.sql(&format!(
        "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, created_at, \
         last_updated_at, users, users_known, any_managed, observed_at, read_by_id_at) \
         SELECT '{tenant}', '{id}', name, 'MACOS', 'ACTIVE', now(), now(), '[]', true, false, now(), at \
           FROM (VALUES ('guoLately', now() - interval '20 seconds'), ('guoLong', now() - interval '2 hours'), \
                ('guoNever', NULL), ('odd1', NULL)) AS d (name, at); \
         INSERT INTO okta_rereads (tenant_id, integration_id, okta_device_id, reason, due_at, asked_at) VALUES \
         ('{tenant}', '{id}', 'guoLong', 'missing', now() + interval '5 minutes', now() - interval '1 hour'), \
         ('{tenant}', '{id}', 'guoEarly', 'missing', now() - interval '9 minutes', now() - interval '1 hour')"
    ));
    let devices = ["guoLately", "guoLong", "guoNever", "guoNew", "guoEarly"];
    okta.deliver("device.user.add", &devices).await.expect("taken");
    let in_seconds = |device: &str| -> f64 {
        let sql =
            "SELECT extract(epoch FROM due_at - now()) FROM okta_rereads WHERE okta_device_id";
        world.sql(&format!("{sql} = '{device}'")).parse().expect("seconds")
    };
    assert!((1.0..=40.0).contains(&in_seconds("guoLately")), "{}", in_seconds("guoLately"));
    for now in ["guoLong", "guoNever", "guoNew"] {
        assert!((-30.0..=0.0).contains(&in_seconds(now)), "{now}: {}", in_seconds(now));
    }
    assert!(in_seconds("guoEarly") < -500.0, "{}", in_seconds("guoEarly"));
    let asked_lately =
        "SELECT count(*) FROM okta_rereads WHERE asked_at > now() - interval '30 seconds'";
    assert_eq!(world.sql(asked_lately), "5");
    // What a hook named is read before what a sweep has missed.
    assert_eq!(
        world.sql("SELECT reason FROM okta_rereads WHERE okta_device_id = 'guoEarly'"),
        "hook"
    );
    // An id of no device's shape counts when the mirror knows it.
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "odd2", "type": "Thing" }]);
    let odd = json!({ "eventType": "device.user.add", "target": target });
    okta.deliver_body(&okta.delivery(&[odd])).await.expect("taken");
    let all = ["guoEarly", "guoLately", "guoLong", "guoNever", "guoNew", "odd1"];
    assert_eq!(waiting(&world), all);
}

#[tokio::test]
async fn without_credentials_nobody_would_read_so_nothing_waits() {
    let world = World::start().await;
    let path = world.integration().await;
    let hooked = Hooked::of(&world, path).await;
    deliver(&hooked.okta, &devices(0, 3)).await;
    assert_eq!(waiting(&world), [""; 0]);
    assert_eq!(world.sql("SELECT count(*) FROM jobs WHERE kind <> 'housekeeping'"), "0");
}

#[tokio::test]
async fn a_hook_of_one_tenant_never_touches_the_devices_of_another() {
    let mut world = World::start().await;
    let mine = Hooked::new(&world).await;
    let first = std::mem::replace(&mut world.tenant, "another-tenant".to_owned());
    let theirs = Hooked::new(&world).await;
    world.sql(
        "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, created_at, \
         last_updated_at, users, users_known, any_managed, observed_at) SELECT tenant_id, id, 'odd1', \
         'MACOS', 'ACTIVE', now(), now(), '[]', true, false, now() FROM integrations \
         WHERE tenant_id = 'another-tenant'",
    );
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "guo1" }]);
    let delivery =
        mine.okta.delivery(&[json!({ "eventType": "device.user.add", "target": target })]);
    mine.okta.deliver_body(&delivery).await.expect("taken");
    let rows = "SELECT tenant_id || ' ' || okta_device_id FROM okta_rereads ORDER BY 1";
    // The mirror of the other tenant has odd1: that says nothing about this one.
    assert_eq!(world.sql(rows), format!("{first} guo1"));
    // Each secret opens its own hook only.
    let crossed = post(&world, &theirs.hook_path, Some(&mine.secret), NOTHING).await;
    crossed.expect_problem(404, "not_found");
}
