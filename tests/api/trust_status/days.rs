//! Trust status from end to end: reports of the MDM, the mirrored org, failures of Okta, and queries.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, NewDevice};

use crate::support::answer::Answer;
use crate::support::builder::Builder;
use crate::support::wait;
use crate::support::world::World;

const MAC: &str = "C02TRUST0MAC";

const UDID: &str = "5D1C8A34-2B7E-4F60-9A13-C0FFEE7A0B5E";

/// A service with a mirror that sweeps every second by default.
fn mirroring() -> Builder {
    World::build()
        .setting("ODT_SYNC_WORKERS", "2")
        .setting("ODT_SYNC_SWEEP_EVERY_SECONDS", "1")
        .setting("ODT_SYNC_READ_EVERY_SECONDS", "1")
        .setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1")
}

/// A service that mirrors once, and then does not read Okta for the rest of the test.
fn mirroring_once() -> Builder {
    World::build()
        .setting("ODT_SYNC_WORKERS", "2")
        .setting("ODT_SYNC_SWEEP_EVERY_SECONDS", "3600")
        .setting("ODT_SYNC_READ_EVERY_SECONDS", "3600")
        .setting("ODT_SYNC_PENDING_EVERY_SECONDS", "3600")
}

async fn report(world: &World, serial: &str, body: &Value) -> Answer {
    let ask = world.ask(Method::PUT, &format!("/devices/{serial}"));
    ask.scopes(&["odt:inventory"]).json(body).send().await
}

async fn report_enrolled(world: &World, integration: &str) {
    let now = Utc::now() - TimeDelta::hours(1);
    let body = json!({
        "platform": "macos", "udid": UDID,
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { integration: { "config_version": 1, "delivered_at": now, "reported_at": now } },
    });
    report(world, MAC, &body).await.expect(201);
}

async fn trust(world: &World, query: &str) -> Value {
    let path = format!("/trust-status/devices/{MAC}{query}");
    world.ask(Method::GET, &path).scopes(&["trust:read"]).send().await.expect(200)
}

async fn until(world: &World, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + wait::WAIT_LIMIT;
    loop {
        let status = trust(world, "").await;
        if holds(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "it never was {what}: {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_trust(world: &World, trust: &str, reason: &str) -> Value {
    let holds = |status: &Value| status["trust"] == trust && status["reasons"][0] == reason;
    until(world, &format!("{trust} {reason}"), holds).await
}

/// Adds Macs in Okta, each with a user who has signed in. Returns the IDs of the record and the user.
fn registered(world: &World) -> (String, String) {
    let device = world.acme.add_device(NewDevice::mac(MAC, UDID));
    let user = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&device, &user).expect("device and user");
    (device, user)
}

fn id_of(path: &str) -> String {
    path.rsplit('/').next().expect("an id").to_owned()
}

/// Adds a trusted Mac. Returns its integration's path and its Okta ID.
async fn trusted(world: &World) -> (String, String) {
    // The rate limit of a real org allows far fewer sweeps than tests need.
    world.acme.change(|knobs| knobs.rate_limits.devices = 6000);
    let (device, _) = registered(world);
    let path = world.configured().await;
    report_enrolled(world, &id_of(&path)).await;
    until_trust(world, "trusted", "managed_and_active").await;
    (path, device)
}

/// Like [`trusted`], and then waits until all jobs are done, so that only queries read Okta.
async fn trusted_and_left_alone(world: &World) -> (String, String) {
    let of_okta = trusted(world).await;
    wait::until("all work is done", async || world.unfinished_jobs() == 0).await;
    world.delete_jobs();
    of_okta
}

#[tokio::test]
async fn mac_becomes_trusted_step_by_step_and_untrusted_by_a_wipe() {
    let world = mirroring().start().await;
    let path = world.configured().await;
    let now = Utc::now();
    let enrolled = json!({
        "platform": "macos", "udid": UDID,
        "enrollment": { "state": "enrolled", "reported_at": now },
    });
    report(&world, MAC, &enrolled).await.expect(201);
    until_trust(&world, "untrusted", "config_not_delivered").await;
    let delivered = json!({ "platform": "macos", "deliveries": {
        (id_of(&path)): { "config_version": 1, "delivered_at": now, "reported_at": now } } });
    report(&world, MAC, &delivered).await.expect(200);
    until_trust(&world, "pending", "not_registered_in_okta").await;

    let device = world.acme.add_device(NewDevice::mac(MAC, UDID));
    let user = world.acme.add_user("ada@acme.example");
    world.acme.enroll(&device, &user).expect("device and user");
    until_trust(&world, "pending", "awaiting_fastpass_sign_in").await;
    // Okta's lastUpdated does not change; the device is re-read because it is pending.
    world.acme.sign_in_with_fastpass(&device, &user).expect("device and user");
    let status = until_trust(&world, "trusted", "managed_and_active").await;
    assert_eq!(status["users"][0]["login"], "ada@acme.example");
    assert_eq!(status["okta_devices"][0]["okta_device_id"], device);

    let wiped = json!({ "platform": "macos",
        "enrollment": { "state": "wiped", "reported_at": Utc::now() } });
    report(&world, MAC, &wiped).await.expect(200);
    let status = trust(&world, "").await;
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!("untrusted"), &json!("mdm_unenrolled"))
    );
}

