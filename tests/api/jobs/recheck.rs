//! Scheduled checks of integrations: a loss in Okta degrades them, its restoration resolves it, an outage does
//! neither. The rate of checks by callers is limited.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, Knobs};

use crate::support::wait::until;
use crate::support::world::World;

const EVERY_SECOND: [(&str, &str); 1] = [("ODT_RECHECK_EVERY_SECONDS", "1")];

/// Starts a world with an active integration and without mirror jobs.
async fn active() -> (World, String) {
    let world = World::start().await;
    let path = world.configured().await;
    world.delete_mirror_jobs();
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    (world, path)
}

/// Returns the events of a kind, oldest first.
async fn events(world: &World, path: &str, kind: &str) -> Vec<Value> {
    let all = world.get(&format!("{path}/events?limit=200")).await.expect(200);
    let items = all["items"].as_array().expect("items");
    items.iter().filter(|event| event["kind"] == kind).cloned().collect()
}

/// Returns the status changes in the integration's events.
async fn changes(world: &World, path: &str) -> Vec<(String, String)> {
    let word = |event: &Value, name: &str| event["detail"][name].as_str().expect("word").to_owned();
    let events = events(world, path, "status_changed").await;
    events.iter().map(|event| (word(event, "from"), word(event, "to"))).collect()
}

/// Waits until the prerequisites were checked `times` more times.
async fn checks(world: &World, times: u32) {
    let last = || world.last_check();
    for _ in 0..times {
        let before = last();
        until("another check", async || last() != before).await;
    }
}

/// Returns how often a status changed to this one in this process.
async fn counted(world: &World, to: &str) -> u64 {
    let label = format!("odt_integration_status_changes_total{{to=\"{to}\"}} ");
    let page = world.metrics().await;
    let line = page.lines().find_map(|line| line.strip_prefix(&label));
    line.map_or(0, |count| count.parse().expect("a number"))
}

/// Checks that `lose` degrades the integration with `reason`, and that `restore` makes it active again.
async fn degrades_and_mends(reason: &str, lose: fn(&mut Knobs), restore: fn(&mut Knobs)) {
    let (world, path) = active().await;
    let status = async || world.get(&path).await.expect(200)["status"].clone();
    assert_eq!(changes(&world, &path).await, [("setup".to_owned(), "active".to_owned())]);
    let (degraded, mended) = (counted(&world, "degraded").await, counted(&world, "active").await);
    let version = world.get(&path).await.expect(200)["version"].clone();
    let _replica = world.replica(&EVERY_SECOND).await;

    world.acme.change(lose);
    until("degraded", async || status().await == "degraded").await;
    let reasons = world.get(&path).await.expect(200)["status_reasons"].clone();
    assert!(reasons.as_array().expect("reasons").contains(&json!(reason)), "{reasons}");
    let event = events(&world, &path, "status_changed").await.pop().expect("an event");
    assert_eq!(event["detail"]["from"], "active");
    assert_eq!(event["detail"]["to"], "degraded");
    assert_eq!(event["detail"]["reasons"], reasons);
    assert_eq!(event["actor"]["sub"], "service");
    assert_eq!(events(&world, &path, "prerequisites_checked").await.len(), 1);

    world.acme.change(restore);
    until("active again", async || status().await == "active").await;
    let last = changes(&world, &path).await.pop().expect("an event");
    assert_eq!(last, ("degraded".to_owned(), "active".to_owned()));
    until("counted", async || {
        counted(&world, "degraded").await > degraded && counted(&world, "active").await > mended
    })
    .await;
    assert_eq!(
        world.get(&path).await.expect(200)["version"],
        version,
        "nobody configured anything"
    );
}

#[tokio::test]
async fn revoked_client_degrades_until_restored() {
    degrades_and_mends(
        "client_refused",
        |knobs| knobs.client_active = false,
        |knobs| knobs.client_active = true,
    )
    .await;
}

#[tokio::test]
async fn fastpass_turned_off_degrades_until_turned_on() {
    degrades_and_mends(
        "fastpass_off",
        |knobs| knobs.fastpass = false,
        |knobs| knobs.fastpass = true,
    )
    .await;
}

#[tokio::test]
async fn revoked_scope_degrades_until_granted_again() {
    degrades_and_mends(
        "scopes_missing",
        |knobs| knobs.granted_scopes.retain(|scope| scope != "okta.devices.read"),
        |knobs| knobs.granted_scopes = Knobs::default().granted_scopes,
    )
    .await;
}

#[tokio::test]
async fn checks_without_changes_insert_no_event() {
    let (world, path) = active().await;
    let before = world.get(&format!("{path}/events?limit=200")).await.expect(200);
    let _replica = world.replica(&EVERY_SECOND).await;
    checks(&world, 3).await;
    assert_eq!(world.get(&format!("{path}/events?limit=200")).await.expect(200), before);
    // A caller's check is always audited.
    world.post(&format!("{path}/prerequisites/check"), &json!(null)).await.expect(200);
    let audited = events(&world, &path, "prerequisites_checked").await;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0]["actor"]["sub"], "admin@customer.example");
}