#[tokio::test]
async fn wiped_mac_with_a_second_record_is_pending_until_a_sign_in() {
    let world = mirroring().start().await;
    let (path, first) = trusted(&world).await;
    let at = Utc::now() - TimeDelta::minutes(10);
    for (state, minutes) in [("wiped", 0), ("enrolled", 1)] {
        let reported_at = at + TimeDelta::minutes(minutes);
        let body = json!({ "platform": "macos",
            "enrollment": { "state": state, "reported_at": reported_at } });
        report(&world, MAC, &body).await.expect(200);
    }
    let second = world.acme.add_device(NewDevice::mac(MAC, UDID));
    let user = world.acme.add_user("ada@acme.example");
    world.acme.enroll(&second, &user).expect("device and user");
    // The delivery before the wipe does not count.
    until_trust(&world, "untrusted", "config_not_delivered").await;
    let delivered = json!({ "platform": "macos", "deliveries": { (id_of(&path)): {
        "config_version": 1, "delivered_at": Utc::now(), "reported_at": Utc::now() } } });
    report(&world, MAC, &delivered).await.expect(200);
    let status = until_trust(&world, "pending", "awaiting_fastpass_sign_in").await;
    assert!(status["reasons"].as_array().expect("list").contains(&json!("duplicate_okta_records")));
    let records: Vec<&Value> = status["okta_devices"].as_array().expect("list").iter().collect();
    assert_eq!(records.len(), 2, "{first} {at}");
    world.acme.sign_in_with_fastpass(&second, &user).expect("device and user");
    until_trust(&world, "trusted", "managed_and_active").await;
}

#[tokio::test]
async fn outage_of_an_hour_is_stale_and_of_two_days_unknown() {
    let world = mirroring().start().await;
    let (path, _) = trusted(&world).await;
    world.acme.fail(Fault::status(503));
    world.age_mirror("1 hour");
    let status = trust(&world, "").await;
    assert_eq!((&status["trust"], &status["stale"]), (&json!("trusted"), &json!(true)));
    let integration = world.get(&path).await.expect(200);
    assert_eq!(integration["status"], "active", "an outage degrades nothing: {integration}");

    world.age_mirror("47 hours");
    let status = trust(&world, "").await;
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!("unknown"), &json!("okta_unreachable"))
    );
    assert_eq!(status["last_known"]["trust"], "trusted");
    let integration = world.get(&path).await.expect(200);
    assert_eq!(integration["status_reasons"], json!(["sync_overdue"]));

    world.acme.recover();
    let status = until(&world, "fresh", |status| status["stale"] == false).await;
    assert_eq!(status["trust"], "trusted");
    // A single read may come first. The next complete sweep restores the status and records it.
    wait::until("the integration is active", async || {
        world.get(&path).await.expect(200)["status"] == "active"
    })
    .await;
}

#[tokio::test]
async fn exhausted_rate_limit_makes_verdicts_stale_only() {
    let world = mirroring().start().await;
    world.acme.change(|knobs| knobs.rate_limits.window_seconds = 3600);
    let (path, _) = trusted(&world).await;
    world.acme.leave_requests("devices", 0);
    // Okta is not read, and read again long before the hour is over. The worker records that it waits
    // before it postpones the job.
    wait::until("the sweep waits for minutes", async || {
        let due = world.job("sweep").seconds_left;
        world.seconds_of_waiting() > 240.0 && (0.0..=360.0).contains(&due)
    })
    .await;
    world.age_mirror("1 hour");
    let status = trust(&world, "").await;
    assert_eq!((&status["trust"], &status["stale"]), (&json!("trusted"), &json!(true)));
    assert_eq!(
        world.get(&path).await.expect(200)["status"],
        "active",
        "the integration is not degraded"
    );
    let entries = world.acme.journal().entries();
    let refused = entries.iter().filter(|entry| entry.status == Some(429)).count();
    assert!(
        (1..=4).contains(&refused),
        "{refused} requests although Okta had said when to come back"
    );
}