#[tokio::test]
async fn outage_changes_nothing_and_is_retried() {
    let (world, path) = active().await;
    let report = format!("{path}/prerequisites");
    let read = async || {
        let events = world.get(&format!("{path}/events?limit=200")).await.expect(200);
        (world.get(&path).await.expect(200), world.get(&report).await.expect(200), events)
    };
    let before = read().await;

    world.acme.fail(Fault::status(503));
    let _replica = world.replica(&EVERY_SECOND).await;
    until("two failures", async || world.job("recheck").attempts >= 2).await;
    assert_eq!(read().await, before);
    world.acme.recover();
    checks(&world, 1).await;
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    assert_eq!(changes(&world, &path).await.len(), 1);
}

#[tokio::test]
async fn org_without_a_sweep_for_a_day_is_overdue() {
    let (world, path) = active().await;
    let reasons = async || world.get(&path).await.expect(200)["status_reasons"].clone();
    world.age_credentials("23 hours 59 minutes");
    assert_eq!(reasons().await, json!([]));
    world.age_credentials("24 hours 1 minute");
    assert_eq!(reasons().await, json!(["sync_overdue"]));
    assert_eq!(changes(&world, &path).await.len(), 1, "reads record nothing");

    let _replica = world.replica(&EVERY_SECOND).await;
    until("noted", async || changes(&world, &path).await.len() == 2).await;
    let event = events(&world, &path, "status_changed").await.pop().expect("an event");
    assert_eq!(event["detail"]["reasons"], json!(["sync_overdue"]));

    world.set_sweep_completed("23 hours");
    until("noted again", async || changes(&world, &path).await.len() == 3).await;
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    world.set_sweep_completed("25 hours");
    assert_eq!(reasons().await, json!(["sync_overdue"]));
}

#[tokio::test]
async fn sync_overdue_is_recorded_during_an_outage() {
    let (world, path) = active().await;
    world.age_credentials("25 hours");
    world.acme.fail(Fault::status(503));
    let _replica = world.replica(&EVERY_SECOND).await;
    until("noted", async || changes(&world, &path).await.len() == 2).await;
    let event = events(&world, &path, "status_changed").await.pop().expect("an event");
    assert_eq!(event["detail"]["to"], "degraded");
    assert_eq!(event["detail"]["reasons"], json!(["sync_overdue"]));
    assert_eq!(events(&world, &path, "prerequisites_checked").await, [] as [Value; 0]);
}

#[tokio::test]
async fn status_change_is_recorded_once_by_concurrent_checks() {
    let (world, path) = active().await;
    let _replicas = (world.replica(&EVERY_SECOND).await, world.replica(&EVERY_SECOND).await);
    world.acme.change(|knobs| knobs.fastpass = false);
    let check = format!("{path}/prerequisites/check");
    let ask = || async { world.post(&check, &json!(null)).await.expect(200) };
    tokio::join!(ask(), ask(), ask(), ask());
    checks(&world, 3).await;
    let expected = [("setup", "active"), ("active", "degraded")];
    assert_eq!(
        changes(&world, &path).await,
        expected.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
}

#[tokio::test]
async fn check_of_a_deleted_integration_ends_quietly() {
    let (world, _) = active().await;
    world.insert_orphaned_job("recheck");
    let rechecks = || world.count_jobs("recheck");
    assert_eq!(rechecks(), 2);
    let _replica = world.replica(&[]).await;
    until("gone", async || rechecks() == 1).await;
}

#[tokio::test]
async fn at_most_10_connects_and_checks_a_minute() {
    let world = World::build().setting("ODT_ATTEMPTS_PER_MINUTE", "10").start().await;
    let path = world.connected().await;
    let (check, credentials) =
        (format!("{path}/prerequisites/check"), format!("{path}/credentials"));
    for _ in 0..9 {
        world.post(&check, &json!(null)).await.expect(200);
    }
    world.acme.journal().clear();
    for answer in [
        world.post(&check, &json!(null)).await,
        world.put(&credentials, &world.credentials()).await,
    ] {
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        answer.expect_problem(429, "too_many_attempts");
    }
    assert!(world.acme.journal().entries().is_empty(), "there was a request to Okta");
    // Operations without requests to Okta, and rejected ones, are not limited.
    world
        .put(&credentials, &json!({ "client_id": "", "client_secret": "" }))
        .await
        .expect_problem(422, "invalid_request");
    let stranger = world.token_of("stranger", &["odt:write"]);
    let ask = world.ask(Method::POST, &check).token(&stranger).send().await;
    ask.expect_problem(404, "not_found");
}