/// Counts the requests for devices since the journal was cleared.
fn asked_of_devices(world: &World) -> usize {
    let entries = world.acme.journal().entries();
    entries.iter().filter(|entry| entry.path.starts_with("/api/v1/devices")).count()
}

#[tokio::test]
async fn max_age_triggers_a_live_read_of_one_device() {
    let world = mirroring_once().start().await;
    let (_, device) = trusted_and_left_alone(&world).await;
    world.acme.set_device_status(&device, "SUSPENDED").expect("device");
    world.age_mirror("5 minutes");
    world.acme.journal().clear();
    assert_eq!(trust(&world, "?max_age=600").await["trust"], "trusted", "new enough already");
    assert_eq!(asked_of_devices(&world), 0);
    let status = trust(&world, "?max_age=60").await;
    assert_eq!(status["reasons"][0], "okta_device_suspended", "{status}");
    assert_eq!(status["stale"], false);
    let asked = asked_of_devices(&world);
    assert!((1..=3).contains(&asked), "{asked}");
    // The read is saved for all callers.
    assert_eq!(trust(&world, "").await["reasons"][0], "okta_device_suspended");
    assert_eq!(asked_of_devices(&world), asked);
}

#[tokio::test]
async fn query_for_several_devices_never_reads_okta() {
    let world = mirroring_once().start().await;
    trusted_and_left_alone(&world).await;
    world.age_mirror("5 minutes");
    world.acme.journal().clear();
    let ask = world.ask(Method::POST, "/trust-status/devices/query").scopes(&["trust:read"]);
    let devices = json!([{ "serial_number": MAC }, { "serial_number": "C02OTHER1DEF" }]);
    let body = json!({ "devices": devices, "max_age": 60 });
    let answer = ask.json(&body).send().await.expect(200);
    assert_eq!(answer["items"][0]["trust"], "unknown", "{answer}");
    assert_eq!(answer["items"][0]["last_known"]["trust"], "trusted");
    assert_eq!(asked_of_devices(&world), 0);
}

#[tokio::test]
async fn ten_concurrent_callers_cause_one_live_read_in_30_seconds() {
    let world = mirroring_once().start().await;
    trusted_and_left_alone(&world).await;
    world.age_mirror("5 minutes");
    world.acme.journal().clear();
    let all = futures_util::future::join_all((0..10).map(|_| trust(&world, "?max_age=60"))).await;
    assert!(all.iter().all(|status| status["trust"] == "trusted"), "{all:?}");
    let asked = asked_of_devices(&world);
    assert!((1..=3).contains(&asked), "{asked}");
    // No newer read is possible yet, and the verdict says so.
    let status = trust(&world, "?max_age=0").await;
    assert_eq!(status["reasons"][0], "okta_budget_exhausted", "{status}");
    assert_eq!(status["last_known"]["trust"], "trusted");
    assert_eq!(asked_of_devices(&world), asked);
}

#[tokio::test]
async fn live_read_without_budget_or_okta_is_unknown_with_last_known() {
    let world = mirroring_once().start().await;
    let (path, _) = trusted_and_left_alone(&world).await;
    world.age_mirror("5 minutes");
    world.spend_budget("devices", "live");
    world.spend_budget("device_users", "live");
    let status = trust(&world, "?max_age=60").await;
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!("unknown"), &json!("okta_budget_exhausted"))
    );
    assert_eq!(status["last_known"]["trust"], "trusted");
    world.forget_budgets();
    world.acme.fail(Fault::status(503));
    let status = trust(&world, "?max_age=60").await;
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!("unknown"), &json!("okta_unreachable"))
    );
    assert_eq!(status["last_known"]["trust"], "trusted");
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn iphone_without_identifiers_matches_by_the_reported_okta_id() {
    let world = mirroring().start().await;
    let device = world.acme.add_device(NewDevice::iphone());
    let user = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&device, &user).expect("device and user");
    let path = world.configured().await;
    let now = Utc::now();
    let body = json!({
        "platform": "ios", "udid": "00008110-000A1B2C3D4E801E",
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { (id_of(&path)): { "config_version": 1, "delivered_at": now, "reported_at": now } },
    });
    report(&world, MAC, &body).await.expect(201);
    until_trust(&world, "unknown", "okta_record_unmatched").await;
    let list = world.get(&format!("{path}/okta-devices?matched=false")).await.expect(200);
    assert_eq!(list["items"][0]["okta_device_id"], device);
    let named = json!({ "platform": "ios", "okta_device_id": device, "reported_at": Utc::now() });
    report(&world, MAC, &named).await.expect(200);
    until_trust(&world, "trusted", "managed_and_active").await;
}
